"""`Believed`: a space with configurations that somebody believes to be good.

A belief about each hyperparameter (`Float(..., prior=...)`) says nothing of which values go
together. Whole configurations do: those that a colleague uses, that a paper names, that won on
the last data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.beliefs import ASSUMED_SPREAD, LEAST
from octavo.spaces.protocol import Config, Points, Space
from octavo.spaces.wrapped import Wrapped

__all__ = ["Believed"]

Floats = NDArray[np.float64]


class Believed(Wrapped):
    """The same space, with a joint belief: good configurations lie near some that are known.

    Sampling stays uniform; optimizers may weigh the belief, and begin with the first of the
    configurations. Beliefs of the space itself, about single hyperparameters, count as well.

    Parameters
    ----------
    space
        What can be chosen.
    good
        Configurations of it, the best first; at least one.
    spread
        How far from them good ones may lie: standard deviation of the unit range, and the
        share of choices that differ.

    Raises
    ------
    SpaceError
        Without configurations, if one is not in the space, or if the spread is not in (0, 1).

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> inner = space(x=Float(0, 1), kind=Categorical(["a", "b"]))
    >>> believed = Believed(inner, [{"x": 0.2, "kind": "b"}])
    >>> points = believed.encode([{"x": 0.2, "kind": "b"}, {"x": 0.9, "kind": "a"}])
    >>> believed.log_belief(points).round(1)
    array([ 1.3, -4.6])
    """

    def __init__(
        self, space: Space, good: Sequence[Config], spread: float = ASSUMED_SPREAD
    ) -> None:
        if isinstance(good, Mapping) or not isinstance(good, Sequence) or not len(good):
            raise SpaceError(
                f"the configurations believed to be good are {good!r:.80}. Give a list of at least "
                "one, such as [{'x': 0.5}]."
            )
        if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0 < spread < 1:
            raise SpaceError(
                f"spread={spread!r} must be a number between 0 and 1: how far from the believed "
                "configurations good ones may lie, of the unit range. Leave it out for "
                f"{ASSUMED_SPREAD}."
            )
        super().__init__(space)
        self.spread = float(spread)
        self.good = [space.check(config) for config in good]
        self._centres = space.encode(self.good)

    def default(self) -> dict[str, Any]:
        """The first of the configurations believed to be good."""
        return dict(self.good[0])

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): log-density of an even mixture around the configurations."""
        from octavo.numerics.kernels import log_kernels  # here: SciPy takes its time to load

        columns = self._centres.columns
        n_values = np.array([column.n_values or 1 for column in columns])
        is_choice = np.array([not column.is_ordered for column in columns], dtype=bool)
        kernels = log_kernels(
            points.aligned(columns).values,
            self._centres.values,
            np.where(is_choice, n_values, 0).astype(np.int64),
            np.full(len(columns), self.spread),
            self.spread / (n_values * (1.0 - self.spread)),
        )
        density = np.exp(np.minimum(kernels, 700.0)).mean(axis=1)
        return self.space.log_belief(points) + np.log(np.maximum(density, LEAST))

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description of the space and the belief."""
        return {
            "kind": "believed",
            "space": self.space.to_json(),
            "good": self.good,
            "spread": self.spread,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Believed:
        """The space that `to_json` described."""
        from octavo.spaces import from_json

        return cls(from_json(data["space"]), data["good"], data["spread"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Believed):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.space, len(self.good), self.spread))

    def __repr__(self) -> str:
        return f"Believed({self.space!r}, {self.good!r}, spread={self.spread!r})"
