"""`BelievedBy`: a space with a belief that somebody has written down as a function.

What an expert knows is at times a rule: deep trees want a small learning rate, the product of two
numbers should be about one. A function of the whole configuration can say that.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.beliefs import LEAST
from octavo.spaces.protocol import Config, Points, Space
from octavo.spaces.wrapped import Wrapped

__all__ = ["BelievedBy"]

Floats = NDArray[np.float64]

_N_KNOWN = 1000  # configurations from which the mean belief is taken


class BelievedBy(Wrapped):
    """The same space, with a joint belief: a function says how likely each configuration is good.

    Sampling stays uniform; optimizers may weigh the belief, and begin where it is highest among
    a thousand configurations. Beliefs of the space itself, about single hyperparameters, count
    as well. The function is called for some hundred configurations per proposal.

    A stored study keeps the name of the function. To go on with it in another process, the
    function must be importable by that name, or stand in the script that goes on.

    Parameters
    ----------
    space
        What can be chosen.
    belief
        Of a configuration; at least 0. Only ratios count: 2 is believed in twice as much as 1.

    Raises
    ------
    SpaceError
        If it is 0 everywhere, or gives something else than a number of at least 0.

    Examples
    --------
    >>> from octavo.spaces import Float, space
    >>> numbers = space(x=Float(0, 1), y=Float(0, 1))
    >>> believed = BelievedBy(numbers, lambda config: 3.0 if config["x"] > config["y"] else 1.0)
    >>> points = believed.encode([{"x": 0.9, "y": 0.1}, {"x": 0.1, "y": 0.9}])
    >>> np.exp(believed.log_belief(points)).round(1)
    array([1.5, 0.5])
    """

    def __init__(self, space: Space, belief: Callable[[Config], float] | str) -> None:
        super().__init__(space)
        self._belief = None if isinstance(belief, str) else belief
        self.name = belief if isinstance(belief, str) else _name_of(belief)
        self._known: tuple[float, dict[str, Any]] | None = None
        if self._belief is not None:
            self._mean_and_best()  # what is wrong with it is said now

    def default(self) -> dict[str, Any]:
        """Where the belief is highest, of a thousand random ones and the space's own default."""
        return dict(self._mean_and_best()[1])

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): log-density, relative to uniform."""
        density = self._values(self.space.decode(points)) / self._mean_and_best()[0]
        return self.space.log_belief(points) + np.log(np.maximum(density, LEAST))

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description of the space, and the function's name."""
        return {"kind": "believed-by", "space": self.space.to_json(), "belief": self.name}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BelievedBy:
        """The space that `to_json` described; the function is looked up when it is needed."""
        from octavo.spaces import from_json

        return cls(from_json(data["space"]), str(data["belief"]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BelievedBy):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.space, self.name))

    def __repr__(self) -> str:
        return f"BelievedBy({self.space!r}, {self.name})"

    # Inside --------------------------------------------------------------------------

    def _mean_and_best(self) -> tuple[float, dict[str, Any]]:
        """The mean over random configurations, and the best of them and of the default."""
        if self._known is None:
            random = self.space.decode(self.space.sample(_N_KNOWN, np.random.default_rng(0)))
            configs = [self.space.default(), *random]
            values = self._values(configs)
            with np.errstate(over="ignore"):
                mean = float(values[1:].mean())
            if not 0 < mean < math.inf:
                raise SpaceError(
                    f"the belief {self.name} is {'0' if mean == 0 else 'too large to add up'} in "
                    f"{_N_KNOWN} random configurations. Only ratios count: give numbers around 1, "
                    "and small ones, not 0, where you have doubts."
                )
            self._known = mean, configs[int(np.argmax(values))]
        return self._known

    def _values(self, configs: list[dict[str, Any]]) -> Floats:
        belief = self._function()
        values = np.empty(len(configs))
        for i, config in enumerate(configs):
            value = belief(config)
            try:
                values[i] = value
            except (TypeError, ValueError):
                values[i] = math.nan
            if not 0 <= values[i] < math.inf:
                raise SpaceError(
                    f"the belief {self.name} is {value!r} for {config!r}, where a number of at "
                    "least 0 is needed: how likely the configuration is to be good, relative to "
                    "others. Take the exponential of a logarithm."
                )
        return values

    def _function(self) -> Callable[[Config], float]:
        if self._belief is None:
            module, _, name = self.name.partition(":")
            try:
                found: Any = importlib.import_module(module)
                for part in name.split("."):
                    found = getattr(found, part)
            except (ImportError, AttributeError, ValueError) as error:
                raise SpaceError(
                    f"the belief of this space is the function {self.name!r}, which cannot be "
                    f"imported here ({error}). A stored study keeps only its name: define it "
                    "under that name in the script that goes on, or in a module that can be "
                    "imported."
                ) from error
            self._belief = found
        assert self._belief is not None
        return self._belief


def _name_of(belief: Callable[..., Any]) -> str:
    name = getattr(belief, "__qualname__", type(belief).__qualname__)
    return f"{getattr(belief, '__module__', type(belief).__module__)}:{name}"
