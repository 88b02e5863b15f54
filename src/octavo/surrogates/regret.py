"""How much there is still to gain: the outlook of a search, from a Gaussian process of its costs.

The expected improvement of the most promising configuration says what the next trial may
bring. The regret bound says how far the incumbent can be from the best there is: between the
lowest upper bound of what was evaluated and the lowest lower bound of anything. Each constraint
has a process of its own: improvements count by the probability that it is met, lower bounds where
it may be.

Makarova et al. (2022), Automatic Termination for Hyperparameter Optimization, AutoML
Conference. Ishibashi, Karasuyama, Takeuchi & Hino (2023), A stopping criterion for Bayesian
optimization by the gap of expected minimum simple regrets, AISTATS. Gardner et al. (2014),
Bayesian Optimization with Inequality Constraints, ICML.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from octavo.numerics.acquisition import expected_improvement
from octavo.numerics.cost_scale import linear_map, signed_log_scaled, winsorized
from octavo.spaces.protocol import Points, Space
from octavo.surrogates.fitting import fit_parameters
from octavo.surrogates.gaussian_process import GaussianProcess
from octavo.surrogates.kernel import Features, Layout
from octavo.surrogates.parameters import prior_mode

__all__ = ["Outlook", "outlook"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_ROWS = 250  # that the process sees
_N_RANDOM = 600
_N_TOP = 8  # whose neighbours are looked at
_N_NEIGHBOURS = 25  # of each
_ROUNDS = 3
_REACH = 1.0  # costs that far above the median, in its distances to the lowest, are cut off
_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What may still come, in the unit of the costs.

    Parameters
    ----------
    best
        Lowest posterior mean among the feasible configurations that were evaluated.
    improvement
        Expected improvement on it of the most promising configuration, by one evaluation.
    regret_bound
        How far the incumbent may be above the lowest cost in the space: the lowest upper bound
        among what was evaluated and feasible less the lowest lower bound of what may be, each
        two standard deviations from its mean. Never negative.
    """

    best: float
    improvement: float
    regret_bound: float


def outlook(
    space: Space,
    known: Points,
    costs: Floats,
    rng: np.random.Generator,
    *,
    excess: Floats | None = None,
) -> Outlook:
    """What a Gaussian process expects of further evaluations.

    Parameters
    ----------
    space
        What can be chosen.
    known : n rows
        The configurations that were evaluated; of more than 250, the best half of so many and an
        even choice of the rest are looked at.
    costs : shape (n,)
        Finite, minimized. Where all are equal, nothing is expected of more.
    rng
        Draws the configurations that are looked at.
    excess : shape (n, number of bounds)
        How far each was beyond each bound of the constraints, 0 or less where it was met; none
        without constraints. As long as nothing met all, everything can be expected of more.

    Returns
    -------
    Outlook
    """
    if excess is None:
        excess = np.empty((len(costs), 0))
    feasible = (excess <= 0).all(axis=1)
    if not feasible.any():
        return Outlook(float("nan"), float("inf"), float("inf"))
    if np.ptp(costs / 2) == 0:
        return Outlook(float(costs[0]), 0.0, 0.0)
    order = np.lexsort((costs, ~feasible))  # the best first, what is infeasible last
    rows = _chosen(order)
    top = known[order[:_N_TOP]]
    known, costs, excess = known[rows], costs[rows], excess[rows]
    y = winsorized(costs, reach=_REACH)
    zero, unit = linear_map(costs, y)
    model = _Model(space, known, y, excess)
    improvement, lower = model.search(top, rng)
    return Outlook(
        best=zero + unit * model.best,
        improvement=unit * improvement,
        regret_bound=unit * max(0.0, model.lowest_upper - lower),
    )


class _Model:
    """The processes, and what they say of configurations, in standardized costs."""

    def __init__(self, space: Space, known: Points, y: Floats, excess: Floats) -> None:
        self._space, self._columns = space, known.columns
        self._layout = Layout(known.columns, known.values)
        features = self._layout.features(known.values)
        self._process = self._fitted(features, y)
        # A bound that nothing was beyond tells nothing of where it would be broken.
        broken = [column for column in excess.T if (column > 0).any()]
        self._bounds = [self._fitted(features, signed_log_scaled(column)) for column in broken]
        feasible = (excess <= 0).all(axis=1)
        mean, deviation = self._process.predict(features)
        self.best = float(mean[feasible].min())
        self.lowest_upper = float((mean + _DEVIATIONS * deviation)[feasible].min())

    def search(self, top: Points, rng: np.random.Generator) -> tuple[float, float]:
        """The highest expected improvement, and the lowest lower bound, that is found."""
        points = Points.join([self._space.sample(_N_RANDOM, rng).aligned(self._columns), top])
        improvement, lower = 0.0, self.lowest_upper
        for round_ in range(_ROUNDS + 1):
            gains, bounds = self._prospects(self._layout.features(points.values))
            improvement = max(improvement, float(gains.max()))
            lower = min(lower, float(bounds.min()))
            if round_ < _ROUNDS:
                promising = np.concatenate(
                    [np.argsort(-gains, kind="stable")[:_N_TOP], np.argsort(bounds)[:_N_TOP]]
                )
                parents = points[np.repeat(np.unique(promising), _N_NEIGHBOURS)]
                moved = self._space.mutate(parents, rng)
                points = Points.join([points[promising], moved.aligned(self._columns)])
        return improvement, lower

    def _prospects(self, features: Features) -> tuple[Floats, Floats]:
        """Expected improvement and lower bound of each; infinite where surely infeasible."""
        mean, deviation = self._process.predict(features)
        gains = expected_improvement(mean, deviation, self.best)
        bounds = mean - _DEVIATIONS * deviation
        for bound in self._bounds:
            mean, deviation = bound.predict(features)
            gains = gains * ndtr(-mean / np.maximum(deviation, 1e-12))
            bounds = np.where(mean - _DEVIATIONS * deviation <= 0, bounds, np.inf)
        return gains, bounds

    def _fitted(self, features: Features, y: Floats) -> GaussianProcess:
        parameters = fit_parameters(self._layout, features, y, prior_mode(self._layout))
        return GaussianProcess(features, y, parameters)


def _chosen(order: Ints) -> Ints:
    """Of rows from the best to the worst, those that the process sees, sorted."""
    if len(order) <= _MOST_ROWS:
        return np.sort(order)
    best, rest = np.split(order, [_MOST_ROWS // 2])
    even = np.linspace(0, len(rest) - 1, _MOST_ROWS - len(best)).astype(np.int64)
    return np.asarray(np.sort(np.concatenate([best, np.sort(rest)[even]])))
