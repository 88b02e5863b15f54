"""Which of several costs vectors no other one dominates: the Pareto front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["nondominated"]


def nondominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows that no other row dominates (we minimize).

    A row dominates another if it is nowhere worse and somewhere better; equal rows do not
    dominate one another, so all copies of a best row are marked.

    Parameters
    ----------
    costs : shape (n, m)
        One column per objective. Rows with a NaN are never marked and dominate nothing.

    Returns
    -------
    shape (n,)

    Examples
    --------
    >>> nondominated(np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 2.0], [2.0, 0.0]]))
    array([ True,  True, False,  True])
    """
    marked = np.zeros(len(costs), dtype=bool)
    rows = np.flatnonzero(~np.isnan(costs).any(axis=1))
    # In order of the sum a row can only be dominated by an earlier one. Infinities tie in
    # the sum, so the columns themselves break the tie.
    order = np.lexsort([*costs[rows].T[::-1], costs[rows].sum(axis=1)])
    rows = rows[order]
    front = np.empty((0, costs.shape[1]))
    for row in rows:
        cost = costs[row]
        no_worse = (front <= cost).all(axis=1)
        if not (no_worse & (front < cost).any(axis=1)).any():
            marked[row] = True
            front = np.vstack([front, cost])
    return marked
