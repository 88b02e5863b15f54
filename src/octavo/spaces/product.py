"""`Product`: several named spaces searched together, such as preprocessing and architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError, closest
from octavo.spaces.protocol import Column, Config, Points, Space

__all__ = ["Product"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Product:
    """All combinations of the configurations of several spaces.

    A configuration is a dict with one configuration per part; columns are named
    "part/column".

    Parameters
    ----------
    parts
        Spaces by name; at least one.

    Examples
    --------
    >>> from octavo.spaces import Grammar, Integer, space
    >>> net = Grammar({"net": [["conv", "net"], ["end"]]}, start="net", max_depth=2)
    >>> list(Product({"data": space(size=Integer(1, 2)), "net": net}).grid(2))[0]
    {'data': {'size': 1}, 'net': {'net': ['end']}}
    """

    def __init__(self, parts: Mapping[str, Space]) -> None:
        self.parts = dict(parts)
        if not self.parts:
            raise SpaceError(
                "a Product has 0 parts, so there is nothing to choose. Give at least one space, "
                'such as Product({"model": space(...)}).'
            )
        for name, part in self.parts.items():
            if not isinstance(name, str) or not name or "/" in name:
                raise SpaceError(
                    f"{name!r} cannot be the name of a part. Use a string that is not empty and "
                    "has no '/'."
                )
            if not isinstance(part, Space):
                raise SpaceError(
                    f"the part {name!r} is of type {type(part).__name__}, which is no space. "
                    "Write one with space(...), or read it with as_space(...)."
                )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of all parts, in order."""
        return tuple(c for name, part in self.parts.items() for c in _named(name, part.columns))

    @property
    def is_finite(self) -> bool:
        """Whether all parts have finitely many configurations."""
        return all(part.is_finite for part in self.parts.values())

    @property
    def n_dims(self) -> int:
        """How many numbers in [0, 1) `from_unit` takes for one configuration."""
        return sum(part.n_dims for part in self.parts.values())

    def split(self, points: Points) -> dict[str, Points]:
        """The points of each part; a part's own columns without its name."""
        result: dict[str, Points] = {}
        for name, part in self.parts.items():
            prefix = f"{name}/"
            at = [i for i, c in enumerate(points.columns) if c.name.startswith(prefix)]
            columns = tuple(
                Column(c.name.removeprefix(prefix), c.kind, c.n_values)
                for c in (points.columns[i] for i in at)
            )
            own = Points(points.values[:, at], columns)
            missing = [c for c in part.columns if c not in columns]
            result[name] = own.aligned((*columns, *missing)) if missing else own
        return result

    def _join(self, points: Mapping[str, Points]) -> Points:
        """The points of all parts, side by side."""
        columns = tuple(c for name, p in points.items() for c in _named(name, p.columns))
        return Points(np.hstack([p.values for p in points.values()]), columns)

    # Sampling ---------------------------------------------------------------------------

    def from_unit(self, u: Floats) -> tuple[Points, Bools]:
        """Turn points of the unit cube into configurations; legal where all parts are.

        Parameters
        ----------
        u : shape (n, n_dims)
            In [0, 1).

        Returns
        -------
        points, legal
            The legal configurations, and shape (n,): which rows of `u` were legal.
        """
        made: dict[str, tuple[Points, Bools]] = {}
        start = 0
        for name, part in self.parts.items():
            made[name] = part.from_unit(u[:, start : start + part.n_dims])
            start += part.n_dims
        legal: Bools = np.logical_and.reduce([ok for _, ok in made.values()])
        # A part returns its own legal rows only; of those we keep where the others are, too.
        return self._join(
            {name: p[np.flatnonzero(legal[ok])] for name, (p, ok) in made.items()}
        ), legal

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """`n` independent, uniformly drawn configurations."""
        return self._join({name: part.sample(n, rng) for name, part in self.parts.items()})

    def mutate(self, points: Points, rng: np.random.Generator) -> Points:
        """Change one active hyperparameter of one part in each row."""
        split = self.split(points)
        n_active = np.array([(~np.isnan(p.values)).sum(axis=1) for p in split.values()])
        lottery = n_active.cumsum(axis=0) > rng.random(len(points)) * n_active.sum(axis=0)
        chosen = np.argmax(lottery, axis=0)  # a part in proportion to what is active in it
        result: dict[str, Points] = {}
        for k, (name, part) in enumerate(self.parts.items()):
            rows, others = np.flatnonzero(chosen == k), np.flatnonzero(chosen != k)
            moved = Points.join([split[name][others], part.mutate(split[name][rows], rng)])
            back = np.argsort(np.concatenate([others, rows]))
            result[name] = moved[back]
        return self._join(result)

    def recombine(self, a: Points, b: Points, rng: np.random.Generator) -> Points:
        """One child per pair of rows, each part a child of the parents' parts."""
        first, second = self.split(a), self.split(b)
        return self._join(
            {n: part.recombine(first[n], second[n], rng) for n, part in self.parts.items()}
        )

    # Configurations -----------------------------------------------------------------------

    def encode(self, configs: Sequence[Config]) -> Points:
        """Configurations as rows. Raises `SpaceError` if one is not in the space."""
        for config in configs:
            self._check_parts(config)
        return self._join(
            {n: part.encode([config[n] for config in configs]) for n, part in self.parts.items()}
        )

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as configurations: a dict with one configuration per part."""
        split = self.split(points)
        parts = [part.decode(split[name]) for name, part in self.parts.items()]
        return [dict(zip(self.parts, row, strict=True)) for row in zip(*parts, strict=True)]

    def _check_parts(self, config: Config) -> None:
        names = ", ".join(map(repr, self.parts))
        if not isinstance(config, Mapping):
            raise SpaceError(
                f"a configuration is {config!r:.80}, of type {type(config).__name__}. "
                f"Give a dict with one configuration for each of {names}."
            )
        for name in config:
            if name not in self.parts:
                raise SpaceError(
                    f"{name!r} is no part of this space.{closest(str(name), self.parts)} "
                    f"Its parts are {names}."
                )
        for name in self.parts:
            if name not in config:
                raise SpaceError(f"the part {name!r} is missing. Give one for each of {names}.")

    def default(self) -> dict[str, Any]:
        """The defaults of all parts."""
        return {name: part.default() for name, part in self.parts.items()}

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """Every combination of the parts' grids once; fair if some are endless."""
        rows: Iterator[tuple[dict[str, Any], ...]] = iter([()])
        for part in self.parts.values():
            rows = ((*row, config) for row, config in _pairs(rows, part.grid(resolution)))
        for row in rows:
            yield dict(zip(self.parts, row, strict=True))

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): the sum of the parts' log-beliefs."""
        split = self.split(points)
        total: Floats = np.zeros(len(points))
        for name, part in self.parts.items():
            total = total + part.log_belief(split[name])
        return total

    def check(self, config: Config) -> dict[str, Any]:
        """The configuration with plain values, or a `SpaceError` naming part and fault."""
        self._check_parts(config)
        result = {}
        for name, part in self.parts.items():
            try:
                result[name] = part.check(config[name])
            except SpaceError as error:
                raise SpaceError(f"in the part {name!r}: {error}") from None
        return result

    # As data --------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description of all parts."""
        return {"kind": "product", "parts": {n: p.to_json() for n, p in self.parts.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Product:
        """The space that `to_json` described."""
        from octavo.spaces import from_json

        return cls({name: from_json(part) for name, part in data["parts"].items()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Product):
            return NotImplemented
        return self.parts == other.parts

    def __hash__(self) -> int:
        return hash(tuple(self.parts.items()))

    def __repr__(self) -> str:
        return f"Product({self.parts!r})"


def _named(part: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(Column(f"{part}/{c.name}", c.kind, c.n_values) for c in columns)


def _pairs(
    first: Iterator[tuple[dict[str, Any], ...]], second: Iterator[dict[str, Any]]
) -> Iterator[tuple[tuple[dict[str, Any], ...], dict[str, Any]]]:
    """Every pair once, along the diagonals, so that either side may be endless."""
    left: list[tuple[dict[str, Any], ...]] = []
    right: list[dict[str, Any]] = []
    more_left = more_right = True
    diagonal = 0
    while more_left or more_right or diagonal < len(left) + len(right) - 1:
        if more_left:
            row = next(first, None)
            more_left = row is not None
            if row is not None:
                left.append(row)
        if more_right:
            config = next(second, None)
            more_right = config is not None
            if config is not None:
                right.append(config)
        if (not more_left and not left) or (not more_right and not right):
            return
        for i in range(max(0, diagonal - len(right) + 1), min(diagonal + 1, len(left))):
            yield left[i], right[diagonal - i]
        diagonal += 1
