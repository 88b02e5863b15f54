"""Draws from what is believed: for optimizers that have no acquisition to weigh beliefs in.

Any belief that can be evaluated can be drawn from, joint or not: of many uniform draws one is
taken with a probability proportional to its believed density (sampling, importance resampling:
Smith & Gelfand 1992, Bayesian Statistics without Tears, The American Statistician 46). A belief
much narrower than a space is broad is met only roughly.

Who draws from it draws uniformly as well, half of the time: a wrong belief costs no more than half
of the draws. Mixing both is what makes priors safe in Mallik et al. (2023), PriorBand, NeurIPS.
"""

from __future__ import annotations

import numpy as np

from octavo.optimizers.told import Seen
from octavo.spaces.protocol import Points, Space

__all__ = ["BELIEF_SHARE", "BelievedDraws"]

BELIEF_SHARE = 0.5
"""Of the draws of those that have no model, where a space has beliefs at all."""

_CANDIDATES = 512
_PROBES = 64


class BelievedDraws:
    """Configurations with probability proportional to their believed density.

    Parameters
    ----------
    space
        Its `log_belief` is what is believed.

    Attributes
    ----------
    has_any
        Whether the space has any beliefs; without, nothing is drawn.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        probes = space.sample(_PROBES, np.random.default_rng(0))
        self.has_any = bool(np.ptp(space.log_belief(probes)) > 0)

    def draw(self, seen: Seen, rng: np.random.Generator, share: float = 1.0) -> Points | None:
        """One new configuration (a single row), or None.

        Parameters
        ----------
        seen
            What shall not be drawn again.
        rng
            Draws; it is left alone where there are no beliefs.
        share
            With which probability to draw; otherwise the answer is None.
        """
        if not self.has_any or (share < 1 and rng.random() >= share):
            return None
        points = self._space.sample(_CANDIDATES, rng)
        belief = self._space.log_belief(points)
        # Gumbel noise turns "the largest" into a draw with probability proportional to
        # exp(belief): resampling a uniform sample by its weights.
        ranked = points[np.argsort(-(belief + rng.gumbel(size=len(belief))))]
        row = seen.first_unseen(ranked)
        return None if row is None else ranked[row : row + 1]
