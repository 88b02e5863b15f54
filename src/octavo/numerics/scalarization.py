"""One cost out of several, with random weights: the augmented Chebyshev scalarization.

Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for
expensive multiobjective optimization problems, IEEE Trans. Evolutionary Computation 10.
Each point of the Pareto front, also in its non-convex parts, is the best one under some
weights, so an optimizer that draws new weights for each proposal walks along the front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["chebyshev", "random_weights", "unit_costs", "unit_costs_of_front"]

Floats = NDArray[np.float64]

_LEAST_WIDTH = 1e-3


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


def unit_costs_of_front(costs: Floats, front: NDArray[np.bool_]) -> Floats:
    """Each column so that the costs of a front lie on [0, 1], and worse ones above.

    On the range of all costs, a few very bad ones (a run time of hours, a diverged loss)
    would press the whole front into a corner, and weights could not choose along it.

    Parameters
    ----------
    costs : shape (n, m)
        Any finite size, NaN allowed.
    front : shape (n,)
        Which rows make up the front; their costs are known.

    Returns
    -------
    shape (n, m)
        Widths below a thousandth of the range of all costs are taken to be that, so all
        stay finite; where all of the front are equal, the range of all costs counts.

    Examples
    --------
    >>> costs = np.array([[1.0, 3.0], [2.0, 1.0], [6.0, 5.0]])
    >>> unit_costs_of_front(costs, np.array([True, True, False]))
    array([[0., 1.],
           [1., 0.],
           [5., 2.]])
    """
    unit = unit_costs(costs)
    if not front.any():
        return unit
    low, high = unit[front].min(axis=0), unit[front].max(axis=0)
    width = np.where(high > low, np.maximum(high - low, _LEAST_WIDTH), 1.0)
    return np.asarray((unit - low) / width)


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
