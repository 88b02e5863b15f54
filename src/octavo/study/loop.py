"""The loop: ask the optimizer, run the trial, store it, then tell everyone.

A trial is completed when its row is committed. Whatever ends the loop (a limit, Ctrl-C, an
exception, SIGKILL), trials that were running have no row: they stay pending and are run again,
with the same seeds, when the study is resumed.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.callbacks import (
    Callback,
    Completed,
    Ended,
    Event,
    Reported as ReportedEvent,
    Started,
    StopWhenHopeless,
    Submitted,
)
from octavo.errors import LeaseLostError, SpaceError, StudyError
from octavo.executors import fingerprint
from octavo.executors.bounds import bounds
from octavo.executors.calling import check_signature
from octavo.executors.energy import Energy, Meter, meter
from octavo.executors.protocol import Executor, Finished, Reported, Work
from octavo.measured import Methods, filled, measured_names, methods_of
from octavo.problem import Limits, TrialLimits
from octavo.schedulers.stopping import Stopper
from octavo.storage import Command, Inbox
from octavo.study.arguments import check_ends, check_measured, check_run, make_executor
from octavo.study.interrupt import Interrupt, catch_interrupts
from octavo.study.keeping import Keeping
from octavo.study.leases import LEASE_S, Leases
from octavo.study.objective import load_objective, refer_to
from octavo.study.stopping import (
    Stopping,
    stoppers_from_json,
    stoppers_to_json,
)
from octavo.study.study import Study
from octavo.trial import Proposal, Resources, Status, Trial

if TYPE_CHECKING:
    from octavo.storage.table_inbox import TableInbox

__all__ = ["Accept", "resume_study", "run_study", "stored_data"]

logger = logging.getLogger(__name__)

Accept = Callable[[Proposal, float | None], "str | float | None"]
"""Given a proposal and the seconds left (None: no limit): a sentence refuses it, a number
lowers its wall-clock limit to so many seconds, None lets it run."""

POLL_S = 0.25  # how long Ctrl-C and the inbox may have to wait while trials run
REST = 0.02  # of the time limit: what is left then is nothing to speak of
PATIENCE = 12  # so many refusals in a row mean that nothing fits any more


@dataclass
class _Run:
    """What one run of the loop remembers."""

    study: Study
    executor: Executor
    meter: Meter
    limits: Limits
    trial_limits: TrialLimits
    callbacks: tuple[Callback, ...]
    accept: Accept | None
    interrupt: Interrupt
    hasty: bool
    began: float
    queue: deque[Proposal]
    methods: Methods
    leases: Leases
    stopping: Stopping
    keeping: Keeping | None
    running: dict[int, Proposal] = field(default_factory=dict)
    ending: set[int] = field(default_factory=set)  # not ours any more, but not yet off their slots
    polled: float = float("-inf")
    cpu_s: float = 0.0
    began_at: float = field(default_factory=time.time)
    refusals: int = 0
    paused: bool = False
    exhausted: bool = False
    reason: str = ""


def run_study(
    study: Study,
    objective: Callable[..., Any],
    *,
    limits: Limits,
    workers: int | None = None,
    executor: Executor | None = None,
    trial_limits: TrialLimits | None = None,
    data: Mapping[str, Any] | None = None,
    energy: Energy | None = None,
    callbacks: Sequence[Callback] = (),
    stoppers: Sequence[Stopper] = (),
    checkpoint_mb: float | None = None,
    progress: bool | None = None,
    accept: Accept | None = None,
    hasty: bool = False,
    began: float | None = None,
) -> None:
    """Run a study until a limit is reached.

    Parameters
    ----------
    study, objective, limits, workers, executor, trial_limits, data, energy, callbacks, progress
        As in `Study.run`.
    stoppers
        As in `Study.run`.
    checkpoint_mb
        How much the checkpoints may take together, in MiB; None: any amount.
    accept
        Asked before each trial whether it may run, and for how long.
    hasty
        Whether the first Ctrl-C ends running trials at once instead of letting them finish.
    began
        `time.monotonic()` from which the wall clock counts; now by default.
    """
    began = time.monotonic() if began is None else began
    check_run(
        objective,
        executor=executor,
        trial_limits=trial_limits,
        data=data,
        callbacks=callbacks,
        energy=energy,
        stoppers=stoppers,
        fidelity=study.problem.fidelity,
        instances=study.problem.instances,
    )
    trial_limits = trial_limits or TrialLimits()
    limits = _or_planned(limits, study)
    problem = study.problem
    executor = executor or make_executor(
        workers, trial_limits, (*problem.objectives, *problem.constraints), study.recipe
    )
    data = dict(data or {})
    with ExitStack() as stack:
        its_meter = _meter(study, executor, energy)
        stack.callback(its_meter.close)
        study.last_objective = objective
        _remember_run(
            study, objective, workers, trial_limits, data, energy, stoppers, checkpoint_mb
        )
        folder = study.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="octavo-")))
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
                listen=(lambda event: _listen(run, event)) if stoppers else None,
            )
        )
        run = _Run(
            study=study,
            executor=executor,
            meter=its_meter,
            limits=limits,
            trial_limits=trial_limits,
            callbacks=_watching(callbacks, progress),
            accept=accept,
            interrupt=stack.enter_context(catch_interrupts()),
            hasty=hasty,
            began=began,
            queue=deque(() if study.is_shared else study.pending),
            methods=methods_of(study.problem, study.history),
            leases=leases,
            stopping=Stopping(stoppers),
            keeping=(
                Keeping(folder, study.history, checkpoint_mb)
                if "checkpoint" in check_signature(objective, data)
                else None
            ),
        )
        try:
            _loop(run)
        finally:
            study.stopped_because = run.reason or "an exception ended the run"
            _announce(run, Ended(study.history, study.stopped_because), may_stop=False)
    study.update_settings(stopped_because=study.stopped_because)


def resume_study(
    study: Study,
    objective: Callable[..., Any] | None,
    *,
    limits: Limits,
    workers: int | None,
    executor: Executor | None,
    trial_limits: TrialLimits | None,
    data: Mapping[str, Any] | None,
    energy: Energy | None,
    callbacks: Sequence[Callback],
    stoppers: Sequence[Stopper] | None,
    checkpoint_mb: float | None,
    progress: bool | None,
) -> None:
    """Run a study with what it remembers of its last run."""
    last = study.settings.get("run", {})
    began = time.monotonic()
    if limits == Limits():
        limits = _left(study)
    if data is None and last.get("data"):
        data = stored_data(study, last["data"])
    if energy is None and last.get("energy"):
        energy = Energy(**last["energy"])
    if stoppers is None:
        stoppers = stoppers_from_json(last.get("stoppers", ()))
    run_study(
        study,
        load_objective(study.settings.get("objective"), objective or study.last_objective),
        limits=limits,
        workers=last.get("workers") if workers is None else workers,
        executor=executor,
        trial_limits=trial_limits or TrialLimits(**last.get("trial_limits", {})),
        data=data,
        energy=energy,
        callbacks=callbacks,
        stoppers=stoppers,
        checkpoint_mb=last.get("checkpoint_mb") if checkpoint_mb is None else checkpoint_mb,
        progress=progress,
        began=began,
    )


# Setting up ---------------------------------------------------------------------------


def _or_planned(limits: Limits, study: Study) -> Limits:
    limits = study.problem.limits if limits == Limits() else limits
    check_ends(limits, study.problem.space)
    return limits


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


def _remember_run(
    study: Study,
    objective: Callable[..., Any],
    workers: int | None,
    trial_limits: TrialLimits,
    data: Mapping[str, Any],
    energy: Energy | None,
    stoppers: Sequence[Stopper],
    checkpoint_mb: float | None,
) -> None:
    prints = fingerprint(data) if data else {}
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
            "workers": workers,
            "trial_limits": asdict(trial_limits),
            "data": prints,
            "energy": None if energy is None else asdict(energy),
            "stoppers": stoppers_to_json(stoppers),
            "checkpoint_mb": checkpoint_mb,
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


def stored_data(study: Study, names: Mapping[str, str]) -> dict[str, Any]:
    """The data of a study's last run, by the names and fingerprints that it remembers."""
    from octavo.executors import load_placed

    if study.folder is None:
        raise StudyError(
            f"the data {sorted(names)} of this study were only in memory. "
            "Pass them again: study.resume(data=...)."
        )
    return load_placed(study.folder, names)


