"""A scenario's tables, each value with the line that it stands in."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from octavo.errors import OctavoError, SettingError, closest
from octavo.scenarios.toml_lines import Key, lines_of

__all__ = ["Source", "Table", "read_source"]

_KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True)
class Source:
    """A file, and in which line each key stands.

    Parameters
    ----------
    path
        As the user gave it.
    lines
        By key.
    """

    path: Path
    lines: Mapping[Key, int]

    def place(self, key: Key) -> str:
        """File and line of a key, or of the nearest table that holds it."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path}:{self.lines[key]}" if key else str(self.path)

    def refuse(self, key: Key, message: str) -> NoReturn:
        """Raise a `SettingError` that names file and line."""
        raise _located(SettingError(f"{self.place(key)}: {message}"))

    @contextlib.contextmanager
    def at(self, key: Key) -> Iterator[None]:
        """Put file and line before the message of what is raised inside, unless it has them."""
        try:
            yield
        except OctavoError as error:
            if getattr(error, "is_located", False):
                raise
            raise _located(type(error)(f"{self.place(key)}: {error}")) from error


def read_source(path: Path) -> Table:
    """The whole of a TOML file as a table.

    Raises
    ------
    SettingError
        If it cannot be read, or is no TOML; then with the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingError(
            f"the scenario {path} cannot be read: {why}. Check the path, and give a TOML file."
        ) from error
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, where = str(error).partition(" (at ")
        line = where.removeprefix("line ").split(",")[0] if where.startswith("line") else "end"
        raise SettingError(
            f"{path}:{line}: this is not TOML: {message[:1].lower()}{message[1:]}. Texts stand in "
            "quotes, lists in brackets; see https://toml.io."
        ) from error
    return Table(Source(path, lines_of(text)), (), values)


@dataclass(frozen=True)
class Table:
    """A table of the file; asks for its values check what they are.

    Parameters
    ----------
    source
        The file.
    key
        Where the table stands.
    values
        What is in it.
    """

    source: Source
    key: Key
    values: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def refuse(self, name: str, message: str) -> NoReturn:
        """Raise a `SettingError` about a value of this table."""
        self.source.refuse((*self.key, name), message)

    def at(self, name: str) -> contextlib.AbstractContextManager[None]:
        """What is raised inside is about a value of this table."""
        return self.source.at((*self.key, name))

    def only(self, *known: str) -> None:
        """Refuse any other key."""
        for name in self.values:
            if name not in known:
                where = f"[{'.'.join(map(str, self.key))}]" if self.key else "a scenario"
                self.refuse(
                    name,
                    f"{where} has no key {name!r}.{closest(name, known)} It has "
                    f"{', '.join(known)}.",
                )

    def get(self, name: str, *kinds: type, default: Any = None) -> Any:
        """A value of one of some types; `default` where it is not there."""
        value = self.values.get(name, default)
        if name not in self.values or _is_any(value, kinds):
            return value
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        self.refuse(name, f"{name} = {value!r} is not {wanted}. Write {wanted}.")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or a single one."""
        value = self.get(name, str, list, default=[])
        found = [value] if isinstance(value, str) else value
        for number, one in enumerate(found):
            if not isinstance(one, str):
                self.source.refuse(
                    (*self.key, name, number),
                    f"{name} contains {one!r}, which is not a text. Write it in quotes.",
                )
        return tuple(found)

    def table(self, name: str) -> Table:
        """The table of this name, empty where it is not there."""
        return Table(self.source, (*self.key, name), self.get(name, dict, default={}))

    def tables(self, name: str) -> Sequence[Table]:
        """The tables of an array of tables."""
        found = []
        for number, values in enumerate(self.get(name, list, default=[])):
            key = (*self.key, name, number)
            if not isinstance(values, dict):
                self.source.refuse(
                    key, f"{name} contains {values!r}, which is not a table. Write {{x = 1}}."
                )
            found.append(Table(self.source, key, values))
        return found


def _is_any(value: Any, kinds: Sequence[type]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(kinds)) or (float in kinds and isinstance(value, int))


def _located(error: OctavoError) -> OctavoError:
    error.is_located = True  # type: ignore[attr-defined]
    return error
