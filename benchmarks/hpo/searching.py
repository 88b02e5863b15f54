"""One serial search: what was evaluated, and what proposing cost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from results import shown
from sessions import Outcome, System
from task import Task

from octavo.problem import Problem

__all__ = ["Search", "evaluated", "search", "timings"]


@dataclass
class Search:
    """A finished search, one entry per trial.

    Parameters
    ----------
    configs, outcomes
        What was tried and what it cost.
    truths
        The first objective without noise.
    cpu_ms
        CPU milliseconds of ask and tell.
    reported
        The configuration that the system would report after some numbers of trials.
    """

    configs: list[Mapping[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    reported: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def improvements(self) -> str:
        """Each trial that improved on the earlier ones, as "number:cost number:cost ..."."""
        found = []
        best = np.inf
        for number, cost in enumerate(self.truths, start=1):
            if cost < best:
                best = cost
                found.append(f"{number}:{shown(cost)}")
        return " ".join(found)

    def best(self, n: int) -> float:
        """The lowest cost of the first `n` trials."""
        return min(self.truths[:n])


def evaluated(task: Task, config: Mapping[str, Any], seed: int) -> Outcome:
    """The outcome of a configuration.

    Raises
    ------
    octavo.errors.SpaceError
        If it is not in the space: a failure of whoever proposed it.
    """
    # As plain values: SMAC's are NumPy's, which not every evaluation takes.
    found = task.evaluate(task.space.check(config), seed)
    return Outcome(
        tuple(found[name] for name in task.objectives),
        tuple(found[constraint.name] for constraint in task.constraints),
    )


def search(
    task: Task,
    system: System,
    seed: int,
    n_trials: int,
    *,
    problem: Problem | None = None,
    report_at: Sequence[int] = (),
) -> Search:
    """Ask, evaluate and tell `n_trials` times.

    Parameters
    ----------
    problem
        What the system is told of the task, if it is not the task's own problem.
    report_at
        After which numbers of trials the system is asked for its incumbent.
    """
    session = system.start(problem or task.problem(n_trials), seed)
    record = Search()
    for number in range(1, n_trials + 1):
        began = time.process_time()
        asked = session.ask()
        spent = time.process_time() - began
        outcome = evaluated(task, asked.config, asked.seed)
        began = time.process_time()
        session.tell(asked, outcome)
        spent += time.process_time() - began
        record.configs.append(asked.config)
        record.outcomes.append(outcome)
        record.cpu_ms.append(1e3 * spent)
        is_noisy = task.truth is not None
        record.truths.append(task.cost(asked.config) if is_noisy else outcome.costs[0])
        if number in report_at:
            record.reported[number] = session.incumbent()
    return record


def timings(cpu_ms: Sequence[float]) -> dict[str, str]:
    """Median, mean and 95th percentile of CPU milliseconds, as columns."""
    return {
        "ms_median": f"{np.median(cpu_ms):.3f}",
        "ms_mean": f"{np.mean(cpu_ms):.3f}",
        "ms_p95": f"{np.percentile(cpu_ms, 95):.3f}",
    }
