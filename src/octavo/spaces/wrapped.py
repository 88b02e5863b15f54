"""A space that is another one in all but a few things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.protocol import Column, Config, Points, Space

__all__ = ["Wrapped"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Wrapped:
    """The same choices as in `space`; what differs is for subclasses to say.

    Parameters
    ----------
    space
        What can be chosen.
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    @property
    def columns(self) -> tuple[Column, ...]:
        """See `Space`."""
        return self.space.columns

    @property
    def is_finite(self) -> bool:
        """See `Space`."""
        return self.space.is_finite

    @property
    def n_dims(self) -> int:
        """See `Space`."""
        return self.space.n_dims

    def from_unit(self, u: Floats) -> tuple[Points, Bools]:
        """See `Space`."""
        return self.space.from_unit(u)

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """See `Space`."""
        return self.space.sample(n, rng)

    def mutate(self, points: Points, rng: np.random.Generator) -> Points:
        """See `Space`."""
        return self.space.mutate(points, rng)

    def recombine(self, a: Points, b: Points, rng: np.random.Generator) -> Points:
        """See `Space`."""
        return self.space.recombine(a, b, rng)

    def encode(self, configs: Sequence[Config]) -> Points:
        """See `Space`."""
        return self.space.encode(configs)

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """See `Space`."""
        return self.space.decode(points)

    def default(self) -> dict[str, Any]:
        """See `Space`."""
        return self.space.default()

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """See `Space`."""
        return self.space.grid(resolution)

    def log_belief(self, points: Points) -> Floats:
        """See `Space`."""
        return self.space.log_belief(points)

    def check(self, config: Config) -> dict[str, Any]:
        """See `Space`."""
        return self.space.check(config)
