"""A scenario: everything that `octavo tune` needs to know, read from one TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octavo.executors.command import Command
from octavo.optimizers.protocol import Recipe
from octavo.problem import Problem, TrialLimits
from octavo.scenarios.validation import Validation
from octavo.schedulers.stopping import Stopper

__all__ = ["Scenario"]


@dataclass(frozen=True)
class Scenario:
    """A program to be tuned, and how.

    Parameters
    ----------
    path
        The file.
    command
        Runs the program.
    problem
        What is asked, limits included.
    trial_limits
        What one trial may consume.
    optimizer
        What proposes.
    first
        Configurations to try before the optimizer's own.
    workers
        Trials run at a time.
    seed
        None draws one.
    storage
        Folder of the study, or the URL of a shared one; None if the file does not say.
    name
        For people.
    stoppers
        End trials by what they report.
    checkpoint_mb
        How much the trials' checkpoints may take together; None: any amount.
    scheduler
        Address of a Dask scheduler on whose cluster trials run; None: they run here.
    validation
        Held-out instances; None without.
    warnings
        What is allowed, and probably not meant.
    places
        File and line of each key that is given, for messages.
    """

    path: Path
    command: Command
    problem: Problem
    trial_limits: TrialLimits
    optimizer: Recipe
    first: tuple[dict[str, Any], ...] = ()
    workers: int = 1
    seed: int | None = None
    storage: str | Path | None = None
    name: str = ""
    stoppers: tuple[Stopper, ...] = ()
    checkpoint_mb: float | None = None
    scheduler: str | None = None
    validation: Validation | None = None
    warnings: tuple[str, ...] = field(default=(), compare=False)
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
