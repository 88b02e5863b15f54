"""One search that spends a budget of fidelity, and what it would have reported all along."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tasks import Task

__all__ = ["Asked", "Search", "Session", "System", "search"]


@dataclass(frozen=True)
class Asked:
    """What a system wants to have evaluated.

    Parameters
    ----------
    config
        In Octavo's form.
    fidelity
        How much to spend on it.
    token
        By which the session knows it again.
    """

    config: Mapping[str, Any]
    fidelity: float
    token: Any


class Session(Protocol):
    """One search of one system."""

    def ask(self) -> Asked:
        """What to evaluate next."""
        ...

    def tell(self, asked: Asked, cost: float) -> None:
        """Its cost; NaN if it failed."""
        ...


class System(Protocol):
    """Something that can search; `version` is its package's."""

    version: str

    def start(self, task: Task, seed: int, budget: float) -> Session:
        """A fresh search; the budget counts in full evaluations."""
        ...


@dataclass(frozen=True)
class Search:
    """A finished search.

    Parameters
    ----------
    improvements
        Pairs of what was spent, in full evaluations, and the true cost (at the full budget) of
        the configuration that is the best one from then on.
    n_evaluations
        How many there were.
    cpu_s
        CPU seconds of asking and telling.
    """

    improvements: tuple[tuple[float, float], ...]
    n_evaluations: int
    cpu_s: float

    def best(self, spent: float) -> float:
        """The true cost of the best configuration after so many full evaluations' worth."""
        found = [cost for at, cost in self.improvements if at <= spent * (1 + 1e-9)]
        return found[-1] if found else math.nan


def search(task: Task, system: System, seed: int, budget: float) -> Search:
    """Search until so many full evaluations' worth are spent, one evaluation after the other.

    The best configuration is the one with the lowest cost among those with the highest fidelity
    so far, for all systems alike.
    """
    session = system.start(task, seed, budget)
    high = float(task.fidelity.high)
    spent, cpu_s, n = 0.0, 0.0, 0
    reached: dict[tuple[Any, ...], float] = {}
    best = (-math.inf, -math.inf)  # fidelity, minus cost
    improvements: list[tuple[float, float]] = []
    while spent < budget * (1 - 1e-9):
        began = time.process_time()
        asked = session.ask()
        cpu_s += time.process_time() - began
        config = task.space.check(asked.config)  # as plain values, and a failure if it is illegal
        fidelity = min(max(float(asked.fidelity), float(task.fidelity.low)), high)
        key = tuple(sorted(config.items()))
        before = reached.get(key, 0.0) if task.resumes else 0.0
        spent += max(fidelity - before, 0.0) / high
        reached[key] = max(fidelity, before)
        n += 1
        cost = task.evaluate(config, fidelity)
        if not math.isnan(cost) and (fidelity, -cost) > best:
            best = (fidelity, -cost)
            true = task.truth(config)
            if not improvements or improvements[-1][1] != true:  # mostly the same one goes on
                improvements.append((spent, true))
        began = time.process_time()
        session.tell(asked, cost)
        cpu_s += time.process_time() - began
    return Search(tuple(improvements), n, cpu_s)
