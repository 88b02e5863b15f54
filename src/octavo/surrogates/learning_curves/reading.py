"""Curves as they come, made into costs that can be fitted: sorted, finite, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import SettingError
from octavo.surrogates.learning_curves.batch import ONE_POINT

__all__ = ["Curve", "Scale", "as_costs", "as_curve"]

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]

# A run that diverged is bad; how bad does not matter. Costs are cut off above the usual start by
# this many times the way from there to a good end; earlier where it is for their usual spread.
_REACH = 4.0
_USUAL_REACH = 1.0
_HUGE = 1e150  # costs beyond are as bad as this, so that squares of differences are numbers
_BELOW = 0.5  # the best may be beaten by this share of its distance from a usual end
_FLAT = 1e-6  # the least unit, relative to the size of the values


@dataclass(frozen=True, slots=True)
class Scale:
    """Where costs of a problem lie.

    Parameters
    ----------
    zero, unit
        A usual end, and how far ends lie apart.
    cap
        Costs above it count as this; diverged ones too.
    floor
        No curve is extrapolated below it.
    """

    zero: float
    unit: float
    cap: float
    floor: float

    @staticmethod
    def of(curves: Sequence[Curve]) -> Scale:
        """That of many curves, each with a finite cost."""
        finite = [costs[np.isfinite(costs)] for _, costs in curves]
        ends = np.array([costs[-1] for costs in finite])
        starts = np.array([costs[0] for costs in finite])
        low = float(np.quantile(ends, 0.05))
        high = max(float(np.median(starts)), float(np.quantile(ends, 0.75)))
        cap = high + _REACH * (high - low)
        ends = np.minimum(ends, high + _USUAL_REACH * (high - low))
        zero = float(np.median(ends))
        unit = _positive(float(np.abs(ends - zero).mean()), ends)
        lowest = min(float(costs.min()) for costs in finite)
        return Scale(zero, unit, cap, lowest - max(_BELOW * (zero - lowest), unit))

    @staticmethod
    def of_one(curve: Curve) -> Scale:
        """That of a curve about whose problem nothing else is known."""
        finite = curve[1][np.isfinite(curve[1])]
        spread = float(np.ptp(finite)) if len(finite) > 1 else ONE_POINT * abs(float(finite[0]))
        unit = _positive(spread, finite)
        return Scale(
            float(finite[-1]), unit, float(finite.max()) + unit, float(finite.min()) - unit
        )

    def reaching(self, curve: Curve) -> Scale:
        """The same, but not below what a curve last came to: a bad one stays where it is."""
        finite = curve[1][np.isfinite(curve[1])]
        return replace(self, cap=max(self.cap, float(finite[-1]))) if len(finite) else self

    def units(self, costs: Floats) -> Floats:
        """Costs on this scale."""
        return (costs - self.zero) / self.unit


def as_curve(steps: ArrayLike, values: ArrayLike, maximize: bool) -> Curve:
    """Steps and costs, sorted by step; of a step that was reported again, the last report.

    Raises
    ------
    SettingError
        If they are not two lists of numbers of one length, at least one, with finite steps.
    """
    try:
        where, costs = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"a learning curve has steps={steps!r} and values={values!r}, which are not all "
            "numbers. Give two lists of numbers of the same length."
        ) from error
    if where.ndim != 1 or where.shape != costs.shape or not len(where):
        raise SettingError(
            f"a learning curve has steps of shape {where.shape} and values of shape "
            f"{costs.shape}. Give two lists of the same length, with one number at least."
        )
    if not np.isfinite(where).all():
        raise SettingError(
            f"a learning curve has the step {where[~np.isfinite(where)][0]}. Steps are finite "
            "numbers such as epochs; only values may be NaN, where a run diverged."
        )
    costs = -costs if maximize else costs
    is_finite = np.isfinite(costs)
    costs = np.where(is_finite | (costs == -np.inf), costs, np.nan)
    costs = np.where(is_finite, np.clip(costs, -_HUGE, _HUGE), costs)
    order = np.argsort(where, kind="stable")
    where, costs = where[order], costs[order]
    is_latest = np.r_[where[1:] != where[:-1], True]
    return where[is_latest], costs[is_latest]


def as_costs(curve: Curve, scale: Scale) -> Curve:
    """Finite costs: a diverged tail lies at the cap; gaps before finite values are left out."""
    steps, costs = curve
    finite = np.isfinite(costs)
    tail = len(costs) - np.argmax(finite[::-1]) if finite.any() else 0
    keep = finite | (np.arange(len(costs)) >= tail)
    costs = np.where(finite, np.minimum(costs, scale.cap), scale.cap)
    return steps[keep], costs[keep]


def _positive(unit: float, values: Floats) -> float:
    size = float(np.abs(values).max(initial=0.0))
    return max(unit, _FLAT * size) or 1.0
