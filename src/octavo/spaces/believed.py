"""`Believed`: a space with a belief about whole configurations.

A belief about each hyperparameter (`Float(..., prior=...)`) says nothing of which values go
together. Whole configurations do: those that a colleague uses, that a paper names, that won on
the last data set. So does a function that weighs any configuration.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.beliefs import ASSUMED_SPREAD, LEAST
from octavo.spaces.protocol import Column, Config, Points, Space
from octavo.spaces.weighing import Forgotten, Weighing

__all__ = ["Believed"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Believed:
    """The same space, with a joint belief about which configurations are good.

    Sampling stays uniform; optimizers may weigh the belief, and begin with the configuration
    that is believed in most. Beliefs of the space itself, about single hyperparameters, count
    as well.

    Parameters
    ----------
    space
        What can be chosen.
    good
        Configurations of it near which good ones lie, the best first; at least one. Or a
        function from a configuration (a dict of the active hyperparameters) to how probable
        it is that it is good: a density, up to a factor, so at least 0, and twice as much
        for what is twice as probable. It is called 257 times at once, and then some hundred
        times for each proposal, so it should take microseconds. A stored study
        keeps its name alone: give it again, `open_study(folder, priors=function)`.
    spread
        How far from the configurations good ones may lie: standard deviation of the unit
        range, and the share of choices that differ. By default 0.25.

    Raises
    ------
    SpaceError
        Without configurations, if one is not in the space, or if the spread is not in (0, 1).
        If the function fails somewhere, or what it returns is negative or not finite.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> inner = space(x=Float(0, 1), kind=Categorical(["a", "b"]))
    >>> believed = Believed(inner, [{"x": 0.2, "kind": "b"}])
    >>> points = believed.encode([{"x": 0.2, "kind": "b"}, {"x": 0.9, "kind": "a"}])
    >>> believed.log_belief(points).round(1)
    array([ 1.3, -4.6])
    >>> believed = Believed(inner, lambda config: 3 if config["kind"] == "b" else 1)
    >>> believed.log_belief(points).round(1)
    array([ 0.4, -0.7])
    """

    def __init__(
        self,
        space: Space,
        good: Sequence[Config] | Callable[[dict[str, Any]], float] | Forgotten,
        spread: float | None = None,
    ) -> None:
        self.space = space
        self.good: list[dict[str, Any]] = []
        self.spread = ASSUMED_SPREAD if spread is None else spread
        self._weighing: Weighing | Forgotten | None = None
        self._has_warned = False
        if isinstance(good, Forgotten):
            self._weighing = good
        elif callable(good):
            if spread is not None:
                raise SpaceError(
                    f"spread={spread!r} is how far good configurations may lie from known ones, "
                    f"but {good!r} is a function, which says that itself. Leave it out."
                )
            self._weighing = Weighing(space, good)
        else:
            self._read(good)

    def _read(self, good: Sequence[Config]) -> None:
        spread = self.spread
        if isinstance(good, Mapping) or not isinstance(good, Sequence) or not len(good):
            raise SpaceError(
                f"the configurations believed to be good are {good!r:.80}. Give a list of at least "
                "one, such as [{'x': 0.5}], or a function that weighs any configuration."
            )
        if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0 < spread < 1:
            raise SpaceError(
                f"spread={spread!r} must be a number between 0 and 1: how far from the believed "
                "configurations good ones may lie, of the unit range. Leave it out for "
                f"{ASSUMED_SPREAD}."
            )
        self.spread = float(spread)
        self.good = [self.space.check(config) for config in good]
        self._centres = self.space.encode(self.good)

    @property
    def forgotten(self) -> str | None:
        """The name of the function that is believed in, where nothing else is known of it."""
        return self._weighing.name if isinstance(self._weighing, Forgotten) else None

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
        """The first of the configurations believed to be good; of a function, see `Weighing`."""
        if isinstance(self._weighing, Weighing):
            return self._weighing.most_believed()
        return dict(self.good[0]) if self.good else self.space.default()

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """See `Space`."""
        return self.space.grid(resolution)

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): log-density of the function, or of a mixture around configurations."""
        if isinstance(self._weighing, Weighing):
            return self.space.log_belief(points) + self._weighing.log_density(points)
        if isinstance(self._weighing, Forgotten):
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(self._weighing.advice, stacklevel=2)
            return self.space.log_belief(points)
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
        return np.asarray(self.space.log_belief(points) + np.log(np.maximum(density, LEAST)))

    def check(self, config: Config) -> dict[str, Any]:
        """See `Space`."""
        return self.space.check(config)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description of the space and the belief; of a function, the name alone."""
        if self._weighing is not None:
            return {
                "kind": "believed",
                "space": self.space.to_json(),
                "function": self._weighing.name,
            }
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

        if "function" in data:
            return cls(from_json(data["space"]), Forgotten(data["function"]))
        return cls(from_json(data["space"]), data["good"], data["spread"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Believed):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.space, len(self.good), self.spread))

    def __repr__(self) -> str:
        if self._weighing is not None:
            return f"Believed({self.space!r}, {self._weighing!r})"
        return f"Believed({self.space!r}, {self.good!r}, spread={self.spread!r})"
