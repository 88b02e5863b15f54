"""One run of a study: how it is set up, what the study remembers of it, how the next goes on."""

from __future__ import annotations

import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from octavo.callbacks import Callback, Ended, StopWhenHopeless
from octavo.errors import StudyError
from octavo.executors import fingerprint
from octavo.executors.calling import check_signature
from octavo.executors.energy import Energy, Meter, meter
from octavo.executors.placement import PLACE
from octavo.executors.protocol import Executor, Work
from octavo.measured import measured_names, methods_of
from octavo.problem import Limits, TrialLimits
from octavo.schedulers.stopping import Stopper
from octavo.study.arguments import check_ends, check_measured, check_run, make_executor
from octavo.study.interrupt import catch_interrupts
from octavo.study.keeping import Keeping
from octavo.study.leases import Leases
from octavo.study.loop import Accept, Run, announce, go_round, listen
from octavo.study.objective import load_objective, refer_to
from octavo.study.stopping import Stopping, stoppers_from_json, stoppers_to_json
from octavo.study.study import Study

__all__ = ["RunSettings", "resume_study", "run_study", "stored_data"]


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a study is run: all that is no part of its question.

    Parameters
    ----------
    limits
        When to stop; none: what the study was planned with.
    workers, executor, trial_limits, data, energy, callbacks, progress
        As in `minimize`.
    stoppers
        As in `minimize`; None: none, or when a study is resumed, those of its last run.
    checkpoint_mb
        How much the checkpoints may take together, in MiB; None: any amount.
    accept
        Asked before each trial whether it may run, and for how long.
    hasty
        Whether the first Ctrl-C ends running trials at once instead of letting them finish.
    began
        `time.monotonic()` from which the wall clock counts; None: from now.
    """

    limits: Limits = field(default_factory=Limits)
    workers: int | None = None
    executor: Executor | None = None
    trial_limits: TrialLimits | None = None
    data: Mapping[str, Any] | None = None
    energy: Energy | None = None
    callbacks: Sequence[Callback] = ()
    stoppers: Sequence[Stopper] | None = None
    checkpoint_mb: float | None = None
    progress: bool | None = None
    accept: Accept | None = None
    hasty: bool = False
    began: float | None = None


def run_study(study: Study, objective: Callable[..., Any], settings: RunSettings) -> None:
    """Run a study until a limit is reached."""
    began = time.monotonic() if settings.began is None else settings.began
    stoppers = () if settings.stoppers is None else settings.stoppers
    check_run(
        objective,
        executor=settings.executor,
        trial_limits=settings.trial_limits,
        data=settings.data,
        callbacks=settings.callbacks,
        energy=settings.energy,
        stoppers=stoppers,
        fidelity=study.problem.fidelity,
        instances=study.problem.instances,
        n_objectives=study.problem.n_objectives,
    )
    problem = study.problem
    limits = problem.limits if settings.limits == Limits() else settings.limits
    check_ends(limits, problem.space)
    trial_limits = settings.trial_limits or TrialLimits()
    executor = settings.executor or make_executor(
        settings.workers, trial_limits, (*problem.objectives, *problem.constraints), study.recipe
    )
    data = dict(settings.data or {})
    with ExitStack() as stack:
        its_meter = _meter(study, executor, settings.energy)
        stack.callback(its_meter.close)
        study.last_objective = objective
        _remember(study, objective, settings)
        folder = study.workplace
        if study.folder is None:  # whose data are passed again, or not at all
            stack.callback(shutil.rmtree, folder / PLACE, ignore_errors=True)
        leases = Leases(study.store)
        stack.callback(leases.close)
        stack.callback(executor.close)  # before the leases are given back
        executor.start(
            Work(
                objective=objective,
                problem=study.problem,
                folder=folder,
                limits=trial_limits,
                data=data,
                listen=(lambda event: listen(run, event)) if stoppers else None,
            )
        )
        run = Run(
            study=study,
            executor=executor,
            meter=its_meter,
            limits=limits,
            trial_limits=trial_limits,
            callbacks=_watching(settings.callbacks, settings.progress),
            accept=settings.accept,
            interrupt=stack.enter_context(catch_interrupts()),
            hasty=settings.hasty,
            began=began,
            queue=deque(() if study.is_shared else study.pending),
            methods=methods_of(study.problem, study.history),
            leases=leases,
            stopping=Stopping(stoppers, problem.objectives[0].name),
            keeping=(
                Keeping(folder, study.history, settings.checkpoint_mb)
                if "checkpoint" in check_signature(objective, data)
                else None
            ),
        )
        try:
            go_round(run)
        finally:
            study.stopped_because = run.reason or "an exception ended the run"
            announce(run, Ended(study.history, study.stopped_because), may_stop=False)
    study.update_settings(stopped_because=study.stopped_because)


def resume_study(study: Study, objective: Callable[..., Any] | None, settings: RunSettings) -> None:
    """Run a study; what is not given is as in its last run, with what is left of its limits."""
    settings = replace(
        settings, began=time.monotonic() if settings.began is None else settings.began
    )
    objective = load_objective(study.settings.get("objective"), objective or study.last_objective)
    run_study(study, objective, _as_before(study, settings))


def _as_before(study: Study, given: RunSettings) -> RunSettings:
    last = study.settings.get("run", {})
    data, energy, stoppers = given.data, given.energy, given.stoppers
    if data is None and last.get("data"):
        data = stored_data(study, last["data"])
    if energy is None and last.get("energy"):
        energy = Energy(**last["energy"])
    if stoppers is None:
        stoppers = stoppers_from_json(last.get("stoppers", ()))
    return replace(
        given,
        limits=_left(study) if given.limits == Limits() else given.limits,
        workers=last.get("workers") if given.workers is None else given.workers,
        trial_limits=given.trial_limits or TrialLimits(**last.get("trial_limits", {})),
        data=data,
        energy=energy,
        stoppers=stoppers,
        checkpoint_mb=(
            last.get("checkpoint_mb") if given.checkpoint_mb is None else given.checkpoint_mb
        ),
    )


def _left(study: Study) -> Limits:
    """What is left of the planned limits; time spent is the time in which trials ran."""
    planned = study.problem.limits
    history = study.history
    wall_s = planned.wall_s
    if wall_s is not None:
        wall_s = max(wall_s - _busy_s(history.started, history.ended), 1e-3)
    cpu_s = planned.cpu_s
    if cpu_s is not None:
        cpu_s = max(cpu_s - sum(trial.resources.cpu_s or 0.0 for trial in history), 1e-3)
    return Limits(max_trials=planned.max_trials, wall_s=wall_s, cpu_s=cpu_s, target=planned.target)


def _busy_s(started: Any, ended: Any) -> float:
    """Length of the union of the intervals."""
    spans = sorted((a, b) for a, b in zip(started, ended, strict=True) if a == a and b == b)
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def stored_data(study: Study, names: Mapping[str, str]) -> dict[str, Any]:
    """The data of a study's last run, by the names and fingerprints that it remembers."""
    from octavo.executors import load_placed

    if study.folder is None:
        raise StudyError(
            f"the data {sorted(names)} of this study were only in memory. "
            "Pass them again: study.resume(data=...)."
        )
    return load_placed(study.folder, names)


