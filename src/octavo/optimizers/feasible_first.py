"""Which of two trials is better: feasible ones first, then the lesser violation, then cost.

Deb (2000), An efficient constraint handling method for genetic algorithms, Computer Methods
in Applied Mechanics and Engineering 186: no weights between cost and constraints are needed
where trials are only compared. Whoever selects survivors as trials come in must judge by
what was known then and not by what came later, or a replay would select others; so all
scales here are those of a moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.scalarization import chebyshev
from octavo.optimizers.targets import misses
from octavo.optimizers.told import Told

__all__ = ["FeasibleFirst", "Merit"]

Floats = NDArray[np.float64]

Merit = tuple[int, float, float]
"""Sorts trials, the better ones first: rank, violation, cost. See `FeasibleFirst.merit`."""

FEASIBLE, DOUBTFUL, FAILED = 0, 1, 2


class FeasibleFirst:
    """The merit of told trials, as of any moment.

    Parameters
    ----------
    told
        What is judged. Call `update` whenever it has grown.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        constraints = told.problem.constraints
        self._violations: Floats = np.empty((0, len(constraints)))
        # Row i: the scales when i + 1 trials had been told.
        self._worst: Floats = np.empty((0, len(constraints)))
        self._low: Floats = np.empty((0, told.problem.n_objectives))
        self._high: Floats = np.empty((0, told.problem.n_objectives))

    def update(self) -> None:
        """Take note of what was told since the last time."""
        told, start = self._told, len(self._low)
        if start == len(told):
            return
        new = misses(told.problem.constraints, told.constraints[start:])
        finite = np.where(np.isfinite(new), new, 0.0)
        costs = told.costs[start:]  # NaN where unknown, which fmin and fmax leave out
        self._violations = np.concatenate([self._violations, new])
        self._worst = _running(np.maximum, self._worst, finite)
        self._low = _running(np.fmin, self._low, costs)
        self._high = _running(np.fmax, self._high, costs)

    def merit(self, row: int, weights: Floats, at: int | None = None) -> Merit:
        """How good a trial is; of two, the one with the smaller merit is better.

        Parameters
        ----------
        row
            Of the trial in `told`.
        weights : shape (objectives,)
            With several objectives, of their augmented Chebyshev scalarization.
        at
            Row of the last trial that was known at the moment of judgement, `row` or later;
            by default all are known.

        Returns
        -------
        rank, violation, cost
            Rank 0 for feasible trials; 1 for those that violate a constraint, or were stopped
            early with costs that stand; 2 for those without usable costs. Violations are
            summed over constraints, each in units of the worst one seen by then.
        """
        told, at = self._told, len(self._low) - 1 if at is None else at
        if not told.is_known[row]:
            return FAILED, 0.0, 0.0
        costs = told.costs[row]
        if len(costs) == 1:
            cost = float(costs[0])
        else:
            scaled = _fraction(costs, self._low[at], self._high[at])
            cost = float(chebyshev(scaled[None, :], weights)[0])
        if told.is_feasible[row]:
            return FEASIBLE, 0.0, cost
        worst = self._worst[at]
        violation = self._violations[row] / np.where(worst > 0, worst, 1.0)
        return DOUBTFUL, float(violation.sum()), cost


def _running(best: np.ufunc, before: Floats, new: Floats) -> Floats:
    """`before`, continued by the running extreme of the new rows."""
    joined = np.concatenate([before[-1:], new])
    return np.concatenate([before, best.accumulate(joined)[len(before[-1:]) :]])


def _fraction(costs: Floats, low: Floats, high: Floats) -> Floats:
    """Costs on [0, 1] between the extremes of a moment."""
    width = high / 2 - low / 2  # halved first: 1e308 - (-1e308) would overflow
    return np.asarray((costs / 2 - low / 2) / np.where(width > 0, width, 1.0))
