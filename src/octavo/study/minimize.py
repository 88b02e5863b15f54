"""`minimize`: a function and a space in, a finished study out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import megabytes, seconds
from octavo.errors import SettingError
from octavo.problem import Constraint, Fidelity, Objective, TrialLimits
from octavo.spaces import as_space
from octavo.study.arguments import check_ends, check_run, make_executor
from octavo.study.reading import read_constraints, read_limits, read_objectives
from octavo.study.running import RunSettings, run_study
from octavo.study.study import Study

if TYPE_CHECKING:
    from octavo.callbacks import Callback
    from octavo.executors.energy import Energy
    from octavo.executors.protocol import Executor
    from octavo.optimizers.protocol import Recipe
    from octavo.schedulers.stopping import Stopper

__all__ = ["minimize"]


def minimize(
    objective: Callable[..., Any],
    space: Any,
    *,
    max_trials: int | None = None,
    time_limit: str | float | None = None,
    cpu_limit: str | float | None = None,
    target: float | None = None,
    objectives: Sequence[str | Objective] | None = None,
    constraints: Mapping[str, tuple[float | None, float | None]]
    | Sequence[Constraint]
    | None = None,
    fidelity: Fidelity | None = None,
    instances: Sequence[str] = (),
    instance_features: Mapping[str, Sequence[float]] | None = None,
    repeats: int = 1,
    optimizer: str | Recipe = "auto",
    first: Sequence[Mapping[str, Any]] = (),
    priors: Sequence[Mapping[str, Any]] | Callable[[dict[str, Any]], float] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    trial_time: str | float | None = None,
    trial_memory: str | float | None = None,
    trial_cpu_time: str | float | None = None,
    data: Mapping[str, Any] | None = None,
    energy: Energy | None = None,
    seed: int | None = None,
    storage: str | Path | None = None,
    name: str | None = None,
    callbacks: Sequence[Callback] = (),
    stoppers: Sequence[Stopper] = (),
    checkpoint_limit: str | float | None = None,
    progress: bool | None = None,
) -> Study:
    """Find the configuration with the lowest cost.

    Parameters
    ----------
    objective
        A function whose first positional argument is the configuration (a dict of the active
        hyperparameters). Of `seed`, `fidelity`, `instance`, `report`, `checkpoint`, `folder`,
        `time_limit` and the names in `data` it gets those that it names. It returns the cost, or
        a dict with a number for each objective and constraint; further keys are kept with the
        trial.
    space
        What can be chosen: `octavo.space(...)`, a ConfigSpace `ConfigurationSpace`, or any
        `Space`.
    max_trials, time_limit, cpu_limit, target
        When to stop; at least one, unless the space is finite. The time limit counts from
        the call to its return; the target is in the user's direction.
    objectives
        Names or `Objective`s (with `maximize=True` where larger is better). "wall_time",
        "cpu_time", "memory", "energy" and "co2" are measured where the function does not
        return them, in s, s, MiB, kWh and kg.
    constraints
        Bounds on further quantities, returned or measured: `{"latency": (None, 0.1)}`.
    fidelity
        A budget that trials may spend less of; passed to the objective as `fidelity`.
    instances
        Names over which the mean cost is to be low, such as paths of files; each trial gets one
        of them as `instance`. Configurations are raced: see `octavo.schedulers.racing`.
    instance_features
        For each instance as many numbers that describe it: models learn from them what suits
        which.
    repeats
        With how many seeds a configuration must do well before it is trusted (on each
        instance); use 3 or more if the objective is noisy, and `Study.recommend` at the end.
    optimizer
        A name from the catalog, or a recipe such as `RandomForestBO(...)`.
    first
        Configurations to try before the optimizer's own.
    priors
        Configurations believed to be good, or a function from a configuration to how probable
        it is that it is (a density up to a factor): optimizers look there first, see
        `octavo.spaces.Believed`. Beliefs about single hyperparameters belong into the space.
    workers
        Trials run in so many processes of their own; None runs them in this process,
        unless a limit on trials, the cutoff of a race, or measuring their memory needs one.
    executor
        Where trials run, instead of `workers`.
    trial_time, trial_memory, trial_cpu_time
        What one trial may consume, in all its processes together, before it is killed:
        `"30s"`, `"2GB"`, `"1m"`.
    data
        Arrays, tables or other objects that the objective gets by name; placed once where
        workers map them.
    energy
        How energy and CO2 are found, see `octavo.Energy`; by default estimated, and read from the
        processor's counters, where that is possible, if "energy" or "co2" is an objective
        or a constraint.
    seed
        Makes a serial search reproducible.
    storage
        Folder of the study, to be made; `"postgresql://..."` shares it among machines, see
        `octavo.storage.Address`; None keeps it in memory.
    name
        For people.
    callbacks
        Called with each event of the study's life.
    stoppers
        Asked when trials `report` whether they go on, see `octavo.schedulers.Stopper`; where
        several disagree the strictest wins.
    checkpoint_limit
        How much the checkpoints of completed trials may take together, such as `"2GB"`: beyond
        it the least valuable are deleted. None: any amount.
    progress
        Whether to show progress; by default, if somebody watches.

    Returns
    -------
    Study
        With `best`, `best_config`, `best_value`, `recommend()`, `history`, `why`.

    Raises
    ------
    SpaceError, ProblemError, SettingError
        If an argument makes no sense. A failing trial does not raise: it is recorded.

    Examples
    --------
    >>> import octavo
    >>> space = octavo.space(x=octavo.Float(-5, 5), shape=octavo.Categorical(["bowl", "cliff"]))
    >>> def cost(config):
    ...     return (config["x"] - 1) ** 2 + (config["shape"] == "cliff")
    >>> study = octavo.minimize(cost, space, max_trials=40, seed=0)
    >>> study.best_config["shape"], round(study.best_value, 1)
    ('bowl', 0.0)
    """
    began = time.monotonic()
    if callable(space) and not callable(objective):
        raise SettingError(
            f"minimize got {objective!r:.200} as its objective, and {space!r} as its space. "
            "The function comes first: minimize(train, space)."
        )
    space = as_space(space)
    limits = read_limits(max_trials, time_limit, cpu_limit, target)
    trial_limits = TrialLimits(
        wall_s=seconds(trial_time, "trial_time"),
        memory_mb=megabytes(trial_memory, "trial_memory"),
        cpu_s=seconds(trial_cpu_time, "trial_cpu_time"),
    )
    checkpoint_mb = megabytes(checkpoint_limit, "checkpoint_limit")
    quantities = read_objectives(objectives), read_constraints(constraints)
    check_run(
        objective,
        executor=executor,
        trial_limits=trial_limits,
        data=data,
        callbacks=callbacks,
        energy=energy,
        stoppers=stoppers,
        fidelity=fidelity,
        instances=instances,
        n_objectives=len(quantities[0]),
    )
    check_ends(limits, space)
    executor = executor or make_executor(workers, trial_limits, chain(*quantities), optimizer)
    study = Study(
        space,
        objectives=quantities[0],
        constraints=quantities[1],
        fidelity=fidelity,
        instances=instances,
        instance_features=instance_features,
        repeats=repeats,
        optimizer=optimizer,
        first=first,
        priors=priors,
        limits=limits,
        seed=seed,
        storage=storage,
        name=name,
    )
    try:
        run_study(
            study,
            objective,
            RunSettings(
                limits=limits,
                workers=workers,
                executor=executor,
                trial_limits=trial_limits,
                data=data,
                energy=energy,
                callbacks=callbacks,
                stoppers=stoppers,
                checkpoint_mb=checkpoint_mb,
                progress=progress,
                began=began,
            ),
        )
    except BaseException:
        study.close()  # nobody else holds it; what was committed can be opened again
        raise
    return study