def _remember(study: Study, objective: Callable[..., Any], settings: RunSettings) -> None:
    prints = fingerprint(settings.data) if settings.data else {}
    before = study.settings.get("run", {}).get("data", {})
    changed = sorted(name for name in prints if name in before and before[name] != prints[name])
    if changed:
        warnings.warn(
            f"the data {changed} are not those of the study's earlier trials: earlier and later "
            "costs may not be comparable. Start a new study if they are not.",
            stacklevel=4,
        )
    study.update_settings(
        objective=refer_to(objective).to_json(),
        run={
            "workers": settings.workers,
            "trial_limits": asdict(settings.trial_limits or TrialLimits()),
            "data": prints,
            "energy": None if settings.energy is None else asdict(settings.energy),
            "stoppers": stoppers_to_json(settings.stoppers or ()),
            "checkpoint_mb": settings.checkpoint_mb,
        },
        stopped_because="",
    )


def _meter(study: Study, executor: Executor, energy: Energy | None) -> Meter:
    """What reads energy; counters only where somebody asks for energy, as they take a second."""
    if energy is None:
        is_asked_for = not {"energy", "co2"}.isdisjoint(measured_names(study.problem))
        energy = Energy() if is_asked_for else Energy(method="estimate")
    # One that does not say so may run trials anywhere, and measure as it likes.
    its_meter = meter(energy, is_local=getattr(executor, "is_local", False))
    try:
        how = {**getattr(executor, "how", {}), **its_meter.how}
        check_measured(study.problem, study.history, how)
    except BaseException:
        its_meter.close()
        raise
    return its_meter


def _watching(callbacks: Sequence[Callback], progress: bool | None) -> tuple[Callback, ...]:
    from octavo.callbacks.progress import ProgressBar, is_interactive

    watching = tuple(callbacks)
    if not any(isinstance(callback, StopWhenHopeless) for callback in watching):
        watching += (StopWhenHopeless(),)
    if progress or (progress is None and is_interactive()):
        watching += (ProgressBar(),)
    return watching
