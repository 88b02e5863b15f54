"""One place for a trial: a pebble pool with a single keeper in it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from octavo.errors import StudyError
from octavo.executors.frames import Frames
from octavo.executors.keeper import prepare, run
from octavo.executors.launching import KeeperContext, Setup
from octavo.executors.watching import Order, Outcome
from octavo.trial import Proposal, Report, Status

if TYPE_CHECKING:
    from pebble import ProcessPool

__all__ = ["Slot"]


class Slot:
    """One place for a trial: a pool with a single keeper in it, and our end of its socket."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.setup: Setup | None = None
        self.is_open = False
        self.proposal: Proposal | None = None
        self.order: Order | None = None
        self.future: Future[Outcome] | None = None
        self.stopped: tuple[Status, str] | None = None
        self.reports: list[Report] = []
        self.began = 0.0
        self.has_begun = False  # whether the objective has been called
        self.is_retried = False  # after the death of a keeper
        self.from_zero = ""  # why the trial cannot go on from where another one ended

    def open(self) -> None:
        """Start a keeper, which starts a worker."""
        from pebble import ProcessPool

        ours, theirs = socket.socketpair()
        self.frames = Frames(ours)
        self.bell, self._ringer = os.pipe()
        for end in (self.bell, self._ringer):
            os.set_blocking(end, False)
        self.pool: ProcessPool = ProcessPool(
            max_workers=1,
            initializer=prepare,
            initargs=(self.setup, theirs),
            context=KeeperContext(),
        )
        try:
            self.is_open = self.pool.active  # asking starts it
        except (OSError, RuntimeError) as error:  # pebble's BrokenProcessPool is a RuntimeError
            for end in (self.bell, self._ringer):
                os.close(end)
            ours.close()
            raise StudyError(
                f"no process could be started for trials: {error.__cause__ or error}. The machine "
                "may be out of memory, processes or open files; use fewer workers."
            ) from error
        finally:
            theirs.close()  # so that the end of the keeper is the end of the stream

    def begin(self, proposal: Proposal, order: Order) -> None:
        """Run a trial."""
        if not self.is_open:
            self.open()
        try:
            future = self.pool.schedule(run, args=(order,))
        except RuntimeError:  # the keeper was killed while idle: that costs no trial
            self.close()
            self.open()
            future = self.pool.schedule(run, args=(order,))
        self.proposal, self.order, self.began = proposal, order, time.time()
        ringer = self._ringer
        self.future = future
        future.add_done_callback(lambda _: _ring(ringer))

    def end(self) -> None:
        """Make room for the next trial."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.bell, 4096)
        self.proposal = self.order = self.future = self.stopped = None
        self.reports = []
        self.has_begun = self.is_retried = False
        self.from_zero = ""

    def cut(self) -> None:
        """Hang up, upon which the keeper kills everything and ends."""
        if self.is_open:
            self.pool.stop()  # type: ignore[no-untyped-call]  # first, or it starts another
            self.frames.link.close()

    def close(self) -> None:
        """End the keeper and everything below it."""
        if self.is_open:
            self.cut()
            self.end()
            self.is_open = False
            self.pool.join()
            os.close(self.bell)
            os.close(self._ringer)


def _ring(ringer: int) -> None:
    with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens
        os.write(ringer, b"!")
