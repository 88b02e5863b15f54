"""Policy gradient: a distribution over configurations that learns from rewards (REINFORCE).

The policy chooses one hyperparameter after the other (`choice_policy.py`). After each trial
its logits take one step up the gradient of

    w * (reward - baseline) * log policy(configuration) + entropy_weight * entropy(policy)

over the choices that were active in it, with a moving average of rewards as the baseline.
Williams (1992), Simple statistical gradient-following algorithms for connectionist
reinforcement learning, Machine Learning 8. Zoph & Le (2017), Neural architecture search with
reinforcement learning, ICLR; they sample from a recurrent network, which needs thousands of
trials to learn what tables of logits tell after a few dozen.

- The reward of a trial is the share of the latest trials that it beats, to the third power.
  So outliers and the scale of costs do not matter, and the policy goes where the best trials
  are rather than the best mean, as in Petersen et al. (2021), Deep symbolic regression, ICLR,
  section 3.3. What violates constraints ranks below what does not, and what failed
  below all. A cancelled trial says nothing.
- A trial may come from an older policy, or from somebody else. Its step is weighted by
  w = policy now / policy that proposed it, clipped from both sides: from above against steps
  of any size, as in Espeholt et al. (2018), IMPALA, ICML, section 4.1; from below so that
  what others found outside of the policy's reach teaches it, too. The density under which a
  trial was proposed is in its origin; a foreign one counts as uniformly drawn.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs
from octavo.optimizers.believed_draws import BELIEF_SHARE, BelievedDraws
from octavo.optimizers.choice_policy import ChoicePolicy
from octavo.optimizers.initial_design import design_size
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_share
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Status, Trial

__all__ = ["PolicyGradient"]

Floats = NDArray[np.float64]

_NAME = "policy-gradient"
_DENSITY = "log_density"
_WINDOW = 50  # trials among which a new one is ranked
_STEEPNESS = 3  # of rewards over ranks: what counts is the best trial, not the mean one
_BASELINE_DECAY = 0.95
_LEAST_WEIGHT, _MOST_WEIGHT = 0.5, 2.0
_MOST_LOG_BELIEF = 50.0
_DRAWS = 24  # until one is new, hotter and hotter


@dataclass(frozen=True)
class PolicyGradient:
    """Policy-gradient search.

    Parameters
    ----------
    learning_rate
        How far the logits move for a reward one above the baseline.
    entropy_weight
        How strongly the policy is kept from becoming certain.
    random_share
        Share of proposals that are drawn uniformly, so that the policy hears of what it has
        given up.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> PolicyGradient().start(problem, seed=0).ask(1)[0].origin.data
    {'log_density': 0.0}
    """

    learning_rate: float = 4.0
    entropy_weight: float = 0.2
    random_share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise SettingError(
                f"learning_rate={self.learning_rate!r} must be greater than 0: how far the policy "
                "moves after each trial. Values from 1 to 10 make sense."
            )
        if not 0 <= self.entropy_weight < math.inf:
            raise SettingError(
                f"entropy_weight={self.entropy_weight!r} must be at least 0. Use 0 to let the "
                "policy become certain."
            )
        check_share(self, "random_share", meaning="the share of proposals drawn at random")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _PolicyGradient(problem, seed, self)


class _PolicyGradient:
    def __init__(self, problem: Problem, seed: int, recipe: PolicyGradient) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self.policy = ChoicePolicy(problem.space)
        self._rewards = _Rewards(problem, seed)
        self._believed = BelievedDraws(problem.space)
        self._n_initial = design_size(problem)

    def tell(self, trials: Sequence[Trial]) -> None:
        told = self._told
        start = len(told)
        added = told.extend(trials)
        for row, trial, decisions in zip(
            range(start, len(told)),
            added,
            self.policy.decisions(told.points[start:]),
            strict=True,
        ):
            if trial.status is Status.CANCELLED:
                continue
            advantage = self._rewards.advantage(told, row)
            now, p = self.policy.look(decisions)
            ratio = math.exp(min(now - _proposed_under(trial), 50.0))
            weight = min(max(ratio, _LEAST_WEIGHT), _MOST_WEIGHT)
            rate = self._recipe.learning_rate
            self.policy.ascend(
                decisions, p, rate * weight * advantage, rate * self._recipe.entropy_weight
            )

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        index = self._told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = self._told.seen(pending)
        share = self._recipe.random_share
        by_belief = self._belief_share(index)
        lot = rng.random()
        point, intent = None, ""
        if lot < by_belief:
            point, intent = self._believed.draw(seen, rng), "draw by belief"
        elif lot >= by_belief + (1 - by_belief) * share:
            point, intent = self._draw(seen, rng), "drawn from the policy"
        if point is None:
            point, intent = self._unseen.draw(seen, rng), "interleaved random draw"
        if point is None:
            return None
        density = (1 - share) * math.exp(float(self.policy.log_density(point)[0])) + share
        if by_belief:
            believed = min(float(self._problem.space.log_belief(point)[0]), _MOST_LOG_BELIEF)
            density = (1 - by_belief) * density + by_belief * math.exp(believed)
        return new_proposal(
            self._problem,
            self._seed,
            index,
            self._problem.space.decode(point)[0],
            by=_NAME,
            intent=intent,
            data={_DENSITY: math.log(density)},
        )

    def _belief_share(self, index: int) -> float:
        """The chance that a proposal is drawn from beliefs, until the policy has learned some."""
        is_early = self._believed.has_any and index < self._n_initial
        return BELIEF_SHARE if is_early else 0.0

    def _draw(self, seen: Seen, rng: np.random.Generator) -> Points | None:
        """A new configuration from the policy, flattened more and more until one is new."""
        for attempt in range(_DRAWS):
            point = self.policy.draw(rng, heat=1.0 + max(0, attempt - 1) / 4)
            if point is not None and seen.first_unseen(point) is not None:
                return point
        return None


class _Rewards:
    """Ranks each trial among those just before it.

    Parameters
    ----------
    problem, seed
        Of the optimizer; several objectives are scalarized anew for each trial.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._seed, self._n_objectives = seed, problem.n_objectives
        self._recent: deque[int] = deque(maxlen=_WINDOW)  # rows
        self._baseline = 1 / (1 + _STEEPNESS)  # the mean over evenly spread ranks

    def advantage(self, told: Told, row: int) -> float:
        """The reward of a trial minus the baseline; both move on."""
        rivals = np.array([r for r in self._recent if told.fidelity[r] == told.fidelity[row]], int)
        self._recent.append(row)
        reward = self._baseline
        if len(rivals):
            reward = self._rank(told, np.append(rivals, row)) ** _STEEPNESS
        advantage = reward - self._baseline
        self._baseline += (1 - _BASELINE_DECAY) * advantage
        return advantage

    def _rank(self, told: Told, rows: NDArray[np.int64]) -> float:
        """Share of the other trials that the last one beats; ties count half."""
        costs = told.costs[rows, 0]
        if self._n_objectives > 1:
            rng = np.random.default_rng([self._seed, int(told.index[rows[-1]])])
            costs = chebyshev(unit_costs(told.costs[rows]), random_weights(self._n_objectives, rng))
        tier = np.where(told.is_feasible[rows], 0, np.where(told.is_known[rows], 1, 2))
        costs = np.where(tier < 2, costs, 0.0)  # all failures are equal
        worse = (tier > tier[-1]) | ((tier == tier[-1]) & (costs > costs[-1]))
        equal = (tier == tier[-1]) & (costs == costs[-1])
        return float(worse[:-1].mean() + 0.5 * equal[:-1].mean())


def _proposed_under(trial: Trial) -> float:
    """The log-density under which a trial was proposed; 0, that of uniform draws, if unknown."""
    if trial.proposal.origin.by != _NAME:
        return 0.0
    value = trial.proposal.origin.data.get(_DENSITY, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
