"""Several objectives: the hypervolume that systems reach on HPOLib and `iaml_glmnet`.

    python benchmarks/hpo/multi_objective.py --systems octavo:auto,optuna:nsga2,optuna:tpe
    python benchmarks/hpo/multi_objective.py --show

HPOLib: loss, size and training time, all on a logarithmic scale; `iaml_glmnet`: error and number
of features. Hypervolume is measured in a box from the best to the 90 % quantile of each
objective over random configurations (HPOLib: over the whole table), as a share of what all
systems found together (HPOLib: of the whole table's front).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tables
from catalog import MULTI_OBJECTIVE, Places, load
from hypervolume import front, hypervolume
from numpy.typing import NDArray
from reporting import markdown, paired, rank_and_mean, read_rows
from results import KEY, shown
from scripts import budgets_within, script
from searching import search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "multi_objective.csv"
BUDGETS = (25, 50, 100, 200, 300)
FIELDS = (
    *KEY, *(f"volume_{n}" for n in BUDGETS), "ms_median", "ms_mean", "ms_p95", "wall_s",
    "failed", "front",
)  # fmt: skip

Floats = NDArray[np.float64]


@cache
def box(name: str, where: Places) -> tuple[Floats, Floats, float]:
    """Ideal point, reference point, and the hypervolume of all that is known there.

    The last is that of the whole table where there is one, else of 20,000 random
    configurations.
    """
    task = load(name, where)
    if "hpolib" in name:
        table = tables.load(name.removeprefix("multi-"))
        costs = np.column_stack([table.means(quantity).ravel() for quantity in task.objectives])
    else:
        configs = task.space.decode(task.space.sample(20_000, np.random.default_rng(0)))
        found = [task.evaluate(config, 0) for config in configs]
        costs = np.array([[row[quantity] for quantity in task.objectives] for row in found])
    costs = scaled(name, costs)
    ideal, reference = costs.min(axis=0), np.quantile(costs, 0.9, axis=0)
    unit = (front(costs) - ideal) / (reference - ideal)
    return ideal, reference, hypervolume(unit, np.ones(len(ideal)))


def scaled(name: str, costs: Floats) -> Floats:
    """Logarithms for HPOLib, whose losses and sizes span orders of magnitude."""
    return np.asarray(np.log(costs)) if "hpolib" in name else costs


def share(name: str, where: Places, costs: Floats) -> float:
    """The share of the known hypervolume; above 1 if a system found what was not known."""
    ideal, reference, known = box(name, where)
    unit = (scaled(name, costs) - ideal) / (reference - ideal)
    return hypervolume(unit, np.ones(len(ideal))) / known


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run."""
    record = search(load(task, where), load_system(system), seed, trials)
    costs = np.array([outcome.costs for outcome in record.outcomes])
    volumes = {n: share(task, where, costs[:n]) for n in budgets_within(BUDGETS, trials)}
    points = [" ".join(shown(cost) for cost in row) for row in front(costs)]
    return {
        **{f"volume_{n}": shown(volume) for n, volume in volumes.items()},
        **timings(record.cpu_ms),
        "front": "; ".join(points),
        "best": shown(share(task, where, costs)),
    }


def show(paths: Sequence[Path], systems: Sequence[str], trials: int) -> str:
    """Mean rank and mean share of the known hypervolume, on what all systems have."""
    frame = read_rows(paths, trials)
    systems = systems or sorted(set(frame["system"]))
    budgets = budgets_within((25, 100, 300), trials)
    cells: dict[str, list[str]] = {system: [] for system in systems}
    shape: tuple[int, ...] = ()
    for budget in budgets:
        values, _ = paired(frame, systems, f"volume_{budget}")
        shape = values.shape
        found = rank_and_mean(values, lower_is_better=False, failed=0.0)
        for system, pair in zip(systems, found, strict=True):
            cells[system] += pair
    head = ["system", *(f"{what} {n}" for n in budgets for what in ("rank", "share"))]
    return f"{shape[1]} tasks, {shape[2]} seeds\n\n{markdown(head, cells)}"


if __name__ == "__main__":
    script(
        __doc__, out=RESULTS, fields=FIELDS, tasks=MULTI_OBJECTIVE, trials=300, run=run, show=show
    )
