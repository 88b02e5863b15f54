"""Brackets of successive halving that never wait: the engine behind Hyperband and its kin.

A bracket starts many configurations with little budget, and lets the best one in `eta` go on
with `eta` times as much, rung by rung (Jamieson & Talwalkar 2016, Non-stochastic best arm
identification and hyperparameter optimization, AISTATS). Within a bracket a rung begins when
the one below is complete. Nobody waits for that, though: whoever asks in the meantime works on
the next bracket, which is opened if need be.

Which bracket and rung a proposal is for stands in its origin, so the brackets are a function of
the trials told and those pending.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from octavo.amounts import is_whole
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer
from octavo.problem import Problem
from octavo.schedulers.ladder import Board
from octavo.trial import Proposal, Trial

__all__ = ["Bracket", "Brackets", "Fresh", "Place", "hyperband_brackets", "start_brackets"]


@dataclass(frozen=True, slots=True)
class Bracket:
    """How many configurations run on each rung, from a first one up to the full budget.

    Parameters
    ----------
    first
        The rung on which new configurations start.
    sizes
        Of the rungs from there on.
    """

    first: int
    sizes: tuple[int, ...]


def hyperband_brackets(n_rungs: int, eta: float) -> tuple[Bracket, ...]:
    """The brackets of one round, from many cheap starts to few at the full budget.

    Each spends about as much as the others: Li et al. (2018), algorithm 1.

    Examples
    --------
    >>> [bracket.sizes for bracket in hyperband_brackets(5, 3)]
    [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)]
    """
    brackets = []
    for s in range(n_rungs - 1, -1, -1):
        n = math.ceil(n_rungs * eta**s / (s + 1) - 1e-9)
        sizes = tuple(max(1, math.floor(n * eta**-i + 1e-9)) for i in range(s + 1))
        brackets.append(Bracket(n_rungs - 1 - s, sizes))
    return tuple(brackets)


@dataclass(frozen=True, slots=True)
class Place:
    """What a bracket needs next.

    Parameters
    ----------
    bracket
        Its number, from 0.
    step
        Within the bracket, 0 for its first rung.
    rung
        Of the ladder.
    """

    bracket: int
    step: int
    rung: int


Fresh = Callable[[Sequence[Proposal], Place], Proposal | None]
"""A new configuration, given what is pending and the place where it will run."""


@dataclass(slots=True)
class _Open:
    """A bracket that was begun: the rows of its trials, rung by rung."""

    shape: Bracket
    promotes: bool
    rows: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = [[] for _ in self.shape.sizes]


class Brackets:
    """Works through brackets, one after the other and, with workers to spare, side by side.

    Parameters
    ----------
    board
        Of the problem; its name is the scheduler's.
    shapes
        The brackets; they take turns without end.
    fresh
        Proposes new configurations.
    inner
        Is told every trial; None if `fresh` reads the board.
    n_promoting
        In so many brackets, those that did well on a rung go on to the next; afterwards new
        configurations run there too. By default in all.
    """

    def __init__(
        self, board: Board, shapes: Sequence[Bracket], fresh: Fresh, inner: Optimizer | None = None,
        *, n_promoting: float = math.inf,
    ) -> None:  # fmt: skip
        self._board, self._shapes, self._fresh, self._inner = board, tuple(shapes), fresh, inner
        self._n_promoting = n_promoting
        self._brackets: dict[int, _Open] = {}
        self._n_done = 0  # all brackets before this one are complete

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn of completed trials."""
        if self._inner is not None:
            self._inner.tell(trials)
        for row, trial in self._board.extend(trials):
            place = self._place(trial.proposal)
            if place is not None:
                number, step = place
                self._bracket(number).rows[step].append(row)
        while self._n_done in self._brackets and self._is_done(self._brackets[self._n_done]):
            self._n_done += 1

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        """Up to `n` proposals; always `n` as long as there is anything left to try."""
        return ask_in_turn(n, pending, self._propose)

    def keep_checkpoints(self) -> frozenset[int]:
        """Trials that may still be promoted: the best of rungs that are not complete."""
        board = self._board
        kept: set[int] = set()
        for number, bracket in self._brackets.items():
            if number < self._n_done or not bracket.promotes:
                continue
            for step, size in enumerate(bracket.shape.sizes[1:], start=1):
                if len(bracket.rows[step]) < size:
                    best = board.best_first(bracket.rows[step - 1])[:size]
                    rung = bracket.shape.first + step
                    kept.update(
                        board.proposals[row].index
                        for row in best
                        if board.tops[board.told.keys[row]].rung < rung
                    )
        return frozenset(kept)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        waiting = Counter(its for p in pending if (its := self._place(p)) is not None)
        waiting_keys = set(self._board.told.seen(pending).pending.keys())
        for number in count(self._n_done):
            bracket = self._brackets.get(number) or self._new(number)
            step, size = self._current(bracket)
            if len(bracket.rows[step]) + waiting[number, step] >= size:
                continue  # all that this bracket can do now is on its way
            place = Place(number, step, bracket.shape.first + step)
            data = {"bracket": number, "step": step}
            if step and bracket.promotes:
                row = self._next_up(bracket, step, waiting_keys)
                if row is not None:
                    return self._board.promoted(row, place.rung, pending, data)
                continue
            fresh = self._fresh(pending, place)
            if fresh is None:
                return self._board.last_ones(pending)
            return self._board.started(fresh, place.rung, data)
        return None

    def _current(self, bracket: _Open) -> tuple[int, int]:
        """The step that a bracket is at, and how many trials belong there in the end."""
        for step, size in enumerate(bracket.shape.sizes):
            wanted = size
            if step and bracket.promotes:  # what failed does not go on
                below = bracket.rows[step - 1]
                wanted = min(size, sum(map(bool, self._board.told.is_success[below])))
            if len(bracket.rows[step]) < wanted:
                return step, wanted
            if not wanted:
                break
        return len(bracket.shape.sizes) - 1, 0

    def _is_done(self, bracket: _Open) -> bool:
        return self._current(bracket)[1] == 0

    def _next_up(self, bracket: _Open, step: int, waiting: set[bytes]) -> int | None:
        """The best row of the rung below whose configuration is not on this one, or higher."""
        keys, tops = self._board.told.keys, self._board.tops
        for row in self._board.best_first(bracket.rows[step - 1]):
            if keys[row] not in waiting and tops[keys[row]].rung < bracket.shape.first + step:
                return row
        return None

    def _bracket(self, number: int) -> _Open:
        if number not in self._brackets:
            self._brackets[number] = self._new(number)
        return self._brackets[number]

    def _new(self, number: int) -> _Open:
        return _Open(self._shapes[number % len(self._shapes)], number < self._n_promoting)

    def _place(self, proposal: Proposal) -> tuple[int, int] | None:
        """Bracket and step that a proposal is for; None if it is not of our making."""
        data = self._board.remembered(proposal)
        if not is_whole(data.get("bracket"), 0) or not is_whole(data.get("step"), 0):
            return None
        number, step = int(data["bracket"]), int(data["step"])
        shape = self._shapes[number % len(self._shapes)]
        at_rung = self._board.rung_of_proposal(proposal) == shape.first + step
        return (number, step) if step < len(shape.sizes) and at_rung else None


def start_brackets(
    problem: Problem, seed: int, *, name: str, eta: float, inner: Optimizer,
    shapes: Callable[[int, float], Sequence[Bracket]],
) -> Brackets:  # fmt: skip
    """Brackets whose configurations an optimizer proposes, which is told every trial."""
    board = Board(problem, seed, eta, name)

    def fresh(pending: Sequence[Proposal], place: Place) -> Proposal | None:
        return next(iter(inner.ask(1, pending=pending)), None)

    return Brackets(board, shapes(board.n_rungs, eta), fresh, inner)
