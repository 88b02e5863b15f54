"""Spaces from irace's parameters.txt.

A line is `name "switch" type (values) | condition`; types are c, o, i and r, numbers also with
`,log`. After `[forbidden]` come forbidden combinations, one a line. Described in López-Ibáñez et
al. (2016), The irace package, Operations Research Perspectives 3, and its user guide.
"""

from __future__ import annotations

import re
from pathlib import Path

from octavo.errors import SpaceError, closest
from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.drafts import Draft, at_line, number
from octavo.spaces.formulas import read_formula
from octavo.spaces.hyperparameters import Categorical, Float, Hyperparameter, Integer, Ordinal

__all__ = ["read_irace"]

_LINE = re.compile(
    r"""(?P<name>[^\s"']+)\s+(?P<quote>["'])(?P<switch>.*?)(?P=quote)\s+
    (?P<type>[a-zA-Z]+)(?P<log>\s*,\s*log)?\s*
    \((?P<values>(?:"[^"]*"|'[^']*'|[^()"'])*)\)\s*(?:\|(?P<condition>.*))?""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^,"']*))\s*(?:,|$)"""
)
_TYPES = ("c", "o", "i", "r")
_SECTIONS = ("forbidden", "global")


def read_irace(path: Path, text: str) -> tuple[HyperparameterSpace, dict[str, str]]:
    """The space of a file of irace's, and the switch of each hyperparameter.

    Numbers are passed with all their digits, whatever the file says under `[global]`; bounds must
    be numbers, not expressions.

    Parameters
    ----------
    path
        For messages.
    text
        Its content.

    Returns
    -------
    space, switches
        The switch is what stands before the value on a command line: "--ants ", "--rho=".

    Raises
    ------
    SpaceError
        Naming file and line.

    Examples
    --------
    >>> found, switches = read_irace(Path("p.txt"), 'ants "--ants " i,log (5, 100)')
    >>> found.names, switches
    (('ants',), {'ants': '--ants '})
    """
    draft, switches, section = Draft(path), {}, ""
    for at, whole in enumerate(text.splitlines(), start=1):
        line = _without_comment(whole).strip()
        if not line:
            continue
        with at_line(path, at):
            if line.startswith("["):
                section = _section(line)
                continue
            if section == "forbidden":
                draft.forbidden.append((at, read_formula(line)))
            if section:
                continue
            match = _matched(line)
            made = _hyperparameter(match)
            if match["condition"] is not None:
                draft.conditions.append((at, match["name"], read_formula(match["condition"])))
        draft.add(at, match["name"], made)
        switches[match["name"]] = match["switch"]
    return draft.space(), switches


def _matched(line: str) -> re.Match[str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise SpaceError(
            f'{line!r} cannot be read. Write name "switch" type (values), such as rho "--rho " '
            'r (0.01, 1.0), and a condition after it: | algorithm == "acs".'
        )
    return match


def _section(line: str) -> str:
    name = line.strip("[] ")
    if name not in _SECTIONS or not line.endswith("]"):
        raise SpaceError(
            f"{line!r} begins a section that is not known.{closest(name, _SECTIONS)} "
            "Write [forbidden] or [global]."
        )
    return name


def _hyperparameter(match: re.Match[str]) -> Hyperparameter:
    kind, log = match["type"], match["log"] is not None
    values = _values(match["values"])
    if kind not in _TYPES or (log and kind not in ("i", "r")):
        raise SpaceError(
            f"{match['name']!r} has the type {kind + ',log' * log!r}. Write c for choices, o for "
            "ordered ones, i for a whole number, r for a real one; i,log or r,log."
        )
    if kind in ("c", "o"):
        return Categorical(values) if kind == "c" else Ordinal(values)
    if len(values) != 2:
        raise SpaceError(
            f"{match['name']!r} has the bounds ({match['values']}), where two numbers are "
            "needed. Write such as (1, 100)."
        )
    low, high = (number(value, whole=kind == "i") for value in values)
    return Integer(int(low), int(high), log=log) if kind == "i" else Float(low, high, log=log)


def _values(text: str) -> list[str]:
    """What stands in parentheses; a comma within quotes belongs to its value."""
    found, at = [], 0
    while True:
        match = _VALUE.match(text, at)
        if match is None:
            raise SpaceError(
                f"the values ({text}) cannot be read near {text[at:].strip()!r}. Join them by "
                "commas, and quote the whole of a value or nothing of it."
            )
        found.append(match[str(match.lastgroup)].strip())
        at = match.end()
        if not match[0].endswith(","):
            return found


def _without_comment(line: str) -> str:
    """A line up to the first # outside of quotes."""
    quote = ""
    for position, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[:position]
    return line
