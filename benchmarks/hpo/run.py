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

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog import KINDS, Places, load
from results import KEY, shown
from scripts import budgets_within, script
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
        **{f"best_{n}": shown(record.best(n)) for n in budgets_within(BUDGETS, trials)},
        **timings(record.cpu_ms),
        "improvements": record.improvements(),
        "best": shown(record.best(trials)),
    }


if __name__ == "__main__":
    script(__doc__, out=RESULTS, fields=FIELDS, tasks=list(KINDS), trials=100, run=run)
