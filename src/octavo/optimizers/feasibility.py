"""How probable it is that a configuration runs through and meets the constraints.

One forest for each constraint, and one for whether a trial ends with a cost at all, multiplied:
Gardner et al. (2014), Bayesian Optimization with Inequality Constraints, ICML. Forests rather
than Gaussian processes, because what crashes has sharp edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.told import Told
from octavo.spaces.protocol import Points
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest

__all__ = ["Feasibility"]

Floats = NDArray[np.float64]

_LEAST_PROBABILITY = 1e-6


class Feasibility:
    """Learned from what was told.

    Parameters
    ----------
    told
        What is known.
    rng
        Grows the trees.
    n_trees
        In each forest.
    with_failures
        Whether trials without costs count against what is like them.
    """

    def __init__(
        self, told: Told, rng: np.random.Generator, *, n_trees: int, with_failures: bool
    ) -> None:
        columns = told.points.columns
        self._columns = columns
        choices = [0 if column.is_ordered else column.n_values or 0 for column in columns]
        n_choices = np.array(choices, dtype=np.int64)
        settings = ForestSettings(n_trees=n_trees)
        self._forests: list[Forest] = []
        targets: list[tuple[NDArray[np.bool_], Floats]] = []
        if with_failures and not told.is_known.all():
            targets.append((np.ones(len(told), dtype=bool), told.is_known.astype(np.float64)))
        for column, constraint in enumerate(told.problem.constraints):
            # A trial that failed says nothing about a quantity that was never measured.
            measured = told.is_known & ~np.isnan(told.constraints[:, column])
            met = [constraint.is_met(value) for value in told.constraints[measured, column]]
            targets.append((measured, np.array(met, dtype=np.float64)))
        for rows, met_or_not in targets:
            if len(met_or_not):
                values = told.points.values[rows]
                self._forests.append(fit_forest(values, met_or_not, n_choices, rng, settings))

    def log_probability(self, points: Points) -> Floats:
        """Logarithm of the probability that each row is feasible, shape (n,)."""
        total = np.zeros(len(points))
        if self._forests:
            values = points.aligned(self._columns).values
            for forest in self._forests:
                probability, _ = forest.predict(values)
                total += np.log(np.clip(probability, _LEAST_PROBABILITY, 1.0))
        return total
