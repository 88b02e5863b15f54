"""What a candidate is worth, from what Gaussian processes say of it, with derivatives.

A utility sees means and deviations of several independent quantities and nothing of the
configurations, so that its gradient along them follows by the chain rule in one place.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.acquisition import (
    expected_improvement,
    improvement_gradient,
    log_expected_improvement,
    log_hypervolume_improvement,
    log_improvement_with_gradient,
    log_probability_below,
    log_probability_gradient,
)
from octavo.numerics.hypervolume import nondominated_boxes
from octavo.numerics.pareto import nondominated
from octavo.numerics.weighted_improvement import (
    log_weighted_improvement,
    log_weighted_improvement_gradient,
)

__all__ = [
    "FrontImprovement",
    "Improvement",
    "LowerBound",
    "PlainImprovement",
    "Utility",
    "WeightedImprovement",
]

Floats = NDArray[np.float64]


class Utility(Protocol):
    """Logarithm of what a candidate is worth."""

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """Shape (m,), for means and deviations of k quantities, each shape (k, m)."""
        ...

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """What a climb maximizes, (m,), and its derivatives by means and deviations, (k, m).

        That is the logarithm itself, or something that rises with it.
        """
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

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        value = _log_feasible(mean[1:], deviation[1:])
        if self._best is not None:
            gain, by_mean[0], by_deviation[0] = log_improvement_with_gradient(
                mean[0], deviation[0], self._best
            )
            value += gain
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=1)
        return value, by_mean, by_deviation


class PlainImprovement:
    """The same as `Improvement`, but climbed as it is, not on the logarithmic scale.

    Where an improvement is unlikely it is flat, and a climb stays where it starts: what Ament
    et al. (2023) warn of. It is here to compare with.

    Parameters
    ----------
    best
        As of `Improvement`.
    """

    def __init__(self, best: float | None) -> None:
        self._best = best

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """See `Utility`; -inf where the improvement underflows."""
        with np.errstate(divide="ignore"):
            return np.log(self._improvement(mean, deviation)) + _log_feasible(
                mean[1:], deviation[1:]
            )

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=1)
        feasible = np.exp(_log_feasible(mean[1:], deviation[1:]))
        value = self._improvement(mean, deviation) * feasible
        by_mean *= value
        by_deviation *= value
        if self._best is not None:
            by_gain = improvement_gradient(mean[0], deviation[0], self._best)
            by_mean[0], by_deviation[0] = by_gain[0] * feasible, by_gain[1] * feasible
        return value, by_mean, by_deviation

    def _improvement(self, mean: Floats, deviation: Floats) -> Floats:
        if self._best is None:
            return np.ones(mean.shape[1])
        return expected_improvement(mean[0], deviation[0], self._best)


class WeightedImprovement:
    """Weighted expected improvement times the probability that no further quantity is positive.

    Parameters
    ----------
    best
        The lowest cost that is feasible, on the scale of the first quantity.
    weight
        Of exploitation, in [0, 1].
    """

    def __init__(self, best: float, weight: float) -> None:
        self._best, self._weight = best, weight

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """See `Utility`."""
        value = log_weighted_improvement(mean[0], deviation[0], self._best, self._weight)
        return value + _log_feasible(mean[1:], deviation[1:])

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        by_mean[0], by_deviation[0] = log_weighted_improvement_gradient(
            mean[0], deviation[0], self._best, self._weight
        )
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=1)
        return self.log_value(mean, deviation), by_mean, by_deviation


class LowerBound:
    """How low the first quantity may lie: what is sought is the least `mean - width * deviation`.

    Parameters
    ----------
    width
        In deviations.
    """

    def __init__(self, width: float) -> None:
        self._width = width

    def log_value(self, mean: Floats, deviation: Floats) -> Floats:
        """The bound with its sign changed, so that more is better."""
        return np.asarray(self._width * deviation[0] - mean[0])

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Utility`."""
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        by_mean[0], by_deviation[0] = -1.0, self._width
        return self.log_value(mean, deviation), by_mean, by_deviation


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

    def climbed(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Utility`."""
        m = self._m
        value = _log_feasible(mean[m:], deviation[m:])
        by_mean, by_deviation = np.zeros_like(mean), np.zeros_like(mean)
        if self._boxes is not None:
            gained, by_mean[:m], by_deviation[:m] = log_hypervolume_improvement(
                mean[:m], deviation[:m], *self._boxes
            )
            value += gained
        _add_feasible_gradient(mean, deviation, by_mean, by_deviation, start=m)
        return value, by_mean, by_deviation


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
