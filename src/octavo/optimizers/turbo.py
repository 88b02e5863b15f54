"""TuRBO: a search with Gaussian processes that stays in a box around the best trial.

Eriksson, Pearce, Gardner, Turner & Poloczek (2019), Scalable Global Optimization via Local Bayesian
Optimization, NeurIPS. (One box; the processes see all trials, so that a box that begins anew
need not forget.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from octavo.optimizers.gaussian_process import GaussianProcessBO, ProcessModel
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.told import Told
from octavo.optimizers.trust_region import side_length
from octavo.problem import Problem

__all__ = ["TuRBO"]


@dataclass(frozen=True)
class TuRBO:
    """Bayesian optimization in a trust region.

    With several objectives there is no single best trial, and `process` searches the whole space.

    Parameters
    ----------
    process
        The processes' settings.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [p.origin.intent for p in TuRBO().start(problem, seed=0).ask(2)]
    ['default configuration', 'initial design']
    """

    process: GaussianProcessBO = field(default_factory=GaussianProcessBO)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        if problem.n_objectives > 1:
            return self.process.start(problem, seed)
        return self.process.start_with(_InABox(problem, self.process), problem, seed)


class _InABox(ProcessModel):
    name = "turbo"
    intent = "expected improvement in a trust region"

    def box_side(self, told: Told) -> float:
        """See `ProcessModel`."""
        may_be_best = told.is_feasible & (told.fidelity == told.fidelity[told.is_known].max())
        costs = np.where(may_be_best, told.costs[:, 0], np.inf).tolist()
        return side_length(costs, patience=max(4, len(told.problem.space.columns)))
