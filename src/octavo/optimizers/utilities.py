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
    log_hypervolume_improvement,
    log_improvement_gradient,
    log_probability_below,
    log_probability_gradient,
)
from octavo.numerics.hypervolume import nondominated_boxes
from octavo.numerics.pareto import nondominated

__all__ = ["FrontImprovement", "Improvement", "Utility"]

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
        value = _log_feasible(mean[1:], deviation[1:])
        if self._best is not None:
            value += log_expected_improvement(mean[0], deviation[0], self._best)
        return value

    def gradient(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        if self._best is not None:
            by_mean[0], by_deviation[0] = log_improvement_gradient(
                mean[0], deviation[0], self._best
            )
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=1)
        return by_mean, by_deviation


class FrontImprovement:
    """Expected hypervolume improvement times the probability that no further quantity is positive.

    Daulton, Balandat & Bakshy (2021), Parallel Bayesian Optimization of Multiple Noisy
    Objectives with Expected Hypervolume Improvement, NeurIPS: the front that is to be improved
    is that of posterior means, so that lucky evaluations do not count. (They average over
    draws of the front; the mean of one is taken here.)

    Parameters
    ----------
    front : shape (n, m)
        Posterior means of feasible trials on the scales of the first m quantities; None while
        nothing is feasible, when only the probabilities count.
    m
        Number of objectives.
    """

    def __init__(self, front: Floats | None, m: int) -> None:
        self._m = m
        self._boxes = None if front is None else self._not_dominated(front)

    @staticmethod
    def _not_dominated(front: Floats) -> tuple[Floats, Floats]:
        best = front[nondominated(front)]
        low, high = best.min(axis=0), best.max(axis=0)
        # A tenth of the front's range beyond its worst (Ishibuchi et al. 2018); where the front is
        # a point, a tenth of all.
        width = np.where(high > low, high - low, front.max(axis=0) - low)
        reference = high + 0.1 * np.where(width > 0, width, 1.0)
        return nondominated_boxes(best, reference)

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """See `Utility`."""
        m = self._m
        value = _log_feasible(mean[m:], deviation[m:])
        if self._boxes is not None:
            value += log_hypervolume_improvement(mean[:m], deviation[:m], *self._boxes)[0]
        return value

    def gradient(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """See `Utility`."""
        m = self._m
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        if self._boxes is not None:
            _, by_mean[:m], by_deviation[:m] = log_hypervolume_improvement(
                mean[:m], deviation[:m], *self._boxes
            )
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=m)
        return by_mean, by_deviation


def _log_feasible(mean: Floats, deviation: Floats) -> Floats:
    value = np.zeros(mean.shape[1])
    for m, s in zip(mean, deviation, strict=True):
        value += log_probability_below(m, s, 0.0)
    return value


def _add_feasible_gradient(
    mean: Floats, deviation: Floats, by_mean: Floats, by_deviation: Floats, start: int
) -> None:
    for k in range(start, len(mean)):
        by_mean[k], by_deviation[k] = log_probability_gradient(mean[k], deviation[k], 0.0)
