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

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.protocol import Column, Config, Points
from octavo.spaces.rules import Choices, Rules

__all__ = ["Grammar"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ATTEMPTS = 200
"""How often a tree is drawn again that needs too many choices."""


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
        How many choices a random tree may take. Trees with more are in the space, but only
        arise by mutation and recombination.

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
        if isinstance(n_choices, bool) or int(n_choices) != n_choices or n_choices < 1:
            raise SpaceError(
                f"n_choices={n_choices!r} must be a whole number of at least 1: how many choices "
                "a random tree may take."
            )
        self._rules = Rules(rules, start, max_depth)
        self.n_choices = n_choices

    # What it is ------------------------------------------------------------------------

    @property
    def start(self) -> str:
        """The symbol at the root, and the key in configurations."""
        return self._rules.start

    @property
    def columns(self) -> tuple[Column, ...]:
        """The choice at the root; further columns come with the trees."""
        root = self._rules.root
        n = len(self._rules.alternatives(root))
        return (Column(root.path, "categorical", n),) if n > 1 else ()

    @property
    def is_finite(self) -> bool:
        """Whether there is a finite number of trees: with a limit, or without recursion."""
        return self._rules.is_finite

    @property
    def n_dims(self) -> int:
        """How many numbers in [0, 1) `from_unit` takes for one tree."""
        return int(min(self.n_choices, self._rules.most_choices))

    # Choices as rows --------------------------------------------------------------------

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

        return self._rules.derive(choose)

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

            grown = self._rules.derive(choose)
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

        choices = self._rules.derive(choose)
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
            self._rules.read(self._rules.root, self._content(config), choices)
            rows.append(choices)
        return self._points(rows)

    def _content(self, config: Config) -> object:
        if not isinstance(config, Mapping) or set(config) != {self.start}:
            raise SpaceError(
                f"a configuration is {config!r:.80}, but it must be a dict with the single key "
                f"{self.start!r}, such as { {self.start: self._rules.smallest(self._rules.root)} }."
            )
        return config[self.start]

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as configurations: dicts with the tree under the start symbol."""
        return [
            {self.start: self._rules.tree(self._rules.root, self._derived(cells))}
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
        for tree in self._rules.every():
            yield {self.start: tree}

    # As data --------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description from which `from_json` builds the space again."""
        return {
            "kind": "grammar",
            "rules": {
                symbol: [list(a) for a in alts] for symbol, alts in self._rules.rules.items()
            },
            "start": self.start,
            "max_depth": self._rules.max_depth,
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
        return hash((self.start, self.n_choices, tuple(self._rules.rules)))

    def __repr__(self) -> str:
        lines = [
            f"  {symbol} -> {' | '.join(' '.join(a) for a in alternatives)}"
            for symbol, alternatives in self._rules.rules.items()
        ]
        limit = "" if self._rules.max_depth is None else f", max_depth={self._rules.max_depth}"
        return "\n".join([f"Grammar(start={self.start!r}{limit}", *lines, ")"])
