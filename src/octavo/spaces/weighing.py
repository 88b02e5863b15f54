"""A belief as a function of the configuration, as a density that optimizers can weigh."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.beliefs import LEAST
from octavo.spaces.domains import is_number
from octavo.spaces.protocol import Points, Space

__all__ = ["Forgotten", "Weighing"]

Floats = NDArray[np.float64]

_DRAWS = 256
_MOST_KEPT = 100_000  # weights, by configuration


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A function of which only the name is known, as of a stored study.

    Parameters
    ----------
    name
        "module:qualname".
    """

    name: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return (
            f"this search goes on without the belief {self.name!r}: it is a function, which is "
            "not stored. Give it again, octavo.open_study(folder, priors=function), or go on "
            "without it."
        )


class Weighing:
    """A function that weighs configurations, relative to its mean over a space.

    The mean is that over 256 uniform draws, always the same ones. What is never drawn, and
    weighs all there is, may make it far too small; only the factor is off then, which nobody
    minds: optimizers compare.

    Parameters
    ----------
    space
        Of the configurations.
    function
        From a configuration to a weight of at least 0.

    Raises
    ------
    SpaceError
        If the function fails at one of the draws, or weighs one in a way that makes no sense.
    """

    def __init__(self, space: Space, function: Callable[[dict[str, Any]], float]) -> None:
        self._space, self._function = space, function
        self._kept: dict[bytes, float] = {}
        self._draws = Points.join(
            [space.encode([space.default()]), space.sample(_DRAWS, np.random.default_rng(0))]
        )
        self._weights = self._weigh(self._draws)
        self._mean = float(self._weights[1:].mean()) or 1.0

    @property
    def name(self) -> str:
        """Its module and qualified name, by which people know it."""
        its: Any = self._function
        module = getattr(its, "__module__", None) or "?"
        return f"{module}:{getattr(its, '__qualname__', None) or type(its).__qualname__}"

    def most_believed(self) -> dict[str, Any]:
        """The space's default or one of the draws: the first that is believed in most."""
        belief = self._space.log_belief(self._draws) + self._log(self._weights)
        best = int(np.argmax(belief))
        return self._space.decode(self._draws[best : best + 1])[0]

    def log_density(self, points: Points) -> Floats:
        """Shape (n,): relative to uniform, and at least `LEAST` of it."""
        return self._log(self._weigh(points))

    def _log(self, weights: Floats) -> Floats:
        return np.log(np.maximum(weights / self._mean, LEAST))

    def _weigh(self, points: Points) -> Floats:
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        keys = points.keys()
        new = [row for row, key in enumerate(keys) if key not in self._kept]
        for row, config in zip(new, self._space.decode(points[new]), strict=True):
            self._kept[keys[row]] = self._weight(config)
        return np.array([self._kept[key] for key in keys], dtype=float)

    def _weight(self, config: dict[str, Any]) -> float:
        try:
            weight: Any = self._function(dict(config))
        except Exception as error:
            raise SpaceError(
                f"the belief {self.name!r} failed at {config!r} with {type(error).__name__}: "
                f"{error}. It is asked about any configuration; what is inactive is not in it, "
                "so read it such as config.get('momentum', 0.9)."
            ) from error
        is_weight = is_number(weight) or isinstance(weight, bool | np.bool_)
        if not is_weight or not math.isfinite(weight) or weight < 0:
            raise SpaceError(
                f"the belief {self.name!r} is {weight!r} at {config!r}, but must be a finite "
                "number of at least 0: a density, not its logarithm."
            )
        return float(weight)

    def __repr__(self) -> str:
        return repr(self._function)
