"""The experts on a learning curve, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.surrogates.learning_curves.batch import batch_of
from octavo.surrogates.learning_curves.experts import Cases, Gate
from octavo.surrogates.learning_curves.families import CONSTANT, FAMILIES
from octavo.surrogates.learning_curves.fitting import fit_family
from octavo.surrogates.learning_curves.neighbors import Neighbors
from octavo.surrogates.learning_curves.reading import Curve, Scale

__all__ = ["KINDS", "Panel", "untrained_gate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("last", "recent", *(family.name for family in FAMILIES), "anywhere", "neighbors")
"""Kinds of experts, in the order of a gate's rows."""

N_FEATURES = 5
_N_NEIGHBORS = 8
_WORST_SCORE = -30.0
_STILL_SCORE = -3.0
_SCORE_WEIGHT = 0.3  # of evidence: points of one curve are not independent of one another
# Without training, errors of extrapolation grow by this share of the seen range when the way
# from the first step is e times as long: for fits, and for who takes the curve to stay.
_FIT_DRIFT, _STAY_DRIFT = 0.1, 0.25
_FAMILY = -1.5
_CONSTANTS = {"last": 0.0, "recent": -1.0, "anywhere": -3.0, "neighbors": -1.0}


def untrained_gate() -> Gate:
    """The weights and widths before any complete curve is known."""
    constants = np.array([_CONSTANTS.get(kind, _FAMILY) for kind in KINDS])
    return Gate.untrained(constants, _SCORE_WEIGHT, N_FEATURES)


class Panel:
    """All experts, having seen the beginnings of some curves.

    Parameters
    ----------
    curves
        Steps and finite costs of each.
    scales
        One per curve.
    neighbors
        Complete curves of the problem; None before any are known.
    """

    def __init__(
        self, curves: Sequence[Curve], scales: Sequence[Scale], neighbors: Neighbors | None
    ) -> None:
        self._curves, self._neighbors = curves, neighbors
        self._zero = np.array([scale.zero for scale in scales])
        self._unit = np.array([scale.unit for scale in scales])
        self._cap = np.array([scale.cap for scale in scales])
        self._floor = np.array([scale.floor for scale in scales])
        self._batch = batch_of(curves)
        self._fits = [fit_family(family, self._batch) for family in FAMILIES]
        constant = fit_family(CONSTANT, self._batch)
        evidence = np.stack([fit.log_evidence for fit in (constant, *self._fits)], axis=1)
        evidence -= evidence.max(axis=1, keepdims=True)
        self._evidence = np.maximum(evidence, _WORST_SCORE)
        self._recent = np.array([costs[-max(len(costs) // 4, 3) :].mean() for _, costs in curves])
        self._middle = np.array([costs[len(costs) // 2] for _, costs in curves])

    def cases(self, rows: Ints, at: Floats, own: Ints) -> Cases:
        """What they say of some curves at some steps.

        Parameters
        ----------
        rows : shape (m,)
            Which curves.
        at : shape (m,)
            The steps in question.
        own : shape (m,)
            Which of the complete curves each one belongs to; -1 if to none.
        """
        batch, m = self._batch, len(rows)
        x = np.maximum(batch.origin[rows] + at / batch.unit[rows], batch.reach[rows])
        ahead = np.log(x / batch.reach[rows])
        last, span = batch.last[rows], batch.range[rows]
        noise = batch.noise[rows]
        stays = span * np.hypot(noise, _STAY_DRIFT * ahead)
        still = np.maximum(self._evidence[rows, 0], _STILL_SCORE)
        means, widths, scores = [last, self._recent[rows]], [stays, stays], [still, still]
        for number, fit in enumerate(self._fits):
            mean, deviation = fit.at(batch, rows, x)
            means.append(last + span * mean)
            widths.append(span * np.sqrt(deviation**2 + noise**2 + (_FIT_DRIFT * ahead) ** 2))
            scores.append(self._evidence[rows, number + 1])
        usual, spread = self._anywhere(rows, at)
        means.append(usual)
        widths.append(spread)
        scores.append(np.zeros(m))
        mean, width, score = (np.stack(parts, axis=1) for parts in (means, widths, scores))
        kind = np.arange(len(KINDS) - 1)
        if self._neighbors is not None:
            gain, distance = self._neighbors.nearest(
                [self._curves[row] for row in rows], at, own, _N_NEIGHBORS
            )
            mean = np.concatenate([mean, last[:, None] + gain], axis=1)
            claimed = np.hypot(stays[:, None], 0.3 * np.abs(gain))
            width = np.concatenate([width, claimed], axis=1)
            score = np.concatenate([score, -np.square(np.minimum(distance, 1e3))], axis=1)
            score[:, -_N_NEIGHBORS:][np.isinf(distance)] = -np.inf
            kind = np.r_[kind, np.full(_N_NEIGHBORS, len(KINDS) - 1)]
        zero, unit = self._zero[rows, None], self._unit[rows, None]
        lowest = np.minimum(self._floor[rows], last)[:, None]
        mean = np.clip(mean, lowest, np.maximum(self._cap[rows], last)[:, None])
        return Cases(
            mean=(mean - zero) / unit,
            width=np.maximum(width / unit, 1e-6),
            score=score,
            features=self._features(rows, ahead, usual),
            kind=kind,
        )

    def _anywhere(self, rows: Ints, at: Floats) -> tuple[Floats, Floats]:
        """The usual cost at a step, and how far costs lie apart there."""
        last, span = self._batch.last[rows], self._batch.range[rows]
        if self._neighbors is None:
            return last, 2 * span
        usual, spread = self._neighbors.usual(at)
        return usual, np.maximum(spread, 0.1 * self._unit[rows])

    def _features(self, rows: Ints, ahead: Floats, usual: Floats) -> Floats:
        """Of the cases: how far ahead, how much was seen, how lively, how good, which way."""
        unit = self._unit[rows]
        last = self._batch.last[rows]
        counts = self._batch.weight[rows].sum(axis=1)
        return np.column_stack(
            [
                (np.log(ahead + 0.05) + 0.7) / 1.2,
                (np.log(counts) - 2.5) / 1.2,
                np.clip(np.log(self._batch.range[rows] / unit) / 2, -4, 4),
                np.tanh((last - usual) / unit),
                np.tanh((last - self._middle[rows]) / unit * 3),
            ]
        )
