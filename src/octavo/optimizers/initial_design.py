"""What an optimizer tries before it has a model, or a population.

First the default configuration, where beliefs are most probable; then points that fill the
space evenly and, with beliefs, as many draws from them (Hvarfner 2022, section 4.1, takes draws
only; without others to compare with, nothing shows that a belief is wrong).
"""

from __future__ import annotations

import math

import numpy as np

from octavo.optimizers.believed_draws import BELIEF_SHARE, BelievedDraws
from octavo.optimizers.sobol import SobolPoints
from octavo.optimizers.told import Seen
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points, Space

__all__ = ["InitialDesign", "design_size", "has_conditions"]

_LOOKED_AT = 256  # configurations, to find out whether there are conditions


def design_size(problem: Problem, per_column: float = 1.0) -> int:
    """How many configurations to try before the first model.

    About as many as there are hyperparameters, so that a model has something to tell apart
    in each, but at most a fifth of the budget.

    Parameters
    ----------
    problem
        Its number of columns and its `limits.max_trials` count.
    per_column
        Less than 1 for a model that spreads its proposals by itself.
    """
    n = min(max(math.ceil(per_column * (len(problem.space.columns) + 2)), 5), 30)
    if problem.limits.max_trials is not None:
        n = min(n, max(problem.limits.max_trials // 5, 3))
    return n


def has_conditions(space: Space) -> bool:
    """Whether some hyperparameters are active only with certain values of others.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> kind = Categorical(["a", "b"])
    >>> has_conditions(space(kind=kind, x=Float(0, 1).when(kind="a")))
    True
    >>> has_conditions(space(kind=kind, x=Float(0, 1)))
    False
    """
    points = space.sample(_LOOKED_AT, np.random.default_rng(0))
    return bool(np.isnan(points.values).any())


class InitialDesign:
    """The points of an initial design, by the index of the proposal.

    Parameters
    ----------
    problem
        What is asked.
    seed
        Of the optimizer.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._space = problem.space
        self._believed = BelievedDraws(problem.space)
        self._sobol = SobolPoints(problem.space.n_dims, seed)
        self._default = problem.space.encode([problem.space.default()])

    def draw(
        self, index: int, seen: Seen, unseen: Unseen, rng: np.random.Generator
    ) -> tuple[Points | None, str]:
        """The design's point for this index (one row) and where it is from.

        None if every configuration of a finite space has been seen.
        """
        if seen.first_unseen(self._default) is not None:
            return self._default, "default configuration"
        believed = self._believed.draw(seen, rng, BELIEF_SHARE)
        if believed is not None:
            return believed, "initial design by belief"
        u = self._sobol.at(index)
        if u is not None:
            points, _ = self._space.from_unit(u[None, :])
            if seen.first_unseen(points) is not None:
                return points, "initial design"
        return unseen.draw(seen, rng), "initial design at random"
