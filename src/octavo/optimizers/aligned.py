"""Costs at all fidelities as if they had been measured at the full one.

A network that is trained longer has a lower loss, whatever its configuration. What all have in
common says nothing of which one is best, but a model that believes costs at neighbouring
fidelities to be alike takes it for a property of the configurations that were trained longer. So
it is taken off: from each fidelity to the next one, the median of what changed for those that ran
at both.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.told import Told

__all__ = ["aligned"]


def aligned(told: Told) -> Told:
    """What was told, with costs moved to the level of the full fidelity; without one, the same.

    Parameters
    ----------
    told
        It is left as it is.
    """
    fidelities = np.unique(told.fidelity[told.is_known])
    if told.problem.fidelity is None or len(fidelities) < 2:
        return told
    shift = np.zeros((len(fidelities), told.costs.shape[1]))
    # By fidelity, the row of the latest trial of each configuration.
    rows = [_latest(told, fidelity) for fidelity in fidelities]
    for k in range(len(fidelities) - 2, -1, -1):
        shift[k] = shift[k + 1]
        both = [key for key in rows[k] if key in rows[k + 1]]
        if both:
            before = told.costs[[rows[k][key] for key in both]]
            after = told.costs[[rows[k + 1][key] for key in both]]
            shift[k] += np.median(after / 2 - before / 2, axis=0) * 2  # halved: no overflow
    moved = copy(told)
    known = np.flatnonzero(told.is_known)
    at = np.searchsorted(fidelities, told.fidelity[known])
    moved.costs = told.costs.copy()
    moved.costs[known] = _sum(told.costs[known], shift[at])
    return moved


def _latest(told: Told, fidelity: float) -> dict[bytes, int]:
    rows = np.flatnonzero(told.is_known & (told.fidelity == fidelity))
    return {told.keys[row]: row for row in rows.tolist()}


def _sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without overflow to infinity."""
    most = np.finfo(float).max / 4
    return np.asarray(np.clip(a, -most, most) + np.clip(b, -most, most))
