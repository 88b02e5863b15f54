"""Numbers to predict, on a scale that models like: standardized, perhaps after a transform.

Learners assume targets of about unit size: penalties, learning rates and tolerances mean
something only then, be the target in picometres or in national budgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["TargetScale", "TargetTransform", "fit_target_scale", "is_skewed"]

Floats = NDArray[np.float64]
TargetTransform = Literal["none", "log", "quantile"]

_KNOTS = 500  # of the quantile transform
_SLACK = 1.0  # ranges of the training targets that a prediction may lie beyond them


@dataclass(frozen=True, eq=False)
class TargetScale:
    """A monotone transform of the target and its inverse.

    Parameters
    ----------
    kind
        "none", "log", or "quantile" (to normal scores).
    center, spread
        Mean and standard deviation after the transform.
    low, high
        Where scaled predictions are cut, so that no exponential of a bold extrapolation is
        ever seen.
    unit
        What "log" divides by before it adds 1; 0 for a plain logarithm.
    knots, scores
        Of "quantile": targets, ascending, and their normal scores.
    """

    kind: TargetTransform
    center: float
    spread: float
    low: float
    high: float
    unit: float
    knots: Floats
    scores: Floats

    def scaled(self, y: Floats) -> Floats:
        """Targets for a model."""
        return (self._transformed(y) - self.center) / self.spread

    def original(self, scaled: Floats) -> Floats:
        """A model's predictions as the user's numbers."""
        z = np.clip(scaled, self.low, self.high) * self.spread + self.center
        if self.kind == "none":
            return np.asarray(z)
        if self.kind == "log":
            return np.asarray(np.exp(z) if self.unit == 0 else np.expm1(z) * self.unit)
        return np.interp(z, self.scores, self.knots)

    def _transformed(self, y: Floats) -> Floats:
        if self.kind == "none":
            return y
        if self.kind == "log":
            return np.log(y) if self.unit == 0 else np.log1p(y / self.unit)
        return np.interp(y, self.knots, self.scores)


def fit_target_scale(y: Floats, kind: TargetTransform, weight: Floats | None) -> TargetScale | None:
    """The scale of some training targets; None if they are all the same.

    A logarithm that a fold's targets do not admit is left out.

    Examples
    --------
    >>> scale = fit_target_scale(np.array([1.0, 10.0, 100.0]), "log", None)
    >>> scale.scaled(np.array([10.0])).round(6) + 0.0
    array([0.])
    >>> scale.original(np.array([0.0])).round(6)
    array([10.])
    """
    none: Floats = np.empty(0)
    if kind == "log" and y.min() < 0:
        kind = "none"
    knots = scores = none
    unit = 0.0
    if kind == "log" and y.min() == 0:
        positive = y[y > 0]
        unit = float(np.median(positive)) if len(positive) else 1.0
    if kind == "quantile":
        shares = (np.arange(_KNOTS) + 0.5) / _KNOTS
        knots, first = np.unique(np.quantile(y, shares), return_index=True)
        last = np.append(first[1:], _KNOTS) - 1
        scores = ndtri((shares[first] + shares[last]) / 2)
        if len(knots) < 3:
            kind, knots, scores = "none", none, none
    raw = TargetScale(kind, 0.0, 1.0, -np.inf, np.inf, unit, knots, scores)
    z = raw._transformed(y)
    reach = float(np.abs(z - z[0]).max())
    if not reach > 0:
        return None
    center = float(np.average(z, weights=weight))
    # Divided first: the squares of very small or very large numbers are no numbers.
    spread = float(np.sqrt(np.average(((z - center) / reach) ** 2, weights=weight))) * reach
    if not spread > 1e-12 * abs(center):
        return None
    low, high = (float(z.min()) - center) / spread, (float(z.max()) - center) / spread
    slack = _SLACK * (high - low)
    return TargetScale(kind, center, spread, low - slack, high + slack, unit, knots, scores)


def is_skewed(y: Floats) -> bool:
    """Whether targets are not negative and have so long a tail that a logarithm may help."""
    if len(y) < 20 or y.min() < 0 or y.max() <= 0:
        return False
    return _skewness(y) > 1.0 and abs(_skewness(np.log1p(y / np.median(y[y > 0])))) < _skewness(y)


def _skewness(y: Floats) -> float:
    centered = (y - y.mean()) / (np.abs(y).max() or 1.0)
    spread = centered.std()
    return float(np.mean((centered / spread) ** 3)) if spread > 1e-12 else 0.0
