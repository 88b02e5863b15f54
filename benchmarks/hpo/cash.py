"""Live combined algorithm selection and hyperparameter optimization on four small tables.

Which of five families of scikit-learn, with which hyperparameters, after which scaling: a
conditional space in which every evaluation is a real cross-validation. Models are small, so
that one takes tens of milliseconds. What was evaluated is kept in a file per table, so that
the same configuration is never fitted twice.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from task import Config, Task

from octavo.spaces import Categorical, Float, Integer, Space, space

__all__ = ["TABLES", "Remembered", "cash_space", "evaluate", "task"]

N_FOLDS = 3
WORST = 1e3
"""The cost of a fit that failed or diverged: worse than any that is of use, yet finite."""


def cash_space() -> Space:
    """Five families and their own hyperparameters; the kernel's degree is nested."""
    kernel = Categorical(["rbf", "laplacian", "poly"]).when(family="kernel")
    return space(
        scaling=Categorical(["none", "standard", "uniform"]),
        family=Categorical(["linear", "kernel", "neighbours", "forest", "boosting"]),
        linear_penalty=Float(1e-5, 1e3, log=True).when(family="linear"),
        kernel_penalty=Float(1e-6, 1e2, log=True).when(family="kernel"),
        kernel=kernel,
        gamma=Float(1e-5, 10.0, log=True).when(kernel=["rbf", "laplacian"]),
        degree=Integer(2, 4).when(kernel="poly"),
        offset=Float(0.0, 5.0).when(kernel="poly"),
        components=Integer(10, 150, log=True).when(family="kernel"),
        n_neighbors=Integer(1, 60, log=True).when(family="neighbours"),
        weights=Categorical(["uniform", "distance"]).when(family="neighbours"),
        metric=Categorical(["euclidean", "manhattan", "chebyshev"]).when(family="neighbours"),
        forest=Categorical(["random", "extra"]).when(family="forest"),
        forest_features=Float(0.05, 1.0).when(family="forest"),
        forest_leaf=Integer(1, 30, log=True).when(family="forest"),
        bootstrap=Categorical(["no", "yes"]).when(family="forest"),
        rounds=Integer(5, 80, log=True).when(family="boosting"),
        rate=Float(1e-2, 1.0, log=True).when(family="boosting"),
        depth=Integer(1, 6).when(family="boosting"),
        subsample=Float(0.3, 1.0).when(family="boosting"),
        boosting_features=Float(0.05, 1.0).when(family="boosting"),
    )


def _breast_cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return data.data, data.target


def _diabetes() -> tuple[Any, Any]:
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    return data.data, data.target


