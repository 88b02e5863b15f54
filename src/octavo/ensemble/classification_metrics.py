"""Classification metrics on whole arrays, quick enough to be asked thousands of times.

Two families. Metrics of *labels* are functions of the confusion matrix alone
(`C[..., true, predicted]`, any number of leading axes), so that a tuner can score a hundred
decision rules at once. Metrics of *probabilities* take the matrix (n, K) over the encoded
classes 0..K-1. Both know all K classes even if a fold holds only some of them, and take
weights. Where a metric is undefined they return the value of a guess, which is the same for
every model and therefore decides nothing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "cohen_kappa",
    "confusion_matrix",
    "d2_brier",
    "d2_log_loss",
    "log_loss",
    "matthews",
    "per_class",
    "roc_auc",
    "roc_auc_ovo",
    "roc_auc_ovr",
    "top_k_accuracy",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Average = Literal["binary", "macro", "micro", "weighted"]

# Of a float64: a certain but wrong prediction costs 36 nats instead of infinity, as in
# scikit-learn, so results compare like for like.
_SMALLEST = float(np.finfo(np.float64).eps)


# Labels ------------------------------------------------------------------------------


def confusion_matrix(
    y_true: Ints, y_pred: Ints, n_classes: int, weight: Floats | None = None
) -> Floats:
    """Count (or weigh) each pair of true and predicted class.

    Parameters
    ----------
    y_true, y_pred : shape (n,)
        Encoded classes.
    n_classes
        K.
    weight : shape (n,)
        One per row; None counts rows.

    Returns
    -------
    shape (K, K)
        Rows are true classes, columns predicted ones.
    """
    pairs = y_true * n_classes + y_pred
    counts: Floats = np.bincount(pairs, weight, n_classes * n_classes).astype(np.float64)
    table: Floats = np.reshape(counts, (n_classes, n_classes))
    return table


def _ratio(numerator: Floats, denominator: Floats, empty: float = 0.0) -> Floats:
    """Divide where possible; `empty` where the denominator is zero."""
    out: Floats = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), empty)
    return np.divide(numerator, denominator, out=out, where=denominator != 0)


def accuracy(confusion: Floats) -> Floats:
    """Share of rows with the right label."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1)))


def balanced_accuracy(confusion: Floats) -> Floats:
    """Mean recall over the classes that occur among the true labels."""
    support = confusion.sum(-1)
    recalls = _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), support)
    return _ratio(recalls.sum(-1), (support > 0).sum(-1))


def cohen_kappa(confusion: Floats) -> Floats:
    """Agreement beyond chance (Cohen 1960); 0 where chance already agrees fully."""
    total = confusion.sum((-2, -1))
    agreed = np.trace(confusion, axis1=-2, axis2=-1)
    by_chance = _ratio((confusion.sum(-1) * confusion.sum(-2)).sum(-1), total)
    return _ratio(agreed - by_chance, total - by_chance)


def matthews(confusion: Floats) -> Floats:
    """Matthews correlation coefficient for any K (Gorodkin 2004); 0 where undefined."""
    total = confusion.sum((-2, -1))
    true, predicted = confusion.sum(-1), confusion.sum(-2)
    agreed = np.trace(confusion, axis1=-2, axis2=-1)
    covariance = agreed * total - (true * predicted).sum(-1)
    spread_true = total**2 - (true**2).sum(-1)
    spread_predicted = total**2 - (predicted**2).sum(-1)
    return _ratio(covariance, np.sqrt(np.maximum(spread_true * spread_predicted, 0.0)))


def per_class(
    confusion: Floats,
    *,
    what: Literal["precision", "recall", "f1", "jaccard"],
    average: Average,
) -> Floats:
    """A metric that is computed per class and averaged over classes.

    Parameters
    ----------
    confusion : shape (..., K, K)
    what
        Which one. A class without any prediction (or any true label) scores 0.
    average
        "binary": of class 1 alone; "macro": mean over the classes that occur among true or
        predicted labels; "weighted": by the number of true labels; "micro": from the sums.

    Returns
    -------
    shape (...,)
    """
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(-1), confusion.sum(-2)
    if average == "micro":
        hit, true, predicted = (a.sum(-1, keepdims=True) for a in (hit, true, predicted))
    values = {
        "precision": lambda: _ratio(hit, predicted),
        "recall": lambda: _ratio(hit, true),
        "f1": lambda: _ratio(2 * hit, true + predicted),
        "jaccard": lambda: _ratio(hit, true + predicted - hit),
    }[what]()
    if average == "binary":
        return values[..., 1]
    if average == "micro":
        return values[..., 0]
    if average == "weighted":
        return _ratio((values * true).sum(-1), true.sum(-1))
    return _ratio(values.sum(-1), ((true > 0) | (predicted > 0)).sum(-1))


# Probabilities -----------------------------------------------------------------------


def _mean(values: Floats, weight: Floats | None) -> float:
    return float(values.mean() if weight is None else values @ weight / weight.sum())


