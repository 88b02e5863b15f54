"""Differential evolution: steps are as long as the population is wide, and point where it does.

Storn & Price (1997), Differential evolution, J. Global Optimization 11. Each member of a
population is challenged by a child: the member moved towards one of the best and along the
difference of two others ("current-to-pbest/1" with an archive of the defeated: Zhang &
Sanderson 2009, JADE, IEEE Trans. Evolutionary Computation 13), crossed with the member; the
better one stays. How far it moves is drawn afresh for each child. Learning these rates from
what succeeded (SHADE) was tried: within 300 trials it gained nothing that six seeds could show.

Mixed spaces as in Awad, Mallik & Hutter (2021), DEHB, IJCAI: all numbers move in the unit
cube, and what is inactive in a parent is drawn. But an unordered choice, where a difference
means nothing, is taken from one of the parents, now and then anew. A step out of the range
ends half way between the member and the bound. Trees are recombined and mutated.

Asynchronous: a child challenges whoever is in its slot when it comes back. The slot stands in
the origin of the proposal, so the population is a function of the trials told, in order of
completion. Foreign trials challenge the worst. Feasible trials beat infeasible ones, which
beat others by the lesser violation; failures never live. With several objectives each slot has
weights of its own, so that the population spreads over the front (Zhang & Li 2007, MOEA/D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.amounts import is_whole
from octavo.errors import SettingError
from octavo.optimizers.feasible_first import FAILED, FeasibleFirst, Merit
from octavo.optimizers.initial_design import InitialDesign
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.sobol import SobolPoints
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unit_cube import has_one_number_per_column
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points, Space
from octavo.trial import Origin, Proposal, Trial

__all__ = ["DifferentialEvolution", "slot_weights"]

Floats = NDArray[np.float64]

BY = "differential-evolution"
_LEAST = 4  # a member, one of the best and two others
_LITTERS = (4, 32)  # children that are looked at to find a new one
_LEAST_SPREAD = 1e-6  # of the range; a population that is closer together has converged
_BUDGET_WITHOUT_LIMIT = 300
_SHARE_OF_BEST = 0.2
_STEP = (0.3, 0.7)  # F in the papers: from where to where it is drawn
_CROSSED = 0.8  # CR: share of the child that is new
_ANEW = 0.1  # share of these, among unordered choices, that is from no parent


@dataclass(frozen=True)
class DifferentialEvolution:
    """Differential evolution.

    Parameters
    ----------
    population
        How many members; the first trials fill it. By default 8, and more where `max_trials`
        allows for more than 200: 0.6 of its square root.

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

    population: int | None = None

    def __post_init__(self) -> None:
        if self.population is not None and not is_whole(self.population, _LEAST):
            raise SettingError(
                f"population={self.population!r} must be a whole number of at least {_LEAST}: a "
                "child needs a member, one of the best and two others. Leave it out to choose it "
                "by max_trials."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _DifferentialEvolution(problem, seed, self)


@dataclass(frozen=True, slots=True)
class _Child:
    """What a proposal remembers: whom it challenges, and in the population's which life."""

    slot: int
    life: int


class _DifferentialEvolution:
    def __init__(self, problem: Problem, seed: int, recipe: DifferentialEvolution) -> None:
        self._problem, self._seed = problem, seed
        self._size = recipe.population or _population(problem)
        self._is_cube = has_one_number_per_column(problem.space)
        self._told = Told(problem)
        self._merits = FeasibleFirst(self._told)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._children: list[_Child | None] = []  # None for foreign trials
        self._level: float | None = None
        self._population = self._empty()

    def _empty(self) -> _Population:
        weights = slot_weights(self._size, self._problem.n_objectives)
        return _Population(self._told, self._merits, weights)

    def tell(self, trials: Sequence[Trial]) -> None:
        added = self._told.extend(trials)
        self._children.extend(_child(trial.proposal.origin, self._size) for trial in added)
        self._merits.update()
        level = self._told.comparable_fidelity(_LEAST)
        if level != self._level:
            self._level, self._population = level, self._empty()
        self._population.absorb(self._children, level)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told, population = self._told, self._population
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        slot = index % self._size
        parents: tuple[int, ...] = ()
        if len(population.living) < _LEAST or self._is_open(slot, pending):
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        else:
            while population.slots[slot] is None:
                slot = (slot + 1) % self._size
            point, intent, family = self._bred(slot, seen, rng)
            parents = tuple(int(told.index[row]) for row in family)
            if point is None:
                point, intent = self._unseen.draw(seen, rng), "no new child, uniform draw"
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
            data={"slot": slot, "life": population.life},
        )

    def _is_open(self, slot: int, pending: Sequence[Proposal]) -> bool:
        """Whether a slot is empty, and nothing that shall fill it is on its way."""
        if self._population.slots[slot] is not None:
            return False
        mine = _Child(slot, self._population.life)
        return all(_child(proposal.origin, self._size) != mine for proposal in pending)

    def _bred(
        self, slot: int, seen: Seen, rng: np.random.Generator
    ) -> tuple[Points | None, str, Sequence[int]]:
        """A new child for a slot, how it was made, and the rows of its parents."""
        told, space = self._told, self._problem.space
        for n in _LITTERS:
            families = [self._population.family(slot, rng) for _ in range(n)]
            parents = [told.points[list(rows)] for rows in zip(*families, strict=True)]
            if self._is_cube:
                children, at = _stepped(space, parents, rng)
            else:
                children = space.mutate(space.recombine(parents[0], parents[1], rng), rng)
                at = np.arange(n)
            row = seen.first_unseen(children)
            if row is not None:
                return children[row : row + 1], "child", families[at[row]]
        # All are known: the space is small.
        family = families[0][:1]
        near = space.mutate(told.points[list(family) * n], rng)
        row = seen.first_unseen(near)
        if row is None:
            return None, "", ()
        return near[row : row + 1], "mutation", family


