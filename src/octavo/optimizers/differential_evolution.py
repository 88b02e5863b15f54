"""Differential evolution: steps are as long as the population is wide, and point where it does.

Storn & Price (1997), Differential evolution, J. Global Optimization 11. Each member of a
population is challenged by a child: the member moved towards one of the best and along the
difference of two others ("current-to-pbest/1" with an archive of the defeated: Zhang &
Sanderson 2009, JADE, IEEE Trans. Evolutionary Computation 13), crossed with the member; the
better one stays. How far and how much to cross is learned from what succeeded (Tanabe &
Fukunaga 2013, SHADE, IEEE CEC). Mixed spaces as in Awad, Mallik & Hutter (2021), DEHB, IJCAI:
all numbers move in the unit cube.

Asynchronous: a child challenges whoever is in its slot when it comes back. The slot and the
two rates stand in the origin of the proposal, so the population is a function of the trials
told, in order of completion.

What is special here: a hyperparameter that is inactive in a parent adds no difference; a
discrete one is rounded at random, so that half a step is a step every other time; an unordered
choice is taken from one of the parents, now and then anew. A step out of the range ends half
way between the parent and the bound. Trees know no differences: they are recombined and
mutated. Several objectives: each slot has weights of its own (Zhang & Li 2007, MOEA/D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.optimizers.feasible_first import FAILED, FeasibleFirst, Merit, highest_level
from octavo.optimizers.initial_design import InitialDesign
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.sobol import SobolPoints
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem, is_whole
from octavo.spaces.protocol import Points, Space
from octavo.trial import Origin, Proposal, Trial

__all__ = ["DifferentialEvolution"]

Floats = NDArray[np.float64]

BY = "differential-evolution"
_LEAST = 4  # a member, one of the best and two others
_LITTERS = (4, 32)  # children that are looked at to find a new one
_MEMORY = 5  # how many means of successful rates are remembered
import os
_SHARE_OF_BEST = float(os.environ.get("PB","0.2"))
_ANEW = float(os.environ.get("ANEW","0.1"))  # share of crossed unordered choices that are drawn anew
_F0 = float(os.environ.get("F0","0.5"))
_CR0 = float(os.environ.get("CR0","0.5"))
_STRAT = os.environ.get("STRAT","pbest")
_ADAPT = os.environ.get("ADAPT","1")=="1"


@dataclass(frozen=True)
class DifferentialEvolution:
    """Differential evolution with success-history adaptation.

    Parameters
    ----------
    population
        How many members; the first trials fill it.

    Raises
    ------
    SettingError
        If there are too few members to make a difference.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> DifferentialEvolution().start(problem, seed=0).ask(1)[0].origin.intent
    'default configuration'
    """

    population: int = int(os.environ.get("NP","12"))

    def __post_init__(self) -> None:
        if not is_whole(self.population, _LEAST):
            raise SettingError(
                f"population={self.population!r} must be a whole number of at least {_LEAST}: a "
                "child needs a member, one of the best and two others. The default does well."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _DifferentialEvolution(problem, seed, self)


@dataclass(frozen=True, slots=True)
class _Child:
    """What a proposal remembers: whom it challenges, and the rates that made it, if any."""

    slot: int
    rates: tuple[float, float] | None


class _DifferentialEvolution:
    def __init__(self, problem: Problem, seed: int, recipe: DifferentialEvolution) -> None:
        self._problem, self._seed, self._size = problem, seed, recipe.population
        self._told = Told(problem)
        self._merits = FeasibleFirst(self._told)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._children: list[_Child | None] = []  # None for foreign trials
        self._level: float | None = None
        self._population = self._empty()

    def _empty(self) -> _Population:
        weights = _slot_weights(self._size, self._problem.n_objectives)
        return _Population(self._told, self._merits, weights)

    def tell(self, trials: Sequence[Trial]) -> None:
        added = self._told.extend(trials)
        self._children.extend(_child(trial.proposal.origin, self._size) for trial in added)
        self._merits.update()
        level = highest_level(self._told, _LEAST)
        if level != self._level:
            self._level, self._population = level, self._empty()
        self._population.absorb(self._children, level)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        slot = index % self._size
        living = self._population.living
        point: Points | None = None
        parents: tuple[int, ...] = ()
        rates: tuple[float, float] | None = None
        # An empty slot is filled, unless what shall fill it is on its way.
        awaited = {
            child.slot
            for proposal in pending
            if (child := _child(proposal.origin, self._size)) is not None
        }
        is_filled = self._population.slots[slot] is not None
        if len(living) < _LEAST or not (is_filled or slot in awaited):
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        else:
            while self._population.slots[slot] is None:
                slot = (slot + 1) % self._size
            point, rates, rows = self._bred(slot, seen, rng)
            intent = "child"
            parents = tuple(int(told.index[row]) for row in rows)
            if point is None:
                parents, intent = (), "no new child, uniform draw"
                point = self._unseen.draw(seen, rng)
        if point is None:
            return None
        return new_proposal(
            self._problem,
            self._seed,
            index,
            self._problem.space.decode(point)[0],
            by=BY,
            intent=intent,
            parents=parents,
            data={"slot": slot, "rates": None if rates is None else list(rates)},
        )

    def _bred(
        self, slot: int, seen: Seen, rng: np.random.Generator
    ) -> tuple[Points | None, tuple[float, float] | None, tuple[int, ...]]:
        """A new child for a slot, the rates that made it and the rows of its parents."""
        told, space = self._told, self._problem.space
        for n in _LITTERS:
            litter = [self._population.mate(slot, rng) for _ in range(n)]
            rates = [self._population.rates(rng) for _ in range(n)]
            parents = [told.points[[family[k] for family in litter]] for k in range(4)]
            children, at = _crossed(space, parents, np.array(rates), rng)
            row = seen.first_unseen(children)
            if row is not None:
                k = int(at[row])
                return children[row : row + 1], rates[k], litter[k]
        # All are known: the space is small, or the population has come together.
        member = self._population.slots[slot]
        assert member is not None
        near = space.mutate(told.points[[member] * n], rng)
        row = seen.first_unseen(near)
        return (None if row is None else near[row : row + 1]), None, (member,)


class _Population:
    """Members, the defeated, and the rates that succeeded, after some trials."""

    def __init__(self, told: Told, merits: FeasibleFirst, weights: Floats) -> None:
        self._told, self._merits, self._weights = told, merits, weights
        self.slots: list[int | None] = [None] * len(weights)
        self._archive: list[int] = []
        self._means = [(_F0, _CR0)] * _MEMORY
        self._oldest = 0  # of the means, the next one to be forgotten
        self._won: list[tuple[float, float]] = []
        self._n_challenges = 0
        self._n_read = 0

    @property
    def living(self) -> list[int]:
        """Rows of the members."""
        return [row for row in self.slots if row is not None]

    def absorb(self, children: Sequence[_Child | None], level: float | None) -> None:
        """Let what was told since the last time fight for its slots."""
        told = self._told
        for row in range(self._n_read, len(told)):
            if told.is_known[row] and told.fidelity[row] == level:
                child = children[row]
                if child is None:
                    self._fight(row, self._slot_for_foreign(row))
                else:
                    self._challenge(row, child)
        self._n_read = len(told)

    def _challenge(self, row: int, child: _Child) -> None:
        has_won = self._fight(row, child.slot)
        if child.rates is None:
            return
        self._n_challenges += 1
        if has_won:
            self._won.append(child.rates)
        if self._n_challenges % len(self.slots) == 0 and self._won:
            F, CR = np.array(self._won).T
            # The contraharmonic mean of F counters that small steps succeed more often.
            f = float((F**2).sum() / max(F.sum(), 1e-12))
            self._means[self._oldest] = (f, float(CR.mean()))
            self._oldest = (self._oldest + 1) % _MEMORY
            self._won = []

    def _fight(self, row: int, slot: int) -> bool:
        """Whether a trial takes a slot: if it is no worse than the member and no copy of one."""
        keys, member = self._told.keys, self.slots[slot]
        if any(keys[other] == keys[row] for other in self.living):
            return False
        if member is not None:
            if self._merit(row, slot, row) > self._merit(member, slot, row):
                return False
            self._archive = [*self._archive, member][-len(self.slots) :]
        self.slots[slot] = row
        return True

    def _slot_for_foreign(self, row: int) -> int:
        """An empty slot, else that of the worst member."""
        merits = [
            (FAILED + 1, 0.0, 0.0) if member is None else self._merit(member, slot, row)
            for slot, member in enumerate(self.slots)
        ]
        return merits.index(max(merits))

    def _merit(self, row: int, slot: int, at: int | None = None) -> Merit:
        return self._merits.merit(row, self._weights[slot], at)

    def mate(self, slot: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Rows of the parents: the member, one of the best, another one, and one more or dead."""
        member = self.slots[slot]
        assert member is not None
        ranked = sorted(self.living, key=lambda row: self._merit(row, slot))
        n_best = max(2, round(_SHARE_OF_BEST * len(ranked)))
        best = ranked[rng.integers(n_best)]
        others = [row for row in ranked if row != member]
        first = others[rng.integers(len(others))]
        if _STRAT == "rand":
            best = others[rng.integers(len(others))]
        more = [row for row in [*others, *(self._archive if _STRAT!="noarch" else [])] if row not in (first,)]
        return member, best, first, more[rng.integers(len(more))]

    def rates(self, rng: np.random.Generator) -> tuple[float, float]:
        """How far to step and how much to cross: near one of the remembered means."""
        if not _ADAPT:
            return _F0, _CR0
        f, cr = self._means[rng.integers(_MEMORY)]
        F = 0.0
        while F <= 0.0:
            F = f + 0.1 * rng.standard_cauchy()
        return min(F, 1.0), float(np.clip(rng.normal(cr, 0.1), 0.0, 1.0))


