"""What everything that can be chosen has in common: a `Space`, seen as rows of a matrix.

Optimizers never handle configurations one by one. A space turns configurations into
`Points`, a float matrix in the unit cube with NaN where a hyperparameter is inactive, with
a description of its columns, and back; it samples, mutates and recombines whole matrices.
Columns belong to a matrix, not to the space: a grammar's trees grow columns as they grow,
so two `Points` of one space may differ in width and are aligned before they are compared.

Encoding of a column in the unit interval: a discrete value number `k` of `n` sits at
`(k + 0.5) / n`; a continuous value at its (logarithmic, where declared) fraction; an integer
`v` on a logarithmic scale in the middle of its cell, from log(v - 1/2) to log(v + 1/2). A
place that is not exactly a value's is read as the value in whose cell it lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Config", "Points", "Space"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Config = Mapping[str, Any]
"""A configuration: the active hyperparameters and their values, JSON-able."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of an encoded matrix means.

    Parameters
    ----------
    name
        Name of the hyperparameter, or a path in a tree.
    kind
        "float" and "integer" and "ordinal" are ordered; "categorical" is not. A float with a
        step is a "float" with finitely many values.
    n_values
        How many different values there are; None if continuous.
    """

    name: str
    kind: Literal["float", "integer", "ordinal", "categorical"]
    n_values: int | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether a larger number means more."""
        return self.kind != "categorical"


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Configurations as rows of a matrix.

    Parameters
    ----------
    values : shape (n, d)
        In [0, 1]; NaN where the hyperparameter is inactive.
    columns
        One per column of `values`.
    """

    values: Floats
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int]) -> Points:
        """The same columns, fewer or repeated rows (never a single row as a vector)."""
        return Points(self.values[rows], self.columns)

    def keys(self) -> list[bytes]:
        """One hashable identity per row; equal configurations have equal keys.

        Encodings are rounded to 1e-9 of the range, so that a value that went through a
        decimal text (JSON, CSV) keeps its key. Inactive columns do not count, so keys of
        one space agree between matrices of different widths, and neither does the order of
        the columns.
        """
        names = np.array([hash_name(column.name) for column in self.columns], dtype=np.uint64)
        order = np.argsort(names)
        names = names[order]
        rounded = np.round(self.values[:, order], 9) + 0.0  # + 0.0: -0.0 and 0.0 are one value
        active = ~np.isnan(rounded)
        return [
            names[mask].tobytes() + row[mask].tobytes()
            for row, mask in zip(rounded, active, strict=True)
        ]

    def aligned(self, columns: tuple[Column, ...]) -> Points:
        """The same rows with exactly these columns; absent ones are inactive (NaN)."""
        if columns == self.columns:
            return self
        place = {column.name: i for i, column in enumerate(self.columns)}
        values = np.full((len(self), len(columns)), np.nan)
        for j, column in enumerate(columns):
            if column.name in place:
                values[:, j] = self.values[:, place[column.name]]
        return Points(values, columns)

    @staticmethod
    def join(parts: Sequence[Points]) -> Points:
        """All rows of all parts, over the union of their columns, in order of appearance."""
        if not parts:
            raise ValueError("Points.join needs at least one part, got none.")
        columns = parts[0].columns
        if any(part.columns != columns for part in parts):
            union = {column.name: column for part in parts for column in part.columns}
            columns = tuple(union.values())
        return Points(np.concatenate([part.aligned(columns).values for part in parts]), columns)


@lru_cache(maxsize=4096)
def hash_name(name: str) -> int:
    """A 64-bit number for a column's name, the same in every process (unlike `hash`)."""
    number = 14695981039346656037  # FNV-1a
    for byte in name.encode():
        number = ((number ^ byte) * 1099511628211) % 2**64
    return number


@runtime_checkable
class Space(Protocol):
    """Everything that can be chosen, for optimizers, histories and JSON alike.

    Every `Points` that a space returns is legal: conditions hold (a hyperparameter is NaN
    exactly when it is inactive) and no forbidden combination occurs.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns known in advance; a space of growing trees may encode to more."""
        ...

    @property
    def is_finite(self) -> bool:
        """Whether there is a finite number of configurations."""
        ...

    @property
    def n_dims(self) -> int:
        """How many numbers in [0, 1) `from_unit` takes for one configuration."""
        ...

    def from_unit(self, u: Floats) -> tuple[Points, Bools]:
        """Turn points of the unit cube into configurations; the law behind every sampler.

        Parameters
        ----------
        u : shape (n, n_dims)
            In [0, 1). Uniform numbers give uniform configurations.

        Returns
        -------
        points, legal
            The legal configurations only, and shape (n,): which rows of `u` were legal.
        """
        ...

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """`n` independent, uniformly drawn configurations (beliefs are not used)."""
        ...

    def mutate(self, points: Points, rng: np.random.Generator) -> Points:
        """Change one active hyperparameter in each row: a random neighbour of each.

        Numbers move by a Gaussian of standard deviation 0.2 of the range, cut at the
        bounds, and discrete ones by at least one step; unordered choices change to another
        choice. Hyperparameters that become active are drawn uniformly. A row that has no
        other legal configuration within reach comes back unchanged.
        """
        ...

    def recombine(self, a: Points, b: Points, rng: np.random.Generator) -> Points:
        """One child per pair of rows, each part taken from either parent at random."""
        ...

    def encode(self, configs: Sequence[Config]) -> Points:
        """Configurations as rows. Raises `SpaceError` if one is not in the space."""
        ...

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as configurations: plain dicts of plain Python values, active ones only."""
        ...

    def default(self) -> dict[str, Any]:
        """The configuration to start from: beliefs' most probable values, else the middle."""
        ...

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """Every legal configuration once, lazily, in a fixed order.

        Continuous and large integer hyperparameters take `resolution` evenly spread values
        including both bounds; all others take all their values. Of a finite space,
        `grid` with a large enough resolution is a complete enumeration; infinite trees
        come in order of size.
        """
        ...

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): log-density of the beliefs relative to uniform; zeros without beliefs."""
        ...

    def check(self, config: Config) -> dict[str, Any]:
        """The configuration with plain values, or a `SpaceError` naming what is wrong."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description from which `octavo.spaces.from_json` builds it again."""
        ...
