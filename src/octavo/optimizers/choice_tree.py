"""A space as a tree of choices: what is to be chosen next, once some choices are made.

Searchers that decide one choice after the other need three things of a space: an order in
which every choice comes after those that it depends on, whether a choice exists once the
earlier ones are made, and whole configurations that agree with what was chosen. All follow
from `Space.from_unit`, so any space will do: spaces with fixed columns read number `i` of a
row as column `i`; those whose columns grow read the next number for the next choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.product import Product
from octavo.spaces.protocol import Column, Points, Space

__all__ = ["ChoiceTree", "Interval", "agree", "halves", "part_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Interval = tuple[float, float]
"""A part of [0, 1] to which a choice is confined: its lower end belongs to it."""

_JUST_BELOW_ONE = np.nextafter(1.0, 0.0)
_MOST_CELLS = 32  # a range with more values is halved as if it were continuous
_SMALLEST_WIDTH = 2.0**-8


class ChoiceTree:
    """The choices of a space, those that others depend on first.

    Parameters
    ----------
    space
        Any space; of `Product` the choices of one part come before those of the next.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> tree = ChoiceTree(space(x=Float(0, 1).when(kind="a"), kind=Categorical(["a", "b"])))
    >>> rng = np.random.default_rng(0)
    >>> tree.ready(tree.complete({}, 1, rng), {})
    ['kind']
    >>> tree.ready(tree.complete({"kind": np.array([0.25])}, 1, rng), {"kind"})
    ['x']
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._parts = list(_parts(space))

    def parents(self, name: str, known: Mapping[str, Any]) -> tuple[str, ...]:
        """The choices that decide whether a choice exists, or what stands above it.

        Parameters
        ----------
        name
            A column.
        known
            Has the names of columns as keys; in a growing tree, the parent is looked up
            among them.
        """
        for part in self._parts:
            if part.parents is not None and name in part.parents:
                return part.parents[name]
        above = name.rpartition(".")[0]
        while above and above not in known:  # a place with one alternative has no column
            above = above.rpartition(".")[0]
        return (above,) if above else ()

    def complete(self, made: Mapping[str, Floats], n: int, rng: np.random.Generator) -> Points:
        """Random configurations in which some choices are made already.

        Parameters
        ----------
        made : arrays of shape (n,)
            Places in [0, 1] by column, in the order in which they were found `ready`.
        n
            How many to draw.
        rng
            Draws the choices that are not made.

        Returns
        -------
        The legal ones, at most `n`.
        """
        u = rng.random((n, self._space.n_dims))
        for part in self._parts:
            inside = [name for name in made if part.has(name)]
            for k, name in enumerate(inside):
                at = k if part.place is None else part.place[name]
                if at < part.n_dims:
                    u[:, part.offset + at] = np.minimum(made[name], _JUST_BELOW_ONE)
        return self._space.from_unit(u)[0]

    def ready(self, points: Points, made: Mapping[str, Any] | set[str]) -> list[str]:
        """The open choices that exist for certain, whatever else will be chosen.

        Parameters
        ----------
        points
            At least one configuration that agrees with what is made.
        made
            Names of the choices that are made.

        Returns
        -------
        Columns in order; empty if all is chosen. In a growing tree, only the next one.
        """
        row = points.values[0]
        active = [c.name for c, x in zip(points.columns, row, strict=True) if not np.isnan(x)]
        found: list[str] = []
        for part in self._parts:
            if part.parents is None:
                # The first row of a matrix has its columns in the order of its choices.
                fresh = (name for name in active if part.has(name) and name not in made)
                found += list(fresh)[:1]
                continue
            here = {name for name in active if part.has(name)}
            settled: set[str] = set()
            for name, above in part.parents.items():  # in an order in which parents come first
                if all(parent in settled for parent in above):
                    if name in here and name not in made:
                        found.append(name)
                    else:
                        settled.add(name)
        return found


