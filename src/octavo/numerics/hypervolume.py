"""Hypervolume: how much of the space below a reference point some vectors of costs dominate.

The measure of all that is worse than one of the points and better than the reference; the
larger, the better the front and the better it is covered (Zitzler & Thiele 1999). Exact for
any number of objectives, by one idea: swept along the last objective, each point adds the
volume that it newly dominates in the others, times its way to the reference. With m
objectives and n points this takes

- m = 2: O(n log n), vectorized;
- m = 3: O(n log n), on a staircase (Kung, Luccio & Preparata 1975; Beume et al. 2009);
- m = 4: O(n^2), and more from there, on a partition of what is not dominated, held by its
  local upper bounds (Lacour, Klamroth & Fonseca 2017, A box decomposition algorithm to
  compute the hypervolume indicator, Computers & Operations Research 79, 347-360).

The partition is also what expected hypervolume improvement integrates over.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.pareto import nondominated

__all__ = ["hypervolume", "hypervolume_gains", "nondominated_boxes"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def hypervolume(costs: Floats, reference: Floats) -> float:
    """The volume between some points and the reference (we minimize).

    Parameters
    ----------
    costs : shape (n, m)
        One column per objective. Rows that are not below the reference in all of them, or
        have a NaN, add nothing.
    reference : shape (m,)
        Finite.

    Returns
    -------
    In the product of the objectives' units; 0 without points.

    Raises
    ------
    ValueError
        If the shapes do not fit, the reference is not finite, or a cost is -inf.

    Examples
    --------
    >>> hypervolume(np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]), np.array([3.0, 3.0]))
    6.0
    """
    costs, reference, rows = _below(costs, reference)
    points = costs[rows]
    points = points[np.argsort(points[:, -1], kind="stable")]
    if points.shape[1] == 1:
        return float(reference[0] - points[0, 0]) if len(points) else 0.0
    gains = _gains(points[:, :-1], reference[:-1])
    return float(gains @ (reference[-1] - points[:, -1]))


def hypervolume_gains(costs: Floats, reference: Floats) -> Floats:
    """By how much each point raises the hypervolume of those before it.

    Their sum is the hypervolume, and their cumulative sum its curve over the points.

    Parameters
    ----------
    costs, reference
        As for `hypervolume`.

    Returns
    -------
    shape (n,)
        Never negative.

    Raises
    ------
    ValueError
        As for `hypervolume`.

    Examples
    --------
    >>> hypervolume_gains(np.array([[2.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), np.array([3.0, 3.0]))
    array([3., 2., 0.])
    """
    costs, reference, rows = _below(costs, reference)
    gains = np.zeros(len(costs))
    gains[rows] = _gains(costs[rows], reference)
    return gains


def nondominated_boxes(costs: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Disjoint boxes that fill what is below the reference and not dominated by any point.

    Parameters
    ----------
    costs, reference
        As for `hypervolume`. For expected hypervolume improvement, cut the boxes off at the
        costs that are possible; they reach to -inf.

    Returns
    -------
    lower, upper : shape (number of boxes, m)
        With n points that do not dominate one another there are n + 1 boxes for two
        objectives, 2 n + 1 for three, at most about n^2 for four.

    Raises
    ------
    ValueError
        As for `hypervolume`.

    Examples
    --------
    >>> lower, upper = nondominated_boxes(np.array([[1.0, 1.0]]), np.array([3.0, 3.0]))
    >>> lower
    array([[-inf,   1.],
           [-inf, -inf]])
    >>> upper
    array([[1., 3.],
           [3., 1.]])
    """
    costs, reference, rows = _below(costs, reference)
    front = np.unique(costs[rows[nondominated(costs[rows])]], axis=0)
    if front.shape[1] == 2:
        xs = [*front[:, 0], reference[0]]
        ys = np.array([reference[1], *front[:, 1], -np.inf])
        return np.column_stack([np.full(len(xs), -np.inf), ys[1:]]), np.column_stack([xs, ys[:-1]])
    bounds = _LocalUpperBounds(front, reference)
    for row in range(len(front)):
        bounds.insert(row)
    lower, upper = bounds.boxes()
    full = (lower < upper).all(axis=1)
    return lower[full], upper[full]


def _below(costs: Floats, reference: Floats) -> tuple[Floats, Floats, Indices]:
    """Checked arguments, and the rows that are below the reference in all objectives."""
    costs, reference = np.asarray(costs, dtype=float), np.asarray(reference, dtype=float)
    if reference.ndim != 1 or not len(reference) or not np.isfinite(reference).all():
        raise ValueError(
            f"reference={reference.tolist()!r} must be one finite number per objective. "
            "Give a point that is worse than what interests you in each of them."
        )
    if costs.ndim != 2 or costs.shape[1] != len(reference):
        raise ValueError(
            f"costs have shape {costs.shape}, but with a reference of {len(reference)} numbers "
            f"(n, {len(reference)}) is expected: one row per point, one column per objective."
        )
    if np.isneginf(costs).any():
        raise ValueError(
            "a cost is -inf, so the hypervolume would be infinite or undefined. Costs must be "
            "greater than that; leave out or mend the points that are not."
        )
    return costs, reference, np.flatnonzero((costs < reference).all(axis=1))


def _gains(points: Floats, reference: Floats) -> Floats:
    """As `hypervolume_gains`, of points that are all below the reference."""
    n, m = points.shape
    if m == 1:
        best = np.minimum(np.minimum.accumulate(points[:, 0]), reference[0])
        return np.asarray(-np.diff(best, prepend=reference[0]))
    gains = np.zeros(n)
    if m == 2:
        stairs = _Staircase(*reference.tolist())
        for row, (x, y) in enumerate(points.tolist()):
            gains[row] = stairs.insert(x, y)
        return gains
    bounds = _LocalUpperBounds(points, reference)
    for row in range(n):
        gains[row] = bounds.insert(row)
    return gains


class _Staircase:
    """The front of points in the plane, from left to right and downwards.

    Parameters
    ----------
    x, y
        The reference.
    """

    def __init__(self, x: float, y: float) -> None:
        # The reference's own corners, so that every point has neighbours.
        self._xs, self._ys = [-np.inf, x], [y, -np.inf]

    def insert(self, x: float, y: float) -> float:
        """Add a point below the reference; returns the area that it newly dominates."""
        xs, ys = self._xs, self._ys
        start = bisect_right(xs, x)
        if ys[start - 1] <= y:
            return 0.0
        start = bisect_left(xs, x, hi=start)  # a point straight above goes
        stop = start
        area, left, height = 0.0, x, ys[start - 1] - y
        while True:  # slab by slab, each as high as the point before it allows
            area += (xs[stop] - left) * height
            if ys[stop] <= y:
                break
            left, height = xs[stop], ys[stop] - y
            stop += 1
        xs[start:stop], ys[start:stop] = [x], [y]
        return area


class _LocalUpperBounds:
    """What some points do not dominate, as boxes that change as points are inserted.

    A local upper bound u is a corner of that region: everything below u is not dominated,
    and u is maximal. Each is held by its m defining points, the k-th of which has its k-th
    coordinate in common with u and is below u otherwise (Klamroth, Lacour & Vanderpooten
    2015, On the representation of the search region in multi-objective optimization, EJOR
    245). That is so in general position, without ties. So the work is done on ranks in
    which ties are broken by row, and only volumes are those of the points: between equal
    values lie boxes of volume zero.

    Parameters
    ----------
    points : shape (n, m)
        All that will be inserted, below the reference.
    reference : shape (m,)
    """

    def __init__(self, points: Floats, reference: Floats) -> None:
        n, m = points.shape
        order = np.argsort(points, axis=0, kind="stable")
        ranks = np.empty((n, m), dtype=np.int64)
        np.put_along_axis(ranks, order, np.arange(1, n + 1)[:, None], axis=0)
        # Rank 0 is -inf, rank n + 1 the reference; the last m rows are the dummies that
        # define the first bound, the reference itself.
        dummies = np.where(np.eye(m, dtype=bool), n + 1, 0)
        self._ranks = np.concatenate([ranks, dummies])
        ordered = np.take_along_axis(points, order, axis=0)
        self._values = np.concatenate([np.full((1, m), -np.inf), ordered, reference[None, :]])
        self._upper = np.full((1, m), n + 1)
        self._defining = np.arange(n, n + m)[None, :]

    def insert(self, row: int) -> float:
        """Add a point of those announced; returns the volume that it newly dominates."""
        m = self._upper.shape[1]
        point = self._ranks[row]
        is_above = (self._upper > point).all(axis=1)
        hit = np.flatnonzero(is_above)
        if not len(hit):
            return 0.0
        upper, defining = self._upper[hit], self._defining[hit]
        others = self._others(defining)
        lower = self._lower(others)
        low = self._take(np.maximum(lower, point))
        volume = np.prod(np.maximum(self._take(upper) - low, 0.0), axis=1).sum()
        # The point splits a bound along each objective in which it is above all points that
        # define the bound's other coordinates; other parts lie below another bound.
        new_upper, new_defining = [self._upper[~is_above]], [self._defining[~is_above]]
        for j in range(m):
            least = np.delete(others[:, :, j], j, axis=1).max(axis=1, initial=0)
            split = point[j] > least
            part, part_defining = upper[split], defining[split]
            part[:, j], part_defining[:, j] = point[j], row
            new_upper.append(part)
            new_defining.append(part_defining)
        self._upper = np.concatenate(new_upper)
        self._defining = np.concatenate(new_defining)
        return float(volume)

    def boxes(self) -> tuple[Floats, Floats]:
        """Lower and upper corners; those of volume zero among them."""
        lower = self._lower(self._others(self._defining))
        return self._take(lower), self._take(self._upper)

    def _others(self, defining: Indices) -> NDArray[np.int64]:
        """Ranks of the defining points: shape (bounds, which point, which coordinate)."""
        return np.asarray(self._ranks[defining])

    def _lower(self, others: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lower corners of the bounds' boxes: above the points that define what is before.

        In coordinate j, the highest of the defining points of the coordinates before j
        (Lacour 2017, eq. 4), which makes the boxes disjoint.
        """
        lower = np.zeros((len(others), others.shape[2]), dtype=np.int64)
        for j in range(1, others.shape[2]):
            lower[:, j] = others[:, :j, j].max(axis=1)
        return lower

    def _take(self, ranks: NDArray[np.int64]) -> Floats:
        return np.take_along_axis(self._values, ranks, axis=0)
