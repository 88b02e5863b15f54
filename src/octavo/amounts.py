"""Numbers, times and sizes as people write them: is it one, and how much is it?"""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import TypeGuard

from octavo.errors import ProblemError

__all__ = ["is_number", "is_whole", "megabytes", "seconds"]

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1.0, "mb": 1.0, "mib": 1.0, "m": 1.0, "gb": 1024.0, "gib": 1024.0, "g": 1024.0}


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`; words and truths are none.

    Examples
    --------
    >>> is_whole(3, 1), is_whole(0, 1), is_whole("3", 1), is_whole(True, 1), is_whole(1.5, 1)
    (True, False, False, False, False)
    """
    return is_number(value) and float(value).is_integer() and value >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a real number; NaN and truths are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def seconds(time: str | float | None, name: str = "time") -> float | None:
    """A time as seconds: "90s", "10m", "1h30m", "2h", a number of seconds, or None.

    Raises
    ------
    ProblemError
        If it cannot be read as a time, or is not more than zero.

    Examples
    --------
    >>> seconds("1h30m"), seconds("500ms"), seconds(20)
    (5400.0, 0.5, 20.0)
    """
    if time is None:
        return None
    if isinstance(time, Real) and not isinstance(time, bool):
        total = float(time)
    else:
        text = str(time).strip().lower().replace(" ", "")
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|min|[smhd])", text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            total = sum(float(number) * _UNITS[unit] for number, unit in parts)
        else:
            try:
                total = float(text)
            except ValueError:
                raise ProblemError(
                    f"{name}={time!r} cannot be read as a time. "
                    "Write it as '90s', '10m', '1h30m', '2h', or a number of seconds."
                ) from None
    if not total > 0 or math.isinf(total):
        raise ProblemError(
            f"{name}={time!r} must be a finite time of more than 0 seconds. "
            "Write it as '10m' or 600, or use None for no limit."
        )
    return total


def megabytes(memory: str | float | None, name: str = "memory") -> float | None:
    """An amount of memory as MiB: "500MB", "4GB", a number of MiB, or None.

    Raises
    ------
    ProblemError
        If it cannot be read as an amount of memory, or is not more than zero.

    Examples
    --------
    >>> megabytes("4GB"), megabytes(512)
    (4096.0, 512.0)
    """
    if memory is None:
        return None
    if isinstance(memory, Real) and not isinstance(memory, bool):
        total = float(memory)
    else:
        match = re.fullmatch(
            r"(\d+(?:\.\d+)?)([a-z]*)", str(memory).strip().lower().replace(" ", "")
        )
        if match is None or match[2] not in _SIZES:
            raise ProblemError(
                f"{name}={memory!r} cannot be read as an amount of memory. "
                "Write it as '500MB', '4GB', or a number of MiB."
            )
        total = float(match[1]) * _SIZES[match[2]]
    if not total > 0 or math.isinf(total):
        raise ProblemError(
            f"{name}={memory!r} must be a finite amount of more than 0 MiB. "
            "Write it as '4GB' or 4096, or use None for no limit."
        )
    return total
