"""Octavo's optimizers and schedulers as systems of the benchmark: names of the catalog."""

from __future__ import annotations

import math

from spending import Asked
from tasks import Task
from variants import recipe_of

import octavo
from octavo.optimizers import Optimizer
from octavo.trial import Checkpoint, Status, Trial

__all__ = ["OctavoSystem"]


class OctavoSystem:
    """The recipe of a name, with its default settings."""

    def __init__(self, name: str) -> None:
        self.recipe = recipe_of(name)
        self.version = octavo.__version__

    def start(self, task: Task, seed: int, budget: float) -> OctavoSession:
        """A fresh search."""
        return OctavoSession(self.recipe.start(task.problem(budget), seed), task.resumes)


class OctavoSession:
    """Asks an optimizer, and tells it."""

    def __init__(self, optimizer: Optimizer, resumes: bool) -> None:
        self.optimizer = optimizer
        self.checkpoint = Checkpoint("checkpoint", 0) if resumes else None

    def ask(self) -> Asked:
        """What to evaluate next."""
        (proposal,) = self.optimizer.ask(1)
        assert proposal.fidelity is not None
        return Asked(proposal.config, proposal.fidelity, proposal)

    def tell(self, asked: Asked, cost: float) -> None:
        """Its cost; NaN if it failed."""
        status = Status.CRASHED if math.isnan(cost) else Status.SUCCESS
        self.optimizer.tell([Trial(asked.token, status, (cost,), checkpoint=self.checkpoint)])
