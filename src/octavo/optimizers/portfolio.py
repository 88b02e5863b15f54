"""Several optimizers take turns on one history, once the first of them stops improving.

Each model is wrong somewhere: a Gaussian process where costs ripple, a forest where they are
smooth, densities where trials are few. What one of them finds all of them learn from, so that
none gets stuck where another would not. In the black-box optimization challenge of 2020 the
leading entries were such ensembles (Turner et al. 2021, Bayesian Optimization is Superior to
Random Search for Machine Learning Hyperparameter Tuning, PMLR 133).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from octavo.errors import SettingError
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_at_least
from octavo.optimizers.told import Told
from octavo.optimizers.tpe import TPE
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["Portfolio"]


def _default_members() -> tuple[Recipe, ...]:
    return (GaussianProcessBO(), RandomForestBO(random_share=0.0), TPE())


@dataclass(frozen=True)
class Portfolio:
    """Optimizers that take turns.

    Parameters
    ----------
    members
        Recipes; all are told every trial.
    turns
        Places among `members`, in the order in which they propose, over and over.
    patience
        With one objective, the member of the first turn proposes alone until so many trials in
        a row have not improved the best cost, and again after every improvement.

    Raises
    ------
    SettingError
        Without members or turns, if a turn is nobody's, or if the patience is negative.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [p.origin.by for p in Portfolio().start(problem, seed=0).ask(3)]
    ['gaussian-process', 'gaussian-process', 'gaussian-process']
    >>> eager = Portfolio(patience=0).start(problem, seed=0)
    >>> [p.origin.by for p in eager.ask(5)][2:]
    ['random-forest', 'gaussian-process', 'tpe']
    """

    members: Sequence[Recipe] = field(default_factory=_default_members)
    turns: Sequence[int] = (0, 0, 1, 0, 2)
    patience: int = 8

    def __post_init__(self) -> None:
        n = len(self.members)
        if not n:
            raise SettingError("members=() is empty. Give at least one recipe.")
        if not self.turns or not set(self.turns) <= set(range(n)):
            raise SettingError(
                f"turns={self.turns!r} must name at least one member, each by its place from 0 "
                f"to {n - 1}."
            )
        check_at_least(self, 0, "patience")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        members = [recipe.start(problem, seed) for recipe in self.members]
        return _Portfolio(problem, members, self.turns, self.patience)


class _Portfolio:
    def __init__(
        self, problem: Problem, members: Sequence[Optimizer], turns: Sequence[int], patience: int
    ) -> None:
        self._problem, self._members = problem, members
        self._turns, self._patience = turns, patience
        self._told = Told(problem)
        self._lowest: dict[float, float] = {}  # cost by fidelity: others do not compare
        self._n_since = 0  # trials without an improvement

    def tell(self, trials: Sequence[Trial]) -> None:
        start = len(self._told)
        self._told.extend(trials)
        for row in range(start, len(self._told)):
            self._n_since = 0 if self._improves(row) else self._n_since + 1
        for member in self._members:
            member.tell(trials)

    def _improves(self, row: int) -> bool:
        cost, fidelity = float(self._told.costs[row, 0]), float(self._told.fidelity[row])
        if not (self._told.is_feasible[row] and cost < self._lowest.get(fidelity, math.inf)):
            return False
        self._lowest[fidelity] = cost
        return True

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        turn = self._told.next_index(pending) % len(self._turns)
        if self._n_since < self._patience and self._problem.n_objectives == 1:
            turn = 0
        member = self._members[self._turns[turn]]
        return next(iter(member.ask(1, pending=pending)), None)
