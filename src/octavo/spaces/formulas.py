"""Conditions and forbidden combinations in the words of PCS and irace files.

Both write formulas such as `a == 1 && b in {x, y}` or `a %in% c("x", "y") & (b > 3 | c == 2)`.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from octavo.errors import SpaceError

__all__ = ["Claim", "Formula", "Tree", "normal_form", "read_formula"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<symbol>%in%|&&|\|\||==|!=|<=|>=|[&|<>=(){},!])
    |"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s&|<>=!(){},"']+))""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "=", "!=", "<=", ">=", "<", ">")
_MOST_PARTS = 1000


@dataclass(frozen=True, slots=True)
class Claim:
    """A hyperparameter compared with a value, or with several of which one must be met.

    Parameters
    ----------
    name
        The hyperparameter on the left.
    symbol
        One of ==, !=, <, <=, >, >= and in.
    values
        As they are written, without quotes.
    """

    name: str
    symbol: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """All of some parts ("and"), or any of them ("or")."""

    word: Literal["and", "or"]
    parts: tuple[Tree, ...]


Tree = Claim | Formula


def read_formula(text: str) -> Tree:
    """A formula as a tree.

    Parameters
    ----------
    text
        Comparisons, joined by && (or &) and || (or |), with parentheses; && binds closer. Several
        values stand in braces after `in`, or in c(...) after %in%.

    Raises
    ------
    SpaceError
        Naming the place where it cannot be read.

    Examples
    --------
    >>> read_formula("kernel in {rbf, poly} && C > 3")
    Formula(word='and', parts=(Claim(name='kernel', symbol='in', values=('rbf', 'poly')),
                               Claim(name='C', symbol='>', values=('3',))))
    """
    return _Reader(text).whole()


def normal_form(tree: Tree, outer: Literal["and", "or"]) -> list[list[Claim]]:
    """A formula as a list of lists of tests: the outer joined by one word, the inner by the other.

    Raises
    ------
    SpaceError
        If that takes more than a thousand lists.

    Examples
    --------
    >>> tree = read_formula("(a == 1 | b == 2) & c == 3")
    >>> [[test.name for test in tests] for tests in normal_form(tree, "and")]
    [['a', 'b'], ['c']]
    >>> [[test.name for test in tests] for tests in normal_form(tree, "or")]
    [['a', 'c'], ['b', 'c']]
    """
    if isinstance(tree, Claim):
        return [[tree]]
    parts = [normal_form(part, outer) for part in tree.parts]
    if tree.word == outer:
        return [tests for part in parts for tests in part]
    if math.prod(map(len, parts)) > _MOST_PARTS:
        raise SpaceError(
            f"a formula with {len(parts)} parts is nested too deeply to be written out in fewer "
            f"than {_MOST_PARTS} pieces. Split it into several lines."
        )
    return [list(itertools.chain(*chosen)) for chosen in itertools.product(*parts)]


class _Reader:
    """A recursive descent over the tokens of a formula."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.tokens: list[tuple[str, str]] = []  # kind and text
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None or match.end() == position:
                self.refuse(self.text[position:].strip())
            position = match.end()
            kind = str(match.lastgroup)
            self.tokens.append(("symbol" if kind == "symbol" else kind, match[kind]))
        self.at = 0

    def refuse(self, where: str) -> NoReturn:
        near = f"near {where[:30]!r}" if where else "at its end"
        raise SpaceError(
            f"the formula {self.text!r} cannot be read {near}. Write comparisons with ==, !=, <, "
            "<=, >, >= or a list of values, joined by && and ||, such as a == 1 && b in {x, y}."
        )

    def whole(self) -> Tree:
        tree = self.either()
        if self.at < len(self.tokens):
            self.refuse(self.tokens[self.at][1])
        return tree

    def either(self) -> Tree:
        return self.joined("or", ("||", "|"), self.both)

    def both(self) -> Tree:
        return self.joined("and", ("&&", "&"), self.single)

    def joined(self, word: Literal["and", "or"], symbols: tuple[str, ...], part: object) -> Tree:
        assert callable(part)
        parts = [part()]
        while self.peek() in symbols:
            self.at += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else Formula(word, tuple(parts))

    def single(self) -> Tree:
        if self.peek() == "(":
            self.at += 1
            tree = self.either()
            self.expect(")")
            return tree
        name = self.word()
        if self.peek() == "%in%" or self.tokens[self.at : self.at + 1] == [("word", "in")]:
            self.at += 1
            return Claim(name, "in", self.values())
        symbol = self.peek()
        if symbol not in _COMPARISONS:
            self.refuse(self.rest())
        self.at += 1
        return Claim(name, "==" if symbol == "=" else str(symbol), (self.word(),))

    def values(self) -> tuple[str, ...]:
        if self.tokens[self.at : self.at + 2] == [("word", "c"), ("symbol", "(")]:
            self.at += 1
        end = {"{": "}", "(": ")"}.get(self.peek() or "")
        if end is None:
            return (self.word(),)
        self.at += 1
        found = [self.word()]
        while self.peek() == ",":
            self.at += 1
            found.append(self.word())
        self.expect(end)
        return tuple(found)

    def peek(self) -> str | None:
        """The next token if it is a symbol."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "symbol":
            return self.tokens[self.at][1]
        return None

    def expect(self, symbol: str) -> None:
        if self.peek() != symbol:
            self.refuse(self.rest())
        self.at += 1

    def word(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] == "symbol":
            self.refuse(self.rest())
        self.at += 1
        return self.tokens[self.at - 1][1]

    def rest(self) -> str:
        return " ".join(text for _, text in self.tokens[self.at :])