class _Population:
    """Members and the defeated, after some trials.

    Parameters
    ----------
    told, merits
        What is known, and how good it is.
    weights : shape (slots, objectives)
        By which each slot judges.
    """

    def __init__(self, told: Told, merits: FeasibleFirst, weights: Floats) -> None:
        self._told, self._merits, self._weights = told, merits, weights
        self.slots: list[int | None] = [None] * len(weights)
        self.life = 0
        self._defeated: list[int] = []
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
                elif child.life == self.life:
                    self._fight(row, child.slot)
        self._n_read = len(told)

    def _fight(self, row: int, slot: int) -> None:
        """Let a trial take a slot if it is no worse than the member and no copy of one."""
        keys, member = self._told.keys, self.slots[slot]
        if any(keys[other] == keys[row] for other in self.living):
            return
        if member is not None:
            if self._merit(row, slot, row) > self._merit(member, slot, row):
                return
            self._defeated = [*self._defeated, member][-len(self.slots) :]
        self.slots[slot] = row
        if self._has_come_together():
            # It would step no more: let another one grow.
            self.life += 1
            self.slots = [None] * len(self.slots)
            self._defeated = []

    def _has_come_together(self) -> bool:
        if None in self.slots:
            return False
        values = self._told.points.values[self.living]
        active = ~np.isnan(values)
        if (active != active[0]).any():
            return False
        return bool((np.ptp(values[:, active[0]], axis=0) < _LEAST_SPREAD).all())

    def _slot_for_foreign(self, row: int) -> int:
        """An empty slot, else that of the worst member."""
        merits = [
            (FAILED + 1, 0.0, 0.0) if member is None else self._merit(member, slot, row)
            for slot, member in enumerate(self.slots)
        ]
        return merits.index(max(merits))

    def _merit(self, row: int, slot: int, at: int | None = None) -> Merit:
        return self._merits.merit(row, self._weights[slot], at)

    def family(self, slot: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Rows of parents: the member, one of the best, another one, and one more or defeated."""
        member = self.slots[slot]
        assert member is not None
        ranked = sorted(self.living, key=lambda row: self._merit(row, slot))
        best = ranked[rng.integers(max(2, round(_SHARE_OF_BEST * len(ranked))))]
        others = [row for row in ranked if row != member]
        first = others[rng.integers(len(others))]
        more = [row for row in [*others, *self._defeated] if row != first]
        return member, best, first, more[rng.integers(len(more))]


def _stepped(
    space: Space, parents: Sequence[Points], rng: np.random.Generator
) -> tuple[Points, NDArray[np.intp]]:
    """The legal children of families, and which families they are from.

    Parameters
    ----------
    space
        One with a number per column.
    parents
        The members, some of the best, and two others; one row per family.
    rng
        Source of all randomness.
    """
    columns = parents[0].columns
    member, best, first, second = (points.values for points in parents)
    F = rng.uniform(*_STEP, size=(len(member), 1))
    u = rng.random((7, *member.shape))
    # Were inactive values not drawn but left out, a column that is active in few would have
    # the same value in all their children, and no difference to leave it.
    base, first, second = (
        np.where(np.isnan(parent), drawn, parent)
        for parent, drawn in zip((member, first, second), u[:3], strict=True)
    )
    best = np.where(np.isnan(best), base, best)
    mutant = base + F * (best - base + first - second)
    mutant = np.where(mutant < 0, base / 2, np.where(mutant > 1, (1 + base) / 2, mutant))
    chosen = np.where(u[3] < F, best, base)
    chosen = np.where(u[4] < F / 2, first, chosen)
    chosen = np.where(u[4] > 1 - _ANEW, rng.random(member.shape), chosen)
    mutant = np.where([column.is_ordered for column in columns], mutant, chosen)
    is_new = u[5] < _CROSSED
    lottery = np.where(np.isnan(member), -1.0, u[6])
    is_new[np.arange(len(member)), lottery.argmax(axis=1)] = True  # one at least, and active
    child = np.where(is_new | np.isnan(member), mutant, member)
    points, legal = space.from_unit(np.clip(child, 0.0, 1.0 - 2.0**-53))
    return points, np.flatnonzero(legal)


def slot_weights(size: int, n_objectives: int) -> Floats:
    """Shape (size, objectives): weights spread evenly over the simplex."""
    if n_objectives == 1:
        return np.ones((size, 1))
    points = SobolPoints(n_objectives, seed=0)
    u = np.array([points.at(slot) for slot in range(size)])
    drawn = -np.log1p(-u)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _child(origin: Origin, size: int) -> _Child | None:
    """What an origin says, None if it is not of our making."""
    slot: Any = origin.data.get("slot")
    life: Any = origin.data.get("life")
    if origin.by != BY or not is_whole(slot, 0) or not is_whole(life, 0):
        return None
    return _Child(int(slot), int(life)) if slot < size else None


def _population(problem: Problem) -> int:
    """Few members learn soon, many do not come together too early."""
    n_trials = problem.limits.max_trials or _BUDGET_WITHOUT_LIMIT
    return int(np.clip(0.6 * np.sqrt(n_trials), 8, 50))
