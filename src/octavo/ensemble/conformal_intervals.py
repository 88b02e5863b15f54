"""Prediction intervals: between which values a number lies, with a stated probability.

Around each prediction, as wide as the errors of validated rows say (see
`octavo.ensemble.conformal`). Errors are divided by a scale before they are compared, so that
intervals are narrow where the model is good and wide where it is not (Lei et al. 2018,
Distribution-Free Predictive Inference for Regression, JASA 113, 1094-1111, section 5.2). The
scale follows the predicted value, or how much the members of an ensemble disagree; and the two
sides may differ, where errors upwards are larger than errors downwards. Each of these is kept
only if it improves the interval score (Gneiting & Raftery 2007, JASA 102, 359-378) on rows that
it was not fitted on by more than twice its standard error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.conformal import MOST, Scores, average, check_coverage
from octavo.errors import DataError

__all__ = [
    "Intervals",
    "fit_intervals",
    "interval_coverage",
    "interval_score",
    "interval_width",
]

Floats = NDArray[np.float64]
Signal = Literal["nothing", "prediction", "disagreement"]

N_FOLDS = 5
BIN_ROWS = 50
"""A bin of the scale needs so many rows: the mean error of fewer is mostly noise."""
MOST_BINS = 20
SMALLEST = 0.1  # of the mean error: a scale below it would promise what few rows cannot know
SURE = 2.0  # standard errors; several variants are tried, and one of them is lucky
CHOICE_ROWS = 5000  # more rows would not change what is chosen
CHOICE_COVERAGE = 0.9


@dataclass(frozen=True)
class Intervals:
    """What turns predictions into intervals.

    Parameters
    ----------
    upper
        Scores of validated rows: errors upwards in units of the scale; of both sides together
        if `lower` is None.
    lower
        Scores of errors downwards.
    signal
        What the scale follows.
    knots
        Pairs (signal, scale), increasing in the signal; none for a constant scale of 1.
    gain
        Share by which the cross-validated interval score fell against a constant width.
    """

    upper: Scores
    lower: Scores | None = None
    signal: Signal = "nothing"
    knots: tuple[tuple[float, float], ...] = ()
    gain: float = 0.0

    def apply(
        self,
        prediction: ArrayLike,
        coverage: float = 0.9,
        *,
        disagreement: ArrayLike | None = None,
    ) -> Floats:
        """Lower and upper ends, shape (n, 2), in the unit of the prediction.

        Parameters
        ----------
        prediction : shape (n,)
            Of new rows.
        coverage
            Probability with which the truth is inside, strictly between 0 and 1.
        disagreement : shape (n,)
            As in fitting; needed if `signal` is "disagreement".

        Raises
        ------
        SettingError
            If the coverage cannot be promised from as many rows as there were.
        DataError
            If the disagreement is needed and not given.
        """
        coverage = check_coverage(coverage)
        middle = np.asarray(prediction, dtype=np.float64)
        if self.lower is None:
            up = down = self.upper.quantile(coverage)
        else:
            side = (1 + coverage) / 2
            up, down = self.upper.quantile(side), self.lower.quantile(side)
        scale = _interpolated(self.knots, self._signal_of(middle, disagreement))
        return np.column_stack([middle - down * scale, middle + up * scale])

    def describe(self) -> str:
        """In words, what the width depends on."""
        sides = "" if self.lower is None else ", with two sides of their own"
        follows = {
            "nothing": "are equally wide everywhere",
            "prediction": "are as wide as errors are at such predicted values",
            "disagreement": "are as wide as errors are where members disagree that much",
        }[self.signal]
        return f"Intervals {follows}{sides}."

    def _signal_of(self, middle: Floats, disagreement: ArrayLike | None) -> Floats:
        if self.signal != "disagreement":
            return middle
        if disagreement is None:
            raise DataError(
                "these intervals follow how much the members of the ensemble disagree, but no "
                "disagreement was given. Pass one number per row, as in fitting."
            )
        return np.asarray(disagreement, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "upper": self.upper.to_json(),
            "lower": None if self.lower is None else self.lower.to_json(),
            "signal": self.signal,
            "knots": [list(knot) for knot in self.knots],
            "gain": self.gain,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Undo `to_json`."""
        return cls(
            upper=Scores.from_json(data["upper"]),
            lower=None if data["lower"] is None else Scores.from_json(data["lower"]),
            signal=data["signal"],
            knots=tuple((a, b) for a, b in data["knots"]),
            gain=data["gain"],
        )


