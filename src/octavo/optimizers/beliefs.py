"""Experts' beliefs in an acquisition function: they lead at first, and evidence later.

Hvarfner, Stoll, Souza, Lindauer, Hutter & Nardi (2022), piBO: Augmenting Acquisition Functions
with User Beliefs for Bayesian Optimization, ICLR. On the logarithmic scale the belief is
*added*, with a weight that fades with one over the number of trials.

A belief is mixed with a tenth of "anywhere" (a defensive mixture, Hesterberg 1995, Technometrics
37). Without it the density of a narrow belief in many dimensions is so low elsewhere that no
fading makes up for it within a study, and a wrong belief is never recovered from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.problem import Problem
from octavo.spaces.protocol import Points

__all__ = ["FadingBelief"]

Floats = NDArray[np.float64]

_BUDGET_WITHOUT_LIMIT = 100  # trials, where no number is set
_ANYWHERE = 0.1  # share of the uniform density; good beliefs gain as much with 0.05 or 0.2


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

    def log_weight(self, points: Points, index: int) -> Floats:
        """What to add for each row at proposal number `index`, shape (n,)."""
        fading = self._strength / max(1, index - self._n_initial + 1)
        if not fading > 0:
            return np.zeros(len(points))
        belief = self._space.log_belief(points)
        if not belief.any():
            return np.zeros(len(points))
        return np.asarray(fading * np.logaddexp(np.log1p(-_ANYWHERE) + belief, np.log(_ANYWHERE)))
