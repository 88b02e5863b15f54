"""Score many predictions of the same rows at once.

Greedy selection asks for thousands of scores of mixtures. A mixture is linear in its
members, so what a metric needs of each prediction can be cut out once: of log loss the
probability of the true class, of a binary metric one column. `Batch` holds that cut and the
vectorized costs of any number of mixtures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble import classification_metrics as c, regression_metrics as r
from octavo.ensemble.metrics import Metric

__all__ = ["Batch"]

Floats = NDArray[np.float64]
_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Batch:
    """What a metric needs of m predictions, and how it scores mixtures of them.

    Parameters
    ----------
    cuts : shape (m, n) or (m, n, K)
        Linear in the predictions.
    costs
        Mixtures of cuts (j, n[, K]) to costs (j,), smaller is better.
    """

    cuts: Floats
    costs: Callable[[Floats], Floats]

    @classmethod
    def of(
        cls,
        metric: Metric,
        y_true: NDArray[Any],
        predictions: Floats,
        weight: Floats | None,
        classes: ArrayLike | None = None,
    ) -> Batch:
        """Choose the quickest way for this metric.

        Parameters
        ----------
        metric
            What to score.
        y_true : shape (n,)
            Encoded classes or numbers.
        predictions : shape (m, n, K) or (m, n)
            Finite.
        weight : shape (n,)
            Or None.
        classes : shape (K,)
            The user's labels, for custom metrics.
        """
        sign = -1.0 if metric.greater_is_better else 1.0
        share = None if weight is None else weight / weight.sum()
        if metric.measure is c.log_loss:
            rows = np.arange(len(y_true))
            sums = predictions.sum(2)
            cuts = predictions[:, rows, y_true.astype(np.int64)] / sums
            return cls(cuts, lambda mixed: -_mean(_log(mixed), share))
        errors = {r.mean_squared_error: np.square, r.mean_absolute_error: np.abs}
        if metric.measure in errors or metric.measure is r.root_mean_squared_error:
            norm = errors.get(metric.measure, np.square)
            off = predictions - y_true.astype(np.float64)
            # The root changes no order, but scores are shown.
            if metric.measure is r.root_mean_squared_error:
                return cls(off, lambda mixed: np.sqrt(_mean(norm(mixed), share)))
            return cls(off, lambda mixed: _mean(norm(mixed), share))
        if metric.measure is r.r2:
            total = r.mean_squared_error(
                y_true.astype(np.float64),
                np.full(len(y_true), np.average(y_true.astype(np.float64), weights=weight)),
                weight,
            )
            if total > 0:
                off = predictions - y_true.astype(np.float64)
                return cls(off, lambda mixed: _mean(np.square(mixed), share) / total - 1.0)
        if metric.measure is c.brier:
            off = predictions - np.eye(predictions.shape[2])[y_true.astype(np.int64)]
            half = 2.0 if predictions.shape[2] == 2 else 1.0
            return cls(
                off, lambda mixed: _mean(np.einsum("jnk,jnk->jn", mixed, mixed), share) / half
            )
        if metric.measure is c.roc_auc and weight is None:
            positive = y_true == 1
            # Positive rows first: then each half can be sorted in place, without an index.
            order = np.argsort(~positive, kind="stable")
            n_positive = int(positive.sum())
            return cls(predictions[:, order, 1], lambda mixed: -_auc(mixed, n_positive))
        if metric.confusion is not None:
            return cls(predictions, _from_labels(metric, y_true.astype(np.int64), weight))
        return cls(
            predictions,
            lambda mixed: np.array(
                [
                    sign * metric.score(y_true, one, sample_weight=weight, classes=classes)
                    for one in mixed
                ]
            ),
        )


def _mean(values: Floats, share: Floats | None) -> Floats:
    return values.mean(1) if share is None else values @ share


def _log(probabilities: Floats) -> Floats:
    return np.log(np.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST))


def _auc(scores: Floats, n_positive: int) -> Floats:
    areas = np.full(len(scores), 0.5)
    n_negative = scores.shape[1] - n_positive
    if not n_positive or not n_negative:
        return areas
    high = np.sort(scores[:, :n_positive], axis=1)
    low = np.sort(scores[:, n_positive:], axis=1)
    # Few needles in a long haystack are quicker than the other way round.
    flipped = n_positive > n_negative
    needles, hay = (low, high) if flipped else (high, low)
    for at in range(len(scores)):
        below = np.searchsorted(hay[at], needles[at], "left").sum(dtype=np.float64)
        up_to = np.searchsorted(hay[at], needles[at], "right").sum(dtype=np.float64)
        areas[at] = (below + up_to) / (2.0 * n_positive * n_negative)
    return 1.0 - areas if flipped else areas


def _from_labels(
    metric: Metric, y_true: NDArray[np.int64], weight: Floats | None
) -> Callable[[Floats], Floats]:
    assert metric.confusion is not None
    confusion = metric.confusion

    def costs(mixed: Floats) -> Floats:
        n_classes = mixed.shape[2]
        tables = np.empty((len(mixed), n_classes, n_classes))
        for at, one in enumerate(mixed):
            labels = one[:, 1] > one[:, 0] if n_classes == 2 else one.argmax(1)
            tables[at] = c.confusion_matrix(y_true, labels, n_classes, weight)
        scores = confusion(tables)
        return -scores if metric.greater_is_better else scores

    return costs
