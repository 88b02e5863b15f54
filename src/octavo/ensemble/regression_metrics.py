"""Regression metrics on whole arrays: `y_true`, `y_pred` of shape (n,), optional weights.

Where a metric is undefined for the data (a logarithm of a negative number, a deviance of a
prediction of zero) a `DataError` says so for the true values, which are the user's, and the
worst finite value is taken for a model's predictions, which are ours to rank.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError

__all__ = [
    "absolute_percentage_error",
    "d2_absolute_error",
    "deviance",
    "explained_variance",
    "largest_error",
    "mean_absolute_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "pearson",
    "pinball",
    "r2",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
    "spearman",
    "symmetric_percentage_error",
]

Floats = NDArray[np.float64]


def _mean(values: Floats, weight: Floats | None) -> float:
    return float(values.mean() if weight is None else values @ weight / weight.sum())


def mean_squared_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Mean of the squared errors, in the target's unit squared."""
    return _mean((y_true - y_pred) ** 2, weight)


def mean_absolute_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Mean of the absolute errors, in the target's unit."""
    return _mean(np.abs(y_true - y_pred), weight)


def largest_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """The largest absolute error; weights do not matter to it."""
    return float(np.abs(y_true - y_pred).max())


def median_absolute_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Median of the absolute errors: half of the rows are closer than this.

    With weights the mean of the lower and the upper weighted median.
    """
    errors = np.abs(y_true - y_pred)
    if weight is None:
        return float(np.median(errors))
    order = np.argsort(errors)
    errors, reached = errors[order], np.cumsum(weight[order])
    half = reached[-1] / 2
    # Sums of weights carry rounding errors; a hit on exactly one half must be seen as one.
    slack = 1e-12 * reached[-1]
    last = len(errors) - 1
    low = min(int(np.searchsorted(reached, half - slack, "left")), last)
    high = min(int(np.searchsorted(reached, half + slack, "right")), last)
    return float((errors[low] + errors[high]) / 2)


def r2(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Share of the variance explained: 1 is perfect, 0 is the mean; no lower bound.

    A constant target scores 1 if met exactly and 0 otherwise.
    """
    rest = mean_squared_error(y_true, y_pred, weight)
    total = _mean((y_true - _mean(y_true, weight)) ** 2, weight)
    if total == 0.0:
        return 1.0 if rest == 0.0 else 0.0
    return 1.0 - rest / total


def explained_variance(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """As `r2`, but a constant offset of the predictions costs nothing."""
    errors = y_true - y_pred
    return r2(y_true, y_pred + _mean(errors, weight), weight)


def absolute_percentage_error(
    y_true: Floats, y_pred: Floats, weight: Floats | None = None
) -> float:
    """Mean absolute error relative to the true value: 0.1 is ten percent.

    True values of zero count as the smallest positive step of a float, so they weigh
    enormously; prefer `smape` or `mae` with such targets.
    """
    scale = np.maximum(np.abs(y_true), np.finfo(np.float64).eps)
    return _mean(np.abs(y_true - y_pred) / scale, weight)


def symmetric_percentage_error(
    y_true: Floats, y_pred: Floats, weight: Floats | None = None
) -> float:
    """Absolute error relative to the mean of both magnitudes, in [0, 2]; 0 if both are 0."""
    scale = (np.abs(y_true) + np.abs(y_pred)) / 2
    errors = np.abs(y_true - y_pred)
    return _mean(np.divide(errors, scale, out=np.zeros_like(errors), where=scale > 0), weight)


def mean_squared_log_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Mean squared difference of log(1 + value). Negative predictions count as 0.

    Raises
    ------
    DataError
        If a true value is negative.
    """
    if (y_true < 0).any():
        raise DataError(
            f"the target has a value of {y_true.min():.6g}, but a log error needs values >= 0. "
            "Use 'rmse' or 'mae' as the metric, or shift the target."
        )
    return _mean((np.log1p(y_true) - np.log1p(np.maximum(y_pred, 0.0))) ** 2, weight)


def deviance(
    y_true: Floats, y_pred: Floats, weight: Floats | None = None, *, power: Literal[1, 2]
) -> float:
    """Mean deviance of the Poisson (power 1) or gamma (power 2) distribution.

    Predictions that are not positive count as a ten-thousandth of the mean target, which
    costs dearly but stays finite.

    Raises
    ------
    DataError
        If a true value is negative, or zero with power 2.
    """
    if (y_true < 0).any() or (power == 2 and (y_true == 0).any()):
        name, bound = {1: ("poisson_deviance", ">= 0"), 2: ("gamma_deviance", "> 0")}[power]
        raise DataError(
            f"the target has a value of {y_true.min():.6g}, but {name!r} needs values "
            f"{bound}. Use 'rmse' or 'mae' as the metric."
        )
    floor = 1e-4 * max(float(y_true.mean()), float(np.finfo(np.float64).tiny))
    # Only what is not positive is replaced: small but valid predictions stay as they are.
    mean = np.where(y_pred > 0, y_pred, floor)
    if power == 2:
        return _mean(2 * (np.log(mean / y_true) + y_true / mean - 1), weight)
    logs = np.log(y_true / mean, out=np.zeros_like(mean), where=y_true > 0)
    return _mean(2 * (y_true * logs - y_true + mean), weight)


def pinball(
    y_true: Floats, y_pred: Floats, weight: Floats | None = None, *, quantile: float
) -> float:
    """Quantile loss: a too low prediction costs `quantile`, a too high one the rest."""
    errors = y_true - y_pred
    return _mean(np.maximum(quantile * errors, (quantile - 1) * errors), weight)


def pearson(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Linear correlation; 0 if either side is constant."""
    a, b = y_true - _mean(y_true, weight), y_pred - _mean(y_pred, weight)
    spread = np.sqrt(_mean(a * a, weight) * _mean(b * b, weight))
    # A constant with rounding errors is still a constant.
    tiny = 1e-15 * (1.0 + np.abs(y_true).max()) * (1.0 + np.abs(y_pred).max())
    return 0.0 if spread <= tiny else float(np.clip(_mean(a * b, weight) / spread, -1.0, 1.0))


def spearman(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Correlation of the ranks: how well the order is predicted; 0 if a side is constant."""
    from scipy.stats import rankdata

    return pearson(rankdata(y_true), rankdata(y_pred), weight)


def root_mean_squared_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Square root of the mean squared error, in the target's unit."""
    return float(np.sqrt(mean_squared_error(y_true, y_pred, weight)))


def root_mean_squared_log_error(
    y_true: Floats, y_pred: Floats, weight: Floats | None = None
) -> float:
    """Square root of `mean_squared_log_error`: about a relative error."""
    return float(np.sqrt(mean_squared_log_error(y_true, y_pred, weight)))


def d2_absolute_error(y_true: Floats, y_pred: Floats, weight: Floats | None = None) -> float:
    """Share of the absolute error of the median that the model removes; 1 is perfect."""
    if weight is None:
        middle = float(np.median(y_true))
    else:
        order = np.argsort(y_true)
        reached = np.cumsum(weight[order])
        middle = float(y_true[order][np.searchsorted(reached, reached[-1] / 2)])
    total = mean_absolute_error(y_true, np.full_like(y_true, middle), weight)
    rest = mean_absolute_error(y_true, y_pred, weight)
    if total == 0.0:
        return 1.0 if rest == 0.0 else 0.0
    return 1.0 - rest / total
