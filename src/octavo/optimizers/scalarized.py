"""Several objectives for an optimizer of one cost: random weights, anew for each proposal.

Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for expensive
multiobjective optimization problems, IEEE Trans. Evolutionary Computation 10, 50-66.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.pareto import nondominated
from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs_of_front
from octavo.optimizers.proposing import ask_in_turn, proposal_rng
from octavo.optimizers.protocol import Recipe
from octavo.optimizers.told import Told
from octavo.problem import Objective, Problem
from octavo.trial import Proposal, Trial

__all__ = ["Scalarized"]

_WEIGHT_STREAM = 0xE60  # keeps the weights apart from what the inner optimizer draws


class Scalarized:
    """Lets an optimizer of one cost, started afresh for each proposal, work on several.

    Parameters
    ----------
    problem
        With several objectives.
    seed
        Of the optimizer.
    inner
        What proposes, given one cost per trial.
    """

    def __init__(self, problem: Problem, seed: int, inner: Recipe) -> None:
        self._seed, self._inner = seed, inner
        names = {constraint.name for constraint in problem.constraints}
        name = "scalarized cost"
        while name in names:
            name += "'"
        self._single = replace(problem, objectives=(Objective(name),))
        self._told = Told(problem)
        self._trials: list[Trial] = []  # one for each row of what is told
        self._outside: Trial | None = None  # the latest with a configuration from elsewhere

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn of completed trials."""
        inside = self._told.extend(trials)
        self._trials.extend(inside)
        rows = {id(trial) for trial in inside}
        outside = [trial for trial in trials if id(trial) not in rows]
        if self._outside is not None:
            outside.append(self._outside)
        self._outside = max(outside, key=lambda trial: trial.index, default=None)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        """Up to `n` proposals."""
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = self._told.next_index(pending)
        rng = proposal_rng(self._seed ^ _WEIGHT_STREAM, index)
        weights = random_weights(self._told.costs.shape[1], rng)
        inner = self._inner.start(self._single, self._seed)
        if self._outside is not None:
            # Teaches nothing, but its index is taken. By itself: in one batch with the
            # others, each of them would be encoded alone.
            inner.tell([_with_cost(self._outside, np.nan)])
        costs = chebyshev(self._scaled_costs(), weights).tolist()
        inner.tell([_with_cost(*pair) for pair in zip(self._trials, costs, strict=True)])
        proposal = next(iter(inner.ask(1, pending=pending)), None)
        if proposal is None:
            return None
        data = {**proposal.origin.data, "weights": weights.tolist()}
        return replace(proposal, origin=replace(proposal.origin, data=data))

    def _scaled_costs(self) -> NDArray[np.float64]:
        """All told costs, shape (n, m), on the scale of the best front at hand."""
        told = self._told
        costs = told.costs
        if told.is_feasible.any():
            costs = np.where(told.is_feasible[:, None], costs, np.nan)
        return unit_costs_of_front(told.costs, nondominated(costs))


def _with_cost(trial: Trial, cost: float) -> Trial:
    """The same trial with one cost: NaN, as before, where it had none."""
    return replace(trial, costs=(cost,))
