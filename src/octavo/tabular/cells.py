"""One column, with pandas's many storages reduced to two: an array of numbers, or labels.

NumPy, nullable, Arrow-backed, sparse, categorical, period, duration, object: whatever holds a
column, it becomes floats, moments in time, or codes into an array of distinct labels. All that
is expensive in text (parsing, stripping, comparing) is then done once per distinct label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import DataError

__all__ = ["Cells", "cells"]


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column.

    Parameters
    ----------
    storage
        "number" and "boolean": `values` are floats, NaN where missing. "moment": `values` are
        datetime64[ns], NaT where missing. "label": `values` are codes into `labels`, -1 where
        missing.
    values : shape (n,)
        As `storage` says.
    labels
        Distinct cells of a "label" column, in order of appearance: mostly strings.
    is_declared
        Whether the column's own type says that it is a category.
    is_ordered
        Whether that type also says that its labels stand in order.
    note
        What was done to read it, for people; "" if nothing.
    """

    storage: Literal["number", "boolean", "moment", "label"]
    values: NDArray[Any]
    labels: NDArray[Any] | None = None
    is_declared: bool = False
    is_ordered: bool = False
    note: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Shape (n,): where there is no cell."""
        if self.storage == "label":
            return np.asarray(self.values < 0)
        return np.asarray(pd.isna(self.values))

    def distinct(self) -> NDArray[Any]:
        """The different cells that are not missing, as objects, in order of appearance."""
        if self.labels is not None:
            return self.labels
        values = pd.unique(self.values[~self.missing])
        if self.storage == "boolean":
            return np.array([bool(value) for value in values], dtype=object)
        if self.storage == "moment":
            return np.array([pd.Timestamp(value) for value in values], dtype=object)
        return np.asarray(values.astype(object), dtype=object)


def cells(column: pd.Series) -> Cells:
    """Read one column.

    Raises
    ------
    DataError
        If it holds complex numbers.

    Examples
    --------
    >>> cells(pd.Series(["a", None, "a"])).values
    array([ 0, -1,  0])
    >>> cells(pd.Series([1, None], dtype="Int64")).values
    array([ 1., nan])
    """
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return cells(pd.Series(np.asarray(column), index=column.index, name=column.name))
    if isinstance(dtype, pd.CategoricalDtype):
        labels = np.asarray(dtype.categories.astype(object), dtype=object)
        codes = column.cat.codes.to_numpy(np.int64)
        return Cells("label", codes, labels, is_declared=True, is_ordered=bool(dtype.ordered))
    if isinstance(dtype, pd.ArrowDtype):
        return cells(_from_arrow(column))
    if isinstance(dtype, pd.IntervalDtype):
        return cells(column.astype(str).where(column.notna()).astype("category"))
    if isinstance(dtype, pd.PeriodDtype):
        return Cells("moment", _moments(column.dt.to_timestamp()), note="the start of a period")
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return Cells("moment", _moments(naive), note="time zone removed, as UTC")
    kind = dtype.kind
    if kind == "b":
        return Cells("boolean", column.to_numpy(np.float64, na_value=np.nan))
    if kind in "iuf":
        return Cells("number", column.to_numpy(np.float64, na_value=np.nan))
    if kind == "M":
        return Cells("moment", _moments(column))
    if kind == "m":
        return Cells("number", column.dt.total_seconds().to_numpy(np.float64), note="in seconds")
    if kind == "c":
        raise DataError(
            f"Complex data not supported: column {column.name!r} holds complex numbers. Pass the "
            "real and the imaginary part as two columns."
        )
    return _from_objects(column)


def _from_arrow(column: pd.Series) -> pd.Series:
    import pyarrow as pa

    array = pa.array(column.array)
    if pa.types.is_timestamp(array.type):
        return pd.Series(array.cast(pa.timestamp("us", tz=array.type.tz), safe=False).to_pandas())
    return pd.Series(array.to_pandas(), name=column.name)


def _moments(column: pd.Series) -> NDArray[np.datetime64]:
    # A date outside of what nanoseconds can say (years 1678 to 2261), such as the "never" of
    # year 9999, becomes the nearest that they can.
    moments = column.to_numpy().astype("datetime64[us]")
    low, high = (np.datetime64(text, "us") for text in ("1678-01-01", "2261-12-31"))
    clipped = np.clip(moments, low, high)
    exact = np.isnat(moments) | (clipped == moments)
    kept = column.to_numpy() if exact.all() else clipped
    return np.asarray(kept).astype("datetime64[ns]")


def _from_objects(column: pd.Series) -> Cells:
    note = ""
    if column.dtype == object:
        better = column.infer_objects()
        if better.dtype != object:
            return cells(better)
    try:
        codes, labels = pd.factorize(column)
    except TypeError:
        # Lists, dicts and sets cannot be told apart by value; their text can.
        texts = column.map(lambda cell: cell if _is_plain(cell) else str(cell))
        codes, labels = pd.factorize(texts)
        note = "lists or other objects read as their text"
    values = np.asarray(labels, dtype=object)
    if any(isinstance(label, bytes) for label in values[:1000]):
        values = np.array(
            [x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in values],
            dtype=object,
        )
        note = "bytes read as UTF-8"
    return Cells("label", np.asarray(codes, dtype=np.int64), values, note=note)


def _is_plain(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | bytes | int | float | bool | np.generic)
