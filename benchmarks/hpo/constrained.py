"""Constraints: the share of feasible trials and the best feasible cost.

    python benchmarks/hpo/constrained.py --systems octavo:auto,optuna:tpe,optuna:gp
    python benchmarks/hpo/constrained.py --show

HPOLib with a training time in the lowest fifth of the table, and Branin outside of a disc that
covers the middle and one optimum. Regret = (best feasible cost - best feasible cost there is) /
(median of the feasible costs - that), 1 where nothing feasible was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from catalog import CONSTRAINED, Places, load
from reporting import markdown, paired, rank_and_mean, read_rows
from results import KEY, shown
from scripts import budgets_within, script
from searching import evaluated, search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "constrained.csv"
BUDGETS = (25, 50, 100)
FIELDS = (
    *KEY, *(f"regret_{n}" for n in BUDGETS), *(f"feasible_{n}" for n in BUDGETS),
    "ms_median", "ms_mean", "ms_p95", "wall_s", "failed",
)  # fmt: skip


@cache
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
    for n in budgets_within(BUDGETS, trials):
        costs = [o.costs[0] for o, fits in zip(record.outcomes[:n], feasible, strict=False) if fits]
        best = min(costs, default=median)
        columns[f"regret_{n}"] = shown((best - optimum) / (median - optimum))
        columns[f"feasible_{n}"] = shown(float(np.mean(feasible[:n])))
        columns["best"] = columns[f"regret_{n}"]
    return {**columns, **timings(record.cpu_ms)}


def show(paths: Sequence[Path], systems: Sequence[str], trials: int) -> str:
    """Mean rank, mean regret and mean share of feasible trials, on what all systems have."""
    frame = read_rows(paths, trials)
    systems = systems or sorted(set(frame["system"]))
    budgets = budgets_within(BUDGETS, trials)
    cells: dict[str, list[str]] = {system: [] for system in systems}
    shape: tuple[int, ...] = ()
    for n in budgets:
        regret, _ = paired(frame, systems, f"regret_{n}")
        feasible, _ = paired(frame, systems, f"feasible_{n}")
        shape = regret.shape
        found = rank_and_mean(regret, lower_is_better=True, failed=1.0)
        for i, system in enumerate(systems):
            cells[system] += [*found[i], f"{np.nan_to_num(feasible[i]).mean():.2f}"]
    head = ["system", *(f"{what} {n}" for n in budgets for what in ("rank", "regret", "feasible"))]
    return f"{shape[1]} tasks, {shape[2]} seeds\n\n{markdown(head, cells)}"


if __name__ == "__main__":
    script(__doc__, out=RESULTS, fields=FIELDS, tasks=CONSTRAINED, trials=100, run=run, show=show)
