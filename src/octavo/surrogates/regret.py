"""How much there is still to gain: the outlook of a search, from a Gaussian process of its costs.

The expected improvement of the most promising configuration says what the next trial may
bring. The regret bound says how far the incumbent can be from the best there is: between the
lowest upper bound of what was evaluated and the lowest lower bound of anything.

Makarova et al. (2022), Automatic Termination for Hyperparameter Optimization, AutoML
Conference. Ishibashi, Karasuyama, Takeuchi & Hino (2023), A stopping criterion for Bayesian
optimization by the gap of expected minimum simple regrets, AISTATS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.acquisition import expected_improvement
from octavo.numerics.cost_scale import linear_map, winsorized
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
        Lowest posterior mean among the evaluated configurations.
    improvement
        Expected improvement on it of the most promising configuration, by one evaluation.
    regret_bound
        How far the incumbent may be above the lowest cost in the space: the lowest upper bound
        among what was evaluated less the lowest lower bound, each two standard deviations from
        its mean. Never negative.
    """

    best: float
    improvement: float
    regret_bound: float


def outlook(space: Space, known: Points, costs: Floats, rng: np.random.Generator) -> Outlook:
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

    Returns
    -------
    Outlook
    """
    if not len(costs) or np.ptp(costs / 2) == 0:
        return Outlook(float(costs[0]) if len(costs) else float("nan"), 0.0, 0.0)
    rows = _chosen(costs)
    known, costs = known[rows], costs[rows]
    y = winsorized(costs, reach=_REACH)
    zero, unit = linear_map(costs, y)
    model = _Model(space, known, y)
    improvement, lower = model.search(known[np.argsort(y, kind="stable")[:_N_TOP]], rng)
    return Outlook(
        best=zero + unit * model.best,
        improvement=unit * improvement,
        regret_bound=unit * max(0.0, model.lowest_upper - lower),
    )


class _Model:
    """The process, and what it says of configurations, in standardized costs."""

    def __init__(self, space: Space, known: Points, y: Floats) -> None:
        self._space, self._columns = space, known.columns
        self._layout = Layout(known.columns, known.values)
        features = self._layout.features(known.values)
        parameters = fit_parameters(self._layout, features, y, prior_mode(self._layout))
        self._process = GaussianProcess(features, y, parameters)
        mean, deviation = self._process.predict(features)
        self.best = float(mean.min())
        self.lowest_upper = float((mean + _DEVIATIONS * deviation).min())

    def search(self, top: Points, rng: np.random.Generator) -> tuple[float, float]:
        """The highest expected improvement, and the lowest lower bound, that is found."""
        points = Points.join([self._space.sample(_N_RANDOM, rng).aligned(self._columns), top])
        improvement, lower = 0.0, self.lowest_upper
        for round_ in range(_ROUNDS + 1):
            mean, deviation = self._process.predict(self._features(points))
            gains = expected_improvement(mean, deviation, self.best)
            bounds = mean - _DEVIATIONS * deviation
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

    def _features(self, points: Points) -> Features:
        return self._layout.features(points.values)


def _chosen(costs: Floats) -> Ints:
    order = np.argsort(costs, kind="stable")
    if len(order) <= _MOST_ROWS:
        return np.sort(order)
    best, rest = np.split(order, [_MOST_ROWS // 2])
    even = np.linspace(0, len(rest) - 1, _MOST_ROWS - len(best)).astype(np.int64)
    return np.asarray(np.sort(np.concatenate([best, np.sort(rest)[even]])))
