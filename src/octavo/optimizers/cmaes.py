"""CMA-ES: a normal distribution that learns the shape of the valley that it walks down.

Hansen & Ostermeier (2001), Completely derandomized self-adaptation in evolution strategies,
Evolutionary Computation 9. Integers keep a margin of probability to change (Hamano et al.
2022, CMA-ES with margin, GECCO), unordered choices have a categorical distribution beside the
normal one (Hamano et al. 2025, CatCMA with margin, GECCO); both from the package `cmaes`.
A search that has converged begins anew elsewhere, with twice the population (Auger & Hansen
2005, A restart CMA evolution strategy with increasing population size, IEEE CEC).

The state is a function of the trials told: every proposal carries in its origin what was
drawn, and each time that enough of them have come back, in order of completion, they make a
generation. With trials in flight, some of a generation were drawn for the one before; they
count all the same, so no evaluation is lost.

Only comparisons count: feasible trials first, then the lesser violation, then cost; failures
come last. With several objectives each search has random weights and walks to one point of the
front. Values of inactive hyperparameters drift freely until they are active again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.amounts import is_whole
from octavo.errors import ProblemError, SettingError
from octavo.numerics.scalarization import random_weights
from octavo.optimizers.cmaes_cube import Sample, SampledCube
from octavo.optimizers.feasible_first import FeasibleFirst, Merit
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer, trial_seed
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unit_cube import has_one_number_per_column
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Status, Trial

__all__ = ["CMAES"]

Floats = NDArray[np.float64]

BY = "cma-es"
_DRAWS = (1, 15, 112)  # how many are drawn to find a new, legal configuration
_LEAST_SPREAD = 1e-9  # of the range; a generation that is closer together has converged
_MOST_DOUBLINGS = 5
_STREAM = 0xC0A5E5  # sets what is drawn for searches apart from what is drawn for proposals


@dataclass(frozen=True)
class CMAES:
    """CMA-ES with margin, and restarts with a growing population.

    Parameters
    ----------
    sigma
        First standard deviation, as a share of each range.
    population
        Trials per generation of the first search; by default 4 + 3 log(dimensions).

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [proposal.origin.intent for proposal in CMAES().start(problem, seed=0).ask(2)]
    ['default configuration', 'draw of search 0']
    """

    sigma: float = 0.2
    population: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 1:
            raise SettingError(
                f"sigma={self.sigma!r} must be above 0 and at most 1: the first standard deviation "
                "as a share of each range. 0.1 to 0.3 does well."
            )
        if self.population is not None and not is_whole(self.population, 4):
            raise SettingError(
                f"population={self.population!r} must be a whole number of at least 4: the better "
                "half of a generation says where to go. Leave it out to choose it by dimension."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` if there are trees in the space."""
        if not has_one_number_per_column(problem.space):
            raise ProblemError(
                "cma-es searches among numbers and choices, but this space has trees that grow. "
                "Use optimizer='regularized-evolution' or 'random-forest'."
            )
        return _CMAES(problem, seed, self)


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a proposal remembers: from which search it is, and what was drawn, if anything."""

    search: int
    sample: Sample | None


class _CMAES:
    def __init__(self, problem: Problem, seed: int, recipe: CMAES) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._merits = FeasibleFirst(self._told)
        self._unseen = Unseen(problem.space)
        self._cube = SampledCube(problem.space)
        self._default = problem.space.encode([problem.space.default()])
        self._draws: list[_Draw | None] = []  # None for foreign trials
        self._level: float | None = None
        self._chain = self._new_chain()

    def _new_chain(self) -> _Chain:
        start = self._cube.place(self._default)
        return _Chain(self._told, self._merits, self._cube, start, self._seed, self._recipe)

    def tell(self, trials: Sequence[Trial]) -> None:
        added = self._told.extend(trials)
        self._draws.extend(self._read(trial) for trial in added)
        self._merits.update()
        level = self._told.comparable_fidelity(4)
        if level != self._level:
            self._level, self._chain = level, self._new_chain()
        self._chain.absorb(self._draws, level)

    def _read(self, trial: Trial) -> _Draw | None:
        """What the origin of a trial says; None if it is not of our making."""
        origin = trial.proposal.origin
        number: Any = origin.data.get("search")
        if origin.by != BY or not is_whole(number, 0):
            return None
        if trial.status is Status.CANCELLED:
            return _Draw(-1, None)  # says nothing, of no search
        if origin.data.get("is_stuck") is True:
            return _Draw(int(number), None)
        sample = self._cube.read(origin.data)
        return None if sample is None else _Draw(int(number), sample)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = self._told.next_index(pending)
        seen = self._told.seen(pending)
        number = self._chain.number
        point, sample = None, None
        intent = f"draw of search {number}"
        if self._cube.n_dims:
            if not number and seen.first_unseen(self._default) is not None:
                point, intent = self._default, "default configuration"
                sample = self._cube.sample_at(self._cube.place(point))
            else:
                point, sample = self._drawn(seen, index)
        if point is None:
            # The distribution has shrunk to what is known: time for another search.
            intent = "nothing new nearby, uniform draw"
            point = self._unseen.draw(seen, proposal_rng(self._seed, index))
        if point is None:
            return None
        what = {"is_stuck": True} if sample is None else self._cube.write(sample)
        config = self._problem.space.decode(point)[0]
        return new_proposal(
            self._problem,
            self._seed,
            index,
            config,
            by=BY,
            intent=intent,
            data={"search": number, **what},
        )

    def _drawn(self, seen: Seen, index: int) -> tuple[Points | None, Sample | None]:
        """A new configuration from the distribution, and the sample that leads to it."""
        search = self._chain.search
        search.reseed_rng(trial_seed(self._seed ^ _STREAM, index))
        for n in _DRAWS:
            samples = [search.ask() for _ in range(n)]
            points, legal = self._problem.space.from_unit(self._cube.unit(samples))
            row = seen.first_unseen(points)
            if row is not None:
                return points[row : row + 1], samples[np.flatnonzero(legal)[row]]
        return None, None


class _Chain:
    """One search after the other, each with twice the population, as far as trials led.

    Parameters
    ----------
    told, merits
        What is known, and how good it is.
    cube
        The unit cube of the space.
    start : shape (n_dims,)
        Where the first search begins, unless somebody else found something good before it.
    seed, recipe
        Of the optimizer.
    """

    def __init__(
        self,
        told: Told,
        merits: FeasibleFirst,
        cube: SampledCube,
        start: Floats,
        seed: int,
        recipe: CMAES,
    ) -> None:
        self._told, self._merits, self._cube = told, merits, cube
        self._seed, self._recipe = seed, recipe
        self._n_read = 0
        self._foreign: Merit | None = None  # the best one before the first search
        self._begin(0, start)

    def _begin(self, number: int, start: Floats) -> None:
        self.number = number
        rng = np.random.default_rng([self._seed, number, _STREAM])
        self._weights = random_weights(self._told.problem.n_objectives, rng)
        self._members: list[tuple[Sample, int]] = []
        self._bests: list[Merit] = []  # of each generation
        n = self._cube.n_dims
        if n:
            first = self._recipe.population or 4 + math.floor(3 * math.log(n))
            self._size = first * 2 ** min(number, _MOST_DOUBLINGS)
            self._patience = 10 + math.ceil(30 * n / self._size)  # Hansen (2016), B.3
            self.search = self._cube.search(start, self._recipe.sigma, self._size)

    def _restart(self) -> None:
        rng = np.random.default_rng([self._seed, self.number, _STREAM + 1])
        self._begin(self.number + 1, rng.random(self._cube.n_dims))

    def absorb(self, draws: Sequence[_Draw | None], level: float | None) -> None:
        """Learn of what was told since the last time, as far as it is at this fidelity."""
        for row in range(self._n_read, len(self._told)):
            if self._told.fidelity[row] != level:
                continue
            draw = draws[row]
            if draw is None:
                self._heed_foreign(row)
            elif draw.search == self.number and draw.sample is not None:
                self._members.append((draw.sample, row))
                if len(self._members) == self._size:
                    self._evolve(row)
            elif draw.search == self.number:
                self._restart()
        self._n_read = len(self._told)

    def _heed_foreign(self, row: int) -> None:
        """Begin the first search at the best of what others had found before it."""
        if self.number or self._bests or self._members or not self._told.is_known[row]:
            return
        merit = self._merits.merit(row, self._weights, row)
        if self._cube.n_dims and (self._foreign is None or merit < self._foreign):
            self._foreign = merit
            self._begin(0, self._cube.place(self._told.points[[row]]))

    def _evolve(self, at: int) -> None:
        """Let a generation, the last of which is row `at`, change the distribution."""
        judged = [(self._merits.merit(row, self._weights, at), row) for _, row in self._members]
        order = sorted(range(len(judged)), key=lambda k: judged[k])
        # Ranks in place of costs: all that is done with them depends on their order alone.
        ranked = [(self._members[k][0], float(rank)) for rank, k in enumerate(order)]
        self.search.tell(ranked)
        self._bests.append(judged[order[0]][0])
        if self._has_stalled() or self._has_converged():
            self._restart()
        self._members = []

    def _has_stalled(self) -> bool:
        """Whether generations are no better than those of a while ago."""
        late = self._bests[-self._patience :]
        early = self._bests[-2 * self._patience : -self._patience]
        return len(early) == self._patience and median_low(late) >= median_low(early)

    def _has_converged(self) -> bool:
        if self._cube.is_continuous:
            line = self._cube.line([sample for sample, _ in self._members])
            if np.ptp(line, axis=0).max() < _LEAST_SPREAD:
                return True
        return self._cube.has_numbers and bool(self.search.should_stop())
