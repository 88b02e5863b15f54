"""One cost out of several, with random weights: the augmented Chebyshev scalarization.

Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for
expensive multiobjective optimization problems, IEEE Trans. Evolutionary Computation 10.
Each point of the Pareto front, also in its non-convex parts, is the best one under some
weights, so an optimizer that draws new weights for each proposal walks along the front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["chebyshev", "random_weights", "unit_costs"]

Floats = NDArray[np.float64]


def unit_costs(costs: Floats) -> Floats:
    """Each column on [0, 1] between the smallest and largest finite cost in it.

    Parameters
    ----------
    costs : shape (n, m)
        Any finite size, NaN allowed; a constant column becomes 0.

    Returns
    -------
    shape (n, m)

    Examples
    --------
    >>> unit_costs(np.array([[1.0, 5.0], [3.0, 5.0], [2.0, np.nan]]))
    array([[0. , 0. ],
           [1. , 0. ],
           [0.5, nan]])
    """
    out = np.full_like(costs, np.nan)
    for j, column in enumerate(costs.T):
        known = ~np.isnan(column)
        if known.any():
            # Halved before they are subtracted: 1e308 - (-1e308) would overflow.
            low, high = column[known].min() / 2, column[known].max() / 2
            width = high - low
            out[known, j] = (column[known] / 2 - low) / width if width > 0 else 0.0
    return out


def random_weights(m: int, rng: np.random.Generator) -> Floats:
    """Weights drawn uniformly from the simplex: shape (m,), non-negative, summing to one."""
    weights = rng.exponential(size=m)
    return np.asarray(weights / weights.sum())


def chebyshev(costs: Floats, weights: Floats, rho: float = 0.05) -> Floats:
    """The worst weighted cost, plus a little of their sum (Knowles 2006, eq. 2).

    Parameters
    ----------
    costs : shape (n, m)
        On comparable scales, see `unit_costs`.
    weights : shape (m,)
        Non-negative, summing to one.
    rho
        Weight of the sum; it breaks ties towards points that nothing dominates.

    Returns
    -------
    shape (n,)

    Examples
    --------
    >>> chebyshev(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([0.525, 0.275])
    """
    weighted = costs * weights
    return np.asarray(weighted.max(axis=1) + rho * weighted.sum(axis=1))