class _Part:
    """One space of a product, or the whole.

    Parameters
    ----------
    space
        No product.
    prefix
        Of its columns' names.
    offset
        Where its numbers begin in a row of the unit cube.
    """

    def __init__(self, space: Space, prefix: str, offset: int) -> None:
        self.offset, self.n_dims, self._prefix = offset, space.n_dims, prefix
        names = [prefix + column.name for column in space.columns]
        is_fixed = space.n_dims == len(names)
        self.place = {name: i for i, name in enumerate(names)} if is_fixed else None
        self.parents: dict[str, tuple[str, ...]] | None = None
        if is_fixed:
            self.parents = _parents_first(names, _conditions(space, prefix))

    def has(self, name: str) -> bool:
        return name.startswith(self._prefix) if self.place is None else name in self.place


def _parts(space: Space, prefix: str = "", offset: int = 0) -> Iterator[_Part]:
    if not isinstance(space, Product):
        yield _Part(space, prefix, offset)
        return
    for name, part in space.parts.items():
        yield from _parts(part, f"{prefix}{name}/", offset)
        offset += part.n_dims


def _conditions(space: Space, prefix: str) -> dict[str, set[str]]:
    """The parents of each conditional column, as far as a space tells."""
    found: dict[str, set[str]] = {}
    if isinstance(space, HyperparameterSpace):
        for item in space.to_json()["space"].get("conditions", ()):
            for single in _leaves(item):
                found.setdefault(prefix + single["child"], set()).add(prefix + single["parent"])
    return found


def _leaves(condition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "conditions" not in condition:
        yield condition
        return
    for inner in condition["conditions"]:
        yield from _leaves(inner)


def _parents_first(
    names: Sequence[str], conditions: Mapping[str, set[str]]
) -> dict[str, tuple[str, ...]]:
    """The parents of each column; columns in their own order, but after their parents."""
    ordered: dict[str, tuple[str, ...]] = {}
    columns = set(names)

    def above(name: str) -> set[str]:
        """Its parents; in place of constants, which have no column, what those depend on."""
        found: set[str] = set()
        for parent in conditions.get(name, ()):
            found |= {parent} if parent in columns else above(parent)
        return found

    def visit(name: str) -> None:
        if name not in ordered:
            parents = sorted(above(name), key=names.index)
            for parent in parents:
                visit(parent)
            ordered[name] = tuple(parents)

    for name in names:
        visit(name)
    return ordered


# Parts of ranges ----------------------------------------------------------------------


def halves(column: Column, interval: Interval) -> list[Interval]:
    """The two halves of a part of a range; none if it is small enough.

    Parameters
    ----------
    column
        An ordered one; with few values, a part is not divided below a single one.
    interval
        A part of [0, 1].

    Examples
    --------
    >>> halves(Column("k", "integer", 3), (0.0, 1.0))
    [(0.0, 0.3333333333333333), (0.3333333333333333, 1.0)]
    """
    low, high = interval
    n = column.n_values
    if n is None or n > _MOST_CELLS:
        middle = (low + high) / 2
        return [(low, middle), (middle, high)] if high - low > _SMALLEST_WIDTH else []
    first, last = round(low * n), round(high * n)
    middle = (first + last) // 2 / n
    return [(low, middle), (middle, high)] if last - first > 1 else []


def part_of(points: Points, name: str, ends: Floats) -> Ints:
    """Shape (n,): in which of adjoining parts of a range each row lies; -1 where inactive."""
    place = next((j for j, column in enumerate(points.columns) if column.name == name), None)
    if place is None:
        return np.full(len(points), -1)
    x = points.values[:, place]
    return np.where(np.isnan(x), -1, np.searchsorted(ends[:-1], x, side="right"))


def agree(points: Points, made: Mapping[str, Interval]) -> Bools:
    """Shape (n,): which configurations lie in all these parts of their ranges."""
    place = {column.name: j for j, column in enumerate(points.columns)}
    inside = np.ones(len(points), dtype=bool)
    for name, (low, high) in made.items():
        if name not in place:
            return np.zeros(len(points), dtype=bool)
        x = points.values[:, place[name]]
        inside &= (x >= low) & ((x < high) | (high >= 1.0))
    return inside
