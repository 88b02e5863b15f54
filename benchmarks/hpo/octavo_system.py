"""Octavo's optimizers as systems of the benchmark: names of the catalog, and their ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations import ablated
from sessions import Asked, Outcome

import octavo
from octavo.history import History
from octavo.optimizers.recommendation import recommend
from octavo.problem import Problem
from octavo.trial import Proposal, Status, Trial

__all__ = ["OctavoSystem"]


class OctavoSystem:
    """The recipe of a name, with its default settings.

    Parameters
    ----------
    name
        In the catalog, such as "auto", or that of an ablation, such as
        "gaussian-process/no-climbs"; the latest that was made is in effect.
    recommends
        Whether it reports what `Study.recommend` does, or else `Study.best`.
    """

    def __init__(self, name: str, *, recommends: bool = True) -> None:
        self.recipe = ablated(name)
        self.recommends = recommends
        self.version = octavo.__version__

    def start(self, problem: Problem, seed: int) -> OctavoSession:
        """A fresh search."""
        return OctavoSession(problem, self.recipe.start(problem, seed), self.recommends)


class OctavoSession:
    """Asks an optimizer, and tells it."""

    def __init__(self, problem: Problem, optimizer: Any, recommends: bool) -> None:
        self.optimizer, self.recommends = optimizer, recommends
        self.history = History(problem)
        self.pending: dict[int, Proposal] = {}

    def ask(self) -> Asked:
        """The next configuration."""
        (proposal,) = self.optimizer.ask(1, pending=tuple(self.pending.values()))
        self.pending[proposal.index] = proposal
        return Asked(proposal.config, proposal.seed, proposal)

    def tell(self, asked: Asked, outcome: Outcome) -> None:
        """Its result."""
        del self.pending[asked.token.index]
        self._told([Trial(asked.token, Status.SUCCESS, outcome.costs, outcome.constraints)])

    def add(self, configs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> None:
        """Results that the system did not ask for."""
        start = max([-1, *(trial.index for trial in self.history), *self.pending]) + 1
        self._told([
            Trial(Proposal(start + i, config), Status.SUCCESS, its.costs, its.constraints)
            for i, (config, its) in enumerate(zip(configs, outcomes, strict=True))
        ])  # fmt: skip

    def _told(self, trials: list[Trial]) -> None:
        self.optimizer.tell(trials)
        self.history.extend(trials)

    def incumbent(self) -> Mapping[str, Any]:
        """The configuration that a study would report."""
        found = recommend(self.history) if self.recommends else self.history.incumbent
        if found is None:
            raise ValueError("there is no feasible trial yet, so that nothing can be reported.")
        return found.config