def _watching(callbacks: Sequence[Callback], progress: bool | None) -> tuple[Callback, ...]:
    from octavo.callbacks.progress import ProgressBar, is_interactive

    watching = tuple(callbacks)
    if not any(isinstance(callback, StopWhenHopeless) for callback in watching):
        watching += (StopWhenHopeless(),)
    if progress or (progress is None and is_interactive()):
        watching += (ProgressBar(),)
    return watching


# Going round --------------------------------------------------------------------------


def _loop(run: _Run) -> None:
    study = run.study
    _announce(run, Started(study.history, run.limits, run.executor.slots))
    inbox = study.store.inbox(run.leases.worker)
    while True:
        _read_inbox(run, inbox)
        run.reason = run.reason or _limit_reached(run)
        if run.reason and (not run.running or _must_hurry(run)):
            break
        _fill(run)
        if not run.running and not run.ending:
            if run.reason or run.exhausted:
                run.reason = run.reason or (
                    f"the optimizer has nothing left to try after {len(study.history)} trials"
                )
                break
            _rest(run)
            continue
        _drop_lost(run)
        for event in run.executor.wait(min(POLL_S, _left_s(run))):
            if isinstance(event, Finished):
                _complete(run, event.trial)
            else:
                _hear(run, event)
        _halt(run, at_leisure=True)
    _abandon(run)


