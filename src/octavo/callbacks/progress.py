"""A live line of progress in the terminal: best value, trials done, time left."""

from __future__ import annotations

import time
from typing import Any

from octavo.callbacks.events import Completed, Ended, Event, Started

__all__ = ["ProgressBar", "is_interactive"]


def is_interactive() -> bool:
    """Whether somebody is watching standard error: a terminal or a notebook."""
    import sys

    return sys.stderr.isatty() or "ipykernel" in sys.modules


class ProgressBar:
    """A callback that draws a progress bar with rich, on standard error."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._task: Any = None
        self._began = 0.0
        self._failed = 0

    def __call__(self, event: Event) -> None:
        """Draw what the event changes."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Completed) and self._progress is not None:
            self._failed += not event.trial.succeeded
            self._progress.update(
                self._task, completed=self._done(event), status=self._status(event)
            )
        elif isinstance(event, Ended) and self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start(self, event: Started) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._limits = event.limits
        self._began = time.monotonic()
        self._failed = int((~event.history.succeeded).sum())
        total = event.limits.max_trials or event.limits.wall_s
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
            transient=False,
        )
        self._task = self._progress.add_task("octavo", total=total, completed=0, status="starting")
        self._progress.start()

    def _done(self, event: Completed) -> float:
        if self._limits.max_trials:
            return len(event.history)
        return time.monotonic() - self._began

    def _status(self, event: Completed) -> str:
        history = event.history
        objective = history.problem.objectives[0]
        best = history.incumbent_cost
        parts = [f"{len(history)} trials"]
        if best == best:
            parts.insert(0, f"best {objective.name} {objective.value(best):.6g}")
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join(parts)
