"""Calibration error: how far predicted probabilities are from what then happens.

Rows are sorted into bins by a probability, and in each bin the mean probability is compared with
the share of rows that turned out so. Three ways, all between 0 (perfect) and 1:

- `calibration_error`, the expected calibration error (Naeini, Cooper & Hauskrecht 2015, Obtaining
  Well Calibrated Probabilities Using Bayesian Binning, AAAI; Guo et al. 2017): of the likeliest
  class, in 15 bins of equal width over [0, 1], weighted by their rows.
- `adaptive_calibration_error`: the same in 15 bins of equally many rows, so that a crowd of sure
  predictions is looked at more closely (Nixon et al. 2019, Measuring Calibration in Deep
  Learning, CVPR workshops).
- `classwise_calibration_error`: of every class in turn, in 15 bins of equal width, averaged over
  classes (Kull et al. 2019, Beyond Temperature Scaling, NeurIPS 32).

All are biased upwards on few rows: even perfect probabilities have an error of about the square
root of bins divided by rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "N_BINS",
    "adaptive_calibration_error",
    "calibration_error",
    "classwise_calibration_error",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BINS = 15


def calibration_error(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Of the likeliest class, in bins of equal width.

    Parameters
    ----------
    y_true : shape (n,)
        Encoded classes.
    probabilities : shape (n, K)
        Rows are divided by their sums first.
    weight : shape (n,)
        Of the rows.

    Examples
    --------
    >>> sure = np.tile([0.2, 0.8], (10, 1))
    >>> round(calibration_error(np.array([1] * 6 + [0] * 4), sure), 3)
    0.2
    """
    said, right = _likeliest(y_true, probabilities)
    return _gap(said, right, _equal_width(said), _weights(weight, len(said)))


def adaptive_calibration_error(
    y_true: Ints, probabilities: Floats, weight: Floats | None = None
) -> float:
    """Of the likeliest class, in bins of equal weight; equal probabilities share a bin."""
    said, right = _likeliest(y_true, probabilities)
    weights = _weights(weight, len(said))
    _, places = np.unique(said, return_inverse=True)
    mass = np.bincount(places, weights)
    middle = np.cumsum(mass) - mass / 2  # so much of all weight lies below, half its own included
    bins = np.minimum((middle * N_BINS).astype(np.int64), N_BINS - 1)
    return _gap(said, right, bins[places], weights)


def classwise_calibration_error(
    y_true: Ints, probabilities: Floats, weight: Floats | None = None
) -> float:
    """Of every class against the rest, in bins of equal width; the mean over classes."""
    given = probabilities / probabilities.sum(axis=1, keepdims=True)
    weights = _weights(weight, len(given))
    gaps = [
        _gap(given[:, k], (y_true == k).astype(np.float64), _equal_width(given[:, k]), weights)
        for k in range(given.shape[1])
    ]
    return float(np.mean(gaps))


def _likeliest(y_true: Ints, probabilities: Floats) -> tuple[Floats, Floats]:
    best = probabilities.argmax(axis=1)
    said: Floats = probabilities[np.arange(len(best)), best] / probabilities.sum(axis=1)
    return said, (best == y_true).astype(np.float64)


def _weights(weight: Floats | None, n: int) -> Floats:
    return np.full(n, 1.0 / n) if weight is None else weight / weight.sum()


def _equal_width(said: Floats) -> Ints:
    bins: Ints = np.minimum((said * N_BINS).astype(np.int64), N_BINS - 1)
    return bins


def _gap(said: Floats, came: Floats, bins: Ints, weights: Floats) -> float:
    """Sum over bins of their weight times |mean said - share that came|."""
    off = np.bincount(bins, weights * (said - came), N_BINS)
    return float(np.abs(off).sum())
