"""Objectives and constraints that Octavo measures by itself: `filled`, `comparable`.

`wall_time` (s), `cpu_time` (s), `memory` (MiB), `energy` (kWh) and `co2` (kg) may be named
by any problem. What the objective function does not return under such a name is taken from
the trial's `Resources`. How it was measured stands beside each number, and numbers that were
measured in different ways are never compared: seconds of a process tree are not those of a
single process, and an estimate of energy is not a reading of a meter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from octavo.problem import MEASURED, Problem
from octavo.trial import Resources, Status, Trial

__all__ = [
    "FIELDS",
    "RETURNED",
    "Methods",
    "filled",
    "is_comparable",
    "measured_names",
    "method",
    "methods_of",
]

FIELDS: Mapping[str, str] = {
    "wall_time": "wall_s",
    "cpu_time": "cpu_s",
    "memory": "memory_mb",
    "energy": "energy_kwh",
    "co2": "co2_kg",
}
"""Which field of `Resources` each name of `octavo.problem.MEASURED` stands for."""

RETURNED = "given by the objective, or by who told it"
"""How a number was measured that Octavo was given."""

Methods = Mapping[str, str]
"""How each quantity was measured, by its name as an objective."""


def measured_names(problem: Problem) -> tuple[str, ...]:
    """The objectives and constraints of a problem that Octavo measures where it must.

    Examples
    --------
    >>> from octavo.problem import Objective
    >>> measured_names(Problem(None, (Objective("loss"), Objective("energy"))))
    ('energy',)
    """
    names = [o.name for o in problem.objectives] + [c.name for c in problem.constraints]
    return tuple(name for name in names if name in MEASURED)


def method(how: Mapping[str, str], name: str) -> str:
    """How the number of a trial under one of the names was measured; empty if nobody says.

    Parameters
    ----------
    how
        `Resources.how` of the trial.
    name
        One of `octavo.problem.MEASURED`.

    Examples
    --------
    >>> method({"energy_kwh": "power meter", "co2_kg": "energy x 30 g/kWh"}, "co2")
    'energy x 30 g/kWh; power meter'
    """
    if name in how:
        return how[name]
    its = how.get(FIELDS[name], "")
    # CO2 follows from energy, so it can be no more alike than that.
    return f"{its}; {how['energy_kwh']}" if name == "co2" and "energy_kwh" in how else its


def filled(problem: Problem, trial: Trial, methods: Methods) -> Trial:
    """A trial with what the objective left to Octavo, from its resources.

    Parameters
    ----------
    problem
        Names what is wanted.
    trial
        As an executor gave it back, with NaN for what is missing.
    methods
        How earlier trials were measured, see `methods_of`. A number that was got in another
        way does not count: comparing it with theirs would be comparing methods.

    Returns
    -------
    Trial
        A success in which something is missing, or not comparable, is a crash whose cause
        says what and why. What did not succeed keeps its resources and gets no costs.
    """
    names = measured_names(problem)
    if not names or trial.status is not Status.SUCCESS:
        return trial
    costs = {o.name: cost for o, cost in zip(problem.objectives, trial.costs, strict=True)}
    values = {c.name: v for c, v in zip(problem.constraints, trial.constraints, strict=True)}
    how = dict(trial.resources.how)
    for name in names:
        if not math.isnan((costs | values)[name]):
            how[name] = RETURNED
    resources = replace(trial.resources, how=how)
    for objective in problem.objectives:
        if objective.name in names and math.isnan(costs[objective.name]):
            costs[objective.name] = objective.cost(_measured(resources, objective.name))
    for constraint in problem.constraints:
        if constraint.name in names and math.isnan(values[constraint.name]):
            values[constraint.name] = _measured(resources, constraint.name)
    cause = _missing(resources, costs | values, names) or _other(resources, methods, names)
    if cause:
        costs = dict.fromkeys(costs, math.nan)
    return replace(
        trial,
        status=Status.CRASHED if cause else trial.status,
        costs=tuple(costs.values()),
        constraints=tuple(values.values()),
        cause=cause,
        resources=resources,
    )


def methods_of(problem: Problem, trials: Iterable[Trial]) -> Methods:
    """How the quantities of a problem were measured in the first trial that succeeded.

    Empty before there is one, and for problems without such quantities.
    """
    names = measured_names(problem)
    if names:
        for trial in trials:
            if trial.succeeded:
                return {name: method(trial.resources.how, name) for name in names}
    return {}


def is_comparable(trial: Trial, methods: Methods) -> bool:
    """Whether a trial was measured in these ways, so that its numbers may be compared."""
    return all(method(trial.resources.how, name) == how for name, how in methods.items())


def _measured(resources: Resources, name: str) -> float:
    value: float | None = getattr(resources, FIELDS[name])
    return math.nan if value is None else value


def _missing(resources: Resources, numbers: Mapping[str, float], names: tuple[str, ...]) -> str:
    for name in names:
        if math.isnan(numbers[name]):
            why = method(resources.how, name)
            return (
                f"{name!r} was neither returned by the objective nor measured"
                + (f" ({why})" if why else "")
                + "."
            )
    return ""


def _other(resources: Resources, methods: Methods, names: tuple[str, ...]) -> str:
    for name in names:
        have, want = method(resources.how, name), methods.get(name)
        if want is not None and have != want:
            return (
                f"{name!r} was measured in another way ({have}) than in this study's earlier "
                f"trials ({want}), and numbers of different methods do not compare."
                + (" Return it in every trial, or in none." if RETURNED in (have, want) else "")
            )
    return ""
