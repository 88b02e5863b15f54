"""From probabilities to labels: the decision rule that suits a metric of labels.

The most probable class maximizes accuracy; F1, balanced accuracy or Matthews' coefficient
want another rule. `DecisionRule` multiplies each class's probability by a weight before the
largest wins, which for two classes is a threshold. It is tuned on out-of-fold
probabilities and kept only if it also wins on rows it was not tuned on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.classification_metrics import confusion_matrix
from octavo.ensemble.metrics import Metric
from octavo.errors import DataError, SettingError

__all__ = ["DecisionRule", "tune_decision"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_FOLDS = 5
N_THRESHOLDS = 200
SMOOTHING = 0.05
"""Width of the moving average over candidates, as a share of all: a peak of one threshold
that its neighbours do not share is noise."""
LOG_WEIGHTS = np.linspace(-2.5, 2.5, 21)
ROUNDS = 3


@dataclass(frozen=True)
class DecisionRule:
    """The class whose weighted probability is largest wins.

    Parameters
    ----------
    weights
        One per class, positive; empty for the most probable class.
    gain
        By how much the cross-validated score improved over the most probable class.
    """

    weights: tuple[float, ...] = ()
    gain: float = 0.0

    @classmethod
    def at(cls, threshold: float, gain: float = 0.0) -> DecisionRule:
        """Of two classes: class 1 wins above this probability.

        Examples
        --------
        >>> DecisionRule.at(0.2).apply(np.array([[0.7, 0.3], [0.9, 0.1]]))
        array([1, 0])
        """
        return cls((float(threshold), float(1.0 - threshold)), gain)

    @property
    def threshold(self) -> float | None:
        """Of two classes: the probability of class 1 above which it wins; else None."""
        if not self.weights:
            return 0.5
        return self.weights[0] / sum(self.weights) if len(self.weights) == 2 else None

    def apply(self, probabilities: ArrayLike) -> Ints:
        """Encoded labels, shape (n,)."""
        given = np.asarray(probabilities, dtype=np.float64)
        weighted = given * np.asarray(self.weights) if self.weights else given
        labels: Ints = weighted.argmax(1).astype(np.int64)
        return labels

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"weights": list(self.weights), "gain": self.gain}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DecisionRule:
        """Undo `to_json`."""
        return cls(tuple(data["weights"]), data["gain"])


def tune_decision(
    probabilities: ArrayLike,
    y_true: ArrayLike,
    metric: Metric,
    *,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    seed: int = 0,
) -> DecisionRule:
    """The rule that maximizes a metric of labels, if it holds up on other rows.

    Parameters
    ----------
    probabilities : shape (n, K)
        Out-of-fold. Rows with a NaN are left out.
    y_true : shape (n,)
        Encoded classes.
    metric
        Of the kind "labels".
    sample_weight : shape (n,)
        Of the rows.
    classes : shape (K,)
        The user's labels, for custom metrics.
    seed
        For the folds.

    Returns
    -------
    DecisionRule
        The most probable class if nothing else wins for sure.

    Raises
    ------
    SettingError
        If the metric looks at probabilities: no rule can change it.
    """
    if metric.kind != "labels":
        raise SettingError(
            f"metric {metric.name!r} looks at {metric.kind}, so a decision rule cannot change "
            "it. Tune for a metric of labels, such as 'f1' or 'balanced_accuracy'."
        )
    given = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(y_true)
    if given.ndim != 2 or given.shape[1] < 2 or y.shape != given.shape[:1]:
        raise DataError(
            f"the decision rule got probabilities of shape {given.shape} and a target of "
            f"shape {y.shape}; expected (n, K) with K >= 2 and (n,)."
        )
    rows = np.isfinite(given).all(1)
    given, y = given[rows], y[rows].astype(np.int64)
    weight = None if sample_weight is None else np.asarray(sample_weight, float)[rows]
    if len(y) < 4 * N_FOLDS or len(np.unique(y)) < 2:
        return DecisionRule()
    objective = _Objective(metric, None if classes is None else np.asarray(classes))

    gains = []
    for repeat in range(2):
        fold = _folds(y, np.random.default_rng([seed, repeat, 19]))
        before, after = np.empty(len(y), np.int64), np.empty(len(y), np.int64)
        for k in range(N_FOLDS):
            inside, outside = fold != k, fold == k
            part = None if weight is None else weight[inside]
            rule = _tuned(given[inside], y[inside], objective, part)
            before[outside] = given[outside].argmax(1)
            after[outside] = rule.apply(given[outside])
        gains.extend(_bootstrap(before, after, y, objective, given.shape[1], weight, repeat + seed))
    gain, spread = float(np.mean(gains)), float(np.std(gains))
    if gain <= spread:
        return DecisionRule()
    return DecisionRule(_tuned(given, y, objective, weight).weights, gain)


@dataclass(frozen=True)
class _Objective:
    """Scores of labels, larger is better."""

    metric: Metric
    classes: NDArray[Any] | None

    def of_labels(self, y: Ints, labels: Ints, n_classes: int, weight: Floats | None) -> float:
        if self.metric.confusion is not None:
            table = confusion_matrix(y, labels, n_classes, weight)
            return -self.metric.to_cost(float(self.metric.confusion(table)))
        score = self.metric.score(
            y, np.eye(n_classes)[labels], sample_weight=weight, classes=self.classes
        )
        return -self.metric.to_cost(score)


def _folds(y: Ints, rng: np.random.Generator) -> Ints:
    """Stratified: each class dealt out in turn."""
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % N_FOLDS
    return fold


def _bootstrap(
    before: Ints,
    after: Ints,
    y: Ints,
    objective: _Objective,
    n_classes: int,
    weight: Floats | None,
    seed: int,
) -> list[float]:
    """Gains on resampled rows: their spread says how sure the gain is."""
    rng = np.random.default_rng([seed, 23])
    gains = []
    for _ in range(20):
        rows = rng.integers(len(y), size=len(y))
        part = None if weight is None else weight[rows]
        new = objective.of_labels(y[rows], after[rows], n_classes, part)
        old = objective.of_labels(y[rows], before[rows], n_classes, part)
        gains.append(new - old)
    return gains


def _tuned(given: Floats, y: Ints, objective: _Objective, weight: Floats | None) -> DecisionRule:
    if given.shape[1] == 2:
        return _threshold(given[:, 1], y, objective, weight)
    return _class_weights(given, y, objective, weight)


def _threshold(one: Floats, y: Ints, objective: _Objective, weight: Floats | None) -> DecisionRule:
    distinct = np.unique(one)
    middles = (distinct[1:] + distinct[:-1]) / 2
    if not len(middles):
        return DecisionRule()
    # Candidates by rank, so that they are dense where predictions are.
    ranks = np.unique(np.linspace(0, len(middles) - 1, N_THRESHOLDS).round().astype(int))
    candidates = middles[ranks]
    scores = np.array(
        [objective.of_labels(y, (one > t).astype(np.int64), 2, weight) for t in candidates]
    )
    width = max(int(SMOOTHING * len(candidates)) // 2, 1)
    padded = np.pad(scores, width, mode="edge")
    kernel = np.ones(2 * width + 1) / (2 * width + 1)
    smooth = np.convolve(padded, kernel, mode="valid")
    # Of equals the one nearest to one half.
    ties = np.flatnonzero(smooth >= smooth.max() - 1e-12)
    return DecisionRule.at(candidates[ties[np.abs(candidates[ties] - 0.5).argmin()]])


def _class_weights(
    given: Floats, y: Ints, objective: _Objective, weight: Floats | None
) -> DecisionRule:
    """Coordinate ascent over the logarithms of the weights."""
    n_classes = given.shape[1]
    logs = np.zeros(n_classes)
    best = objective.of_labels(y, given.argmax(1), n_classes, weight)
    for _ in range(ROUNDS):
        improved = False
        for k in np.argsort(np.bincount(y, minlength=n_classes), kind="stable"):
            others = given * np.exp(logs)
            others[:, k] = -1.0
            rival, runner_up = others.argmax(1), others.max(1)
            scores = []
            for step in LOG_WEIGHTS:
                labels = np.where(given[:, k] * np.exp(step) > runner_up, k, rival)
                scores.append(objective.of_labels(y, labels, n_classes, weight))
            smooth = np.convolve(np.pad(scores, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
            at = int(smooth.argmax())
            if scores[at] > best + 1e-12:
                logs[k], best, improved = LOG_WEIGHTS[at], scores[at], True
        if not improved:
            break
    weights = np.exp(logs - logs.mean())
    return DecisionRule(tuple(float(w) for w in weights) if logs.any() else ())
