"""XGBoost: gradient boosting with a second-order, regularized gain.

Chen & Guestrin (2016), XGBoost: A Scalable Tree Boosting System, KDD. The second default
lies near the tuned ones of Holzmüller et al. (2024, Better by Default).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Float, Hyperparameter, Integer
from octavo.tabular.models.contributions import Contributions, link_of, with_base_last
from octavo.tabular.models.early_stopping import (
    Progress,
    Rows,
    grow_until_worse,
    most_rounds,
)
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape

__all__ = ["XGBOOST"]

_MOST_ROUNDS = 2000
_ROUNDS_UNWATCHED = 60


class XGBoostModel:
    """An XGBoost booster that stops on inner rows and at deadlines."""

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
        import xgboost

        self.feature_types_ = ["c" if j in set(categorical) else "q" for j in range(X.shape[1])]

        class Watch(xgboost.callback.TrainingCallback):
            def __init__(self, progress: Progress) -> None:
                super().__init__()
                self.progress = progress

            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                losses = next(iter(evals_log["valid"].values())) if evals_log else [None]
                return self.progress.is_over(losses[-1])

        def grow(
            rows: Rows, valid: Rows | None, most: int, deadline: float
        ) -> tuple[Any, int, bool]:
            def dataset(part: Rows, reference: Any = None) -> Any:
                weight = None if sample_weight is None else sample_weight[part]
                return xgboost.QuantileDMatrix(
                    X[part],
                    y[part],
                    weight=weight,
                    ref=reference,
                    feature_types=self.feature_types_,
                    enable_categorical=True,
                    nthread=self.n_threads,
                    max_bin=256,
                )

            train = dataset(rows)
            patience = float(np.clip(3.0 / self.config["learning_rate"], 20, 100))
            progress = Progress(patience=patience, deadline=deadline)
            booster = xgboost.train(
                self._params(),
                train,
                num_boost_round=most,
                evals=[] if valid is None else [(dataset(valid, train), "valid")],
                callbacks=[Watch(progress)],
                verbose_eval=False,
            )
            return booster[: progress.keep], progress.keep, progress.is_cut

        self.booster_ = grow_until_worse(
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
        raw: NDArray[Any] = self.booster_.predict(self._given(X))
        if self.shape.task == "binary":
            return np.column_stack([1.0 - raw, raw])
        return raw

    def contributions(self, X: Matrix) -> Contributions:
        """Shapley values of the columns."""
        found = self.booster_.predict(self._given(X), pred_contribs=True)
        return with_base_last(found, len(X), self.shape.n_outputs, link_of(self.shape))

    def _given(self, X: Matrix) -> Any:
        import xgboost

        self.booster_.set_param({"nthread": self.n_threads})
        return xgboost.DMatrix(
            X, feature_types=self.feature_types_, enable_categorical=True, nthread=self.n_threads
        )

    @property
    def size(self) -> int:
        """Upper bound of the leaves of all trees."""
        rounds = self.booster_.num_boosted_rounds() * self.shape.n_outputs
        return int(rounds * 2 ** self.config["max_depth"])

    def _params(self) -> dict[str, Any]:
        config = self.config
        loss = {
            "binary": "binary:logistic",
            "multiclass": "multi:softprob",
            "regression": (
                "reg:squarederror" if config.get("loss") != "absolute" else "reg:absoluteerror"
            ),
        }[self.shape.task]
        params = {
            "objective": loss,
            "eta": config["learning_rate"],
            "max_depth": config["max_depth"],
            "min_child_weight": config["min_child_weight"],
            "subsample": config["row_share"],
            "colsample_bylevel": config["column_share"],
            "lambda": config["l2"],
            "alpha": config["l1"],
            "tree_method": "hist",
            "max_bin": 256,
            "nthread": self.n_threads,
            "seed": self.seed,
            "verbosity": 0,
        }
        if "onehot_up_to" in config:
            params["max_cat_to_onehot"] = config["onehot_up_to"]
        if self.shape.is_monotone:
            params["monotone_constraints"] = tuple(self.shape.directions)
        if self.shape.task == "multiclass":
            params["num_class"] = self.shape.n_classes
        return params


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    found: dict[str, Hyperparameter] = {
        "learning_rate": Float(0.01, 0.3, log=True, default=0.08),
        "max_depth": Integer(2, 10, default=6),
        "min_child_weight": Float(1e-3, 30.0, log=True, default=1.0),
        "column_share": Float(0.3, 1.0, default=0.9),
        "row_share": Float(0.5, 1.0, default=0.8),
        "l1": Float(1e-6, 10.0, log=True, default=1e-6),
        "l2": Float(1e-3, 10.0, log=True, default=1.0),
    }
    if shape.has_categories:
        found["onehot_up_to"] = Integer(2, 32, log=True, default=8)
    # The leaves of absolute loss become medians after the tree has grown, in any order.
    if not shape.is_classification and not shape.is_monotone:
        found["loss"] = Categorical(["squared", "absolute"])
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """The library's own depth, then deeper or freer trees."""
    if shape.is_classification:
        return [{}, {"min_child_weight": 1e-2, "row_share": 0.65, "l2": 1e-2}]
    return [
        {},
        {"learning_rate": 0.05, "max_depth": 9, "min_child_weight": 2.0, "row_share": 0.7},
    ]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Rounds; row visits (1e9); histogram scans of all leaves (1e9)."""
    from octavo.tabular.models.light_gbm import expected_rounds

    rounds = expected_rounds(config["learning_rate"], shape.n_rows) * shape.n_outputs
    width = shape.width("native") * config["column_share"]
    depth = config["max_depth"]
    leaves = min(2.0**depth, 1 + shape.n_rows / (2 * max(1.0, config["min_child_weight"])))
    bins = min(256, shape.n_rows)
    visits = rounds * shape.n_rows * width * depth
    return rounds * 1e-3, visits * 1e-9, rounds * leaves * width * bins * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """Binned rows, gradients, histograms."""
    width = shape.width("native")
    histograms = 2.0 ** config["max_depth"] * width * 256 * 16
    gradients = shape.n_rows * shape.n_outputs * 24
    return float(60 + (shape.n_rows * width * 8 + gradients + histograms) / 2**20)


def describe(config: Config) -> str:
    """Depth and learning rate."""
    return f"depth {config['max_depth']}, learning rate {config['learning_rate']:.2g}"


XGBOOST = Family(
    name="xgboost",
    title="XGBoost",
    preprocessing="native",
    space=space,
    defaults=defaults,
    build=XGBoostModel,
    terms=terms,
    prices=(0.26, 3.3, 0.14),
    parallel=0.6,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
    max_classes=200,
    package="xgboost",
)
