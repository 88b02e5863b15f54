"""What the unit cube of a space looks like to a search that moves in it.

A space says of a column how many values it has, but not where in the unit interval their
cells lie: evenly, or along a logarithm. It can be asked, though: whatever point of the cube it
is given, it answers with the middle of the cell.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.protocol import Points, Space

__all__ = ["Cube", "cell_centres", "has_one_number_per_column"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_POINTS = 256  # of the cube, among which a place is sought where a column is active
_PLACES = 4
_FINER = 64  # times as many probes as values, where the cells are not even


def has_one_number_per_column(space: Space) -> bool:
    """Whether a point of the unit cube has the columns' values as its numbers.

    So it is for hyperparameters and products of them, not for trees, whose columns grow.

    Parameters
    ----------
    space
        Any.

    Examples
    --------
    >>> from octavo.spaces import Float, Grammar, space
    >>> has_one_number_per_column(space(x=Float(0, 1)))
    True
    >>> has_one_number_per_column(Grammar({"e": [["add", "e", "e"], ["x"]]}, start="e"))
    False
    """
    if len(space.columns) != space.n_dims:
        return False
    points, _ = space.from_unit(np.random.default_rng(0).random((_POINTS, space.n_dims)))
    if points.columns != space.columns:
        return False
    again, legal = space.from_unit(np.nan_to_num(points.values, nan=0.5))
    return bool(legal.all()) and again.keys() == points.keys()


def cell_centres(space: Space, most: int) -> list[Floats | None]:
    """Where the values of ordered, discrete columns sit in the unit interval.

    Parameters
    ----------
    space
        One with a number per column.
    most
        Columns with more values than this are not looked at.

    Returns
    -------
    For each column its values' places in ascending order; None if it is continuous, unordered,
    has too many values or one that does not show up.

    Examples
    --------
    >>> from octavo.spaces import Float, Integer, space
    >>> cell_centres(space(x=Float(0, 1), k=Integer(1, 4), m=Integer(1, 2, log=True)), most=9)
    [None, array([0.125, 0.375, 0.625, 0.875]), array([0.3413031, 0.8413031])]
    """
    u = np.random.default_rng(0).random((_POINTS, space.n_dims))
    points, legal = space.from_unit(u)
    u = u[legal]
    found: list[Floats | None] = []
    for j, column in enumerate(space.columns):
        n = column.n_values
        if n is None or n > most or not column.is_ordered:
            found.append(None)
            continue
        places = u[~np.isnan(points.values[:, j])][:_PLACES]
        centres = _seen(space, j, places, n)
        if len(centres) < n:
            centres = _seen(space, j, places, _FINER * n)
        found.append(centres if len(centres) == n else None)
    return found


def _seen(space: Space, j: int, places: Floats, n: int) -> Floats:
    """The values of column `j` that show up when it moves in `n` steps, from some places."""
    probes = np.repeat(places, n, axis=0)
    probes[:, j] = np.tile((np.arange(n) + 0.5) / n, len(places))
    points, _ = space.from_unit(probes)
    values = points.values[:, j]
    return np.unique(np.round(values[~np.isnan(values)], 12))


class Cube:
    """Rows of the unit cube as configurations of a space, made legal whole matrices at a time.

    Trees read a row as a sequence of choices, where the meaning of a place depends on all earlier
    ones: they are not free, and left to `mutate` and `recombine`.

    Parameters
    ----------
    space
        Any space.
    """

    def __init__(self, space: Space) -> None:
        self._space = space

    @cached_property
    def is_free(self) -> bool:
        """Whether the encoding of a configuration is read as that configuration."""
        return has_one_number_per_column(self._space)

    def legal(self, values: Floats, rng: np.random.Generator) -> tuple[Points, Bools]:
        """The configurations at these places, and which rows are legal.

        Parameters
        ----------
        values : shape (n, d)
            In [0, 1]; what becomes active where there is NaN is drawn.
        rng
            Draws it.
        """
        u = np.where(np.isnan(values), rng.random(values.shape), values)
        return self._space.from_unit(u)
