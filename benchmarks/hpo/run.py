"""Quality per trial: serial searches of Octavo's optimizers and of their peers.

    python benchmarks/hpo/run.py --systems octavo:auto,octavo:random --seeds 0-9
    python benchmarks/hpo/run.py --systems optuna:tpe,smac:hyperparameter,optuna:gp --hours 8
    python benchmarks/hpo/summarize.py

One row of `results.csv` for each (task, seed, system, version, trials). Rows that exist are
not run again, so a stopped run goes on with the same command, and rows of peers are run once
for ever. Seeds are the outer loop, then systems, then tasks, so that a part of a run is
balanced.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from catalog import KINDS, Places, add_places, chosen, load, places
from results import KEY, RowFile, fill, shown
from searching import search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "results.csv"
BUDGETS = (25, 50, 100, 200)
FIELDS = (
    *KEY, *(f"best_{n}" for n in BUDGETS), "ms_median", "ms_mean", "ms_p95",
    "wall_s", "failed", "improvements",
)  # fmt: skip


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run."""
    record = search(load(task, where), load_system(system), seed, trials)
    return {
        **{f"best_{n}": shown(record.best(n)) for n in BUDGETS if n <= trials},
        **timings(record.cpu_ms),
        "improvements": record.improvements(),
        "best": shown(record.best(trials)),
    }


def add_arguments(parser: argparse.ArgumentParser, systems: str, out: Path) -> None:
    """The options that all scripts of this folder share."""
    parser.add_argument("--systems", default=systems)
    parser.add_argument("--tasks", default="all", help="names, beginnings of names, or halves")
    parser.add_argument("--seeds", default="0-9", help="a number, or first-last")
    parser.add_argument("--hours", type=float, default=1.0, help="start no run after this time")
    parser.add_argument("--label", default="", help="added to Octavo's version, to tell states")
    parser.add_argument("--out", type=Path, default=out)
    add_places(parser)


def seeds(text: str) -> range:
    """The seeds of an option: "3" or "0-9"."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def version(system: str, label: str) -> str:
    """The system's version; of Octavo's, with the label."""
    its = load_system(system).version
    return f"{its}+{label}" if label and system.startswith("octavo:") else its


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "octavo:auto,octavo:random", RESULTS)
    parser.add_argument("--trials", type=int, default=100)
    arguments = parser.parse_args()
    systems = arguments.systems.split(",")
    versions = {system: version(system, arguments.label) for system in systems}
    keys = (
        (task, seed, system, versions[system], arguments.trials)
        for seed in seeds(arguments.seeds)
        for system in systems
        for task in chosen(arguments.tasks, list(KINDS))
    )
    out = RowFile(arguments.out, FIELDS)
    fill(out, keys, partial(run, places(arguments)), arguments.hours)


if __name__ == "__main__":
    main()
