"""Whatever holds a table becomes a pandas DataFrame with distinct string names."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from octavo.errors import DataError
from octavo.tabular.reading import read_table

__all__ = ["DataWarning", "as_frame", "has_names", "read_table"]

DENSE_LIMIT = 4 * 2**30
"""Bytes that a sparse matrix may take when made dense."""


class DataWarning(UserWarning):
    """Something in a table was repaired or ignored, and the user should know."""


def as_frame(X: Any, like: Sequence[str] | None = None) -> pd.DataFrame:
    """A DataFrame with distinct string column names, whatever `X` is.

    The result may share memory with `X`; nobody writes into it.

    Parameters
    ----------
    X : shape (n, p)
        A DataFrame (pandas, polars, pyarrow, or anything that speaks Arrow's C stream), a
        NumPy or SciPy sparse matrix, a list of rows (lists or dicts), a dict of columns, or
        a Series (one column; or one row, if it is labelled with the names in `like`).
    like
        Column names of the table this one should be like. They name the columns of arrays,
        when there are as many; other arrays have x0, x1, ...

    Raises
    ------
    DataError
        If `X` is not two-dimensional, has no column, or holds complex numbers.

    Examples
    --------
    >>> as_frame([[1, "a"], [2, "b"]]).dtypes.index.tolist()
    ['x0', 'x1']
    >>> as_frame({"size": [1.0, 2.0]}).shape
    (2, 1)
    """
    frame = _frame(X, like)
    if frame.shape[1] == 0:
        raise DataError(
            f"Found array with 0 feature(s) (shape={frame.shape}) while a minimum of 1 is "
            "required. Pass a table with at least one column."
        )
    if not has_names(X):
        names = [f"x{i}" for i in range(frame.shape[1])]
        if like is not None and len(like) == len(names):
            names = list(like)
        frame = frame.set_axis(names, axis=1)
    frame = _with_distinct_names(frame)
    for name, dtype in frame.dtypes.items():
        if getattr(dtype, "kind", "") == "c":
            raise DataError(
                f"Complex data not supported: column {name!r} holds complex numbers. Pass the "
                "real and the imaginary part as two columns."
            )
    return frame


def has_names(X: Any) -> bool:
    """Whether a table brings column names of its own; arrays and lists of rows do not.

    Examples
    --------
    >>> has_names(pd.DataFrame({"a": [1]})), has_names(pd.DataFrame([[1, 2]]))
    (True, False)
    """
    if isinstance(X, pd.DataFrame):
        return not isinstance(X.columns, pd.RangeIndex)
    if isinstance(X, list | tuple):
        return bool(X) and isinstance(X[0], Mapping)
    if isinstance(X, np.ndarray):
        return X.dtype.names is not None
    return isinstance(X, pd.Series | Mapping) or hasattr(X, "__arrow_c_stream__")


def _frame(X: Any, like: Sequence[str] | None) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, pd.Series):
        is_row = like is not None and set(map(str, X.index)) == set(like)
        column = X.to_frame()
        return column.T.infer_objects() if is_row else column
    if sparse.issparse(X):  # before mappings: a dictionary-of-keys matrix is one too
        return pd.DataFrame(_dense(X))
    if isinstance(X, Mapping):
        if X and all(np.isscalar(value) or value is None for value in X.values()):
            return pd.DataFrame([dict(X)])
        return pd.DataFrame(_or_refuse(lambda: pd.DataFrame(dict(X)), "its columns do not match"))
    if hasattr(X, "collect") and not hasattr(X, "__arrow_c_stream__"):
        X = X.collect()  # a lazy frame
    if hasattr(X, "__arrow_c_stream__"):
        import pyarrow as pa

        return pd.DataFrame(pa.table(X).to_pandas())
    if isinstance(X, list | tuple):
        return _rows(X)
    if isinstance(X, str | os.PathLike):
        raise DataError(
            f"X={str(X)!r} is a path or a word, not a table. Read the file first, for example "
            "with octavo.tabular.table.read_table(path) or pandas.read_csv(path)."
        )
    return _array(X)


def _rows(X: Sequence[Any]) -> pd.DataFrame:
    if X and all(isinstance(row, Mapping) for row in X):
        return pd.DataFrame(list(X))
    if X and any(isinstance(row, list | tuple | np.ndarray) for row in X):
        widths = Counter(len(row) if hasattr(row, "__len__") else 0 for row in X)
        if len(widths) > 1:
            raise DataError(
                f"X is a list of rows of different lengths: {sorted(widths)}. Give every row the "
                "same number of cells, with None where one is missing."
            )
        # Through objects, because NumPy would turn [1, "a"] into two strings.
        cells = np.empty((len(X), next(iter(widths))), dtype=object)
        for i, row in enumerate(X):
            cells[i, :] = row
        return pd.DataFrame(cells).infer_objects()
    return _array(X)


def _array(X: Any) -> pd.DataFrame:
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(object), None)
    array = _or_refuse(lambda: np.asarray(X), "its rows differ in length")
    if array.dtype.names is not None:
        return pd.DataFrame.from_records(array)
    if array.ndim == 1:
        raise DataError(
            f"X has one dimension, shape {array.shape}, but a table has two: rows and columns. "
            "Reshape your data: X.reshape(-1, 1) makes it a single column, X.reshape(1, -1) a "
            "single row."
        )
    if array.ndim != 2:
        what = (
            f"Found array with dim {array.ndim}"
            if array.ndim
            else f"X={X!r:.80} is a single {type(X).__name__}"
        )
        raise DataError(
            f"{what}, but a table has two dimensions: rows and columns. Pass a DataFrame or an "
            "array of shape (n_rows, n_columns). Reshape your data if need be."
        )
    frame = pd.DataFrame(array)
    return frame.infer_objects() if array.dtype == object else frame


def _dense(X: Any) -> np.ndarray:
    size = X.shape[0] * X.shape[1] * X.dtype.itemsize
    if size > DENSE_LIMIT:
        raise DataError(
            f"The sparse matrix of shape {X.shape} would take {size / 2**30:.1f} GiB when made "
            f"dense, and at most {DENSE_LIMIT / 2**30:.0f} GiB are allowed. Reduce its columns "
            "first, for example with sklearn.decomposition.TruncatedSVD."
        )
    return np.asarray(X.toarray())


def _or_refuse(make: Any, why: str) -> Any:
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise DataError(
            f"X cannot be read as a table: {why} ({error}). Pass a DataFrame or an array of "
            "shape (n_rows, n_columns)."
        ) from error


def _with_distinct_names(frame: pd.DataFrame) -> pd.DataFrame:
    columns: list[Any] = list(frame.columns)
    names = [
        "_".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
        for name in columns
    ]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        names = _numbered(names)
        warnings.warn(
            f"Several columns are named {', '.join(map(repr, repeated[:5]))}"
            f"{' and others' if len(repeated) > 5 else ''}; from the second on they are called "
            "'name.1', 'name.2', ... in order. Give each column its own name.",
            DataWarning,
            stacklevel=3,
        )
    if columns == names:
        return frame
    return frame.set_axis(names, axis=1)


def _numbered(names: Sequence[str]) -> list[str]:
    taken, seen, distinct = set(names), Counter[str](), []
    for name in names:
        new = name
        while seen[name] and (new == name or new in taken):
            new = f"{name}.{seen[name]}"
            seen[name] += new in taken
        seen[name] += 1
        taken.add(new)
        distinct.append(new)
    return distinct
