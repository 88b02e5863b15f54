"""What `fit` and `predict` need of everything that comes beside the table.

Messages begin as scikit-learn's own where its `check_estimator` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import DataError, SettingError, closest
from octavo.tabular import conversion, parsing
from octavo.tabular.cells import cells
from octavo.tabular.table import as_frame, has_names
from octavo.tabular.target import as_column, is_missing

__all__ = [
    "FitInputs",
    "check_alignment",
    "check_enough_rows",
    "check_fit_inputs",
    "check_groups",
    "check_lengths",
    "check_time",
    "check_weights",
]

Floats = NDArray[np.float64]

FEWEST_ROWS = 5
"""Fewer cannot be split into training and validation rows in any useful way."""


@dataclass(frozen=True, eq=False)
class FitInputs:
    """All that `fit` was given, checked, over the rows that can be learned from.

    Parameters
    ----------
    X : shape (n, p)
        The table; its columns are numbered, not named, if the user's table had no names.
    y : shape (n,)
        The target, nowhere missing.
    weights : shape (n,)
        Positive; None without.
    groups, time : shape (n,)
        Codes of the groups and ranks in time; None without.
    rows : shape (n,)
        Positions of these rows in what the user gave.
    warnings
        Sentences on rows that were left out.
    """

    X: pd.DataFrame
    y: pd.Series
    weights: Floats | None
    groups: NDArray[np.int64] | None
    time: NDArray[np.int64] | None
    rows: NDArray[np.int64]
    warnings: tuple[str, ...] = ()


def check_fit_inputs(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    groups: Any = None,
    time: Any = None,
    who: str = "fit",
) -> FitInputs:
    """Check that table, target and what comes beside them belong together.

    Rows without a target and rows that weigh nothing are left out; the result says how many.

    Parameters
    ----------
    X : shape (n, p)
        Anything that `as_frame` takes.
    y : shape (n,)
        The target.
    sample_weight, groups : shape (n,)
        Weights >= 0, and what must not be split; None without.
    time
        Name of a column of `X`, or one date or number per row; None without.
    who
        Name of the caller, in messages.

    Raises
    ------
    DataError
        If something does not fit; the message says what, where and what to do.
    SettingError
        If `time` names no column.
    """
    frame = as_frame(X)
    if y is None:
        raise DataError(
            f"{who} requires y to be passed, but the target y is None. Pass the column to predict."
        )
    if isinstance(y, str):
        remedy = (
            f"y=table.pop({y!r})"
            if y in frame.columns
            else "the column itself, such as y=table['price']"
        )
        raise DataError(
            f"y={y!r} is a single str, but one value per row is expected, {len(frame)} in all. "
            f"Pass {remedy}."
        )
    if isinstance(y, pd.DataFrame) and y.shape[1] > 1 and frame.shape[1] == 1:
        raise DataError(
            f"X has a single column and y has {y.shape[1]}, where a table and one target are "
            f"expected: swapped? The table comes first: fit(X, y)."
        )
    check_lengths(len(frame), y=y)
    column = as_column(y)
    check_alignment(X, y=y, sample_weight=sample_weight, groups=groups)
    weights = check_weights(sample_weight, len(frame))
    codes = check_groups(groups, len(frame))
    order = check_time(time, frame)
    missing = is_missing(column)
    weightless = np.zeros(len(frame), dtype=bool) if weights is None else weights == 0
    rows = np.flatnonzero(~missing & ~weightless)
    notes = []
    if missing.any():
        notes.append(
            f"{int(missing.sum())} of {len(frame)} rows have no {column.name!r} and are left out."
        )
    if weightless.any():
        notes.append(f"{int(weightless.sum())} rows weigh nothing and are left out.")
    if missing.all() and len(frame):
        raise DataError(
            f"Input y contains NaN in all of its {len(frame)} rows. Pass the column to predict."
        )
    if not has_names(X):
        frame = frame.set_axis(pd.RangeIndex(frame.shape[1]), axis=1)
    if len(rows) < len(frame):
        frame, column = frame.iloc[rows], column.iloc[rows]
    check_enough_rows(frame)
    return FitInputs(
        frame,
        column,
        None if weights is None else weights[rows],
        None if codes is None else codes[rows],
        None if order is None else order[rows],
        rows,
        tuple(notes),
    )


def check_lengths(n_rows: int, **others: Any) -> None:
    """Refuse anything that has not one entry per row.

    Parameters
    ----------
    n_rows
        Rows of the table.
    others
        What came beside it, by name: `y=y, sample_weight=None`; None is skipped.

    Examples
    --------
    >>> check_lengths(3, y=[1, 2, 3], groups=None)
    """
    for name, value in others.items():
        if value is None:
            continue
        if hasattr(value, "__array__") and not hasattr(value, "__len__"):
            value = np.asarray(value)
        if isinstance(value, str) or not (hasattr(value, "__len__") or hasattr(value, "shape")):
            raise DataError(
                f"{name}={value!r} is a single {type(value).__name__}. Pass one value per row, "
                f"{n_rows} in all."
            )
        n = value.shape[0] if getattr(value, "shape", ()) else len(value)
        if n != n_rows:
            raise DataError(
                f"Found input variables with inconsistent numbers of samples: [{n_rows}, {n}]. "
                f"X has {n_rows} rows, but {name} has {n} values. Pass one value per row."
            )


def check_enough_rows(X: pd.DataFrame, *, minimum: int = FEWEST_ROWS) -> None:
    """Refuse tables from which nothing can be learned and checked."""
    n_rows = len(X)
    if n_rows < minimum:
        count = "1 sample" if n_rows == 1 else f"{n_rows} sample(s)"
        raise DataError(
            f"Found array with {count} (shape={X.shape}) while a minimum of {minimum} is "
            "required. Models are checked on rows that they have not seen; collect more."
        )


def check_alignment(X: Any, **others: Any) -> None:
    """Refuse pandas objects with the table's row labels in another order: they got mixed up.

    Row labels are not used otherwise: rows belong together by position.
    """
    if not isinstance(X, pd.DataFrame) or not X.index.is_unique:
        return
    labels = X.index
    for name, value in others.items():
        if not isinstance(value, pd.Series | pd.DataFrame) or len(value) != len(labels):
            continue
        index = value.index
        if index.equals(labels) or not index.is_unique or index.dtype != labels.dtype:
            continue
        if len(labels.difference(index)) == 0:
            row = int(np.argmax(index.to_numpy() != labels.to_numpy()))
            raise DataError(
                f"X and {name} have the same row labels in different orders: row {row} is "
                f"{labels[row]!r} in X and {index[row]!r} in {name}. Align them with "
                f"{name}.loc[X.index], or, if the order is right, drop the labels with "
                f"{name}.to_numpy()."
            )


def check_weights(sample_weight: Any, n_rows: int) -> Floats | None:
    """Sample weights as float64 of shape (n_rows,), None for none.

    Raises
    ------
    DataError
        If they are not one finite number >= 0 per row, or all are zero.
    """
    if sample_weight is None:
        return None
    name = "sample_weight"
    if isinstance(sample_weight, str):
        raise DataError(
            f"{name}={sample_weight!r} is a word. Pass the weights themselves, one number per row."
        )
    if np.isscalar(sample_weight):
        sample_weight = np.full(n_rows, sample_weight)
    check_lengths(n_rows, sample_weight=sample_weight)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers: {error}. Convert it to floats.") from error
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights.ravel()
    if weights.ndim != 1:
        raise DataError(
            f"{name} has shape {weights.shape}, but one weight per row is expected: ({n_rows},). "
            "Pass one column of it."
        )
    if not np.isfinite(weights).all():
        row = int(np.argmax(~np.isfinite(weights)))
        raise DataError(
            f"{name} is {weights[row]} in row {row}. Weights must be finite; use 0 for rows that "
            "should not count."
        )
    if (weights < 0).any():
        row = int(np.argmin(weights))
        raise DataError(
            f"{name} is {weights[row]:g} in row {row}. Weights must be >= 0; use 0 "
            "for rows that should not count."
        )
    if not (weights > 0).any():
        raise DataError(
            f"{name} is zero in every row: all weights are zero. At least one row must count; "
            "leave the weights out if all count the same."
        )
    return weights


def check_groups(groups: Any, n_rows: int) -> NDArray[np.int64] | None:
    """Groups as codes 0 to G-1 of shape (n_rows,), None for none.

    Rows of one group never stand on both sides of a split.

    Raises
    ------
    DataError
        If a row has no group, or all have the same.
    """
    if groups is None:
        return None
    check_lengths(n_rows, groups=groups)
    column = _one_column(groups, "groups")
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{int(missing.sum())} rows have no group, the first is row {int(missing.argmax())}. "
            "Give each of them a group of its own."
        )
    codes, labels = pd.factorize(column, sort=False)
    if len(labels) < 2:
        raise DataError(
            f"All rows are in the same group, {_shown(labels[0])}. Splitting by group needs at "
            "least two: pass another column, or no groups."
        )
    return np.asarray(codes, dtype=np.int64)


def check_time(time: Any, X: pd.DataFrame) -> NDArray[np.int64] | None:
    """The rank in time of each row, 0 the earliest, ties equal; None without a time column.

    Parameters
    ----------
    time
        Name of a column of `X`, or one date or number per row.
    X : shape (n, p)
        The training table.

    Raises
    ------
    DataError
        If a row has no time, times cannot be read, or all are equal.
    SettingError
        If there is no such column.
    """
    if time is None:
        return None
    name = "time"
    if isinstance(time, str):
        if time not in X.columns:
            raise SettingError(
                f"The time column {time!r} is not in the table.{closest(time, X.columns)} Name "
                "one of its columns, or pass one date or number per row."
            )
        name, time = time, X[time]
    check_lengths(len(X), time=time)
    column = _one_column(time, name)
    moments = _moments(column, name)
    if pd.isna(moments).any():
        row = int(np.argmax(pd.isna(moments)))
        raise DataError(
            f"Row {row} has no readable time in {name!r}: {_shown(column.iloc[row])}. Fill it in, "
            "or leave out such rows."
        )
    _, ranks = np.unique(moments, return_inverse=True)
    if ranks.max() == 0:
        raise DataError(
            f"All rows have the same time in {name!r}, {_shown(column.iloc[0])}. Splitting by time "
            "needs at least two different ones: pass another column, or none."
        )
    return np.asarray(ranks, dtype=np.int64)


def _moments(column: pd.Series, name: str) -> NDArray[Any]:
    """Dates or numbers, whichever all cells can be read as."""
    read = cells(column)
    if read.labels is None:
        return read.values
    found = parsing.find_date_format(read.labels)
    if found is not None:
        moments, _ = conversion.dates(read, found[0])
        return np.asarray(moments)
    numbers, n_lost = conversion.numbers(read)
    if n_lost == 0:
        return np.asarray(numbers)
    raise DataError(
        f"{name!r} holds neither dates nor numbers, such as {column.iloc[0]!r}, so rows cannot be "
        "ordered by it. Write dates as 2024-12-31."
    )


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _one_column(values: Any, name: str) -> pd.Series:
    if isinstance(values, pd.DataFrame) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)
    array = values if isinstance(values, pd.Index) else np.asarray(values)
    if array.ndim != 1:
        raise DataError(
            f"{name} has shape {array.shape}, but one value per row is expected: ({len(array)},). "
            "Pass one column of it."
        )
    return pd.Series(array)
