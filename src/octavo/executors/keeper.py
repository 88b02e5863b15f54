"""The process between the study and a worker: it starts the worker, watches it, ends it.

A keeper is what runs in a slot's pebble pool. It never runs a user's code, so it cannot
crash, hang or hold the interpreter's lock, and it keeps the limits even while the study is
busy. Everything that a trial starts is below it in the tree of processes: it adopts orphans
(`PR_SET_CHILD_SUBREAPER`, Linux), so a child that calls `setsid` or forks twice does not
escape. When the study is gone it kills what is below it, and ends.

Over its socket to the study go starts (`S`) and reports (`R`) up, kills (`K`) and stops at the
next report (`P`) down; trials and their outcomes go through the pool.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from multiprocessing import util

from octavo.executors import process_tree
from octavo.executors.frames import Frames
from octavo.executors.launching import Setup, WorkerProcess
from octavo.executors.watching import Order, Outcome, Watch

__all__ = ["prepare", "run"]

_PR_SET_CHILD_SUBREAPER = 36


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
        self.worker: WorkerProcess | None = WorkerProcess(setup)

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
            self.worker = WorkerProcess(self.setup)
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
                self.worker = WorkerProcess(self.setup)
        while self.study.has_unsent and self.study.is_open:
            select.select([], [self.study.link], [], 1.0)
            self.study.flush()
        return outcome

    def _bury(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


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
