"""Ctrl-C: the first one asks politely, the second one ends at once."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupt", "catch_interrupts"]

logger = logging.getLogger(__name__)


class Interrupt:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: remember the first, raise at the second."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        logger.warning("Interrupted: finishing what runs. Press Ctrl-C again to stop at once.")


@contextmanager
def catch_interrupts() -> Iterator[Interrupt]:
    """Turn the first Ctrl-C within the block into a request.

    Outside of the main thread Python cannot install signal handlers; there an interrupt never
    arrives and the request stays unset. A program that handles or ignores SIGINT itself (as
    one started in the background by a shell does) keeps its handler.
    """
    interrupt = Interrupt()
    previous: Any = None
    installed = False
    if threading.current_thread() is threading.main_thread():
        previous = signal.getsignal(signal.SIGINT)
        if previous is signal.default_int_handler:
            signal.signal(signal.SIGINT, interrupt.handle)
            installed = True
    try:
        yield interrupt
    finally:
        if installed:
            signal.signal(signal.SIGINT, previous)
