"""Expected improvement and its logarithm: how much do we expect to gain by evaluating here?

Where the improvement is unlikely, expected improvement underflows to zero over most of a
space, and an optimizer sees a flat nothing. Its logarithm, computed without ever forming
the small number, keeps ranking candidates at any distance.

Jones, Schonlau & Welch (1998), Efficient Global Optimization of Expensive Black-Box
Functions, J. Global Optimization 13, 455-492.
Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
Optimization, NeurIPS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, ndtr

__all__ = [
    "LEAST_STD",
    "LOG_SQRT_2PI",
    "MOST_LOG_RATIO",
    "expected_improvement",
    "improvement_gradient",
    "log_expected_improvement",
    "log_hypervolume_improvement",
    "log_improvement_with_gradient",
    "log_probability_below",
    "log_probability_gradient",
]

Floats = NDArray[np.float64]

# At an already evaluated point the deviation may be 0 and the gain is certain. The floor
# keeps z finite there, and is far below any noise because costs are standardized.
LEAST_STD = 1e-12
MOST_LOG_RATIO = 80.0  # reached only where z has so many digits that differences have none
LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_SQRT_HALF_PI = 0.5 * np.log(0.5 * np.pi)
# Beyond this z three terms of the asymptotic series are exact to rounding error. Ament
# changes over at -1/sqrt(eps) to one term; until there, 1 - ratio loses digits.
_FAR = -1e3


def expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """Expected amount by which each candidate beats `best` (we minimize).

    Parameters
    ----------
    mean : shape (n,)
        Posterior mean, in standardized cost.
    std : shape (n,)
        Posterior standard deviation, same unit, >= 0.
    best
        Lowest cost seen so far, same unit.

    Returns
    -------
    shape (n,)
        Expected improvement, same unit, never negative.

    Raises
    ------
    ValueError
        If any `std` is negative.

    Examples
    --------
    >>> expected_improvement(np.array([0.0, 1.0]), np.array([1.0, 0.0]), best=0.0).round(4)
    array([0.3989, 0.    ])
    """
    _check(std)
    gain = best - mean
    z = gain / np.maximum(std, LEAST_STD)
    density = np.exp(-0.5 * np.square(np.clip(z, -40.0, 40.0)) - LOG_SQRT_2PI)
    return np.asarray(np.maximum(gain * ndtr(z) + std * density, 0.0))


def improvement_gradient(mean: Floats, std: Floats, best: float) -> tuple[Floats, Floats]:
    """Derivatives of the expected improvement by mean and deviation; both vanish in the tail.

    Parameters
    ----------
    mean, std : shape (n,)
        Posterior mean and standard deviation (>= 0).
    best
        Same unit.

    Returns
    -------
    by_mean, by_std : shape (n,)

    Examples
    --------
    >>> by_mean, by_std = improvement_gradient(np.array([0.0]), np.ones(1), best=0.0)
    >>> by_mean.round(4), by_std.round(4)
    (array([-0.5]), array([0.3989]))
    """
    _check(std)
    z = (best - mean) / np.maximum(std, LEAST_STD)
    return -ndtr(z), np.exp(-0.5 * np.square(z) - LOG_SQRT_2PI)


def log_expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """Logarithm of the expected improvement, exact in the far tail (we minimize).

    Parameters
    ----------
    mean : shape (n,)
        Posterior mean, in standardized cost.
    std : shape (n,)
        Posterior standard deviation, same unit, >= 0.
    best
        Lowest cost seen so far, same unit.

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
    >>> far = log_expected_improvement(np.array([0.0, 50.0, 1e6]), np.ones(3), best=0.0)
    >>> far.round(2)
    array([-9.20000e-01, -1.25874e+03, -5.00000e+11])
    """
    _check(std)
    std = np.maximum(std, LEAST_STD)
    return np.asarray(_log_h((best - mean) / std) + np.log(std))


def log_improvement_with_gradient(
    mean: Floats, std: Floats, best: float
) -> tuple[Floats, Floats, Floats]:
    """Logarithm of the expected improvement, and its derivatives by mean and deviation.

    Parameters
    ----------
    mean : shape (n,)
        Posterior mean, in standardized cost.
    std : shape (n,)
        Posterior standard deviation, same unit, >= 0.
    best
        Lowest cost seen so far, same unit.

    Returns
    -------
    value, by_mean, by_std : shape (n,)
        Finite wherever the arguments are.

    Examples
    --------
    >>> both = log_improvement_with_gradient(np.array([0.0]), np.ones(1), best=0.0)
    >>> [part.round(4).item() for part in both]
    [-0.9189, -1.2533, 1.0]
    """
    _check(std)
    std = np.maximum(std, LEAST_STD)
    z = (best - mean) / std
    log_h = _log_h(z)
    # EI = std h(z) with h' = Phi, and h - z Phi = phi: both ratios stay exact in the tail.
    by_mean = -np.exp(np.minimum(log_ndtr(z) - log_h, MOST_LOG_RATIO)) / std
    log_ratio = -0.5 * np.square(z) - LOG_SQRT_2PI - log_h
    by_std = np.exp(np.minimum(log_ratio, MOST_LOG_RATIO)) / std
    return log_h + np.log(std), by_mean, by_std


def log_probability_below(mean: Floats, std: Floats, bound: float) -> Floats:
    """Logarithm of the probability that each candidate lies below `bound`.

    Parameters
    ----------
    mean, std : shape (n,)
        Posterior mean and standard deviation (>= 0).
    bound
        Same unit.

    Returns
    -------
    shape (n,)

    Examples
    --------
    >>> log_probability_below(np.array([0.0]), np.array([1.0]), 0.0).round(4)
    array([-0.6931])
    """
    _check(std)
    return np.asarray(log_ndtr((bound - mean) / np.maximum(std, LEAST_STD)))


def log_probability_gradient(mean: Floats, std: Floats, bound: float) -> tuple[Floats, Floats]:
    """Derivatives of `log_probability_below` by mean and deviation.

    Parameters
    ----------
    mean, std : shape (n,)
        Posterior mean and standard deviation (>= 0).
    bound
        Same unit.

    Returns
    -------
    by_mean, by_std : shape (n,)

    Examples
    --------
    >>> by_mean, by_std = log_probability_gradient(np.array([0.0]), np.array([1.0]), 0.0)
    >>> by_mean.round(4), by_std.round(4)
    (array([-0.7979]), array([-0.]))
    """
    _check(std)
    std = np.maximum(std, LEAST_STD)
    z = (bound - mean) / std
    # phi / Phi through logarithms: in the far tail both vanish, their ratio does not.
    hazard = np.exp(-0.5 * np.square(z) - LOG_SQRT_2PI - log_ndtr(z))
    return -hazard / std, -hazard * z / std


def log_hypervolume_improvement(
    mean: Floats, std: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, Floats, Floats]:
    """Logarithm of the expected hypervolume improvement of independent normals, exactly.

    The region that no point of the front dominates is cut into boxes; in each, the expected
    volume is a product over objectives of differences of expected improvements (Yang et al.
    2019, Efficient computation of expected hypervolume improvement using box decomposition
    algorithms, J. Global Optimization 75). All of it on the logarithmic scale, so that it still
    ranks candidates where the volume underflows (Ament 2023, section 3.4).

    Parameters
    ----------
    mean, std : shape (m, n)
        Of m objectives at n candidates; we minimize.
    lower, upper : shape (b, m)
        Disjoint boxes; their lower bounds may be -inf.

    Returns
    -------
    value : shape (n,)
    by_mean, by_std : shape (m, n)
        Its derivatives.

    Examples
    --------
    With one objective it is the logarithm of the expected improvement:

    >>> lower, upper = np.array([[-np.inf]]), np.array([[0.0]])
    >>> log_hypervolume_improvement(np.zeros((1, 1)), np.ones((1, 1)), lower, upper)[0].round(2)
    array([-0.92])
    """
    _check(std)
    std = np.maximum(std, LEAST_STD)
    # Shape (b, m, n): standardized bounds, logarithms of expected improvements below them.
    high = (upper[:, :, None] - mean) / std
    low = (lower[:, :, None] - mean) / std
    is_bounded = np.isfinite(low)
    log_high, log_low = _log_h(high), np.full(low.shape, -np.inf)
    log_low[is_bounded] = _log_h(low[is_bounded])
    # Equal to rounding error means a box that is thin beside the deviation.
    ratio = np.minimum(log_low - log_high, -1e-15)
    log_sides = log_high + _log_one_minus_exp(ratio) + np.log(std)
    log_volumes = log_sides.sum(axis=1)
    top = log_volumes.max(axis=0)
    shares = np.exp(log_volumes - top)
    total = shares.sum(axis=0)
    shares = (shares / total)[:, None, :]
    log_sides = log_sides - np.log(std)
    below_low = np.exp(log_ndtr(low) - log_sides)
    density_low = np.exp(-0.5 * low**2 - LOG_SQRT_2PI - log_sides)
    by_mean = -(np.exp(log_ndtr(high) - log_sides) - below_low) / std
    by_std = (np.exp(-0.5 * high**2 - LOG_SQRT_2PI - log_sides) - density_low) / std
    return (
        np.asarray(top + np.log(total)),
        (shares * by_mean).sum(axis=0),
        (shares * by_std).sum(axis=0),
    )


def _log_h(z: Floats) -> Floats:
    """log(phi(z) + z Phi(z)) in three pieces (Ament 2023, eq. 9 and 14)."""
    z = np.asarray(z, dtype=float)
    out = np.empty_like(z)
    near = z > -1.0
    far = z < _FAR
    between = ~near & ~far
    # A climb asks for a few values at a time, mostly of one kind: empty pieces would cost most.
    if near.any():
        x = z[near]
        density = np.exp(-0.5 * np.square(np.minimum(x, 40.0)) - LOG_SQRT_2PI)
        out[near] = np.log(density + x * ndtr(x))
    if between.any():
        x = z[between]
        # phi(z) + z Phi(z) = phi(z) (1 - |z| Phi(z) / phi(z)), and erfcx is that ratio, scaled.
        ratio = np.log(erfcx(-x / np.sqrt(2)) * -x) + _LOG_SQRT_HALF_PI
        out[between] = -0.5 * np.square(x) - LOG_SQRT_2PI + _log_one_minus_exp(ratio)
    if far.any():
        x = z[far]
        tail = np.log1p(-3.0 / x**2 + 15.0 / x**4)
        out[far] = -0.5 * np.square(x) - LOG_SQRT_2PI - 2.0 * np.log(-x) + tail
    return out


def _log_one_minus_exp(x: Floats) -> Floats:
    """log(1 - exp(x)) for x < 0 without cancellation (Maechler 2012)."""
    small = x > -np.log(2)
    return np.where(
        small,
        np.log(-np.expm1(np.where(small, x, -1.0))),
        np.log1p(-np.exp(np.where(small, -1.0, x))),
    )


def _check(std: Floats) -> None:
    if (std < 0).any():
        raise ValueError(
            f"std must be >= 0, got a minimum of {std.min():.3g}. "
            "Pass standard deviations, not log-variances."
        )
