"""What races over instances have in common: the order of runs, their penalty and their cutoff."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from octavo.errors import SettingError
from octavo.optimizers.proposing import new_proposal
from octavo.optimizers.protocol import trial_seed
from octavo.problem import Problem
from octavo.spaces.protocol import Config
from octavo.standings import RACE, Pair, is_timed
from octavo.trial import Origin, Proposal

__all__ = ["Rules", "all_pairs", "run_of"]

_SEED_STREAM = 0x5EED  # keeps the paired seeds apart from those of the proposals
_LEAST_S = 0.01  # a run below that is not worth starting, nor measurable


@dataclass(frozen=True, slots=True)
class Rules:
    """How runs are ended, and what those that fail count.

    Parameters
    ----------
    cutoff_s
        Every run is killed after so many seconds; None leaves that to the limits on trials.
    par
        A run that failed counts as so many times the cutoff: 10 for PAR10.
    failure_cost
        What a failed run counts instead, a value of the first objective in the user's direction.
        None: `par` times the cutoff, where the first objective is a time and there is a cutoff;
        infinitely much elsewhere.

    Raises
    ------
    SettingError
        If a setting is out of its range.
    """

    cutoff_s: float | None = None
    par: float = 10.0
    failure_cost: float | None = None

    def __post_init__(self) -> None:
        if self.cutoff_s is not None and not 0 < self.cutoff_s < math.inf:
            raise SettingError(
                f"cutoff_s={self.cutoff_s!r} must be a positive number of seconds, such as 5. "
                "Leave it out if the limits on trials are enough."
            )
        if not 1 <= self.par < math.inf:
            raise SettingError(
                f"par={self.par!r} must be at least 1: a run that did not finish counts as so many "
                "times its cutoff. Leave it out for PAR10."
            )
        if self.failure_cost is not None and not math.isfinite(self.failure_cost):
            raise SettingError(
                f"failure_cost={self.failure_cost!r} must be a finite number, as bad as a failed "
                "run is. Leave it out, and a failed run is worse than any other."
            )

    def penalty(self, problem: Problem) -> float:
        """What a run that failed counts, minimized; inf if nothing is said."""
        if self.failure_cost is not None:
            return problem.objectives[0].cost(self.failure_cost)
        if self.cutoff_s is not None and is_timed(problem):
            return self.par * self.cutoff_s
        return math.inf


def all_pairs(problem: Problem, seed: int) -> list[Pair]:
    """All (instance, seed) pairs in the order in which incumbents meet them.

    `problem.repeats` rounds over all instances, each in an order of its own, with one seed for
    each round that is the same for all instances and configurations.

    Parameters
    ----------
    problem
        Its instances; without any, the pairs differ in their seed only.
    seed
        Of the optimizer.
    """
    names: Sequence[str | None] = problem.instances or (None,)
    pairs: list[Pair] = []
    for number in range(problem.repeats):
        order = np.random.default_rng([seed, _SEED_STREAM, number]).permutation(len(names))
        run_seed = _run_seed(seed, number) if problem.repeats > 1 else 0
        pairs.extend((names[place], run_seed) for place in order.tolist())
    return pairs


def _run_seed(seed: int, number: int) -> int:
    return trial_seed(seed ^ _SEED_STREAM, number)


def run_of(
    problem: Problem,
    seed: int,
    index: int,
    config: Config,
    pair: Pair,
    rules: Rules,
    origin: Origin,
    *,
    bound_s: float = math.inf,
) -> Proposal:
    """The proposal to run a configuration on an instance with a seed.

    Parameters
    ----------
    problem, seed, index, config
        See `new_proposal`.
    pair
        The instance and the seed, see `pair_of`.
    rules
        What ends the run, and what it counts if it fails.
    origin
        Who proposes it and why; what a run counts is added to its data.
    bound_s
        Where the configuration will have lost: the run is killed then.
    """
    race: dict[str, Any] = {}
    penalty = rules.penalty(problem)
    if math.isfinite(penalty):
        race["failure_cost"] = penalty
    cutoff = math.inf if rules.cutoff_s is None else rules.cutoff_s
    if bound_s < cutoff:
        cutoff = max(bound_s, _LEAST_S)
        race["capped"] = True
    data: Mapping[str, Any] = {**origin.data, RACE: race} if race else origin.data
    return replace(
        new_proposal(problem, seed, index, config, by=origin.by),
        seed=pair[1] if problem.repeats > 1 else _run_seed(seed, 0),
        instance=pair[0],
        origin=replace(origin, data=dict(data)),
        cutoff_s=None if math.isinf(cutoff) else cutoff,
    )
