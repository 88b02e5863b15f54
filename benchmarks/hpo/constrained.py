"""Constraints: the share of feasible trials and the best feasible cost.

    python benchmarks/hpo/constrained.py --systems octavo:auto,optuna:tpe,optuna:gp
    python benchmarks/hpo/constrained.py --show

HPOLib with a training time in the lowest fifth of the table, and Branin outside of a disc that
covers the middle and one optimum. Regret = (best feasible cost - best feasible cost there is) /
(median of the feasible costs - that), 1 where nothing feasible was found.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from catalog import CONSTRAINED, Places, chosen, load, places
from comparison import bootstrap_means, interval, ranks
from results import KEY, RowFile, fill, shown
from run import add_arguments, seeds, version
from searching import evaluated, search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "constrained.csv"
BUDGETS = (25, 50, 100)
FIELDS = (
    *KEY, *(f"regret_{n}" for n in BUDGETS), *(f"feasible_{n}" for n in BUDGETS),
    "ms_median", "ms_mean", "ms_p95", "wall_s", "failed",
)  # fmt: skip


@lru_cache(maxsize=None)
def scale(name: str, where: Places) -> tuple[float, float]:
    """The best feasible cost, and the median over feasible ones of 5,000 random draws."""
    task = load(name, where)
    problem = task.problem(1)
    configs = task.space.decode(task.space.sample(5000, np.random.default_rng(0)))
    outcomes = [evaluated(task, config, 0) for config in configs]
    costs = [its.costs[0] for its in outcomes if problem.is_feasible(its.constraints)]
    assert task.optimum is not None
    return task.optimum, float(np.median(costs))


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run."""
    its = load(task, where)
    record = search(its, load_system(system), seed, trials)
    problem = its.problem(trials)
    feasible = [problem.is_feasible(outcome.constraints) for outcome in record.outcomes]
    optimum, median = scale(task, where)
    columns: dict[str, str] = {}
    for n in (n for n in BUDGETS if n <= trials):
        costs = [o.costs[0] for o, fits in zip(record.outcomes[:n], feasible, strict=False) if fits]
        best = min(costs, default=median)
        columns[f"regret_{n}"] = shown((best - optimum) / (median - optimum))
        columns[f"feasible_{n}"] = shown(float(np.mean(feasible[:n])))
        columns["best"] = columns[f"regret_{n}"]
    return {**columns, **timings(record.cpu_ms)}


def show(path: Path, systems: list[str]) -> str:
    """Mean rank, mean regret and mean share of feasible trials, on what all systems have."""
    frame = pd.read_csv(path)
    systems = systems or sorted(set(frame["system"]))
    frame = frame[frame["system"].isin(systems)]
    has_run = frame.groupby(["task", "seed"])["system"].transform("nunique") == len(systems)
    frame = frame[has_run]
    n_seeds = int(frame.groupby("task")["seed"].nunique().min())
    lines = [
        "| system | " + " | ".join(f"rank {n} | regret {n} | feasible {n}" for n in BUDGETS) + " |",
        "| --- |" + " --- | --- | --- |" * len(BUDGETS),
    ]
    cells: dict[str, list[str]] = {system: [] for system in systems}
    for n in BUDGETS:
        found = []
        for column in (f"regret_{n}", f"feasible_{n}"):
            wide = frame.pivot_table(
                index=["task", "seed"], columns="system", values=column, dropna=False
            )
            parts = [its.to_numpy()[:n_seeds] for _, its in wide[systems].groupby("task")]
            found.append(np.stack(parts).transpose(2, 0, 1))
        regret, feasible = found
        rank = ranks(regret)
        filled = np.nan_to_num(regret, nan=1.0)
        rank_means, regret_means = bootstrap_means(rank), bootstrap_means(filled)
        for i, system in enumerate(systems):
            cells[system] += [
                str(interval(float(rank[i].mean()), rank_means[i])),
                str(interval(float(filled[i].mean()), regret_means[i])),
                f"{np.nanmean(feasible[i]):.2f}",
            ]
    lines += [f"| {system} | {' | '.join(its)} |" for system, its in cells.items()]
    n_tasks = frame["task"].nunique()
    return f"{n_tasks} tasks, {n_seeds} seeds\n\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "octavo:auto,octavo:random", RESULTS)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--show", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    systems = arguments.systems.split(",")
    if arguments.show:
        given = systems if arguments.systems != parser.get_default("systems") else []
        print(show(arguments.out, given))
        return
    versions = {system: version(system, arguments.label) for system in systems}
    keys = (
        (task, seed, system, versions[system], arguments.trials)
        for seed in seeds(arguments.seeds)
        for system in systems
        for task in chosen(arguments.tasks, CONSTRAINED)
    )
    out = RowFile(arguments.out, FIELDS)
    fill(out, keys, partial(run, places(arguments)), arguments.hours)


if __name__ == "__main__":
    main()
