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
        The configuration that the system reports at the end; None where there is none.
    """

    configs: list[Mapping[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    reported: Mapping[str, Any] | None = None

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
    """The outcome of a configuration."""
    found = task.evaluate(config, seed)
    return Outcome(
        tuple(found[name] for name in task.objectives),
        tuple(found[constraint.name] for constraint in task.constraints),
    )


def search(task: Task, system: System, seed: int, n_trials: int) -> Search:
    """Ask, evaluate and tell `n_trials` times."""
    session = system.start(task.problem(n_trials), seed)
    record = Search()
    for _ in range(n_trials):
        began = time.process_time()
        asked = session.ask()
        spent = time.process_time() - began
        task.space.check(asked.config)  # a proposal outside of the space is a failure
        outcome = evaluated(task, asked.config, asked.seed)
        began = time.process_time()
        session.tell(asked, outcome)
        spent += time.process_time() - began
        record.configs.append(asked.config)
        record.outcomes.append(outcome)
        record.cpu_ms.append(1e3 * spent)
        is_noisy = task.truth is not None
        record.truths.append(task.cost(asked.config) if is_noisy else outcome.costs[0])
    if len(task.objectives) == 1 and not task.constraints:
        record.reported = session.incumbent()
    return record


def timings(cpu_ms: Sequence[float]) -> dict[str, str]:
    """Median, mean and 95th percentile of CPU milliseconds, as columns."""
    return {
        "ms_median": f"{np.median(cpu_ms):.3f}",
        "ms_mean": f"{np.mean(cpu_ms):.3f}",
        "ms_p95": f"{np.percentile(cpu_ms, 95):.3f}",
    }
