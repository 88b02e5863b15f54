"""`HyperparameterSpace`: everything that ConfigSpace's language can say, on whole matrices.

The language is ConfigSpace's JSON. It is compiled (`spaces/encoding.py`), so that sampling,
encoding and moving never touch ConfigSpace's objects, and ConfigSpace itself, which takes
most of a second to import, is only loaded when somebody asks for `.configspace` or brings a
`ConfigurationSpace`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces import beliefs, enumeration, movement
from octavo.spaces.domains import Domain
from octavo.spaces.encoding import Encoding
from octavo.spaces.logic import Expression
from octavo.spaces.protocol import Column, Config, Points

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

__all__ = ["HyperparameterSpace"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_DRAWS = 200_000
"""After so many draws for one call, we ask whether it is worth to go on."""

LEAST_LEGAL = 1e-4
"""It is not if a smaller share of them was legal."""

MOST_ENUMERATED = 200_000
"""How many configurations of a nearly empty finite space are held in memory to draw from."""


class HyperparameterSpace:
    """Hyperparameters with conditions, forbidden combinations and beliefs: a `Space`.

    Written with `octavo.space(...)`, or made from a hand-built `ConfigurationSpace` by
    `from_configspace`. Normal and beta hyperparameters and weighted choices of a hand-built
    space are read as beliefs: the space itself is sampled uniformly.

    Parameters
    ----------
    language
        ConfigSpace's JSON as a dict; the order of its hyperparameters is the order of
        columns and of the keys in configurations.

    Raises
    ------
    SpaceError
        If the description is empty or contradicts itself.

    Examples
    --------
    >>> from octavo.spaces import Float, space
    >>> s = space(x=Float(0, 1))
    >>> s.decode(s.sample(2, np.random.default_rng(0)))
    [{'x': 0.636961687321}, {'x': 0.269786713764}]
    """

    def __init__(self, language: Mapping[str, Any]) -> None:
        self._language = dict(language)
        self._encoding = Encoding(self._language)

    @classmethod
    def from_configspace(cls, space: ConfigurationSpace) -> HyperparameterSpace:
        """A hand-built `ConfigurationSpace` as a `Space`."""
        return cls(_jsonable(space.to_serialized_dict()))

    @cached_property
    def configspace(self) -> ConfigurationSpace:
        """The space as ConfigSpace's own object; stepped hyperparameters are integers there."""
        from ConfigSpace import ConfigurationSpace

        # a copy without shared parts, because ConfigSpace empties what it reads
        return ConfigurationSpace.from_serialized_dict(_jsonable(self._language))

    # What it is ------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[Column, ...]:
        """One per hyperparameter with more than one value, in order of declaration."""
        return self._encoding.columns

    @property
    def names(self) -> tuple[str, ...]:
        """All hyperparameters, constants included, in order of declaration."""
        return self._encoding.names

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The values of all hyperparameters, constants included, in order of declaration."""
        return self._encoding.domains

    @property
    def is_finite(self) -> bool:
        """Whether there is a finite number of configurations."""
        return self._encoding.is_finite

    @property
    def n_dims(self) -> int:
        """How many numbers in [0, 1) `from_unit` takes for one configuration."""
        return len(self.columns)

    # Sampling ---------------------------------------------------------------------------

    def from_unit(self, u: Floats) -> tuple[Points, Bools]:
        """Turn points of the unit cube into configurations.

        Parameters
        ----------
        u : shape (n, n_dims)
            In [0, 1).

        Returns
        -------
        points, legal
            The legal configurations, and shape (n,): which rows of `u` were legal.
        """
        values, legal = self._encoding.from_unit(np.asarray(u, dtype=float))
        return Points(values, self.columns), legal

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """`n` independent, uniformly drawn configurations (beliefs are not used).

        Raises
        ------
        SpaceError
            If nearly every configuration is forbidden and they cannot be enumerated, or if
            the arguments are no number and no generator.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise SpaceError(
                f"sample got n={n!r}, of type {type(n).__name__}. Give a whole number of at least "
                "0: how many configurations to draw."
            )
        if not isinstance(rng, np.random.Generator):
            raise SpaceError(
                f"sample got rng={rng!r}, of type {type(rng).__name__}. Pass a generator, such as "
                "numpy.random.default_rng(0)."
            )
        parts: list[Floats] = [np.empty((0, self.n_dims))]
        found = drawn = 0
        size = n
        while found < n:
            if drawn >= MOST_DRAWS and found < LEAST_LEGAL * drawn:
                parts = [self._sample_enumerated(n, rng, drawn)]
                break
            values, _ = self._encoding.from_unit(rng.random((size, self.n_dims)))
            drawn += size
            found += len(values)
            parts.append(values)
            # As many as are probably needed, or twice as many as ever while none is legal.
            size = min(
                max(64, int(1.2 * (n - found) * drawn / found) if found else 2 * drawn), 50_000
            )
        return Points(np.concatenate(parts)[:n], self.columns)

    def _sample_enumerated(self, n: int, rng: np.random.Generator, drawn: int) -> Floats:
        """Like `sample`, from the list of all legal configurations."""
        rows: list[Floats] = []
        if self.is_finite and self._small_enough():
            rows = list(enumeration.blocks(self._encoding, None))
        if not rows:
            clauses = "; ".join(map(str, self._encoding.forbidden))
            raise SpaceError(
                f"nearly every configuration is forbidden: of {drawn} random ones hardly any "
                f"was legal. Remove or relax a forbidden combination ({clauses}), or narrow the "
                "ranges to where configurations are legal."
            )
        values = np.concatenate(rows)
        # A configuration is as likely as the cell of the unit cube that leads to it.
        log_volume = np.zeros(len(values))
        for column, i in enumerate(self._encoding.free):
            active = ~np.isnan(values[:, column])
            domain = self._encoding.domains[i]
            left, right = domain.edges(domain.stored(values[active, column]))
            log_volume[active] += np.log(right - left)
        weights = np.exp(log_volume - log_volume.max())
        return values[rng.choice(len(values), size=n, p=weights / weights.sum())]

    def _small_enough(self) -> bool:
        found = 0
        for block in enumeration.blocks(self._encoding, None):
            found += len(block)
            if found > MOST_ENUMERATED:
                return False
        return True

    def mutate(self, points: Points, rng: np.random.Generator) -> Points:
        """Change one active hyperparameter in each row: a random neighbour of each."""
        values = points.aligned(self.columns).values
        return Points(movement.mutate(self._encoding, values, rng), self.columns)

    def recombine(self, a: Points, b: Points, rng: np.random.Generator) -> Points:
        """One child per pair of rows, each part taken from either parent at random."""
        first, second = a.aligned(self.columns).values, b.aligned(self.columns).values
        return Points(movement.recombine(self._encoding, first, second, rng), self.columns)

    # Configurations -----------------------------------------------------------------------

    def encode(self, configs: Sequence[Config]) -> Points:
        """Configurations as rows. Raises `SpaceError` if one is not in the space."""
        return Points(self._encoding.encode(configs), self.columns)

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as configurations: plain dicts of plain Python values, active ones only."""
        return self._encoding.decode(points)

    def check(self, config: Config) -> dict[str, Any]:
        """The configuration with plain values, or a `SpaceError` naming what is wrong.

        Constants may be left out; they are filled in.
        """
        return self._encoding.check(config)[0]

    def default(self) -> dict[str, Any]:
        """The configuration to start from: beliefs' most probable values, else the middle."""
        at = [self._encoding.domains[i] for i in self._encoding.free]
        row = np.array([[d.unit(np.array([d.default]))[0] for d in at]])
        full = self._encoding.spread(row.reshape(1, self.n_dims))
        self._encoding.settle(full)
        return self.decode(Points(full[:, self._encoding.free], self.columns))[0]

    def forbids(self, config: Config) -> Expression | None:
        """The first forbidden combination that an otherwise right configuration has."""
        return self._encoding.first_forbidden(config)

    def nearest_legal(self, config: Config, keep: Collection[str] = ()) -> dict[str, Any]:
        """A legal configuration near an otherwise right one that has a forbidden combination.

        Parameters
        ----------
        config
            Where to look around.
        keep
            Hyperparameters that should keep their values if at all possible.

        Returns
        -------
        The nearest among its neighbours and 2048 random configurations: first by how many of
        `keep` change, then by how many others do, then by distance.
        """
        rng = np.random.default_rng(0)  # the same space always has the same default
        values = self.sample(2048, rng).values
        start = self._encoding.unchecked(config)
        near = movement.neighbours(self._encoding, start[0], rng)
        candidates = np.concatenate([near, values])
        weights = np.array([1000.0 if c.name in keep else 1.0 for c in self.columns])
        gap = np.abs(np.nan_to_num(candidates, nan=-1.0) - np.nan_to_num(start, nan=-1.0))
        cost = ((gap > 1e-9) * weights).sum(axis=1) + gap.sum(axis=1) / (4 * len(weights))
        best = int(np.argmin(cost))
        return self.decode(Points(candidates[best : best + 1], self.columns))[0]

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """Every legal configuration once, lazily, in a fixed order.

        Parameters
        ----------
        resolution
            How many evenly spread values a continuous hyperparameter, or an integer with more
            values than that, takes, including both bounds; at least 1 (then the middle).
        """
        if resolution < 1:
            raise SpaceError(
                f"resolution={resolution!r} gives an empty grid. Use at least 1; 2 takes both "
                "bounds of each number."
            )
        for block in enumeration.blocks(self._encoding, resolution):
            yield from self.decode(Points(block, self.columns))

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): log-density of the beliefs relative to uniform; zeros without beliefs."""
        values = points.aligned(self.columns).values
        total = np.zeros(len(values))
        for column, i in enumerate(self._encoding.free):
            total += beliefs.log_density(self._encoding.domains[i], values[:, column])
        return total

    # As data --------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description, ConfigSpace's own inside of it."""
        return {"kind": "hyperparameters", "space": _jsonable(self._language)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HyperparameterSpace:
        """The space that `to_json` described."""
        return cls(data["space"])

    def __reduce__(self) -> tuple[Any, ...]:
        return HyperparameterSpace, (self._language,)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HyperparameterSpace):
            return NotImplemented
        return self._language == other._language

    def __hash__(self) -> int:
        return hash(json.dumps(self._language, sort_keys=True))

    def __repr__(self) -> str:
        lines = []
        for domain, condition in zip(
            self._encoding.domains, self._encoding.conditions, strict=True
        ):
            log = ", log" if domain.log else ""
            when = f", when {condition}" if condition is not None else ""
            lines.append(f"  {domain.name}: {domain.expected}{log}{when}")
        lines += [f"  forbidden: {clause}" for clause in self._encoding.forbidden]
        return "HyperparameterSpace(\n" + "\n".join(lines) + "\n)"


def _jsonable(value: Any) -> Any:
    """A copy with plain values; what has none is left for the compiler to refuse by name."""
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
