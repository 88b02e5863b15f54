"""Columns with the same content, found by hashing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.util import hash_array

__all__ = ["find_duplicates"]

HASHED_ROWS = 10_000
"""Rows by which columns are told apart at first; only equals are compared in full."""


def find_duplicates(frame: pd.DataFrame) -> dict[str, str]:
    """Columns that equal an earlier one in every row, each with the first such column.

    Missing cells equal missing cells. A column of numbers never equals one of words.

    Examples
    --------
    >>> find_duplicates(pd.DataFrame({"a": [1, 2], "b": [1, 2], "c": [1, 3]}))
    {'b': 'a'}
    """
    rows = np.arange(0, len(frame), max(1, len(frame) // HASHED_ROWS))
    sample = frame if len(rows) == len(frame) else frame.iloc[rows]
    firsts: dict[bytes, list[str]] = {}
    found: dict[str, str] = {}
    for name in frame.columns:
        bucket = firsts.setdefault(_key(sample[name]), [])
        same = next((first for first in bucket if _is_same(frame[first], frame[name])), None)
        if same is None:
            bucket.append(name)
        else:
            found[name] = same
    return found


def _key(column: pd.Series) -> bytes:
    if column.dtype.kind in "iufb" and isinstance(column.dtype, np.dtype):
        # + 0.0: -0.0 equals 0.0 but has other bytes.
        return (column.to_numpy(np.float64) + 0.0).tobytes()
    codes, labels = pd.factorize(column.astype(str).where(column.notna(), None))
    return codes.tobytes() + hash_array(np.asarray(labels, dtype=object)).tobytes()


def _is_same(a: pd.Series, b: pd.Series) -> bool:
    if isinstance(a.dtype, np.dtype) and a.dtype.kind in "iufb":
        return np.array_equal(a.to_numpy(np.float64), b.to_numpy(np.float64), equal_nan=True)
    both_missing = a.isna().to_numpy() & b.isna().to_numpy()
    equal = (a.astype(str).to_numpy() == b.astype(str).to_numpy()) & (
        a.isna().to_numpy() == b.isna().to_numpy()
    )
    return bool((both_missing | equal).all())