def _hear(run: _Run, event: Reported) -> None:
    if event.index in run.running:
        token = run.leases.token(event.index)
        try:
            run.study.store.add_reports(event.index, [event.report], token=token)
        except LeaseLostError as error:
            _drop(run, event.index, str(error))
            return
        run.stopping.hear(event.index, event.report)
        _announce(run, ReportedEvent(event.index, event.report))


def _halt(run: _Run, *, at_leisure: bool) -> None:
    """End the trials that the stoppers do not let go on."""
    for verdict in run.stopping.decide(run.study.history, at_leisure=at_leisure):
        logger.info("trial %d is %s", verdict.index, verdict.cause)
        run.executor.halt(verdict.index, verdict.decision, verdict.cause)


def _listen(run: _Run, event: Reported) -> None:
    """A report of a trial that waits for what comes of it."""
    _hear(run, event)
    _halt(run, at_leisure=False)


def _fill(run: _Run) -> None:
    """Give work to every idle worker."""
    while (
        len(run.running) + len(run.ending) < run.executor.slots
        and not run.reason
        and not run.paused
    ):
        proposal = _next(run)
        if proposal is None:
            return
        wall_s = None if run.limits.wall_s is None else _left_s(run)
        verdict = None if run.accept is None else run.accept(proposal, wall_s)
        if isinstance(verdict, str):
            _refuse(run, proposal, verdict)
            continue
        run.refusals = 0
        if verdict is not None:
            wall_s = verdict if wall_s is None else min(wall_s, verdict)
        run.running[proposal.index] = proposal
        run.stopping.begin(proposal)
        _announce(run, Submitted(proposal))
        run.meter.begin(proposal.index)
        run.executor.submit(proposal, wall_s=wall_s)


def _has_room(run: _Run) -> bool:
    return len(run.running) + len(run.ending) < run.executor.slots


def _next(run: _Run) -> Proposal | None:
    """What to run now, leased to us; None if there is nothing."""
    study, wanted = run.study, run.limits.max_trials
    if wanted is not None and study.n_run + len(run.running) >= wanted:
        return None
    while run.queue:
        if run.leases.take(run.queue[0].index):
            return run.queue.popleft()
        run.queue.popleft()
    for proposal in study.waiting if study.is_shared else ():  # returned by those that ended
        is_here = proposal.index in run.running or proposal.index in run.ending
        if not is_here and run.leases.take(proposal.index):
            return proposal
    if run.exhausted:
        return None
    proposals = study.propose(
        1,
        worker=run.leases.worker,
        lease_s=LEASE_S,
        most=wanted if study.is_shared else None,
    )
    if not proposals:
        # With trials still running it may think again when it learns of them; and others may
        # have reached the limit just now.
        is_full = wanted is not None and study.n_run >= wanted
        run.exhausted = not (is_full or (study.pending if study.is_shared else run.running))
        return None
    run.leases.hold(proposals[0].index)
    return proposals[0]


def _rest(run: _Run) -> None:
    """Wait for others: for whoever paused the study, for its other processes, for workers."""
    if run.paused or run.study.is_shared or not run.executor.slots:
        time.sleep(min(POLL_S, max(_left_s(run), 0.0)))


def _refuse(run: _Run, proposal: Proposal, why: str) -> None:
    nan = float("nan")
    now = time.time()
    token = run.leases.token(proposal.index)
    run.leases.end(proposal.index)
    run.study.complete(
        Trial(
            proposal=proposal,
            status=Status.CANCELLED,
            costs=(nan,) * run.study.problem.n_objectives,
            constraints=(nan,) * len(run.study.problem.constraints),
            cause=why,
            resources=Resources(),
            started=now,
            ended=now,
        ),
        token=token,
    )
    run.refusals += 1
    if run.refusals >= PATIENCE:
        wall_s = run.limits.wall_s
        is_over = wall_s is not None and _left_s(run) < wall_s * REST
        run.reason = (
            "the time limit is reached"
            if is_over
            else f"nothing that is proposed fits any more: {why}"
        )


