"""The process between the study and a worker: it starts the worker, watches it, ends it.

A keeper is what runs in a slot's pebble pool. It never runs a user's code, so it cannot
crash, hang or hold the interpreter's lock, and it keeps the limits even while the study is
busy. Everything that a trial starts is below it in the tree of processes: it adopts orphans
(`PR_SET_CHILD_SUBREAPER`, Linux), so a child that calls `setsid` or forks twice does not
escape. When the study is gone it kills what is below it, and ends.

Over its socket to the study go starts (`S`) and reports (`R`) up and stops (`K`) down; trials
and their outcomes go through the pool.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import util
from pathlib import Path

from octavo.executors import process_tree
from octavo.executors.frames import Frames
from octavo.executors.launching import worker_command
from octavo.executors.output import Output
from octavo.executors.worker import LOST

__all__ = ["Order", "Outcome", "Setup", "prepare", "run"]

POLL_S = 0.05
_QUICK_POLL_S = 0.01  # above half of the memory limit: there is little room left to overshoot
_MAX_UNSENT = 2**20
_PR_SET_CHILD_SUBREAPER = 36
_F_SETPIPE_SZ = 1031


@dataclass(frozen=True, slots=True)
class Setup:
    """What a keeper needs to start workers.

    Parameters
    ----------
    load
        Message `L` to each worker.
    environment
        Variables to set for workers, beyond the study's own.
    start_timeout_s
        How long a worker may take until it calls the objective.
    """

    load: bytes
    environment: Mapping[str, str]
    start_timeout_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to run: message `T` to the worker, and the limits."""

    index: int
    request: bytes
    folder: str
    wall_s: float | None
    memory_mb: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended, in plain data.

    Parameters
    ----------
    end
        "answered", or killed for "timeout", "memory" or "stopped", or "died" by itself, or
        was "cut" off because the objective closed or garbled the worker's socket, or was
        "stillborn" or "hung": its worker ended, or took too long, before it called the objective.
    answer
        Message `D`, if answered.
    exit_code
        Of the worker, if it ended: minus the number of the signal that killed it.
    wall_s, cpu_s, memory_mb, n_processes
        What it consumed; the last at its peak of memory.
    started
        Seconds since the epoch.
    printed
        Whether there is an output file.
    ending
        The last that it printed.
    problem
        Why its output is not kept, if so.
    worker
        Process id of the worker.
    """

    end: str
    answer: bytes
    exit_code: int
    wall_s: float
    cpu_s: float
    memory_mb: float
    n_processes: int
    started: float | None
    printed: bool
    ending: str
    problem: str
    worker: int


class Worker:
    """A worker process, and the keeper's ends of its channels."""

    def __init__(self, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        self.output, pipe = os.pipe()
        os.set_blocking(self.output, False)
        with contextlib.suppress(OSError):  # only fewer, larger reads
            fcntl.fcntl(self.output, _F_SETPIPE_SZ, 2**20)
        try:
            self.process = subprocess.Popen(
                worker_command(theirs.fileno(), os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **setup.environment},
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(pipe)
        self.born = time.monotonic()
        self.frames = Frames(ours)
        self.frames.send(b"L", setup.load)
        self.is_ready = False
        self.exit_code: int | None = None
        self.cpu_s = 0.0  # at its end

    @property
    def pid(self) -> int:
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether the process is gone; then its exit code is known."""
        if self.exit_code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.process.returncode = self.exit_code  # so that Popen does not wait for it
                self.cpu_s = usage.ru_utime + usage.ru_stime
        return self.exit_code is not None

    def close(self) -> None:
        """Close our ends."""
        self.frames.link.close()
        os.close(self.output)


class Keeper:
    """Runs the trials of one slot.

    Parameters
    ----------
    setup
        How to start workers.
    link
        To the study.
    """

    def __init__(self, setup: Setup, link: socket.socket) -> None:
        self.setup = setup
        self.study = Frames(link)
        self.worker: Worker | None = Worker(setup)

    def run(self, order: Order) -> Outcome:
        """One trial, from start to end."""
        outcome = self._attempt(order)
        if outcome.end == "stillborn":
            # It may have been killed while idle, which is no fault of the trial.
            outcome = self._attempt(order)
        return outcome

    def _attempt(self, order: Order) -> Outcome:
        if self.worker is not None and self.worker.has_ended():
            self._bury()
        if self.worker is None:
            self.worker = Worker(self.setup)
        watch = Watch(self.worker, self.study, order, self.setup.start_timeout_s)
        end = watch.until_end()
        worker = self.worker
        if end == "answered":
            if watch.has_company:
                spare = [worker.pid, *watch.services]
                process_tree.kill_descendants(os.getpid(), spare=spare)
        else:
            worker_had_begun = worker.is_ready
            process_tree.kill_descendants(os.getpid())
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)  # where orphans are not ours: macOS
            give_up = time.monotonic() + 5
            while not worker.has_ended() and time.monotonic() < give_up:
                time.sleep(0.001)
        watch.drain_output()
        outcome = watch.outcome(end)
        if watch.has_company:
            process_tree.reap(keep=worker.pid)
        if end != "answered":
            self._bury()
            if worker_had_begun:  # the next one starts while the study thinks
                self.worker = Worker(self.setup)
        while self.study.has_unsent and self.study.is_open:
            select.select([], [self.study.link], [], 1.0)
            self.study.flush()
        return outcome

    def _bury(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


class Watch:
    """One trial under way: reads what its worker sends, measures, and keeps the limits."""

    def __init__(self, worker: Worker, study: Frames, order: Order, start_timeout_s: float) -> None:
        self.worker, self.study, self.order = worker, study, order
        self.output = Output(Path(order.folder) / "output.txt")
        self.discard_stale_output()
        self.answer = b""
        self.began: float | None = None
        self.ended: float | None = None
        self.started: float | None = None
        self.asked = time.monotonic()
        self.start_by = max(self.asked, worker.born + 1.0) + start_timeout_s
        self.peak = 0
        self.n_processes = 1
        self.services: list[int] = []
        self.twice = SharedPages()
        self.reaped_cpu_s = 0.0
        self.now: dict[int, process_tree.Usage] = {}
        self.before: dict[int, process_tree.Usage] = {}
        worker.frames.send(b"T", order.request)

    def until_end(self) -> str:
        """Watch until the trial has ended or must be ended; say why."""
        worker, limit_s = self.worker, self.order.wall_s
        poller = select.poll()
        poller.register(worker.output, select.POLLIN)
        poller.register(self.study.link, select.POLLIN)
        next_poll = time.monotonic() + self._interval()
        has_output = True
        while True:
            now = time.monotonic()
            if now >= next_poll:
                if self._is_over_memory():
                    return "memory"
                next_poll = now + self._interval()
            deadline = self.start_by
            if self.began is not None:
                deadline = self.began + limit_s if limit_s is not None else float("inf")
            if now >= deadline:
                self._measure()
                return "timeout" if self.began is not None else "hung"
            # A worker that reports faster than the study reads has to wait: it is not read.
            listen = self._events(worker.frames, self.study.unsent_bytes < _MAX_UNSENT)
            poller.register(worker.frames.link, listen)
            poller.register(self.study.link, self._events(self.study, True))
            poller.poll(max(0.0, min(next_poll, deadline) - now) * 1000)
            if has_output and not self._read_output():
                poller.unregister(worker.output)  # at its end it would wake us for ever
                has_output = False
            worker.frames.flush()
            self.study.flush()
            for kind, body in self.study.receive():
                if kind == b"K" and int(body) == self.order.index:
                    self._measure()
                    return "stopped"
            if listen & select.POLLIN and self._read_worker():
                return "answered"
            if not worker.frames.is_open or worker.has_ended():
                if self._read_worker():  # its last words
                    return "answered"
                return self._kind_of_death()

    def _kind_of_death(self) -> str:
        """Why the worker's end of the socket is closed."""
        give_up = time.monotonic() + 0.5
        while not self.worker.has_ended():  # descriptors are closed a moment before the end
            if time.monotonic() > give_up:
                return "cut"
            time.sleep(0.001)
        if self.worker.exit_code == LOST:
            return "cut"
        return "died" if self.began is not None else "stillborn"

    @staticmethod
    def _events(frames: Frames, read: bool) -> int:
        return (select.POLLIN if read else 0) | (select.POLLOUT if frames.has_unsent else 0)

    def _read_worker(self) -> bool:
        """Handle what the worker sent; whether it has answered."""
        for kind, body in self.worker.frames.receive():
            if kind == b"H":
                self.worker.is_ready = True
            elif kind == b"S":
                self.began, self.started = time.monotonic(), time.time()
                self._measure()
                self.before, self.reaped_cpu_s = self.now, 0.0
                self.study.send(b"S", str(self.order.index).encode())
            elif kind == b"R":
                self.study.send(b"R", body)
            elif kind == b"C":
                self.services = [int(pid) for pid in body.split()]
            elif kind == b"D":
                self.ended = time.monotonic()
                self.answer = body
                self._measure()
                return True
        return False

    def _read_output(self) -> bool:
        """Take what was printed, up to a piece that leaves time for everything else."""
        for _ in range(16):
            try:
                data = os.read(self.worker.output, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.output.write(data)
        return True

    def discard_stale_output(self) -> None:
        """What threads of earlier trials printed in between belongs to nobody."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                os.read(self.worker.output, 1 << 16)

    def drain_output(self) -> None:
        """What was printed before the end and is still in the pipe."""
        give_up = time.monotonic() + 1.0  # a thread left behind may print for ever
        poller = select.poll()
        poller.register(self.worker.output, select.POLLIN)
        while poller.poll(0) and time.monotonic() < give_up:
            if not self._read_output():
                break
        self.output.finish()

    def outcome(self, end: str) -> Outcome:
        """Everything about the trial, in plain data."""
        ended = self.ended or time.monotonic()
        return Outcome(
            end=end,
            answer=self.answer,
            exit_code=self.worker.exit_code or 0,
            wall_s=ended - (self.began if self.began is not None else self.asked),
            cpu_s=self._cpu_s(),
            memory_mb=self.peak / 2**20,
            n_processes=self.n_processes,
            started=self.started,
            printed=self.output.exists,
            ending=self.output.ending,
            problem=self.output.problem,
            worker=self.worker.pid,
        )

    @property
    def has_company(self) -> bool:
        """Whether there was more than the worker when we last looked."""
        return len(self.now) > 1

    # Measuring -----------------------------------------------------------------------

    def _tree(self) -> list[int]:
        return process_tree.descendants(os.getpid())

    def _measure(self) -> int:
        self.reaped_cpu_s += process_tree.reap(keep=self.worker.pid)
        self.now = process_tree.measure(self._tree())
        total = sum(usage.bytes for usage in self.now.values())
        alive = [pid for pid, usage in self.now.items() if not usage.is_zombie]
        if len(alive) > 1 and total > self.peak:
            # Forked children share pages with their parent, which the quick sum counts once
            # for each: before it makes a record, or kills, count exactly.
            total -= self.twice.counted(alive, total)
        if total > self.peak:
            self.peak = total
            self.n_processes = len(alive)
        return total

    def _is_over_memory(self) -> bool:
        total = self._measure()
        limit = self.order.memory_mb
        return limit is not None and total > limit * 2**20

    def _interval(self) -> float:
        limit = self.order.memory_mb
        is_close = limit is not None and self.peak > limit * 2**20 / 2
        return _QUICK_POLL_S if is_close else POLL_S

    def _cpu_s(self) -> float:
        spent = {
            pid: usage.cpu_s - (self.before[pid].cpu_s if pid in self.before else 0.0)
            for pid, usage in self.now.items()
        }
        if self.worker.exit_code is not None:
            before = self.before.get(self.worker.pid)
            spent[self.worker.pid] = self.worker.cpu_s - (before.cpu_s if before else 0.0)
        return max(0.0, sum(spent.values()) + self.reaped_cpu_s)


class SharedPages:
    """How much the quick sum over a tree counts more than once.

    Counting exactly walks page tables, a few milliseconds for a gigabyte. So that it never takes
    more than a twentieth of the time, a count stands for a while, for the same processes.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._alive: list[int] = []
        self._until = 0.0

    def counted(self, alive: list[int], total: int) -> int:
        """Bytes by which `total`, the quick sum over these processes, is too high."""
        began = time.monotonic()
        if alive != self._alive or began >= self._until:
            exact = process_tree.proportional_bytes(alive) or total
            self._bytes, self._alive = max(0, total - exact), alive
            ended = time.monotonic()
            self._until = ended + 20 * (ended - began)
        return self._bytes


_keeper: Keeper | None = None


def prepare(setup: Setup, link: socket.socket) -> None:
    """First thing in a keeper's process."""
    global _keeper
    os.setsid()  # away from the terminal: what Ctrl-C means is for the study to decide
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # ignored, by pebble
    util.Finalize(None, process_tree.kill_descendants, args=(os.getpid(),), exitpriority=100)
    threading.Thread(target=_follow, args=(os.getppid(), link.fileno()), daemon=True).start()
    _keeper = Keeper(setup, link)


def run(order: Order) -> Outcome:
    """Run one trial; what the study schedules in a keeper's pool."""
    assert _keeper is not None, "prepare is the initializer of every keeper's pool"
    return _keeper.run(order)


def _follow(study: int, link: int) -> None:
    """Wait for the end of the study or of its interest in us; then end everything."""
    poller = select.poll()
    poller.register(link, 0)  # hang-up only: reading is the main thread's
    with contextlib.suppress(OSError, AttributeError):  # Linux 5.3 and later
        poller.register(os.pidfd_open(study), select.POLLIN)
    while os.getppid() == study and not poller.poll(250):
        continue
    process_tree.kill_descendants(os.getpid())
    if _keeper is not None and _keeper.worker is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(_keeper.worker.pid, signal.SIGKILL)
    os._exit(0)