def _crossed(
    space: Space, parents: Sequence[Points], rates: Floats, rng: np.random.Generator
) -> tuple[Points, NDArray[np.intp]]:
    """The legal children of families, and which families they are from.

    Parameters
    ----------
    space
        Where they live.
    parents
        The members, some of the best, and two others; one row per family.
    rates : shape (n, 2)
        How far to step and how much to cross.
    rng
        Source of all randomness.
    """
    columns = parents[0].columns
    n = len(rates)
    if len(columns) != space.n_dims:
        children = space.mutate(space.recombine(parents[0], parents[1], rng), rng)
        return children, np.arange(n)
    member, best, first, second = (points.values for points in parents)
    F, CR = rates[:, :1], rates[:, 1:]
    u = rng.random((5, *member.shape))
    base = member
    for other in (best, first, u[0]):  # what is inactive in the member
        base = np.where(np.isnan(base), other, base)
    if _STRAT == "rand":
        base = np.where(np.isnan(best), base, best)
        step = F * np.nan_to_num(first - second)
    else:
        step = F * (np.nan_to_num(best - base) + np.nan_to_num(first - second))
    width = np.array([1.0 / (column.n_values or np.inf) for column in columns])
    mutant = base + step + (u[1] - 0.5) * width
    ordered = np.array([column.is_ordered for column in columns])
    mutant = np.where(ordered, mutant, _chosen(base, best, first, F, u[1], u[2], u[0]))
    mutant = np.where(mutant < 0, base / 2, np.where(mutant > 1, (1 + base) / 2, mutant))
    crossed = u[3] < CR
    lottery = np.where(np.isnan(member), -1.0, u[4])
    crossed[np.arange(n), lottery.argmax(axis=1)] = True  # at least one that is active
    child = np.where(crossed | np.isnan(member), mutant, member)
    points, legal = space.from_unit(np.clip(child, 0.0, 1.0 - 2.0**-53))
    return points, np.flatnonzero(legal)


