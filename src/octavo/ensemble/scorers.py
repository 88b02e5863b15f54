"""scikit-learn's scorers as metrics of stored predictions.

A scorer wants a fitted estimator and a table. We hand it an estimator that replays
predictions made earlier and tell by what it asks for whether labels, probabilities or
values matter to it. Only public behaviour of scorers is used, so any version's will do.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names

from octavo.ensemble.metric import Kind, Metric, Task
from octavo.errors import DataError, SettingError

__all__ = ["from_scorer", "from_scorer_name", "is_scorer", "scorer_names"]


@cache
def scorer_names() -> frozenset[str]:
    """What `sklearn.metrics.get_scorer` knows here."""
    return frozenset(get_scorer_names())


def is_scorer(thing: Any) -> bool:
    """Whether this is a scorer (estimator, X, y) rather than a plain function (y, y)."""
    if hasattr(thing, "_score_func") and hasattr(thing, "_sign"):
        return True
    # Scorers of other libraries are told by the names of their arguments.
    try:
        names = list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return False
    return len(names) >= 3 and names[0] in ("estimator", "clf", "model") and names[1] == "X"


class _ReplayClassifier(ClassifierMixin, BaseEstimator):
    """Answers with stored probabilities or labels, and remembers what it was asked for."""

    def __init__(self, values: Any = None, classes: Any = None) -> None:
        self.values = values
        self.classes = classes
        self.classes_ = classes
        self.is_fitted_ = True
        self.asked: Kind | None = None

    def predict(self, X: Any) -> Any:
        self.asked = "labels"
        codes = self.values if self.values.ndim == 1 else self.values.argmax(1)
        return self.classes_[codes]

    def predict_proba(self, X: Any) -> Any:
        self.asked = "probabilities"
        return self.values


class _ReplayRegressor(RegressorMixin, BaseEstimator):
    """Answers with stored numbers."""

    def __init__(self, values: Any = None) -> None:
        self.values = values
        self.is_fitted_ = True

    def predict(self, X: Any) -> Any:
        return self.values


def _measure(
    scorer: Callable[..., Any],
    kind: Kind,
    name: str,
    y_true: Any,
    values: Any,
    weight: Any,
    classes: Any,
) -> float:
    if kind == "values" or classes is None:
        replay: Any = _ReplayRegressor(values)
    else:
        replay, y_true = _ReplayClassifier(values, classes), classes[y_true]
    more = {} if weight is None else {"sample_weight": weight}
    try:
        with warnings.catch_warnings():
            # What is undefined is either a plain number by convention, or refused as nan.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return float(scorer(replay, np.zeros((len(y_true), 1)), y_true, **more))
    except ValueError as error:
        raise DataError(
            f"the scorer {name!r} cannot be computed on these {len(y_true)} rows: {error} "
            "Choose another metric, or a resampling with larger folds."
        ) from error


def from_scorer_name(name: str, task: Task) -> Metric:
    """The metric of a scorer that Octavo has no own version of."""
    if name.endswith("_samples"):
        raise SettingError(
            f"metric {name!r} is for rows with several labels at once, but this task is "
            f"{task}. Use {name.replace('_samples', '_macro')!r}."
        )
    return from_scorer(get_scorer(name), task, name=name)


def from_scorer(scorer: Any, task: Task, *, name: str | None = None) -> Metric:
    """A metric that replays predictions to a scorer; greater is better, as for all scorers.

    Parameters
    ----------
    scorer
        As made by `sklearn.metrics.make_scorer`.
    task
        It is tried once on a few rows of this task, to learn what it asks for.
    name
        Defaults to that of its function.

    Raises
    ------
    SettingError
        If it is for another task, or needs more than predictions.
    """
    function = getattr(scorer, "_score_func", scorer)
    name = str(name or getattr(function, "__name__", type(scorer).__name__))
    # scikit-learn computes these for class codes without complaint, as if they were numbers.
    if task != "regression" and function.__module__ == "sklearn.metrics._regression":
        raise SettingError(
            f"the scorer {name!r} is for regression, but this task is {task}. "
            "Use one for classes, such as 'accuracy' or 'neg_log_loss'."
        )
    if task == "regression" and function.__module__ in _OF_CLASSES:
        raise SettingError(
            f"the scorer {name!r} is for classes, but this task is regression. "
            "Use one for numbers, such as 'r2' or 'neg_root_mean_squared_error'."
        )
    kind: Kind = "values" if task == "regression" else _asks_for(scorer, name, task)
    return Metric(
        name=name,
        measure=partial(_measure, scorer, kind, name),
        greater_is_better=True,
        kind=kind,
        tasks=("regression",) if task == "regression" else ("binary", "multiclass"),
        optimum=0.0 if name.startswith("neg_") or getattr(scorer, "_sign", 1) < 0 else 1.0,
        decodes=True,
    )


_OF_CLASSES = (
    "sklearn.metrics._classification",
    "sklearn.metrics._ranking",
    "sklearn.metrics.cluster._supervised",
)


def _asks_for(scorer: Any, name: str, task: Task) -> Kind:
    """Try it on twelve rows and see which method of the estimator it calls."""
    n_classes = 2 if task == "binary" else 3
    y = np.arange(12) % n_classes
    values = np.eye(n_classes)[y] * 0.5 + 0.5 / n_classes
    values[0] = values[0][::-1]  # one error, so that no count is zero
    replay = _ReplayClassifier(values, np.arange(n_classes))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scorer(replay, np.zeros((12, 1)), y)
    except (ValueError, TypeError, AttributeError) as error:
        if "pos_label" in str(error) and replay.asked:
            return replay.asked  # it wants labels of the user's, which the sample lacks
        if "pos_label" in str(error):
            answer = getattr(scorer, "_response_method", "predict")
            return "labels" if answer == "predict" else "probabilities"
        raise SettingError(
            f"the scorer {name!r} failed on a sample of a {task} task: {error} "
            "Use a scorer for this task that needs only predictions."
        ) from error
    return replay.asked or "labels"
