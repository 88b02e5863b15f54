"""Linear models: logistic, ridge and elastic-net regression.

On a third of small tables one of these beats boosting, and they cost almost nothing. Their
one important setting is the strength of the penalty, so the default does not guess it but
walks a path from strong to weak, each fit starting from the last one: ridge regression by
exact leave-one-out errors (Allen, 1974, PRESS), the others on inner folds.

The strength is comparable between tables: the penalty is `strength * n / 2 * |w|^2` beside
a sum of n losses, over standardized features.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Float, Hyperparameter
from octavo.tabular.models.bounded_linear import best_strength, bounded_coefficients
from octavo.tabular.models.convergence import stopping_early_is_fine
from octavo.tabular.models.early_stopping import inner_split, log_loss
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["LINEAR"]

Rows = NDArray[np.intp]

_STRENGTHS = 10.0 ** np.arange(0.0, -6.1, -0.75)
_CHUNK = 40  # iterations between two looks at the clock
_CHUNKS = 12
_ELASTIC_LIMIT = 1e7  # rows * features * classes above which coordinate steps are too slow


class LogisticModel:
    """Multinomial logistic regression with a searched or cross-validated penalty."""

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
        """Walk the path where the strength is open, then fit all rows."""
        in_time(deadline, "logistic regression")
        if self.shape.is_monotone:
            found = _bounded(self.config, self.shape, X, y, sample_weight, self.seed, deadline)
            self.coef_, self.intercept_ = found[np.newaxis, :-1], found[-1:]
            return
        strength = self.config.get("strength")
        if strength is None:
            strength = self._best_strength(X, y, sample_weight, deadline)
        estimator = self._fitted(self._estimator(), X, y, sample_weight, strength, deadline)
        self.coef_ = estimator.coef_.astype(np.float64)
        self.intercept_ = estimator.intercept_.astype(np.float64)

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities."""
        return _softmax(X @ self.coef_.T + self.intercept_)

    @property
    def size(self) -> int:
        """Coefficients."""
        return int(self.coef_.size + self.intercept_.size)

    def _estimator(self) -> Any:
        from sklearn.linear_model import LogisticRegression

        share = self.config.get("l1_share", 0.0)
        if share > 0:
            return LogisticRegression(
                solver="saga",
                l1_ratio=share,
                max_iter=_CHUNK,
                tol=1e-3,
                warm_start=True,
                random_state=self.seed,
            )
        return LogisticRegression(solver="lbfgs", max_iter=_CHUNK, tol=1e-4, warm_start=True)

    def _fitted(
        self,
        estimator: Any,
        X: Matrix,
        y: NDArray[Any],
        weight: Floats | None,
        strength: float,
        deadline: float,
    ) -> Any:
        """Continue from the estimator's coefficients until it has converged, or the deadline."""
        estimator.C = 1.0 / (strength * len(y))
        for _ in range(_CHUNKS):
            with stopping_early_is_fine():  # each chunk may; the loop asks for more
                estimator.fit(X, y, sample_weight=weight)
            if estimator.n_iter_.max() < _CHUNK or time.monotonic() > deadline:
                break
        return estimator

    def _best_strength(
        self, X: Matrix, y: NDArray[Any], weight: Floats | None, deadline: float
    ) -> float:
        """The strength of the least log loss on inner rows."""
        splits = _inner_splits(y, is_classification=True, seed=self.seed)
        if not splits:
            return 0.1
        losses = np.zeros((len(splits), len(_STRENGTHS)))
        # A third of the time is kept for the fit on all rows.
        halt = deadline - (deadline - time.monotonic()) / 3
        for i, (train, valid) in enumerate(splits):
            if len(np.unique(y[train])) < self.shape.n_classes:
                losses[i] = np.nan
                continue
            estimator = self._estimator()
            for j, strength in enumerate(_STRENGTHS):
                if time.monotonic() > halt or (j >= 3 and losses[i, j - 1] > 1.5 * losses[i].min()):
                    losses[i, j:] = np.inf
                    break
                part = None if weight is None else weight[train]
                self._fitted(estimator, X[train], y[train], part, strength, halt)
                found = _softmax(X[valid] @ estimator.coef_.T + estimator.intercept_)
                losses[i, j] = log_loss(found, y[valid], None if weight is None else weight[valid])
                losses[i, j + 1 :] = np.inf
                if j >= 2 and losses[i, j] > losses[i, j - 1] > losses[i, j - 2]:
                    break
        losses = losses[~np.isnan(losses).any(axis=1)]
        if not len(losses):
            return 0.1
        # Of folds that ended their paths at different places, only common steps compare.
        common = np.isfinite(losses).all(axis=0)
        mean = losses.mean(axis=0)
        return float(_STRENGTHS[int(np.where(common, mean, np.inf).argmin())])


