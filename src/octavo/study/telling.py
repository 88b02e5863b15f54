"""What `Study.tell` was given, as numbers: nobody measured those trials but who tells of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from octavo.errors import ObjectiveError, SettingError
from octavo.history import History
from octavo.measured import FIELDS, RETURNED, filled, measured_names, methods_of
from octavo.problem import Problem
from octavo.trial import Proposal, Resources, Status, Trial

__all__ = ["check_resources", "is_measured", "read_told"]


def is_measured(problem: Problem) -> bool:
    """Whether all objectives and constraints are such as Octavo measures."""
    return len(measured_names(problem)) == len(problem.objectives) + len(problem.constraints)


def check_resources(resources: object) -> Resources:
    """The resources that were told, with a word on each number on how it was got.

    Raises
    ------
    SettingError
        If they are something else.
    """
    if resources is None:
        return Resources()
    if not isinstance(resources, Resources):
        raise SettingError(
            f"resources={resources!r:.200} is of type {type(resources).__name__}. Write "
            "octavo.Resources(energy_kwh=0.002, how={'energy_kwh': 'power meter'})."
        )
    known = [field for field in FIELDS.values() if getattr(resources, field) is not None]
    return replace(resources, how={**dict.fromkeys(known, RETURNED), **resources.how})


def read_told(
    problem: Problem, history: History, values: object, resources: Resources
) -> tuple[tuple[float, ...], tuple[float, ...], dict[str, Any], Resources]:
    """Costs, constraint values, further data, and resources with how all was measured.

    Raises
    ------
    ObjectiveError
        If the values cannot be read, or lack what nobody measured, or were measured in another
        way than those of earlier trials.
    """
    costs, constraints, extra = problem.read(values)
    nobody = Proposal(index=0, config={})
    trial = Trial(nobody, Status.SUCCESS, costs, constraints, resources=resources)
    found = filled(problem, trial, methods_of(problem, history))
    if not found.succeeded:
        name = next(n for n in measured_names(problem) if found.cause.startswith(repr(n)))
        raise ObjectiveError(
            f"{found.cause} Only run() measures by itself; tell what you measured, always in the "
            f"same way: tell(trial, {{..., {name!r}: 0.002}}), or tell(trial, ..., "
            f"resources=octavo.Resources({FIELDS[name]}=0.002))."
        )
    return found.costs, found.constraints, extra, found.resources
