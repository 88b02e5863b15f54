"""Trials in worker processes on this machine, with limits, killed hard when they are over.

    study ── pebble pool (one worker) ── keeper ── worker ── whatever the objective starts
          ╰─ one such chain per slot, so that no worker can block another

The keeper (`keeper.py`) watches its worker's whole tree of processes; it dies with the study,
and everything below dies with it. Workers (`worker.py`) are reused, so imports are paid once,
and replaced only after a kill or a crash.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import sys
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, NoReturn

from octavo.errors import SettingError, StorageError, StudyError
from octavo.executors import checkpoints
from octavo.executors.bounds import bounds
from octavo.executors.calling import Answer, settled
from octavo.executors.causes import explain
from octavo.executors.cores import thread_environment
from octavo.executors.launching import Setup
from octavo.executors.packing import Packed, pack
from octavo.executors.protocol import Event, Finished, Reported, Work
from octavo.executors.slot import Slot
from octavo.executors.watching import POLL_S, Order, Outcome
from octavo.executors.worker import Trialling
from octavo.trial import Checkpoint, Proposal, Report, Resources, Status, Trial

__all__ = ["ProcessExecutor"]

logger = logging.getLogger(__name__)

_HOW = {
    "wall_s": "monotonic clock, from the call of the objective to its return",
    "cpu_s": "process tree, user and system time in hundredths of a second",
    "memory_mb": f"process tree, resident minus shared mapped pages, polled every "
    f"{POLL_S * 1000:.0f} ms",
}


class ProcessExecutor:
    """Runs trials in worker processes.

    Parameters
    ----------
    workers
        How many trials run at the same time.
    threads
        Threads that numeric libraries (OpenMP, BLAS) may use in each worker; by default the
        available cores divided by `workers`, at least one.
    start_timeout_s
        Seconds that a worker may take from its start until it calls the objective: to
        start Python and to import what the objective needs. Not part of a trial's limit.

    Raises
    ------
    SettingError
        If a number is out of range.
    """

    how = _HOW
    is_local = True

    def __init__(
        self,
        workers: int = 2,
        *,
        threads: int | None = None,
        start_timeout_s: float = 120.0,
    ) -> None:
        for name, value in (("workers", workers), ("threads", threads)):
            if value is None and name == "threads":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(
                    f"{name}={value!r} must be a whole number of at least 1. "
                    "octavo.executors.available_cores() tells how many cores there are."
                )
        if not start_timeout_s > 0:
            raise SettingError(
                f"start_timeout_s={start_timeout_s!r} must be more than 0 seconds. A worker "
                "needs time to import what the objective uses."
            )
        if sys.platform == "win32":
            raise SettingError(
                "ProcessExecutor runs on Linux and macOS, this is Windows. "
                "Use InlineExecutor, or the Windows Subsystem for Linux."
            )
        self.threads = threads
        self.start_timeout_s = start_timeout_s
        self._slots = [Slot(number) for number in range(workers)]
        self._events: deque[Event] = deque()
        self._work: Work | None = None
        self._takes_checkpoint = False
        # Also when the study forgets to close, and when the interpreter ends.
        self._finalizer = weakref.finalize(self, _close, self._slots, os.getpid())

    @property
    def slots(self) -> int:
        """How many trials run at the same time."""
        return len(self._slots)

    def start(self, work: Work) -> None:
        """Place the data and start the workers, without waiting for them.

        Raises
        ------
        SettingError
            If the objective or the data cannot be sent to another process, or the objective
            wants an argument that nobody gives it.
        StorageError
            If the study's folder cannot be written to.
        """
        self.start_packed(pack(work), work.folder)

    def start_packed(self, packed: Packed, folder: Path) -> None:
        """Start the workers for work that was packed before, maybe on another machine.

        Parameters
        ----------
        packed
            What `pack` made of the work.
        folder
            Where the folders of trials are to lie.
        """
        if self._work is not None or not self._finalizer.alive:
            raise StudyError(
                "start was called on an executor that was started before. "
                "Make a new ProcessExecutor for each study."
            )
        setup = Setup(
            packed.load(),
            thread_environment(self.threads, self.slots, os.environ),
            self.start_timeout_s,
        )
        self._takes_checkpoint = packed.takes_checkpoint
        self._work = Work(_in_workers, packed.problem, folder, packed.limits)
        for slot in self._slots:
            slot.setup = setup
            slot.open()

    def submit(self, proposal: Proposal, *, wall_s: float | None = None) -> None:
        """Run a proposal in a free slot; `wall_s` lowers the wall-clock limit for it.

        Raises
        ------
        StudyError
            If no slot is free.
        StorageError
            If the trial's folder cannot be made.
        """
        if self._work is None:
            raise StudyError("submit was called before start(work). Call start once first.")
        if not self._finalizer.alive:
            raise StudyError(
                f"trial {proposal.index} was submitted after close(), which left no process to "
                "run it. Make a new ProcessExecutor."
            )
        slot = next((slot for slot in self._slots if slot.proposal is None), None)
        if slot is None:
            raise StudyError(
                f"trial {proposal.index} was submitted while all {self.slots} slots are busy. "
                "Call wait() until one has finished."
            )
        folder = (self._work.folder / "trials" / str(proposal.index)).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "output.txt").unlink(missing_ok=True)  # of the same trial, interrupted
            if self._takes_checkpoint:
                checkpoints.clear(self._work.folder, proposal.index)
        except OSError as error:
            raise StorageError(
                f"the folder {folder} of a trial cannot be made: {error}. "
                "Free some space or choose another folder for the study."
            ) from error
        limits = bounds(self._work.problem, self._work.limits, proposal, wall_s=wall_s)
        request = Trialling(
            proposal.index,
            dict(proposal.config),
            proposal.seed,
            proposal.fidelity,
            proposal.instance,
            str(folder),
            limits.wall_s,
            checkpoints.source_of(self._work.folder, proposal),
        )
        order = Order(proposal.index, pickle.dumps(request), str(folder), limits)
        slot.begin(proposal, order)
        slot.from_zero = checkpoints.why_from_zero(
            self._work.folder, proposal, is_wanted=self._takes_checkpoint
        )

    def wait(self, timeout_s: float | None = None) -> Sequence[Event]:
        """What happened since the last call; blocks until something did, or the timeout.

        Without anything running and without a timeout there is nothing to wait for, and it
        returns at once.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._collect()
            is_idle = all(slot.proposal is None for slot in self._slots)
            left = None if deadline is None else deadline - time.monotonic()
            if self._events or (left is not None and left <= 0) or (is_idle and left is None):
                events = tuple(self._events)
                self._events.clear()
                return events
            self._sleep(left)

    def stop(self, index: int, status: Status, cause: str) -> None:
        """Kill a running trial; `wait` gives it back with this status and cause.

        A trial that has ended in the meantime comes back as it ended.
        """
        for slot in self._slots:
            if slot.proposal is not None and slot.proposal.index == index:
                slot.stopped = (status, cause)
                slot.frames.send(b"K", str(index).encode())

    def halt(self, index: int, decision: Literal["pause", "stop"], cause: str) -> None:
        """Have a running trial end when it reports next; one that never does runs on."""
        for slot in self._slots:
            if slot.proposal is not None and slot.proposal.index == index:
                slot.frames.send(b"P", pickle.dumps((index, cause, decision == "pause")))

    def close(self) -> None:
        """Kill everything that runs; no process is left. May be called twice."""
        self._finalizer()

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside --------------------------------------------------------------------------

    def _sleep(self, left: float | None) -> None:
        """Until a keeper has something to say."""
        poller = select.poll()
        for slot in self._slots:
            if slot.is_open:
                poller.register(slot.frames.link, select.POLLIN)
                poller.register(slot.bell, select.POLLIN)
        poller.poll(None if left is None else max(0.0, left) * 1000)

    def _collect(self) -> None:
        """Turn what keepers sent into events."""
        for slot in self._slots:
            if not slot.is_open:
                continue
            future = slot.future if slot.future is not None and slot.future.done() else None
            # The keeper sends all reports before it returns: what is read now is complete.
            self._take_reports(slot)
            if future is not None:
                self._finish(slot, future)
            elif not slot.frames.is_open:
                self._finish(slot, None)

    def _take_reports(self, slot: Slot) -> None:
        for kind, body in slot.frames.receive():
            if kind == b"S":
                slot.has_begun = True
                continue
            index, step, values, at_s = pickle.loads(body)
            if slot.proposal is not None and slot.proposal.index == index:
                report = Report(step, values, at_s)
                slot.reports.append(report)
                self._events.append(Reported(index, report))

    def _finish(self, slot: Slot, future: Future[Outcome] | None) -> None:
        """The slot's trial has ended (future done), or its keeper has (None)."""
        proposal, order, error = slot.proposal, slot.order, None
        if future is not None and (error := future.exception()) is None:
            if proposal is not None and order is not None:
                trial = self._trial(slot, proposal, order, future.result())
                self._events.append(Finished(trial))
            slot.end()
            return
        # The keeper was killed. If the objective had not been called, nobody need know.
        is_lost = slot.has_begun or slot.is_retried or slot.stopped is not None
        if proposal is not None and is_lost:
            self._events.append(Finished(self._lost(slot, proposal, error)))
        from_zero = slot.from_zero
        slot.end()
        slot.close()
        try:
            slot.open()
            if proposal is not None and order is not None and not is_lost:
                slot.begin(proposal, order)
                slot.is_retried, slot.from_zero = True, from_zero
        except StudyError as failure:
            logger.warning("slot %d: %s", slot.number, failure)
            if proposal is not None and not is_lost:
                self._events.append(Finished(self._lost(slot, proposal, failure)))

    def _trial(self, slot: Slot, proposal: Proposal, order: Order, outcome: Outcome) -> Trial:
        assert self._work is not None
        nan = float("nan")
        costs: tuple[float, ...] = (nan,) * self._work.problem.n_objectives
        constraints: tuple[float, ...] = ()
        extra: Mapping[str, object] = {}
        is_loaded: bool | None = None
        if outcome.end == "answered":
            packed, is_loaded = pickle.loads(outcome.answer)
            answer = Answer.unpacked(packed)
            status, costs, constraints, extra = settled(self._work.problem, answer, slot.reports)
            cause = answer.cause
        elif outcome.end == "stopped" and slot.stopped is not None:
            status, cause = slot.stopped
        else:
            status, cause = explain(outcome, order)
        if outcome.problem:
            logger.warning("trial %d: %s", proposal.index, outcome.problem)
        started = outcome.started or time.time() - outcome.wall_s
        return Trial(
            proposal,
            status,
            costs,
            constraints,
            cause=cause,
            resources=Resources(outcome.wall_s, outcome.cpu_s, outcome.memory_mb, how=_HOW),
            reports=tuple(slot.reports),
            output=f"trials/{proposal.index}/output.txt" if outcome.printed else None,
            worker=f"process {slot.number} (pid {outcome.worker})",
            started=started,
            ended=started + outcome.wall_s,
            checkpoint=self._left_by(proposal),
            extra={**extra, **checkpoints.resumption(proposal, slot.from_zero, is_loaded)},
        )

    def _lost(self, slot: Slot, proposal: Proposal, error: BaseException | None) -> Trial:
        """A trial whose keeper was killed."""
        assert self._work is not None
        status, cause = slot.stopped or (
            Status.CRASHED,
            "the process that watches over its worker was killed from outside"
            + (f" ({type(error).__name__}: {error})" if error is not None else "")
            + ". The machine may have run out of memory: then use fewer workers.",
        )
        return Trial(
            proposal,
            status,
            (float("nan"),) * self._work.problem.n_objectives,
            cause=cause,
            reports=tuple(slot.reports),
            worker=f"process {slot.number}",
            started=slot.began,
            ended=time.time(),
            checkpoint=self._left_by(proposal),
            extra=checkpoints.resumption(proposal, slot.from_zero, None),
        )

    def _left_by(self, proposal: Proposal) -> Checkpoint | None:
        assert self._work is not None
        if not self._takes_checkpoint:
            return None
        return checkpoints.collected(self._work.folder, proposal.index)


def _in_workers(config: object) -> NoReturn:
    raise AssertionError("the objective is called in worker processes, never here")


def _close(slots: list[Slot], owner: int) -> None:
    if os.getpid() != owner:  # a process that the study forked: the workers are not its own
        return
    for slot in slots:  # all at once, then wait for each
        slot.cut()
    for slot in slots:
        slot.close()
