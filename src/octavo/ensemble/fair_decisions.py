"""Thresholds that keep fairness gaps within bounds, at the least cost in right answers.

With a threshold per group, any demographic parity or equalized odds can be had by moving along
each group's curve (Hardt, Price & Srebro 2016, Equality of Opportunity in Supervised Learning,
NeurIPS 29; thresholds alone, without drawing lots). All groups' rates must lie in one window as
wide as the bound: for each window every group takes its best threshold inside, and the best
window wins. Where a model may not know the group when it predicts, one threshold for all is
moved instead, which can do much less. Two classes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.fairness import GAPS, Groups, group_tables, table_gap
from octavo.errors import DataError

__all__ = ["FairThresholds", "fair_thresholds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_THRESHOLDS = 200
WINDOWS = {1: 201, 2: 41, 3: 17}  # places of a window along each rate, by the number of rates
LEAST_ANSWERED = 0.01
"""A threshold that gives more than 99 % of all rows the same answer is none: such decisions
have no gap and no use."""


@dataclass(frozen=True)
class FairThresholds:
    """Class 1 wins above the threshold of the row's group.

    Parameters
    ----------
    thresholds
        One per group, or one for all.
    default
        For rows whose group was not there in training.
    gaps
        Of the decisions on the rows that they were chosen on.
    accuracy
        Share of right decisions there.
    is_met
        Whether all bounds are kept there.
    """

    thresholds: tuple[float, ...]
    default: float
    gaps: Mapping[str, float]
    accuracy: float
    is_met: bool

    def apply(self, probabilities: ArrayLike, codes: ArrayLike | None = None) -> Ints:
        """Encoded decisions, shape (n,).

        Parameters
        ----------
        probabilities : shape (n, 2)
        codes : shape (n,)
            The rows' groups, -1 for an unknown one; not needed for a single threshold.
        """
        one = np.asarray(probabilities, np.float64)[:, 1]
        if len(self.thresholds) == 1:
            limit: Floats | float = self.thresholds[0]
        elif codes is None:
            raise DataError(
                f"these decisions have {len(self.thresholds)} thresholds, one per group, but no "
                "groups were given. Pass the code of each row's group."
            )
        else:
            limit = np.array([*self.thresholds, self.default])[np.asarray(codes, np.int64)]
        labels: Ints = (one > limit).astype(np.int64)
        return labels

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "thresholds": list(self.thresholds),
            "default": self.default,
            "gaps": dict(self.gaps),
            "accuracy": self.accuracy,
            "is_met": self.is_met,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Undo `to_json`."""
        return cls(**{**data, "thresholds": tuple(data["thresholds"])})


def fair_thresholds(
    probabilities: ArrayLike,
    y_true: ArrayLike,
    groups: Groups,
    bounds: Mapping[str, float],
    *,
    by_group: bool,
    balanced: bool = False,
    sample_weight: ArrayLike | None = None,
) -> FairThresholds:
    """The thresholds that are right most often among those within the bounds.

    Parameters
    ----------
    probabilities : shape (n, 2)
        Of rows that the model was not fitted on.
    y_true : shape (n,)
        Encoded classes.
    groups
        Of the rows; those of no group count for accuracy only if there is one threshold.
    bounds
        Largest gap by name.
    by_group
        Whether each group may have a threshold of its own.
    balanced
        Whether both classes count the same, however many rows they have.
    sample_weight : shape (n,)
        Of the rows.

    Returns
    -------
    FairThresholds
        If the bounds cannot be kept, those with the smallest excess.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = np.repeat([0, 1], 2000)
    >>> one = rng.beta(2 + 2 * a, 4 - a)
    >>> y = (rng.random(4000) < one).astype(int)
    >>> groups = Groups.of(np.where(a, "old", "young"))
    >>> found = fair_thresholds(
    ...     np.column_stack([1 - one, one]), y, groups, {"demographic_parity": 0.02}, by_group=True
    ... )
    >>> found.is_met, found.thresholds[0] > found.thresholds[1]
    (True, True)
    """
    one = np.asarray(probabilities, np.float64)[:, 1]
    y = np.asarray(y_true, np.int64)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    value = weight
    if balanced:
        totals = np.bincount(y, weight, 2)
        value = weight / np.maximum(totals, 1e-300)[y]
    members = [np.flatnonzero(groups.codes == g) for g in range(len(groups.names))]

    def curves(thresholds: Floats | None = None) -> list[_Curve]:
        return [_Curve.of(one[g], y[g], weight[g], value[g], thresholds) for g in members]

    pooled = _Curve.of(one, y, weight, value)
    chosen = _windowed(curves(), bounds) if by_group else None
    if chosen is None:
        at = _single(pooled, curves(pooled.thresholds), bounds)
        chosen = (float(pooled.thresholds[at]),)
    default = _pooled_best(pooled)
    found = FairThresholds(chosen, default, {}, 0.0, False)
    labels = found.apply(np.column_stack([1 - one, one]), groups.codes)
    tables = group_tables(y, labels, groups, 2, weight)
    gaps = {name: float(table_gap(tables, name)) for name in bounds}
    answered = float(np.average(labels, weights=weight))
    useful = LEAST_ANSWERED <= answered <= 1 - LEAST_ANSWERED
    return FairThresholds(
        chosen,
        default,
        gaps,
        float(np.average(labels == y, weights=weight)),
        useful and all(gaps[name] <= bound + 1e-9 for name, bound in bounds.items()),
    )


