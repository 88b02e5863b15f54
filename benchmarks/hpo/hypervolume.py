"""Exact hypervolume for two and three objectives, by sweeping; slow and easy to check.

The benchmark has its own, so that no system is judged by its own code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["front", "hypervolume"]

Floats = NDArray[np.float64]


def front(costs: Floats) -> Floats:
    """The rows that no other row dominates, without repeats.

    Parameters
    ----------
    costs : shape (n, m)
        Minimized.
    """
    costs = np.unique(costs, axis=0)  # sorted by the first column, then the second, ...
    kept = np.empty((0, costs.shape[1]))
    for row in costs:  # only an earlier row can dominate
        if not (kept <= row).all(axis=1).any():
            kept = np.vstack([kept, row])
    return kept


def hypervolume(costs: Floats, reference: Floats) -> float:
    """The volume that the rows dominate, up to a reference point that is worse than them.

    Parameters
    ----------
    costs : shape (n, 2) or (n, 3)
        Minimized. Rows that are not better than the reference everywhere add nothing.
    reference : shape (2,) or (3,)

    Examples
    --------
    >>> stairs = np.array([[float(i), 2.0 - i] for i in range(3)])
    >>> hypervolume(stairs, np.array([3.0, 3.0]))
    6.0
    """
    inside = costs[(costs < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if costs.shape[1] == 2:
        steps = front(inside)  # the first cost rises, the second falls
        ends = np.append(steps[1:, 0], reference[0])
        return float(((ends - steps[:, 0]) * (reference[1] - steps[:, 1])).sum())
    # Slices along the last objective, each with the area of all rows below it.
    inside = front(inside)
    inside = inside[np.argsort(inside[:, 2])]
    ends = np.append(inside[1:, 2], reference[2])
    depths = ends - inside[:, 2]
    slices = [
        depth * hypervolume(inside[: i + 1, :2], reference[:2])
        for i, depth in enumerate(depths.tolist())
        if depth > 0
    ]
    return float(sum(slices))