def log_loss(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Mean negative log-probability of the true class, in nats.

    Rows are divided by their sum first, so unnormalized mixtures are fine.
    """
    of_true = probabilities[np.arange(len(y_true)), y_true] / probabilities.sum(1)
    return _mean(-np.log(np.clip(of_true, _SMALLEST, 1.0 - _SMALLEST)), weight)


def brier(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Mean squared error of the probabilities (Brier 1950).

    With two classes the error of class 1 alone (range 0 to 1); with more the sum over all
    classes (range 0 to 2), as scikit-learn scales it by default.
    """
    rows = np.arange(len(y_true))
    squared = (probabilities**2).sum(1) - 2 * probabilities[rows, y_true] + 1.0
    return _mean(squared / 2 if probabilities.shape[1] == 2 else squared, weight)


def _of_the_prior(y_true: Ints, probabilities: Floats, weight: Floats | None) -> Floats:
    """What a model knows that only counts classes: their shares, in every row."""
    shares = np.bincount(y_true, weight, probabilities.shape[1])
    return np.broadcast_to(shares / shares.sum(), probabilities.shape)


def d2_log_loss(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Share of the log loss of the class frequencies that the model removes; 1 is perfect."""
    chance = log_loss(y_true, _of_the_prior(y_true, probabilities, weight), weight)
    return 0.0 if chance <= 1e-12 else 1.0 - log_loss(y_true, probabilities, weight) / chance


def d2_brier(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Share of the Brier score of the class frequencies that the model removes."""
    chance = brier(y_true, _of_the_prior(y_true, probabilities, weight), weight)
    return 0.0 if chance <= 1e-12 else 1.0 - brier(y_true, probabilities, weight) / chance


def top_k_accuracy(
    y_true: Ints, probabilities: Floats, weight: Floats | None = None, k: int = 2
) -> float:
    """Share of rows whose true class is among the k most probable ones (ties count)."""
    of_true = probabilities[np.arange(len(y_true)), y_true]
    above = (probabilities > of_true[:, None]).sum(1)
    return _mean((above < k).astype(np.float64), weight)


def _auc(positive: NDArray[np.bool_], score: Floats, weight: Floats | None) -> float:
    """Chance that a random positive row scores above a random negative one; ties half.

    The Mann-Whitney statistic by ranks; 0.5 if only one class is present.
    """
    if weight is None:
        # Sorting the two groups apart and merging is several times quicker than an argsort.
        high, low = np.sort(score[positive]), np.sort(score[~positive])
        if not len(high) or not len(low):
            return 0.5
        below = np.searchsorted(low, high, "left").sum(dtype=np.float64)
        up_to = np.searchsorted(low, high, "right").sum(dtype=np.float64)
        return float((below + up_to) / (2.0 * len(high) * len(low)))
    order = np.argsort(score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) > 0, True))
    gained = np.diff(np.cumsum(np.where(positive, weight, 0.0)[order])[ends], prepend=0.0)
    lost = np.diff(np.cumsum(np.where(positive, 0.0, weight)[order])[ends], prepend=0.0)
    if gained.sum() <= 0 or lost.sum() <= 0:
        return 0.5
    below = np.cumsum(lost) - lost / 2
    return float((gained @ below) / (gained.sum() * lost.sum()))


def roc_auc(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Area under the ROC curve of class 1 (two classes); 0.5 if only one is present."""
    return _auc(y_true == 1, probabilities[:, 1], weight)


def roc_auc_ovr(
    y_true: Ints,
    probabilities: Floats,
    weight: Floats | None = None,
    *,
    average: Literal["macro", "weighted"],
) -> float:
    """Each class against the rest, averaged over the classes that are present."""
    support = np.bincount(y_true, weight, probabilities.shape[1])
    present = np.flatnonzero(support > 0)
    areas = [_auc(y_true == k, probabilities[:, k], weight) for k in present]
    return float(np.average(areas, weights=support[present] if average == "weighted" else None))


def roc_auc_ovo(
    y_true: Ints,
    probabilities: Floats,
    weight: Floats | None = None,
    *,
    average: Literal["macro", "weighted"],
) -> float:
    """Each class against each other one (Hand & Till 2001), over the classes present."""
    present = np.unique(y_true)
    areas, shares = [], []
    for at, a in enumerate(present):
        for b in present[at + 1 :]:
            rows = (y_true == a) | (y_true == b)
            part = None if weight is None else weight[rows]
            is_a = y_true[rows] == a
            one = _auc(is_a, probabilities[rows, a], part)
            two = _auc(~is_a, probabilities[rows, b], part)
            areas.append((one + two) / 2)
            shares.append(rows.sum() if average == "weighted" else 1.0)
    return float(np.average(areas, weights=shares)) if areas else 0.5


def _average_precision(positive: NDArray[np.bool_], score: Floats, weight: Floats | None) -> float:
    weight = np.ones(len(score)) if weight is None else weight
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) < 0, True))
    hits = np.cumsum(np.where(positive, weight, 0.0)[order])[ends]
    total = np.cumsum(weight[order])[ends]
    if hits[-1] <= 0:
        return 0.0
    precision = _ratio(hits, total)
    return float(np.diff(hits / hits[-1], prepend=0.0) @ precision)


def average_precision(y_true: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Area under the precision-recall steps: of class 1, or the mean over classes if K > 2.

    Classes without a row are left out of the mean; 0 if class 1 has none.
    """
    if probabilities.shape[1] == 2:
        return _average_precision(y_true == 1, probabilities[:, 1], weight)
    present = np.unique(y_true)
    return float(
        np.mean([_average_precision(y_true == k, probabilities[:, k], weight) for k in present])
    )
