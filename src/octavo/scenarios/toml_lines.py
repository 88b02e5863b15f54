"""In which line of a TOML file each key stands: `tomllib` does not tell.

The text has been read by `tomllib` already, so it is right; what remains is to find places.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Key", "lines_of"]

Key = tuple[str | int, ...]
"""Where a value stands: names of keys, and numbers of elements of arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def lines_of(text: str) -> dict[Key, int]:
    r"""The line, from 1, of each key, table and element of an array.

    Parameters
    ----------
    text
        TOML that `tomllib` accepts.

    Examples
    --------
    >>> lines_of('a = 1\n[b]\nc = [1,\n  {d = 2}]')
    {('a',): 1, ('b',): 2, ('b', 'c'): 3, ('b', 'c', 0): 3, ('b', 'c', 1): 4,
     ('b', 'c', 1, 'd'): 4}
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Key, int] = {}
        self.counts: dict[Key, int] = {}  # elements of arrays of tables

    def scan(self) -> dict[Key, int]:
        table: Key = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.found

    def header(self) -> Key:
        """`[a.b]` or `[[a.b]]`."""
        is_array = self.text.startswith("[[", self.at)
        line = self.line()
        self.at += 2 if is_array else 1
        self.skip(_SPACE)
        names = self.names()
        self.at = self.text.index("]", self.at) + (2 if is_array else 1)
        table: Key = ()
        for depth, name in enumerate(names, start=1):
            table += (name,)
            if is_array and depth == len(names):
                self.counts[table] = self.counts.get(table, -1) + 1
            self.note(table, line)
            if table in self.counts:  # the last of an array of tables is meant
                table += (self.counts[table],)
        self.note(table, line)
        return table

    def pair(self, table: Key) -> None:
        """`a.b = value`."""
        line = self.line()
        for name in self.names():
            table += (name,)
            self.note(table, line)
        self.skip(_SPACE)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(table)

    def names(self) -> list[str]:
        """`a."b c".d`, up to what follows."""
        found = []
        while True:
            found.append(self.name())
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return found
            self.at += 1
            self.skip(_SPACE)

    def name(self) -> str:
        for quoted in _STRINGS[2:]:
            if (match := quoted.match(self.text, self.at)) is not None:
                self.at = match.end()
                return _unquoted(match[0])
        match = _BARE.match(self.text, self.at)
        assert match is not None, "tomllib has accepted it"
        self.at = match.end()
        return match[0]

    def value(self, key: Key) -> None:
        if self.text.startswith("[", self.at):
            self.array(key)
        elif self.text.startswith("{", self.at):
            self.inline_table(key)
        else:
            for string in _STRINGS:
                if (match := string.match(self.text, self.at)) is not None:
                    self.at = match.end()
                    return
            self.skip(_SCALAR)

    def array(self, key: Key) -> None:
        self.at += 1
        number = 0
        while True:
            self.skip(_BLANK)
            if self.text.startswith("]", self.at):
                self.at += 1
                return
            if self.text.startswith(",", self.at):
                self.at += 1
                continue
            self.note((*key, number), self.line())
            self.value((*key, number))
            number += 1

    def inline_table(self, key: Key) -> None:
        self.at += 1
        while True:
            self.skip(_BLANK)
            if self.text.startswith("}", self.at):
                self.at += 1
                return
            if self.text.startswith(",", self.at):
                self.at += 1
                continue
            self.pair(key)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        assert match is not None, "these patterns match the empty text"
        self.at = match.end()

    def note(self, key: Key, line: int) -> None:
        self.found.setdefault(key, line)

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1


def _unquoted(name: str) -> str:
    import tomllib

    made: dict[str, Any] = tomllib.loads(f"name = {name}")
    return str(made["name"])
