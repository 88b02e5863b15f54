"""Running a scenario: a study whose objective is the scenario's command."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.callbacks import Callback, Completed, Event, StopWhenHopeless
from octavo.errors import OctavoError, SettingError
from octavo.executors.command import Command
from octavo.problem import Limits
from octavo.scenarios.scenario import Scenario
from octavo.scenarios.validation import ASKED
from octavo.storage import has_study, is_address
from octavo.study import Study
from octavo.study.running import RunSettings, run_study

if TYPE_CHECKING:
    from octavo.executors import DaskExecutor

__all__ = [
    "check_limits",
    "check_storage",
    "executor_of",
    "make_study",
    "run_scenario",
    "stored_command",
    "watchers",
    "with_limits",
]

PATIENCE = 10
"""After so many crashes for one reason, and nothing else, a study of a command ends."""


def make_study(scenario: Scenario, storage: str | Path | None) -> Study:
    """The study of a scenario, before its first trial.

    Parameters
    ----------
    scenario
        What is asked.
    storage
        Folder (or URL) of the study; None keeps it in memory.
    """
    problem = scenario.problem
    return Study(
        problem.space,
        objectives=problem.objectives,
        constraints=problem.constraints,
        fidelity=problem.fidelity,
        instances=problem.instances,
        instance_features=problem.instance_features,
        repeats=problem.repeats,
        optimizer=scenario.optimizer,
        first=scenario.first,
        limits=problem.limits,
        seed=scenario.seed,
        storage=storage,
        name=scenario.name,
    )


def run_scenario(
    scenario: Scenario,
    *,
    storage: str | Path | None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    began: float | None = None,
) -> Study:
    """Tune the program of a scenario until one of its limits is reached.

    Parameters
    ----------
    scenario
        As `read_scenario` made it; `dataclasses.replace` changes what is to be different.
        Its held-out instances are remembered: `validate_scenario` runs them.
    storage
        Folder (or URL) of the study; None keeps it in memory.
    callbacks, progress
        As in `octavo.minimize`.
    began
        `time.monotonic()` from which the time limit counts; now by default.

    Returns
    -------
    Study
        To be closed by the caller.

    Raises
    ------
    SettingError
        If nothing would end the search, or the scheduler cannot be reached.
    """
    began = time.monotonic() if began is None else began
    check_limits(scenario)
    try:
        executor = executor_of(scenario.scheduler)
    except OctavoError as error:
        raise _at(scenario, "scheduler", error) from error
    try:
        study = make_study(scenario, storage)
    except BaseException:
        if executor is not None:
            executor.close()
        raise
    try:
        if study.folder is not None:
            study.folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(scenario.path, study.folder / "scenario.toml")  # for people, and the record
        validation = scenario.validation
        study.update_settings(
            **{
                ASKED: {
                    "scheduler": scenario.scheduler,
                    "validation": None if validation is None else asdict(validation),
                }
            }
        )
        run_study(
            study,
            scenario.command,
            RunSettings(
                limits=scenario.problem.limits,
                workers=scenario.workers,
                executor=executor,
                trial_limits=scenario.trial_limits,
                callbacks=(*callbacks, *watchers()),
                stoppers=scenario.stoppers,
                checkpoint_mb=scenario.checkpoint_mb,
                progress=progress,
                began=began,
            ),
        )
    except BaseException:
        study.close()
        raise
    return study


def executor_of(scheduler: str | None) -> DaskExecutor | None:
    """What runs trials on the cluster of a scheduler; None: they run here.

    Raises
    ------
    SettingError
        If it cannot be reached.
    """
    if scheduler is None:
        return None
    from octavo.executors import DaskExecutor

    return DaskExecutor(scheduler)


def watchers() -> tuple[Callback, ...]:
    """What ends a study of a command early: hopelessness, and a wrapper's ABORT."""
    return StopWhenHopeless(PATIENCE), _stop_on_abort


def stored_command(settings: Mapping[str, Any]) -> Command | None:
    """The command of a stored study by its settings; None if its objective is none."""
    stored = settings.get("objective") or {}
    if stored.get("name") != f"{Command.__module__}:{Command.__qualname__}":
        return None
    return Command.from_json(stored["data"])


def with_limits(scenario: Scenario, *, max_trials: int | None, wall_s: float | None) -> Scenario:
    """The scenario with other limits, where they are given; the first of them to be met counts."""
    limits = scenario.problem.limits
    changed = Limits(
        max_trials=limits.max_trials if max_trials is None else max_trials,
        wall_s=limits.wall_s if wall_s is None else wall_s,
        cpu_s=limits.cpu_s,
        target=limits.target,
    )
    return replace(scenario, problem=replace(scenario.problem, limits=changed))


def check_limits(scenario: Scenario) -> None:
    """Refuse a scenario that nothing would end.

    Raises
    ------
    SettingError
        With file and line.
    """
    problem = scenario.problem
    if problem.limits == Limits() and not problem.space.is_finite:
        raise SettingError(
            f"{scenario.places.get('limits', scenario.path)}: no limit is set, so the search would "
            "never end. Add to [limits] one of trials = 100, time = '10m', cpu = '1h' and target = "
            "0.01; or give octavo tune --trials or --time."
        )


def check_storage(scenario: Scenario, storage: str | Path) -> None:
    """Refuse a folder that holds something already or cannot be made, and a server that is away.

    Raises
    ------
    SettingError, StorageError
        Saying what to do instead; with file and line if the scenario names the place.
    """
    try:
        if isinstance(storage, str) and is_address(storage):
            _check_server(storage)
        else:
            _check_folder(Path(storage))
    except OctavoError as error:
        if storage == scenario.storage:
            raise _at(scenario, "storage", error) from error
        raise


def _check_server(url: str) -> None:
    if has_study(url):
        raise SettingError(
            "the study is there already. Take part in it, on as many machines as you like: "
            f"octavo resume '{url}'; or choose another name after study=."
        )


def _check_folder(folder: Path) -> None:
    import os

    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file. Give a folder that does not exist yet.")
    if folder.exists() and any(folder.iterdir()):
        raise SettingError(
            f"{folder} is not empty, and nothing is overwritten. Give a new folder, or go on with "
            f"the run that is there: octavo resume {folder}"
        )
    parent = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise SettingError(
            f"{folder} cannot be made: {parent} is not a folder that you may write to. Give "
            "another one."
        )


def _at(scenario: Scenario, key: str, error: OctavoError) -> OctavoError:
    """The error, with the file and line of a key."""
    place = scenario.places.get(key)
    return type(error)(f"{place}: {error}") if place else error


def _stop_on_abort(event: Event) -> str | None:
    if isinstance(event, Completed) and event.trial.cause.startswith("the wrapper reported ABORT"):
        return f"the wrapper asked to end everything, in trial {event.trial.index}"
    return None
