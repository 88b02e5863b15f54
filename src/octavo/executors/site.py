"""What runs trials within a Dask worker: `Site`, one for each study.

    study ── scheduler ── Dask worker ── keeper ── worker ── whatever the objective starts

A Dask task runs one trial. It hands it to a process executor of its own, the same as on the
study's machine, so the same limits hold; the Dask worker never runs a user's code itself, unless
it is told to (`processes=False`). Executors are kept for the next trial, and ended after a minute
without one. A task that nobody waits for any more (the study is gone, or the scheduler) ends its
trial within a moment.
"""

from __future__ import annotations

import logging
import pickle
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from octavo.errors import OctavoError
from octavo.executors.carrying import Pieces, pack_folder, room_for, unpack_folder
from octavo.executors.inline import InlineExecutor
from octavo.executors.packing import Packed
from octavo.executors.placement import PLACE, load
from octavo.executors.processes import ProcessExecutor
from octavo.executors.protocol import Finished, Reported, Work
from octavo.trial import Proposal, Status, Trial

__all__ = ["Contract", "Done", "Job", "Site", "end_site", "run_job", "tell_site", "version"]

logger = logging.getLogger(__name__)

_POLL_S = 0.05
_IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Contract:
    """What a study and its sites agree on.

    Parameters
    ----------
    study
        A name that no other run has; also the topic of messages to the study.
    folder
        The study's folder on its own machine.
    mark
        A file in it: where it is seen too, the folder is shared.
    is_shared
        Whether sites use that folder; None: where they see it.
    packed
        Name of the file with the `Packed` work.
    pieces
        All files that a machine needs, that one included.
    n_objectives
        How many costs a trial has.
    processes
        Whether trials run in processes of their own.
    threads, start_timeout_s
        As of `ProcessExecutor`.
    carry_mb
        How much of a trial's folder is carried between machines.
    """

    study: str
    folder: str
    mark: str
    is_shared: bool | None
    packed: str
    pieces: Pieces
    n_objectives: int
    processes: bool
    threads: int | None
    start_timeout_s: float
    carry_mb: float


