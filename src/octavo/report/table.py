"""A table's columns in a few numbers each, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from octavo.report.data import Column
from octavo.report.words import clipped, number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["summarize"]

N_BARS = 16
MOST_ROWS = 20_000
"""More rows change no bar that an eye can see; they are sampled."""


def summarize(
    table: pd.DataFrame,
    *,
    kinds: Mapping[int, str] | None = None,
    notes: Mapping[int, str] | None = None,
) -> tuple[Column, ...]:
    """Kind, missing and unique values, and a small histogram of each column.

    Parameters
    ----------
    table
        Any DataFrame; names may occur twice.
    kinds, notes
        By position of the column: what it counts as, and anything to know about it.
    """
    import pandas as pd

    sample = table
    if len(table) > MOST_ROWS:
        rows = np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False)
        sample = table.iloc[np.sort(rows)]
    columns = []
    for at, name in enumerate(table.columns):
        whole, values = table.iloc[:, at], sample.iloc[:, at].dropna()
        kind, bars, summary = _describe(values, pd)
        columns.append(
            Column(
                name=str(name),
                kind=(kinds or {}).get(at, kind),
                missing=float(whole.isna().mean()) if len(whole) else 0.0,
                unique=_unique(whole),
                bars=bars,
                summary=summary,
                note=(notes or {}).get(at, ""),
            )
        )
    return tuple(columns)


def _unique(values: Any) -> int | None:
    try:
        return int(values.nunique())
    except TypeError:  # lists, dicts: not countable
        return None


def _describe(values: Any, pd: Any) -> tuple[str, tuple[float, ...], str]:
    types = pd.api.types
    if not len(values):
        return "empty", (), ""
    if types.is_bool_dtype(values.dtype):
        share = float(values.astype(float).mean())
        return "boolean", (1 - share, share), f"{share:.0%} true"
    if types.is_datetime64_any_dtype(values.dtype):
        # Seconds: bars need numbers, words need dates.
        seconds = (values - values.min()).dt.total_seconds().to_numpy(float)
        return "date", _histogram(seconds), f"{values.min():%Y-%m-%d} to {values.max():%Y-%m-%d}"
    if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
        numbers = values.to_numpy(float)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return "number", (), "infinite"
        low, middle, high = np.quantile(numbers, [0, 0.5, 1])
        words = f"{number(low)} to {number(high)}, median {number(middle)}"
        return "number", _histogram(numbers), words
    words_of = values.astype(str)
    counts = words_of.value_counts()
    long = counts.index.str.len().to_numpy().mean() > 40 or len(counts) > 0.5 * len(values) > 10
    top = ", ".join(clipped(value, 18) for value in counts.index[:3])
    more = f" and {len(counts) - 3:,} more" if len(counts) > 3 else ""
    bars = tuple(float(count) for count in counts.iloc[:N_BARS])
    return ("text" if long else "category"), (() if long else bars), top + more


def _histogram(numbers: Any) -> tuple[float, ...]:
    # A single far value must not squeeze all others into one bar.
    low, high = np.quantile(numbers, [0.005, 0.995])
    if not low < high:
        low, high = float(numbers.min()), float(numbers.max())
    if not low < high:
        return (float(len(numbers)),)
    counts, _ = np.histogram(np.clip(numbers, low, high), bins=N_BARS, range=(low, high))
    return tuple(float(count) for count in counts)
