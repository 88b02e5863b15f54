"""Experts' beliefs in an acquisition function: they lead at first, and evidence later.

Hvarfner, Stoll, Souza, Lindauer, Hutter & Nardi (2022), piBO: Augmenting Acquisition Functions
with User Beliefs for Bayesian Optimization, ICLR. On the logarithmic scale the belief is
*added*, with a weight that fades with one over the number of trials.

A belief is mixed with a tenth of "anywhere" (a defensive mixture, Hesterberg 1995, Technometrics
37). Without it the density of a narrow belief in many dimensions is so low elsewhere that no
fading makes up for it within a study, and a wrong belief is never recovered from.

It also has to stand the test of the trials: as far as those that it favours turn out worse than
the others, more clearly than by chance, it is not followed any more. (DynaBO 2025 also drops
beliefs that what is known contradicts; it asks the surrogate, we ask the ranks.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.ranks import chance_of_higher_ranks
from octavo.optimizers.targets import places
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.spaces.protocol import Points

__all__ = ["FadingBelief"]

Floats = NDArray[np.float64]

_BUDGET_WITHOUT_LIMIT = 100  # trials, where no number is set
_ANYWHERE = 0.1  # share of the uniform density; good beliefs gain as much with 0.05 or 0.2
_LOG_ANYWHERE = float(np.log(_ANYWHERE))
_ENOUGH = 8  # trials at a fidelity, to judge beliefs by them


class FadingBelief:
    """What beliefs add to the logarithm of an acquisition value.

    Parameters
    ----------
    problem
        Its space holds the beliefs.
    strength
        Weight at the first model; by default a tenth of `max_trials`.
    n_initial
        Size of the initial design, after which fading begins.
    """

    def __init__(self, problem: Problem, strength: float | None, n_initial: int) -> None:
        self._space = problem.space
        self._n_initial = n_initial
        budget = problem.limits.max_trials or _BUDGET_WITHOUT_LIMIT
        self._strength = budget / 10 if strength is None else strength
        self._at_trials: Floats = np.empty(0)  # kept for speed only

    def at(self, told: Told, index: int) -> Callable[[Points], Floats]:
        """What to add for each row at proposal number `index`: maps n rows to shape (n,)."""
        weight = self._strength / max(1, index - self._n_initial + 1)
        if weight > 0:
            weight *= self.credibility(told)

        def log_weight(points: Points) -> Floats:
            belief = self._space.log_belief(points) if weight > 0 else np.zeros(len(points))
            if not belief.any():
                return np.zeros(len(points))
            return np.asarray(weight * np.logaddexp(np.log1p(-_ANYWHERE) + belief, _LOG_ANYWHERE))

        return log_weight

    def credibility(self, told: Told) -> float:
        """From 1, where the trials do not speak against the beliefs, down to 0.

        That is twice the chance that the trials' ranks speak against them as clearly as
        they do, if beliefs and costs had nothing to do with each other.
        """
        new = told.points[len(self._at_trials) :]
        self._at_trials = np.concatenate([self._at_trials, self._space.log_belief(new)])
        if not self._at_trials.any():  # nothing is believed
            return 1.0
        rows = np.flatnonzero(told.fidelity == told.comparable_fidelity(_ENOUGH))
        belief = self._at_trials[rows]
        return min(1.0, 2 * chance_of_higher_ranks(belief, places(told, rows)))
