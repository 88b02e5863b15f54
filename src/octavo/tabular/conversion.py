"""From the cells of a column to its canonical array, as its feature says.

What cannot be read as said becomes missing and is counted, never an error: a model that is in
use must not fail because of one odd cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.tabular import parsing
from octavo.tabular.cells import Cells

__all__ = ["booleans", "categories", "dates", "lost_example", "numbers", "texts"]

Converted = tuple[Any, int]
"""The canonical array, and how many cells that hold something could not be read."""


def numbers(column: Cells, form: str = "") -> Converted:
    """Floats with NaN where missing; infinities become missing too."""
    if column.storage == "moment":
        return np.full(len(column), np.nan), int((~column.missing).sum())
    if column.labels is None:
        values = column.values
    else:
        of_labels, _ = parsing.numbers(column.labels, decimal_comma=form == "decimal comma")
        values = _spread(of_labels, column.values, np.nan)
    finite = np.isfinite(values)
    n_lost = int((~finite & ~column.missing & ~_is_missing_text(column)).sum())
    return values if finite.all() else np.where(finite, values, np.nan), n_lost


def booleans(column: Cells, pair: tuple[str, ...]) -> Converted:
    """0.0 for the first word of the pair, 1.0 for the second, numbers as they are."""
    labels = column.distinct() if column.labels is None else column.labels
    if column.storage in ("number", "boolean") and {"0", "False"} & set(pair):
        return numbers(column)
    words = [parsing.as_text(label).lower() for label in labels]
    of_labels = parsing.truths(labels)
    for value, word in enumerate(pair):
        of_labels[[other == word.lower() for other in words]] = value
    unread = np.isnan(of_labels)
    if {"0", "False"} & set(pair) and unread.any():
        of_labels[unread] = parsing.numbers(labels[unread])[0]  # "1.0" in a column of 0 and 1
    values = _spread(of_labels, _codes(column, labels), np.nan)
    n_lost = int((np.isnan(values) & ~column.missing & ~_is_missing_text(column)).sum())
    return values, n_lost


def categories(column: Cells, known: tuple[str, ...]) -> Converted:
    """A Categorical with exactly the known categories; others are missing."""
    labels = column.distinct() if column.labels is None else column.labels
    place = {label: i for i, label in enumerate(known)}
    of_labels = np.array([_place(label, place) for label in labels], dtype=np.int64)
    codes = _spread(of_labels, _codes(column, labels), -1)
    n_lost = int(((codes < 0) & ~column.missing & ~_is_missing_text(column)).sum())
    dtype = pd.CategoricalDtype(pd.Index(known, dtype=object))
    return pd.Categorical.from_codes(codes, dtype=dtype), n_lost


def texts(column: Cells) -> Converted:
    """Strings, "" where missing."""
    labels = column.distinct() if column.labels is None else column.labels
    of_labels = np.array(
        ["" if parsing.is_missing_word(t) else t for t in map(parsing.as_text, labels)] or [""],
        dtype=object,
    )
    return _spread(of_labels, _codes(column, labels), ""), 0


def dates(column: Cells, form: str) -> Converted:
    """Moments as datetime64[ns] without a time zone, NaT where missing."""
    if column.storage == "moment":
        return column.values, 0
    if column.storage in ("number", "boolean") and not form:
        return np.full(len(column), np.datetime64("NaT", "ns")), int((~column.missing).sum())
    labels = column.distinct() if column.labels is None else column.labels
    if column.storage == "number" or form == "%Y%m%d":
        labels = np.array([parsing.as_text(label) for label in labels], dtype=object)
    of_labels = parsing.dates(labels, form or parsing.ISO)
    unread = np.isnat(of_labels)
    if unread.any() and form != parsing.ISO:
        of_labels[unread] = parsing.dates(labels[unread], parsing.ISO)
    values = _spread(of_labels, _codes(column, labels), np.datetime64("NaT", "ns"))
    n_lost = int((np.isnat(values) & ~column.missing & ~_is_missing_text(column)).sum())
    return values, n_lost


def lost_example(column: Cells, values: Any) -> str:
    """One of the cells that could not be read, in quotes if it is text.

    Examples
    --------
    >>> from octavo.tabular.cells import cells
    >>> column = cells(pd.Series(["1", None, "?", "much"]))
    >>> lost_example(column, numbers(column)[0])
    "'much'"
    """
    lost = np.asarray(pd.isna(values)) & ~column.missing & ~_is_missing_text(column)
    at = int(np.argmax(lost))
    cell = column.values[at] if column.labels is None else column.labels[column.values[at]]
    return f"{str(cell)[:60]!r}" if isinstance(cell, str) else f"{cell}"


def _codes(column: Cells, labels: NDArray[Any]) -> NDArray[np.int64]:
    """Which of the distinct labels each cell holds, -1 where missing."""
    if column.labels is not None:
        return column.values
    codes, _ = pd.factorize(column.values)  # the same order of appearance as `distinct`
    return np.asarray(codes, dtype=np.int64)


def _spread(of_labels: NDArray[Any], codes: NDArray[np.int64], missing: Any) -> NDArray[Any]:
    """The value of each cell's label."""
    with_missing = np.append(of_labels, np.array([missing], dtype=of_labels.dtype))
    return with_missing[codes]  # code -1 is the last one


def _place(label: Any, place: dict[str, int]) -> int:
    text = parsing.as_text(label)
    found = place.get(text, -1)
    if found < 0 and isinstance(label, bool | np.bool_):
        return place.get(str(int(label)), -1)
    if found < 0 and text[-2:] == ".0":
        return place.get(text[:-2], -1)  # a whole number that went through a float column
    return found


def _is_missing_text(column: Cells) -> NDArray[np.bool_]:
    """Shape (n,): cells that hold a word for "missing"."""
    if column.labels is None:
        return np.zeros(len(column), dtype=bool)
    words = [parsing.as_text(label).lower() in parsing.MISSING_NUMBERS for label in column.labels]
    return np.asarray(np.append(np.array(words, dtype=bool), False)[column.values])
