"""What a model's predictions on held-out rows are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

N_RESAMPLES = 200
N_BINS = 15
COVERAGE = 0.9


def predict(model: Any, X: pd.DataFrame, task: str) -> NDArray[Any]:
    """Numbers for regression; for classes, probabilities with the classes in sorted order."""
    if task == "regression":
        return np.asarray(model.predict(X), dtype=float)
    order = np.argsort(np.asarray(model.classes_).astype(str))
    return np.asarray(model.predict_proba(X), dtype=float)[:, order]


def calibration_error(said: NDArray[Any], right: NDArray[Any]) -> float:
    """How far the likeliest class' probability is from how often it is right, over equal bins.

    Naeini, Cooper & Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian
    Binning, AAAI.
    """
    bins = np.minimum((said * N_BINS).astype(int), N_BINS - 1)
    off = np.bincount(bins, said - right, N_BINS)
    return float(np.abs(off).sum() / len(said))


def coverage(model: Any, X: pd.DataFrame, y: NDArray[Any], task: str) -> float | None:
    """Share of rows whose truth lies in the model's interval or set for 90 %; None without."""
    if task == "regression" and hasattr(model, "predict_interval"):
        low, high = np.asarray(model.predict_interval(X, coverage=COVERAGE)).T
        return float(np.mean((low <= y) & (y <= high)))
    if task != "regression" and hasattr(model, "predict_set"):
        sets = np.asarray(model.predict_set(X, coverage=COVERAGE))
        place = {label: at for at, label in enumerate(np.asarray(model.classes_).astype(str))}
        return float(np.mean(sets[np.arange(len(y)), [place[str(label)] for label in y]]))
    return None


def score(
    y: NDArray[Any], predicted: NDArray[Any], task: str, classes: NDArray[Any], seed: int
) -> dict[str, float]:
    """All scores, `score` (by the task's metric) with its standard error among them.

    Parameters
    ----------
    y, predicted
        The held-out targets, and what `predict` gave for them.
    classes
        All classes, sorted; empty for regression.
    seed
        Of the bootstrap over test rows from which `score_se` comes.
    """
    main: Callable[[NDArray[Any], NDArray[Any]], float]
    if task == "regression":
        scores = {"mae": mean_absolute_error(y, predicted), "r2": r2_score(y, predicted)}
        main = root_mean_squared_error
    else:
        rows = predicted / predicted.sum(axis=1, keepdims=True)
        right = classes[rows.argmax(axis=1)] == y
        scores = {
            "accuracy": accuracy_score(y, classes[rows.argmax(axis=1)]),
            "calibration_error": calibration_error(rows.max(axis=1), right),
        }
        if task == "binary":
            scores["log_loss"] = log_loss(y, rows, labels=classes)

            def main(y: NDArray[Any], rows: NDArray[Any]) -> float:
                return float(roc_auc_score(y == classes[1], rows[:, 1]))
        else:

            def main(y: NDArray[Any], rows: NDArray[Any]) -> float:
                return float(log_loss(y, rows, labels=classes))

        predicted = rows
    random = np.random.default_rng(seed)
    resampled = []
    while len(resampled) < N_RESAMPLES:
        drawn = random.integers(len(y), size=len(y))
        if task != "binary" or len(np.unique(y[drawn])) == 2:
            resampled.append(main(y[drawn], predicted[drawn]))
    return {"score": main(y, predicted), "score_se": float(np.std(resampled, ddof=1)), **scores}