def _complete(run: _Run, trial: Trial) -> None:
    if trial.status is Status.TIMEOUT and _left_s(run) <= 0 and not _is_over_its_own(run, trial):
        return  # the study's time was over, not the trial's: it stays pending
    if run.running.pop(trial.index, None) is None:
        run.ending.discard(trial.index)
        return  # taken over by another process, which records it
    trial = filled(run.study.problem, run.meter.read(trial), run.methods)
    run.methods = run.methods or methods_of(run.study.problem, (trial,))
    run.stopping.end(trial.index)
    run.cpu_s += trial.resources.cpu_s or 0.0
    try:
        run.study.complete(trial, token=run.leases.token(trial.index))
    except LeaseLostError as error:
        logger.warning("%s", error)
        run.leases.end(trial.index)
        return
    run.leases.end(trial.index)
    if run.keeping is not None:
        run.keeping.add(trial)
        needed = {p.resume_from for p in run.study.pending if p.resume_from is not None}
        run.keeping.tidy(run.study.history, run.study.resumable(), needed)
    _announce(run, Completed(trial, run.study.history))


def _is_over_its_own(run: _Run, trial: Trial) -> bool:
    """Whether a trial ran over limits that it would have at any time."""
    own, used = bounds(run.study.problem, run.trial_limits, trial.proposal), trial.resources
    return any(
        limit is not None and spent is not None and spent >= limit
        for limit, spent in ((own.wall_s, used.wall_s), (own.cpu_s, used.cpu_s))
    )


def _abandon(run: _Run) -> None:
    """Stop what still runs; it stays pending."""
    for index in list(run.running):
        run.executor.stop(index, Status.CANCELLED, run.reason)
        run.leases.give_back(index)
    run.running.clear()


def _drop_lost(run: _Run) -> None:
    """End the trials that other processes have taken over while this one was silent."""
    for index in run.leases.lost():
        _drop(run, index, f"trial {index} was taken over by another process")


def _drop(run: _Run, index: int, why: str) -> None:
    """End a trial that is no longer ours; it is not recorded here."""
    run.leases.end(index)
    run.stopping.end(index)
    if run.running.pop(index, None) is not None:
        logger.warning("%s", why)
        run.ending.add(index)
        run.executor.stop(index, Status.CANCELLED, why)


# When to end --------------------------------------------------------------------------


def _left_s(run: _Run) -> float:
    if run.limits.wall_s is None:
        return float("inf")
    return run.limits.wall_s - (time.monotonic() - run.began)


def _limit_reached(run: _Run) -> str:
    limits, study = run.limits, run.study
    if run.interrupt.requested:
        return "interrupted by Ctrl-C"
    if limits.max_trials is not None and study.n_run >= limits.max_trials:
        n = limits.max_trials
        return f"all {n} trials are done" if n > 1 else "the one trial is done"
    if limits.wall_s is not None and _left_s(run) <= 0:
        return "the time limit is reached"
    if limits.cpu_s is not None and run.cpu_s >= limits.cpu_s:
        return f"the CPU time limit of {limits.cpu_s:g} s is reached"
    if limits.target is not None:
        objective = study.problem.objectives[0]
        reached = study.history.incumbent_cost <= objective.cost(limits.target)
        if reached and _is_proven(study):
            return f"the target of {limits.target:g} is reached"
    return ""


def _is_proven(study: Study) -> bool:
    """Whether the incumbent was run on all instances: a few easy ones reach any target."""
    problem = study.problem
    if not problem.instances:
        return True
    return study.history.standings()[0].n_runs >= len(problem.instances) * problem.repeats


def _must_hurry(run: _Run) -> bool:
    """Whether running trials are to be ended rather than waited for."""
    out_of_time = run.limits.wall_s is not None and _left_s(run) <= 0
    # In a terminal Ctrl-C also reaches the workers of a cluster that was started there.
    are_workers_gone = not run.executor.slots
    return out_of_time or (run.interrupt.requested and (run.hasty or are_workers_gone))


# Everything around --------------------------------------------------------------------


def _announce(run: _Run, event: Event, *, may_stop: bool = True) -> None:
    for callback in run.callbacks:
        answer = callback(event)
        if isinstance(answer, str) and answer and may_stop:
            run.reason = run.reason or answer


def _read_inbox(run: _Run, inbox: Inbox | TableInbox | None) -> None:
    now = time.monotonic()
    if inbox is None or now - run.polled < POLL_S:
        return
    run.polled = now
    run.study.refresh()
    for command in inbox.poll():
        try:
            _obey(run, command)
        except SpaceError as error:
            logger.warning("Ignoring a command of %s: %s", command.who, error)
            continue
        if command.is_first:
            run.study.intervene(command.kind, command.data, command.who)


def _obey(run: _Run, command: Command) -> None:
    if command.kind != "queue" and 0 < command.at < run.began_at:
        logger.info("Leaving out a %r from before this run began", command.kind)
    elif command.kind == "pause":
        run.paused = True
    elif command.kind == "resume":
        run.paused = False
    elif command.kind == "stop":
        run.reason = run.reason or f"stopped by {command.who}"
    elif command.kind == "queue":
        run.queue.append(run.study.enqueue(command.data["config"], by=command.who))
