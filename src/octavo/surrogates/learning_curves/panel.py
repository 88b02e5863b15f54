"""The experts on a learning curve, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
_GAIN_DRIFT = 0.3  # of what a neighbour gained, this share may come out otherwise
_LEAST_CLAIM = 1e-6  # of the unit
# Logarithms of weights without training, before the score.
_FAMILY = -1.5
_CONSTANTS = {"last": 0.0, "recent": -1.0, "anywhere": -3.0, "neighbors": -1.0}


def untrained_gate() -> Gate:
    """The weights and widths before any complete curve is known."""
    constants = np.array([_CONSTANTS.get(kind, _FAMILY) for kind in KINDS])
    return Gate.untrained(constants, _SCORE_WEIGHT, N_FEATURES)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Cases: which curves, at which steps, whose beginnings, and how far ahead on a log scale."""

    rows: Ints
    at: Floats
    own: Ints
    x: Floats
    ahead: Floats


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
        batch = self._batch
        x = np.maximum(batch.origin[rows] + at / batch.unit[rows], batch.reach[rows])
        asked = _Asked(rows, at, own, x, np.log(x / batch.reach[rows]))
        usual, spread = self._anywhere(asked)
        said = [
            self._stayers(asked),
            self._extrapolations(asked),
            (usual[:, None], spread[:, None], np.zeros((len(rows), 1))),
        ]
        kind = np.arange(len(KINDS) - 1)
        if self._neighbors is not None:
            said.append(self._similar(asked, self._neighbors))
            kind = np.r_[kind, np.full(_N_NEIGHBORS, len(KINDS) - 1)]
        mean, width, score = (np.concatenate(parts, axis=1) for parts in zip(*said, strict=True))
        lowest = np.minimum(self._floor[rows], batch.last[rows])[:, None]
        mean = np.clip(mean, lowest, np.maximum(self._cap[rows], batch.last[rows])[:, None])
        unit = self._unit[rows, None]
        return Cases(
            mean=(mean - self._zero[rows, None]) / unit,
            width=np.maximum(width / unit, _LEAST_CLAIM),
            score=score,
            features=self._features(asked, usual),
            kind=kind,
        )

    # Each group of experts: means, widths and scores, shape (m, experts) each ------------

    def _stayers(self, asked: _Asked) -> tuple[Floats, Floats, Floats]:
        """The last value and the recent mean."""
        rows = asked.rows
        mean = np.column_stack([self._batch.last[rows], self._recent[rows]])
        score = np.maximum(self._evidence[rows, :1], _STILL_SCORE)
        return mean, _twice(self._width_of_staying(asked)), _twice(score[:, 0])

    def _extrapolations(self, asked: _Asked) -> tuple[Floats, Floats, Floats]:
        """The fits of all families."""
        batch, rows = self._batch, asked.rows
        span = batch.range[rows, None]
        found = [fit.at(batch, rows, asked.x) for fit in self._fits]
        mean, deviation = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))
        drift = np.hypot(batch.noise[rows], _FIT_DRIFT * asked.ahead)[:, None]
        mean = batch.last[rows, None] + span * mean
        return mean, span * np.hypot(deviation, drift), self._evidence[rows, 1:]

    def _similar(self, asked: _Asked, neighbors: Neighbors) -> tuple[Floats, Floats, Floats]:
        """What similar complete curves gained from here."""
        begun = [self._curves[row] for row in asked.rows]
        gain, distance = neighbors.nearest(begun, asked.at, asked.own, _N_NEIGHBORS)
        width = np.hypot(self._width_of_staying(asked)[:, None], _GAIN_DRIFT * np.abs(gain))
        score = np.where(np.isinf(distance), -np.inf, -np.square(np.minimum(distance, 1e3)))
        return self._batch.last[asked.rows, None] + gain, width, score

    def _width_of_staying(self, asked: _Asked) -> Floats:
        batch, rows = self._batch, asked.rows
        return np.asarray(
            batch.range[rows] * np.hypot(batch.noise[rows], _STAY_DRIFT * asked.ahead)
        )

    def _anywhere(self, asked: _Asked) -> tuple[Floats, Floats]:
        """The usual cost at a step, and how far costs lie apart there."""
        rows = asked.rows
        if self._neighbors is None:
            return self._batch.last[rows], 2 * self._batch.range[rows]
        usual, spread = self._neighbors.usual(asked.at)
        return usual, np.maximum(spread, 0.1 * self._unit[rows])

    def _features(self, asked: _Asked, usual: Floats) -> Floats:
        """Of the cases: how far ahead, how much was seen, how lively, how good, which way."""
        batch, rows = self._batch, asked.rows
        unit, last = self._unit[rows], batch.last[rows]
        counts = batch.weight[rows].sum(axis=1)
        return np.column_stack(
            [  # each centred and scaled to about one over the lengths that occur
                (np.log(asked.ahead + 0.05) + 0.7) / 1.2,
                (np.log(counts) - 2.5) / 1.2,
                np.clip(np.log(batch.range[rows] / unit) / 2, -4, 4),
                np.arcsinh((last - usual) / unit) / 2,
                np.arcsinh((last - self._middle[rows]) / unit * 3) / 2,
            ]
        )


def _twice(column: Floats) -> Floats:
    return np.column_stack([column, column])
