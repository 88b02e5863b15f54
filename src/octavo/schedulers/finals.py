"""The best get the full budget, whatever a schedule would still like to know.

A schedule such as ASHA promotes one configuration in `eta` from rung to rung, and needs `eta ** k`
cheap trials before one has gone up k rungs. Where the full budget is dear, time is over before. So,
once a share of the study's limit is spent, the best configurations go straight to the full budget,
the best first; and where a promotion was refused because it does not fit into the time that is
left (the executor's side knows that, not the optimizer), to the next lower rung, and so on. Being
refused is told like any other trial, so that a replay takes the same ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, Recipe, kept_by
from octavo.optimizers.settings import check_at_least, check_recipe, check_share
from octavo.optimizers.told import unit_fidelity
from octavo.problem import Limits, Problem
from octavo.schedulers.asha import ASHA
from octavo.schedulers.budget import Meter
from octavo.schedulers.ladder import Board, check_eta
from octavo.trial import Proposal, Trial

__all__ = ["Finals"]

_HELD = 10
"""After so many more trials, what was refused may be proposed again: costs are known better."""
_MOST_REFUSED = 5
"""After so many refusals in a row only new configurations are proposed, on the lowest rung."""


@dataclass(frozen=True)
class Finals:
    """A schedule, and from some moment on the full budget for the best.

    Parameters
    ----------
    inner
        A schedule over the fidelity, with the same `eta`.
    begin
        Share of the study's limit (trials or seconds) after which finals begin.
    n_best
        So many of the best configurations, by their costs at the highest fidelity of each, get
        the full budget; and not more than one in `eta` of all.
    eta
        Ratio of neighbouring rungs.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("rows", 1, 9))
    >>> {p.fidelity for p in Finals().start(problem, seed=0).ask(10)}
    {1}
    """

    inner: Recipe = field(default_factory=ASHA)
    begin: float = 0.3
    n_best: int = 8
    eta: float = 3

    def __post_init__(self) -> None:
        check_recipe(self)
        check_share(self, "begin", meaning="the share of the limit after which finals begin")
        check_at_least(self, 1, "n_best")
        check_eta(self.eta)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        board = Board(problem, seed, self.eta, "finals")
        return _Finals(board, self, self.inner.start(problem, seed))


class _Finals:
    def __init__(self, board: Board, recipe: Finals, inner: Optimizer) -> None:
        self._board, self._recipe, self._inner = board, recipe, inner
        limits = board.problem.limits
        self._meters = [
            Meter(Limits(max_trials=limits.max_trials)),
            Meter(Limits(wall_s=limits.wall_s)),
        ]
        self._n_run = 0
        self._n_refused = 0  # since the last trial that was run
        # By configuration: the proposal that was refused at the lowest fidelity, and when.
        self._refused: dict[bytes, tuple[Proposal, int]] = {}

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        start = len(self._board.told)
        rows = dict(self._board.extend(trials))
        for row in range(start, len(self._board.told)):
            if row in rows:
                self._note_run(rows[row], self._board.told.keys[row])
            else:
                self._note_refused(row)

    def _note_run(self, trial: Trial, key: bytes) -> None:
        for meter in self._meters:
            meter.add(trial)
        self._n_run += 1
        self._n_refused = 0
        self._refused.pop(key, None)  # what more would take is known better now

    def _note_refused(self, row: int) -> None:
        self._n_refused += 1
        proposal, key = self._board.proposals[row], self._board.told.keys[row]
        earlier = self._held(key)
        if earlier is None or self._unit(proposal) <= self._unit(earlier):
            self._refused[key] = (proposal, self._n_run)

    def _held(self, key: bytes) -> Proposal | None:
        """What was refused of a configuration, while that counts."""
        proposal, since = self._refused.get(key, (None, 0))
        return None if self._n_run - since >= _HELD else proposal

    def _unit(self, proposal: Proposal) -> float:
        return float(unit_fidelity(self._board.problem.fidelity, [proposal.fidelity])[0])

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def keep_checkpoints(self) -> frozenset[int] | None:
        return kept_by(self._inner)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        is_stuck = self._n_refused >= _MOST_REFUSED
        spent = max(meter.used / meter.total for meter in self._meters)
        if not is_stuck and spent >= self._recipe.begin:
            promoted = self._final(pending)
            if promoted is not None:
                return promoted
        # A schedule promotes nothing that seems to be running, so what was refused stands by there.
        aside = {key: self._held(key) for key in self._refused}
        if is_stuck:
            aside |= {key: self._board.proposals[t.row] for key, t in self._board.tops.items()}
        waiting = [*pending, *(proposal for proposal in aside.values() if proposal is not None)]
        return next(iter(self._inner.ask(1, pending=waiting)), None)

    def _final(self, pending: list[Proposal]) -> Proposal | None:
        """The best configuration that has not had all that it can have, on the highest rung."""
        board = self._board
        waiting = set(board.told.seen(pending).pending.keys())
        tops = [top.row for top in board.tops.values()]
        n_best = min(self._recipe.n_best, math.ceil(len(tops) / self._recipe.eta))
        for row in board.best_first(tops, enough=n_best)[:n_best]:
            key = board.told.keys[row]
            refused = self._held(key)
            above = board.n_rungs
            if refused is not None:
                above = board.rung_of_proposal(refused) or 0
            if key not in waiting and above - 1 > board.tops[key].rung:
                return board.promoted(row, above - 1, pending, {})
        return None
