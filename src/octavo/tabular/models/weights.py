"""Weights of rows: for rare classes, and for learners that know no weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["balanced_weights", "repeated_by_weight"]

Floats = NDArray[np.float64]


def balanced_weights(y: NDArray[np.int64], sample_weight: Floats | None) -> Floats:
    """Weights of mean 1 under which all classes weigh the same.

    Parameters
    ----------
    y : shape (n,)
        Class numbers 0..K-1.
    sample_weight : shape (n,)
        What rows weigh within their class; None for alike.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1]), None).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    per_class = np.bincount(y, weights)
    balanced: Floats = weights / per_class[y]
    return np.asarray(balanced * (len(y) / balanced.sum()))


def repeated_by_weight(sample_weight: Floats, seed: int) -> NDArray[np.intp]:
    """Which rows to train on, repeated, instead of weighting them.

    Systematic resampling: a row of weight w (mean 1) occurs floor(w) or ceil(w) times, w
    times on average, which has the lowest variance of the unbiased schemes.

    Examples
    --------
    >>> repeated_by_weight(np.array([1.0, 3.0, 0.0, 0.0]), seed=0)
    array([0, 1, 1, 1])
    """
    n = len(sample_weight)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(n)  # else weights with a period could be in step with the ticks
    edges = np.cumsum(sample_weight[shuffled]) * (n / sample_weight.sum())
    ticks = np.arange(n) + rng.random()
    at = np.minimum(np.searchsorted(edges, ticks, side="right"), n - 1)
    return np.asarray(np.sort(shuffled[at]))
