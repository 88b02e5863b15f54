"""Quality per fidelity spent: searches that may try configurations cheaply first.

    python benchmarks/multi_fidelity/run.py --systems octavo:auto,octavo:random --seeds 0-9
    python benchmarks/multi_fidelity/run.py --systems optuna:tpe-hyperband,smac:multi-fidelity
    python benchmarks/multi_fidelity/summarize.py

One row of `results.csv` for each (task, seed, system, version, trials), where `trials` is the
budget in full evaluations. Rows that exist are not run again, so a stopped run goes on with the
same command, and rows of peers are run once for ever.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "hpo"))  # rows of results, YAHPO's surrogates

from results import KEY, RowFile, fill, shown
from spending import search
from systems import load as load_system
from tasks import NAMES, load

RESULTS = Path(__file__).parent / "results.csv"
SHARES = (10, 30, 100)
FIELDS = (
    *KEY, *(f"best_{share}" for share in SHARES), "evaluations", "cpu_s", "wall_s", "failed",
    "improvements",
)  # fmt: skip


def run(data: Path, task: str, seed: int, system: str, budget: int) -> Mapping[str, Any]:
    """The columns of one run."""
    found = search(load(task, data), load_system(system), seed, budget)
    return {
        **{f"best_{share}": shown(found.best(budget * share / 100)) for share in SHARES},
        "best": shown(found.best(budget)),
        "evaluations": found.n_evaluations,
        "cpu_s": f"{found.cpu_s:.2f}",
        "improvements": " ".join(f"{at:.4g}:{shown(cost)}" for at, cost in found.improvements),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--systems", default="octavo:auto,octavo:random")
    parser.add_argument("--tasks", default="", help="beginnings of names; default: all")
    parser.add_argument("--seeds", default="0-9", help="a number, or first-last")
    parser.add_argument("--budget", type=int, default=50, help="in full evaluations")
    parser.add_argument("--hours", type=float, default=1.0, help="start no run after this time")
    parser.add_argument("--label", default="", help="added to Octavo's version, to tell states")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--data", default=os.environ.get("OCTAVO_DATA"), help="folder with hpo/, tabular/"
    )
    arguments = parser.parse_args()
    if not arguments.data:
        raise SystemExit("give --data DIR or set OCTAVO_DATA: a folder with hpo/ and tabular/.")
    data = Path(arguments.data)
    starts = tuple(arguments.tasks.split(","))
    tasks = [name for name in NAMES if name.startswith(starts)]
    if not tasks:
        raise SystemExit(f"no task begins with {arguments.tasks!r}. There are: {', '.join(NAMES)}.")
    systems = arguments.systems.split(",")
    versions = {name: load_system(name).version for name in systems}
    if arguments.label:
        versions = {
            name: f"{its}+{arguments.label}" if name.startswith("octavo:") else its
            for name, its in versions.items()
        }
    first, _, last = arguments.seeds.partition("-")
    # Seeds are the outer loop, then systems, then tasks: any beginning is balanced.
    keys = (
        (task, seed, system, versions[system], arguments.budget)
        for seed in range(int(first), int(last or first) + 1)
        for system in systems
        for task in tasks
    )
    rows = RowFile(arguments.out, FIELDS)
    fill(rows, keys, lambda *key: run(data, *key), arguments.hours)


if __name__ == "__main__":
    main()
