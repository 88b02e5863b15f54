"""One trial under way, seen from its keeper: what it sends, prints and consumes, and its limits."""

from __future__ import annotations

import contextlib
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path

from octavo.executors import process_tree
from octavo.executors.bounds import Bounds
from octavo.executors.cores import available_cores
from octavo.executors.frames import Frames
from octavo.executors.launching import WorkerProcess
from octavo.executors.output import Output
from octavo.executors.worker import LOST

__all__ = ["POLL_S", "Order", "Outcome", "Watch"]

POLL_S = 0.05
_QUICK_POLL_S = 0.01  # close to a limit: there is little room left to overshoot
_MAX_UNSENT = 2**20
_CORES = available_cores()


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to run: message `T` to the worker, and the limits."""

    index: int
    request: bytes
    folder: str
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended, in plain data.

    Parameters
    ----------
    end
        "answered", or killed for "timeout", "cpu", "memory" or "stopped", or "died" by itself, or
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


class Watch:
    """One trial under way: reads what its worker sends, measures, and keeps the limits."""

    def __init__(
        self, worker: WorkerProcess, study: Frames, order: Order, start_timeout_s: float
    ) -> None:
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
        worker, limit_s = self.worker, self.order.bounds.wall_s
        poller = select.poll()
        poller.register(worker.output, select.POLLIN)
        poller.register(self.study.link, select.POLLIN)
        next_poll = time.monotonic() + self._interval()
        has_output = True
        while True:
            now = time.monotonic()
            if now >= next_poll:
                if over := self._over_limit():
                    return over
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
                if kind == b"P":  # the worker looks whether it is meant for its trial
                    worker.frames.send(b"P", body)
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

    def _over_limit(self) -> str:
        """Look at what the trial uses: "memory", "cpu", or "" while it keeps its limits."""
        total = self._measure()
        memory_mb, cpu_s = self.order.bounds.memory_mb, self.order.bounds.cpu_s
        if memory_mb is not None and total > memory_mb * 2**20:
            return "memory"
        if cpu_s is not None and self.began is not None and self._cpu_s() >= cpu_s:
            return "cpu"
        return ""

    def _interval(self) -> float:
        """Seconds until the next look: fewer where a limit may be reached before."""
        memory_mb, cpu_s = self.order.bounds.memory_mb, self.order.bounds.cpu_s
        is_close = memory_mb is not None and self.peak > memory_mb * 2**20 / 2
        if cpu_s is not None and self.began is not None:
            # All cores at work may use that much until then.
            is_close = is_close or self._cpu_s() + POLL_S * _CORES >= cpu_s
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
