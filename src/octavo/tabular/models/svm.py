"""Support vector machines with a Gaussian or polynomial kernel, for small tables.

Cortes & Vapnik (1995), Support-Vector Networks, Machine Learning 20. Probabilities by
Platt's scaling (1999), in its multinomial form: a small logistic regression over the
decision values of rows that the machine was not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Float, Hyperparameter
from octavo.tabular.models.convergence import stopping_early_is_fine
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["SVM"]

_FOLDS = 3


class SVMModel:
    """A kernel machine whose decision values are turned into probabilities."""

    def __init__(self, config: Config, shape: Shape, *, seed: int, n_threads: int) -> None:
        self.config = dict(config)
        self.shape = shape
        self.seed = seed

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Fit inner folds for the probabilities, then all rows."""
        from sklearn.linear_model import LogisticRegression

        in_time(deadline, "the support vector machine")
        # In float64: libsvm works in it, and a copy per call would cost more.
        wide: Floats = np.ascontiguousarray(X, dtype=np.float64)
        if not self.shape.is_classification:
            self.machine_ = self._fitted(wide, y, sample_weight)
            return
        # Folds within classes: a class of three rows has one in each.
        shuffled = np.random.default_rng(self.seed).permutation(len(y))
        fold = np.empty(len(y), dtype=np.int64)
        fold[shuffled[np.argsort(y[shuffled], kind="stable")]] = np.arange(len(y)) % _FOLDS
        outside = np.zeros((len(y), self.shape.n_classes))
        for k in range(_FOLDS):
            in_time(deadline, "the rest of the support vector machine")
            train, valid = fold != k, fold == k
            if len(np.unique(y[train])) > 1:
                part = None if sample_weight is None else sample_weight[train]
                machine = self._fitted(wide[train], y[train], part)
                outside[valid] = _decisions(machine, wide[valid], self.shape.n_classes)
        in_time(deadline, "the rest of the support vector machine")
        self.machine_ = self._fitted(wide, y, sample_weight)
        self.scaling_ = LogisticRegression(C=10.0, max_iter=500)
        with stopping_early_is_fine():
            self.scaling_.fit(outside, y, sample_weight=sample_weight)

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        wide = np.ascontiguousarray(X, dtype=np.float64)
        if not self.shape.is_classification:
            numbers: NDArray[Any] = self.machine_.predict(wide)
            return numbers
        decisions = _decisions(self.machine_, wide, self.shape.n_classes)
        found: NDArray[Any] = self.scaling_.predict_proba(decisions)
        return found

    @property
    def size(self) -> int:
        """Values of the support vectors."""
        return int(self.machine_.support_vectors_.size)

    def _fitted(self, X: Floats, y: NDArray[Any], weight: Floats | None) -> Any:
        from sklearn.svm import SVC, SVR

        config = self.config
        settings: dict[str, Any] = {
            "C": config["C"],
            "kernel": config["kernel"],
            # As a multiple of 1 / (features * variance), so that it fits any table.
            "gamma": config["gamma"] / max(X.shape[1] * float(X.var()), 1e-12),
            "cache_size": 200,
            # A bound for settings under which libsvm would creep for hours.
            "max_iter": 20 * len(X) + 20_000,
        }
        if config["kernel"] == "poly":
            settings |= {"degree": 2, "coef0": 1.0}
        machine = (
            SVC(**settings)
            if self.shape.is_classification
            else SVR(epsilon=config["epsilon"], **settings)
        )
        with stopping_early_is_fine():
            return machine.fit(X, y, sample_weight=weight)


def _decisions(machine: Any, X: Floats, n_classes: int) -> Floats:
    """Shape (n, K): decision values of all classes; 0 of those that a fold did not know."""
    found = machine.decision_function(X)
    decisions = np.zeros((len(X), n_classes))
    if found.ndim == 1:
        decisions[:, machine.classes_[1]] = found
        decisions[:, machine.classes_[0]] = -found
    else:
        decisions[:, machine.classes_] = found
    return decisions


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    # Numbers are noisier than classes: a smoother fit to begin with.
    usual = (2.0, 1.0) if shape.is_classification else (1.0, 0.3)
    found: dict[str, Hyperparameter] = {
        "C": Float(1e-2, 1e3, log=True, default=usual[0]),
        "kernel": Categorical(["rbf", "poly"]),
        "gamma": Float(1e-2, 30.0, log=True, default=usual[1]),
    }
    if not shape.is_classification:
        found["epsilon"] = Float(1e-3, 0.5, log=True, default=0.05)
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """A Gaussian kernel as wide as the data; a harder and wider one."""
    return [{}, {"C": 30.0 if shape.is_classification else 10.0, "gamma": 0.2}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """A start; kernel values (1e9), more of them the harder the margin."""
    n = shape.n_rows
    fits = 1 + _FOLDS * (2 / 3) ** 2 if shape.is_classification else 1.0
    kernels = n**2 * (10 + shape.width("distance")) * 1e-9
    # One against one: a class against each other, of n / K rows each.
    pairs = 2.0 * (shape.n_classes - 1) / shape.n_classes if shape.n_classes > 2 else 1.0
    return 1.0, fits * pairs * kernels * (1.0 + config["C"]) ** 0.3


def memory_mb(config: Config, shape: Shape) -> float:
    """Libsvm's cache and copies of the rows."""
    return 220 + shape.n_rows * shape.width("distance") * 24 / 2**20


def describe(config: Config) -> str:
    """Kernel, C, width."""
    return f"{config['kernel']} kernel, C {config['C']:.2g}, gamma {config['gamma']:.2g}"


SVM = Family(
    name="svm",
    title="Support vector machine",
    preprocessing="distance",
    space=space,
    defaults=defaults,
    build=SVMModel,
    terms=terms,
    prices=(0.02, 0.45),
    parallel=0.0,
    memory_mb=memory_mb,
    describe=describe,
    max_rows=12_000,
    max_features=3000,
    max_classes=50,
    is_stoppable=False,
)
