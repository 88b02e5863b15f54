"""ParEGO: any optimizer of one cost becomes one of several, by random scalarization.

Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for expensive
multiobjective optimization problems, IEEE Trans. Evolutionary Computation 10, 50-66. Each
proposal draws weights for the objectives; under them the trials have one cost each, and a
fresh inner optimizer that is told these proposes. New weights lead to another place on the
front each time. Objectives are weighed in units of the range that they have on the front so
far, not, as in the paper, of all that is possible: see `unit_costs_of_front`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.pareto import nondominated
from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs_of_front
from octavo.optimizers.proposing import ask_in_turn, proposal_rng
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.told import Told
from octavo.problem import Objective, Problem
from octavo.trial import Proposal, Trial

__all__ = ["ParEGO"]

_WEIGHT_STREAM = 0xE60  # keeps the weights apart from what the inner optimizer draws


@dataclass(frozen=True)
class ParEGO:
    """Several objectives for an `inner` optimizer of one cost; with one, `inner` itself.

    What a proposal's weights were stands in its `origin.data["weights"]`.

    Parameters
    ----------
    inner
        What proposes, given one cost per trial. It keeps the problem's constraints and
        fidelity.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), (Objective("f"), Objective("g")))
    >>> (proposal,) = ParEGO().start(problem, seed=0).ask(1)
    >>> proposal.origin.by, len(proposal.origin.data["weights"])
    ('random-forest', 2)
    """

    inner: Recipe = field(default_factory=RandomForestBO)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        if problem.n_objectives == 1:
            return self.inner.start(problem, seed)
        return _ParEGO(problem, seed, self.inner)


class _ParEGO:
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
        inside = self._told.extend(trials)
        self._trials.extend(inside)
        rows = {id(trial) for trial in inside}
        outside = [trial for trial in trials if id(trial) not in rows]
        if self._outside is not None:
            outside.append(self._outside)
        self._outside = max(outside, key=lambda trial: trial.index, default=None)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
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