# Parts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Curve:
    """Rates of some rows at each threshold: all arrays have shape (t,)."""

    thresholds: Floats
    rates: Mapping[str, Floats]
    right: Floats  # worth of right decisions

    @classmethod
    def of(
        cls, one: Floats, y: Ints, weight: Floats, value: Floats, thresholds: Floats | None = None
    ) -> _Curve:
        """At given thresholds, or at the scores' own quantiles."""
        order = np.argsort(one, kind="stable")
        scores, truth, weight, value = one[order], y[order], weight[order], value[order]
        if thresholds is None:
            distinct = np.unique(scores)
            middles = np.append((distinct[1:] + distinct[:-1]) / 2, 1.0)
            kept = np.linspace(0, len(middles) - 1, N_THRESHOLDS).round().astype(np.int64)
            thresholds = np.append(-1.0, middles[np.unique(kept)])
        below = np.searchsorted(scores, thresholds, "right")

        def above(what: Floats) -> Floats:
            summed = np.append(0.0, np.cumsum(what))
            return np.asarray(summed[-1] - summed[below])

        positive = weight * truth
        negative = weight - positive

        def share(what: Floats) -> Floats:
            total = float(what.sum())
            return above(what) / total if total > 0 else np.full(len(below), np.nan)

        rates = {
            "selection": share(weight),
            "true positive": share(positive),
            "false positive": share(negative),
        }
        lost = np.append(0.0, np.cumsum(value * (1 - truth)))[below]
        return cls(thresholds, rates, above(value * truth) + lost)


def _rate_bounds(bounds: Mapping[str, float]) -> dict[str, float]:
    """The tightest bound on each rate's range."""
    tight: dict[str, float] = {}
    for name, bound in bounds.items():
        for rate in GAPS[name]:
            tight[rate] = min(bound, tight.get(rate, 1.0))
    return tight


def _windowed(curves: list[_Curve], bounds: Mapping[str, float]) -> tuple[float, ...] | None:
    """One threshold per group; None if no window has one of each."""
    tight = _rate_bounds(bounds)
    steps = WINDOWS[len(tight)]
    places = [np.linspace(0.0, max(1.0 - bound, 0.0), steps) for bound in tight.values()]
    starts = np.array(list(product(*places)))  # (w, rates)
    totals = np.zeros(len(starts))
    picks = np.zeros((len(starts), len(curves)), dtype=np.int64)
    for g, curve in enumerate(curves):
        worth = np.broadcast_to(curve.right, (len(starts), len(curve.right))).copy()
        for at, (rate, bound) in enumerate(tight.items()):
            values = curve.rates[rate]
            if not np.isfinite(values).all():
                continue  # the group has no such rows, so it cannot be off
            low = starts[:, at, np.newaxis] - 1e-12
            worth[(values < low) | (values > low + bound + 2e-12)] = -np.inf
        picks[:, g] = worth.argmax(axis=1)
        totals += worth.max(axis=1)
    # Everybody or nobody is no decision, although it has no gap.
    extreme = np.array([len(curve.thresholds) - 1 for curve in curves])
    totals[(picks == 0).all(axis=1) | (picks == extreme).all(axis=1)] = -np.inf
    if not np.isfinite(totals).any():
        return None
    pick = picks[int(totals.argmax())]
    return tuple(float(c.thresholds[at]) for c, at in zip(curves, pick, strict=True))


def _single(pooled: _Curve, curves: list[_Curve], bounds: Mapping[str, float]) -> int:
    """The place of the best threshold for all groups, whose curves are at the pooled ones."""
    excess = np.zeros(len(pooled.thresholds))
    for rate, bound in _rate_bounds(bounds).items():
        stacked = np.array([curve.rates[rate] for curve in curves])
        known = np.isfinite(stacked).all(axis=1)
        if known.sum() >= 2:
            gap = stacked[known].max(axis=0) - stacked[known].min(axis=0)
            excess = np.maximum(excess, gap - bound)
    answered = pooled.rates["selection"]
    useless = (answered < LEAST_ANSWERED) | (answered > 1 - LEAST_ANSWERED)
    if useless.all():
        return int(pooled.right.argmax())
    kept = np.where(useless, np.inf, np.maximum(excess, 0.0))
    within = kept <= 1e-9
    if within.any():
        return int(np.where(within, pooled.right, -np.inf).argmax())
    return int(kept.argmin())


def _pooled_best(pooled: _Curve) -> float:
    return float(pooled.thresholds[int(pooled.right.argmax())])
