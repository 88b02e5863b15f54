"""Learning curves from what a program prints: lines that a regular expression matches."""

from __future__ import annotations

import re
from collections.abc import Callable

from octavo.errors import ObjectiveError, SettingError

__all__ = ["check_report", "reporter"]


def check_report(regex: str) -> None:
    """Refuse an expression that does not compile, or does not name what it finds.

    Raises
    ------
    SettingError
        Saying how to write it.
    """
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


def _reported_number(name: str, text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise ObjectiveError(
            f"the report's regular expression found {text!r} for {name!r}, which is not a number. "
            "Mend the expression, so that it matches numbers only."
        ) from None


def reporter(regex: str | None, report: Callable[..., None] | None) -> Callable[[str], None] | None:
    """What sends a line of output as a report, if it is one."""
    if regex is None or report is None:
        return None
    pattern = re.compile(regex)

    def on_line(line: str) -> None:
        match = pattern.search(line)
        if match is not None:
            found = {name: _reported_number(name, text) for name, text in match.groupdict().items()}
            report(found.pop("step"), found)

    return on_line
