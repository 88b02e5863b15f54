"""Moving configurations freely in the unit cube, where a space's encoding allows it.

Most spaces read a row of the cube as a configuration column by column; then any row can be
made legal at once, whole matrices at a time. Trees read it as a sequence of choices, where
the meaning of a place depends on all earlier ones; they are left to `mutate` and `recombine`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.unit_cube import has_one_number_per_column
from octavo.spaces.protocol import Points, Space

__all__ = ["Cube"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Cube:
    """Rows of the unit cube as configurations of a space.

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
