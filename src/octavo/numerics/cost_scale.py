"""Costs on a scale on which a model of them can be fitted, whatever their size.

Errors, losses and run times differ in orders of magnitude and have a long tail of bad
configurations that must not drown the differences among the good ones; costs may also be
negative, constant or 1e300. Only what is monotone preserves which configuration is best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["linear_map", "log_scaled", "signed_log_scaled", "winsorized"]

Floats = NDArray[np.float64]


def log_scaled(costs: Floats) -> Floats:
    """The logarithm of the distance to a floor just below the best cost, standardized.

    The floor lies below the lowest cost by the distance within which the best twentieth of
    the costs lie, and at least a twentieth of the median distance. So negative costs are
    fine, and the scale follows the good half of the history.

    Parameters
    ----------
    costs : shape (n,)
        Finite.

    Returns
    -------
    shape (n,)
        In the order of the costs; all zeros if they are constant.

    Examples
    --------
    >>> log_scaled(np.array([1.0, 2.0, 11.0, 101.0])).round(1)
    array([-1.2, -0.6,  0.4,  1.4])
    """
    unit = _unit(costs)
    if not unit.any():
        return unit
    # The median's share bounds the zoom: without it, a search that keeps returning to a local
    # optimum sees ever finer differences there magnified, and never leaves it.
    margin = max(float(np.quantile(unit, 0.05)), 0.05 * float(np.median(unit)), 1e-12)
    return _standardized(np.log(unit + margin))


def signed_log_scaled(excess: Floats) -> Floats:
    """Distances from a bound, with their sign, on a logarithmic scale; the bound stays at 0.

    Parameters
    ----------
    excess : shape (n,)
        Finite; positive on the wrong side of the bound.

    Returns
    -------
    shape (n,)
        In the order of `excess` and of the same signs; the root of the mean square is 1.

    Examples
    --------
    >>> signed_log_scaled(np.array([-1.0, 0.0, 1000.0])).round(2)
    array([-0.01,  0.  ,  1.73])
    """
    size = np.abs(excess)
    top = float(size.max(initial=0.0))
    if not top > 0:
        return np.zeros(len(excess))
    unit = size / top
    # A search for a border piles up trials there; the floor keeps the rest from being flattened.
    scaled = np.sign(excess) * np.log1p(unit / max(float(np.median(unit)), 0.05))
    return np.asarray(scaled / np.sqrt(np.mean(np.square(scaled))))


def winsorized(costs: Floats, reach: float = 3.0) -> Floats:
    """Standardized, with costs far above the median cut off.

    Parameters
    ----------
    costs : shape (n,)
        Finite.
    reach
        Costs may lie above the median by this many times its distance to the lowest.

    Returns
    -------
    shape (n,)
        In the order of the costs, ties at the top; all zeros if they are constant.
    """
    unit = _unit(costs)
    middle = float(np.median(unit))
    if middle > 0:
        unit = np.minimum(unit, (1.0 + reach) * middle)
    return _standardized(unit)


def linear_map(costs: Floats, y: Floats) -> tuple[float, float]:
    """The way back from `winsorized`: cost = zero + unit * y, where nothing was cut off.

    Parameters
    ----------
    costs : shape (n,)
        Finite, not all equal.
    y : shape (n,)
        What `winsorized` made of them.

    Returns
    -------
    zero, unit

    Examples
    --------
    >>> costs = np.array([1.0, 2.0, 3.0, 100.0])
    >>> zero, unit = linear_map(costs, winsorized(costs))
    >>> (zero + unit * winsorized(costs)).round(6)[:3]
    array([1., 2., 3.])
    """
    whole = y < y.max()
    if np.ptp(costs[whole]) == 0:
        whole[:] = True
    unit = float(np.ptp(costs[whole]) / np.ptp(y[whole]))
    at = int(np.argmin(costs))
    return float(costs[at] - unit * y[at]), unit


def _unit(costs: Floats) -> Floats:
    """On [0, 1], without overflow."""
    half = costs / 2  # 1e308 - (-1e308) would overflow
    width = half.max() - half.min()
    if not width > 0:
        return np.zeros(len(costs))
    return np.asarray((half - half.min()) / width)


def _standardized(values: Floats) -> Floats:
    values = values - values.mean()
    spread = values.std()
    return np.asarray(values / spread) if spread > 0 else np.zeros(len(values))
