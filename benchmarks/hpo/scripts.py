"""What the scripts that fill a results file have in common: options, order of runs, tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from catalog import Places, add_places, available, chosen, places
from results import RowFile, fill
from systems import load

__all__ = ["Run", "Show", "budgets_within", "script"]

Run = Callable[[Places, str, int, str, int], Mapping[str, Any]]
"""From (where, task, seed, system, trials) to the columns of a row."""

Show = Callable[[Sequence[Path], Sequence[str], int], str]
"""From result files, systems (none: all that have rows) and trials to Markdown."""


def script(
    description: str | None,
    *,
    out: Path,
    fields: Sequence[str],
    tasks: Sequence[str],
    trials: int,
    run: Run,
    show: Show | None = None,
) -> None:
    """Read the command line; run what has no row yet, or print what the rows say.

    Parameters
    ----------
    description
        The script's docstring; its first line is the help's.
    out, fields
        The results file and its columns.
    tasks
        Names to choose from.
    trials
        Length of a run by default.
    run, show
        What the script does.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--systems", default="", help="default: Octavo's auto and random")
    parser.add_argument("--tasks", default="all", help="names, beginnings of names, or halves")
    parser.add_argument("--seeds", default="0-9", help="a number, or first-last")
    parser.add_argument("--trials", type=int, default=trials)
    parser.add_argument("--hours", type=float, default=1.0, help="start no run after this time")
    parser.add_argument("--label", default="", help="added to Octavo's version, to tell states")
    parser.add_argument("--out", type=Path, default=out)
    add_places(parser)
    if show is not None:
        parser.add_argument("--show", type=Path, nargs="*", help="print what files (--out) say")
    arguments = parser.parse_args()
    if show is not None and arguments.show is not None:
        files = arguments.show or [arguments.out]
        print(show(files, [s for s in arguments.systems.split(",") if s], arguments.trials))
        return
    systems = (arguments.systems or "octavo:auto,octavo:random").split(",")
    versions = {system: _version(system, arguments.label) for system in systems}
    where = places(arguments)
    names = available(chosen(arguments.tasks, tasks), where)
    # Seeds are the outer loop, then systems, then tasks: any beginning is balanced.
    keys = (
        (task, seed, system, versions[system], arguments.trials)
        for seed in _seeds(arguments.seeds)
        for system in systems
        for task in names
    )
    rows = RowFile(arguments.out, fields)
    fill(rows, keys, partial(run, where), arguments.hours)


def budgets_within(budgets: Sequence[int], trials: int) -> list[int]:
    """Those budgets that a run reaches."""
    return [n for n in budgets if n <= trials]


def _seeds(text: str) -> range:
    """The seeds of an option: "3" or "0-9"."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _version(system: str, label: str) -> str:
    """The system's version; of Octavo's, with the label."""
    its = load(system.partition("@")[0]).version
    return f"{its}+{label}" if label and system.startswith("octavo:") else its
