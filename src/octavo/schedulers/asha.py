"""ASHA: successive halving without brackets; whoever is in the best part of a rung goes on.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht & Talwalkar (2020), A System for
Massively Parallel Hyperparameter Tuning, MLSys. This is the variant that promotes: a trial runs to
its rung and ends; whether it goes on is decided whenever somebody asks. Rungs grow without end,
so there is nothing to wait for, and no bracket whose size would have to be right.

A configuration is on a rung if a trial ran there, whoever proposed it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.settings import check_recipe
from octavo.problem import Problem
from octavo.schedulers.ladder import Board, check_eta
from octavo.trial import Proposal, Trial

__all__ = ["ASHA"]

_IN_LINE = 2  # of a rung, configurations whose checkpoints are kept though others go before them


@dataclass(frozen=True)
class ASHA:
    """Asynchronous successive halving around any optimizer.

    Parameters
    ----------
    inner
        What proposes configurations. It is told every trial with its fidelity.
    eta
        Of each rung the best one in `eta` goes on to the next, with `eta` times the budget.
    hedge
        Whether a new configuration starts on the rung on which the least has been spent, and
        not always on the lowest: a low rung may mislead, and this is what Hyperband has brackets
        for.

    Raises
    ------
    SettingError
        If `eta` is below 1.5.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 9))
    >>> {p.fidelity for p in ASHA().start(problem, seed=0).ask(100)}
    {1}
    """

    inner: Recipe = field(default_factory=RandomSearch)
    eta: float = 3
    hedge: bool = False

    def __post_init__(self) -> None:
        check_recipe(self)
        check_eta(self.eta)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        board = Board(problem, seed, self.eta, "asha")
        return _ASHA(board, self.eta, self.hedge, self.inner.start(problem, seed))


class _ASHA:
    def __init__(self, board: Board, eta: float, hedge: bool, inner: Optimizer) -> None:
        self._board, self._eta, self._inner = board, eta, inner
        self._hedge = hedge
        self._spent = np.zeros(board.n_rungs)
        # Of each rung, the row of each configuration's latest trial there.
        self._rungs: list[dict[bytes, int]] = [{} for _ in board.levels]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        for row, _ in self._board.extend(trials):
            rung = self._board.rung_of(row)
            if rung is not None:
                self._rungs[rung][self._board.told.keys[row]] = row
                self._spent[rung] += self._board.costs[rung]

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def keep_checkpoints(self) -> frozenset[int]:
        """Trials that may still be promoted: those that may now, and the next in line."""
        kept: set[int] = set()
        for rung in range(self._board.n_rungs - 1):
            first = math.floor(len(self._rungs[rung]) / self._eta) + _IN_LINE
            rows = self._not_promoted(rung, first, frozenset())
            kept.update(self._board.proposals[row].index for row in rows)
        return frozenset(kept)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        waiting = frozenset(self._board.told.seen(pending).pending.keys())
        for rung in range(self._board.n_rungs - 2, -1, -1):
            first = math.floor(len(self._rungs[rung]) / self._eta + 1e-9)
            rows = self._not_promoted(rung, first, waiting)
            if rows:
                return self._board.promoted(rows[0], rung + 1, pending, {})
        fresh = next(iter(self._inner.ask(1, pending=pending)), None)
        if fresh is None:
            return self._board.last_ones(pending)
        return self._board.started(fresh, self._start(pending), {})

    def _start(self, pending: Sequence[Proposal]) -> int:
        """The rung of a new configuration: that on which the least has been spent."""
        if not self._hedge:
            return 0
        spent = self._spent.copy()
        for proposal in pending:
            rung = self._board.rung_of_proposal(proposal)
            if rung is not None:
                spent[rung] += self._board.costs[rung]
        return int(spent.argmin())

    def _not_promoted(self, rung: int, first: int, waiting: frozenset[bytes]) -> list[int]:
        """Rows of the `first` best of a rung, the best first, that have not gone on yet."""
        if not first:
            return []
        board = self._board
        best = board.best_first(list(self._rungs[rung].values()), enough=first)[:first]
        keys = board.told.keys
        return [
            row for row in best if board.tops[keys[row]].rung <= rung and keys[row] not in waiting
        ]
