"""Several optimizers take turns on one history, after the first of them has begun.

Each model is wrong somewhere: a Gaussian process where costs ripple, a forest where they are
smooth, densities where trials are few. What one of them finds all of them learn from, so that
none gets stuck where another would not. In the black-box optimization challenge of 2020 the
leading entries were such ensembles (Turner et al. 2021, Bayesian Optimization is Superior to
Random Search for Machine Learning Hyperparameter Tuning, PMLR 133).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from octavo.errors import SettingError
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, Recipe, next_index
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_at_least
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
    n_alone
        So many trials are first proposed by the first member alone: the others are no better
        while little is known.

    Raises
    ------
    SettingError
        Without members or turns, if a turn is nobody's, or if `n_alone` is negative.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [p.origin.by for p in Portfolio().start(problem, seed=0).ask(3)]
    ['gaussian-process', 'gaussian-process', 'gaussian-process']
    >>> together = Portfolio(n_alone=0).start(problem, seed=0)
    >>> [p.origin.by for p in together.ask(5)][2:]
    ['random-forest', 'gaussian-process', 'tpe']
    """

    members: Sequence[Recipe] = field(default_factory=_default_members)
    turns: Sequence[int] = (0, 0, 1, 0, 2)
    n_alone: int = 20

    def __post_init__(self) -> None:
        n = len(self.members)
        if not n:
            raise SettingError("members=() is empty. Give at least one recipe.")
        if not self.turns or not set(self.turns) <= set(range(n)):
            raise SettingError(
                f"turns={self.turns!r} must name at least one member, each by its place from 0 "
                f"to {n - 1}."
            )
        check_at_least(self, 0, "n_alone")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        members = [recipe.start(problem, seed) for recipe in self.members]
        return _Portfolio(members, self.turns, self.n_alone)


class _Portfolio:
    def __init__(self, members: Sequence[Optimizer], turns: Sequence[int], n_alone: int) -> None:
        self._members, self._turns, self._n_alone = members, turns, n_alone
        self._n_indices = 0

    def tell(self, trials: Sequence[Trial]) -> None:
        self._n_indices = max([self._n_indices, *(trial.index + 1 for trial in trials)])
        for member in self._members:
            member.tell(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = next_index(self._n_indices, pending)
        turn = 0 if index < self._n_alone else self._turns[index % len(self._turns)]
        return next(iter(self._members[turn].ask(1, pending=pending)), None)
