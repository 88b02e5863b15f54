"""What is tried, and what came of it: `Proposal` and `Trial`.

A proposal is a question put to the objective; a trial is the question with its answer.
Both are frozen: a completed trial never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Checkpoint", "Origin", "Proposal", "Report", "Resources", "Status", "Trial"]


class Status(StrEnum):
    """How a trial ended."""

    SUCCESS = "success"
    CRASHED = "crashed"
    """The objective raised, returned something unreadable, or its process died."""
    TIMEOUT = "timeout"
    """It ran over its own limit on wall-clock or CPU time and was killed."""
    MEMORY = "memory"
    """It ran over its memory limit and was killed."""
    STOPPED = "stopped"
    """A stopper ended it early because it was not promising; its costs may stand."""
    CANCELLED = "cancelled"
    """It was not run, or not to its end, for a reason outside of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who proposed a configuration, from what, and with what intent.

    Parameters
    ----------
    by
        Name of the proposer: an optimizer's catalog name, "user", "queue".
    intent
        A few words for people: "initial design", "local search", "re-evaluation".
    parents
        Indices of the proposals from which this one was derived.
    data
        What the optimizer must remember beyond the trials (bracket, generation,
        start values of a fit), so that replaying the history restores it. JSON-able.
    """

    by: str = "user"
    intent: str = ""
    parents: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to evaluate, with everything that the evaluation depends on.

    Parameters
    ----------
    index
        Its number within the study, from 0, in the order of asking; unique.
    config
        The active hyperparameters and their values.
    seed
        For the objective's own randomness, in [0, 2**31).
    fidelity
        How much of the full budget to spend, in the problem's unit; None without fidelity.
    instance
        Name of the problem instance; None without instances.
    origin
        Who proposed it and why.
    resume_from
        Index of an earlier trial from whose checkpoint this one goes on; None: from zero.
    cutoff_s
        After so many seconds the run is killed as a timeout, below the limits that hold for all
        trials: CPU seconds of the process tree if the problem's first objective is "cpu_time",
        else seconds of wall clock. None: no cutoff of its own.
    """

    index: int
    config: Mapping[str, Any]
    seed: int = 0
    fidelity: float | None = None
    instance: str | None = None
    origin: Origin = Origin()
    resume_from: int | None = None
    cutoff_s: float | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What a trial consumed, on its whole process tree. None: not measured.

    Parameters
    ----------
    wall_s, cpu_s
        Wall-clock and CPU seconds.
    memory_mb
        Peak resident memory minus shared mapped pages, in MiB.
    energy_kwh
        Energy in kilowatt hours.
    how
        How each was measured: {"memory_mb": "process tree, polled every 50 ms"}.
    """

    wall_s: float | None = None
    cpu_s: float | None = None
    memory_mb: float | None = None
    energy_kwh: float | None = None
    how: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """An intermediate value: one point of a learning curve.

    Parameters
    ----------
    step
        Progress in the objective's own unit (epochs, iterations, seconds).
    values
        Reported numbers by name, in the user's direction.
    at_s
        Seconds since the trial started.
    """

    step: float
    values: Mapping[str, float]
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a trial left its state, and how large that is.

    Parameters
    ----------
    path
        A file or folder, relative to the study's folder.
    size_bytes
        Of all files in it.
    """

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What one evaluation found.

    Parameters
    ----------
    proposal
        What was evaluated.
    status
        How it ended.
    costs
        One per objective, all minimized; NaN for each objective without a value. A trial
        that succeeded has a finite cost for every objective.
    constraints
        One measured value per constraint of the problem, NaN where missing.
    cause
        In words, why it did not succeed, and what to do about it.
    resources
        What it consumed.
    reports
        Its learning curve.
    checkpoint, output
        Paths relative to the study's folder; `output` holds what the trial printed.
    worker
        Which worker ran it.
    started, ended
        Seconds since the epoch (UTC); None if unknown.
    extra
        Free JSON-able data that the objective returned beside its costs.
    """

    proposal: Proposal
    status: Status
    costs: tuple[float, ...]
    constraints: tuple[float, ...] = ()
    cause: str = ""
    resources: Resources = Resources()
    reports: tuple[Report, ...] = ()
    checkpoint: Checkpoint | None = None
    output: str | None = None
    worker: str = ""
    started: float | None = None
    ended: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration that was evaluated."""
        return self.proposal.config

    @property
    def index(self) -> int:
        """Its number within the study."""
        return self.proposal.index

    @property
    def succeeded(self) -> bool:
        """Whether its costs can be used."""
        return self.status is Status.SUCCESS
