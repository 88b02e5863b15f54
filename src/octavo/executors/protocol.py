"""Where trials run: `Executor`. It gets proposals and gives back finished trials.

The objective is a plain function whose first positional argument is the configuration; of
`seed`, `fidelity`, `instance`, `report`, `checkpoint`, `folder`, `time_limit` (seconds that it may
take, or None) and the names in `data` it gets those that its signature names (all of them if it
takes `**kwargs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from octavo.problem import Problem, TrialLimits
from octavo.trial import Proposal, Report, Status, Trial

__all__ = ["Event", "Executor", "Finished", "Reported", "Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """What all trials of a study share.

    Parameters
    ----------
    objective
        The user's function.
    problem
        Reads what the function returns.
    folder
        The study's folder. A trial's own folder is `folder / "trials" / str(index)`, made
        before the trial starts; printed output goes to `output.txt` in it.
    limits
        What one trial may consume.
    data
        Arrays, tables or other objects passed to the objective by name; placed once where
        workers map them, not pickled per trial.
    listen
        Given by a study with stoppers. An executor whose trials run inside `wait` passes each
        report to it at once, instead of returning it; others need not look at it.
    """

    objective: Callable[..., Any]
    problem: Problem
    folder: Path
    limits: TrialLimits = field(default_factory=TrialLimits)
    data: Mapping[str, Any] = field(default_factory=dict)
    listen: Callable[[Reported], None] | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial has ended, however it did."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Reported:
    """A running trial reported an intermediate value."""

    index: int
    report: Report


Event = Finished | Reported


class Executor(Protocol):
    """Runs trials and says how they ended. It never raises because of a trial."""

    @property
    def slots(self) -> int:
        """How many trials it runs at the same time."""
        ...

    def start(self, work: Work) -> None:
        """Prepare to run trials of this work. Called once, before the first `submit`."""
        ...

    def submit(self, proposal: Proposal, *, wall_s: float | None = None) -> None:
        """Run a proposal; `wall_s` lowers the wall-clock limit for this trial only.

        At most `slots` proposals may be running at a time.
        """
        ...

    def wait(self, timeout_s: float | None = None) -> Sequence[Event]:
        """What happened since the last call; blocks until something did, or the timeout."""
        ...

    def stop(self, index: int, status: Status, cause: str) -> None:
        """End a running trial now; it comes back from `wait` with this status and cause."""
        ...

    def halt(self, index: int, decision: Literal["pause", "stop"], cause: str) -> None:
        """Have a running trial end at its next report; one that never reports again runs on.

        It comes back from `wait` as stopped, with its last reported values as costs, and if it
        was paused with `extra["paused"]`. Nothing happens if no such trial runs.
        """
        ...

    def close(self) -> None:
        """End everything that runs, leaving no process behind; may be called twice."""
        ...
