"""SMAC3's facades as systems of the benchmark, at their documented defaults, by ask and tell.

The space is the one that Octavo's stands on: ConfigSpace's own. `deterministic=True` for
tasks without noise, as SMAC's documentation tells its users. The surrogate is refitted when
its facade says so (`retrain_after`), no more often.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sessions import Asked, Outcome
from smac import (
    BlackBoxFacade,
    HyperparameterOptimizationFacade,
    Scenario,
)
from smac.multi_objective.parego import ParEGO
from smac.runhistory.dataclasses import TrialInfo, TrialValue

from octavo.problem import Problem
from octavo.spaces import HyperparameterSpace

__all__ = ["FACADES", "SmacSystem"]

FACADES: Mapping[str, Any] = {
    "hyperparameter": HyperparameterOptimizationFacade,
    "blackbox": BlackBoxFacade,
    "parego": HyperparameterOptimizationFacade,
}
"""Name to facade; "parego" is the first with ParEGO over several objectives."""


class SmacSystem:
    """One of `FACADES`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = version("smac")

    def start(self, problem: Problem, seed: int) -> SmacSession:
        """A fresh search."""
        return SmacSession(problem, self.name, seed)


class SmacSession:
    """A facade whose target function is never called."""

    def __init__(self, problem: Problem, name: str, seed: int) -> None:
        assert isinstance(problem.space, HyperparameterSpace)
        if problem.constraints:
            raise ValueError("SMAC knows no constraints.")
        self.folder = tempfile.TemporaryDirectory(prefix="smac-")
        self.n_objectives = problem.n_objectives
        scenario = Scenario(
            problem.space.configspace,
            objectives=[objective.name for objective in problem.objectives]
            if problem.n_objectives > 1
            else problem.objectives[0].name,
            deterministic=problem.repeats == 1,
            n_trials=problem.limits.max_trials or 100,
            output_directory=self.folder.name,
            seed=seed,
        )
        more = {"multi_objective_algorithm": ParEGO(scenario)} if name == "parego" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.facade = FACADES[name](
                scenario,
                _never,
                logging_level=logging.ERROR,
                overwrite=True,
                **more,
            )

    def ask(self) -> Asked:
        """The next configuration."""
        info = self.facade.ask()
        return Asked(dict(info.config), info.seed or 0, info)

    def tell(self, asked: Asked, outcome: Outcome) -> None:
        """Its result."""
        self.facade.tell(asked.token, self._value(outcome), save=False)

    def add(self, configs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> None:
        """Results that the system did not ask for."""
        from ConfigSpace import Configuration

        space = self.facade.scenario.configspace
        for config, outcome in zip(configs, outcomes, strict=True):
            info = TrialInfo(Configuration(space, dict(config)), seed=0)
            self.facade.tell(info, self._value(outcome), save=False)

    def incumbent(self) -> Mapping[str, Any]:
        """The intensifier's incumbent."""
        return dict(self.facade.intensifier.get_incumbent())

    def _value(self, outcome: Outcome) -> TrialValue:
        cost = list(outcome.costs) if self.n_objectives > 1 else outcome.costs[0]
        return TrialValue(cost=cost)


def _never(config: Any, seed: int = 0) -> float:
    raise RuntimeError("the benchmark evaluates by itself and only asks and tells.")
