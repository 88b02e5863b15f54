"""Correlation by ranks, and what it is evidence of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

__all__ = ["chance_of_higher_ranks", "rank_correlation", "ranks"]

Floats = NDArray[np.float64]


def ranks(values: ArrayLike) -> Floats:
    """From 1 for the lowest; equal values share the mean of their ranks.

    Parameters
    ----------
    values : shape (n,)

    Returns
    -------
    shape (n,)

    Examples
    --------
    >>> ranks([0.1, 7.0, 7.0, -3.0])
    array([2. , 3.5, 3.5, 1. ])
    """
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place.ravel()])


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's coefficient; 0 where one of the two is constant, or empty.

    Spearman (1904), The Proof and Measurement of Association between Two Things, American
    Journal of Psychology 15.

    Parameters
    ----------
    a, b : shape (n,)

    Examples
    --------
    >>> round(rank_correlation([1, 2, 3], [1, 10, 100]), 6)
    1.0
    """
    x, y = ranks(a), ranks(b)
    x, y = x - x.sum() / max(1, len(x)), y - y.sum() / max(1, len(y))
    size = float(np.sqrt(float(x @ x) * float(y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def chance_of_higher_ranks(a: ArrayLike, b: ArrayLike) -> float:
    """How often a rank correlation at least as high arises by chance, if there is none.

    By the normal approximation: without association the coefficient has mean 0 and
    variance 1 / (n - 1).

    Parameters
    ----------
    a, b : shape (n,)

    Examples
    --------
    >>> round(chance_of_higher_ranks(range(20), range(20)), 6)
    7e-06
    >>> chance_of_higher_ranks([1, 2], [3, 3])
    0.5
    """
    return float(ndtr(-rank_correlation(a, b) * np.sqrt(max(0, len(np.asarray(a)) - 1))))
