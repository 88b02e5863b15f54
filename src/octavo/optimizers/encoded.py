"""Trials as a model sees them: encoded configurations and, where it varies, their fidelity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.told import Told
from octavo.spaces.protocol import Column, Points

__all__ = ["Encoded"]

Floats = NDArray[np.float64]

# Of the unit interval: what holds at one fidelity is expected to hold, nearly, at others.
_FIDELITY_RANGE = 0.05


class Encoded:
    """The columns that were told, and one more for the fidelity of a problem that has one.

    Columns of a growing tree that nobody has tried mean nothing yet, and are left out.

    Parameters
    ----------
    told
        What is known.

    Attributes
    ----------
    columns
        Of the matrices, the fidelity last.
    n_choices : shape (d,)
        Number of values of unordered columns; 0 for ordered ones.
    """

    def __init__(self, told: Told) -> None:
        self._columns = told.points.columns
        self._with_fidelity = told.problem.fidelity is not None
        extra = (Column("the fidelity", "float"),) if self._with_fidelity else ()
        self.columns: tuple[Column, ...] = (*self._columns, *extra)
        choices = [0 if column.is_ordered else column.n_values or 0 for column in self.columns]
        self.n_choices = np.array(choices, dtype=np.int64)

    def matrix(self, points: Points, fidelity: Floats | None = None) -> Floats:
        """Shape (n, d), a copy; at full fidelity unless told otherwise."""
        values = points.aligned(self._columns).values
        if not self._with_fidelity:
            return values.copy()
        extra = np.ones(len(points)) if fidelity is None else fidelity
        return np.column_stack([values, _FIDELITY_RANGE * extra])

    def is_complete(self, points: Points) -> bool:
        """Whether no column of the points is left out."""
        return points.columns == self._columns

    def points(self, matrix: Floats) -> Points:
        """The configurations in rows of a matrix."""
        return Points(matrix[:, : len(self._columns)], self._columns)
