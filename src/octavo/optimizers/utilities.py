"""What a candidate is worth, from what Gaussian processes say of it, with derivatives.

A utility sees means and deviations of several independent quantities and nothing of the
configurations, so that its gradient along them follows by the chain rule in one place.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.acquisition import (
    log_expected_improvement,
    log_improvement_gradient,
    log_probability_below,
    log_probability_gradient,
)

__all__ = ["Improvement", "Utility"]

Floats = NDArray[np.float64]


class Utility(Protocol):
    """Logarithm of what a candidate is worth."""

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """Shape (m,), for means and deviations of k quantities, each shape (k, m)."""
        ...

    def gradient(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """Its derivatives by the means and by the deviations, each shape (k, m)."""
        ...


class Improvement:
    """Expected improvement of the first quantity times the probability that no other is positive.

    Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
    Optimization, NeurIPS (the logarithms); Gardner et al. (2014), Bayesian Optimization with
    Inequality Constraints, ICML (the product).

    Parameters
    ----------
    best
        The lowest cost that is feasible, on the scale of the first quantity; None while nothing
        is feasible, when only the probabilities count.
    """

    def __init__(self, best: float | None) -> None:
        self._best = best

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """See `Utility`."""
        value = np.zeros(mean.shape[1])
        if self._best is not None:
            value += log_expected_improvement(mean[0], deviation[0], self._best)
        for m, s in zip(mean[1:], deviation[1:], strict=True):
            value += log_probability_below(m, s, 0.0)
        return value

    def gradient(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        if self._best is not None:
            by_mean[0], by_deviation[0] = log_improvement_gradient(
                mean[0], deviation[0], self._best
            )
        for k in range(1, len(mean)):
            by_mean[k], by_deviation[k] = log_probability_gradient(mean[k], deviation[k], 0.0)
        return by_mean, by_deviation
