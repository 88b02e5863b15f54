"""Live training: scikit-learn's network over epochs and LightGBM over rounds, on four tables.

Of the tabular benchmark's folder, the tables with classes and 500 to 2,000 rows, none whose note
says that a column leaks the outcome and no twin of another: the four whose names have the smallest
SHA-256. Two thirds of the rows are learned from, the cost is the log loss
on the others, the split's seed is 0. Numbers are standardized with missing ones at 0; categories
are one-hot. What diverges is a failure.

A training goes on where it stopped: the costs of a configuration after each step are kept, with
the model that can go on, until there are very many of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from octavo.problem import Fidelity
from octavo.spaces import Categorical, Float, Integer, Space, space

__all__ = ["MODELS", "TABLES", "Training", "curves"]

Config = Mapping[str, Any]
Split = tuple[Any, Any, Any, Any]
"""Rows and classes to learn from, rows and classes to judge by."""

TABLES = ("cylinder_bands", "student_por", "hill_valley_noise", "analcatdata_halloffame")
_MOST_BEGUN = 500  # models in memory


@cache
def _split(name: str, data: Path) -> Split:
    frame = pd.read_parquet(data / "tabular" / f"{name}.parquet")
    y = pd.factorize(frame.pop("target"), sort=True)[0]
    numbers = frame.select_dtypes("number").astype(float)
    spread = numbers.std().replace(0.0, 1.0)
    frame[numbers.columns] = ((numbers - numbers.mean()) / spread).fillna(0.0)
    X = pd.get_dummies(frame, dtype=float).to_numpy(dtype=float)
    learned, judged = train_test_split(
        np.arange(len(y)), test_size=1 / 3, stratify=y, random_state=0
    )
    return X[learned], y[learned], X[judged], y[judged]


class Training(Protocol):
    """One configuration that is being trained."""

    def step(self) -> float:
        """Train for one step more; the cost then."""
        ...


class _Network:
    """One step is an epoch of Adam."""

    fidelity = Fidelity("epochs", 1, 27)
    space: Space = space(
        units=Integer(4, 128, log=True),
        layers=Integer(1, 3),
        activation=Categorical(["relu", "tanh", "logistic"]),
        learning_rate=Float(1e-5, 1, log=True),
        one_minus_beta1=Float(1e-3, 1, log=True),
        batch=Integer(8, 128, log=True),
        l2=Float(1e-8, 10, log=True),
    )

    def __init__(self, config: Config, split: Split) -> None:
        from sklearn.neural_network import MLPClassifier

        self._split = split
        self._model = MLPClassifier(
            hidden_layer_sizes=(config["units"],) * config["layers"],
            activation=config["activation"],
            learning_rate_init=config["learning_rate"],
            beta_1=1 - config["one_minus_beta1"],
            batch_size=config["batch"],
            alpha=config["l2"],
            random_state=0,
        )

    def step(self) -> float:
        X, y, X_judged, y_judged = self._split
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                self._model.partial_fit(X, y, classes=np.unique(y))
            except ValueError:  # scikit-learn's word for weights that became infinite
                return math.nan
            return _loss(y_judged, self._model.predict_proba(X_judged))


class _Boosting:
    """One step is a round of boosting."""

    fidelity = Fidelity("rounds", 3, 81)
    space: Space = space(
        learning_rate=Float(1e-3, 1, log=True),
        num_leaves=Integer(2, 64, log=True),
        min_child_samples=Integer(1, 100, log=True),
        lambda_l1=Float(1e-8, 100, log=True),
        lambda_l2=Float(1e-8, 100, log=True),
        feature_fraction=Float(0.1, 1),
        bagging_fraction=Float(0.1, 1),
    )

    def __init__(self, config: Config, split: Split) -> None:
        import lightgbm

        X, y, X_judged, self._judged = split
        n = len(np.unique(y))
        settings = {
            **config,
            **({"objective": "binary"} if n == 2 else {"objective": "multiclass", "num_class": n}),
            "bagging_freq": 1,
            "num_threads": 1,
            "seed": 0,
            "verbosity": -1,
            "metric": "None",
        }
        learned = lightgbm.Dataset(X, y, params={"verbosity": -1})
        self._booster = lightgbm.Booster(settings, learned)
        # As a second data set, it is predicted round by round and not anew each time.
        self._booster.add_valid(learned.create_valid(X_judged, self._judged), "judged")

    def step(self) -> float:
        self._booster.update()
        (found,) = self._booster.eval_valid(self._cost)
        return float(found[2])

    def _cost(self, probabilities: Any, judged: Any) -> tuple[str, float, bool]:
        del judged
        if probabilities.ndim == 1:
            probabilities = np.column_stack([1 - probabilities, probabilities])
        return "loss", _loss(self._judged, probabilities), False


MODELS: Mapping[str, Any] = {"mlp": _Network, "lightgbm": _Boosting}
"""By name, what is trained: its space, its fidelity, and from (config, split) to a training."""


def curves(model: str, table: str, data: Path) -> tuple[Callable[[Config, float], float], float]:
    """The cost of a configuration after so many steps, and that of knowing no more than the rates.

    Twice the latter is the worst cost: what is beyond counts as that.
    """
    split = _split(table, data)
    kind = MODELS[model]
    _, rates = np.unique(split[1], return_counts=True)
    blind = _loss(split[3], np.tile(rates / rates.sum(), (len(split[3]), 1)))
    begun: dict[tuple[Any, ...], tuple[Training, list[float]]] = {}

    def cost(config: Config, steps: float) -> float:
        key = tuple(sorted(config.items()))
        if key not in begun:
            if len(begun) >= _MOST_BEGUN:
                begun.clear()
            begun[key] = kind(config, split), []
        training, costs = begun[key]
        while len(costs) < round(steps):
            failed = bool(costs) and math.isnan(costs[-1])
            costs.append(math.nan if failed else min(training.step(), 2 * blind))
        return costs[round(steps) - 1]

    return cost, 2 * blind


def _loss(y: Any, probabilities: Any) -> float:
    """Log loss; NaN where probabilities are not numbers."""
    if not np.isfinite(probabilities).all():
        return math.nan
    return float(log_loss(y, probabilities, labels=np.arange(probabilities.shape[1])))