def _chosen(
    base: Floats, best: Floats, first: Floats, F: Floats, u: Floats, v: Floats, anew: Floats
) -> Floats:
    """Unordered choices: the member's, one of the best's, another one's, or drawn anew."""
    choice = np.where((u < F) & ~np.isnan(best), best, base)
    choice = np.where((v < F / 2) & ~np.isnan(first), first, choice)
    return np.where(v > 1 - _ANEW, anew, choice)


def _slot_weights(size: int, n_objectives: int) -> Floats:
    """Shape (size, objectives): weights spread evenly over the simplex."""
    if n_objectives == 1:
        return np.ones((size, 1))
    points = SobolPoints(n_objectives, seed=0)
    u = np.array([points.at(slot) for slot in range(size)])
    drawn = -np.log1p(-u)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _child(origin: Origin, size: int) -> _Child | None:
    """What an origin says, None if it is not of our making."""
    slot, rates = origin.data.get("slot"), origin.data.get("rates")
    if origin.by != BY or not is_whole(slot, 0) or slot >= size:
        return None
    if rates is None:
        return _Child(int(slot), None)
    try:
        F, CR = (float(rate) for rate in rates)
    except (TypeError, ValueError):
        return None
    if not (0.0 <= F <= 1.0 and 0.0 <= CR <= 1.0):
        return None
    return _Child(int(slot), (F, CR))
