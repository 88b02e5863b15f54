"""Configurators, each driven within a budget of CPU time: `SYSTEMS`.

All pay with the same money: the CPU seconds of the solver's own runs, measured alike. What a
configurator thinks in between costs it nothing; it is reported beside.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from solvers import SOLVERS, Solver
from solving import run_limited

import octavo
from octavo.optimizers import RandomForestBO, RandomSearch
from octavo.schedulers.iterated_racing import IteratedRacing
from octavo.schedulers.racing import Racing
from octavo.standings import RACE
from octavo.trial import Status

__all__ = ["CUTOFF_S", "PAR", "SYSTEMS", "Found", "Task", "penalized"]

CUTOFF_S = 5.0
PAR = 10.0
_REPEATED = 60  # capped runs that are run again, to see what capping saved


@dataclass(frozen=True)
class Task:
    """What is to be configured.

    Parameters
    ----------
    solver
        Name of the program.
    folder
        Where the instances lie.
    train
        Names of the instances to learn from.
    answers
        Of each instance; a solver that says otherwise has failed.
    features
        Of each instance.
    budget_s
        CPU seconds.
    """

    solver: str
    folder: Path
    train: tuple[str, ...]
    answers: Mapping[str, str]
    features: Mapping[str, tuple[float, ...]]
    budget_s: float


@dataclass(frozen=True)
class Found:
    """What a configurator found.

    Parameters
    ----------
    config
        Its final choice.
    n_configs, n_runs
        How much it tried.
    cpu_s
        Of all runs.
    saved_s
        What the runs that were capped would have taken besides, up to the cutoff, as a sample of
        them says; NaN if not measured.
    """

    config: Mapping[str, Any]
    n_configs: int
    n_runs: int
    cpu_s: float
    saved_s: float = float("nan")


def penalized(
    task: Task, config: Mapping[str, Any], instance: str, cutoff_s: float = CUTOFF_S
) -> tuple[float, float]:
    """PAR10 of a run, and the CPU seconds that it took."""
    solver = SOLVERS[task.solver]
    run = run_limited(solver.command(config, str(task.folder / instance)), cutoff_s)
    is_right = run.answer != "" and run.answer == task.answers.get(instance, run.answer)
    return (run.cpu_s if is_right else PAR * CUTOFF_S), run.cpu_s


# Octavo --------------------------------------------------------------------------------


def solve(
    config: Mapping[str, Any], *, instance: str, solver: str, folder: str, answers: Any
) -> dict[str, float]:
    """The objective: Octavo kills it at its cutoff."""
    run = run_limited(SOLVERS[solver].command(config, str(Path(folder) / instance)), None)
    if run.answer != answers.get(instance, run.answer) or not run.answer:
        raise RuntimeError(f"{solver} answered {run.answer or 'nothing'!r} on {instance}")
    return {"cpu_time": run.cpu_s}


class _Solve:
    """`solve` for one task; picklable, so that it runs in a process of its own."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, config: Mapping[str, Any], *, instance: str) -> dict[str, float]:
        task = self.task
        return solve(
            config, instance=instance, solver=task.solver, folder=str(task.folder),
            answers=dict(task.answers),
        )  # fmt: skip


def _octavo(name: str, recipe: Any, *, saved: bool = False) -> Callable[[Task, int], Found]:
    def configure(task: Task, seed: int) -> Found:
        # A search that was interrupted goes on where it was.
        key = f"{task.solver}-{name}-{seed}-{len(task.train)}-{task.budget_s:g}s"
        folder = task.folder.parent / "studies" / f"{key}-{octavo.__version__}"
        with _searched(task, seed, recipe, folder) as study:
            history = study.history
            cpu_s = sum(trial.resources.cpu_s or 0.0 for trial in history)
            return Found(
                config=study.best_config,
                n_configs=len({str(sorted(trial.config.items())) for trial in history}),
                n_runs=len(history),
                cpu_s=cpu_s,
                saved_s=_saved_s(task, history, seed) if saved else float("nan"),
            )

    return configure


def _searched(task: Task, seed: int, recipe: Any, folder: Path) -> octavo.Study:
    if folder.exists():
        return octavo.open_study(folder).resume(_Solve(task), progress=False)
    return octavo.minimize(
        _Solve(task), SOLVERS[task.solver].space, objectives=["cpu_time"], instances=task.train,
        instance_features=task.features, optimizer=recipe, cpu_limit=task.budget_s,
        trial_cpu_time=CUTOFF_S, workers=1, seed=seed, progress=False, storage=folder,
    )  # fmt: skip


