"""The stoppers of a scenario: what ends a trial early by the curve that its program reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from octavo.errors import closest
from octavo.scenarios.settings import read_settings
from octavo.scenarios.source import Table
from octavo.schedulers import ASHAStopper, CurveStopper, MedianRule, Stopper

__all__ = ["read_stoppers"]

_STOPPERS: Mapping[str, Callable[..., Stopper]] = {
    "median": MedianRule,
    "asha": ASHAStopper,
    "curve": CurveStopper,
}


def read_stoppers(scenario: Table, *, is_reported: bool) -> tuple[Stopper, ...]:
    """What `stoppers` names: `["median"]`, or `[{name = "asha", eta = 4}]` with settings.

    Parameters
    ----------
    scenario
        The whole scenario.
    is_reported
        Whether the program's output has a learning curve.

    Raises
    ------
    SettingError
        With file and line.
    """
    given = scenario.get("stoppers", str, list, default=[])
    found = []
    for number, one in enumerate([given] if isinstance(given, str) else given):
        key = ("stoppers", number)
        table = Table(scenario.source, key, {"name": one} if isinstance(one, str) else one)
        if not isinstance(table.values, dict):
            scenario.source.refuse(
                key, f"stoppers contains {one!r}. Write a name, or {{name = 'asha', eta = 4}}."
            )
        found.append(_stopper(table))
    if found and not is_reported:
        scenario.refuse(
            "stoppers",
            "stoppers judge what a trial reports while it runs, and nothing is read from the "
            "command's output before it ends. Add such as [report] and json = 'epoch', the key of "
            "the step in lines that are JSON objects.",
        )
    return tuple(found)


def _stopper(table: Table) -> Stopper:
    if "name" not in table:
        table.refuse(
            "name", f"the stopper has no name. Write name = one of {', '.join(_STOPPERS)}."
        )
    name: Any = table.get("name", str)
    kind: Any = _STOPPERS.get(name)
    if kind is None:
        table.refuse(
            "name",
            f"there is no stopper called {name!r}.{closest(str(name), _STOPPERS)} Write one of "
            f"{', '.join(_STOPPERS)}.",
        )
    settings = read_settings(table, kind)
    with table.source.at(table.key):
        made: Stopper = kind(**settings)
    return made
