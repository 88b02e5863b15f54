"""`Grammar`: a space of trees that grow by recursive rules.

    Grammar({"expr": [["add", "expr", "expr"], ["x"], ["const"]]}, start="expr", max_depth=4)

A configuration is `{"expr": ["add", ["x"], ["const"]]}`: under the name of the start symbol
the tree, where each part that is itself a choice is a nested list. A column is a choice at a
place in the tree, named by the path to it, so that matrices grow with their trees. A row of
the unit cube is read as in grammatical evolution, the next number for the next choice in
pre-order: Ryan, Collins & O'Neill (1998), Grammatical Evolution, EuroGP, 83-96; but each
number is used once, and a tree that needs more of them is not legal.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError, closest
from octavo.spaces.protocol import Column, Config, Points

__all__ = ["Grammar"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Tree = list[Any]
Choices = dict[str, tuple[int, int]]
"""By column: which alternative was chosen, of how many."""

Choose = Callable[[str, int], int | None]
"""Given a column and the number of its alternatives, one of them; None to give up."""

ATTEMPTS = 200
"""How often a tree is drawn again that needs too many choices."""


@dataclass(frozen=True)
class Place:
    """A spot in a tree where a symbol is to be written out.

    Parameters
    ----------
    symbol
        Which symbol.
    path
        Its column's name: where it stands, from the root.
    depth_left
        How many levels it may have, itself included; infinity without a limit.
    """

    symbol: str
    path: str
    depth_left: float

    def below(self, position: int, symbol: str) -> Place:
        """The place of a part of this one."""
        return Place(symbol, f"{self.path}.{position}:{symbol}", self.depth_left - 1)


class Grammar:
    """Trees derived from rules; the second implementation of `Space`.

    Parameters
    ----------
    rules
        For each symbol its alternatives, each a sequence of symbols and of words; what has
        no rule is a word.
    start
        The symbol at the root.
    max_depth
        How many levels a tree may have; None for no limit. Alternatives that cannot end in
        time are no choices there.
    n_choices
        How many numbers `from_unit` takes. Trees with more choices are in the space, but
        only arise by mutation and recombination.

    Raises
    ------
    SpaceError
        If a symbol is unknown, has no alternatives, cannot end, or two of its alternatives
        cannot be told apart in a tree.

    Examples
    --------
    >>> trees = Grammar({"e": [["add", "e", "e"], ["x"], ["1"]]}, start="e", max_depth=2)
    >>> list(trees.grid(1))[:3]
    [{'e': ['x']}, {'e': ['1']}, {'e': ['add', ['x'], ['x']]}]
    >>> trees.encode([{"e": ["add", ["x"], ["1"]]}]).columns[1].name
    'e.1:e'
    """

    def __init__(
        self,
        rules: Mapping[str, Sequence[Sequence[str]]],
        start: str,
        *,
        max_depth: int | None = None,
        n_choices: int = 64,
    ) -> None:
        self.rules = {
            symbol: [_alternative(symbol, a) for a in alternatives]
            for symbol, alternatives in rules.items()
        }
        self.start, self.max_depth, self.n_choices = start, max_depth, n_choices
        if start not in self.rules:
            raise SpaceError(
                f"the start symbol {start!r} has no rule.{closest(start, self.rules)} "
                f"Start with one of {', '.join(map(repr, self.rules))}."
            )
        if isinstance(n_choices, bool) or int(n_choices) != n_choices or n_choices < 1:
            raise SpaceError(f"n_choices={n_choices!r} must be a whole number of at least 1.")
        self._check_told_apart()
        self._levels = self._least_levels()
        if max_depth is not None and (isinstance(max_depth, bool) or max_depth != int(max_depth)):
            raise SpaceError(f"max_depth={max_depth!r} must be a whole number, or None.")
        if max_depth is not None and self._levels[start] > max_depth:
            raise SpaceError(
                f"max_depth={max_depth!r} leaves no tree, since the smallest from {start!r} has "
                f"{self._levels[start]} levels. Use max_depth={self._levels[start]} or more."
            )
        self._root = Place(start, start, math.inf if max_depth is None else max_depth)
        self._exists = lru_cache(maxsize=None)(self._writable)

    def _check_told_apart(self) -> None:
        for symbol, alternatives in self.rules.items():
            if not alternatives:
                raise SpaceError(
                    f"the symbol {symbol!r} has no alternatives. Give at least one, such as ['x']."
                )
            seen: dict[tuple[str | None, ...], tuple[str, ...]] = {}
            for alternative in alternatives:
                shape = tuple(None if part in self.rules else part for part in alternative)
                if shape in seen:
                    raise SpaceError(
                        f"two alternatives of {symbol!r}, {list(seen[shape])} and "
                        f"{list(alternative)}, look alike in a tree. Begin each with another word."
                    )
                seen[shape] = alternative

    def _least_levels(self) -> dict[str, int]:
        """For each symbol, the levels of its smallest tree."""
        levels: dict[str, int] = {}
        while True:
            known = len(levels)
            ready = {
                symbol: min(heights)
                for symbol, alternatives in self.rules.items()
                if symbol not in levels
                and (
                    heights := [
                        1 + max([levels[p] for p in a if p in self.rules], default=0)
                        for a in alternatives
                        if all(p in levels for p in a if p in self.rules)
                    ]
                )
            }
            levels |= ready
            if len(levels) == known:
                break
        for symbol in self.rules:
            if symbol not in levels:
                raise SpaceError(
                    f"the symbol {symbol!r} can never end: each of its alternatives needs symbols "
                    "that need it again. Give it one of words only, such as ['x']."
                )
        return levels

    def _alternatives(self, place: Place) -> list[tuple[str, ...]]:
        """What a symbol may become at a place, so that it can end in time."""
        return [
            a
            for a in self.rules[place.symbol]
            if 1 + max([self._levels[p] for p in a if p in self.rules], default=0)
            <= place.depth_left
        ]

    # What it is ------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[Column, ...]:
        """The choice at the root; further columns come with the trees."""
        n = len(self._alternatives(self._root))
        return (Column(self._root.path, "categorical", n),) if n > 1 else ()

    @property
    def is_finite(self) -> bool:
        """Whether there is a finite number of trees: with a limit, or without recursion."""
        return self.max_depth is not None or not self._is_recursive()

    def _is_recursive(self) -> bool:
        """Whether a symbol that the start leads to leads to itself."""

        def reached(symbols: set[str]) -> set[str]:
            parts = {p for s in symbols for a in self.rules[s] for p in a if p in self.rules}
            return parts if parts <= symbols else parts | reached(symbols | parts)

        return any(symbol in reached({symbol}) for symbol in reached({self.start}) | {self.start})

    @property
    def n_dims(self) -> int:
        """How many numbers in [0, 1) `from_unit` takes for one tree."""
        return self.n_choices

    # From choices to trees and back ------------------------------------------------------

    def _derive(self, choose: Choose) -> Choices | None:
        """Write out the start symbol, choice by choice in pre-order; None if `choose` gave up."""
        choices: Choices = {}
        todo = [self._root]
        while todo:
            place = todo.pop()
            alternatives = self._alternatives(place)
            k: int | None = 0
            if len(alternatives) > 1:
                k = choose(place.path, len(alternatives))
                if k is None:
                    return None
                choices[place.path] = (k, len(alternatives))
            assert k is not None
            parts = enumerate(alternatives[k])
            todo += reversed([place.below(i, p) for i, p in parts if p in self.rules])
        return choices

    def _tree(self, place: Place, choices: Mapping[str, tuple[int, int]]) -> Tree:
        alternatives = self._alternatives(place)
        chosen = alternatives[choices[place.path][0] if len(alternatives) > 1 else 0]
        return [
            self._tree(place.below(i, part), choices) if part in self.rules else part
            for i, part in enumerate(chosen)
        ]

    def _read(self, place: Place, tree: object, choices: Choices) -> None:
        """Find out which choices made a tree, or raise `SpaceError`."""
        where = f"the part {place.path!r}" if place is not self._root else "the tree"
        if not isinstance(tree, list | tuple):
            raise SpaceError(
                f"{where} is {tree!r}, of type {type(tree).__name__}, where {place.symbol!r} needs "
                f"a list. Give one such as {self._smallest(place)}."
            )
        alternatives = self._alternatives(place)
        for k, alternative in enumerate(alternatives):
            if len(alternative) == len(tree) and all(
                not isinstance(given, str) if part in self.rules else given == part
                for part, given in zip(alternative, tree, strict=True)
            ):
                break
        else:
            if any(len(a) == len(tree) and a[0] == tree[0] for a in self.rules[place.symbol]):
                raise SpaceError(
                    f"{where} is {tree!r:.80}, too deep for max_depth={self.max_depth}. "
                    f"End it there with one such as {self._smallest(place)}."
                )
            raise SpaceError(
                f"{where} is {tree!r:.80}, which no alternative of {place.symbol!r} gives. "
                f"Use one of {', '.join(str(list(a)) for a in alternatives)}."
            )
        if len(alternatives) > 1:
            choices[place.path] = (k, len(alternatives))
        for i, part in enumerate(alternative):
            if part in self.rules:
                self._read(place.below(i, part), tree[i], choices)

    def _smallest(self, place: Place) -> Tree:
        n = self._levels[place.symbol]
        root = Place(place.symbol, place.symbol, n)
        return self._tree(root, defaultdict(lambda: (0, 1)))

    def _points(self, rows: Sequence[Choices]) -> Points:
        columns = {column.name: column for column in self.columns}
        for choices in rows:
            for name, (_, n) in choices.items():
                if name not in columns:
                    columns[name] = Column(name, "categorical", n)
        place = {name: i for i, name in enumerate(columns)}
        values = np.full((len(rows), len(columns)), np.nan)
        for row, choices in enumerate(rows):
            for name, (k, n) in choices.items():
                values[row, place[name]] = (k + 0.5) / n
        return Points(values, tuple(columns.values()))

    def _rows(self, points: Points) -> list[dict[str, float]]:
        """The active cells of each row, by column."""
        names = [column.name for column in points.columns]
        return [
            {names[i]: float(row[i]) for i in np.flatnonzero(~np.isnan(row))}
            for row in points.values
        ]

    # Sampling ---------------------------------------------------------------------------

    def from_unit(self, u: Floats) -> tuple[Points, Bools]:
        """Read rows of the unit cube as trees, one number for each choice in pre-order.

        Parameters
        ----------
        u : shape (n, n_dims)
            In [0, 1).

        Returns
        -------
        points, legal
            The trees that needed no more numbers, and shape (n,): which rows these were.
        """
        rows = [self._from_numbers(row) for row in np.asarray(u, dtype=float)]
        legal = np.array([row is not None for row in rows], dtype=bool)
        return self._points([row for row in rows if row is not None]), legal

    def _from_numbers(self, u: Floats) -> Choices | None:
        numbers = iter(u.tolist())

        def choose(_: str, n: int) -> int | None:
            number = next(numbers, None)
            return None if number is None else min(int(number * n), n - 1)

        return self._derive(choose)

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """`n` independent trees, each choice drawn uniformly.

        Raises
        ------
        SpaceError
            If hardly any tree ends within `n_choices`.
        """
        rows: list[Choices] = []
        drawn = 0
        while len(rows) < n:
            row = self._from_numbers(rng.random(self.n_dims))
            drawn += 1
            if row is not None:
                rows.append(row)
            elif drawn > 10_000 and len(rows) < drawn // 1000:
                raise SpaceError(
                    f"of {drawn} random trees hardly any ended within {self.n_choices} choices. "
                    "Set max_depth, raise n_choices, or give more alternatives that end."
                )
        return self._points(rows)

    def _grown(self, kept: Mapping[str, int], rng: np.random.Generator) -> Choices:
        """A tree with these choices wherever it comes to them, the others drawn uniformly."""
        limit = max(self.n_choices, 2 * len(kept))
        for _ in range(ATTEMPTS):
            left = [limit]

            def choose(name: str, n: int, left: list[int] = left) -> int | None:
                left[0] -= 1
                if left[0] < 0:
                    return None
                return kept[name] if name in kept else int(rng.integers(n))

            grown = self._derive(choose)
            if grown is not None:
                return grown
        raise SpaceError(
            f"of {ATTEMPTS} trees grown from another none ended within {limit} choices. "
            "Set max_depth, or raise n_choices."
        )

    def mutate(self, points: Points, rng: np.random.Generator) -> Points:
        """Change one choice in each tree; what was chosen below stays where it still fits."""
        rows = []
        for cells in self._rows(points):
            now = self._derived(cells)
            kept = {name: k for name, (k, _) in now.items()}
            if now:
                name = list(now)[rng.integers(len(now))]
                k, n = now[name]
                kept[name] = (k + 1 + int(rng.integers(n - 1))) % n
            rows.append(self._grown(kept, rng))
        return self._points(rows)

    def recombine(self, a: Points, b: Points, rng: np.random.Generator) -> Points:
        """One tree per pair: each choice from either parent, as far as a parent has it."""
        rows = []
        for first, second in zip(self._rows(a), self._rows(b), strict=True):
            one, other = self._derived(first), self._derived(second)
            kept = {name: k for name, (k, _) in (one | other).items()}
            for name in one:
                if rng.random() < 0.5:
                    kept[name] = one[name][0]
            rows.append(self._grown(kept, rng))
        return self._points(rows)

    # Configurations -----------------------------------------------------------------------

    def _derived(self, cells: Mapping[str, float]) -> Choices:
        """The choices of a row's cells, or `SpaceError` if one is missing."""

        def choose(name: str, n: int) -> int | None:
            return min(int(cells[name] * n), n - 1) if name in cells else None

        choices = self._derive(choose)
        if choices is None:
            raise SpaceError(
                f"a row has choices at {', '.join(cells) or 'no place'}, which make no whole tree "
                "of this grammar. Only pass points that this space made."
            )
        return choices

    def encode(self, configs: Sequence[Config]) -> Points:
        """Trees as rows. Raises `SpaceError` if one is not in the space."""
        rows = []
        for config in configs:
            choices: Choices = {}
            self._read(self._root, self._content(config), choices)
            rows.append(choices)
        return self._points(rows)

    def _content(self, config: Config) -> object:
        if not isinstance(config, Mapping) or set(config) != {self.start}:
            raise SpaceError(
                f"a configuration is {config!r:.80}, but it must be a dict with the single key "
                f"{self.start!r}, such as { {self.start: self._smallest(self._root)} }."
            )
        return config[self.start]

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as configurations: dicts with the tree under the start symbol."""
        return [
            {self.start: self._tree(self._root, self._derived(cells))}
            for cells in self._rows(points)
        ]

    def default(self) -> dict[str, Any]:
        """The first smallest tree."""
        return next(self.grid(1))

    def check(self, config: Config) -> dict[str, Any]:
        """The tree in plain lists, or a `SpaceError` naming what is wrong."""
        return self.decode(self.encode([config]))[0]

    def log_belief(self, points: Points) -> Floats:
        """Shape (n,): zeros; a grammar carries no beliefs."""
        return np.zeros(len(points))

    # Enumeration --------------------------------------------------------------------------

    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        """Every tree once, in order of size (number of lists); endless without a limit.

        Parameters
        ----------
        resolution
            Not used: choices take all their values.
        """
        largest = self._largest(self._root.symbol, self._root.depth_left) if self.is_finite else 0
        for size in count(1):
            if self.is_finite and size > largest:
                return
            for tree in self._trees(self._root.symbol, size, self._root.depth_left):
                yield {self.start: tree}

    def _largest(self, symbol: str, depth_left: float) -> int:
        """How many lists the largest tree has; only for finite spaces."""
        return max(
            1 + sum(self._largest(p, depth_left - 1) for p in a if p in self.rules)
            for a in self._alternatives(Place(symbol, symbol, depth_left))
        )

    def _trees(self, symbol: str, size: int, depth_left: float) -> Iterator[Tree]:
        """All trees of exactly `size` lists, in the order of the rules."""
        for alternative in self._alternatives(Place(symbol, symbol, depth_left)):
            for parts in self._forests(alternative, size - 1, depth_left - 1):
                yield parts

    def _forests(self, parts: tuple[str, ...], size: int, depth_left: float) -> Iterator[Tree]:
        """All ways to write out some parts with exactly `size` lists together."""
        if not self._exists(parts, size, depth_left):
            return
        if not parts:
            yield []
            return
        first, rest = parts[0], parts[1:]
        if first not in self.rules:
            for tail in self._forests(rest, size, depth_left):
                yield [first, *tail]
            return
        for n in range(1, size + 1):
            if self._exists(rest, size - n, depth_left):
                for head in self._trees(first, n, depth_left):
                    for tail in self._forests(rest, size - n, depth_left):
                        yield [deepcopy(head), *tail]

    def _writable(self, parts: tuple[str, ...], size: int, depth_left: float) -> bool:
        """Whether some parts can be written out with exactly `size` lists together."""
        symbols = [p for p in parts if p in self.rules]
        if not symbols:
            return size == 0
        if size < len(symbols) or depth_left < max(self._levels[p] for p in symbols):
            return False
        first, rest = symbols[0], tuple(symbols[1:])
        return any(
            self._exists(rest, size - n, depth_left)
            and any(
                self._exists(a, n - 1, depth_left - 1)
                for a in self._alternatives(Place(first, first, depth_left))
            )
            for n in range(1, size - len(rest) + 1)
        )

    # As data --------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description from which `from_json` builds the space again."""
        return {
            "kind": "grammar",
            "rules": {symbol: [list(a) for a in alts] for symbol, alts in self.rules.items()},
            "start": self.start,
            "max_depth": self.max_depth,
            "n_choices": self.n_choices,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grammar:
        """The space that `to_json` described."""
        return cls(
            data["rules"],
            data["start"],
            max_depth=data["max_depth"],
            n_choices=data["n_choices"],
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Grammar.from_json, (self.to_json(),)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grammar):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.start, self.max_depth, self.n_choices, tuple(self.rules)))

    def __repr__(self) -> str:
        lines = [
            f"  {symbol} -> {' | '.join(' '.join(a) for a in alternatives)}"
            for symbol, alternatives in self.rules.items()
        ]
        limit = "" if self.max_depth is None else f", max_depth={self.max_depth}"
        return "\n".join([f"Grammar(start={self.start!r}{limit}", *lines, ")"])


def _alternative(symbol: str, parts: object) -> tuple[str, ...]:
    if (
        isinstance(parts, str)
        or not isinstance(parts, Sequence)
        or not parts
        or not all(isinstance(part, str) and part for part in parts)
    ):
        raise SpaceError(
            f"the symbol {symbol!r} has the alternative {parts!r}. An alternative must be a list "
            "of at least one symbol or word, such as ['add', 'expr', 'expr']."
        )
    return tuple(parts)
