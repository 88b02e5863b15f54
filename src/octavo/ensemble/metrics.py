"""Every metric that Octavo knows, defined in one place, and how a user names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from octavo.ensemble import (
    calibration_errors as e,
    classification_metrics as c,
    regression_metrics as r,
)
from octavo.ensemble.metric import TASKS, Kind, Metric, Task
from octavo.errors import SettingError, closest

__all__ = ["METRICS", "Kind", "Metric", "Task", "default_metric", "get_metric", "metric_names"]

_BINARY: tuple[Task, ...] = ("binary",)
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_REGRESSION: tuple[Task, ...] = ("regression",)


# The table ---------------------------------------------------------------------------


def _labels(name: str, confusion: Any, tasks: tuple[Task, ...] = _CLASSES) -> Metric:
    return Metric(name, None, True, "labels", tasks, 1.0, confusion)


def _averaged(what: Literal["precision", "recall", "f1", "jaccard"]) -> list[Metric]:
    rows = [_labels(what, partial(c.per_class, what=what, average="binary"), _BINARY)]
    averages: tuple[Literal["macro", "micro", "weighted"], ...] = ("macro", "micro", "weighted")
    for average in averages:
        confusion = partial(c.per_class, what=what, average=average)
        rows.append(_labels(f"{what}_{average}", confusion))
    return rows


def _probabilities(
    name: str,
    measure: Any,
    *,
    higher: bool,
    tasks: tuple[Task, ...] = _CLASSES,
    ranks: bool = False,
) -> Metric:
    return Metric(name, measure, higher, "probabilities", tasks, float(higher), ranks=ranks)


def _values(name: str, measure: Any, *, higher: bool = False) -> Metric:
    return Metric(name, measure, higher, "values", _REGRESSION, float(higher))


_ROC_AVERAGES: tuple[tuple[str, Literal["macro", "weighted"]], ...] = (
    ("", "macro"),
    ("_weighted", "weighted"),
)

_ROWS = [
    _labels("accuracy", c.accuracy),
    _labels("balanced_accuracy", c.balanced_accuracy),
    _labels("mcc", c.matthews),
    _labels("cohen_kappa", c.cohen_kappa),
    *(row for what in ("precision", "recall", "f1", "jaccard") for row in _averaged(what)),
    _probabilities("log_loss", c.log_loss, higher=False),
    _probabilities("brier", c.brier, higher=False),
    _probabilities("calibration_error", e.calibration_error, higher=False),
    _probabilities("adaptive_calibration_error", e.adaptive_calibration_error, higher=False),
    _probabilities("classwise_calibration_error", e.classwise_calibration_error, higher=False),
    _probabilities("d2_log_loss_score", c.d2_log_loss, higher=True),
    _probabilities("d2_brier_score", c.d2_brier, higher=True),
    _probabilities("roc_auc", c.roc_auc, higher=True, tasks=_BINARY, ranks=True),
    *(
        _probabilities(f"roc_auc_{way}{ending}", partial(function, average=average), higher=True)
        for way, function in (("ovr", c.roc_auc_ovr), ("ovo", c.roc_auc_ovo))
        for ending, average in _ROC_AVERAGES
    ),
    _probabilities("average_precision", c.average_precision, higher=True, ranks=True),
    _probabilities("top_k_accuracy", c.top_k_accuracy, higher=True, tasks=("multiclass",)),
    _values("r2", r.r2, higher=True),
    _values("explained_variance", r.explained_variance, higher=True),
    _values("d2_absolute_error_score", r.d2_absolute_error, higher=True),
    _values("mse", r.mean_squared_error),
    _values("rmse", r.root_mean_squared_error),
    _values("mae", r.mean_absolute_error),
    _values("medae", r.median_absolute_error),
    _values("mape", r.absolute_percentage_error),
    _values("smape", r.symmetric_percentage_error),
    _values("msle", r.mean_squared_log_error),
    _values("rmsle", r.root_mean_squared_log_error),
    _values("max_error", r.largest_error),
    _values("poisson_deviance", partial(r.deviance, power=1)),
    _values("gamma_deviance", partial(r.deviance, power=2)),
    _values("pinball", partial(r.pinball, quantile=0.5)),
    _values("pearson", r.pearson, higher=True),
    _values("spearman", r.spearman, higher=True),
]
METRICS: dict[str, Metric] = {row.name: row for row in _ROWS}

# Other names for the same thing; on the left what scikit-learn, Auto-PyTorch or people say.
_ALIASES = {
    "acc": "accuracy",
    "auc": "roc_auc",
    "ap": "average_precision",
    "brier_score": "brier",
    "brier_score_loss": "brier",
    "kappa": "cohen_kappa",
    "cross_entropy": "log_loss",
    "ece": "calibration_error",
    "expected_calibration_error": "calibration_error",
    "logloss": "log_loss",
    "matthews_corrcoef": "mcc",
    "max_absolute_error": "max_error",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_gamma_deviance": "gamma_deviance",
    "mean_pinball_loss": "pinball",
    "mean_poisson_deviance": "poisson_deviance",
    "mean_squared_error": "mse",
    "mean_squared_log_error": "msle",
    "median_absolute_error": "medae",
    "root_mean_squared_error": "rmse",
    "root_mean_squared_log_error": "rmsle",
    "pearsonr": "pearson",
    "r2_score": "r2",
    "spearmanr": "spearman",
}

# Metrics that mean something else, or nothing, with more than two classes.
_FOR_MANY_CLASSES = {"roc_auc": "roc_auc_ovr"}

_DEFAULTS: dict[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def metric_names(task: Task | None = None) -> list[str]:
    """The names of Octavo's own metrics, sorted; those of one task if it is given.

    Beside them `get_metric` takes aliases, `"neg_..."` forms and every scikit-learn scorer.

    Examples
    --------
    >>> "rmse" in metric_names("regression"), "rmse" in metric_names("binary")
    (True, False)
    """
    if task is not None:
        _check_task(task)
    return sorted(row.name for row in _ROWS if task is None or task in row.tasks)


def default_metric(task: Task) -> Metric:
    """The metric of a task whose user names none, as in the AutoML benchmark.

    Gijsbers et al. (2024), AMLB: an AutoML Benchmark, JMLR 25(101): the area under the ROC
    curve, the log loss, and the root mean squared error.
    """
    _check_task(task)
    return METRICS[_DEFAULTS[task]]


def get_metric(metric: str | Metric | Callable[..., Any] | None, task: Task) -> Metric:
    """The metric behind a name, a scikit-learn scorer or a function.

    Parameters
    ----------
    metric
        A name: one of `metric_names`, the long form ("mean_squared_error"), or any
        scikit-learn scorer's ("neg_root_mean_squared_error"), whose sign is kept. A scorer
        made by `sklearn.metrics.make_scorer`. A function `(y_true, y_pred) -> float` with
        an attribute `greater_is_better`. None for the task's default.
    task
        "binary", "multiclass" or "regression".

    Raises
    ------
    SettingError
        If the name is unknown, the metric does not fit the task, or a function's direction
        is unknown.

    Examples
    --------
    >>> get_metric("neg_mean_squared_error", "regression").score([1.0, 2.0], [1.0, 4.0])
    -2.0
    >>> get_metric("roc_auc", "multiclass").name
    'roc_auc_ovr'
    """
    _check_task(task)
    if metric is None:
        return default_metric(task)
    if isinstance(metric, Metric):
        found = metric
    elif isinstance(metric, str):
        found = _named(metric, task)
    elif not callable(metric):
        raise SettingError(
            f"metric={metric!r} is of type {type(metric).__name__}. Pass a name such as "
            f"{default_metric(task).name!r}, a scikit-learn scorer, or a function."
        )
    else:
        from octavo.ensemble.scorers import from_scorer, is_scorer

        found = from_scorer(metric, task) if is_scorer(metric) else Metric.custom(metric)
    if task == "regression" and task in found.tasks and found.kind != "values":
        return replace(found, kind="values", tasks=_REGRESSION)  # a function fits any task
    if task not in found.tasks:
        others = (f"{found.name}_macro", f"{found.name}_weighted")
        fitting = [name for name in others if name in METRICS] if task == "multiclass" else []
        fitting = fitting or [default_metric(task).name]
        raise SettingError(
            f"metric {found.name!r} is for {' and '.join(found.tasks)} tasks, but this task is "
            f"{task}. Use {' or '.join(map(repr, fitting))}, or another of: "
            f"{', '.join(metric_names(task))}."
        )
    return found


def _named(name: str, task: Task) -> Metric:
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    own = _ALIASES.get(key, key)
    if task == "multiclass":
        own = _FOR_MANY_CLASSES.get(own, own)
    if own in METRICS:
        return METRICS[own]
    positive = key.removeprefix("neg_")
    mirrored = METRICS.get(_ALIASES.get(positive, positive))
    if key.startswith("neg_") and mirrored and mirrored.measure and not mirrored.greater_is_better:
        return replace(
            mirrored,
            name=key,
            greater_is_better=True,
            optimum=0.0,
            measure=partial(_negative, mirrored.measure),
        )
    from octavo.ensemble.scorers import from_scorer_name, scorer_names

    if key in scorer_names():
        return from_scorer_name(key, task)
    known = sorted({*METRICS, *_ALIASES, *scorer_names()})
    raise SettingError(
        f"metric {name!r} is not known.{closest(key, known)} For {task} tasks: "
        f"{', '.join(metric_names(task))}; also every scikit-learn scorer, or a function."
    )


def _check_task(task: Any) -> None:
    if task not in TASKS:
        raise SettingError(
            f"task={task!r} is not known. Use 'binary', 'multiclass' or 'regression'."
            + closest(str(task), TASKS)
        )


def _negative(measure: Callable[..., Any], y_true: Any, y_pred: Any, weight: Any) -> Any:
    return -measure(y_true, y_pred, weight)
