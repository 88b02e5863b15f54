"""Optuna's TPE with its Hyperband pruner, at their documented defaults.

A trial reports its cost as it goes and is stopped when the pruner says so. Learning curves are
reported after every step; where a larger share of the rows starts training anew, at the shares of
Hyperband's rungs, each of which costs its share. Where training diverges the trial fails.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import optuna
from conditions import in_order
from optuna_systems import suggested
from spending import Asked
from tasks import Task

from octavo.schedulers.ladder import levels
from octavo.spaces import HyperparameterSpace

__all__ = ["OptunaSystem"]

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

_ETA = 3  # Optuna's default


class OptunaSystem:
    """`TPESampler` and `HyperbandPruner`."""

    def __init__(self) -> None:
        self.version = version("optuna")

    def start(self, task: Task, seed: int, budget: float) -> OptunaSession:
        """A fresh search."""
        del budget
        return OptunaSession(task, seed)


class OptunaSession:
    """A study in memory, and the trial that runs."""

    def __init__(self, task: Task, seed: int) -> None:
        assert isinstance(task.space, HyperparameterSpace)
        self.parameters = in_order(task.space)
        high = task.fidelity.high
        # Steps are whole numbers: of shares, their places among the rungs.
        self.fidelities: Sequence[float] = levels(task.fidelity, _ETA)
        self.steps: list[int] = [_ETA**k for k in range(len(self.fidelities))]
        if task.resumes:
            self.fidelities = range(1, int(high) + 1)
            self.steps = list(self.fidelities)
        self.study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.HyperbandPruner(
                min_resource=self.steps[0], max_resource=self.steps[-1], reduction_factor=_ETA
            ),
        )
        self.running: tuple[Any, dict[str, Any], int] | None = None

    def ask(self) -> Asked:
        """The next step of the trial that runs, or the first of a new one."""
        if self.running is None:
            trial = self.study.ask()
            config: dict[str, Any] = {}
            for parameter in self.parameters:
                if parameter.is_active(config):
                    config[parameter.name] = suggested(trial, parameter.domain)
            self.running = trial, config, 0
        _, config, at = self.running
        return Asked(config, self.fidelities[at], None)

    def tell(self, asked: Asked, cost: float) -> None:
        """Its cost; NaN if it failed."""
        assert self.running is not None
        trial, config, at = self.running
        self.running = None
        if math.isnan(cost):
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        trial.report(cost, self.steps[at])
        if at + 1 == len(self.steps):
            self.study.tell(trial, cost)
        elif trial.should_prune():
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self.running = trial, config, at + 1
