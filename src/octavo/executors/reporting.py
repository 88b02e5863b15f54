"""What a trial reports while it runs, and how it learns that it is to end early."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from octavo.errors import ObjectiveError, TrialStopped
from octavo.problem import Problem
from octavo.trial import Report

__all__ = ["Reporter", "stopped_numbers"]


class Reporter:
    """The `report(step, value)` that an objective gets; its clock starts when it is made.

    Parameters
    ----------
    problem
        Names the first objective, which a bare number reports.
    send
        Takes the report on its way. What it gives back, if anything, is raised in the objective:
        the trial is to end.
    """

    def __init__(self, problem: Problem, send: Callable[[Report], TrialStopped | None]) -> None:
        self._name = problem.objectives[0].name
        self._send = send
        self._began = time.perf_counter()
        self.halted: TrialStopped | None = None
        """What was raised in the objective, if anything; it may have been caught there."""

    def __call__(self, step: float, value: float | Mapping[str, float]) -> None:
        """Send an intermediate value.

        Raises
        ------
        ObjectiveError
            If something is no number.
        TrialStopped
            If the trial is to end.
        """
        at_s = time.perf_counter() - self._began
        values = value if isinstance(value, Mapping) else {self._name: value}
        numbers = {str(name): _reported(name, number) for name, number in values.items()}
        answer = self._send(Report(step=_reported("step", step), values=numbers, at_s=at_s))
        if answer is not None:
            self.halted = answer
            raise answer

    def ended_by(self, error: BaseException) -> bool:
        """Whether an exception comes of the trial's being told to end.

        Libraries for training may wrap what is raised in them into exceptions of their own.
        """
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            if isinstance(link, TrialStopped):
                return True
            seen.add(id(link))
            link = link.__cause__ or link.__context__
        return False


def stopped_numbers(
    problem: Problem, reports: Sequence[Report]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Costs and constraint values of a trial that was ended early: what it reported last.

    Parameters
    ----------
    problem
        Names the quantities.
    reports
        All reports of the trial, in order.

    Returns
    -------
    costs, constraints
        By name, each from the last report that has it; NaN for what was never reported, and for
        costs that are not finite. Without any constraint value, no constraints.

    Examples
    --------
    >>> from octavo.problem import Objective
    >>> problem = Problem(space=None, objectives=(Objective("auc", maximize=True),))
    >>> stopped_numbers(problem, [Report(1, {"auc": 0.5}), Report(2, {"auc": 0.75})])
    ((-0.75,), ())
    """
    last: dict[str, float] = {}
    for report in reports:
        last.update(report.values)
    costs = tuple(o.cost(_finite_or_nan(last.get(o.name, math.nan))) for o in problem.objectives)
    if not any(constraint.name in last for constraint in problem.constraints):
        return costs, ()
    return costs, tuple(last.get(c.name, math.nan) for c in problem.constraints)


def _finite_or_nan(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _reported(name: object, value: Any) -> float:
    """A reported number as a float; NaN and infinity are told as they are."""
    if not isinstance(value, str | bytes | bool):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass  # answered below, together with the types that float() would accept
    raise ObjectiveError(
        f"report was given {type(value).__name__} {str(value)[:60]!r} for {name!r}. "
        "Report numbers: report(step, 0.3) or report(step, {'loss': 0.3})."
    )