@dataclass(frozen=True, slots=True)
class Job:
    """One trial to run; `source` is what the trial left from which it goes on."""

    proposal: Proposal
    wall_s: float | None
    source: bytes | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A trial that was run, the files that it left if the study cannot see them, and a remark."""

    trial: Trial
    files: bytes | None = None
    remark: str = ""


Tell = Callable[[dict[str, Any]], None]


class Site:
    """Runs trials of one study in one Dask worker.

    Parameters
    ----------
    contract
        With the study.
    address
        Of the Dask worker.
    """

    def __init__(self, contract: Contract, address: str) -> None:
        self.contract, self.address = contract, address
        self.is_shared = (
            Path(contract.mark).exists() if contract.is_shared is None else contract.is_shared
        )
        if self.is_shared:
            self._room, self.folder = None, Path(contract.folder)
        else:  # one for all processes on this machine, and in it a folder for this one
            self._room = room_for(contract.study)
            self.folder = self._room / address.rpartition(":")[2]
        self.pieces = (self._room or self.folder) / PLACE
        self._packed: Packed | None = None
        self._idle: list[ProcessExecutor] = []
        self._n_busy = 0
        self._orders: dict[str, deque[tuple[Any, ...]]] = {}  # by the key of a trial's task
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._loaded: tuple[Any, Any, dict[str, Any]] | None = None
        self._has_ended = False

    def expect(self, key: str) -> None:
        """From now on take orders for a trial."""
        with self._lock:
            self._orders[key] = deque()

    def run(self, job: Job, key: str, is_wanted: Callable[[], bool], tell: Tell) -> Done:
        """Run a trial to its end."""
        try:
            if self._room is not None:
                room_for(self.contract.study)  # it is in use
            packed = self._prepared(is_wanted, tell)
            if job.source is not None and job.proposal.resume_from is not None:
                unpack_folder(job.source, self._trial_folder(job.proposal.resume_from))
            if self.contract.processes:
                trial = self._in_process(packed, job, key, is_wanted, tell)
            else:
                trial = self._in_thread(packed, job, key, tell)
        except (OctavoError, OSError) as error:  # a full disk, no more processes
            return Done(self._crashed(job.proposal, error))
        finally:
            with self._lock:
                self._orders.pop(key, None)
        trial = replace(trial, worker=f"{self.address}, {trial.worker}")
        if self.is_shared:
            return Done(trial)
        return self._with_files(trial)

    def tell(self, key: str, order: tuple[Any, ...]) -> None:
        """Stop a trial, or have it end at its next report; called from another thread.

        It is passed on by the trial's own thread, to which its executor belongs.
        """
        with self._lock:
            if key in self._orders:
                self._orders[key].append(order)

    def end(self) -> None:
        """End all processes, and remove what is only on this machine.

        What still runs is wanted no more, and ends by itself.
        """
        with self._lock:
            self._has_ended = True
        self._rest()
        if self._room is not None:
            shutil.rmtree(self._room, ignore_errors=True)

    # Inside --------------------------------------------------------------------------

    def _prepared(self, is_wanted: Callable[[], bool], tell: Tell) -> Packed:
        if self._packed is None:

            def ask(name: str) -> None:
                tell({"kind": "need", "name": name, "folder": str(self.pieces)})

            self.contract.pieces.fetch(self.pieces, ask, is_wanted)
            packed: Packed = pickle.loads((self.pieces / self.contract.packed).read_bytes())
            self._packed = packed.moved(self.pieces)
        return self._packed

    def _in_process(
        self, packed: Packed, job: Job, key: str, is_wanted: Callable[[], bool], tell: Tell
    ) -> Trial:
        index = job.proposal.index
        executor = self._take_executor(packed)
        is_stopped = False
        try:
            executor.submit(job.proposal, wall_s=job.wall_s)
            while True:
                self._pass_orders(key, index, executor)
                if not is_stopped and not is_wanted():
                    executor.stop(index, Status.CANCELLED, "nobody waits for it any more")
                    is_stopped = True
                for event in executor.wait(_POLL_S):
                    if isinstance(event, Finished):
                        return event.trial
                    _pass_on(event, tell)
        finally:
            self._give_back(executor)

    def _in_thread(self, packed: Packed, job: Job, key: str, tell: Tell) -> Trial:
        index = job.proposal.index
        with self._lock:
            if self._loaded is None:
                data = {placed.name: load(placed) for placed in packed.data}
                self._loaded = (*pickle.loads(packed.objective), data)
            objective, problem, data = self._loaded
        executor = InlineExecutor()

        def listen(event: Reported) -> None:
            self._pass_orders(key, index, executor)
            _pass_on(event, tell)

        executor.start(Work(objective, problem, self.folder, packed.limits, data, listen=listen))
        cpu_s = time.thread_time()
        executor.submit(job.proposal, wall_s=job.wall_s)
        events = executor.wait()
        cpu_s = time.thread_time() - cpu_s
        [trial] = [event.trial for event in events if isinstance(event, Finished)]
        how = {**trial.resources.how, "cpu_s": "CPU time of the thread that ran it"}
        return replace(
            trial, resources=replace(trial.resources, cpu_s=cpu_s, how=how), worker="thread"
        )

    def _pass_orders(
        self, key: str, index: int, executor: ProcessExecutor | InlineExecutor
    ) -> None:
        with self._lock:
            orders, self._orders[key] = self._orders[key], deque()
        for kind, *arguments in orders:
            if kind == "halt":
                executor.halt(index, *arguments)
            else:
                executor.stop(index, *arguments)

    def _take_executor(self, packed: Packed) -> ProcessExecutor:
        with self._lock:
            self._n_busy += 1
            if self._timer is not None:
                self._timer.cancel()
            if self._idle:
                return self._idle.pop()
        executor = ProcessExecutor(
            1, threads=self.contract.threads, start_timeout_s=self.contract.start_timeout_s
        )
        try:
            executor.start_packed(packed, self.folder)
        except BaseException:
            with self._lock:
                self._n_busy -= 1
            raise
        return executor

    def _give_back(self, executor: ProcessExecutor) -> None:
        with self._lock:
            self._idle.append(executor)
            self._n_busy -= 1
            has_ended = self._has_ended
            if not self._n_busy and not has_ended:
                self._timer = threading.Timer(_IDLE_S, self._rest)
                self._timer.daemon = True
                self._timer.start()
        if has_ended:
            self._rest()

    def _rest(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer is not None:
                self._timer.cancel()
        for executor in idle:
            executor.close()

    def _trial_folder(self, index: int) -> Path:
        return self.folder / "trials" / str(index)

    def _with_files(self, trial: Trial) -> Done:
        folder = self._trial_folder(trial.index)
        try:
            return Done(trial, pack_folder(folder, self.contract.carry_mb))
        except (OctavoError, OSError) as error:
            remark = f"the files of trial {trial.index} stay on {self.address}: {error}"
            return Done(replace(trial, output=None, checkpoint=None), remark=remark)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _crashed(self, proposal: Proposal, error: Exception) -> Trial:
        now = time.time()
        nan = (float("nan"),)
        return Trial(
            proposal,
            Status.CRASHED,
            nan * self.contract.n_objectives,
            cause=f"it could not be run on {self.address}: {error}",
            worker=self.address,
            started=now,
            ended=now,
        )


def _pass_on(event: Reported, tell: Tell) -> None:
    report = event.report
    values = dict(report.values)
    tell({"kind": "report", "step": report.step, "values": values, "at_s": report.at_s})


# Called through Dask ------------------------------------------------------------------

_sites: dict[tuple[str, str], Site] = {}
_guard = threading.Lock()


def run_job(contract: Contract, job: Job, key: str) -> Done:
    """Run a trial: the task that a study submits. `key` is the task's own."""
    from distributed import get_worker

    worker = get_worker()
    address = worker.address
    with _guard:
        site = _sites.get((contract.study, address))
        if site is None:
            site = _sites[contract.study, address] = Site(contract, address)

    def tell(message: dict[str, Any]) -> None:
        whole = {**message, "index": job.proposal.index, "key": key, "worker": address}
        worker.log_event(contract.study, whole)

    def is_wanted() -> bool:
        # A thread of a Dask worker cannot be ended from outside: it has to look.
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    site.expect(key)
    tell({"kind": "begin", "is_shared": site.is_shared})
    return site.run(job, key, is_wanted, tell)


def tell_site(
    study: str, key: str, order: tuple[Literal["stop", "halt"], Any, str], dask_worker: Any = None
) -> None:
    """Pass an order on to a running trial."""
    with _guard:
        site = _sites.get((study, dask_worker.address))
    if site is not None:
        site.tell(key, order)


def end_site(study: str, dask_worker: Any = None) -> None:
    """End everything of a study in a Dask worker."""
    with _guard:
        site = _sites.pop((study, dask_worker.address), None)
    if site is not None:
        site.end()


def version() -> str:
    """Which Octavo a Dask worker has."""
    import octavo

    return octavo.__version__
