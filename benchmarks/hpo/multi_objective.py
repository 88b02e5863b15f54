"""Several objectives: the hypervolume that systems reach on HPOLib and `iaml_glmnet`.

    python benchmarks/hpo/multi_objective.py --systems octavo:auto,optuna:nsga2,optuna:tpe
    python benchmarks/hpo/multi_objective.py --show

HPOLib: loss, size and training time, all on a logarithmic scale; `iaml_glmnet`: error and number
of features. Hypervolume is measured in a box from the best to the 90 % quantile of each
objective over random configurations (HPOLib: over the whole table), as a share of what all
systems found together (HPOLib: of the whole table's front).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tables
from catalog import MULTI_OBJECTIVE, Places, chosen, load, places
from comparison import bootstrap_means, interval, ranks
from hypervolume import front, hypervolume
from numpy.typing import NDArray
from results import KEY, RowFile, fill, shown
from run import add_arguments, seeds, version
from searching import search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "multi_objective.csv"
BUDGETS = (25, 50, 100, 200, 300)
FIELDS = (
    *KEY, *(f"volume_{n}" for n in BUDGETS), "ms_median", "ms_mean", "ms_p95", "wall_s",
    "failed", "front",
)  # fmt: skip

Floats = NDArray[np.float64]


@lru_cache(maxsize=None)
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
    volumes = {n: share(task, where, costs[:n]) for n in BUDGETS if n <= trials}
    points = [" ".join(shown(cost) for cost in row) for row in front(costs)]
    return {
        **{f"volume_{n}": shown(volume) for n, volume in volumes.items()},
        **timings(record.cpu_ms),
        "front": "; ".join(points),
        "best": shown(share(task, where, costs)),
    }


def show(path: Path, systems: list[str], budgets: list[int]) -> str:
    """Mean rank and mean share of the known hypervolume, on what all systems have."""
    frame = pd.read_csv(path)
    systems = systems or sorted(set(frame["system"]))
    frame = frame[frame["system"].isin(systems)]
    lines = [
        "| system | " + " | ".join(f"rank {n} | share {n}" for n in budgets) + " |",
        "| --- |" + " --- | --- |" * len(budgets),
    ]
    cells: dict[str, list[str]] = {system: [] for system in systems}
    counted = ""
    for budget in budgets:
        wide = frame.pivot_table(
            index=["task", "seed"], columns="system", values=f"volume_{budget}", dropna=False
        )
        has_run = frame.groupby(["task", "seed"])["system"].nunique() == len(systems)
        wide = wide.loc[has_run[has_run].index]
        n_seeds = int(wide.groupby("task").size().min())
        parts = [its.to_numpy()[:n_seeds] for _, its in wide[systems].groupby("task")]
        values = np.stack(parts).transpose(2, 0, 1)
        counted = f"{values.shape[1]} tasks, {n_seeds} seeds"
        rank, filled = ranks(-values), np.nan_to_num(values)
        rank_means, share_means = bootstrap_means(rank), bootstrap_means(filled)
        for i, system in enumerate(systems):
            cells[system] += [
                str(interval(float(rank[i].mean()), rank_means[i])),
                str(interval(float(filled[i].mean()), share_means[i])),
            ]
    lines += [f"| {system} | {' | '.join(its)} |" for system, its in cells.items()]
    return f"{counted}\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "octavo:auto,octavo:random", RESULTS)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--show", action="store_true", help="only print the tables")
    arguments = parser.parse_args()
    systems = arguments.systems.split(",")
    if arguments.show:
        given = systems if arguments.systems != parser.get_default("systems") else []
        print(show(arguments.out, given, [n for n in (100, 300) if n <= arguments.trials]))
        return
    versions = {system: version(system, arguments.label) for system in systems}
    keys = (
        (task, seed, system, versions[system], arguments.trials)
        for seed in seeds(arguments.seeds)
        for system in systems
        for task in chosen(arguments.tasks, MULTI_OBJECTIVE)
    )
    out = RowFile(arguments.out, FIELDS)
    fill(out, keys, partial(run, places(arguments)), arguments.hours)


if __name__ == "__main__":
    main()
