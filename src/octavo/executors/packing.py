"""The work of a study in a form that other processes and other machines can read."""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from octavo.executors.calling import Call
from octavo.executors.launching import pickled_objective
from octavo.executors.placement import PLACE, Placed, place
from octavo.executors.protocol import Work
from octavo.problem import Problem, TrialLimits

__all__ = ["Packed", "pack"]


@dataclass(frozen=True, slots=True)
class Packed:
    """What trials need to run anywhere.

    Parameters
    ----------
    objective
        The pickled user's function and problem.
    data
        Where the data were placed.
    problem
        The problem without its space, which no executor looks at; it may be large.
    limits
        What one trial may consume.
    takes_checkpoint
        Whether the objective can save its state, and go on from another trial's.
    arguments
        The command line of the study's own process.
    """

    objective: bytes
    data: tuple[Placed, ...]
    problem: Problem
    limits: TrialLimits
    takes_checkpoint: bool
    arguments: tuple[str, ...]

    def load(self) -> bytes:
        """What a worker process loads once, message `L`."""
        return pickle.dumps(
            {"objective": self.objective, "data": self.data, "argv": list(self.arguments)}
        )

    def moved(self, folder: Path) -> Packed:
        """The same with its data in another folder."""
        data = [replace(one, path=str(folder / Path(one.path).name)) for one in self.data]
        return replace(self, data=tuple(data))


def pack(work: Work) -> Packed:
    """Place the data in the study's folder, and pickle the objective.

    Raises
    ------
    SettingError
        If the objective or the data cannot be sent to another process, or the objective
        wants an argument that nobody gives it.
    StorageError
        If the study's folder cannot be written to.
    """
    call = Call.of(work.objective, work.problem, work.data)
    no_space: Any = None
    problem = replace(work.problem, space=no_space)
    return Packed(
        objective=pickled_objective(work.objective, problem),
        data=place(work.data, work.folder / PLACE),
        problem=problem,
        limits=work.limits,
        takes_checkpoint=call.takes_checkpoint,
        arguments=tuple(sys.argv),
    )