class RidgeModel:
    """Least squares with an L2 or elastic-net penalty."""

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
        """Solve on centred columns; with an open strength, choose it by leave-one-out."""
        in_time(deadline, "ridge regression")
        if self.shape.is_monotone:
            found = _bounded(self.config, self.shape, X, y, sample_weight, self.seed, deadline)
            self.coef_, self.intercept_ = found[:-1], float(found[-1])
            return
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        center = np.average(X, axis=0, weights=weight).astype(np.float64)
        middle = float(np.average(y, weights=weight))
        share = self.config.get("l1_share", 0.0)
        strength = self.config.get("strength")
        if share > 0:
            coef = _elastic_net(X - center, y - middle, weight, strength, share, self.seed)
        else:
            root = np.sqrt(weight)[:, None]
            coef = _ridge((X - center) * root, (y - middle) * root[:, 0], strength)
        self.coef_ = coef
        self.intercept_ = middle - float(center @ coef)

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Numbers."""
        found: NDArray[Any] = X @ self.coef_ + self.intercept_
        return found

    @property
    def size(self) -> int:
        """Coefficients."""
        return int(self.coef_.size + 1)


def _bounded(
    config: Config,
    shape: Shape,
    X: Matrix,
    y: NDArray[Any],
    sample_weight: Floats | None,
    seed: int,
    deadline: float,
) -> Floats:
    """Coefficients and intercept of a model whose signs are given."""
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    is_classification = shape.is_classification
    strength = config.get("strength")
    if strength is None:
        splits = _inner_splits(y, is_classification=is_classification, seed=seed)
        # A third of the time is kept for the fit on all rows.
        halt = deadline - (deadline - time.monotonic()) / 3
        strength = best_strength(
            X,
            y,
            weight,
            directions=shape.directions,
            is_classification=is_classification,
            splits=splits,
            strengths=_STRENGTHS.tolist(),
            deadline=halt,
        )
    return bounded_coefficients(
        X,
        y,
        weight,
        directions=shape.directions,
        strength=strength,
        is_classification=is_classification,
        deadline=deadline,
    )


def _ridge(X: Floats, y: Floats, strength: float | None) -> Floats:
    """Ridge coefficients; where the strength is None, that of the least leave-one-out error.

    With the eigenvectors of X'X (or, if there are fewer rows than columns, of XX') every
    further strength costs a matrix-vector product.
    """
    n, d = X.shape
    if d <= n:
        values, vectors = np.linalg.eigh(X.T @ X)
        values = np.maximum(values, 0.0)
        scores, target = X @ vectors, vectors.T @ (X.T @ y)

        def solve(penalty: float) -> Floats:
            return np.asarray(vectors @ (target / (values + penalty)))

        def errors(penalty: float) -> Floats:
            shrunk = 1.0 / (values + penalty)
            leverage = (scores**2) @ shrunk + 1.0 / n  # 1/n: the intercept's
            residual = y - scores @ (target * shrunk)
            return np.asarray(residual / np.maximum(1.0 - leverage, 1e-3))
    else:
        values, vectors = np.linalg.eigh(X @ X.T)
        values = np.maximum(values, 0.0)
        turned = vectors.T @ y

        def solve(penalty: float) -> Floats:
            return np.asarray(X.T @ (vectors @ (turned / (values + penalty))))

        def errors(penalty: float) -> Floats:
            # Residual and 1 - leverage are both `penalty` times these, so it cancels.
            inverse = 1.0 / (values + penalty)
            diagonal = (vectors**2) @ inverse - 1.0 / (n * penalty)
            return np.asarray((vectors @ (turned * inverse)) / np.maximum(diagonal, 1e-12))

    if strength is None:
        path = [float(s) * n for s in 10.0 ** np.arange(2.0, -6.1, -0.5)]
        found = [float(np.mean(errors(penalty) ** 2)) for penalty in path]
        return solve(path[int(np.argmin(found))])
    return solve(strength * n)


def _elastic_net(
    X: Floats, y: Floats, weight: Floats, strength: float | None, share: float, seed: int
) -> Floats:
    """Elastic-net coefficients, by inner folds over a path where the strength is open."""
    from sklearn.linear_model import ElasticNet, ElasticNetCV

    with stopping_early_is_fine():  # nearly unpenalized steps of a path
        if strength is None and len(y) >= 20:
            model = ElasticNetCV(
                l1_ratio=share, alphas=25, eps=1e-4, cv=3, tol=1e-3, fit_intercept=False
            )
        else:
            alpha = 0.01 if strength is None else strength
            model = ElasticNet(
                alpha=alpha, l1_ratio=share, tol=1e-4, max_iter=2000, fit_intercept=False
            )
        model.fit(X, y, sample_weight=weight)
    return np.asarray(model.coef_, dtype=np.float64)


def _inner_splits(
    y: NDArray[Any], *, is_classification: bool, seed: int
) -> list[tuple[Rows, Rows]]:
    """One split for many rows, several for few, none for too few."""
    n_splits = 1 if len(y) > 5000 else 2 if len(y) > 1500 else 4
    found = [
        inner_split(y, is_classification=is_classification, seed=seed + i) for i in range(n_splits)
    ]
    return [split for split in found if split is not None]


def _softmax(raw: NDArray[Any]) -> Floats:
    """Probabilities of log-odds, shape (n, 1), or of one number per class, shape (n, K)."""
    if raw.shape[1] == 1:
        raw = np.column_stack([np.zeros(len(raw)), raw[:, 0]])
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)


def build(config: Config, shape: Shape, *, seed: int, n_threads: int) -> LogisticModel | RidgeModel:
    """Logistic regression for classes, ridge or elastic net for numbers."""
    kind = LogisticModel if shape.is_classification else RidgeModel
    return kind(config, shape, seed=seed, n_threads=n_threads)


def _work(shape: Shape) -> float:
    return float(shape.n_rows) * shape.width("linear") * shape.n_outputs


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    found: dict[str, Hyperparameter] = {
        "penalty": Categorical(["path", "fixed"]),
        "strength": Float(1e-7, 10.0, log=True, default=1e-3).when(penalty="fixed"),
    }
    is_fast = _work(shape) <= _ELASTIC_LIMIT or not shape.is_classification
    if is_fast and not shape.is_monotone:
        found["norm"] = Categorical(["l2", "elastic"])
        found["l1_share"] = Float(0.05, 1.0, default=0.5).when(norm="elastic")
    return found


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """The path; where it is cheap also the sparse one."""
    first: list[dict[str, Any]] = [{}]
    if _work(shape) <= _ELASTIC_LIMIT / 10:
        first.append({"norm": "elastic", "l1_share": 0.9})
    return first


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """A start; gradient work; eigenvectors; coordinate steps (all 1e9)."""
    d = shape.width("linear")
    work = _work(shape)
    elastic = "l1_share" in config
    if not shape.is_classification and not shape.is_monotone:
        side = min(d, shape.n_rows)
        if elastic:
            return 1.0, 0.0, 0.0, work * (25 if config["penalty"] == "path" else 2) * 1e-9
        return 1.0, 0.0, (shape.n_rows * d * side * 3 + 10 * side**3) * 1e-9, 0.0
    n = shape.n_rows
    splits = 1 if n > 5000 else 2 if n > 1500 else 4
    fits = 1 + 5 * splits if config["penalty"] == "path" else 1
    iterations = 40 + 10 * math.log1p(d)
    if elastic:
        return float(fits), 0.0, 0.0, work * fits * 60 * 1e-9
    return float(fits), work * fits * iterations * 2e-9, 0.0, 0.0


def memory_mb(config: Config, shape: Shape) -> float:
    """Copies in double precision, and a square of the smaller side."""
    d = shape.width("linear")
    return 20 + (shape.n_rows * d * 20 + min(d, shape.n_rows) ** 2 * 24) / 2**20


def describe(config: Config) -> str:
    """Norm and strength."""
    norm = f"elastic net ({config['l1_share']:.2g} L1)" if "l1_share" in config else "L2"
    if "strength" in config:
        return f"{norm}, strength {config['strength']:.1e}"
    return f"{norm}, strength chosen inside"


LINEAR = Family(
    name="linear",
    title="Linear model",
    preprocessing="linear",
    space=space,
    defaults=defaults,
    build=build,
    terms=terms,
    prices=(0.007, 0.12, 0.017, 6.2),
    parallel=0.3,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
    max_features=20_000,
)
