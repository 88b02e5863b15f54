"""Going round: ask the optimizer, run the trial, store it, then tell everyone.

A trial is completed when its row is committed. Whatever ends the loop (a limit, Ctrl-C, an
exception, SIGKILL), trials that were running have no row: they stay pending and are run again,
with the same seeds, when the study is resumed.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from octavo.callbacks import (
    Callback,
    Completed,
    Event,
    Reported as ReportedEvent,
    Started,
    Submitted,
)
from octavo.errors import LeaseLostError, SpaceError
from octavo.executors.bounds import bounds
from octavo.executors.energy import Meter
from octavo.executors.protocol import Executor, Finished, Reported
from octavo.measured import Methods, filled, methods_of
from octavo.problem import Limits, TrialLimits
from octavo.storage import Command, Inbox
from octavo.study.interrupt import Interrupt
from octavo.study.keeping import Keeping
from octavo.study.leases import LEASE_S, Leases
from octavo.study.stopping import Stopping
from octavo.trial import Proposal, Resources, Status, Trial

if TYPE_CHECKING:
    from octavo.storage.table_inbox import TableInbox
    from octavo.study.study import Study

__all__ = ["Accept", "Run", "announce", "go_round", "listen"]

logger = logging.getLogger(__name__)

Accept = Callable[[Proposal, float | None], "str | float | None"]
"""Given a proposal and the seconds left (None: no limit): a sentence refuses it, a number
lowers its wall-clock limit to so many seconds, None lets it run."""

POLL_S = 0.25  # how long Ctrl-C and the inbox may have to wait while trials run
REST = 0.02  # of the time limit: what is left then is nothing to speak of
PATIENCE = 12  # so many refusals in a row mean that nothing fits any more


@dataclass
class Run:
    """What one run of a study remembers."""

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


def go_round(run: Run) -> None:
    """Until a limit is reached, or there is nothing left to try; `run.reason` says which."""
    study = run.study
    announce(run, Started(study.history, run.limits, run.executor.slots))
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


def _hear(run: Run, event: Reported) -> None:
    if event.index in run.running:
        token = run.leases.token(event.index)
        try:
            run.study.store.add_reports(event.index, [event.report], token=token)
        except LeaseLostError as error:
            _drop(run, event.index, str(error))
            return
        run.stopping.hear(event.index, event.report)
        announce(run, ReportedEvent(event.index, event.report))


def _halt(run: Run, *, at_leisure: bool) -> None:
    """End the trials that the stoppers do not let go on."""
    for verdict in run.stopping.decide(run.study.history, at_leisure=at_leisure):
        logger.info("trial %d is %s", verdict.index, verdict.cause)
        run.executor.halt(verdict.index, verdict.decision, verdict.cause)


def listen(run: Run, event: Reported) -> None:
    """A report of a trial that waits for what comes of it."""
    _hear(run, event)
    _halt(run, at_leisure=False)


def _fill(run: Run) -> None:
    """Give work to every idle worker."""
    while _has_room(run) and not run.reason and not run.paused:
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
        announce(run, Submitted(proposal))
        run.meter.begin(proposal.index)
        run.executor.submit(proposal, wall_s=wall_s)


def _has_room(run: Run) -> bool:
    return len(run.running) + len(run.ending) < run.executor.slots


def _next(run: Run) -> Proposal | None:
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


def _rest(run: Run) -> None:
    """Wait for others: for whoever paused the study, for its other processes, for workers."""
    if run.paused or run.study.is_shared or not run.executor.slots:
        time.sleep(min(POLL_S, max(_left_s(run), 0.0)))


def _refuse(run: Run, proposal: Proposal, why: str) -> None:
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


def _complete(run: Run, trial: Trial) -> None:
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
    announce(run, Completed(trial, run.study.history))


def _is_over_its_own(run: Run, trial: Trial) -> bool:
    """Whether a trial ran over limits that it would have at any time."""
    own, used = bounds(run.study.problem, run.trial_limits, trial.proposal), trial.resources
    return any(
        limit is not None and spent is not None and spent >= limit
        for limit, spent in ((own.wall_s, used.wall_s), (own.cpu_s, used.cpu_s))
    )


def _abandon(run: Run) -> None:
    """Stop what still runs; it stays pending."""
    for index in list(run.running):
        run.executor.stop(index, Status.CANCELLED, run.reason)
        run.leases.give_back(index)
    run.running.clear()


def _drop_lost(run: Run) -> None:
    """End the trials that other processes have taken over while this one was silent."""
    for index in run.leases.lost():
        _drop(run, index, f"trial {index} was taken over by another process")


def _drop(run: Run, index: int, why: str) -> None:
    """End a trial that is no longer ours; it is not recorded here."""
    run.leases.end(index)
    run.stopping.end(index)
    if run.running.pop(index, None) is not None:
        logger.warning("%s", why)
        run.ending.add(index)
        run.executor.stop(index, Status.CANCELLED, why)


# When to end --------------------------------------------------------------------------


def _left_s(run: Run) -> float:
    if run.limits.wall_s is None:
        return float("inf")
    return run.limits.wall_s - (time.monotonic() - run.began)


def _limit_reached(run: Run) -> str:
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


def _must_hurry(run: Run) -> bool:
    """Whether running trials are to be ended rather than waited for."""
    out_of_time = run.limits.wall_s is not None and _left_s(run) <= 0
    # In a terminal Ctrl-C also reaches the workers of a cluster that was started there.
    are_workers_gone = not run.executor.slots
    return out_of_time or (run.interrupt.requested and (run.hasty or are_workers_gone))


# Everything around --------------------------------------------------------------------


def announce(run: Run, event: Event, *, may_stop: bool = True) -> None:
    """Tell all who watch; a sentence that one of them answers ends the run."""
    for callback in run.callbacks:
        answer = callback(event)
        if isinstance(answer, str) and answer and may_stop:
            run.reason = run.reason or answer


def _read_inbox(run: Run, inbox: Inbox | TableInbox | None) -> None:
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


def _obey(run: Run, command: Command) -> None:
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
