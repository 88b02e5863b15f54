"""Bayesian optimization with a Gaussian process that chooses what to run and how much to spend.

The process knows the fidelity of every trial, and predicts costs at the full one. Each proposal
goes to the rung on which the least has been spent, so that all fidelities together cost the same
and none is waited for; it is what is expected to improve most there, at the full fidelity: a
configuration that ran on a lower rung and goes on, or, on the lowest rung and in a share of the
proposals on others, a new one. A low rung that misleads is thereby found out by higher ones.

The surrogate is that of Kandasamy et al. (2017), Multi-fidelity Bayesian Optimisation with
Continuous Approximations, ICML, with a kernel over configuration and fidelity. The rule by which
they choose the fidelity (the cheapest at which the process is still unsure), and gains per cost,
as of Swersky et al. (2013), trust the process to know how fidelities correlate, which a dozen
trials do not tell; even spending is what Hyperband's brackets and ASHA's rungs amount to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.aligned import aligned
from octavo.optimizers.beliefs import FadingBelief
from octavo.optimizers.gaussian_process import GaussianProcessBO, ProcessModel
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.model_based import Moment
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.scalarized import Scalarized
from octavo.optimizers.settings import check_share
from octavo.optimizers.threads import one_thread
from octavo.optimizers.told import Seen
from octavo.optimizers.unseen import Unseen
from octavo.optimizers.utilities import Improvement
from octavo.problem import Problem
from octavo.schedulers.ladder import Board, check_eta
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Trial

__all__ = ["MultiFidelityBO"]

Floats = NDArray[np.float64]

_NAME = "multi-fidelity"
_IN_LINE = 3  # configurations of each rung whose checkpoints are kept, as many as go on at once


@dataclass(frozen=True)
class MultiFidelityBO:
    """A Gaussian process over configurations and fidelities, with even spending on all rungs.

    Several objectives are scalarized, see `ParEGO`.

    Parameters
    ----------
    process
        Settings of the process.
    eta
        Ratio of neighbouring rungs.
    new_share
        Share of the proposals on higher rungs that may be new configurations, if they promise
        more than those that ran on lower ones.

    Raises
    ------
    SettingError
        If `eta` is below 1.5 or `new_share` is not a share.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 9))
    >>> MultiFidelityBO().start(problem, seed=0).ask(1)[0].fidelity
    1
    """

    process: GaussianProcessBO = field(default_factory=GaussianProcessBO)
    eta: float = 3
    new_share: float = 0.25

    def __post_init__(self) -> None:
        check_eta(self.eta)
        check_share(self, "new_share", meaning="the share of new configurations on higher rungs")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        board = Board(problem, seed, self.eta, _NAME)
        return Scalarized(problem, seed, self) if problem.n_objectives > 1 else _Evenly(board, self)


class _Evenly:
    def __init__(self, board: Board, recipe: MultiFidelityBO) -> None:
        problem, seed, process = board.problem, board.seed, recipe.process
        self._board, self._recipe = board, recipe
        self._model = ProcessModel(problem, process)
        n_initial = process.n_initial
        self._n_initial = design_size(problem) if n_initial is None else n_initial
        self._belief = FadingBelief(problem, process.belief_strength, self._n_initial)
        self._design = InitialDesign(problem, seed)
        self._unseen = Unseen(problem.space)
        self._memory: tuple[int, Mapping[str, Any] | None] = (-1, None)
        # By rung: what was spent there, and how many trials ran there.
        self._spent = np.zeros(board.n_rungs)
        self._n_on = np.zeros(board.n_rungs)

    def tell(self, trials: Sequence[Trial]) -> None:
        for row, _ in self._board.extend(trials):
            rung = self._board.rung_of(row)
            if rung is not None:
                self._spent[rung] += self._board.costs[rung]
                self._n_on[rung] += 1
        self._memory = self._latest([trial.proposal for trial in trials])

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def keep_checkpoints(self) -> frozenset[int]:
        """The best of each rung that have not gone on; any other may too, and starts anew."""
        board = self._board
        n = max(_IN_LINE, len(board.tops) // 10)
        kept: set[int] = set()
        for rung in range(board.n_rungs - 1):
            rows = [top.row for top in board.tops.values() if top.rung == rung]
            kept.update(board.proposals[row].index for row in board.best_first(rows)[:n])
        return frozenset(kept)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        board, told = self._board, self._board.told
        index = told.next_index(pending)
        rng, seen = proposal_rng(board.seed, index), told.seen(pending)
        n_known = int(told.is_known.sum())
        if n_known < 2 or (index < self._n_initial and n_known < self._n_initial):
            point, intent = self._design.draw(index, seen, self._unseen, rng)
            if point is None:
                return board.last_ones(pending)
            return self._new(point, 0, index, intent, {})
        return self._modelled(pending, index, rng, seen)

    @one_thread()
    def _modelled(
        self, pending: Sequence[Proposal], index: int, rng: np.random.Generator, seen: Seen
    ) -> Proposal | None:
        board, told = self._board, self._board.told
        log_belief = self._belief.at(told, index)
        memory = self._latest(pending)[1]
        view = self._model.view(Moment(aligned(told), seen, memory, index, rng, log_belief))
        view.assume(seen.pending)
        waiting = set(seen.pending.keys())
        rows = [top.row for top in board.tops.values() if told.is_success[top.row]]
        utility = Improvement(self._best(view, rows) if view.is_met else None)
        search = view.search(utility, log_belief)
        rung = self._rung(pending)
        below = [
            row
            for row in rows
            if board.tops[told.keys[row]].rung < rung and told.keys[row] not in waiting
        ]
        data = {"fit": dict(view.memory)} if view.memory else {}
        values = search.value(told.points[below]) if below else np.empty(0)
        if below and rng.random() >= self._recipe.new_share:
            return board.promoted(below[int(values.argmax())], rung, pending, data)
        ranked = view.rank(search)
        first = seen.first_unseen(ranked)
        point = None if first is None else ranked[first : first + 1]
        if point is None:  # of a nearly exhausted space, no candidate was new
            point = self._unseen.draw(seen, rng)
        if below and (point is None or values.max() >= search.value(point)[0]):
            return board.promoted(below[int(values.argmax())], rung, pending, data)
        if point is None:
            return board.last_ones(pending)
        return self._new(point, rung, index, self._model.intent, data)

    def _best(self, view: Any, rows: Sequence[int]) -> float | None:
        """The lowest cost expected at the full fidelity of those on the highest rung so far."""
        board, told = self._board, self._board.told
        feasible = [row for row in rows if told.is_feasible[row]]
        if not feasible:
            return None
        top = max(board.tops[told.keys[row]].rung for row in feasible)
        among = [row for row in feasible if board.tops[told.keys[row]].rung == top]
        mean, _ = view.processes.predict(view.features_of(told.points[among]))
        return float(mean[0].min())

    def _rung(self, pending: Sequence[Proposal]) -> int:
        """Where the least was spent, among those with `eta` trials or more on the rung below."""
        board = self._board
        spent, n_on = self._spent.copy(), self._n_on.copy()
        for proposal in pending:
            rung = board.rung_of_proposal(proposal)
            if rung is not None:
                spent[rung] += board.costs[rung]
                n_on[rung] += 1
        is_open = np.concatenate([[True], np.logical_and.accumulate(n_on[:-1] >= self._recipe.eta)])
        return int(np.argmin(np.where(is_open, spent, np.inf)))

    def _new(
        self, point: Points, rung: int, index: int, intent: str, data: Mapping[str, Any]
    ) -> Proposal:
        board = self._board
        config = board.problem.space.decode(point)[0]
        fresh = new_proposal(board.problem, board.seed, index, config, by=_NAME, intent=intent)
        return board.started(fresh, rung, data)

    def _latest(self, proposals: Sequence[Proposal]) -> tuple[int, Mapping[str, Any] | None]:
        """What the latest proposal with a fit remembers of it."""
        latest = self._memory
        for proposal in proposals:
            fit = self._board.remembered(proposal).get("fit")
            if isinstance(fit, Mapping):
                latest = max(latest, (proposal.index, fit), key=lambda memory: memory[0])
        return latest
