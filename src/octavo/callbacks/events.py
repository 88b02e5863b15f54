"""The events of a study's life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from octavo.history import History
from octavo.problem import Limits
from octavo.trial import Proposal, Report, Trial

__all__ = ["Callback", "Completed", "Ended", "Event", "Reported", "Started", "Submitted"]


@dataclass(frozen=True, slots=True)
class Started:
    """The loop begins.

    Parameters
    ----------
    history
        What is known already; grows while the loop runs.
    limits
        When this run will end.
    slots
        How many trials run at the same time.
    """

    history: History
    limits: Limits
    slots: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """A trial begins."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Reported:
    """A running trial reported an intermediate value."""

    index: int
    report: Report


@dataclass(frozen=True, slots=True)
class Completed:
    """A trial ended, however it did, and is stored."""

    trial: Trial
    history: History


@dataclass(frozen=True, slots=True)
class Ended:
    """The loop ends.

    Parameters
    ----------
    history
        All completed trials.
    reason
        Why it ended, as a sentence.
    """

    history: History
    reason: str


Event = Started | Submitted | Reported | Completed | Ended
Callback = Callable[[Event], str | None]