def fit_intervals(
    y_true: ArrayLike,
    prediction: ArrayLike,
    *,
    disagreement: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> Intervals:
    """Learn from validated rows how wide intervals must be.

    Parameters
    ----------
    y_true, prediction : shape (n,)
        Of rows that the model was not fitted on.
    disagreement : shape (n,)
        Any sign of how unsure the model is; usually the standard deviation over an ensemble's
        members.
    sample_weight : shape (n,)
        Of the rows; those of weight zero do not count.
    seed
        Of the folds.

    Raises
    ------
    DataError
        If shapes differ or no row is finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> size = rng.uniform(1, 9, 4000)
    >>> found = fit_intervals(size + rng.normal(0, size), size)
    >>> found.signal
    'prediction'
    >>> low, high = found.apply([2.0, 8.0], 0.9).T
    >>> bool(3 < (high - low)[1] / (high - low)[0] < 5)
    True
    """
    y, middle, other, weight = _checked(y_true, prediction, disagreement, sample_weight)
    error = y - middle
    signals: dict[Signal, Floats] = {"nothing": middle}
    if len(y) >= 2 * N_FOLDS * BIN_ROWS:
        signals["prediction"] = middle
        if other is not None and np.ptp(other) > 0:
            signals["disagreement"] = other
    fold = np.random.default_rng([seed, 37]).permutation(len(y)) % N_FOLDS
    signal, is_signed, gain = _chosen(error, signals, weight, fold)

    # Each row's scale comes from the other folds: a scale that has seen a row's own error makes
    # its score too small.
    knots = _scale(signals[signal], np.abs(error), weight) if signal != "nothing" else ()
    scaled = error.copy()
    if knots:
        for k in range(N_FOLDS):
            inside, outside = fold != k, fold == k
            own = _scale(signals[signal][inside], np.abs(error[inside]), weight[inside])
            scaled[outside] = error[outside] / _interpolated(own, signals[signal][outside])
    if is_signed:
        upper = Scores.of(scaled, sample_weight=weight, most=MOST // 2)
        lower = Scores.of(-scaled, sample_weight=weight, most=MOST // 2)
        return Intervals(upper, lower, signal, knots, gain)
    return Intervals(Scores.of(np.abs(scaled), sample_weight=weight), None, signal, knots, gain)


# Measures ----------------------------------------------------------------------------


def interval_coverage(
    y_true: ArrayLike, intervals: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of the rows whose truth lies inside, ends included.

    Examples
    --------
    >>> interval_coverage([1.0, 5.0], [[0.0, 2.0], [0.0, 2.0]])
    0.5
    """
    y, ends = np.asarray(y_true, np.float64), np.asarray(intervals, np.float64)
    inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
    return average(inside, sample_weight)


def interval_width(intervals: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean width, in the unit of the target."""
    ends = np.asarray(intervals, np.float64)
    return average(ends[:, 1] - ends[:, 0], sample_weight)


def interval_score(
    y_true: ArrayLike,
    intervals: ArrayLike,
    coverage: float,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Width plus a penalty for each truth outside; smaller is better (Gneiting & Raftery 2007).

    It is a proper score: the true quantiles have the smallest expectation.

    Examples
    --------
    >>> interval_score([1.0, 3.0], [[0.0, 2.0], [0.0, 2.0]], 0.5)
    4.0
    """
    y, ends = np.asarray(y_true, np.float64), np.asarray(intervals, np.float64)
    return average(_losses(y, ends, check_coverage(coverage)), sample_weight)


def _losses(y: Floats, ends: Floats, coverage: float) -> Floats:
    outside = np.maximum(ends[:, 0] - y, 0.0) + np.maximum(y - ends[:, 1], 0.0)
    losses: Floats = ends[:, 1] - ends[:, 0] + 2.0 / (1.0 - coverage) * outside
    return losses


# Parts -------------------------------------------------------------------------------


def _checked(
    y_true: ArrayLike,
    prediction: ArrayLike,
    disagreement: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[Floats, Floats, Floats | None, Floats]:
    y, middle = np.asarray(y_true, np.float64), np.asarray(prediction, np.float64)
    other = None if disagreement is None else np.asarray(disagreement, np.float64)
    weight = np.ones(y.shape) if sample_weight is None else np.asarray(sample_weight, np.float64)
    shapes = {"prediction": middle, "disagreement": other, "sample_weight": weight}
    for name, array in shapes.items():
        if array is not None and (array.shape != y.shape or y.ndim != 1):
            raise DataError(
                f"intervals got a target of shape {y.shape} and {name} of shape {array.shape}; "
                "expected one number per row, (n,), of each."
            )
    counts = np.isfinite(y) & np.isfinite(middle) & (weight > 0)
    if other is not None:
        counts &= np.isfinite(other)
        other = other[counts]
    if not counts.any():
        raise DataError(
            f"none of the {len(y)} rows has a finite target, a finite prediction and a weight. "
            "At least one must."
        )
    return y[counts], middle[counts], other, weight[counts]


def _chosen(
    error: Floats, signals: Mapping[Signal, Floats], weight: Floats, fold: NDArray[np.int64]
) -> tuple[Signal, bool, float]:
    """The signal, whether the sides differ, and the gain over one constant width."""
    # By their random fold, so that rows of all the table are looked at.
    rows = np.argsort(fold, kind="stable")[:: max(len(error) // CHOICE_ROWS, 1)]
    error, weight, fold = error[rows], weight[rows], fold[rows]
    plain: Floats | None = None
    best: tuple[float, Signal, bool] = (0.0, "nothing", False)
    for is_signed in (False, True):
        for signal in (name for name in get_args(Signal) if name in signals):
            losses = _cross_validated(error, signals[signal][rows], signal, is_signed, weight, fold)
            if losses is None:
                continue
            if plain is None:
                plain = losses
                continue
            saved = plain - losses
            gain = float(np.average(saved, weights=weight))
            spread = float(np.sqrt(np.average((saved - gain) ** 2, weights=weight) / len(saved)))
            # Simpler ones come first; what follows must pay for itself.
            if gain > SURE * spread and gain > best[0] + 0.5 * spread:
                best = (gain, signal, is_signed)
    if plain is None or best[0] <= 0:
        return "nothing", False, 0.0
    return best[1], best[2], best[0] / float(np.average(plain, weights=weight))


def _cross_validated(
    error: Floats,
    signal: Floats,
    name: Signal,
    is_signed: bool,
    weight: Floats,
    fold: NDArray[np.int64],
) -> Floats | None:
    """Interval scores of rows by what the other folds say; None if there are too few rows."""
    losses = np.empty(len(error))
    side = (1 + CHOICE_COVERAGE) / 2 if is_signed else CHOICE_COVERAGE
    for k in range(N_FOLDS):
        inside, outside = fold != k, fold == k
        if (inside.sum() + 1) * (1 - side) < 1:
            return None
        knots = (
            ()
            if name == "nothing"
            else _scale(signal[inside], np.abs(error[inside]), weight[inside])
        )
        scaled = error[inside] / _interpolated(knots, signal[inside])
        part = weight[inside]
        if is_signed:
            up = Scores.of(scaled, sample_weight=part).quantile(side)
            down = Scores.of(-scaled, sample_weight=part).quantile(side)
        else:
            up = down = Scores.of(np.abs(scaled), sample_weight=part).quantile(side)
        scale = _interpolated(knots, signal[outside])
        ends = np.column_stack([-down * scale, up * scale])
        losses[outside] = _losses(error[outside], ends, CHOICE_COVERAGE)
    return losses


def _scale(signal: Floats, size: Floats, weight: Floats) -> tuple[tuple[float, float], ...]:
    """Mean size of the error along the signal: knots of a piecewise linear function."""
    overall = float(np.average(size, weights=weight))
    n_bins = min(MOST_BINS, len(signal) // BIN_ROWS)
    if overall <= 0 or n_bins < 2:
        return ()
    order = np.argsort(signal, kind="stable")
    at, height = [], []
    for rows in np.array_split(order, n_bins):
        at.append(float(np.average(signal[rows], weights=weight[rows])))
        height.append(float(np.average(size[rows], weights=weight[rows])))
    # Neighbours share noise: a little smoothing costs no shape that twenty bins could show.
    heights = np.convolve(np.pad(height, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    heights = np.maximum(heights, SMALLEST * overall)
    knots: dict[float, list[float]] = {}
    for a, b in zip(at, heights, strict=True):
        knots.setdefault(a, []).append(float(b))  # equal signals fill several bins
    return tuple((a, float(np.mean(b))) for a, b in sorted(knots.items()))


def _interpolated(knots: tuple[tuple[float, float], ...], signal: Floats) -> Floats:
    if not knots:
        return np.ones(len(signal))
    x, y = np.array(knots).T
    scale: Floats = np.interp(signal, x, y)
    return scale
