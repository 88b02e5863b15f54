"""LightGBM: gradient boosting of trees that grow leaf by leaf over histograms.

Ke et al. (2017), LightGBM: A Highly Efficient Gradient Boosting Decision Tree, NeurIPS.
The defaults lie near those that Holzmüller et al. (2024, Better by Default) found good
over many tables; trees with random thresholds are the variant that AutoGluon found to
complement them (Erickson et al., 2020; Salinas & Erickson, 2024, TabRepo).
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

__all__ = ["LIGHTGBM"]

_MOST_ROUNDS = 2000
_ROUNDS_UNWATCHED = 60


class LightGBMModel:
    """A LightGBM booster that stops on inner rows and at deadlines."""

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
        import lightgbm

        def grow(
            rows: Rows, valid: Rows | None, most: int, deadline: float
        ) -> tuple[Any, int, bool]:
            def dataset(part: Rows, reference: Any = None) -> Any:
                return lightgbm.Dataset(
                    X[part],
                    label=y[part],
                    weight=None if sample_weight is None else sample_weight[part],
                    reference=reference,
                    categorical_feature=list(categorical),
                    params=params,
                )

            params = self._params(len(rows))
            train = dataset(rows)
            patience = float(np.clip(3.0 / self.config["learning_rate"], 20, 100))
            progress = Progress(patience=patience, deadline=deadline)

            def watch(env: Any) -> None:
                found = env.evaluation_result_list
                if progress.is_over(found[0][2] if found else None):
                    raise lightgbm.callback.EarlyStopException(env.iteration, found)

            booster = lightgbm.train(
                params,
                train,
                num_boost_round=most,
                valid_sets=[] if valid is None else [dataset(valid, train)],
                callbacks=[watch],
            )
            # As text, cut to the best round, and read again: the smallest thing to keep.
            text = booster.model_to_string(num_iteration=progress.keep)
            return lightgbm.Booster(model_str=text), progress.keep, progress.is_cut

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
        raw: NDArray[Any] = self.booster_.predict(X, num_threads=self.n_threads)
        if self.shape.task == "binary":
            return np.column_stack([1.0 - raw, raw])
        return raw

    def contributions(self, X: Matrix) -> Contributions:
        """Shapley values of the columns."""
        found = self.booster_.predict(X, pred_contrib=True, num_threads=self.n_threads)
        return with_base_last(found, len(X), self.shape.n_outputs, link_of(self.shape))

    @property
    def size(self) -> int:
        """Leaves of all trees."""
        return int(self.booster_.num_trees() * self.config["num_leaves"])

    def _params(self, n_rows: int) -> dict[str, Any]:
        config = self.config
        loss = {
            "binary": "binary",
            "multiclass": "multiclass",
            "regression": "regression" if config.get("loss") != "absolute" else "regression_l1",
        }[self.shape.task]
        params = {
            "objective": loss,
            "learning_rate": config["learning_rate"],
            "num_leaves": config["num_leaves"],
            # Leaves of 20 rows would leave a table of 30 rows without any split.
            "min_data_in_leaf": int(min(config["min_rows_in_leaf"], max(1, n_rows // 8))),
            "min_sum_hessian_in_leaf": 1e-6,
            "feature_fraction": config["column_share"],
            "bagging_fraction": config["row_share"],
            "bagging_freq": 1 if config["row_share"] < 1 else 0,
            "lambda_l1": config["l1"],
            "lambda_l2": config["l2"],
            "extra_trees": config["random_thresholds"],
            "cat_smooth": config.get("category_smoothing", 10.0),
            "max_bin": 255,
            "num_threads": self.n_threads,
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,  # both ways are not tried out first, which costs time
            "feature_pre_filter": False,
            "verbosity": -1,
        }
        if self.shape.is_monotone:
            params["monotone_constraints"] = list(self.shape.directions)
            # Of LightGBM's three methods the only one that held in our tests: with "intermediate",
            # probabilities went up to 0.015 the wrong way (4.7, beside categories).
            params["monotone_constraints_method"] = "basic"
        if self.shape.task == "multiclass":
            params["num_class"] = self.shape.n_classes
        return params


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    found: dict[str, Hyperparameter] = {
        "learning_rate": Float(0.01, 0.3, log=True, default=0.05),
        "num_leaves": Integer(4, 128, log=True, default=31),
        "min_rows_in_leaf": Integer(1, 100, log=True, default=20),
        "column_share": Float(0.3, 1.0, default=0.9),
        "row_share": Float(0.5, 1.0, default=0.8),
        "l1": Float(1e-6, 10.0, log=True, default=1e-6),
        "l2": Float(1e-6, 10.0, log=True, default=1e-3),
        "random_thresholds": Categorical([False, True]),
    }
    if shape.has_categories:
        found["category_smoothing"] = Float(1.0, 100.0, log=True, default=10.0)
    # The leaves of absolute loss become medians after the tree has grown, in any order.
    if not shape.is_classification and not shape.is_monotone:
        found["loss"] = Categorical(["squared", "absolute"])
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """A default, its variant with random thresholds, and large trees."""
    return [
        {"num_leaves": 31 if shape.n_rows >= 500 else 10},
        {"random_thresholds": True},
        {
            "learning_rate": 0.03,
            "num_leaves": 100,
            "min_rows_in_leaf": 3,
            "row_share": 0.7,
        },
    ]


def expected_rounds(learning_rate: float, n_rows: int) -> float:
    """About how many rounds it takes until the loss stops falling, patience included."""
    most = most_rounds(learning_rate, n_rows, at_most=_MOST_ROUNDS)
    return float(min(most, (7.0 + 0.07 * n_rows**0.5) / learning_rate))


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Rounds; row visits (1e9); histogram scans of all leaves (1e9)."""
    rounds = expected_rounds(config["learning_rate"], shape.n_rows) * shape.n_outputs
    width = shape.width("native") * config["column_share"]
    leaves = min(config["num_leaves"], 1 + shape.n_rows / (2 * config["min_rows_in_leaf"]))
    depth = np.log2(1 + leaves)
    bins = min(255, shape.n_rows)
    visits = rounds * shape.n_rows * width * depth
    return rounds * 1e-3, visits * 1e-9, rounds * leaves * width * bins * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """Binned rows, gradients, histograms."""
    width = shape.width("native")
    histograms = config["num_leaves"] * width * 255 * 16
    gradients = shape.n_rows * shape.n_outputs * 24
    return float(60 + (shape.n_rows * width * 6 + gradients + histograms) / 2**20)


def describe(config: Config) -> str:
    """Leaves and learning rate."""
    kind = ", random thresholds" if config["random_thresholds"] else ""
    return f"{config['num_leaves']} leaves, learning rate {config['learning_rate']:.2g}{kind}"


LIGHTGBM = Family(
    name="lightgbm",
    title="LightGBM",
    preprocessing="native",
    space=space,
    defaults=defaults,
    build=LightGBMModel,
    terms=terms,
    prices=(0.15, 2.2, 0.085),
    parallel=0.6,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
    max_classes=200,
    package="lightgbm",
)
