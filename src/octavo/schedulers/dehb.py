"""DEHB: Hyperband in which differential evolution breeds a population for each fidelity.

Awad, Mallik & Hutter (2021), DEHB: Evolutionary Hyperband for Scalable, Robust and Efficient
Hyperparameter Optimization, IJCAI. The first bracket is one of successive halving from random
configurations, and what it promotes founds the populations. From then on every trial is a child
that challenges one member of the population of its fidelity: a parent plus half the difference of
two others ("rand/1"), of which the child takes half of the hyperparameters and the rest from the
member. On the first rung of a bracket parents are members of the same population; on higher ones
they are the best of the population below (the parent pool), so that what was learned cheaply moves
up although no trial is repeated. Pools that are too small are filled up from all populations.

Numbers move in the unit cube, and a step out of it is drawn anew; unordered choices, where a
difference means nothing, are taken from one of the parents; what is inactive in a parent is
drawn. Trees are recombined and mutated. Asynchronous as `DifferentialEvolution` is: a child
challenges whoever is in its place when it comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.amounts import is_whole
from octavo.optimizers.differential_evolution import slot_weights
from octavo.optimizers.feasible_first import FeasibleFirst
from octavo.optimizers.initial_design import InitialDesign
from octavo.optimizers.proposing import new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_share
from octavo.optimizers.told import Seen
from octavo.optimizers.unit_cube import has_one_number_per_column
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.schedulers.brackets import Brackets, Place, hyperband_brackets
from octavo.schedulers.ladder import Board, check_eta
from octavo.spaces.protocol import Points, Space
from octavo.trial import Proposal, Trial

__all__ = ["DEHB"]

Floats = NDArray[np.float64]

_NAME = "dehb"
_LITTERS = (4, 32)  # children that are looked at to find a new one


@dataclass(frozen=True)
class DEHB:
    """Differential evolution on every rung of Hyperband.

    Parameters
    ----------
    eta
        Ratio of neighbouring rungs.
    mutation
        F in the paper: how much of the difference of two parents is added to a third.
    crossover
        CR in the paper: share of a child's hyperparameters that are from the parents, and not
        from the member that it challenges.

    Raises
    ------
    SettingError
        If `eta` is below 1.5, or another setting outside [0, 1].

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 9))
    >>> DEHB().start(problem, seed=0).ask(1)[0].origin.data
    {'dehb': {'slot': 0, 'bracket': 0, 'step': 0, 'rung': 0}}
    """

    eta: float = 3
    mutation: float = 0.5
    crossover: float = 0.5

    def __post_init__(self) -> None:
        check_eta(self.eta)
        check_share(self, "mutation", meaning="how much of a difference is added to a parent")
        check_share(self, "crossover", meaning="the share of a child that is from its parents")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        board = Board(problem, seed, self.eta, _NAME)
        return _DEHB(board, self)


class _DEHB:
    def __init__(self, board: Board, recipe: DEHB) -> None:
        self._board, self._recipe = board, recipe
        space, shapes = board.problem.space, hyperband_brackets(board.n_rungs, recipe.eta)
        self._is_cube = has_one_number_per_column(space)
        self._unseen = Unseen(space)
        self._design = InitialDesign(board.problem, board.seed)
        self._merits = FeasibleFirst(board.told)
        # As large as the largest rung of any bracket (Awad 2021, section 4.1).
        self._populations = [
            _Population(max(s.sizes[rung - s.first] for s in shapes if s.first <= rung), self)
            for rung in range(board.n_rungs)
        ]
        self._n_on = [0] * board.n_rungs  # trials of ours that were told, by rung
        self._brackets = Brackets(board, shapes, self._child, n_promoting=1)

    def tell(self, trials: Sequence[Trial]) -> None:
        start = len(self._board.told)
        self._brackets.tell(trials)
        self._merits.update()
        for row in range(start, len(self._board.told)):
            rung = self._board.rung_of(row)
            if rung is None:
                continue
            proposal = self._board.proposals[row]
            self._n_on[rung] += bool(self._board.remembered(proposal))
            if self._board.told.is_known[row]:
                self._populations[rung].challenge(row, self._slot(proposal))

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return self._brackets.ask(n, pending=pending)

    def keep_checkpoints(self) -> frozenset[int]:
        """Trials that may still be promoted; there are some in the first bracket only."""
        return self._brackets.keep_checkpoints()

    def merit(self, row: int, weights: Floats, at: int) -> tuple[int, float, float]:
        """How good a trial is, the smaller the better, as judged when row `at` came in."""
        return self._merits.merit(row, weights, at)

    def key(self, row: int) -> bytes:
        """What the configuration of a trial is known by."""
        return self._board.told.keys[row]

    def _slot(self, proposal: Proposal) -> int | None:
        data = self._board.remembered(proposal)
        return int(data["slot"]) if is_whole(data.get("slot"), 0) else None

    def _child(self, pending: Sequence[Proposal], place: Place) -> Proposal | None:
        """A new configuration for a place, and whom it will challenge."""
        board = self._board
        index = board.told.next_index(pending)
        rng, seen = proposal_rng(board.seed, index), board.told.seen(pending)
        ours = sum(
            board.rung_of_proposal(p) == place.rung and bool(board.remembered(p)) for p in pending
        )
        population = self._populations[place.rung]
        slot = (self._n_on[place.rung] + ours) % len(population.slots)
        member = population.slots[slot]
        parents: tuple[int, ...] = ()
        pool = self._pool(place)
        point: Points | None = None
        if place.bracket and member is not None and len(pool) >= 3:
            point, family = self._bred(member, pool, seen, rng)
            intent, parents = "child", tuple(int(board.told.index[row]) for row in family)
        if point is None:
            point, intent = self._design.draw(index, seen, self._unseen, rng)
            parents = ()
        if point is None:
            return None
        return new_proposal(
            board.problem,
            board.seed,
            index,
            board.problem.space.decode(point)[0],
            by=_NAME,
            intent=intent,
            parents=parents,
            data={_NAME: {"slot": slot}},
        )

    def _pool(self, place: Place) -> list[int]:
        """Rows of those who may be parents."""
        own = self._populations[place.rung - (place.step > 0)]
        pool = own.living
        if place.step:  # as many of the best as there are places on this rung
            pool = own.best_first()[: max(3, len(self._populations[place.rung].slots))]
        if len(pool) < 3:
            everybody = [row for population in self._populations for row in population.living]
            pool = list({self.key(row): row for row in everybody}.values())
        return pool

    def _bred(
        self, member: int, pool: list[int], seen: Seen, rng: np.random.Generator
    ) -> tuple[Points | None, Sequence[int]]:
        """A child that nobody has tried, and the rows of the member and its parents."""
        told, space = self._board.told, self._board.problem.space
        others = [row for row in pool if self.key(row) != self.key(member)]
        pool = others if len(others) >= 3 else pool
        for n in _LITTERS:
            families = [(member, *rng.choice(pool, size=3, replace=False)) for _ in range(n)]
            points = [told.points[list(rows)] for rows in zip(*families, strict=True)]
            if self._is_cube:
                children, at = _crossed(space, points, self._recipe, rng)
            else:
                children = space.mutate(space.recombine(points[0], points[1], rng), rng)
                at = np.arange(n)
            row = seen.first_unseen(children)
            if row is not None:
                return children[row : row + 1], families[at[row]]
        return None, ()


class _Population:
    """The members of one fidelity, as rows of what was told."""

    def __init__(self, size: int, owner: _DEHB) -> None:
        self._owner = owner
        self._weights = slot_weights(size, owner._board.problem.n_objectives)
        self.slots: list[int | None] = [None] * size

    @property
    def living(self) -> list[int]:
        """Rows of the members."""
        return [row for row in self.slots if row is not None]

    def best_first(self) -> list[int]:
        """Rows of the members, the best first."""
        at = max(self.living, default=0)
        filled = [(slot, row) for slot, row in enumerate(self.slots) if row is not None]
        filled.sort(key=lambda its: (self._owner.merit(its[1], self._weights[its[0]], at), its[1]))
        return [row for _, row in filled]

    def challenge(self, row: int, slot: int | None) -> None:
        """Let a trial take its slot, if it is no worse than the member and no copy of one."""
        if any(self._owner.key(other) == self._owner.key(row) for other in self.living):
            return
        if slot is None or slot >= len(self.slots):  # promoted, or foreign
            slot = self._weakest(row)
        member, weights = self.slots[slot], self._weights[slot]
        if member is None or self._merit(row, weights, row) <= self._merit(member, weights, row):
            self.slots[slot] = row

    def _weakest(self, at: int) -> int:
        """An empty slot, else that of the worst member."""
        if None in self.slots:
            return self.slots.index(None)
        merits = [
            self._merit(row, self._weights[slot], at)
            for slot, row in enumerate(self.slots)
            if row is not None
        ]
        return merits.index(max(merits))

    def _merit(self, row: int, weights: Floats, at: int) -> tuple[int, float, float]:
        return self._owner.merit(row, weights, at)


def _crossed(
    space: Space, family: Sequence[Points], recipe: DEHB, rng: np.random.Generator
) -> tuple[Points, NDArray[np.intp]]:
    """The legal children of families (member and three parents), and which ones they are from."""
    columns = family[0].columns
    member, first, second, third = (points.values for points in family)
    u = rng.random((6, *member.shape))
    base, b, c = (
        np.where(np.isnan(parent), drawn, parent)
        for parent, drawn in zip((first, second, third), u[:3], strict=True)
    )
    mutant = base + recipe.mutation * (b - c)
    mutant = np.where((mutant < 0) | (mutant > 1), u[3], mutant)
    # Of a choice, one of the parents': the difference of two tells nothing.
    chosen = np.where(u[3] < recipe.mutation, np.where(u[3] < recipe.mutation / 2, b, c), base)
    mutant = np.where([column.is_ordered for column in columns], mutant, chosen)
    is_new = u[4] < recipe.crossover
    lottery = np.where(np.isnan(member), -1.0, u[5])
    is_new[np.arange(len(member)), lottery.argmax(axis=1)] = True  # one at least, and active
    child = np.where(is_new | np.isnan(member), mutant, member)
    points, legal = space.from_unit(np.clip(child, 0.0, 1.0 - 2.0**-53))
    return points, np.flatnonzero(legal)
