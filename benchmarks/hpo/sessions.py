"""How the benchmark speaks with a system: `System` starts a `Session` that is asked and told.

The question is an `octavo.problem.Problem`; each system translates its space into its own
words, type by type. All costs are minimized. A session takes several asks before the first
tell, so that parallel trials can be simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from octavo.problem import Problem

__all__ = ["Asked", "Outcome", "Session", "System"]


@dataclass(frozen=True)
class Asked:
    """What a system wants to have evaluated.

    Parameters
    ----------
    config
        In Octavo's form: the active hyperparameters and their plain values.
    seed
        For a noisy evaluation.
    token
        By which the session knows it again.
    """

    config: Mapping[str, Any]
    seed: int
    token: Any


@dataclass(frozen=True)
class Outcome:
    """What came of it: one value per objective and one per constraint of the problem."""

    costs: tuple[float, ...]
    constraints: tuple[float, ...] = ()


class Session(Protocol):
    """One search of one system."""

    def ask(self) -> Asked:
        """The next configuration."""
        ...

    def tell(self, asked: Asked, outcome: Outcome) -> None:
        """Its result."""
        ...

    def add(self, configs: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> None:
        """Results that the system did not ask for."""
        ...

    def incumbent(self) -> Mapping[str, Any]:
        """The configuration that the system would report as the best."""
        ...


class System(Protocol):
    """Something that can search.

    Attributes
    ----------
    version
        Of the package, so that a later one gets rows of its own.
    """

    version: str

    def start(self, problem: Problem, seed: int) -> Session:
        """A fresh search."""
        ...
