"""Spaces from PCS files, the format of ParamILS, SMAC v2 and AClib, old and new.

Old lines are `name {a,b} [a]` and `name [1,100] [10]il`; new ones name their type, `name integer
[1,100] [10] log`. Conditions are `child | parent in {a,b}`, forbidden combinations `{x=a, y=b}`.
Described in Hutter et al. (2009), ParamILS: An Automatic Algorithm Configuration Framework, JAIR
36, and in the manual of SMAC v2.10, section 4.
"""

from __future__ import annotations

import re
from pathlib import Path

from octavo.errors import SpaceError
from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.drafts import Draft, at_line, number
from octavo.spaces.formulas import read_formula
from octavo.spaces.hyperparameters import Categorical, Float, Hyperparameter, Integer, Ordinal

__all__ = ["read_pcs"]

_CHOICES = re.compile(
    r"(?P<name>[^\s{\[|]+)\s*(?P<type>categorical|ordinal)?\s*"
    r"\{(?P<values>[^{}]*)\}\s*\[(?P<default>[^\[\]]*)\]"
)
_NUMBER = re.compile(
    r"(?P<name>[^\s{\[|]+)\s*(?P<type>real|integer)?\s*"
    r"\[(?P<low>[^\[\],]+),(?P<high>[^\[\],]+)\]\s*\[(?P<default>[^\[\]]*)\]\s*(?P<flags>\w*)"
)
_HEADING = re.compile(r"(conditionals?|conditions?|forbidden( \w+)?)\s*:", re.IGNORECASE)


def read_pcs(path: Path, text: str) -> HyperparameterSpace:
    r"""The space of a PCS file; values of choices are strings, as they are written.

    Parameters
    ----------
    path
        For messages.
    text
        Its content.

    Raises
    ------
    SpaceError
        Naming file and line.

    Examples
    --------
    >>> read_pcs(Path("x.pcs"), "solver {glue, luby} [luby]\nbase [1,1000] [100]il").default()
    {'solver': 'luby', 'base': 100}
    """
    draft = Draft(path)
    for at, whole in enumerate(text.splitlines(), start=1):
        line = whole.split("#")[0].strip()
        if line and not _HEADING.fullmatch(line):
            with at_line(path, at):
                name, made = _hyperparameter(line)
                if made is None and line.startswith("{"):
                    draft.forbidden.append((at, read_formula(_without_braces(line))))
                elif made is None:
                    child, _, condition = line.partition("|")
                    draft.conditions.append((at, child.strip(), read_formula(condition)))
            if made is not None:
                draft.add(at, name, made)
    return draft.space()


def _hyperparameter(line: str) -> tuple[str, Hyperparameter | None]:
    """Name and hyperparameter; None if the line is a condition or a forbidden combination."""
    if (match := _NUMBER.fullmatch(line)) is not None:
        return match["name"], _number(match)
    if (match := _CHOICES.fullmatch(line)) is not None:
        values = [value.strip() for value in match["values"].split(",")]
        kind = Ordinal if match["type"] == "ordinal" else Categorical
        return match["name"], kind(values, default=match["default"].strip())
    if line.startswith("{") or re.match(r"[^\s{\[|]+\s*\|", line):
        return "", None
    raise SpaceError(
        f"{line!r} cannot be read. Write a hyperparameter as 'name {{a,b}} [a]', 'name [1,10] "
        "[5]i' or 'name integer [1,10] [5] log', a condition as 'child | parent in {a,b}', a "
        "forbidden combination as '{x=a, y=b}'."
    )


def _number(match: re.Match[str]) -> Hyperparameter:
    flags = match["flags"]
    if match["type"] is None:
        is_known, whole, log = set(flags) <= set("il"), "i" in flags, "l" in flags
    else:
        is_known, whole, log = flags in ("", "log"), match["type"] == "integer", flags == "log"
    if not is_known:
        raise SpaceError(
            f"{match['name']!r} ends with {flags!r}, which has no meaning. "
            + ("Write log, or nothing." if match["type"] else "Write i for a whole number, l for a "
               "log scale, il for both, or nothing.")
        )  # fmt: skip
    low, high, default = (
        number(match[part].strip(), whole=whole) for part in ("low", "high", "default")
    )
    if whole:
        return Integer(int(low), int(high), log=log, default=int(default))
    return Float(low, high, log=log, default=default)


def _without_braces(line: str) -> str:
    """The inside of `{a=1, b=2}`, its commas as "and"."""
    if not line.endswith("}"):
        raise SpaceError(
            f"the forbidden combination {line!r} does not end with a brace. Write {{x=a, y=b}}."
        )
    parts, depth = [""], 0
    for letter in line[1:-1]:
        depth += (letter in "{(") - (letter in "})")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return " && ".join(part.strip() for part in parts)
