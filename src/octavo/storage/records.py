"""What a store keeps beside proposals and trials: interventions and leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octavo.trial import Proposal, Trial

__all__ = ["Intervention", "Lease", "News", "Seen"]


@dataclass(frozen=True, slots=True)
class Intervention:
    """What somebody changed while the study ran.

    Parameters
    ----------
    kind
        What was done: "pause", "resume", "stop", "queue", ...
    data
        Its details, JSON-able.
    who
        Who did it.
    at
        When, in seconds since the epoch.
    from_index
        The first proposal that it could have influenced.
    """

    kind: str
    data: Mapping[str, Any]
    who: str
    at: float
    from_index: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs a proposal at the moment.

    Parameters
    ----------
    index
        The proposal.
    worker
        Who runs it.
    taken, expires
        Since when, and until when to believe it; in seconds since the epoch.
    token
        In a shared study: the how-manieth lease of this proposal it is. Whoever holds an earlier
        one has lost it, and cannot complete the trial any more.
    """

    index: int
    worker: str
    taken: float
    expires: float
    token: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a shared study one process has seen.

    Parameters
    ----------
    last_id
        Row of the last trial that it knows, 0 before any.
    next_index
        One more than the highest proposal that it knows.
    """

    last_id: int = 0
    next_index: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What came to a shared study since somebody looked.

    Parameters
    ----------
    seen
        How much is known with it.
    revision
        The newest revision of the problem.
    proposals
        Those that are new, by index.
    trials
        Those that were completed, in order of completion.
    free
        Indices of the pending proposals that nobody runs.
    """

    seen: Seen
    revision: int
    proposals: tuple[Proposal, ...]
    trials: tuple[Trial, ...]
    free: tuple[int, ...]
