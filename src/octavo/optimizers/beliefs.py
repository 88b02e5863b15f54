"""Experts' beliefs in an acquisition function: they lead at first, and evidence later.

Hvarfner, Stoll, Souza, Lindauer, Hutter & Nardi (2022), piBO: Augmenting Acquisition Functions
with User Beliefs for Bayesian Optimization, ICLR. On the logarithmic scale the belief is
*added*, with a weight that fades with one over the number of trials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.problem import Problem
from octavo.spaces.protocol import Points

__all__ = ["FadingBelief"]

Floats = NDArray[np.float64]

_BUDGET_WITHOUT_LIMIT = 100  # trials, where no number is set
_LEAST_LOG_BELIEF = -1e3  # a belief may rule out values altogether; they stay reachable


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
        return fading * np.maximum(self._space.log_belief(points), _LEAST_LOG_BELIEF)
