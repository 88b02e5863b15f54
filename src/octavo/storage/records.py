"""What a store keeps beside proposals and trials: interventions and leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Intervention", "Lease"]


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
    """

    index: int
    worker: str
    taken: float
    expires: float
