"""What kind of column is this? The rules, in the order in which they are tried.

Numbers stay numbers however few there are; words become truths, numbers, dates, text or
categories, whichever reading nearly all of them allow. What cannot help a model (constants,
ids) is named with its reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from octavo.errors import DataError
from octavo.tabular import parsing
from octavo.tabular.cells import Cells

__all__ = ["FeatureKind", "Finding", "detect", "read_as"]

FeatureKind = Literal["number", "boolean", "category", "text", "date"]

FEW_ROWS = 20
"""Below this, a different value in every row says nothing."""
COUNTED_ROWS = 100_000
"""Distinct numbers are counted on so many rows at most."""
MOSTLY = 0.9
"""A reading must fit this share of the cells."""
TEXT_VALUES = 30
"""Up to so many distinct values are categories, however long they are."""

IDENTIFIER = re.compile(
    r"(^|.*[^a-z])(id|uuid|guid|rownames|row[ _.]?(name|names|id|nr|no|number)|index|key)"
    r"|unnamed: ?0|pk|case[ _.]?(no|nr|number)",
    re.IGNORECASE,
)
CAMEL_IDENTIFIER = re.compile(r".*[a-z](Id|ID)")
DATE_NAME = re.compile(r"(^|.*[^a-z])(date|day|dt)([^a-z].*|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """What was found out about one column.

    Parameters
    ----------
    kind
        None: the column is of no use, for the reason in `note`.
    note
        Why, for people.
    n_unique
        Distinct values that are not missing.
    form
        How its text is to be read: a date format, "decimal comma", or "".
    categories
        Labels of a category column: in the order of an ordered type, else by their numbers if
        all are numbers, else by alphabet. The labels of 0 and 1 of a boolean column.
    warning
        What the user should know, completing "Column 'x' ..."; "" if nothing.
    otherwise
        As what a column of no use is read if there is no other; None: never.
    """

    kind: FeatureKind | None
    note: str
    n_unique: int
    form: str = ""
    categories: tuple[str, ...] | None = None
    warning: str = ""
    otherwise: FeatureKind | None = None


@dataclass(frozen=True)
class _Words:
    """Distinct texts of a label column, without the missing ones, and how often each occurs."""

    texts: list[str]
    counts: np.ndarray
    labels: np.ndarray = field(repr=False)

    @property
    def n_cells(self) -> int:
        return int(self.counts.sum())

    def share(self, chosen: np.ndarray) -> float:
        return float(self.counts[chosen].sum() / max(self.n_cells, 1))


def detect(column: Cells, name: str) -> Finding:
    """Decide how a column is to be read.

    Examples
    --------
    >>> from octavo.tabular.cells import cells
    >>> detect(cells(pd.Series(["yes", "no", "yes"])), "smoker").kind
    'boolean'
    >>> detect(cells(pd.Series(["1,200", "n/a", "15"])), "price").kind
    'number'
    >>> detect(cells(pd.Series([7, 7, 7])), "version").note
    'always 7'
    """
    if len(column) and column.missing.all():
        return Finding(None, "always missing", 0)
    if column.storage == "label":
        return _detect_label(column, name)
    values = column.values[~column.missing]
    has_missing = len(values) < len(column)
    if column.storage == "moment":
        n_unique = _count(values)
        if n_unique == 1 and not has_missing:
            return Finding(None, f"always {pd.Timestamp(values[0])}", 1)
        return Finding("date", column.note or "a date by its type", n_unique)
    return _detect_number(column, values, name, has_missing)


def _count(values: np.ndarray) -> int:
    return len(pd.unique(values[:: max(1, len(values) // COUNTED_ROWS)]))


def _detect_number(column: Cells, values: np.ndarray, name: str, has_missing: bool) -> Finding:
    finite = values[np.isfinite(values)]
    n_unique = _count(finite)
    if len(finite) == 0:
        return Finding(None, "never a finite number", 0)
    low, high = finite.min(), finite.max()
    if low == high and len(finite) == len(column):
        return Finding(None, f"always {parsing.as_text(low)}", 1)
    warning = ""
    if len(finite) < len(values):
        warning = f"has {len(values) - len(finite)} infinite values, which are read as missing."
    if column.storage == "boolean":
        return Finding("boolean", "true or false", n_unique, categories=("False", "True"))
    if low == 0 and high == 1 and n_unique == 2 and ((finite == 0) | (finite == 1)).all():
        return Finding("boolean", "0 or 1", 2, categories=("0", "1"), warning=warning)
    is_whole = n_unique == len(finite) and bool((finite == np.floor(finite)).all())
    if is_whole and len(finite) >= FEW_ROWS:
        if _is_identifier(name):
            note = "an id: a different whole number in every row"
            return Finding(None, note, n_unique, otherwise="number")
        steps = np.diff(finite)
        if not has_missing and low in (0, 1) and (steps == 1).all():
            note = "a row number: it counts the rows"
            return Finding(None, note, n_unique, otherwise="number")
    if DATE_NAME.fullmatch(name) and low > 1800_01_01 and high < 2262_01_01:
        labels = np.array([parsing.as_text(value) for value in pd.unique(finite)], dtype=object)
        if not np.isnat(parsing.dates(labels, "%Y%m%d")).any():
            return Finding("date", "whole numbers as year, month, day", n_unique, form="%Y%m%d")
    return Finding("number", column.note or "numeric", n_unique, warning=warning)


def _is_identifier(name: str) -> bool:
    return bool(IDENTIFIER.fullmatch(name) or CAMEL_IDENTIFIER.fullmatch(name))


def _words(column: Cells) -> _Words:
    assert column.labels is not None
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.labels))
    texts = [parsing.as_text(label) for label in column.labels]
    kept = [i for i, text in enumerate(texts) if counts[i] and not parsing.is_missing_word(text)]
    return _Words([texts[i] for i in kept], counts[kept], column.labels[kept])


def _detect_label(column: Cells, name: str) -> Finding:
    words = _words(column)
    distinct = set(words.texts)
    n_unique = len(distinct)
    if n_unique == 0:
        return Finding(None, "always missing, or a word for it", 0)
    if n_unique == 1 and words.n_cells == len(column):
        return Finding(None, f"always {words.texts[0][:40]!r}", 1)
    if parsing.are_truths(distinct):
        pair = _pair(sorted(distinct))
        return Finding("boolean", f"{pair[0]} or {pair[1]}", n_unique, categories=pair)
    found = None
    if not column.is_declared:
        found = _as_numbers(words, name, len(column)) or _as_dates(words)
    found = found or _as_identifier(words, name) or _as_text(words)
    if found is not None:
        return found
    note = "a category by its type" if column.is_declared else f"{n_unique} different words"
    return _category(words, note, column)


def _category(words: _Words, note: str, column: Cells) -> Finding:
    warning = f"holds {column.note}." if column.note else ""
    if _is_mixed(words):
        warning = "mixes numbers and text; all are read as words."
    labels = tuple(words.texts) if column.is_ordered else _in_order(set(words.texts))
    return Finding("category", note, len(labels), categories=labels, warning=warning)


def _in_order(texts: set[str]) -> tuple[str, ...]:
    """Labels by their numbers if all are numbers, else by alphabet."""
    labels = sorted(texts)
    values, _ = parsing.numbers(np.array(labels, dtype=object))
    if np.isnan(values).any():
        return tuple(labels)
    return tuple(labels[i] for i in np.argsort(values, kind="stable"))


def _is_mixed(words: _Words) -> bool:
    are_numbers = np.array([not isinstance(x, str | bool) for x in words.labels[:1000]])
    return bool(are_numbers.any() and not are_numbers.all())


def _as_numbers(words: _Words, name: str, n_rows: int) -> Finding | None:
    if any(text[0] == "0" and text.isdigit() and len(text) > 1 for text in words.texts):
        return None  # 00501 is a code, such as a postal one
    comma = parsing.uses_decimal_comma(words.labels)
    # A quick look first: most columns of words show it at once.
    step = max(1, len(words.labels) // 100)
    _, readable = parsing.numbers(words.labels[::step], decimal_comma=comma)
    if readable.mean() < 0.5:
        return None
    values, readable = parsing.numbers(words.labels, decimal_comma=comma)
    share = words.share(readable)
    if share < MOSTLY or np.isnan(values).all():
        return None
    numeric = Cells("number", np.repeat(values, words.counts))
    found = _detect_number(numeric, numeric.values[~np.isnan(numeric.values)], name, True)
    if found.kind is None and found.n_unique > 1:
        return replace(found, form="decimal comma" if comma else "")
    warning = ""
    if share < 1:
        odd = [words.texts[i] for i in np.flatnonzero(~readable)[:3]]
        warning = (
            f"holds numbers, but also {', '.join(map(repr, odd))} "
            f"({100 * (1 - share):.2g} % of its cells), read as missing."
        )
    form = "decimal comma" if comma else ""
    note = "numbers written as text" + (" with a decimal comma" if comma else "")
    kind: FeatureKind = "boolean" if found.kind == "boolean" else "number"
    return Finding(kind, note, found.n_unique, form, found.categories, warning)


def _as_dates(words: _Words) -> Finding | None:
    found = parsing.find_date_format(words.labels)
    if found is None:
        return None
    form, is_ambiguous = found
    moments = parsing.dates(words.labels, form)
    share = words.share(~np.isnat(moments))
    if share < MOSTLY:
        return None
    warning = ""
    if is_ambiguous:
        warning = (
            "has dates that can be read with the month or the day first; the month is taken. "
            "Write them as 2024-12-31 to be sure."
        )
    elif share < 1:
        odd = [words.texts[i] for i in np.flatnonzero(np.isnat(moments))[:3]]
        warning = f"holds dates, but also {', '.join(map(repr, odd))}, read as missing."
    n_unique = len(np.unique(moments[~np.isnat(moments)]))
    return Finding("date", f"dates written as {form}", n_unique, form, warning=warning)


def _as_identifier(words: _Words, name: str) -> Finding | None:
    n_unique = len(set(words.texts))
    if n_unique < FEW_ROWS:
        return None
    sample = words.texts[:: max(1, n_unique // 1000)]
    is_single = np.mean([len(text.split()) for text in sample]) < 1.5
    if n_unique == words.n_cells and (is_single or _is_identifier(name)):
        return Finding(None, "an id: a different word in every row", n_unique)
    return None


def _as_text(words: _Words) -> Finding | None:
    n_unique = len(set(words.texts))
    if n_unique <= TEXT_VALUES:
        return None
    sample = words.texts[:: max(1, n_unique // 1000)]
    n_words = float(np.mean([len(text.split()) for text in sample]))
    if n_words >= 2.5 or (n_words >= 1.8 and n_unique > 0.5 * words.n_cells):
        return Finding("text", f"{n_words:.1f} words on average", n_unique)
    return None


def read_as(column: Cells, kind: FeatureKind) -> Finding:
    """Read a column as the kind that the user says it is.

    Examples
    --------
    >>> from octavo.tabular.cells import cells
    >>> read_as(cells(pd.Series([3, 1, 3])), "category").categories
    ('1', '3')
    """
    said = "as said by the user"
    labels = column.distinct()
    n_unique = len(labels)
    if kind == "number":
        comma = column.storage == "label" and parsing.uses_decimal_comma(labels)
        return Finding("number", said, n_unique, "decimal comma" if comma else "")
    if kind == "date":
        found = None if column.storage == "moment" else parsing.find_date_format(labels)
        return Finding("date", said, n_unique, found[0] if found else "")
    if kind == "text":
        return Finding("text", said, n_unique)
    texts = list(dict.fromkeys(parsing.as_text(label) for label in labels))
    texts = [text for text in texts if not parsing.is_missing_word(text)]
    if kind == "category" and column.is_ordered:
        return Finding("category", said, len(texts), categories=tuple(texts))
    if kind == "category":
        return Finding("category", said, len(texts), categories=_in_order(set(texts)))
    if len(texts) > 2:
        raise DataError(
            f"is said to be boolean, but has {len(texts)} different values: "
            f"{', '.join(map(repr, texts[:5]))}. Say 'category' or 'number' instead."
        )
    return Finding("boolean", said, n_unique, categories=_pair(texts))


def _pair(texts: list[str]) -> tuple[str, ...]:
    """The words for 0 and for 1: no before yes, else in alphabetical order."""
    if parsing.are_truths(set(texts)):
        values = parsing.truths(np.array(texts, dtype=object))
        return tuple(word for _, word in sorted(zip(values, texts, strict=True)))
    return tuple(sorted(texts)) if len(texts) == 2 else ("False", "True")
