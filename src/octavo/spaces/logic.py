"""Conditions and forbidden combinations: boolean expressions over whole matrices.

The meaning is ConfigSpace's. A comparison with an inactive hyperparameter is false, except
"not equal", which is then true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.spaces.domains import Domain

__all__ = ["Combined", "Comparison", "Expression", "Relation", "compile_expression"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Stored = Sequence[Floats]
"""One array of stored numbers per hyperparameter, NaN where inactive."""

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Comparison:
    """A hyperparameter compared with a value, or with several of which one must be met."""

    place: int
    symbol: str
    values: tuple[float, ...]
    text: str

    def holds(self, stored: Stored) -> Bools:
        """Shape (n,): where it is true."""
        column = stored[self.place]
        if self.symbol == "in":
            met: Bools = np.isin(column, self.values)
        else:
            met = OPERATORS[self.symbol](column, self.values[0])
        return met

    def places(self) -> Iterator[int]:
        """Which hyperparameters it looks at."""
        yield self.place

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Relation:
    """Two hyperparameters compared with each other, by their values."""

    left: Domain
    right: Domain
    at: tuple[int, int]
    symbol: str

    def holds(self, stored: Stored) -> Bools:
        """Shape (n,): where it is true; nowhere where one of the two is inactive."""
        left, right = stored[self.at[0]], stored[self.at[1]]
        both = ~(np.isnan(left) | np.isnan(right))
        met = np.zeros(len(left), dtype=bool)
        met[both] = OPERATORS[self.symbol](
            _comparable(self.left, left[both]), _comparable(self.right, right[both])
        )
        return met

    def places(self) -> Iterator[int]:
        """Which hyperparameters it looks at."""
        yield from self.at

    def __str__(self) -> str:
        return f"{self.left.name} {self.symbol} {self.right.name}"


@dataclass(frozen=True)
class Combined:
    """All of some expressions ("and"), or any of them ("or")."""

    word: str
    parts: tuple[Expression, ...]

    def holds(self, stored: Stored) -> Bools:
        """Shape (n,): where it is true."""
        combine = np.logical_and if self.word == "and" else np.logical_or
        met: Bools = combine.reduce([part.holds(stored) for part in self.parts])
        return met

    def places(self) -> Iterator[int]:
        """Which hyperparameters it looks at."""
        for part in self.parts:
            yield from part.places()

    def __str__(self) -> str:
        return f" {self.word} ".join(
            f"({part})" if isinstance(part, Combined) else str(part) for part in self.parts
        )


Expression = Comparison | Relation | Combined

_SYMBOLS = {
    "EQ": "==", "EQUALS": "==", "NEQ": "!=", "LT": "<", "GT": ">",
    "CLAUSE_LT": "<", "CLAUSE_LE": "<=", "CLAUSE_GT": ">", "CLAUSE_GE": ">=",
    "RELATION_LT": "<", "RELATION_LE": "<=", "RELATION_EQ": "==",
    "RELATION_GT": ">", "RELATION_GE": ">=",
}  # fmt: skip


def compile_expression(
    data: Mapping[str, Any], domains: Sequence[Domain], place: Mapping[str, int]
) -> Expression:
    """A condition or forbidden clause of ConfigSpace's JSON as an expression.

    Parameters
    ----------
    data
        The condition or clause.
    domains, place
        The hyperparameters, and where each stands among them.
    """
    kind = data["type"]
    if kind in ("AND", "OR"):
        parts = data["conditions"] if "conditions" in data else data["clauses"]
        compiled = [compile_expression(part, domains, place) for part in parts]
        return Combined(kind.lower(), tuple(dict.fromkeys(compiled)))  # each part once
    if kind.startswith("RELATION"):
        symbol = _SYMBOLS[kind if kind != "RELATION" else f"RELATION_{data['lambda']}"]
        left, right = place[data["left"]], place[data["right"]]
        return Relation(domains[left], domains[right], (left, right), symbol)
    name = data["parent"] if "parent" in data else data["name"]
    domain = domains[place[name]]
    values = list(data["values"]) if kind == "IN" else [data["value"]]
    stored = tuple(_stored(domain, value) for value in values)
    symbol = "in" if kind == "IN" else _SYMBOLS[kind]
    shown = [repr(domain.plain(np.array([number]))[0]) for number in stored]
    text = f"{name} {symbol} " + (f"{{{', '.join(shown)}}}" if kind == "IN" else shown[0])
    return Comparison(place[name], symbol, stored, text)


def _stored(domain: Domain, value: Any) -> float:
    """A value of ConfigSpace's JSON as a stored number: of a stepped one, it is one already."""
    if domain.scale is None:
        return domain.store(value)
    if not domain.low <= value <= domain.high:
        raise SpaceError(
            f"{domain.name!r} is compared with the stored number {value!r}, outside of "
            f"[{domain.low:g}, {domain.high:g}]. Mend the JSON description of the space."
        )
    return float(value)


def _comparable(domain: Domain, stored: Floats) -> NDArray[Any]:
    if domain.comparable is not None:
        return domain.comparable[stored.astype(np.int64)]
    return stored if domain.scale is None else domain.scale.value(stored)
