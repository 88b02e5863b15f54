"""The space of a scenario: a table of hyperparameters in the file, or another file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octavo.errors import SpaceError, closest
from octavo.scenarios.source import Table
from octavo.spaces import Believed, HyperparameterSpace, Space, any_of, as_space, space
from octavo.spaces.clauses import AnyOf, Compare, condition_json, forbidden_json
from octavo.spaces.domains import Domain
from octavo.spaces.files import SpaceFile, read_space_file
from octavo.spaces.hyperparameters import (
    Categorical,
    Constant,
    Float,
    Hyperparameter,
    Integer,
    Ordinal,
)

__all__ = ["names_of", "read_space"]

_TYPES: Mapping[str, tuple[str, ...]] = {
    "float": ("log", "step", "default", "prior", "when"),
    "int": ("log", "step", "default", "prior", "when"),
    "cat": ("default", "prior", "when"),
    "ord": ("default", "prior", "when"),
    "const": ("when",),
}
_EXAMPLE = "{float = [0.1, 10], log = true} or {cat = ['a', 'b']}"
_COMPARISON = re.compile(r"(<=|>=|!=|<|>)\s*(.+)")


def read_space(scenario: Table, folder: Path) -> SpaceFile:
    """The space that `space` describes, with `forbidden` and `priors`.

    Raises
    ------
    SpaceError, SettingError
        Naming file and line.
    """
    if "space" not in scenario:
        scenario.refuse(
            "space",
            "a scenario needs a space: what can be chosen. Add a table [space] with lines such as "
            f"rate = {_EXAMPLE}, or name a file: space = 'params.pcs'.",
        )
    given = scenario.get("space", str, dict)
    if isinstance(given, str):
        if "forbidden" in scenario:
            scenario.refuse(
                "forbidden",
                "forbidden combinations stand in the file of the space, where there is one. Move "
                f"them to {given}.",
            )
        if not (folder / given).is_file():
            scenario.refuse(
                "space",
                f"the file {given!r} of the space is not there. Check the path, which begins at "
                f"the scenario's folder ({folder}).",
            )
        found = read_space_file(folder / given)
    else:
        found = SpaceFile(_from_table(scenario))
    return SpaceFile(_believed(scenario, found.space), found.switches)


def _from_table(scenario: Table) -> Space:
    table = scenario.table("space")
    if not table.values:
        scenario.refuse("space", f"[space] is empty. Add a line such as rate = {_EXAMPLE}.")
    plain: dict[str, Hyperparameter] = {}
    for name in table.values:
        with table.at(name):
            plain[name] = _hyperparameter(table, name)
            plain[name].to_language(name)
    domains = {domain.name: domain for domain in space(plain).domains}
    full = dict(plain)
    for name in table.values:
        one = table.table(name)
        if "when" in one:
            with one.at("when"):
                condition = _condition(one.get("when", dict, list), domains)
                condition_json(name, [condition], domains)
                full[name] = plain[name].when(condition)
    forbid = []
    for number, clause in enumerate(scenario.get("forbidden", list, default=[])):
        with scenario.source.at(("forbidden", number)):
            clause = _compared(clause, domains) if isinstance(clause, dict) else clause
            forbidden_json(clause, domains)
            forbid.append(clause)
    with scenario.at("forbidden" if forbid else "space"):
        return space(full, forbid=forbid)


def _hyperparameter(table: Table, name: str) -> Hyperparameter:
    one = table.table(name)
    kinds = [kind for kind in _TYPES if kind in one]
    if len(kinds) != 1:
        wrong = next((key for key in one.values if key not in _TYPES), "")
        raise SpaceError(
            f"the hyperparameter {name!r} has {len(kinds)} types.{closest(wrong, _TYPES)} Give it "
            f"one of {', '.join(_TYPES)}, such as {name} = {_EXAMPLE}."
        )
    kind = kinds[0]
    one.only(kind, *_TYPES[kind])
    values = one.values[kind]
    if kind == "const":
        return Constant(values)
    if not isinstance(values, list):
        raise SpaceError(
            f"the hyperparameter {name!r} has {kind} = {values!r}, which is not a list. Write "
            f"{name} = {_EXAMPLE}."
        )
    default, prior = one.values.get("default"), _prior(one.values.get("prior"), kind)
    if kind in ("cat", "ord"):
        made = Categorical if kind == "cat" else Ordinal
        return made(values, default=default, prior=prior)
    if len(values) != 2:
        raise SpaceError(
            f"the hyperparameter {name!r} has {kind} = {values!r}, where two bounds are needed. "
            f"Write {name} = {{{kind} = [1, 10]}}."
        )
    number = Float if kind == "float" else Integer
    return number(
        *values,
        log=one.get("log", bool, default=False),
        step=one.get("step", int, float),
        default=default,
        prior=prior,
    )


def _prior(given: Any, kind: str) -> Any:
    """A belief as the short form has it: in TOML, the keys of a table of weights are texts."""
    return tuple(given) if isinstance(given, list) and kind in ("float", "int") else given


def _condition(given: Any, domains: Mapping[str, Domain]) -> Mapping[str, Any] | AnyOf:
    if isinstance(given, list):
        return any_of(*(_compared(one, domains) for one in given))
    return _compared(given, domains)


def _compared(given: Any, domains: Mapping[str, Domain]) -> dict[str, Any]:
    """A table of parents and values, with texts such as "> 3" as comparisons."""
    if not isinstance(given, dict):
        raise SpaceError(
            f"{given!r} is not a condition. Write a table such as {{kernel = 'rbf', depth = '> 3'}}"
            ", or a list of such tables of which one must hold."
        )
    return {name: _wanted(value, domains.get(name)) for name, value in given.items()}


def _wanted(value: Any, domain: Domain | None) -> Any:
    is_choice = domain is not None and value in domain.choices if isinstance(value, str) else False
    match = _COMPARISON.fullmatch(value) if isinstance(value, str) and not is_choice else None
    if match is None:
        return value
    right = match[2].strip()
    if domain is not None and domain.choices and right in domain.choices:
        return Compare(match[1], right)
    try:
        number = float(right)
    except ValueError:
        raise SpaceError(
            f"{value!r} compares with {right!r}, which is not a number. Write such as '> 3'."
        ) from None
    return Compare(match[1], int(number) if number.is_integer() else number)


def _believed(scenario: Table, found: Space) -> Space:
    """The space, with the configurations that are believed to be good."""
    good = scenario.tables("priors")
    for number, table in enumerate(good):
        with scenario.source.at(("priors", number)):
            found.check(table.values)
    return Believed(found, [table.values for table in good]) if good else as_space(found)


def names_of(found: Space) -> tuple[str, ...]:
    """The hyperparameters of a space, in order, constants included."""
    inner = found.space if isinstance(found, Believed) else found
    if isinstance(inner, HyperparameterSpace):
        return inner.names
    return tuple(column.name for column in inner.columns)
