"""Settings of an optimizer or a stopper in a scenario: each of the type that its class names."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from octavo.optimizers.protocol import Recipe
from octavo.scenarios.source import Table

__all__ = ["holds_recipe", "read_settings"]

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def read_settings(table: Table, kind: type[Any]) -> dict[str, Any]:
    """The settings in a table, `name` apart, by the fields of a dataclass.

    Parameters
    ----------
    table
        In which `name` stands for the class.
    kind
        The dataclass.

    Raises
    ------
    SettingError
        If it has no such field, or the value is of another type; with file and line.
    """
    table.only("name", *(field.name for field in fields(kind)))
    hints = get_type_hints(kind)
    found = {name: value for name, value in table.values.items() if name != "name"}
    for name, value in found.items():
        wanted = _wanted(hints[name])
        if wanted and not any(_fits(value, one) for one in wanted):
            said = " or ".join(_WORDS.get(one, repr(one)) for one in wanted)
            table.refuse(name, f"{name} = {value!r} is not {said}. Write {said}.")
    return found


def holds_recipe(kind: type[Any], name: str) -> bool:
    """Whether a field of a dataclass is a further recipe."""
    hint = get_type_hints(kind)[name]
    return hint is Recipe or hasattr(hint, "start")


def _wanted(hint: Any) -> list[Any]:
    """The plain types and single values that a hint allows; nothing if it is about others."""
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    wanted: list[Any] = []
    for part in parts:
        if get_origin(part) is Literal:
            wanted += get_args(part)
        elif part in _WORDS:
            wanted.append(part)
        elif part is not type(None):
            return []
    return wanted


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, int | float)
    return isinstance(value, int) if wanted is int else bool(value == wanted)
