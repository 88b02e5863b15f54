"""A thread for what may take long, so that a study never waits for a machine that is gone."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

__all__ = ["Errands"]

logger = logging.getLogger(__name__)


class Errands:
    """Does one thing after the other, in a thread of its own."""

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="octavo-dask", daemon=True)
        self._thread.start()

    def do(self, errand: Callable[[], object]) -> None:
        """Have something done soon."""
        self._todo.put(errand)

    def close(self, timeout_s: float) -> None:
        """Do what is left, for so long at most."""
        self._todo.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (errand := self._todo.get()) is not None:
            try:
                errand()
            except Exception as error:  # a worker or the scheduler is gone: others notice
                logger.info("an errand to the cluster failed: %r", error)
