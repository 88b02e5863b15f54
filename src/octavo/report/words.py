"""Numbers, times and names as people read them."""

from __future__ import annotations

import math

__all__ = ["clipped", "duration", "number", "percent"]


def number(value: float | None, digits: int = 4) -> str:
    """A number with that many significant digits, and thousands set apart.

    Examples
    --------
    >>> number(0.123456), number(1234567.0), number(1e-9), number(None), number(2.0)
    ('0.1235', '1,234,567', '1e-09', '–', '2')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -5 or size > 14:
        return f"{value:.{digits - 1}g}"
    text = f"{value:,.{max(digits - 1 - size, 0)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share as a percentage; what is not zero never reads as zero.

    Examples
    --------
    >>> percent(0.25), percent(0.0004), percent(0.0), percent(0.9999)
    ('25 %', '<0.1 %', '0 %', '>99.9 %')
    """
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    if share < 0.001:
        return "<0.1 %"
    if share > 0.999:
        return ">99.9 %"
    hundred = 100 * share
    return (f"{hundred:.1f}" if hundred < 10 or hundred > 99 else f"{hundred:.0f}") + " %"


def duration(seconds: float | None) -> str:
    """A time span.

    Examples
    --------
    >>> duration(0.012), duration(3.21), duration(75), duration(7300), duration(None)
    ('12 ms', '3.2 s', '1 min 15 s', '2 h 1 min', '–')
    """
    if seconds is None or math.isnan(seconds):
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def clipped(text: str, most: int) -> str:
    """Long names lose their middle: the ends are what tells "feature_12" from "feature_13".

    Examples
    --------
    >>> clipped("measurement_of_sensor_12", 12)
    'measure…r_12'
    """
    text = str(text)
    if len(text) <= most:
        return text
    tail = most // 3
    return text[: most - 1 - tail] + "…" + text[len(text) - tail :]
