"""What `octavo fit` shows while it searches: time, best so far, the leaders."""

from __future__ import annotations

import time
from typing import Any

from octavo.callbacks import Completed, Ended, Event, Started
from octavo.cli.console import number, short
from octavo.trial import Status, Trial

__all__ = ["FitProgress"]

N_LEADERS = 5


class FitProgress:
    """A callback that keeps a live display on a terminal, or prints lines elsewhere.

    Parameters
    ----------
    console
        Where to draw.
    limit_s
        The time limit of the command; None without one.
    began
        `time.monotonic()` of the start of the command.
    """

    def __init__(self, console: Any, *, limit_s: float | None, began: float) -> None:
        self._console = console
        self._limit_s = limit_s
        self._began = began
        self._live: Any = None
        self._done: list[Trial] = []
        self._n_failed = 0
        self._n_refused = 0
        self._best = float("inf")

    def __call__(self, event: Event) -> None:
        """Draw what the event changes."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Completed):
            self._take(event.trial)
        elif isinstance(event, Ended) and self._live is not None:
            self._live.stop()

    def _start(self, event: Started) -> None:
        self._objective = event.history.problem.objectives[0]
        self._max_trials = event.limits.max_trials
        for trial in event.history:
            self._take(trial, quietly=True)
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._draw,
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()

    def _take(self, trial: Trial, *, quietly: bool = False) -> None:
        if trial.status is Status.CANCELLED:
            self._n_refused += 1
            return
        if not trial.succeeded:
            self._n_failed += 1
            return
        self._done.append(trial)
        self._done.sort(key=lambda one: one.costs[0])
        if trial.costs[0] < self._best:
            self._best = trial.costs[0]
            if not quietly and self._live is None:
                self._console.print(
                    f"{time.monotonic() - self._began:6.1f} s  {self._value(trial):>10}  "
                    f"{trial.extra.get('name', '')}",
                    markup=False,
                )

    def _value(self, trial: Trial) -> str:
        return number(self._objective.value(trial.costs[0]))

    def _draw(self) -> Any:
        from rich import box
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        spent = time.monotonic() - self._began
        head = Table.grid(padding=(0, 2))
        bar: Any = Text("")
        if self._limit_s is not None:
            bar = ProgressBar(total=self._limit_s, completed=min(spent, self._limit_s), width=30)
            left = f"{max(self._limit_s - spent, 0):.0f} s left"
        else:
            n_done = len(self._done) + self._n_failed
            if self._max_trials:
                bar = ProgressBar(total=self._max_trials, completed=n_done, width=30)
            left = f"{spent:.0f} s"
        counts = f"{len(self._done)} models"
        if self._n_failed:
            counts += f", {self._n_failed} failed"
        head.add_row(bar, Text(left), Text(counts))
        if not self._done:
            return Group(head, Text("fitting the first models ...", style="dim"))
        board = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        board.add_column(self._objective.name, justify="right", style="bold")
        board.add_column("model", overflow="ellipsis", no_wrap=True)
        board.add_column("s", justify="right", style="dim")
        for trial in self._done[:N_LEADERS]:
            board.add_row(
                self._value(trial),
                Text(str(trial.extra.get("name", ""))),
                short(trial.extra.get("fit_s", 0.0)),
            )
        return Group(head, board)
