"""Linear models some of whose coefficients have a sign that the user knows.

The path of strengths is that of `octavo.tabular.models.linear`, and so is the penalty:
`strength * n / 2 * |w|^2` beside a sum of n losses. With bounds there is no closed solution, so
each step is a quasi-Newton search within them (Byrd, Lu, Nocedal & Zhu, 1995, A Limited Memory
Algorithm for Bound Constrained Optimization), begun where the last one ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from octavo.tabular.models.family import Floats, Matrix

__all__ = ["best_strength", "bounded_coefficients"]

Rows = NDArray[np.intp]

_ITERATIONS = 300


def bounded_coefficients(
    X: Matrix,
    y: NDArray[Any],
    weight: Floats,
    *,
    directions: Sequence[int],
    strength: float,
    is_classification: bool,
    deadline: float,
    start: Floats | None = None,
) -> Floats:
    """Coefficients of which those with a direction have its sign, or are zero.

    Parameters
    ----------
    X, y : shape (n, d), (n,)
        Of two classes or of numbers.
    weight : shape (n,)
        Of the rows.
    directions
        The sign of each coefficient; 0 for any.
    strength
        Of the penalty.
    is_classification
        Logistic loss, else half of the squared error.
    deadline
        When to stop with what there is.
    start : shape (d + 1,)
        Where to begin.

    Returns
    -------
    shape (d + 1,)
        The intercept last.
    """
    from scipy.optimize import minimize  # where models only predict, it need not be loaded

    table, target, share = X.astype(np.float64), y.astype(np.float64), weight / len(y)

    def loss(at: Floats) -> tuple[float, Floats]:
        raw = table @ at[:-1] + at[-1]
        if is_classification:
            each, slope = np.logaddexp(0.0, raw) - target * raw, expit(raw) - target
        else:
            each, slope = (raw - target) ** 2 / 2, raw - target
        gradient = np.append(table.T @ (share * slope) + strength * at[:-1], share @ slope)
        return float(share @ each + strength / 2 * at[:-1] @ at[:-1]), gradient

    def in_time(at: Floats) -> None:
        if time.monotonic() > deadline:
            raise StopIteration

    bounds = [(0 if sign > 0 else None, 0 if sign < 0 else None) for sign in directions]
    found = minimize(
        loss,
        np.zeros(X.shape[1] + 1) if start is None else start,
        jac=True,
        bounds=[*bounds, (None, None)],
        method="L-BFGS-B",
        callback=in_time,
        options={"maxiter": _ITERATIONS},
    )
    return np.asarray(found.x, dtype=np.float64)


def best_strength(
    X: Matrix,
    y: NDArray[Any],
    weight: Floats,
    *,
    directions: Sequence[int],
    is_classification: bool,
    splits: Sequence[tuple[Rows, Rows]],
    strengths: Sequence[float],
    deadline: float,
) -> float:
    """The strength of the least loss on inner rows, of a path from strong to weak.

    Parameters
    ----------
    X, y, weight, directions, is_classification, deadline
        As in `bounded_coefficients`.
    splits
        Training and validation rows.
    strengths
        The path, the strongest first.
    """
    losses = np.full((len(splits), len(strengths)), np.inf)
    for i, (train, valid) in enumerate(splits):
        at = None
        for j, strength in enumerate(strengths):
            if time.monotonic() > deadline:
                break
            at = bounded_coefficients(
                X[train],
                y[train],
                weight[train],
                directions=directions,
                strength=strength,
                is_classification=is_classification,
                deadline=deadline,
                start=at,
            )
            raw = X[valid] @ at[:-1] + at[-1]
            truth = y[valid]
            each = np.logaddexp(0.0, raw) - truth * raw if is_classification else (raw - truth) ** 2
            losses[i, j] = np.average(each, weights=weight[valid])
            if j >= 2 and losses[i, j] > losses[i, j - 1] > losses[i, j - 2]:
                break
    # Of folds that ended their paths at different places, only common steps compare.
    mean = losses.mean(axis=0) if len(splits) else np.full(len(strengths), np.inf)
    return float(strengths[int(mean.argmin())]) if np.isfinite(mean).any() else 0.1
