"""Bayesian optimization that chooses what to run and how much to spend on it.

PROTOTYPE
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.beliefs import FadingBelief
from octavo.optimizers.gaussian_process import GaussianProcessBO, ProcessModel
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.model_based import Moment
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.unseen import Unseen
from octavo.optimizers.utilities import Improvement
from octavo.optimizers.aligned import aligned
from octavo.optimizers.threads import one_thread
from octavo.problem import Problem
from octavo.schedulers.ladder import Board, check_eta
from octavo.trial import Proposal, Trial

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MultiFidelityBO:
    process: GaussianProcessBO = field(default_factory=GaussianProcessBO)
    eta: float = 3
    rule: str = "balance"
    slack: float = 1.0

    def __post_init__(self) -> None:
        check_eta(self.eta)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        return _MF(problem, seed, self)


class _MF:
    def __init__(self, problem, seed, recipe):
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._board = Board(problem, seed, recipe.eta, "multi-fidelity")
        self._model = ProcessModel(problem, recipe.process)
        n = recipe.process.n_initial
        self._n_initial = design_size(problem) if n is None else n
        self._belief = FadingBelief(problem, recipe.process.belief_strength, self._n_initial)
        self._design = InitialDesign(problem, seed)
        self._unseen = Unseen(problem.space)
        self._memory = (-1, None)
        self._spent = np.zeros(self._board.n_rungs)
        self._counts = np.zeros(self._board.n_rungs)
        self._resumes = False
        self._units = self._board._units
        self._raw = np.array(self._board.levels, dtype=float)

    def tell(self, trials: Sequence[Trial]) -> None:
        for row, trial in self._board.extend(trials):
            rung = self._board.rung_of(row)
            if trial.checkpoint is not None:
                self._resumes = True
            if rung is not None:
                self._spent[rung] += self._cost(trial.proposal, rung)
                self._counts[rung] += 1
        self._memory = self._latest([t.proposal for t in trials], self._memory)

    def _cost(self, proposal, rung):
        start = self._board.remembered(proposal).get("start")
        return self._raw[rung] - (self._raw[start] if start is not None and self._resumes else 0.0)

    def ask(self, n, *, pending=()):
        return ask_in_turn(n, pending, self._propose)

    def _latest(self, proposals, latest):
        for p in proposals:
            data = self._board.remembered(p).get("fit")
            if isinstance(data, Mapping):
                latest = max(latest, (p.index, data), key=lambda m: m[0])
        return latest

    def _propose(self, pending):
        board, told = self._board, self._board.told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        n_known = int(told.is_known.sum())
        if (index < self._n_initial and n_known < self._n_initial) or n_known < 2:
            point, intent = self._design.draw(index, seen, self._unseen, rng)
            if point is None:
                return board.last_ones(pending)
            return self._fresh(point, 0, index, intent, {})
        return self._modelled(pending, index, rng, seen)

    def _fresh(self, point, rung, index, intent, data):
        p = new_proposal(self._problem, self._seed, index, self._problem.space.decode(point)[0],
                         by="multi-fidelity", intent=intent)
        return self._board.started(p, rung, data)

    @one_thread()
    def _modelled(self, pending, index, rng, seen):
        board, told = self._board, self._board.told
        memory = self._latest(pending, self._memory)[1]
        belief = lambda points: self._belief.log_weight(points, index=index)
        moment = Moment(aligned(told), seen, memory, index, rng, belief)
        view = self._model.view(moment)
        view.assume(seen.pending)
        waiting = set(seen.pending.keys())
        # existing
        tops = [(k, t) for k, t in board.tops.items()
                if t.rung < board.n_rungs - 1 and k not in waiting and told.is_success[t.row]]
        at_top = [t.row for t in board.tops.values() if t.rung == board.n_rungs - 1 and told.is_success[t.row]]
        rows = [t.row for _, t in tops]
        if at_top:
            mean, _ = view.processes.predict(view.features_of(told.points[at_top]))
            best = float(mean[0].min())
        elif rows:
            mean, _ = view.processes.predict(view.features_of(told.points[rows]))
            best = float(mean[0].min())
        else:
            best = None
        utility = Improvement(best)
        search = view.search(utility, moment.log_belief)
        new = view.rank(search)
        first = seen.first_unseen(new)
        options = []  # (points, value, rung now, row)
        rungs = np.array([t.rung for _, t in tops], dtype=int)
        values = search.value(told.points[rows]) if rows else np.empty(0)
        new_value = search.value(new[first:first+1])[0] if first is not None else -np.inf
        spent, counts = self._spent.copy(), self._counts.copy()
        for p in pending:
            r = board.rung_of_proposal(p)
            if r is not None:
                spent[r] += self._cost(p, r); counts[r] += 1
        rule = self._recipe.rule
        if rule == "balance":
            rung = int(np.argmin(spent))
            pick = self._pick(rung, rungs, values, new_value)
        elif rule == "asha":   # promote if rung above has fewer than count/eta
            rung = 0
            for k in range(board.n_rungs - 1, 0, -1):
                if counts[k:].sum() + 1 <= counts[k-1:].sum() / self._recipe.eta:
                    rung = k; break
            pick = self._pick(rung, rungs, values, new_value, only_below=True)
        elif rule == "rate":
            rung, pick = self._rate(view, search, told, rows, rungs, values, new, first, new_value, best)
        if pick is None and first is None:
            point = self._unseen.draw(seen, rng)
            if point is None:
                return board.last_ones(pending)
            return self._fresh(point, rung, index, "uniform draw", {})
        data = {"fit": view.memory} if view.memory else {}
        if pick is None:
            return self._fresh(new[first:first+1], rung, index, "expected improvement", data)
        return board.promoted(rows[pick], rung, pending, {"start": int(rungs[pick]), **data})

    def _pick(self, rung, rungs, values, new_value, only_below=False):
        ok = np.flatnonzero((rungs == rung - 1) if only_below else (rungs < rung))
        if not len(ok):
            return None
        i = int(ok[np.argmax(values[ok])])
        if only_below:
            return i
        return i if values[i] >= new_value else None

    def _rate(self, view, search, told, rows, rungs, values, new, first, new_value, best):
        from octavo.numerics.acquisition import log_expected_improvement
        proc = view.processes._each[0]
        cand = []
        if first is not None:
            cand.append((new[first:first+1], None, -1))
        if rows:
            for i in np.argsort(-values)[:8]:
                cand.append((told.points[[rows[i]]], int(i), int(rungs[i])))
        out = (-np.inf, 0, None)
        for point, i, now in cand:
            full = view.features_of(point)
            m, s = proc.predict(full)
            for k in range(now + 1, self._board.n_rungs):
                cost = self._raw[k] - (self._raw[now] if now >= 0 and self._resumes else 0)
                if k == self._board.n_rungs - 1:
                    gain_std = s
                else:
                    f = view.at(point, self._units[k])
                    mm, _ = proc.predict(f)
                    _, s2 = proc.extended(f, mm).predict(full)
                    gain_std = np.sqrt(np.maximum(s**2 - s2**2, 1e-12))
                v = float(log_expected_improvement(m, gain_std, best)[0]) - self._recipe.slack*np.log(cost)
                if v > out[0]:
                    out = (v, k, i)
        return out[1], out[2]
