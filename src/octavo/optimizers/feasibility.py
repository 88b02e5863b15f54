"""How probable it is that a configuration meets the constraints, by forests.

One forest for each constraint, multiplied: Gardner et al. (2014), Bayesian Optimization with
Inequality Constraints, ICML.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.encoded import Encoded
from octavo.optimizers.told import Told
from octavo.spaces.protocol import Points
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest

__all__ = ["Feasibility"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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
    """

    def __init__(
        self,
        told: Told,
        rng: np.random.Generator,
        *,
        n_trees: int,
    ) -> None:
        self._encoded = Encoded(told)
        targets: list[tuple[Bools, Floats]] = []
        for column, constraint in enumerate(told.problem.constraints):
            # A trial that failed says nothing about a quantity that was never measured.
            measured = told.is_known & ~np.isnan(told.constraints[:, column])
            met = [constraint.is_met(value) for value in told.constraints[measured, column]]
            targets.append((measured, np.array(met, dtype=np.float64)))
        self._forests: list[Forest] = []
        settings = ForestSettings(n_trees=n_trees)
        for rows, met_or_not in targets:
            if len(met_or_not):
                X = self._encoded.matrix(told.points[rows], told.fidelity[rows])
                choices = self._encoded.n_choices
                self._forests.append(fit_forest(X, met_or_not, choices, rng, settings))

    def log_probability(self, points: Points) -> Floats:
        """Logarithm of the probability that each row is feasible, shape (n,)."""
        total = np.zeros(len(points))
        if self._forests:
            X = self._encoded.matrix(points)
            for forest in self._forests:
                probability, _ = forest.predict(X)
                total += np.log(np.clip(probability, _LEAST_PROBABILITY, 1.0))
        return total
