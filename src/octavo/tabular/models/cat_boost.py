"""CatBoost: boosting of symmetric trees, with ordered statistics of categories.

Prokhorenkova et al. (2018), CatBoost: unbiased boosting with categorical features, NeurIPS.
The settings lie near those of Holzmüller et al. (2024, Better by Default), with fewer
borders, because on a processor its time is that of the borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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

__all__ = ["CATBOOST"]

_MOST_ROUNDS = 1000
_ROUNDS_UNWATCHED = 60


class CatBoostModel:
    """A CatBoost model that stops on inner rows and at deadlines."""

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
        import catboost

        self.categorical_ = sorted(categorical)
        name = self._params()["loss_function"].split(":")[0]

        class Watch:
            def __init__(self, progress: Progress) -> None:
                self.progress = progress

            def after_iteration(self, info: Any) -> bool:
                losses = info.metrics.get("validation", {}).get(name)
                return not self.progress.is_over(losses[-1] if losses else None)

        def grow(
            rows: Rows, valid: Rows | None, most: int, deadline: float
        ) -> tuple[Any, int, bool]:
            def pool(part: Rows) -> Any:
                weight = None if sample_weight is None else sample_weight[part]
                return self._pool(X[part], y[part], weight)

            patience = float(np.clip(3.0 / self.config["learning_rate"], 20, 60))
            progress = Progress(patience=patience, deadline=deadline)
            model = catboost.CatBoost({**self._params(), "iterations": most})
            model.fit(
                pool(rows),
                eval_set=None if valid is None else pool(valid),
                use_best_model=False,
                callbacks=[Watch(progress)],
                verbose=False,
            )
            if model.tree_count_ > progress.keep:
                model.shrink(progress.keep)
            return model, progress.keep, progress.is_cut

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
        kind = "Probability" if self.shape.is_classification else "RawFormulaVal"
        found: NDArray[Any] = self.model_.predict(
            self._pool(X, None, None), prediction_type=kind, thread_count=self.n_threads
        )
        return found

    def contributions(self, X: Matrix) -> Contributions:
        """Shapley values of the columns."""
        raw = self.model_.get_feature_importance(
            self._pool(X, None, None), type="ShapValues", thread_count=self.n_threads
        )
        found = with_base_last(raw, len(X), self.shape.n_outputs, link_of(self.shape))
        if not self.categorical_:
            return found
        # The pool has categories behind the numbers.
        numbers = np.setdiff1d(np.arange(X.shape[1]), self.categorical_)
        places = np.argsort(np.concatenate([numbers, self.categorical_]).astype(np.int64))
        return replace(found, values=found.values[:, places])

    @property
    def size(self) -> int:
        """Leaf values of all trees."""
        per_tree = 2 ** self.config["depth"] * self.shape.n_outputs
        return int(self.model_.tree_count_ * per_tree)

    def _pool(self, X: Matrix, y: NDArray[Any] | None, weight: Floats | None) -> Any:
        import catboost

        if not self.categorical_:
            return catboost.Pool(X, y, weight=weight, thread_count=self.n_threads)
        numbers = np.setdiff1d(np.arange(X.shape[1]), self.categorical_)
        data = catboost.FeaturesData(
            num_feature_data=np.ascontiguousarray(X[:, numbers]) if len(numbers) else None,
            cat_feature_data=_as_names(X[:, self.categorical_]),
        )
        return catboost.Pool(data, y, weight=weight, thread_count=self.n_threads)

    def _params(self) -> dict[str, Any]:
        config = self.config
        loss = {
            "binary": "Logloss",
            "multiclass": "MultiClass",
            "regression": "RMSE" if config.get("loss") != "absolute" else "MAE",
        }[self.shape.task]
        params = {
            "loss_function": loss,
            "learning_rate": config["learning_rate"],
            "depth": _depth(config, self.shape.n_rows),
            "l2_leaf_reg": config["l2"],
            "random_strength": config["random_strength"],
            "bootstrap_type": "Bernoulli",
            "subsample": config["row_share"],
            "border_count": _borders(self.shape.n_rows),
            "boosting_type": "Plain",
            "leaf_estimation_iterations": 1,
            "thread_count": self.n_threads,
            "random_seed": self.seed,
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
        if config.get("onehot_up_to"):
            params["one_hot_max_size"] = config["onehot_up_to"]
        if self.shape.is_monotone:
            # By place in the pool, in which numbers come first.
            numbers = np.setdiff1d(np.arange(len(self.shape.directions)), self.categorical_)
            params["monotone_constraints"] = {
                place: self.shape.directions[at]
                for place, at in enumerate(numbers.tolist())
                if self.shape.directions[at]
            }
        if self.shape.task == "multiclass":
            params["classes_count"] = self.shape.n_classes
        return params


def _depth(config: Config, n_rows: int) -> int:
    """Symmetric trees of more leaves than a quarter of the rows only cost time."""
    return int(min(config["depth"], max(3, int(np.log2(n_rows + 1)) - 2)))


def _borders(n_rows: int) -> int:
    """Candidate thresholds per column: the time of a small table is that of its borders."""
    return 64 if n_rows < 5000 else 128


def _as_names(codes: Matrix) -> NDArray[Any]:
    """Category codes as the byte strings that CatBoost wants; -1 names a missing one."""
    whole = np.where(np.isnan(codes), -1, codes).astype(np.int64)
    low = int(whole.min(initial=0))
    names = np.array([b"%d" % i for i in range(low, int(whole.max(initial=0)) + 1)], object)
    named: NDArray[Any] = names[whole - low]
    return named


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    found: dict[str, Hyperparameter] = {
        "learning_rate": Float(0.02, 0.3, log=True, default=0.08),
        "depth": Integer(3, 8, default=6),
        "l2": Float(1e-3, 30.0, log=True, default=3.0),
        "random_strength": Float(1e-2, 10.0, log=True, default=1.0),
        "row_share": Float(0.5, 1.0, default=0.9),
    }
    if shape.has_categories:
        found["onehot_up_to"] = Integer(2, 32, log=True, default=8)
    # The leaves of absolute loss become medians after the tree has grown, in any order.
    if not shape.is_classification and not shape.is_monotone:
        found["loss"] = Categorical(["squared", "absolute"])
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """The library's own depth; freer trees for many rows, tighter ones for few."""
    if shape.n_rows >= 2000:
        return [{}, {"depth": 8, "l2": 1.0, "random_strength": 0.8}]
    return [{}, {"depth": 4, "l2": 5.0, "learning_rate": 0.06}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Rounds; row visits (1e9); leaf statistics (1e9)."""
    rate = config["learning_rate"]
    most = most_rounds(rate, shape.n_rows, at_most=_MOST_ROUNDS)
    rounds = min(most, (9.0 + 0.12 * shape.n_rows**0.5) / rate)
    width = shape.width("native")
    depth = _depth(config, shape.n_rows)
    visits = rounds * shape.n_rows * width * depth * shape.n_outputs**0.7
    leaves = rounds * 2**depth * width * _borders(shape.n_rows) * shape.n_outputs
    return rounds * 1e-3, visits * 1e-9, leaves * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """Quantized rows, names of categories, statistics of leaves."""
    width = shape.width("native")
    statistics = 2 ** config["depth"] * width * 128 * 16 * shape.n_outputs
    names = shape.n_rows * width * 24 * shape.has_categories
    gradients = shape.n_rows * shape.n_outputs * 48
    return float(150 + (shape.n_rows * width * 6 + names + statistics + gradients) / 2**20)


def describe(config: Config) -> str:
    """Depth and learning rate."""
    return f"depth {config['depth']}, learning rate {config['learning_rate']:.2g}"


CATBOOST = Family(
    name="catboost",
    title="CatBoost",
    preprocessing="native",
    space=space,
    defaults=defaults,
    build=CatBoostModel,
    terms=terms,
    prices=(0.2, 8.1, 14.0),
    parallel=0.6,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
    max_classes=50,
    package="catboost",
)
