"""How sure a score is, and what a plain guess would have scored.

The interval is the percentile bootstrap over rows (Efron 1979, Ann. Statist. 7, 1-26). It
covers the luck of the validation rows, not that of the training rows, and a score on which
models were selected is a little too good; both are said where it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.metrics import Metric, Task
from octavo.errors import DataError, SettingError

__all__ = ["plain_baseline", "score_gain", "score_interval"]

FEWEST = 20
"""Of fewer resamples nothing is said."""


def score_interval(
    metric: Metric,
    y_true: ArrayLike,
    prediction: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    decide: Callable[[NDArray[np.float64]], NDArray[np.int64]] | None = None,
    level: float = 0.95,
    repeats: int = 300,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Between which values the score lies with the given confidence.

    Parameters
    ----------
    metric, y_true, prediction, sample_weight, classes, decide
        As for `Metric.score`.
    level
        Confidence, strictly between 0 and 1.
    repeats
        Resamples of the rows.
    time_limit_s
        Resampling stops then; 20 resamples at least must have been done.
    seed
        Same seed, same interval.

    Returns
    -------
    (low, high) in the user's direction, or None if time or rows did not suffice

    Examples
    --------
    >>> import numpy as np
    >>> from octavo.ensemble import get_metric
    >>> y = np.arange(400) % 2
    >>> p = np.eye(2)[np.where(np.arange(400) < 40, 1 - y, y)]
    >>> low, high = score_interval(get_metric("accuracy", "binary"), y, p)
    >>> 0.86 < low < 0.88 and 0.92 < high < 0.94
    True
    """
    if not 0 < level < 1:
        raise SettingError(f"level={level!r} must lie strictly between 0 and 1, such as 0.95.")
    target, values = np.asarray(y_true), np.asarray(prediction)
    weight = None if sample_weight is None else np.asarray(sample_weight)

    def score(rows: NDArray[np.int64]) -> float:
        part = None if weight is None else weight[rows]
        return metric.score(
            target[rows], values[rows], sample_weight=part, classes=classes, decide=decide
        )

    scores = list(_resampled(score, len(target), repeats, time_limit_s, seed))
    if len(scores) < FEWEST:
        return None
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def score_gain(
    metric: Metric,
    y_true: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    repeats: int = 200,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> tuple[float, float] | None:
    """By how much one prediction scores better than another, and the standard error of that.

    A paired bootstrap: both are scored on the same resampled rows, so that what makes the rows
    of a resample hard cancels out.

    Parameters
    ----------
    metric, y_true, sample_weight, classes
        As for `Metric.score`.
    before, after
        The two predictions.
    repeats, time_limit_s, seed
        As for `score_interval`.

    Returns
    -------
    (gain, standard error), the gain positive if `after` is better in the metric's direction; or
    None if time or rows did not suffice

    Examples
    --------
    >>> import numpy as np
    >>> from octavo.ensemble import get_metric
    >>> y = np.arange(400) / 400
    >>> gain, error = score_gain(get_metric("mae", "regression"), y, y + 0.3, y + 0.1)
    >>> round(gain, 6), round(error, 6)
    (0.2, 0.0)
    """
    target, first, second = np.asarray(y_true), np.asarray(before), np.asarray(after)
    weight = None if sample_weight is None else np.asarray(sample_weight)

    def gain(rows: NDArray[np.int64] | slice) -> float:
        part = None if weight is None else weight[rows]
        costs = [
            metric.to_cost(
                metric.score(target[rows], values[rows], sample_weight=part, classes=classes)
            )
            for values in (first, second)
        ]
        return costs[0] - costs[1]

    gains = list(_resampled(gain, len(target), repeats, time_limit_s, seed))
    if len(gains) < FEWEST:
        return None
    return gain(slice(None)), float(np.std(gains))


def _resampled(
    measure: Callable[[NDArray[np.int64]], float],
    n_rows: int,
    repeats: int,
    time_limit_s: float | None,
    seed: int,
) -> Iterator[float]:
    """What is measured on rows that are drawn with replacement, again and again."""
    ends = np.inf if time_limit_s is None else time.monotonic() + time_limit_s
    rng = np.random.default_rng([seed, 31])
    for _ in range(repeats):
        try:
            yield measure(rng.integers(n_rows, size=n_rows))
        except DataError:
            # Undefined on this resample (a class is missing); too many of these and there
            # is no interval.
            continue
        if time.monotonic() >= ends:
            return


def plain_baseline(
    metric: Metric,
    task: Task,
    y_true: ArrayLike,
    *,
    n_classes: int | None = None,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
) -> tuple[float, str]:
    """The score of an answer that looks at no column, and what it answers.

    Classes: their frequencies, hence the most frequent label. Numbers: the mean or the
    median, whichever scores better.

    Examples
    --------
    >>> from octavo.ensemble import get_metric
    >>> plain_baseline(get_metric("accuracy", "binary"), "binary", [0, 0, 0, 1])
    (0.75, 'always answering with the most frequent class')
    """
    y: NDArray[Any] = np.asarray(y_true)
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    if task == "regression":
        y = y.astype(np.float64)
        answers = {"mean": float(np.average(y, weights=weight)), "median": float(np.median(y))}
        scores = {
            name: metric.score(y, np.full(len(y), value), sample_weight=weight)
            for name, value in answers.items()
        }
        best = min(scores, key=lambda name: metric.to_cost(scores[name]))
        return scores[best], f"always answering with the {best}"
    counts = np.bincount(y.astype(np.int64), weight, n_classes or max(int(y.max()) + 1, 2))
    shares = np.broadcast_to(counts / counts.sum(), (len(y), len(counts)))
    score = metric.score(y, shares, sample_weight=weight, classes=classes)
    what = "the most frequent class" if metric.kind == "labels" else "the class frequencies"
    return score, f"always answering with {what}"
