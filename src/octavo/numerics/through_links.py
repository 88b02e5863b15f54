"""Shapley values of a score, as Shapley-like values of what a function makes of the score.

A model adds up scores, but people read probabilities, or numbers before a logarithm was taken. The
share of each column in the change from f(base) to f(score) is taken along the straight line
between the two scores, as Aumann & Shapley (1974) share costs; so the shares add up as before.
Of a single score it is the rescale rule of DeepLIFT (Shrikumar 2017), by which Chen, Lundberg & Lee
(2022, Explaining a series of models by propagating Shapley values, Nature Communications 13)
send values through chains of models.

Notation: values have shape (n, d, K): rows, columns, outputs; bases (K,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["rescaled", "softmaxed"]

Floats = NDArray[np.float64]

_KNOTS = 24


def rescaled(
    function: Callable[[Floats], Floats], base: Floats, values: Floats
) -> tuple[Floats, Floats]:
    """Through a function of single numbers: each row's values times one factor.

    Examples
    --------
    >>> base, values = rescaled(np.exp, np.zeros(1), np.log([[[2.0], [4.0]]]))
    >>> base, values[0, :, 0].round(3)  # 8 - 1, shared as 1 to 2
    (array([1.]), array([2.333, 4.667]))
    """
    change = values.sum(axis=1)
    start = function(base)
    grown = function(base + change) - start
    # Columns that cancel out: the slope near the base, from differences that can be divided.
    far = np.abs(change) > 1e-9 * (np.abs(values).sum(axis=1) + np.abs(base) + 1e-300)
    step = 1e-6 * (np.abs(base) + np.abs(values).sum(axis=1).mean(axis=0) + 1e-300)
    slope = (function(base + step) - function(base - step)) / (2 * step)
    factor = np.where(far, grown / np.where(far, change, 1.0), slope)
    return start, values * factor[:, np.newaxis]


def softmaxed(
    base: Floats,
    values: Floats,
    *,
    of_probabilities: bool = False,
    temperature: float = 1.0,
    bias: Floats | float = 0.0,
) -> tuple[Floats, Floats]:
    """Through a softmax of scores, or of the logarithms of probabilities.

    Parameters
    ----------
    base : shape (K,)
        Scores, or probabilities.
    values : shape (n, d, K)
        Of these.
    of_probabilities
        Whether their logarithms are meant.
    temperature, bias
        Of the logarithms or scores: they are divided by the one, and get the other, (K,), added.
    """
    floor = 1e-12

    def scores(given: Floats) -> Floats:
        logs = np.log(np.maximum(given, floor)) if of_probabilities else given
        return logs / temperature + bias

    start = _softmax(scores(base[np.newaxis]))[0]
    change = values.sum(axis=1)
    shared = np.zeros_like(values)
    knots, weights = np.polynomial.legendre.leggauss(_KNOTS)
    for knot, weight in zip((knots + 1) / 2, weights / 2, strict=True):
        here = base + knot * change
        chances = _softmax(scores(here))[:, np.newaxis]
        slope = 1.0 / np.maximum(here, floor) if of_probabilities else np.ones_like(here)
        moved = values * slope[:, np.newaxis] / temperature
        mean = (chances * moved).sum(axis=2, keepdims=True)
        shared += weight * chances * (moved - mean)
    # What the quadrature lacks where the softmax is steep, by the sizes of the shares.
    lacking = _softmax(scores(base + change)) - start - shared.sum(axis=1)
    size = np.abs(shared).sum(axis=2, keepdims=True)  # one for all outputs: they still sum to 0
    total = size.sum(axis=1, keepdims=True)
    even = np.full_like(size, 1.0 / max(values.shape[1], 1))
    shared += lacking[:, np.newaxis] * np.divide(size, total, out=even, where=total > 0)
    return start, shared


def _softmax(scores: Floats) -> Floats:
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    share: Floats = grown / grown.sum(axis=-1, keepdims=True)
    return share
