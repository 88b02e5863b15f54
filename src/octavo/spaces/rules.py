"""Rules that trees grow by: choices to trees, trees to choices, and all trees in order of size.

A tree is a nested list; a choice stands at a place in it, named by the path to it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

from octavo.errors import SpaceError, closest

__all__ = ["Choices", "Place", "Rules", "Tree"]

Tree = list[Any]
Choices = dict[str, tuple[int, int]]
"""By column: which alternative was chosen, of how many."""

Choose = Callable[[str, int], int | None]
"""Given a column and the number of its alternatives, one of them; None to give up."""


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


class Rules:
    """What each symbol may become.

    Parameters
    ----------
    rules, start, max_depth
        As for `octavo.spaces.Grammar`.
    """

    def __init__(
        self, rules: Mapping[str, Sequence[Sequence[str]]], start: str, max_depth: int | None
    ) -> None:
        self.rules = {
            symbol: [_alternative(symbol, a) for a in alternatives]
            for symbol, alternatives in rules.items()
        }
        self.start = start
        if start not in self.rules:
            raise SpaceError(
                f"the start symbol {start!r} has no rule.{closest(start, self.rules)} "
                f"Start with one of {', '.join(map(repr, self.rules))}."
            )
        self._check_told_apart()
        self._levels = self._least_levels()
        if max_depth is not None and (isinstance(max_depth, bool) or max_depth != int(max_depth)):
            raise SpaceError(
                f"max_depth={max_depth!r} must be a whole number of levels, or None for no limit."
            )
        if max_depth is not None and self._levels[start] > max_depth:
            raise SpaceError(
                f"max_depth={max_depth!r} leaves no tree, since the smallest from {start!r} has "
                f"{self._levels[start]} levels. Use max_depth={self._levels[start]} or more."
            )
        self.max_depth = max_depth
        self.root = Place(start, start, math.inf if max_depth is None else max_depth)
        self._exists = lru_cache(maxsize=None)(self._writable)
        self._largest = lru_cache(maxsize=None)(self._count_largest)

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

    def alternatives(self, place: Place) -> list[tuple[str, ...]]:
        """What a symbol may become at a place, so that it can end in time."""
        return [
            a
            for a in self.rules[place.symbol]
            if 1 + max([self._levels[p] for p in a if p in self.rules], default=0)
            <= place.depth_left
        ]

    # From choices to trees and back ------------------------------------------------------

    def derive(self, choose: Choose) -> Choices | None:
        """Write out the start symbol, choice by choice in pre-order; None if `choose` gave up."""
        choices: Choices = {}
        todo = [self.root]
        while todo:
            place = todo.pop()
            alternatives = self.alternatives(place)
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

    def tree(self, place: Place, choices: Mapping[str, tuple[int, int]]) -> Tree:
        """The tree that choices make."""
        alternatives = self.alternatives(place)
        chosen = alternatives[choices[place.path][0] if len(alternatives) > 1 else 0]
        return [
            self.tree(place.below(i, part), choices) if part in self.rules else part
            for i, part in enumerate(chosen)
        ]

    def read(self, place: Place, tree: object, choices: Choices) -> None:
        """Find out which choices made a tree, or raise `SpaceError`."""
        where = f"the part {place.path!r}" if place is not self.root else "the tree"
        if not isinstance(tree, list | tuple):
            raise SpaceError(
                f"{where} is {tree!r}, of type {type(tree).__name__}, where {place.symbol!r} needs "
                f"a list. Give one such as {self.smallest(place)}."
            )
        alternatives = self.alternatives(place)
        k = next((k for k, a in enumerate(alternatives) if self._fits(a, tree)), None)
        if k is None:
            if any(self._fits(a, tree) for a in self.rules[place.symbol]):
                raise SpaceError(
                    f"{where} is {tree!r:.80}, too deep for max_depth={self.max_depth}. "
                    f"End it there with one such as {self.smallest(place)}."
                )
            raise SpaceError(
                f"{where} is {tree!r:.80}, which no alternative of {place.symbol!r} gives. "
                f"Use one of {', '.join(str(list(a)) for a in alternatives)}."
            )
        if len(alternatives) > 1:
            choices[place.path] = (k, len(alternatives))
        for i, part in enumerate(alternatives[k]):
            if part in self.rules:
                self.read(place.below(i, part), tree[i], choices)

    def _fits(self, alternative: tuple[str, ...], tree: Sequence[Any]) -> bool:
        """Whether a list may come from an alternative, as far as it can be told by itself."""
        return len(alternative) == len(tree) and all(
            not isinstance(given, str) if part in self.rules else given == part
            for part, given in zip(alternative, tree, strict=True)
        )

    def smallest(self, place: Place) -> Tree:
        """The smallest tree that can stand at a place, for messages."""
        n = self._levels[place.symbol]
        root = Place(place.symbol, place.symbol, n)
        return self.tree(root, defaultdict(lambda: (0, 1)))

    # All trees --------------------------------------------------------------------------

    @cached_property
    def is_finite(self) -> bool:
        """Whether there is a finite number of trees: with a limit, or without recursion."""
        return self.max_depth is not None or not self._is_recursive()

    def _is_recursive(self) -> bool:
        """Whether a symbol that the start leads to leads to itself."""

        def reached(symbols: set[str]) -> set[str]:
            parts = {p for s in symbols for a in self.rules[s] for p in a if p in self.rules}
            return parts if parts <= symbols else parts | reached(symbols | parts)

        return any(symbol in reached({symbol}) for symbol in reached({self.start}) | {self.start})

    def every(self) -> Iterator[Tree]:
        """Every tree once, in order of size (number of lists); endless if there is no end."""
        largest = 0
        if self.is_finite:
            largest, _ = self._largest(self.root.symbol, self.root.depth_left)
        for size in count(1):
            if self.is_finite and size > largest:
                return
            yield from self._trees(self.root.symbol, size, self.root.depth_left)

    def _count_largest(self, symbol: str, depth_left: float) -> tuple[int, int]:
        """How many lists the largest tree has, and how many choices any takes at most.

        Only for finite spaces.
        """
        alternatives = self.alternatives(Place(symbol, symbol, depth_left))
        lists = choices = 0
        for alternative in alternatives:
            below = [self._largest(p, depth_left - 1) for p in alternative if p in self.rules]
            lists = max(lists, 1 + sum(n for n, _ in below))
            choices = max(choices, sum(n for _, n in below) + (len(alternatives) > 1))
        return lists, choices

    @cached_property
    def most_choices(self) -> float:
        """How many choices a tree takes at most; infinity without a limit."""
        if not self.is_finite:
            return math.inf
        return self._largest(self.root.symbol, self.root.depth_left)[1]

    def _trees(self, symbol: str, size: int, depth_left: float) -> Iterator[Tree]:
        """All trees of exactly `size` lists, in the order of the rules."""
        for alternative in self.alternatives(Place(symbol, symbol, depth_left)):
            yield from self._forests(alternative, size - 1, depth_left - 1)

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
                for a in self.alternatives(Place(first, first, depth_left))
            )
            for n in range(1, size - len(rest) + 1)
        )


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
