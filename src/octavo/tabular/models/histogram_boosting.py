"""scikit-learn's histogram gradient boosting: LightGBM's idea in a third implementation.

Its trees differ enough from those of the others to be of use in an ensemble, and it is
there when the extra libraries are not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.threads import limited
from octavo.spaces import Categorical, Float, Hyperparameter, Integer
from octavo.tabular.models.contributions import Contributions, link_of, of_histograms
from octavo.tabular.models.early_stopping import Rows, grow_until_worse, most_rounds
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["HISTOGRAM_BOOSTING"]

_MOST_ROUNDS = 1000
_ROUNDS_UNWATCHED = 60
_BINS = 250
_MOST_CODES = 250  # a column of more categories is split as if its codes were numbers


class HistogramModel:
    """Boosting that grows in chunks of rounds, so that it can look at the clock."""

    def __init__(self, config: Config, shape: Shape, *, seed: int, n_threads: int) -> None:
        self.config = dict(config)
        self.shape = shape
        self.seed = seed
        self.n_threads = n_threads

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Boost until the loss on inner rows has stopped falling."""
        from threadpoolctl import threadpool_limits

        in_time(deadline, "histogram boosting")
        self.categorical_ = [j for j in categorical if np.nanmax(X[:, j], initial=0) < _MOST_CODES]
        self.thresholds_ = [
            None if j in set(self.categorical_) else _thresholds(X[:, j]) for j in range(X.shape[1])
        ]
        X = self._binned(X)

        def grow(
            rows: Rows, valid: Rows | None, most: int, deadline: float
        ) -> tuple[Any, int, bool]:
            model = self._estimator(len(rows), is_watched=valid is not None)
            weights = None if sample_weight is None else sample_weight[rows]
            extra: dict[str, Any] = {}
            if valid is not None:
                extra = {"X_val": X[valid], "y_val": y[valid]}
                if sample_weight is not None:
                    extra["sample_weight_val"] = sample_weight[valid]
            started = time.monotonic()
            # About as many rounds at first as take a tenth of a second.
            rounds = int(np.clip(1e7 / (len(rows) * X.shape[1] * self.shape.n_outputs), 1, 8))
            while True:
                model.set_params(max_iter=rounds)
                model.fit(X[rows], y[rows], sample_weight=weights, **extra)
                now = time.monotonic()
                is_done = model.n_iter_ < rounds or rounds >= most
                # Every chunk bins the table anew, so that chunks double while time allows.
                fitting = (deadline - now) / ((now - started) / rounds)
                chunk = int(min(rounds, fitting / 3, most - rounds))
                if is_done or chunk < 1:
                    break
                rounds += chunk
            best = model.n_iter_ if valid is None else int(np.argmax(model.validation_score_))
            return model, max(1, best), not is_done

        with threadpool_limits(self.n_threads, user_api="openmp"):
            self.model_ = grow_until_worse(
                grow,
                y,
                is_classification=self.shape.is_classification,
                seed=self.seed,
                most_steps=most_rounds(self.config["learning_rate"], len(y), at_most=_MOST_ROUNDS),
                steps_unwatched=_ROUNDS_UNWATCHED,
                deadline=deadline,
            )

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        X = self._binned(X)
        with limited(self.n_threads, user_api="openmp"):
            if self.shape.is_classification:
                found: NDArray[Any] = self.model_.predict_proba(X)
            else:
                found = self.model_.predict(X)
        return found

    def contributions(self, X: Matrix) -> Contributions:
        """Shapley values of the columns."""
        return of_histograms(self.model_, self._binned(X), link=link_of(self.shape))

    @property
    def size(self) -> int:
        """Upper bound of the leaves of all trees."""
        return int(self.model_.n_iter_ * self.shape.n_outputs * self.config["num_leaves"])

    def _binned(self, X: Matrix) -> Matrix:
        """Numbers as the places of their bins; category codes that it would refuse as NaN.

        Not left to scikit-learn, which bins anew for every chunk of rounds, and for minutes
        where rows have weights.
        """
        binned = X.copy()
        for j, thresholds in enumerate(self.thresholds_):
            column = X[:, j]
            if thresholds is None:
                binned[(column < 0) | (column >= _MOST_CODES), j] = np.nan
            else:
                known = ~np.isnan(column)
                binned[known, j] = np.searchsorted(thresholds, column[known])
        return binned

    def _estimator(self, n_rows: int, *, is_watched: bool) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        config = self.config
        settings: dict[str, Any] = {
            "learning_rate": config["learning_rate"],
            "max_leaf_nodes": config["num_leaves"],
            "min_samples_leaf": int(min(config["min_rows_in_leaf"], max(1, n_rows // 8))),
            "l2_regularization": config["l2"],
            "max_features": config["column_share"],
            "categorical_features": self.categorical_ or None,
            "early_stopping": is_watched,
            "n_iter_no_change": int(np.clip(2.0 / config["learning_rate"], 15, 60)),
            "tol": 0.0,
            "warm_start": True,
            "random_state": self.seed,
        }
        if self.shape.is_monotone:
            settings["monotonic_cst"] = list(self.shape.directions)
        if self.shape.is_classification:
            return HistGradientBoostingClassifier(**settings)
        loss = "absolute_error" if config.get("loss") == "absolute" else "squared_error"
        return HistGradientBoostingRegressor(loss=loss, **settings)


def _thresholds(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where a column is cut: between all its values if they are few, else at quantiles."""
    values = column[~np.isnan(column)]
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return distinct[:-1]  # a value belongs to the bin that it closes
    return np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    found: dict[str, Hyperparameter] = {
        "learning_rate": Float(0.01, 0.3, log=True, default=0.1),
        "num_leaves": Integer(4, 128, log=True, default=31),
        "min_rows_in_leaf": Integer(1, 100, log=True, default=20),
        "column_share": Float(0.3, 1.0, default=1.0),
        "l2": Float(1e-6, 10.0, log=True, default=1e-3),
    }
    # The leaves of absolute loss become medians after the tree has grown, in any order.
    if not shape.is_classification and not shape.is_monotone:
        found["loss"] = Categorical(["squared", "absolute"])
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """The library's own, with columns drawn for each split."""
    return [{"column_share": 0.7, "num_leaves": 31 if shape.n_rows >= 500 else 10}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Rounds; row visits (1e9); histogram scans of all leaves (1e9)."""
    from octavo.tabular.models.light_gbm import expected_rounds

    rounds = min(_MOST_ROUNDS, expected_rounds(config["learning_rate"], shape.n_rows))
    rounds *= shape.n_outputs
    width = shape.width("native")
    leaves = min(config["num_leaves"], 1 + shape.n_rows / (2 * config["min_rows_in_leaf"]))
    visits = rounds * shape.n_rows * width * np.log2(1 + leaves)
    return rounds * 1e-3, visits * 1e-9, rounds * leaves * width * 256 * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """Binned rows, gradients, histograms."""
    width = shape.width("native")
    histograms = config["num_leaves"] * width * 256 * 24
    gradients = shape.n_rows * shape.n_outputs * 32
    return float(60 + (shape.n_rows * width * 10 + gradients + histograms) / 2**20)


def describe(config: Config) -> str:
    """Leaves and learning rate."""
    return f"{config['num_leaves']} leaves, learning rate {config['learning_rate']:.2g}"


HISTOGRAM_BOOSTING = Family(
    name="histogram_boosting",
    title="Histogram boosting",
    preprocessing="native",
    space=space,
    defaults=defaults,
    build=HistogramModel,
    terms=terms,
    prices=(0.85, 2.2, 0.38),
    parallel=0.6,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
    max_classes=50,
)
