"""Optuna's samplers as systems of the benchmark, at their documented defaults.

Spaces are translated type by type and asked define-by-run: a hyperparameter is suggested only
where its condition holds. Optuna has no ordered choices; they become the integer place in
their list, as its documentation advises.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import optuna
from conditions import in_order
from sessions import Asked, Outcome

from octavo.optimizers.protocol import trial_seed
from octavo.problem import Problem
from octavo.spaces import HyperparameterSpace

__all__ = ["SAMPLERS", "OptunaSystem", "suggested"]

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


def _of(problem: Problem, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, and the constraints where the problem has any."""
    if not problem.constraints:
        return settings
    return settings | {"constraints_func": lambda trial: trial.user_attrs["constraints"]}


SAMPLERS: Mapping[str, Callable[[Problem, int], Any]] = {
    "tpe": lambda p, seed: optuna.samplers.TPESampler(**_of(p, {"seed": seed})),
    "gp": lambda p, seed: optuna.samplers.GPSampler(**_of(p, {"seed": seed})),
    "nsga2": lambda p, seed: optuna.samplers.NSGAIISampler(**_of(p, {"seed": seed})),
}
"""Name to a sampler for a problem and a seed."""


class OptunaSystem:
    """One of `SAMPLERS`."""

    def __init__(self, name: str) -> None:
        self.sampler = SAMPLERS[name]
        self.version = version("optuna")

    def start(self, problem: Problem, seed: int) -> OptunaSession:
        """A fresh search."""
        return OptunaSession(problem, self.sampler(problem, seed), seed)


class OptunaSession:
    """A study in memory."""

    def __init__(self, problem: Problem, sampler: Any, seed: int) -> None:
        self.seed = seed
        assert isinstance(problem.space, HyperparameterSpace)
        self.problem = problem
        self.space = problem.space
        self.parameters = in_order(problem.space)
        directions = ["minimize"] * problem.n_objectives
        self.study = optuna.create_study(sampler=sampler, directions=directions)

    def ask(self) -> Asked:
        """The next configuration."""
        trial = self.study.ask()
        config: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.is_active(config):
                config[parameter.name] = suggested(trial, parameter.domain)
        return Asked(config, trial_seed(self.seed, trial.number), trial)

    def tell(self, asked: Asked, outcome: Outcome) -> None:
        """Its result."""
        if self.problem.constraints:
            asked.token.set_user_attr("constraints", self._violations(outcome))
        self.study.tell(asked.token, list(outcome.costs))

    def add(self, configs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> None:
        """Results that the system did not ask for."""
        for config, outcome in zip(configs, outcomes, strict=True):
            domains = {p.name: p.domain for p in self.parameters if p.name in config}
            stored = {name: _stored(domains[name], config[name]) for name in domains}
            attributes = {}
            if self.problem.constraints:
                attributes["constraints"] = self._violations(outcome)
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=stored,
                    distributions={name: _distribution(domains[name]) for name in domains},
                    values=list(outcome.costs),
                    user_attrs=attributes,
                )
            )

    def incumbent(self) -> Mapping[str, Any]:
        """Optuna's `best_trial`."""
        found = self.study.best_trial.params
        domains = {p.name: p.domain for p in self.parameters if p.name in found}
        return {name: _plain(domain, found[name]) for name, domain in domains.items()}

    def _violations(self, outcome: Outcome) -> list[float]:
        """At most 0 where a bound is kept, one per bound."""
        found = []
        for constraint, value in zip(self.problem.constraints, outcome.constraints, strict=True):
            if constraint.high is not None:
                found.append(value - constraint.high)
            if constraint.low is not None:
                found.append(constraint.low - value)
        return found


def suggested(trial: Any, domain: Any) -> Any:
    """A value for one hyperparameter, by Optuna's sampler."""
    if domain.kind == "float":
        return trial.suggest_float(domain.name, *domain.bounds, log=domain.log)
    if domain.kind == "integer":
        return trial.suggest_int(domain.name, *domain.bounds, log=domain.log)
    if domain.kind == "ordinal":
        return domain.choices[trial.suggest_int(domain.name, 0, len(domain.choices) - 1)]
    return trial.suggest_categorical(domain.name, domain.choices)


def _distribution(domain: Any) -> Any:
    if domain.kind == "float":
        return optuna.distributions.FloatDistribution(*domain.bounds, log=domain.log)
    if domain.kind == "integer":
        return optuna.distributions.IntDistribution(*domain.bounds, log=domain.log)
    if domain.kind == "ordinal":
        return optuna.distributions.IntDistribution(0, len(domain.choices) - 1)
    return optuna.distributions.CategoricalDistribution(domain.choices)


def _stored(domain: Any, value: Any) -> Any:
    return domain.choices.index(value) if domain.kind == "ordinal" else value


def _plain(domain: Any, value: Any) -> Any:
    return domain.choices[value] if domain.kind == "ordinal" else value
