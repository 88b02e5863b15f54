"""Regularized evolution: the young breed, the old die, however good they were.

Real, Aggarwal, Huang & Le (2019), Regularized evolution for image classifier architecture
search, AAAI. Ageing keeps a lucky evaluation from ruling for ever. It is asynchronous by
nature: a child needs no more than the trials that happen to be completed, and replay needs
no more than their order. Half of the first generation is drawn from beliefs, if there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.optimizers.believed_draws import BELIEF_SHARE, BelievedDraws
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.targets import single_costs
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Trial

__all__ = ["RegularizedEvolution"]

_LITTER = 8  # children of a parent that are looked at to find a new one


@dataclass(frozen=True)
class RegularizedEvolution:
    """Regularized evolution.

    Parameters
    ----------
    population
        How many of the latest trials are alive.
    tournament
        How many of them compete to be the parent of each child.

    Raises
    ------
    SettingError
        If the tournament is empty or larger than the population.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> RegularizedEvolution().start(problem, seed=0).ask(1)[0].origin.intent
    'first generation'
    """

    population: int = 20
    tournament: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.tournament <= self.population:
            raise SettingError(
                f"tournament={self.tournament!r} must lie between 1 and "
                f"population={self.population!r}: it is drawn from the population. "
                "A quarter of the population does well."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _RegularizedEvolution(problem, seed, self)


class _RegularizedEvolution:
    def __init__(self, problem: Problem, seed: int, recipe: RegularizedEvolution) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._believed = BelievedDraws(problem.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told, space = self._told, self._problem.space
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        alive = self._alive()
        parents: tuple[int, ...] = ()
        point, intent = None, "first generation"
        if index >= self._recipe.population and len(alive):
            parent = self._win(alive, rng)
            point, intent = self._child(told.points[[parent]], seen, rng), "mutation"
            parents = (int(told.index[parent]),)
        else:
            point = self._believed.draw(seen, rng, BELIEF_SHARE)
        if point is None:
            if parents:
                parents, intent = (), "no new neighbour, uniform draw"
            point = self._unseen.draw(seen, rng)
        if point is None:
            return None
        return new_proposal(
            self._problem,
            self._seed,
            index,
            space.decode(point)[0],
            by="regularized-evolution",
            intent=intent,
            parents=parents,
        )

    def _alive(self) -> NDArray[np.int64]:
        """Rows of the population: the latest trials at one fidelity, in order of completion.

        It is the highest one that has enough trials for a tournament.
        """
        told = self._told
        if not told.is_known.any():
            return np.empty(0, dtype=np.int64)
        level = told.comparable_fidelity(self._recipe.tournament)
        return np.flatnonzero(told.fidelity == level)[-self._recipe.population :]

    def _win(self, alive: NDArray[np.int64], rng: np.random.Generator) -> int:
        """The best of a random sample: feasible before infeasible before failed, then cost."""
        told = self._told
        costs = single_costs(told, rng)
        size = min(self._recipe.tournament, len(alive))
        drawn = alive[rng.choice(len(alive), size=size, replace=False)]
        order = np.lexsort([costs[drawn], ~told.is_feasible[drawn], ~told.is_known[drawn]])
        return int(drawn[order[0]])

    def _child(self, parent: Points, seen: Seen, rng: np.random.Generator) -> Points | None:
        """A new configuration one mutation from the parent; two if none of those is new."""
        litter = self._problem.space.mutate(parent[np.zeros(_LITTER, dtype=int)], rng)
        row = seen.first_unseen(litter)
        if row is None:
            litter = self._problem.space.mutate(litter, rng)
            row = seen.first_unseen(litter)
        return None if row is None else litter[row : row + 1]
