"""Columns with the same content, whatever types hold it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from octavo.tabular import parsing
from octavo.tabular.cells import Cells

__all__ = ["find_duplicates"]

HASHED_ROWS = 10_000
"""Rows by which columns are told apart at first; only equals are compared in full."""


def find_duplicates(columns: Mapping[str, Cells]) -> dict[str, str]:
    """Columns that equal an earlier one in every row, each with the first such column.

    Missing cells equal missing cells. A column of numbers never equals one of words.

    Examples
    --------
    >>> from octavo.tabular.cells import cells
    >>> frame = pd.DataFrame({"a": [1, 2], "b": [1, 2], "c": [1, 3]})
    >>> find_duplicates({name: cells(frame[name]) for name in frame})
    {'b': 'a'}
    """
    firsts: dict[Hashable, list[str]] = {}
    found: dict[str, str] = {}
    for name, column in columns.items():
        step = max(1, len(column) // HASHED_ROWS)
        bucket = firsts.setdefault(_content(column, step), [])
        for first in bucket:
            if step == 1 or _content(columns[first]) == _content(column):
                found[name] = first
                break
        else:
            bucket.append(name)
    return found


def _content(column: Cells, step: int = 1) -> Hashable:
    """What every `step`-th row holds, equal for columns that hold the same."""
    values = column.values[::step]
    if column.labels is None:
        numbers = values.astype(np.float64) + 0.0  # + 0.0: -0.0 equals 0.0 but has other bytes
        return column.storage == "moment", numbers.tobytes()
    order, codes = pd.factorize(values)  # by appearance, whatever number a label had
    texts = tuple(parsing.as_text(column.labels[code]) if code >= 0 else None for code in codes)
    return order.tobytes(), texts
