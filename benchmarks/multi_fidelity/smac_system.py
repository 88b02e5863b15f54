"""SMAC3's multi-fidelity facade, a random forest under Hyperband, at its defaults."""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from importlib.metadata import version
from typing import Any

from smac import MultiFidelityFacade, Scenario
from smac.runhistory.dataclasses import TrialValue
from smac.runhistory.enumerations import StatusType
from spending import Asked
from tasks import Task

from octavo.spaces import HyperparameterSpace

__all__ = ["SmacSystem"]


class SmacSystem:
    """`MultiFidelityFacade`."""

    def __init__(self) -> None:
        self.version = version("smac")

    def start(self, task: Task, seed: int, budget: float) -> SmacSession:
        """A fresh search."""
        return SmacSession(task, seed, budget)


class SmacSession:
    """A facade whose target function is never called."""

    def __init__(self, task: Task, seed: int, budget: float) -> None:
        assert isinstance(task.space, HyperparameterSpace)
        self.worst = task.worst
        self.whole = bool(task.fidelity.integer)
        self.folder = tempfile.TemporaryDirectory(prefix="smac-")
        scenario = Scenario(
            task.space.configspace,
            deterministic=True,
            # The budget is not in trials; by default SMAC would stop after 100.
            n_trials=int(200 * budget),
            min_budget=task.fidelity.low,
            max_budget=task.fidelity.high,
            output_directory=self.folder.name,
            seed=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.facade = MultiFidelityFacade(
                scenario, _never, logging_level=logging.ERROR, overwrite=True
            )

    def ask(self) -> Asked:
        """What to evaluate next."""
        info = self.facade.ask()
        fidelity = float(info.budget)
        return Asked(dict(info.config), round(fidelity) if self.whole else fidelity, info)

    def tell(self, asked: Asked, cost: float) -> None:
        """Its cost; NaN if it failed."""
        if math.isnan(cost):
            value = TrialValue(cost=self.worst, status=StatusType.CRASHED)
        else:
            value = TrialValue(cost=cost)
        self.facade.tell(asked.token, value, save=False)


def _never(config: Any, seed: int = 0, budget: float = 0) -> float:
    raise RuntimeError("the benchmark evaluates by itself and only asks and tells.")
