"""What a label says: is it a number, a truth, a date, or just a word?

All functions take an array of distinct labels (mostly strings) and return one value each.
Words for "missing" (`?`, `NA`, an empty cell, ...) are missing under every reading.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["as_text", "dates", "find_date_format", "is_missing_word", "numbers", "truths"]

Objects = NDArray[Any]

MISSING_WORDS = frozenset({"", "?", "na", "n/a", "#n/a", "#na#", "nan", "null", "<na>", "nat"})
MISSING_NUMBERS = MISSING_WORDS | {
    *("-", "--", ".", "..", "*", "none", "missing", "unknown", "n.a.", "n.a", "nil", "#value!"),
    *("undefined", "not available", "#div/0!", "unk"),
}
"""In a column of numbers more words can only mean that there is none."""

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0"})
PAIRS = (("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("off", "on"), ("0", "1"))

GROUPED = re.compile(r"[+-]?\d{1,3}([ ,'\u00a0\u202f]\d{3})+(\.\d*)?")
DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+")
ORNAMENT = re.compile(r"^[$€£¥]\s*|\s*[$€£¥%]$")


def as_text(label: Any) -> str:
    """A label as stripped text; 1.0 and 1 give the same.

    Examples
    --------
    >>> as_text(" a "), as_text(1.0), as_text(True), as_text(0.5)
    ('a', '1', 'True', '0.5')
    """
    if isinstance(label, str):
        return label.strip()
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)


def is_missing_word(text: str) -> bool:
    """Whether a text stands for a missing cell in any column."""
    return text.strip().lower() in MISSING_WORDS


def numbers(labels: Objects, *, decimal_comma: bool = False) -> tuple[Objects, NDArray[np.bool_]]:
    """Read labels as numbers: "12", " 1,234.5 ", "$3", "12 %", "1e-3".

    Parameters
    ----------
    labels : shape (n,)
        Distinct cells.
    decimal_comma
        Whether "1,5" is one and a half and "1.234,5" a thousand and more.

    Returns
    -------
    values, readable
        Shape (n,) each: floats with NaN where missing or unreadable, and whether the label is a
        number or a word for a missing one.

    Examples
    --------
    >>> numbers(np.array(["1,234", " 12 ", "?", "x"], dtype=object))[0]
    array([1234.,   12.,   nan,   nan])
    """
    if decimal_comma:
        labels = np.array([_with_point(label) for label in labels], dtype=object)
    values = pd.to_numeric(pd.Series(labels, dtype=object), errors="coerce").to_numpy(np.float64)
    values = np.array(values)
    readable = ~np.isnan(values)
    for i in np.flatnonzero(~readable):
        text = as_text(labels[i])
        if text.lower() in MISSING_NUMBERS:
            readable[i] = True
            continue
        number = _number(text)
        if number is not None:
            values[i], readable[i] = number, True
    return values, readable


def uses_decimal_comma(labels: Objects) -> bool:
    """Whether numbers are written as 3,14: some are, and none needs the point as decimal.

    Examples
    --------
    >>> uses_decimal_comma(np.array(["3,1", "2,75"], dtype=object))
    True
    >>> uses_decimal_comma(np.array(["1,234", "2,750"], dtype=object))
    False
    """
    texts = [as_text(label) for label in labels if isinstance(label, str) and "," in label]
    if not texts or not all(DECIMAL_COMMA.fullmatch(text) for text in texts):
        return False
    return not all(GROUPED.fullmatch(text) for text in texts)


def _with_point(label: Any) -> Any:
    text = as_text(label)
    return text.replace(".", "").replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else label


def _number(text: str) -> float | None:
    bare = ORNAMENT.sub("", text).strip()
    if GROUPED.fullmatch(bare):
        bare = re.sub(r"[ ,'\u00a0\u202f]", "", bare)
    # Python's underscores are no way to write numbers in tables.
    if not bare or "_" in bare or bare[-1] in "fynNFY":
        return None
    try:
        return float(bare)
    except ValueError:
        return None


def truths(labels: Objects) -> NDArray[np.float64]:
    """1.0 for yes, 0.0 for no, NaN for anything else.

    Examples
    --------
    >>> truths(np.array(["Yes", "N", True, "perhaps"], dtype=object))
    array([ 1.,  0.,  1., nan])
    """
    values = np.full(len(labels), np.nan)
    for i, label in enumerate(labels):
        word = as_text(label).lower()
        if word in TRUE_WORDS:
            values[i] = 1.0
        elif word in FALSE_WORDS:
            values[i] = 0.0
    return values


def are_truths(words: set[str]) -> bool:
    """Whether exactly a pair such as {"no", "yes"} occurs, in whatever case."""
    return any({word.lower() for word in words} == set(pair) for pair in PAIRS)


# Month before day where both could be: as pandas reads them.
DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y"),
    *("%d-%b-%y", "%d %b %y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%b %Y", "%B %Y", "%b-%Y"),
    *("%a %d %b %Y", "%a, %d %b %Y", "%A, %B %d, %Y"),
)
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
ISO = "ISO8601"
LOOKS_DATED = re.compile(
    r"\d{1,4}[-/. ][0-9A-Za-z]{1,9}[-/., ]+\d{1,4}.*"
    r"|\d{4}-\d{2}(T.*)?|\d{8}T\d.*"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?"
    r"|[A-Za-z]{3,9},?[- ].*\d{2,4}"
)


def find_date_format(labels: Objects) -> tuple[str, bool] | None:
    """The format in which nearly all of some labels are dates.

    Returns
    -------
    format, is_ambiguous
        A `strptime` format or "ISO8601", and whether day and month could also be the other way
        round; None if these are no dates.

    Examples
    --------
    >>> find_date_format(np.array(["2024-02-29", "2024-03-01T12:00:00+02:00"], dtype=object))
    ('ISO8601', False)
    >>> find_date_format(np.array(["24/12/2023", "01/02/2024"], dtype=object))
    ('%d/%m/%Y', False)
    """
    if any(isinstance(label, datetime.date | np.datetime64) for label in labels[:20]):
        return ISO, False
    texts = [label.strip() for label in labels if isinstance(label, str)]
    texts = [text for text in texts if not is_missing_word(text)]
    dated = [text for text in texts if len(text) <= 40 and LOOKS_DATED.fullmatch(text)]
    if not texts or len(dated) < 0.95 * max(len(texts), len(labels) - 10):
        return None
    sample = np.array(dated[:: max(1, len(dated) // 200)], dtype=object)
    fits = [form for form in _formats(sample[0]) if _share(sample, form) >= 0.98]
    if not fits:
        return None
    # All labels decide between month first and day first, not only the sample.
    everything = np.array(dated, dtype=object)
    shares = {form: _share(everything, form) for form in fits}
    best = max(fits, key=lambda form: shares[form])
    swapped = best.replace("%m", "%?").replace("%d", "%m").replace("%?", "%d")
    return best, swapped != best and shares.get(swapped, 0.0) == shares[best]


def _formats(example: str) -> Iterator[str]:
    yield ISO
    if ":" not in example:
        yield from DAYS
        return
    if re.match(r"\d{1,2}:", example):
        yield from TIMES
        return
    times = [time for time in TIMES if time.count(":") == min(example.count(":"), 2)]
    for day in DAYS:
        for time in times:
            yield f"{day} {time}"


def _share(labels: Objects, form: str) -> float:
    return float((~np.isnat(dates(labels, form))).mean())


def dates(labels: Objects, form: str) -> NDArray[np.datetime64]:
    """Read labels as moments, datetime64[ns], NaT where unreadable; time zones become UTC.

    Parameters
    ----------
    labels : shape (n,)
        Distinct cells.
    form
        A `strptime` format, or "ISO8601".
    """
    cleaned = pd.Series(
        [x if isinstance(x, datetime.date | np.datetime64) else as_text(x) for x in labels],
        dtype=object,
    )
    moments = pd.to_datetime(cleaned, format=form, errors="coerce", utc=True)
    naive = moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    low, high = np.datetime64("1678-01-01", "us"), np.datetime64("2261-12-31", "us")
    return np.asarray(np.clip(naive, low, high)).astype("datetime64[ns]")
