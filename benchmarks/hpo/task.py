"""What a benchmark asks: `Task`, a space with costs that can be had at once.

Every cost is minimized. Half of the tasks serve to develop (defaults may be fixed on them),
the other half to report; `half` says by which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from octavo.problem import Constraint, Limits, Objective, Problem
from octavo.spaces import Space

__all__ = ["Config", "Task", "halves"]

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One question to all systems.

    Parameters
    ----------
    name
        "family/what".
    kind
        Of what sort it is; the halves are drawn within each kind.
    space
        What can be chosen.
    evaluate
        Objectives and constrained quantities by name, from a configuration and a seed in
        [0, 2**31). Tasks that are not noisy ignore the seed.
    optimum
        The lowest cost there is (without noise); None where nobody knows it.
    objectives
        Names of the costs.
    constraints
        Bounds on what else `evaluate` returns.
    truth
        The first objective without noise; None where `evaluate` itself has none.
    """

    name: str
    kind: Literal["table", "surrogate", "conditional", "function"]
    space: Space
    evaluate: Callable[[Config, int], Mapping[str, float]]
    optimum: float | None = None
    objectives: tuple[str, ...] = ("cost",)
    constraints: tuple[Constraint, ...] = ()
    truth: Callable[[Config], float] | None = None

    def problem(self, n_trials: int) -> Problem:
        """The question in Octavo's words, planned for so many trials."""
        return Problem(
            self.space,
            objectives=tuple(Objective(name) for name in self.objectives),
            constraints=self.constraints,
            limits=Limits(max_trials=n_trials),
        )

    def cost(self, config: Config) -> float:
        """The first objective, without noise."""
        if self.truth is not None:
            return self.truth(config)
        return self.evaluate(config, 0)[self.objectives[0]]


def halves(names: Sequence[str], kinds: Sequence[str]) -> dict[str, Literal["develop", "report"]]:
    """To which half each task belongs.

    Within each kind the names are sorted and go in turn to "develop" and "report", so that
    both halves have about as many of each kind, and nobody chose.

    Examples
    --------
    >>> halves(["b", "a", "c"], ["table", "table", "function"])
    {'a': 'develop', 'b': 'report', 'c': 'develop'}
    """
    half: dict[str, Literal["develop", "report"]] = {}
    for kind in dict.fromkeys(kinds):
        members = sorted(name for name, its in zip(names, kinds, strict=True) if its == kind)
        for place, name in enumerate(members):
            half[name] = "report" if place % 2 else "develop"
    return half
