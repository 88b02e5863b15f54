"""Trials on the machines of a Dask cluster: `DaskExecutor`.

The study submits one task for each trial; `site.py` runs it within a Dask worker. Reports come
back as events by way of the scheduler, orders to running trials go through a thread of their own,
so that the study never waits for a machine that is gone. A trial whose worker is lost is run
again elsewhere, a few times; a study whose scheduler is lost ends, with all that was completed.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from octavo.errors import OctavoError, SettingError, StudyError
from octavo.executors import carrying, site
from octavo.executors.errands import Errands
from octavo.executors.joining import check_workers, connected
from octavo.executors.packing import pack
from octavo.executors.placement import PLACE
from octavo.executors.protocol import Event, Finished, Reported, Work
from octavo.executors.site import Contract, Done, Job
from octavo.trial import Proposal, Report, Status, Trial

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskExecutor"]

logger = logging.getLogger(__name__)

_LOOK_S = 1.0  # how old the known size of the cluster may be
_TICK_S = 0.25
_GRACE_S = 10.0  # for a worker to do what it is told, before it counts as lost


@dataclass
class _Running:
    """What is known of a trial under way."""

    proposal: Proposal
    job: Job
    future: Future[Done]
    key: str
    began: float = field(default_factory=time.time)
    attempts: int = 0
    worker: str = ""
    reports: list[Report] = field(default_factory=list)
    orders: list[tuple[Any, ...]] = field(default_factory=list)
    stopped: tuple[Status, str] | None = None
    give_up: float = float("inf")


class DaskExecutor:
    """Runs trials on a Dask cluster, each in a process with limits on its worker's machine.

    Parameters
    ----------
    client
        A `dask.distributed.Client` of any cluster, or the address of a scheduler. Scheduler and
        workers need the same Octavo, and the workers what the objective imports.
    processes
        Whether each trial runs in a process of its own, as with `ProcessExecutor`. False calls the
        objective in a thread of the Dask worker: quicker, but nothing limits or ends a trial.
    threads
        Threads that numeric libraries may use in each trial; by default what Dask's environment
        says, which is one.
    start_timeout_s
        As of `ProcessExecutor`; also, how long to wait for a first worker.
    retries
        How often a trial is run again whose worker was lost, before it is recorded as crashed.
    patience_s
        For how long a scheduler that is lost is waited for.
    shared_folder
        Whether all machines see the study's folder under the same path; None: look.
    carry_mb
        Where they do not: how large what a trial leaves in its folder may be to be carried back.

    Raises
    ------
    SettingError
        If the client is not one, is asynchronous or closed, if its scheduler cannot be reached, or
        if a number is out of range.
    MissingExtra
        If Dask is not installed.
    """

    def __init__(
        self,
        client: Client | str,
        *,
        processes: bool = True,
        threads: int | None = None,
        start_timeout_s: float = 120.0,
        retries: int = 2,
        patience_s: float = 30.0,
        shared_folder: bool | None = None,
        carry_mb: float = 64.0,
    ) -> None:
        for name, number, least in (("retries", retries, 0), ("threads", threads, 1)):
            if number is None and name == "threads":
                continue
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise SettingError(f"{name}={number!r} must be a whole number of at least {least}.")
        for name, value in (
            ("start_timeout_s", start_timeout_s),
            ("patience_s", patience_s),
            ("carry_mb", carry_mb),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise SettingError(f"{name}={value!r} must be a number of more than 0.")
        self._client, self._is_own = connected(client)
        self.processes, self.threads, self.retries = processes, threads, retries
        self.start_timeout_s, self.patience_s = start_timeout_s, patience_s
        self.shared_folder, self.carry_mb = shared_folder, carry_mb
        self._study = f"octavo-{uuid.uuid4().hex[:12]}"
        self._running: dict[int, _Running] = {}
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._events: deque[Event] = deque()
        self._errands, self._courier = Errands(), Errands()
        self._gatherers = ThreadPoolExecutor(4, thread_name_prefix="octavo-gather")
        self._work: Work | None = None
        self._contract: Contract | None = None
        self._size, self._looked = 0, float("-inf")
        self._lost_since: float | None = None
        self._homeless: list[_Running] = []
        self._connection: object = None  # to the scheduler
        self._unseen = False  # whether some worker does not see the study's folder
        self._carries = shared_folder is not True  # whether checkpoints go along with trials
        self._is_closed = False

    # The protocol --------------------------------------------------------------------

    @property
    def slots(self) -> int:
        """How many trials run at the same time: the threads of all workers there are now."""
        now = time.monotonic()
        if now - self._looked > _LOOK_S and self._client.status == "running":
            is_first, self._looked = self._looked == float("-inf"), now
            if is_first:
                self._count()
            else:  # a busy scheduler may take long to answer
                self._errands.do(self._count)
        return self._size

    def start(self, work: Work) -> None:
        """Pack the work and the data, and look whether there are workers.

        Raises
        ------
        SettingError
            If the objective or the data cannot be sent, if trials have limits that nothing
            could keep, or if a worker or the scheduler has no Octavo or another one.
        StorageError
            If the study's folder cannot be written to.
        StudyError
            If no worker comes, or it was started before.
        """
        if self._work is not None or self._is_closed:
            raise StudyError(
                "start was called on an executor that was started before. "
                "Make a new DaskExecutor for each study; the client may be the same."
            )
        if not self.processes:
            from octavo.executors.inline import InlineExecutor

            InlineExecutor.refuse_limits(work.limits)
        packed = pack(work)
        content = carrying.store(pickle.dumps(packed), work.folder / PLACE, "work")
        mark = work.folder / PLACE / f".{self._study}"
        mark.touch()
        self._contract = Contract(
            study=self._study,
            folder=str(work.folder.absolute()),
            mark=str(mark.absolute()),
            is_shared=self.shared_folder,
            packed=content.name,
            pieces=carrying.Pieces((content.name, *(Path(d.path).name for d in packed.data))),
            n_objectives=work.problem.n_objectives,
            processes=self.processes,
            threads=self.threads,
            start_timeout_s=self.start_timeout_s,
            carry_mb=self.carry_mb,
        )
        check_workers(self._client, timeout_s=self.start_timeout_s)
        self._work = work
        self._listen()

    def submit(self, proposal: Proposal, *, wall_s: float | None = None) -> None:
        """Run a proposal on any worker; `wall_s` lowers the wall-clock limit for it.

        Raises
        ------
        StudyError
            If it was not started, or is closed, or the scheduler is lost.
        """
        if self._work is None or self._is_closed:
            when = "after close()" if self._is_closed else "before start(work)"
            raise StudyError(
                f"trial {proposal.index} was submitted {when}. Make a DaskExecutor for each "
                "study, and call start once first."
            )
        self._look_around()
        source = None
        if proposal.resume_from is not None:
            left = self._work.folder / "trials" / str(proposal.resume_from) / "checkpoint"
            try:
                source = carrying.pack_folder(left, self.carry_mb) if self._carries else None
            except OctavoError as error:
                logger.warning("trial %d starts from zero: %s", proposal.index, error)
        job = Job(proposal, wall_s, source)
        self._running[proposal.index] = self._sent(job)

    def wait(self, timeout_s: float | None = None) -> Sequence[Event]:
        """What happened since the last call; blocks until something did, or the timeout.

        Raises
        ------
        StudyError
            If the scheduler is lost and does not come back. What was completed is stored.
        """
        deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self._events:
            left = deadline - time.monotonic()
            if left <= 0 or (timeout_s is None and not self._running):
                break
            with contextlib.suppress(queue.Empty):
                self._inbox.get(timeout=min(_TICK_S, left))()
            self._look_around()
        with contextlib.suppress(queue.Empty):
            while True:
                self._inbox.get_nowait()()
        events = tuple(self._events)
        self._events.clear()
        return events

    def stop(self, index: int, status: Status, cause: str) -> None:
        """Kill a running trial; `wait` gives it back with this status and cause."""
        running = self._running.get(index)
        if running is None or running.stopped is not None:
            return
        running.stopped = (status, cause)
        if running.worker and self.processes:
            running.give_up = time.monotonic() + _GRACE_S
            self._order(running, ("stop", status, cause))
        else:  # it waits for a worker, or runs where nothing can end it
            self._give_up(running)

    def halt(self, index: int, decision: Literal["pause", "stop"], cause: str) -> None:
        """Have a running trial end when it reports next; one that never does runs on."""
        running = self._running.get(index)
        if running is not None:
            order = ("halt", decision, cause)
            running.orders.append(order)  # for when it begins, or begins again
            if running.worker:
                self._order(running, order)

    def close(self) -> None:
        """End all trials and what belongs to them on the cluster. May be called twice.

        A client that was given stays open.
        """
        if self._is_closed:
            return
        self._is_closed = True
        running, self._running = list(self._running.values()), {}
        if self._client.status == "running" and self._contract is not None:
            client, study = self._client, self._study

            def end() -> None:
                client.cancel([one.future for one in running], force=True)
                client.run(site.end_site, study, on_error="ignore")
                client.unsubscribe_topic(study)

            self._errands.do(end)
        self._courier.close(0.0)
        self._errands.close(_GRACE_S)
        self._gatherers.shutdown(wait=False, cancel_futures=True)
        if self._contract is not None:
            with contextlib.suppress(OSError):
                Path(self._contract.mark).unlink(missing_ok=True)
        if self._is_own:
            self._client.close(timeout=2)

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside --------------------------------------------------------------------------

    def _count(self) -> None:
        with contextlib.suppress(OSError, TimeoutError):  # what was known stands
            self._size = sum(self._client.nthreads().values())

    def _sent(self, job: Job, attempts: int = 0) -> _Running:
        assert self._contract is not None
        key = f"{self._study}-{job.proposal.index}-{uuid.uuid4().hex[:8]}"
        future = self._client.submit(
            site.run_job, self._contract, job, key, key=key, pure=False, retries=0
        )
        running = _Running(job.proposal, job, future, key, attempts=attempts)
        # By a weak reference: the executor must not live as long as the client.
        arrived = weakref.WeakMethod(self._arrived)
        future.add_done_callback(lambda done: _call(arrived, job.proposal.index, key, done))
        return running

    def _arrived(self, index: int, key: str, future: Future[Done]) -> None:
        """In a thread of Dask: a task has ended somehow. Fetching what it gave may take long."""

        def gather() -> None:
            outcome: Done | BaseException
            try:
                outcome = future.result()
            except BaseException as error:  # what the task raised, or that it was cancelled
                outcome = error
            self._inbox.put(lambda: self._end(index, key, outcome))

        with contextlib.suppress(RuntimeError):  # closed in the meantime
            self._gatherers.submit(gather)

    def _listen(self) -> None:
        """Have messages come here; a scheduler forgets that when the connection ends."""
        if self._connection is not self._client.scheduler_comm:
            self._connection = self._client.scheduler_comm
            self._client.subscribe_topic(self._study, self._hear)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """In the thread of the client's loop: a worker sent a message."""
        message = event[1]
        self._inbox.put(lambda: self._take(message))

    def _take(self, message: dict[str, Any]) -> None:
        index = message["index"]
        running = self._running.get(index)
        if running is None or running.key != message["key"]:
            return
        kind = message["kind"]
        if kind == "begin":
            self._unseen = self._unseen or not message["is_shared"]
            self._carries = self._unseen
            self._begin(running, message["worker"])
        elif running.worker != message["worker"]:
            return  # of an attempt on a worker that is lost
        elif kind == "report":
            report = Report(message["step"], message["values"], message["at_s"])
            running.reports.append(report)
            self._events.append(Reported(index, report))
        elif kind == "need":
            name, folder, worker = message["name"], message["folder"], message["worker"]
            self._courier.do(lambda: self._send_file(name, folder, worker))

    def _begin(self, running: _Running, worker: str) -> None:
        running.attempts += 1
        running.reports.clear()
        if running.attempts > self.retries + 1:
            running.stopped = (Status.CRASHED, _lost(running.attempts - 1, running.worker))
            self._give_up(running)
            return
        if running.worker:
            logger.warning(
                "trial %d runs again on %s: the worker %s was lost",
                running.proposal.index,
                worker,
                running.worker,
            )
        running.worker, running.began = worker, time.time()
        for order in running.orders:
            self._order(running, order)

    def _end(self, index: int, key: str, outcome: Done | BaseException) -> None:
        running = self._running.get(index)
        if running is None or running.key != key:
            return
        if isinstance(outcome, Done):
            self._finish(running, outcome)
        elif running.stopped is not None:
            self._give_up(running)
        elif type(outcome).__name__ in ("CancelledError", "FutureCancelledError"):
            self._send_again(running)  # nobody cancelled it: the scheduler was lost
        elif type(outcome).__name__ == "KilledWorker":
            # Dask has its own opinion of how many workers a task may lose; ours is `retries`.
            running.attempts += not running.worker
            self._send_again(running)
        else:
            cause = f"it could not be run on {running.worker or 'the cluster'}: {outcome!r}"
            running.stopped = (Status.CRASHED, cause)
            self._give_up(running)

    def _finish(self, running: _Running, done: Done) -> None:
        assert self._work is not None
        trial = done.trial
        if running.stopped is not None and trial.status is Status.CANCELLED:
            status, cause = running.stopped
            trial = replace(trial, status=status, cause=cause)
        if done.remark:
            logger.warning("%s", done.remark)
        if done.files is not None:
            try:
                carrying.unpack_folder(done.files, self._work.folder / "trials")
            except OSError as error:
                logger.warning("the files of trial %d are lost: %s", trial.index, error)
                trial = replace(trial, output=None, checkpoint=None)
        self._running.pop(trial.index)
        self._events.append(Finished(trial))

    def _give_up(self, running: _Running) -> None:
        """Record a trial that has not come back."""
        assert self._work is not None and running.stopped is not None
        if self._client.status == "running":
            future = running.future
            self._errands.do(lambda: future.cancel(force=True))
        status, cause = running.stopped
        self._running.pop(running.proposal.index, None)
        trial = Trial(
            running.proposal,
            status,
            (float("nan"),) * self._work.problem.n_objectives,
            cause=cause,
            reports=tuple(running.reports),
            worker=running.worker,
            started=running.began,
            ended=time.time(),
        )
        self._events.append(Finished(trial))

    def _send_again(self, running: _Running) -> None:
        if self._client.status != "running":
            self._homeless.append(running)  # the scheduler may come back
            return
        if running.attempts > self.retries:
            running.stopped = (Status.CRASHED, _lost(running.attempts, running.worker))
            self._give_up(running)
            return
        logger.warning("trial %d is sent to the cluster again", running.proposal.index)
        # The scheduler may not have noticed that its client was gone for a moment.
        future = running.future
        self._errands.do(lambda: self._client.cancel([future], force=True))
        if running.worker:
            self._order(running, ("stop", Status.CANCELLED, "it runs again elsewhere"))
        again = self._sent(running.job, attempts=max(running.attempts, 1))
        again.orders = running.orders
        self._running[running.proposal.index] = again

    def _look_around(self) -> None:
        now = time.monotonic()
        for running in list(self._running.values()):
            if now >= running.give_up:
                self._give_up(running)
        if self._client.status == "running":
            self._listen()
            self._lost_since = None
            homeless, self._homeless = self._homeless, []
            for running in homeless:
                if self._running.get(running.proposal.index) is running:
                    self._send_again(running)
            return
        self._lost_since = self._lost_since or now
        if self._client.status == "closed" or now - self._lost_since > self.patience_s:
            raise StudyError(
                "the Dask scheduler is lost, and with it the trials that were running; all that "
                "were completed are stored. Start the cluster again, then go on: "
                "octavo.open_study(...).resume(executor=DaskExecutor(Client(...)))"
            )

    def _order(self, running: _Running, order: tuple[Any, ...]) -> None:
        client, key, worker = self._client, running.key, running.worker
        self._errands.do(
            lambda: client.run(
                site.tell_site, self._study, key, order, workers=[worker], on_error="ignore"
            )
        )

    def _send_file(self, name: str, folder: str, worker: str) -> None:
        assert self._work is not None
        path = self._work.folder / PLACE / name
        size, offset = path.stat().st_size, 0
        with path.open("rb") as file:
            while True:
                chunk = file.read(carrying.CHUNK)
                is_last = offset + len(chunk) >= size
                self._client.run(
                    carrying.receive, folder, name, offset, chunk, is_last, workers=[worker]
                )
                offset += len(chunk)
                if is_last:
                    return


def _call(method: weakref.WeakMethod[Any], *arguments: Any) -> None:
    found = method()
    if found is not None:
        found(*arguments)


def _lost(times: int, worker: str) -> str:
    often = "was lost" if times <= 1 else f"was lost {times} times"
    return (
        f"the Dask worker that ran it {often}, the last time {worker or 'before it began'}. The "
        "trial may need more memory than the machine has: look at the cluster's logs, or limit "
        "trial_memory."
    )
