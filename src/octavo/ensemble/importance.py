"""How much a model relies on each column: permutation importance.

Breiman (2001), Random Forests, Machine Learning 45, 5-32. Shuffle one column of rows that
the model did not train on, predict again, and see how much worse the score gets. What is
shuffled are raw columns, as the user knows them, whatever the model makes of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.metrics import Metric
from octavo.errors import DataError, SettingError

__all__ = ["Importance", "permutation_importance"]

Floats = NDArray[np.float64]

MOST_ROWS = 2000
"""More rows make each repeat slower, and the interval is dominated by the shuffles."""
FEWEST_ROWS = 100
"""Scores of fewer rows say little."""


@dataclass(frozen=True)
class Importance:
    """By how much the score worsens without each column.

    Parameters
    ----------
    columns
        Names, in the table's order.
    mean, low, high
        Worsening (positive: the column helps) and its 95 % interval over the repeats (a t
        interval; NaN from one repeat). NaN where time ran out before the first repeat.
    baseline
        The score with all columns intact.
    n_repeats
        Of each column.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    baseline: float
    n_repeats: tuple[int, ...]

    def ranked(self) -> list[int]:
        """Positions of the measured columns, most important first."""
        mean = np.array(self.mean)
        order = np.argsort(-np.nan_to_num(mean, nan=-np.inf), kind="stable")
        return [int(at) for at in order if np.isfinite(mean[at])]


def permutation_importance(
    predict: Callable[[Any], ArrayLike],
    X: Any,
    y_true: ArrayLike,
    metric: Metric,
    *,
    repeats: int = 5,
    time_limit_s: float | None = None,
    max_rows: int = MOST_ROWS,
    columns: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    seed: int = 0,
) -> Importance:
    """Measure how much a fitted model relies on each column.

    Parameters
    ----------
    predict
        Table to probabilities (n, K) or numbers (n,).
    X : shape (n, p)
        A DataFrame or array of rows that the model did not train on.
    y_true : shape (n,)
        Encoded classes or numbers.
    metric
        What worsens.
    repeats
        Shuffles per column.
    time_limit_s
        No prediction is started that would end later, judged by the slowest so far; columns
        are visited in rounds, so that each is measured once before any is twice. Where not even
        one round would fit, fewer rows are taken, but not fewer than 100; columns for which there
        was no time all the same have no mean (NaN).
    max_rows
        Rows are sampled down to this.
    columns
        Names, by default the DataFrame's.
    sample_weight : shape (n,)
        Of the rows.
    classes : shape (K,)
        The user's labels, for custom metrics.
    seed
        Same seed, same shuffles.

    Raises
    ------
    DataError
        If the lengths differ.
    SettingError
        If `repeats` is below 1.
    """
    if repeats < 1:
        raise SettingError(f"repeats={repeats!r} makes no sense. Pass a whole number >= 1.")
    table: Any = X if hasattr(X, "iloc") else np.asarray(X)
    target = np.asarray(y_true)
    if table.ndim != 2 or len(table) != len(target):
        raise DataError(
            f"importance got a table of shape {table.shape} and {len(target)} true values. "
            "Pass a table with one row per true value."
        )
    n_columns = table.shape[1]
    names = list(table.columns) if columns is None and hasattr(table, "iloc") else columns
    names = [f"column {at}" for at in range(n_columns)] if names is None else list(names)
    began = time.monotonic()
    rng = np.random.default_rng([seed, 29])
    rows = np.arange(len(target))
    if len(rows) > max_rows:
        rows = np.sort(rng.permutation(rows)[:max_rows])
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)[rows]
    table, target = _rows(table, rows), target[rows]

    slowest = 0.0

    def cost(given: Any) -> float:
        nonlocal slowest
        start = time.monotonic()
        score = metric.score(
            target, np.asarray(predict(given)), sample_weight=weight, classes=classes
        )
        slowest = max(slowest, time.monotonic() - start)
        return metric.to_cost(score)

    base = cost(table)
    if time_limit_s is not None:
        affordable = (time_limit_s - 2 * slowest) / max(slowest * n_columns, 1e-9)
        n_rows = max(int(affordable * len(target)), FEWEST_ROWS)
        if affordable < 1 and n_rows < len(target):
            fewer = np.sort(np.random.default_rng([seed, 31]).permutation(len(target))[:n_rows])
            table, target = _rows(table, fewer), target[fewer]
            weight = None if weight is None else weight[fewer]
            slowest = 0.0
            base = cost(table)
    worse = np.full((repeats, n_columns), np.nan)
    for repeat, column in np.ndindex(repeats, n_columns):
        order = rng.permutation(len(target))  # drawn before the check: same shuffles always
        if time_limit_s is not None:
            left = time_limit_s - (time.monotonic() - began)
            if left < slowest:
                break
        worse[repeat, column] = cost(_shuffled(table, column, order)) - base
    return _summary(worse, tuple(str(name) for name in names), metric.from_cost(base))


def _rows(table: Any, rows: NDArray[np.int64]) -> Any:
    return table.iloc[rows].reset_index(drop=True) if hasattr(table, "iloc") else table[rows]


def _shuffled(table: Any, column: int, order: NDArray[np.int64]) -> Any:
    """A copy with one column's values in another order; types stay as they are."""
    copy = table.copy()
    if hasattr(table, "iloc"):
        # By position: names may occur twice.
        values = table.iloc[:, column].iloc[order]
        values.index = table.index
        copy.isetitem(column, values)
    else:
        copy[:, column] = table[order, column]
    return copy


def _summary(worse: Floats, names: tuple[str, ...], baseline: float) -> Importance:
    from scipy.stats import t

    n = np.isfinite(worse).sum(0)
    mean, half = np.full(len(n), np.nan), np.full(len(n), np.nan)
    for at, count in enumerate(n):
        values = worse[:count, at]
        if count:
            mean[at] = values.mean()
        if count > 1:
            half[at] = t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count)
    return Importance(
        columns=names,
        mean=tuple(mean.tolist()),
        low=tuple((mean - half).tolist()),
        high=tuple((mean + half).tolist()),
        baseline=baseline,
        n_repeats=tuple(int(count) for count in n),
    )
