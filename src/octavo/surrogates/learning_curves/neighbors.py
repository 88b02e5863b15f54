"""What curves that looked alike went on to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Neighbors"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Curve = tuple[Floats, Floats]

_FAR = 1e150  # in spreads; what is farther is as unlike, and its square still a number
_LOOKS = (1.0, 0.7, 0.4, 0.0)  # where curves are compared, as shares of the way from the first step


class Neighbors:
    """Complete curves of other configurations, to compare with.

    Parameters
    ----------
    curves
        Steps and costs of each; at least one.
    """

    def __init__(self, curves: Sequence[Curve]) -> None:
        self._curves = list(curves)
        self._steps = np.unique(np.concatenate([steps for steps, _ in curves]))
        if len(self._steps) > 512:
            self._steps = np.quantile(self._steps, np.linspace(0, 1, 512))
        # One common grid of steps, so that looking up all curves at once is an interpolation.
        self._table = np.array([_interpolated(curve, self._steps) for curve in curves])

    def __len__(self) -> int:
        return len(self._curves)

    def at(self, step: float) -> Floats:
        """The cost of each curve at a step, shape (n,); NaN beyond its end."""
        place = np.interp(step, self._steps, np.arange(len(self._steps)))
        low = int(place)
        high = min(low + 1, len(self._steps) - 1)
        share = place - low
        below = self._table[:, low]
        return below if share == 0 else (1 - share) * below + share * self._table[:, high]

    def usual(self, steps: Floats) -> tuple[Floats, Floats]:
        """The median cost at each step, and the mean distance from it; shape (m,) each."""
        cache: dict[float, tuple[float, float]] = {}
        for step in np.unique(steps).tolist():
            costs = self.at(step)
            costs = costs[np.isfinite(costs)]
            if not len(costs):  # beyond all ends
                costs = np.array([curve[1][-1] for curve in self._curves])
            middle = float(np.median(costs))
            cache[step] = middle, float(np.abs(costs - middle).mean())
        found = np.array([cache[step] for step in steps.tolist()]).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def nearest(
        self, curves: Sequence[Curve], targets: Floats, own: Ints, k: int
    ) -> tuple[Floats, Floats]:
        """How much the most similar curves gained from where each curve stands.

        Parameters
        ----------
        curves
            What is known of each.
        targets : shape (m,)
            The step in question, for each.
        own : shape (m,)
            Which of the training curves each one is itself, so that it is left out; -1 if none.
        k
            How many.

        Returns
        -------
        gain, distance : shape (m, k)
            Cost at the target less the cost at the last step known, and how unlike they look;
            distances are infinite where there are not so many.
        """
        gain = np.zeros((len(curves), k))
        distance = np.full((len(curves), k), np.inf)
        cache: dict[tuple[float, float], tuple[Floats, Floats]] = {}
        ends: dict[float, Floats] = {}
        for row, (steps, costs) in enumerate(curves):
            first, last, target = float(steps[0]), float(steps[-1]), float(targets[row])
            if (first, last) not in cache:
                cache[first, last] = self._looks(first, last)
            if target not in ends:
                ends[target] = self.at(target)
            looks, scale = cache[first, last]
            mine = _features(np.interp(_places(first, last), steps, costs)[None])[0]
            away = np.square(np.clip((looks - mine) / scale, -_FAR, _FAR)).sum(axis=1)
            gains = ends[target] - self.at(last)
            usable = np.isfinite(away) & np.isfinite(gains)
            if own[row] >= 0:
                usable[own[row]] = False
            away = np.where(usable, away, np.inf)
            order = np.argsort(away, kind="stable")[:k]
            gain[row, : len(order)] = np.where(usable[order], gains[order], 0.0)
            distance[row, : len(order)] = np.sqrt(away[order])
        return gain, distance

    def _looks(self, first: float, last: float) -> tuple[Floats, Floats]:
        """Features of all curves up to a step, and their spreads."""
        values = np.column_stack([self.at(step) for step in _places(first, last)])
        looks = _features(values)
        known = looks[np.isfinite(looks).all(axis=1)]
        if not len(known):
            return looks, np.ones(looks.shape[1])
        middle = np.median(known, axis=0)
        # Curves crowd where nothing is learned; the mean deviation sees those that do learn.
        spread = np.abs(known - middle).mean(axis=0)
        return looks, np.where(spread > 0, spread, 1.0)


def _places(first: float, last: float) -> Floats:
    return first + (last - first) * np.array(_LOOKS)


def _features(values: Floats) -> Floats:
    """The last value, and what was gained since each earlier one."""
    return np.column_stack([values[:, 0], values[:, :1] - values[:, 1:]])


def _interpolated(curve: Curve, steps: Floats) -> Floats:
    own, costs = curve
    return np.asarray(np.interp(steps, own, costs, left=float(costs[0]), right=np.nan))
