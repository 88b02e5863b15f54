"""What a scenario asks: objectives, constraints and how they are read, fidelity, limits."""

from __future__ import annotations

from typing import Any

from octavo.amounts import megabytes, seconds
from octavo.errors import closest
from octavo.executors.answers import Reading
from octavo.executors.wrappers import PROTOCOLS
from octavo.problem import MEASURED, Constraint, Fidelity, Limits, Objective, Problem, TrialLimits
from octavo.scenarios.source import Table

__all__ = [
    "cutoff_of",
    "full_budget",
    "read_constraints",
    "read_fidelity",
    "read_first",
    "read_limits",
    "read_objectives",
]

_HOW = ("regex", "json", "exit_code", "file")
_LIMITS = (
    "trials", "time", "cpu", "target", "trial_time", "trial_cpu", "trial_memory", "checkpoints",
)  # fmt: skip


def read_objectives(
    scenario: Table, protocol: str | None
) -> tuple[tuple[Objective, ...], dict[str, Reading]]:
    """What is optimized, and how those are read that are neither measured nor reported.

    Raises
    ------
    SettingError, ProblemError
        With file and line.
    """
    table = scenario.table("objectives")
    if not table.values:
        if protocol == "irace":
            return (Objective("cost"),), {}
        reported = PROTOCOLS.get(protocol or "", ())
        scenario.refuse(
            "objectives",
            "a scenario needs an objective. "
            + (
                f"The protocol {protocol!r} reports {', '.join(reported)}: add a table such as "
                f"[objectives.{reported[0]}]."
                if reported
                else r"Add such as [objectives.loss] and regex = 'loss = (\S+)', or one that is "
                "measured, [objectives.wall_time]."
            ),
        )
    objectives: list[Objective] = []
    readings: dict[str, Reading] = {}
    for name in table.values:
        one = table.table(name)
        one.only("maximize", "unit", *_HOW)
        with table.at(name):
            maximize = one.get("maximize", bool, default=False)
            objectives.append(Objective(name, maximize, one.get("unit", str, default="")))
        readings |= _readings(one, name, protocol)
    return tuple(objectives), readings


def read_constraints(
    scenario: Table, protocol: str | None
) -> tuple[tuple[Constraint, ...], dict[str, Reading]]:
    """What must hold, and how it is read, as for objectives.

    Raises
    ------
    SettingError, ProblemError
        With file and line.
    """
    table = scenario.table("constraints")
    constraints: list[Constraint] = []
    readings: dict[str, Reading] = {}
    for name in table.values:
        one = table.table(name)
        one.only("low", "high", *_HOW)
        with table.at(name):
            constraints.append(
                Constraint(name, one.get("low", int, float), one.get("high", int, float))
            )
        readings |= _readings(one, name, protocol)
    return tuple(constraints), readings


def _readings(table: Table, name: str, protocol: str | None) -> dict[str, Reading]:
    """How a quantity is read; nothing if it is measured or reported."""
    given = {
        how: table.get(how, bool if how == "exit_code" else str) for how in _HOW if how in table
    }
    if not given:
        reported = PROTOCOLS.get(protocol or "", ())
        if name in (*MEASURED, *reported):
            return {}
        wrapper = f" The protocol {protocol!r} reports {', '.join(reported)}." if reported else ""
        table.source.refuse(
            table.key,
            f"it is not said how {name!r} is read.{closest(name, (*MEASURED, *reported))} Add "
            r"regex = 'loss = (\S+)', json = 'loss' or exit_code = true; Octavo measures "
            f"{', '.join(MEASURED)} itself.{wrapper}",
        )
    place = next(iter(given))
    with table.at("regex" if "regex" in given else place):
        return {name: Reading(**given)}


def read_fidelity(scenario: Table) -> Fidelity | None:
    """How much a trial may spend less of; None where the scenario does not say.

    Raises
    ------
    SettingError, ProblemError
        With file and line.
    """
    if "fidelity" not in scenario:
        return None
    table = scenario.table("fidelity")
    table.only("name", "low", "high", "log", "integer")
    for name in ("low", "high"):
        if name not in table:
            scenario.refuse(
                "fidelity",
                f"[fidelity] has no {name}. Give the cheapest budget that still tells something, "
                "and the full one: low = 1 and high = 81.",
            )
    with table.at("low"):
        return Fidelity(
            table.get("name", str, default="fidelity"),
            table.get("low", int, float),
            table.get("high", int, float),
            log=table.get("log", bool, default=True),
            integer=table.get("integer", bool),
        )


def full_budget(fidelity: Fidelity | None) -> float | None:
    """All that a trial may spend, as a program is told it; None without a fidelity."""
    if fidelity is None:
        return None
    return int(fidelity.high) if fidelity.integer else fidelity.high


def read_limits(scenario: Table) -> tuple[Limits, TrialLimits, float | None]:
    """What the whole study may consume, what one trial may, and MiB of all checkpoints.

    Raises
    ------
    SettingError, ProblemError
        With file and line.
    """
    table = scenario.table("limits")
    table.only(*_LIMITS)
    times = {}
    for name in ("time", "cpu", "trial_time", "trial_cpu"):
        with table.at(name):
            times[name] = seconds(table.get(name, str, int, float), name)
    sizes = {}
    for name in ("trial_memory", "checkpoints"):
        with table.at(name):
            sizes[name] = megabytes(table.get(name, str, int, float), name)
    with table.at("trials"):
        limits = Limits(
            max_trials=table.get("trials", int),
            wall_s=times["time"],
            cpu_s=times["cpu"],
            target=table.get("target", int, float),
        )
    each = TrialLimits(times["trial_time"], sizes["trial_memory"], times["trial_cpu"])
    return limits, each, sizes["checkpoints"]


def cutoff_of(limits: TrialLimits) -> float | None:
    """The seconds that a program is told it may take: the nearest of its limits on time."""
    return min((s for s in (limits.wall_s, limits.cpu_s) if s is not None), default=None)


def read_first(scenario: Table, problem: Problem) -> tuple[dict[str, Any], ...]:
    """Configurations to try first.

    Raises
    ------
    SpaceError
        If one is not in the space; with its line.
    """
    found = []
    for number, table in enumerate(scenario.tables("first")):
        with scenario.source.at(("first", number)):
            found.append(problem.space.check(table.values))
    return tuple(found)
