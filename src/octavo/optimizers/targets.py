"""What a model of cost is fitted to: one number per trial, failures and objectives included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs
from octavo.optimizers.told import Told

__all__ = ["single_costs"]

Floats = NDArray[np.float64]


def single_costs(told: Told, rng: np.random.Generator) -> Floats:
    """One finite cost per told trial.

    Several objectives become one by an augmented Chebyshev scalarization with weights from
    `rng` (Knowles 2006). A trial that failed, for whatever reason, counts as the worst one
    seen: what crashes, hangs or runs out of memory is to be avoided like what is bad.

    Parameters
    ----------
    told
        What is known; at least one trial with usable costs.
    rng
        Draws the weights; not used with a single objective.

    Returns
    -------
    shape (n,)
    """
    known = told.is_known
    costs = told.costs[:, 0].copy()
    if told.costs.shape[1] > 1:
        weights = random_weights(told.costs.shape[1], rng)
        costs = chebyshev(unit_costs(told.costs), weights)
    costs[~known] = costs[known].max()
    return costs
