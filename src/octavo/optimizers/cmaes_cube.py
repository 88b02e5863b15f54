"""Between a space's unit cube and what the package `cmaes` draws and learns from.

Its `CatCMAwM` keeps three kinds of variables apart: continuous ones, integers, which are points
on a line with a margin of probability between them, and unordered choices. Ordered values of
two stand among the choices, as its authors advise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.unit_cube import cell_centres
from octavo.spaces.protocol import Points, Space

if TYPE_CHECKING:
    from cmaes import CatCMAwM

__all__ = ["Sample", "SampledCube"]

Floats = NDArray[np.float64]
Sample = Any
"""`CatCMAwM.Solution`: a place on the lines, and choices as truths, one row per column."""

_MOST_CELLS = 256  # a column with more values is as good as continuous
_FARTHEST = 1e6  # in units of the range; nothing that was drawn lies there


class SampledCube:
    """The unit cube of a space, its columns sorted by kind.

    Parameters
    ----------
    space
        One with a number per column.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        centres = cell_centres(space, _MOST_CELLS)
        kinds = ["number"] * len(centres)
        for j, column in enumerate(space.columns):
            if column.n_values is not None and (column.n_values == 2 or not column.is_ordered):
                kinds[j] = "choice"
            elif centres[j] is not None:
                kinds[j] = "integer"
        at = {kind: [j for j, k in enumerate(kinds) if k == kind] for kind in set(kinds)}
        self._numbers, self._integers = at.get("number", []), at.get("integer", [])
        self._choices = np.array(at.get("choice", []), dtype=np.intp)
        self._line = np.array([*self._numbers, *self._integers], dtype=np.intp)
        self._centres = [np.asarray(centres[j]) for j in self._integers]
        self._n_choices = np.array([space.columns[j].n_values for j in self._choices], dtype=int)
        self.n_dims = space.n_dims
        self.is_continuous = len(self._numbers) == self.n_dims
        self.has_numbers = len(self._line) > 0

    def search(self, start: Floats, sigma: float, population: int) -> CatCMAwM:
        """A search that has not begun: a normal distribution around a point, choices even.

        Parameters
        ----------
        start : shape (n_dims,)
            In the unit cube.
        sigma
            Standard deviation in each direction.
        population
            Trials per generation.
        """
        from cmaes import CatCMAwM  # here, so that nobody else waits for it

        line = {
            "mean": start[self._line].copy(),  # it is changed in place
            "sigma": sigma,
            "cov": np.eye(len(self._line)),
        }
        return CatCMAwM(
            x_space=[[0.0, 1.0]] * len(self._numbers) or None,
            z_space=[centres.tolist() for centres in self._centres] or None,
            c_space=self._n_choices.tolist() or None,
            population_size=population,
            **(line if self.has_numbers else {}),
        )

    def place(self, points: Points) -> Floats:
        """Shape (n_dims,): one configuration in the cube, what is inactive in the middle."""
        return np.asarray(np.nan_to_num(points.aligned(self._space.columns).values[0], nan=0.5))

    def sample_at(self, place: Floats) -> Sample:
        """The sample that leads to a point of the cube."""
        choices = np.minimum(place[self._choices] * self._n_choices, self._n_choices - 1)
        return self._sample(place[self._line], choices.astype(int))

    def unit(self, samples: Sequence[Sample]) -> Floats:
        """Shape (n, n_dims): the points of the unit cube to which samples lead."""
        u = np.empty((len(samples), self.n_dims))
        if self._numbers:
            u[:, self._numbers] = [sample.x for sample in samples]
        if self._integers:
            u[:, self._integers] = [sample.z for sample in samples]
        if len(self._choices):
            chosen = np.array([_which(sample) for sample in samples])
            u[:, self._choices] = (chosen + 0.5) / self._n_choices
        return np.asarray(np.clip(u, 0.0, 1.0 - 2.0**-53))

    def line(self, samples: Sequence[Sample]) -> Floats:
        """Shape (n, numbers and integers): where on the lines samples were drawn."""
        return np.array([sample._v_raw for sample in samples])

    def write(self, sample: Sample) -> dict[str, Any]:
        """A sample as JSON-able data."""
        return {
            "line": sample._v_raw.tolist() if self.has_numbers else [],
            "choices": _which(sample).tolist() if len(self._choices) else [],
        }

    def read(self, data: Mapping[str, Any]) -> Sample | None:
        """The sample that was written; None if this is none of this space."""
        try:
            line = np.asarray(data["line"], dtype=float)
            choices = np.asarray(data["choices"], dtype=float)
        except (KeyError, TypeError, ValueError):
            return None
        if line.shape != self._line.shape or choices.shape != self._choices.shape:
            return None
        exists = (choices >= 0) & (choices < self._n_choices) & (choices == np.floor(choices))
        if not ((np.abs(line) < _FARTHEST).all() and exists.all()):
            return None
        return self._sample(line, choices.astype(int))

    def _sample(self, line: Floats, choices: NDArray[np.int_]) -> Sample:
        from cmaes import CatCMAwM

        truths = np.arange(max(self._n_choices, default=0)) == choices[:, None]
        return CatCMAwM.Solution(c=truths, _v_raw=line)


def _which(sample: Sample) -> NDArray[np.int_]:
    """The numbers of the choices."""
    return np.asarray(sample.c.argmax(axis=1))
