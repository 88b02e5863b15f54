"""Configurators, each driven within a budget of CPU time: `SYSTEMS`.

All pay with the same money: the CPU seconds of the solver's own runs, measured alike. What a
configurator thinks in between costs it nothing; it is reported beside.

The solvers are randomized. A configuration that is quick on every instance with one seed may time
out with the next, so Octavo's searches know `SEEDS` for each: they come to the second when the
incumbent was run on all instances with the first.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import Counter
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
SEEDS = 5
_REPEATED = 40  # capped runs that are run again, to see what capping saved


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
        What the same decisions would have cost besides without capping, as a sample of the capped
        runs says; NaN if not measured.
    """

    config: Mapping[str, Any]
    n_configs: int
    n_runs: int
    cpu_s: float
    saved_s: float = float("nan")


def penalized(
    task: Task, config: Mapping[str, Any], instance: str, seed: int, cutoff_s: float = CUTOFF_S
) -> tuple[float, float]:
    """PAR10 of a run, and the CPU seconds that it took."""
    solver = SOLVERS[task.solver]
    run = run_limited(solver.command(config, str(task.folder / instance), seed), cutoff_s)
    is_right = run.answer != "" and run.answer == task.answers.get(instance, run.answer)
    return (run.cpu_s if is_right else PAR * CUTOFF_S), run.cpu_s


# Octavo --------------------------------------------------------------------------------


class _Solve:
    """The objective: Octavo kills it at its cutoff. Picklable, as it runs in another process."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, config: Mapping[str, Any], *, instance: str, seed: int) -> dict[str, float]:
        task = self.task
        command = SOLVERS[task.solver].command(config, str(task.folder / instance), seed)
        run = run_limited(command, None)
        if run.answer != task.answers.get(instance, run.answer) or not run.answer:
            raise RuntimeError(f"{task.solver} said {run.answer or 'nothing'!r} on {instance}")
        return {"cpu_time": run.cpu_s}


def _octavo(
    name: str, recipe: Any, *, seeds: int = SEEDS, saved: bool = False
) -> Callable[[Task, int], Found]:
    def configure(task: Task, seed: int) -> Found:
        # A search that was interrupted goes on where it was.
        key = f"{task.solver}-{name}-{seed}-{len(task.train)}-{task.budget_s:g}s"
        folder = task.folder.parent / "studies" / f"{key}-{octavo.__version__}"
        with _searched(task, seed, recipe, seeds, folder) as study:
            history = study.history
            cpu_s = sum(trial.resources.cpu_s or 0.0 for trial in history)
            return Found(
                config=study.best_config,
                n_configs=len({str(sorted(trial.config.items())) for trial in history}),
                n_runs=len(history),
                cpu_s=cpu_s,
                saved_s=_saved_s(task, history, seed, seeds) if saved else float("nan"),
            )

    return configure


def _searched(task: Task, seed: int, recipe: Any, seeds: int, folder: Path) -> octavo.Study:
    if folder.exists():
        return octavo.open_study(folder).resume(_Solve(task), progress=False)
    return octavo.minimize(
        _Solve(task), SOLVERS[task.solver].space, objectives=["cpu_time"], instances=task.train,
        instance_features=task.features, optimizer=recipe, cpu_limit=task.budget_s,
        trial_cpu_time=CUTOFF_S, repeats=seeds, workers=1, seed=seed, progress=False,
        storage=folder,
    )  # fmt: skip


def _saved_s(task: Task, history: Any, seed: int, seeds: int) -> float:
    """What the same decisions would have cost besides without capping.

    A capped run would have gone on to its end or the full cutoff, and its configuration would have
    been run on all of the level on which it was compared: twice as many pairs as on the level
    before. Some of the capped runs are run again to their end; the further runs of the level are
    as many others of the same configuration.
    """
    done: Counter[str] = Counter()
    capped = []
    for trial in history:
        key = str(sorted(trial.config.items()))
        done[key] += 1
        race = trial.proposal.origin.data[RACE]
        if trial.status is Status.TIMEOUT and race.get("capped"):
            level = min(1 << (done[key] - 1).bit_length(), seeds * len(task.train))
            capped.append((trial, level - done[key]))
    if not capped:
        return 0.0
    rng = np.random.default_rng([seed, 0xCA9])
    n = min(len(capped), _REPEATED)
    saved = 0.0
    for place in rng.choice(len(capped), size=n, replace=False):
        trial, n_further = capped[place]
        proposal = trial.proposal
        _, cpu_s = penalized(task, trial.config, proposal.instance, proposal.seed)
        saved += cpu_s - (trial.resources.cpu_s or 0.0)
        for instance in rng.choice(task.train, size=n_further):
            saved += penalized(task, trial.config, str(instance), proposal.seed)[1]
    return saved * len(capped) / n


# Baselines -----------------------------------------------------------------------------


def _default(task: Task, seed: int) -> Found:
    return Found(SOLVERS[task.solver].space.default(), 1, 0, 0.0)


def _random(task: Task, seed: int) -> Found:
    """The default configuration and random ones on every third instance, with one seed each.

    A configuration in work when the budget ends counts as if it had not been begun.
    """
    space = SOLVERS[task.solver].space
    rng = np.random.default_rng([seed, 0x5A7])
    best, best_mean, spent, n_runs, n_configs = space.default(), float("inf"), 0.0, 0, 0
    config = best
    while True:
        costs = []
        for instance in task.train[::3]:
            cost, cpu_s = penalized(task, config, instance, seed)
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
                config, instance = dict(info.config), str(info.instance)
                cost, cpu_s = penalized(task, config, instance, int(info.seed), cutoff)
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
    "octavo:racing-one-seed": _octavo(
        "racing-one-seed", Racing(RandomForestBO()), seeds=1, saved=True
    ),
    "octavo:racing-uncapped": _octavo("racing-uncapped", Racing(RandomForestBO(), capping=False)),
    "octavo:racing-random": _octavo("racing-random", Racing(RandomSearch())),
    "octavo:irace": _octavo("irace", IteratedRacing()),
    "octavo:irace-uncapped": _octavo("irace-uncapped", IteratedRacing(capping=False)),
    "smac:configuration": _smac(capping=False),
    "smac:configuration-capped": _smac(capping=True),
}
"""By name; each takes a task and a seed."""
