"""Which of several vectors of costs no other one dominates: the Pareto front, and what is behind.

A row dominates another if it is nowhere worse and somewhere better (we minimize); equal rows
do not dominate one another. Layer 0 is the Pareto front, layer 1 the front of what is left
without layer 0, and so on: the non-dominated sorting of Deb et al. (2002), A fast and elitist
multiobjective genetic algorithm: NSGA-II, IEEE Trans. Evolutionary Computation 6, 182-197.
Only the order of the costs in each column matters, so any size will do, infinities too.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.scalarization import unit_costs

__all__ = ["crowding_distance", "layers", "nondominated"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


def nondominated(costs: Floats) -> Bools:
    """Mark the rows that no other row dominates; all copies of a best row are marked.

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
    rows, ranks, copy_of = _distinct_ranks(costs)
    marked = np.zeros(len(costs), dtype=bool)
    marked[rows] = _front(ranks)[copy_of]
    return marked


def layers(costs: Floats, enough: int | None = None) -> NDArray[np.int64]:
    """The number of the layer in which each row lies, 0 for the Pareto front.

    Parameters
    ----------
    costs : shape (n, m)
        One column per objective.
    enough
        Stop after the layer with which this many rows have their number; by default all
        rows get theirs. Stopping early saves most of the time.

    Returns
    -------
    shape (n,)
        Rows that were not reached, and rows with a NaN, have the number after the last layer.

    Examples
    --------
    >>> layers(np.array([[2.0, 2.0], [1.0, 1.0], [0.0, 3.0], [3.0, 3.0]])).tolist()
    [1, 0, 0, 2]
    >>> layers(np.array([[2.0, 2.0], [1.0, 1.0], [0.0, 3.0], [3.0, 3.0]]), enough=2).tolist()
    [1, 0, 0, 1]
    """
    rows, ranks, copy_of = _distinct_ranks(costs)
    copies = np.bincount(copy_of, minlength=len(ranks))
    needed = len(rows) if enough is None else min(enough, len(rows))
    if ranks.shape[1] == 1:
        numbers = ranks[:, 0]  # of one objective, every cost is a layer
    elif ranks.shape[1] == 2:
        numbers = _layers_of_two(ranks)
    else:
        numbers = _peel(ranks, copies, needed)
    reached = np.cumsum(np.bincount(numbers, weights=copies))
    n_layers = int(np.searchsorted(reached, needed)) + 1 if needed else 0
    result = np.full(len(costs), n_layers, dtype=np.int64)
    result[rows] = np.minimum(numbers[copy_of], n_layers)
    return result


def crowding_distance(costs: Floats) -> Floats:
    """How far apart the neighbours of each row are: large where the rows lie sparsely.

    Sum over the objectives of the distance between the next lower and the next higher cost,
    in units of the range (Deb 2002, section III.B). The ends of each range are infinitely
    far from everything, so that they are kept.

    Parameters
    ----------
    costs : shape (n, m)
        Of one layer; finite.

    Returns
    -------
    shape (n,)
        An objective in which all rows are equal adds nothing.

    Examples
    --------
    >>> crowding_distance(np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 1.0], [4.0, 0.0]]))
    array([ inf, 1.25, 1.5 ,  inf])
    """
    distance = np.zeros(len(costs))
    for column in unit_costs(costs).T:
        order = np.argsort(column, kind="stable")
        if len(order) and column[order[-1]] > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return distance


def _distinct_ranks(costs: Floats) -> tuple[Indices, NDArray[np.int64], Indices]:
    """Rows without NaN; the different ones among them, as ranks; and which one each row is.

    Ranks are dense within each column, and the different rows are in the order of their
    sum: none can be dominated by a later one.
    """
    rows = np.flatnonzero(~np.isnan(costs).any(axis=1))
    ranks = np.empty((len(rows), costs.shape[1]), dtype=np.int64)
    for j in range(costs.shape[1]):
        ranks[:, j] = np.unique(costs[rows, j], return_inverse=True)[1]
    order = np.lexsort([*ranks.T[::-1], ranks.sum(axis=1)])
    ordered = ranks[order]
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    copy_of = np.empty(len(rows), dtype=np.intp)
    copy_of[order] = np.cumsum(is_new) - 1
    return rows, ordered[is_new], copy_of


def _front(ranks: NDArray[np.int64]) -> Bools:
    """The Pareto front of different rows, in the order of their sum."""
    if ranks.shape[1] == 2:
        order = np.lexsort(ranks.T[::-1])
        second = ranks[order, 1]
        marked = np.ones(len(ranks), dtype=bool)
        marked[order[1:]] = second[1:] < np.minimum.accumulate(second)[:-1]
        return marked
    marked = np.zeros(len(ranks), dtype=bool)
    left = np.arange(len(ranks))
    while len(left):
        # Nothing before the first row is left that could dominate it.
        marked[left[0]] = True
        left = left[(ranks[left] < ranks[left[0]]).any(axis=1)]
    return marked


def _layers_of_two(ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Layers of different rows with two columns, in O(n log n).

    From left to right, a row belongs to the first layer whose lowest row so far is not as
    low as itself, and these lows ascend from layer to layer.
    """
    numbers = np.zeros(len(ranks), dtype=np.int64)
    lows: list[int] = []
    order = np.lexsort(ranks.T[::-1])
    for row, low in zip(order.tolist(), ranks[order, 1].tolist(), strict=True):
        number = bisect_right(lows, low)
        lows[number : number + 1] = [low]
        numbers[row] = number
    return numbers


def _peel(ranks: NDArray[np.int64], copies: Indices, needed: int) -> NDArray[np.int64]:
    """Layers of different rows, one front after the other, until enough rows have theirs."""
    numbers = np.zeros(len(ranks), dtype=np.int64)
    left = np.arange(len(ranks))
    number = 0
    while len(left) and needed > 0:
        front = _front(ranks[left])
        needed -= int(copies[left[front]].sum())
        left = left[~front]
        number += 1
        numbers[left] = number
    return numbers
