"""Random search: every configuration drawn uniformly, whatever came before.

Bergstra & Bengio (2012), Random search for hyper-parameter optimization, JMLR 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.told import Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["RandomSearch"]


@dataclass(frozen=True)
class RandomSearch:
    """Random search; has no settings.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [proposal.index for proposal in RandomSearch().start(problem, seed=0).ask(2)]
    [0, 1]
    """

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _RandomSearch(problem, seed)


class _RandomSearch:
    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = self._told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        point = self._unseen.draw(self._told.seen(pending), rng)
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(
            self._problem, self._seed, index, config, by="random", intent="uniform draw"
        )
