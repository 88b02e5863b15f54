"""All tasks by name, and which of them the main comparison uses.

Data and caches lie outside of the repository: `--data DIR` (or the variable `OCTAVO_DATA`) is
a folder with `hpo/yahpo`, or that folder itself; `--cache DIR` is where live evaluations are
kept.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cash
import functions
import tables
import yahpo
from task import Task, halves

__all__ = [
    "CONSTRAINED",
    "HALF",
    "KINDS",
    "MULTI_OBJECTIVE",
    "NOISY",
    "Places",
    "add_places",
    "available",
    "chosen",
    "load",
    "places",
]

KINDS: dict[str, str] = {
    # Of HPOBench every second by name, of HPOLib all.
    **dict.fromkeys([n for n in tables.NAMES if n.startswith("hpobench/")][1::2], "table"),
    **dict.fromkeys([n for n in tables.NAMES if n.startswith("hpolib/")], "table"),
    **dict.fromkeys(yahpo.NAMES, "surrogate"),
    **{f"cash/{name}": "conditional" for name in cash.TABLES},
    "function/conditional": "conditional",
    "function/nested": "conditional",
    "function/branin": "function",
    "function/hartmann6": "function",
    "function/ackley10": "function",
    "function/rosenbrock8": "function",
    "function/rastrigin5": "function",
    "function/mixed": "function",
}
"""The tasks of the main comparison, and of what kind each is."""

HALF = halves(list(KINDS), list(KINDS.values()))
"""Which half each of them belongs to."""

NOISY = tuple(f"noisy-{name}" for name in KINDS if name.startswith("hpo"))
"""The tables again, with a stored seed drawn for each call."""

MULTI_OBJECTIVE = (
    *(f"multi-{name}" for name in tables.NAMES if name.startswith("hpolib/")),
    *yahpo.MULTI_OBJECTIVE,
)

CONSTRAINED = (
    *(f"constrained-{name}" for name in tables.NAMES if name.startswith("hpolib/")),
    "constrained-function/branin",
)


@dataclass(frozen=True)
class Places:
    """Where data are read and evaluations are kept."""

    data: Path | None
    cache: Path


def add_places(parser: argparse.ArgumentParser) -> None:
    """The options that say where things are."""
    parser.add_argument(
        "--data", default=os.environ.get("OCTAVO_DATA"), help="folder with hpo/yahpo"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "octavo-benchmarks",
        help="where live evaluations are kept",
    )  # fmt: skip


def places(arguments: argparse.Namespace) -> Places:
    """What the options said."""
    return Places(Path(arguments.data) if arguments.data else None, arguments.cache)


def chosen(text: str, names: Sequence[str]) -> list[str]:
    """The tasks of an option: names, "all", a half, or the start of names.

    Examples
    --------
    >>> chosen("cash/wine,function", ["cash/wine", "function/branin", "hpolib/x"])
    ['cash/wine', 'function/branin']
    """
    found: list[str] = []
    for part in text.split(","):
        matches = [
            name
            for name in names
            if part == "all" or name.startswith(part) or HALF.get(name) == part
        ]
        if not matches:
            raise SystemExit(f"no task is called {part!r}. There are: {', '.join(names)}.")
        found += [name for name in matches if name not in found]
    return found


def available(names: Sequence[str], where: Places) -> list[str]:
    """Those tasks whose data are at hand; says which are not."""
    found = [name for name in names if where.data is not None or "yahpo/" not in name]
    if len(found) < len(names):
        left_out = ", ".join(name for name in names if name not in found)
        print(f"without --data DIR these are left out: {left_out}")
    return found


@cache
def load(name: str, where: Places) -> Task:
    """The task of a name."""
    variant, _, rest = name.partition("-")
    if variant == "noisy":
        return tables.noisy(rest)
    if variant == "multi" and rest.startswith("hpolib/"):
        return tables.multi_objective(rest)
    if variant == "constrained" and rest.startswith("hpolib/"):
        return tables.constrained(rest, "time", 0.2)
    if name == "constrained-function/branin":
        return functions.constrained_branin()
    if name in yahpo.NAMES or name in yahpo.MULTI_OBJECTIVE:
        if where.data is None:
            raise SystemExit(f"{name} needs data: give --data DIR or set OCTAVO_DATA.")
        return yahpo.task(name, where.data)
    family, _, what = name.partition("/")
    if family == "cash":
        return cash.task(what, where.cache)
    return functions.task(what) if family == "function" else tables.mean(name)