def _saved_s(task: Task, history: Any, seed: int) -> float:
    """What capped runs would have taken besides, the decisions being the same.

    Some of them are run again, up to the full cutoff. Without capping a race would also go on
    with further runs of a level whose sum is lost already; those are not counted.
    """
    capped = [
        trial
        for trial in history
        if trial.status is Status.TIMEOUT and trial.proposal.origin.data[RACE].get("capped")
    ]
    if not capped:
        return 0.0
    n = min(len(capped), _REPEATED)
    drawn = np.random.default_rng([seed, 0xCA9]).choice(len(capped), size=n, replace=False)
    saved = 0.0
    for trial in (capped[place] for place in drawn):
        _, cpu_s = penalized(task, trial.config, trial.proposal.instance)
        saved += cpu_s - (trial.resources.cpu_s or 0.0)
    return saved * len(capped) / n


# Baselines -----------------------------------------------------------------------------


def _default(task: Task, seed: int) -> Found:
    return Found(SOLVERS[task.solver].space.default(), 1, 0, 0.0)


def _random(task: Task, seed: int) -> Found:
    """The default configuration and random ones on all training instances, while they last.

    A configuration in work when the budget ends counts as if it had not been begun.
    """
    space = SOLVERS[task.solver].space
    rng = np.random.default_rng([seed, 0x5A7])
    best, best_mean, spent, n_runs, n_configs = space.default(), float("inf"), 0.0, 0, 0
    config = best
    while True:
        costs = []
        for instance in task.train:
            cost, cpu_s = penalized(task, config, instance)
            costs.append(cost)
            spent += cpu_s
            n_runs += 1
            if spent >= task.budget_s:
                return Found(best, n_configs, n_runs, spent)
        n_configs += 1
        if np.mean(costs) < best_mean:
            best, best_mean = config, float(np.mean(costs))
        config = space.decode(space.sample(1, rng))[0]


# SMAC3 ---------------------------------------------------------------------------------
#
# Without the features of instances: with more than three of them its forest fails on an assertion
# (2.4.1), as it learns from principal components and then predicts from the features themselves.


def _smac(*, capping: bool) -> Callable[[Task, int], Found]:
    def configure(task: Task, seed: int) -> Found:
        from smac import AlgorithmConfigurationFacade, Scenario
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        solver: Solver = SOLVERS[task.solver]
        with tempfile.TemporaryDirectory(prefix="smac-") as folder:
            scenario = Scenario(
                solver.space.configspace, deterministic=True, instances=list(task.train),
                n_trials=10**6, adaptive_capping=capping, output_directory=Path(folder), seed=seed,
            )  # fmt: skip
            facade = AlgorithmConfigurationFacade(
                scenario, _never, logging_level=logging.ERROR, overwrite=True
            )
            spent, n_runs = 0.0, 0
            while spent < task.budget_s:
                info = facade.ask()
                bound = (
                    (info.additional_info or {}).get("cutoff", CUTOFF_S) if capping else CUTOFF_S
                )
                cutoff = min(max(float(bound), 0.01), CUTOFF_S)
                began = time.time()
                cost, cpu_s = penalized(task, dict(info.config), str(info.instance), cutoff)
                spent += cpu_s
                n_runs += 1
                value = TrialValue(
                    cost=cost, time=cpu_s, cpu_time=cpu_s, status=StatusType.SUCCESS,
                    starttime=began, endtime=time.time(),
                )  # fmt: skip
                facade.tell(info, value)
            incumbents = facade.intensifier.get_incumbents()
            n_configs = len(facade.runhistory.get_configs())
            return Found(dict(incumbents[0]), n_configs, n_runs, spent)

    return configure


def _never(config: Any, instance: str, seed: int = 0, cutoff: float = 0.0) -> float:
    raise AssertionError("SMAC is asked and told; it calls nothing.")


SYSTEMS: Mapping[str, Callable[[Task, int], Found]] = {
    "default": _default,
    "random": _random,
    "octavo:racing": _octavo("racing", Racing(RandomForestBO()), saved=True),
    "octavo:racing-uncapped": _octavo("racing-uncapped", Racing(RandomForestBO(), capping=False)),
    "octavo:racing-random": _octavo("racing-random", Racing(RandomSearch())),
    "octavo:irace": _octavo("irace", IteratedRacing(), saved=True),
    "octavo:irace-uncapped": _octavo("irace-uncapped", IteratedRacing(capping=False)),
    "smac:configuration": _smac(capping=False),
    "smac:configuration-capped": _smac(capping=True),
}
"""By name; each takes a task and a seed."""
