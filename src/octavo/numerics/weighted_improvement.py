"""Weighted expected improvement: its two summands, promise and uncertainty, weighed freely.

    WEI = weight * s z Phi(z) + (1 - weight) * s phi(z)   with   z = (best - mean) / s

The first summand exploits what the model promises, the second explores what it does not know.
A weight of 1/2 gives half of the expected improvement.

Sobester, Leary & Keane (2005), On the Design of Optimization Strategies Based on Global Response
Surface Approximation Models, J. Global Optimization 33, 31-59.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from octavo.numerics.acquisition import (
    LEAST_STD,
    LOG_SQRT_2PI,
    MOST_LOG_RATIO,
    log_expected_improvement,
    log_improvement_with_gradient,
)

__all__ = ["log_weighted_improvement", "log_weighted_improvement_gradient", "summands"]

Floats = NDArray[np.float64]

_LEAST_SHARE = 1e-6


def log_weighted_improvement(mean: Floats, std: Floats, best: float, weight: float) -> Floats:
    """Logarithm of the weighted expected improvement, exact in the far tail (we minimize).

    With a weight above 1/2 the first summand makes it negative where the mean lies well above
    `best`, and there it would rise again the more hopeless a candidate is. No logarithm can
    say that, and no search wants it: it is taken to be at least a millionth of the expected
    improvement, which keeps all candidates in order.

    Parameters
    ----------
    mean : shape (n,)
        Posterior mean, in standardized cost.
    std : shape (n,)
        Posterior standard deviation, same unit, >= 0.
    best
        Lowest cost seen so far, same unit.
    weight
        Of exploitation, in [0, 1].

    Returns
    -------
    shape (n,)
        Finite wherever the arguments are.

    Raises
    ------
    ValueError
        If any `std` is negative.

    Examples
    --------
    >>> mean, std = np.array([0.0, 50.0]), np.ones(2)
    >>> log_weighted_improvement(mean, std, best=0.0, weight=0.5).round(2)
    array([   -1.61, -1259.44])
    """
    parts = _Parts(mean, std, best, weight)
    return np.asarray(parts.log_f + np.log(parts.std))


def log_weighted_improvement_gradient(
    mean: Floats, std: Floats, best: float, weight: float
) -> tuple[Floats, Floats]:
    """Derivatives of `log_weighted_improvement` by mean and deviation.

    Parameters
    ----------
    mean, std : shape (n,)
        Posterior mean and standard deviation (>= 0).
    best
        Same unit.
    weight
        Of exploitation, in [0, 1].

    Returns
    -------
    by_mean, by_std : shape (n,)
        Finite wherever the arguments are.

    Examples
    --------
    >>> by_mean, by_std = log_weighted_improvement_gradient(np.zeros(1), np.ones(1), 0.0, 0.5)
    >>> by_mean.round(4), by_std.round(4)
    (array([-1.2533]), array([1.]))
    """
    its = _Parts(mean, std, best, weight)
    # WEI = s f(z), f = weight h + other phi with h = phi + z Phi, so f' = weight Phi - other z phi
    # and f - z f' = phi (weight + other (1 + z^2)).
    other = 1.0 - 2.0 * weight
    density = np.exp(np.minimum(its.log_density - its.log_f, MOST_LOG_RATIO))
    with np.errstate(divide="ignore"):  # a weight of 0 takes its summand out
        log_ratio = np.log(weight) + log_ndtr(its.z) - its.log_f
    weighted = np.exp(np.minimum(log_ratio, MOST_LOG_RATIO))
    by_mean = -(weighted - other * its.z * density) / its.std
    by_std = density * (weight + other * (1.0 + np.square(its.z))) / its.std
    _, *plain = log_improvement_with_gradient(mean, std, best)
    return np.where(its.is_least, plain[0], by_mean), np.where(its.is_least, plain[1], by_std)


def summands(mean: float, std: float, best: float) -> tuple[float, float]:
    """Both summands for one candidate, without weights: s z Phi(z), and s phi(z).

    The first is the larger one where an improvement is more probable than 0.69, whatever s.

    Examples
    --------
    >>> exploits, explores = summands(-0.5, 0.5, best=0.0)
    >>> round(exploits, 4), round(explores, 4)
    (0.4207, 0.121)
    """
    std = max(std, LEAST_STD)
    z = (best - mean) / std
    return float((best - mean) * ndtr(z)), float(std * np.exp(-0.5 * z * z - LOG_SQRT_2PI))


class _Parts:
    """z, log phi(z) and log f(z), where WEI = s f(z); and where the least f stands for it."""

    def __init__(self, mean: Floats, std: Floats, best: float, weight: float) -> None:
        self.std = np.maximum(std, LEAST_STD)
        self.z = (best - mean) / self.std
        self.log_density = -0.5 * np.square(self.z) - LOG_SQRT_2PI
        log_h = log_expected_improvement(mean, std, best) - np.log(self.std)
        if weight <= 0.5:
            with np.errstate(divide="ignore"):
                logs = np.log(weight) + log_h, np.log1p(-2.0 * weight) + self.log_density
            self.log_f = np.logaddexp(*logs)
            self.is_least = np.zeros(self.z.shape, dtype=bool)
        else:
            share = weight - (2.0 * weight - 1.0) * np.exp(self.log_density - log_h)
            self.log_f = log_h + np.log(np.maximum(share, _LEAST_SHARE))
            self.is_least = share <= _LEAST_SHARE
