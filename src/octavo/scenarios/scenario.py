"""A scenario: everything that `octavo tune` needs to know, read from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octavo.executors.command import Command
from octavo.optimizers.protocol import Recipe
from octavo.problem import Problem, TrialLimits

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
        Folder of the study; None if the file does not say.
    name
        For people.
    warnings
        What is allowed, and probably not meant.
    """

    path: Path
    command: Command
    problem: Problem
    trial_limits: TrialLimits
    optimizer: Recipe
    first: tuple[dict[str, Any], ...] = ()
    workers: int = 1
    seed: int | None = None
    storage: Path | None = None
    name: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)
