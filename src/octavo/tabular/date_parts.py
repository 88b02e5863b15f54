"""A date as numbers: how long ago, and where in the year, the week and the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DateParts", "date_numbers", "fit_date_parts"]

Floats = NDArray[np.float64]
Moments = NDArray[np.datetime64]

DAY = np.timedelta64(86_400_000_000_000, "ns")


@dataclass(frozen=True, eq=False)
class DateParts:
    """Which parts of some date columns vary, and so are worth a column each.

    Parameters
    ----------
    style
        "parts": as they are counted, for trees. "cyclic": sine and cosine of the angle within
        year, week and day, so that December is next to January, for linear models.
    kept
        For each date column the names of its parts.
    """

    style: Literal["parts", "cyclic"]
    kept: tuple[tuple[str, ...], ...]

    def transform(self, moments: Moments) -> Floats:
        """Shape (n, sum of parts): NaN where there is no date. `moments` has shape (n, p)."""
        blocks = [np.empty((len(moments), 0))]
        for column, names in enumerate(self.kept):
            parts = date_numbers(moments[:, column], self.style)
            blocks.append(np.column_stack([parts[name] for name in names]))
        return np.concatenate(blocks, axis=1)


def fit_date_parts(moments: Moments, style: Literal["parts", "cyclic"]) -> DateParts:
    """Keep of each date column the days since 1970 and all parts that vary.

    Examples
    --------
    >>> days = np.array([["2024-01-01"], ["2024-03-01"]], dtype="datetime64[ns]")
    >>> fit_date_parts(days, "parts").kept
    (('days', 'month', 'weekday', 'day of year'),)
    """
    kept = []
    for column in range(moments.shape[1]):
        parts = date_numbers(moments[:, column], style)
        names = [name for name, values in parts.items() if name == "days" or _varies(values)]
        kept.append(tuple(names))
    return DateParts(style, tuple(kept))


def _varies(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and bool(np.ptp(known) > 1e-9)


def date_numbers(moments: Moments, style: Literal["parts", "cyclic"]) -> dict[str, Floats]:
    """All parts of a column of dates by name, shape (n,) each.

    Examples
    --------
    >>> parts = date_numbers(np.array(["2024-02-29T12:00"], dtype="datetime64[ns]"), "parts")
    >>> {name: float(values[0]) for name, values in parts.items()}["day of year"]
    60.0
    """
    missing = np.isnat(moments)
    known = np.where(missing, np.datetime64(0, "ns"), moments)
    days = known.astype("datetime64[D]")
    months = known.astype("datetime64[M]")
    years = known.astype("datetime64[Y]")
    fraction = (known - days) / DAY  # of the day, in [0, 1)
    number = days.astype(np.int64)
    day_of_year = (days - years.astype("datetime64[D]")).astype(np.float64)
    weekday = ((number + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday; Monday is 0
    parts = {"days": number + fraction, "year": years.astype(np.int64) + 1970.0}
    if style == "parts":
        parts["month"] = months.astype(np.int64) % 12 + 1.0
        parts["day"] = (days - months.astype("datetime64[D]")).astype(np.float64) + 1.0
        parts["weekday"] = weekday
        parts["day of year"] = day_of_year + 1.0
        parts["hour"] = fraction * 24.0
    else:
        turns = {
            "year": day_of_year / 365.25,
            "week": weekday / 7.0,
            "month": (days - months.astype("datetime64[D]")).astype(np.float64) / 30.4,
            "day": fraction,
        }
        for name, turn in turns.items():
            parts[f"sine of the {name}"] = np.sin(2 * np.pi * turn)
            parts[f"cosine of the {name}"] = np.cos(2 * np.pi * turn)
    return {name: np.where(missing, np.nan, values) for name, values in parts.items()}
