"""NSGA-II: a population moves towards the Pareto front and spreads along it.

Deb, Pratap, Agarwal & Meyarivan (2002), A fast and elitist multiobjective genetic algorithm:
NSGA-II, IEEE Trans. Evolutionary Computation 6, 182-197. The best of the old and the new
survive, by layers of domination and, within the last layer that fits, by how sparsely their
surroundings are populated; parents win binary tournaments by the same order.

Here without waiting for generations: what was told since the last full generation competes
at once, so no worker idles, and the population depends on the trials and their order alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.optimizers.initial_design import InitialDesign
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_share
from octavo.optimizers.targets import places
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Trial

__all__ = ["NSGA2"]

Rows = NDArray[np.int64]

_LITTER = 8  # children of two parents that are looked at to find a new one
_LEAST_PARENTS = 4  # fewer make no population; until there are as many, draws go on
_MUTATIONS = 2  # one more if none of the litter is new
_GENERATIONS = 20  # that a budget should suffice for
_MOST_BY_BUDGET = 50
_LEAST_BY_BUDGET = 10


@dataclass(frozen=True)
class NSGA2:
    """NSGA-II, for several objectives; with one, a plain genetic algorithm.

    Feasible trials win against infeasible ones, those by the sum of their violations, and
    all of them against failures, which never become parents.

    Parameters
    ----------
    population
        How many trials survive, and how many are drawn before the first child; by default
        a twentieth of `max_trials`, between 10 and 50, and 50 without such a limit.
    crossover
        Share of children that have two parents. The others are mutations of one.
    mutation
        Share of the children of two parents that are mutated as well.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Objective
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), (Objective("f"), Objective("g")))
    >>> NSGA2(population=20).start(problem, seed=0).ask(1)[0].origin.intent
    'default configuration'
    """

    population: int | None = None
    crossover: float = 0.9
    mutation: float = 0.5

    def __post_init__(self) -> None:
        if self.population is not None and self.population < _LEAST_PARENTS:
            raise SettingError(
                f"population={self.population!r} must be at least {_LEAST_PARENTS}, so that "
                "tournaments have a choice. Leave it out to fit it to max_trials."
            )
        check_share(self, "crossover", "mutation", meaning="it is a share of the children")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _NSGA2(problem, seed, self)


class _NSGA2:
    def __init__(self, problem: Problem, seed: int, recipe: NSGA2) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._size = recipe.population or _fitting_population(problem)
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        # The population after the last full generation, and of which trials it is made;
        # only kept so that it need not be computed again.
        self._generation = _Generation(fidelity=np.nan, n_rows=0, rows=np.empty(0, dtype=np.int64))

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        parents: tuple[int, ...] = ()
        point: Points | None = None
        alive, place = self._survivors()
        if index < self._size or len(alive) < _LEAST_PARENTS:
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        else:
            mates = self._mates(alive, place, rng)
            point, intent = self._child(mates, seen, rng)
            if point is None:
                point, intent = self._unseen.draw(seen, rng), "no new child, uniform draw"
            else:
                parents = tuple(int(told.index[row]) for row in mates)
        if point is None:
            return None
        return new_proposal(
            self._problem,
            self._seed,
            index,
            self._problem.space.decode(point)[0],
            by="nsga2",
            intent=intent,
            parents=parents,
        )

    def _survivors(self) -> tuple[Rows, Rows]:
        """Rows of the population, best first, and their places."""
        told = self._told
        level = told.comparable_fidelity(self._size)
        rows = np.flatnonzero(told.is_known & (told.fidelity == level))
        if self._generation.fidelity != level:
            self._generation = _Generation(level, 0, rows[:0])
        while len(rows) - self._generation.n_rows >= self._size:
            stop = self._generation.n_rows + self._size
            best, _ = self._select(self._generation.rows, rows[self._generation.n_rows : stop])
            self._generation = _Generation(level, stop, best)
        return self._select(self._generation.rows, rows[self._generation.n_rows :])

    def _select(self, old: Rows, new: Rows) -> tuple[Rows, Rows]:
        """The best of the old and the new, best first, and their places (Deb 2002, III.C)."""
        rows = np.concatenate([old, new])
        place = places(self._told, rows, self._size)
        order = np.argsort(place, kind="stable")[: self._size]
        return rows[order], place[order]

    def _mates(self, alive: Rows, place: Rows, rng: np.random.Generator) -> list[int]:
        """Winners of tournaments between two; only one where there is no crossover."""
        mates: list[int] = []
        for _ in range(2 if rng.random() < self._recipe.crossover else 1):
            pair = rng.choice(len(alive), size=2, replace=False)
            mates.append(int(alive[pair[np.argmin(place[pair])]]))
        return list(dict.fromkeys(mates))  # who wins twice has nobody to cross with

    def _child(
        self, mates: list[int], seen: Seen, rng: np.random.Generator
    ) -> tuple[Points | None, str]:
        """A new configuration from the parents, if one is found soon, and how it was made."""
        space, points = self._problem.space, self._told.points
        litter, intent = points[[mates[0]] * _LITTER], "mutation"
        if len(mates) > 1:
            litter = space.recombine(litter, points[[mates[1]] * _LITTER], rng)
            row = seen.first_unseen(litter)
            if row is not None and rng.random() >= self._recipe.mutation:
                return litter[row : row + 1], "crossover"
            intent = "crossover and mutation"
        for _ in range(_MUTATIONS):
            litter = space.mutate(litter, rng)
            row = seen.first_unseen(litter)
            if row is not None:
                return litter[row : row + 1], intent
        return None, intent


@dataclass(frozen=True, slots=True)
class _Generation:
    """The population that the first `n_rows` trials at a fidelity left behind."""

    fidelity: float
    n_rows: int
    rows: Rows


def _fitting_population(problem: Problem) -> int:
    budget = problem.limits.max_trials
    if budget is None:
        return _MOST_BY_BUDGET
    return int(np.clip(budget // _GENERATIONS, _LEAST_BY_BUDGET, _MOST_BY_BUDGET))
