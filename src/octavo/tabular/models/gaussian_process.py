"""Gaussian processes, for small tables: smooth functions with a length scale per column.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning; for classes, Laplace's
approximation (ch. 3), one class against the rest. The kernel's settings are learned on at
most a few hundred rows, which costs little accuracy; then all rows are conditioned on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Hyperparameter
from octavo.tabular.models.convergence import stopping_early_is_fine
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time
from octavo.tabular.models.weights import repeated_by_weight

__all__ = ["GAUSSIAN_PROCESS"]

_ROWS_TO_LEARN_ON = 300
_STEPS = 30  # of the optimizer of the kernel's settings
_MOST_SCALES = 16  # columns beyond which all share one length scale


class GaussianProcessModel:
    """A posterior mean, or one probability of "this class" per class."""

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
        """Learn the kernel on some rows, then condition on all."""
        in_time(deadline, "the Gaussian process")
        X64 = X.astype(np.float64)
        with stopping_early_is_fine():
            if not self.shape.is_classification:
                self.kernel_, self.alpha_ = self._regressor(X64, y, sample_weight, deadline)
                self.rows_ = X64
                return
            # Weights enter as repeated rows, but not where the kernel is learned: exact
            # copies would teach it that there is no noise.
            rows = np.arange(len(y))
            if sample_weight is not None:
                rows = repeated_by_weight(sample_weight, self.seed)
                lost = np.setdiff1d(y, y[rows])
                rows = np.concatenate([rows, *[np.flatnonzero(y == k)[:1] for k in lost]])
            wanted = [1] if self.shape.n_classes == 2 else range(self.shape.n_classes)
            self.machines_ = [
                self._classifier(X64, (y == k).astype(np.int64), rows, deadline) for k in wanted
            ]

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        X64 = X.astype(np.float64)
        if not self.shape.is_classification:
            mean: NDArray[Any] = self.kernel_(X64, self.rows_) @ self.alpha_
            return mean
        ones = np.column_stack([m.predict_proba(X64)[:, 1] for m in self.machines_])
        if self.shape.n_classes == 2:
            return np.column_stack([1.0 - ones[:, 0], ones[:, 0]])
        ones = ones + 1e-9
        found: NDArray[Any] = ones / ones.sum(axis=1, keepdims=True)
        return found

    @property
    def size(self) -> int:
        """Values of the stored rows."""
        if self.shape.is_classification:
            return int(sum(m.base_estimator_.X_train_.size for m in self.machines_))
        return int(self.rows_.size)

    def _kernel(self, d: int, *, is_noisy: bool) -> Any:
        from sklearn.gaussian_process import kernels

        scale = np.full(d, math.sqrt(d)) if d <= _MOST_SCALES else math.sqrt(d)
        bounds = (0.05, 1e3)
        if self.config["kernel"] == "matern":
            shape = kernels.Matern(scale, bounds, nu=1.5)
        else:
            shape = kernels.RBF(scale, bounds)
        kernel = kernels.ConstantKernel(1.0, (1e-2, 1e3)) * shape
        if is_noisy:
            return kernel + kernels.WhiteKernel(0.1, (1e-4, 2.0))
        # The log-odds of a rare class are far from the mean of a process, which is 0.
        return kernel + kernels.ConstantKernel(4.0, "fixed")

    def _some(self, y: NDArray[Any]) -> NDArray[np.intp]:
        """Rows to learn the kernel on; both classes among them."""
        rng = np.random.default_rng(self.seed)
        rows = rng.permutation(len(y))[:_ROWS_TO_LEARN_ON]
        if self.shape.is_classification and len(np.unique(y[rows])) < 2:
            rows = np.append(rows, np.flatnonzero(y != y[rows[0]])[0])
        return rows

    def _regressor(
        self, X: Floats, y: NDArray[Any], weight: Floats | None, deadline: float
    ) -> tuple[Any, Floats]:
        from sklearn.gaussian_process import GaussianProcessRegressor

        some = self._some(y)
        kernel = self._kernel(X.shape[1], is_noisy=True)
        learned = GaussianProcessRegressor(kernel, optimizer=_until(deadline))
        kernel = learned.fit(X[some], y[some]).kernel_
        # A row of weight w is worth w measurements: its noise is 1/w of the others'.
        noise = kernel.k2.noise_level / (np.ones(len(y)) if weight is None else weight)
        full = GaussianProcessRegressor(kernel.k1, optimizer=None, alpha=noise).fit(X, y)
        # The factor of the covariance is not kept: it is large, and only bands need it.
        return full.kernel_, full.alpha_

    def _classifier(
        self, X: Floats, y: NDArray[np.int64], rows: NDArray[np.intp], deadline: float
    ) -> Any:
        from sklearn.gaussian_process import GaussianProcessClassifier

        some = self._some(y)
        kernel = self._kernel(X.shape[1], is_noisy=False)
        learned = GaussianProcessClassifier(kernel, optimizer=_until(deadline), max_iter_predict=20)
        kernel = learned.fit(X[some], y[some]).kernel_
        full = GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=50)
        return full.fit(X[rows], y[rows])


def _until(deadline: float) -> Callable[..., tuple[Floats, float]]:
    """An optimizer for scikit-learn that takes few steps and looks at the clock."""
    from scipy.optimize import minimize

    # Half of the time, so that conditioning on all rows has the rest.
    halt = deadline - (deadline - time.monotonic()) / 2 if math.isfinite(deadline) else deadline

    def optimizer(objective: Any, start: Floats, bounds: Floats) -> tuple[Floats, float]:
        best = (start, math.inf)

        def watched(theta: Floats) -> tuple[float, Floats]:
            nonlocal best
            if time.monotonic() > halt and math.isfinite(best[1]):
                return best[1], np.zeros_like(theta)  # flat: the search ends here
            value, gradient = objective(theta)
            if value < best[1]:
                best = (theta.copy(), float(value))
            return value, gradient

        minimize(
            watched,
            start,
            jac=True,
            bounds=bounds,
            method="L-BFGS-B",
            options={"maxiter": _STEPS, "maxfun": 2 * _STEPS},
        )
        return best

    return optimizer


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    return {"kernel": Categorical(["matern", "rbf"])}


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """A rough kernel: few real functions are infinitely smooth."""
    return [{}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Steps of the optimizer (1e9); conditioning (1e9)."""
    d = shape.width("distance")
    n = shape.n_rows
    some = min(n, _ROWS_TO_LEARN_ON)
    scales = d if d <= _MOST_SCALES else 1
    newton = 10 if shape.is_classification else 1
    times = shape.n_outputs
    steps = times * 1.2 * _STEPS * (some**2 * (d + 6 * scales) + newton * some**3 / 3)
    return 1.0, steps * 1e-9, times * newton * (n**3 / 3 + n**2 * d) * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """A few squares of the rows, and derivatives by each length scale."""
    scales = min(shape.width("distance"), _MOST_SCALES)
    some = min(shape.n_rows, _ROWS_TO_LEARN_ON)
    kept = shape.n_outputs if shape.is_classification else 1
    return 30 + (shape.n_rows**2 * 8 * (4 + 2 * kept) + some**2 * scales * 24) / 2**20


def describe(config: Config) -> str:
    """The kernel."""
    return f"{config['kernel']} kernel"


GAUSSIAN_PROCESS = Family(
    name="gaussian_process",
    title="Gaussian process",
    preprocessing="distance",
    space=space,
    defaults=defaults,
    build=GaussianProcessModel,
    terms=terms,
    prices=(0.23, 0.12, 0.091),
    parallel=0.2,
    memory_mb=memory_mb,
    describe=describe,
    max_rows=1000,
    max_features=200,
    max_classes=10,
    is_stoppable=False,
)
