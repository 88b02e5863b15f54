"""A configuration that nobody has tried: the common law of finite spaces.

No configuration of a finite space is proposed twice, and when all have been, the search is
over. Drawing at random finds a new one at once while most are new; near the end the space
is enumerated. By the pigeonhole principle, going through one more configuration than have
been seen finds a new one if there is one, so even a huge finite space costs little.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from octavo.optimizers.told import Seen
from octavo.spaces.protocol import Points, Space

__all__ = ["Unseen", "complete_resolution"]

_DRAWS = (4, 64, 512)
_CHOICE = 256  # near the end, one of this many new configurations is taken at random


def complete_resolution(space: Space) -> int:
    """A resolution at which `space.grid` enumerates all of a finite space."""
    return max([2, *(column.n_values or 2 for column in space.columns)])


class Unseen:
    """Draws configurations of a space that are not in a set of seen ones.

    Parameters
    ----------
    space
        Where to draw.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        # The enumeration as far as it was needed; it depends on the space alone, so
        # keeping it does not break the replay law.
        self._rest: Iterator[dict[str, Any]] | None = None
        self._known: list[dict[str, Any]] = []
        self._keys: list[bytes] = []

    def draw(self, seen: Seen, rng: np.random.Generator) -> Points | None:
        """One new configuration (a single row), uniformly; None if there is no new one.

        An infinite space always answers, if need be with a configuration seen before.
        """
        for n in _DRAWS:
            points = self._space.sample(n, rng)
            row = seen.first_unseen(points)
            if row is not None:
                return points[row : row + 1]
        self._enumerate(len(seen) + _CHOICE)
        within = self._keys[: len(seen) + _CHOICE]
        new = [place for place, key in enumerate(within) if key not in seen][:_CHOICE]
        if new:
            return self._space.encode([self._known[new[rng.integers(len(new))]]])
        return None if self._space.is_finite else points[:1]

    def _enumerate(self, n: int) -> None:
        """Make sure that the first `n` configurations of the enumeration are known."""
        if self._rest is None:
            self._rest = self._space.grid(complete_resolution(self._space))
        fresh = list(islice(self._rest, max(0, n - len(self._known))))
        if fresh:
            self._known.extend(fresh)
            self._keys.extend(self._space.encode(fresh).keys())
