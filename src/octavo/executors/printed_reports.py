"""Learning curves from what a program prints: lines by a regular expression, or JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from octavo.errors import ObjectiveError, SettingError

__all__ = ["check_report", "reporter"]


def check_report(regex: str | None, step: str | None) -> None:
    """Refuse an expression that does not compile or does not name what it finds, and two ways.

    Raises
    ------
    SettingError
        Saying how to write it.
    """
    if regex is not None and step is not None:
        raise SettingError(
            "reports are read by a regular expression and as JSON lines, where one way is "
            "expected. Remove one of them."
        )
    if regex is None:
        return
    try:
        groups = set(re.compile(regex).groupindex)
    except re.error as error:
        raise SettingError(
            f"the regular expression '{regex}' of the report does not compile: {error}. Write it "
            r"in single quotes, such as 'epoch (?P<step>\d+) loss (?P<loss>\S+)'."
        ) from error
    if "step" not in groups or len(groups) < 2:
        raise SettingError(
            f"the regular expression '{regex}' of the report has the named groups "
            f"{sorted(groups)}. Name one 'step' and each other one after what it reports, such as "
            r"'epoch (?P<step>\d+) loss (?P<loss>\S+)'."
        )


def reporter(
    regex: str | None, step: str | None, report: Callable[..., None] | None
) -> Callable[[str], None] | None:
    """What sends a line of output as a report, if it is one.

    Parameters
    ----------
    regex
        As `Command.report`.
    step
        As `Command.report_json`.
    report
        As an objective gets it.
    """
    if report is None or (regex is None and step is None):
        return None
    pattern = None if regex is None else re.compile(regex)

    def on_line(line: str) -> None:
        found = _matched(pattern, line) if pattern is not None else _keyed(str(step), line)
        if found is not None:
            report(*found)

    return on_line


def _matched(pattern: re.Pattern[str], line: str) -> tuple[float, dict[str, float]] | None:
    match = pattern.search(line)
    if match is None:
        return None
    found = {name: _number(name, text) for name, text in match.groupdict().items()}
    return found.pop("step"), found


def _number(name: str, text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise ObjectiveError(
            f"the report's regular expression found {text!r} for {name!r}, which is not a number. "
            "Mend the expression, so that it matches numbers only."
        ) from None


def _keyed(step: str, line: str) -> tuple[float, dict[str, float]] | None:
    """The step and the other numbers of a JSON line; None if it lacks either."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        read: Any = json.loads(line)
    except ValueError:
        return None
    found = {
        str(name): float(value)
        for name, value in read.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    at = found.pop(step, None)
    return None if at is None or not found else (at, found)