def _digits() -> tuple[Any, Any]:
    """Only 3, 5 and 8, which are easily mistaken for one another."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rows = np.isin(y, [3, 5, 8])
    return X[rows], y[rows]


def _wine() -> tuple[Any, Any]:
    from sklearn.datasets import load_wine

    data = load_wine()
    return data.data, data.target


TABLES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "breast_cancer": _breast_cancer,
    "diabetes": _diabetes,
    "digits": _digits,
    "wine": _wine,
}
"""Rows and targets; all come with scikit-learn. `diabetes` is regression."""


def task(name: str, cache: Path) -> Task:
    """The task "cash/name"; evaluations are kept in `cache`."""
    remembered = Remembered(cache / f"cash_{name}.jsonl", lambda config: evaluate(name, config))
    return Task(
        f"cash/{name}",
        "conditional",
        cash_space(),
        lambda config, seed: {"cost": remembered(config)},
    )


def evaluate(name: str, config: Config) -> float:
    """Cross-validated log loss, or root mean squared error for regression."""
    from sklearn.metrics import log_loss, root_mean_squared_error

    X, y, folds = _prepared(name)
    is_regression = name == "diabetes"
    losses = []
    for train, test in folds:
        pipeline = _pipeline(config, is_regression, len(train))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a fit that does not converge is a bad fit
                pipeline.fit(X[train], y[train])
                if is_regression:
                    loss = root_mean_squared_error(y[test], pipeline.predict(X[test]))
                else:
                    loss = log_loss(y[test], pipeline.predict_proba(X[test]))
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            return WORST  # overflow in a kernel; any other mistake must be seen
        losses.append(loss)
    found = float(np.mean(losses))
    return min(found, WORST) if np.isfinite(found) else WORST


@cache
def _prepared(name: str) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    from sklearn.model_selection import KFold, StratifiedKFold

    X, y = TABLES[name]()
    kind = KFold if name == "diabetes" else StratifiedKFold
    return X, y, list(kind(N_FOLDS, shuffle=True, random_state=0).split(X, y))


def _pipeline(config: Config, is_regression: bool, n_rows: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    scaling = {
        "none": lambda: "passthrough",
        "standard": StandardScaler,
        "uniform": lambda: QuantileTransformer(n_quantiles=min(100, n_rows)),
    }[config["scaling"]]()
    steps = _FAMILIES[config["family"]](config, is_regression, n_rows)
    return make_pipeline(scaling, *steps)


def _linear(config: Config, is_regression: bool, n_rows: int) -> list[Any]:
    from sklearn.linear_model import LogisticRegression, Ridge

    penalty = config["linear_penalty"]
    if is_regression:
        return [Ridge(alpha=penalty)]
    return [LogisticRegression(C=1 / penalty, max_iter=200)]


def _kernel(config: Config, is_regression: bool, n_rows: int) -> list[Any]:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression, Ridge

    settings: dict[str, Any] = {"kernel": config["kernel"]}
    if config["kernel"] == "poly":
        settings |= {"degree": config["degree"], "coef0": config["offset"]}
    else:
        settings["gamma"] = config["gamma"]
    features = Nystroem(n_components=min(config["components"], n_rows), random_state=0, **settings)
    penalty = config["kernel_penalty"]
    if is_regression:
        return [features, Ridge(alpha=penalty)]
    return [features, LogisticRegression(C=1 / penalty, max_iter=100)]


def _neighbours(config: Config, is_regression: bool, n_rows: int) -> list[Any]:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kind = KNeighborsRegressor if is_regression else KNeighborsClassifier
    return [kind(config["n_neighbors"], weights=config["weights"], metric=config["metric"])]


def _forest(config: Config, is_regression: bool, n_rows: int) -> list[Any]:
    from sklearn import ensemble

    kinds = {
        ("random", True): ensemble.RandomForestRegressor,
        ("random", False): ensemble.RandomForestClassifier,
        ("extra", True): ensemble.ExtraTreesRegressor,
        ("extra", False): ensemble.ExtraTreesClassifier,
    }
    return [
        kinds[config["forest"], is_regression](
            n_estimators=25,
            max_features=config["forest_features"],
            min_samples_leaf=config["forest_leaf"],
            bootstrap=config["bootstrap"] == "yes",
            random_state=0,
        )
    ]


def _boosting(config: Config, is_regression: bool, n_rows: int) -> list[Any]:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingRegressor if is_regression else GradientBoostingClassifier
    return [
        kind(
            n_estimators=config["rounds"],
            learning_rate=config["rate"],
            max_depth=config["depth"],
            subsample=config["subsample"],
            max_features=config["boosting_features"],
            random_state=0,
        )
    ]


_FAMILIES: dict[str, Callable[[Config, bool, int], list[Any]]] = {
    "linear": _linear,
    "kernel": _kernel,
    "neighbours": _neighbours,
    "forest": _forest,
    "boosting": _boosting,
}


class Remembered:
    """A deterministic function whose values are kept in a file.

    Parameters
    ----------
    path
        One JSON list for each line: the configuration and its value. Several processes may
        share it; a line that was cut when its writer was killed counts for nothing.
    function
        From a configuration to a number.
    """

    def __init__(self, path: Path, function: Callable[[Config], float]) -> None:
        self.path = path
        self.function = function
        self.known: dict[str, float] = {}
        if not path.exists():
            return
        for line in path.read_text().splitlines():
            try:
                config, value = json.loads(line)
            except ValueError:
                continue  # cut
            self.known[_key(config)] = float(value)

    def __call__(self, config: Config) -> float:
        """Its value, computed only if no file has it."""
        key = _key(config)
        if key not in self.known:
            value = self.known[key] = self.function(config)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write at the end of the file; it begins a new line, in case the last was cut.
            line = f"\n{json.dumps([dict(config), value])}".encode()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        return self.known[key]


def _key(config: Config) -> str:
    return json.dumps(dict(config), sort_keys=True)
