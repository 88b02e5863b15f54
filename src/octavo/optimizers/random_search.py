"""Random search: every configuration drawn at random, whatever came before.

Uniformly, or, where the space has beliefs, half of the time from them.

Bergstra & Bengio (2012), Random search for hyper-parameter optimization, JMLR 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from octavo.optimizers.believed_draws import BELIEF_SHARE, BelievedDraws
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_share
from octavo.optimizers.told import Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["RandomSearch"]


@dataclass(frozen=True)
class RandomSearch:
    """Random search.

    Parameters
    ----------
    belief_share
        Share of the draws that follow beliefs, where the space has any; 0 for uniform draws.

    Raises
    ------
    SettingError
        If it is not a share.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [proposal.index for proposal in RandomSearch().start(problem, seed=0).ask(2)]
    [0, 1]
    """

    belief_share: float = BELIEF_SHARE

    def __post_init__(self) -> None:
        check_share(self, "belief_share", meaning="the share of draws that follow beliefs")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _RandomSearch(problem, seed, self)


class _RandomSearch:
    def __init__(self, problem: Problem, seed: int, recipe: RandomSearch) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._believed = BelievedDraws(problem.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = self._told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = self._told.seen(pending)
        point, intent = self._believed.draw(seen, rng, self._recipe.belief_share), "draw by belief"
        if point is None:
            point, intent = self._unseen.draw(seen, rng), "uniform draw"
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(self._problem, self._seed, index, config, by="random", intent=intent)
