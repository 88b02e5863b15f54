"""What `results.csv` says, as Markdown: regret, ranks and time of each system.

    python benchmarks/hpo/summarize.py
    python benchmarks/hpo/summarize.py --half report --systems octavo:auto,optuna:gp,octavo:random

Normalized regret = (incumbent - optimum) / (median of random search after 5 trials - optimum),
so 0 is perfect and 1 is what five random trials give. Only (task, seed) pairs that all the
compared systems have are counted. A failed run has the last rank and the regret of random
search's first five trials, 1, or that of the worst system where that is higher. Intervals: 95 %
of a paired bootstrap over tasks, then seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from catalog import HALF, KINDS, chosen
from comparison import bootstrap_means, interval, p_worse, ranks
from numpy.typing import NDArray
from reference import read
from reporting import markdown, paired, read_rows

RESULTS = Path(__file__).parent / "results.csv"
RANDOM = "octavo:random"


@dataclass(frozen=True)
class Regrets:
    """Normalized regret.

    Parameters
    ----------
    systems, tasks
        The first two axes.
    values : shape (systems, tasks, seeds)
        By budget; NaN where a run failed.
    """

    systems: tuple[str, ...]
    tasks: tuple[str, ...]
    values: dict[int, NDArray[np.float64]]

    def filled(self, budget: int) -> NDArray[np.float64]:
        """Failures replaced by 1, or by the worst regret there where that is higher."""
        values = self.values[budget]
        worst = np.fmax(np.nanmax(np.where(np.isnan(values), 1.0, values), axis=0), 1.0)
        return np.where(np.isnan(values), worst, values)


def incumbents(improvements: str, budgets: Sequence[int]) -> list[float]:
    """The best cost after each budget, from "number:cost number:cost ..."; NaN without any."""
    if not isinstance(improvements, str) or not improvements:
        return [float("nan")] * len(budgets)
    pairs = [part.split(":") for part in improvements.split()]
    steps = [(int(number), float(cost)) for number, cost in pairs]
    return [[cost for number, cost in steps if number <= budget][-1] for budget in budgets]


def regrets(frame: pd.DataFrame, systems: Sequence[str], budgets: Sequence[int]) -> Regrets:
    """Normalized regrets on all tasks of the main comparison."""
    reference = read()
    frame = frame[frame["task"].isin(list(reference))].copy()
    curves = np.array([incumbents(text, budgets) for text in frame["improvements"]])
    lowest = pd.Series(curves[:, -1]).groupby(frame["task"].to_numpy()).min()
    # Where nobody knows the optimum, it is the best that anybody found, compared or not.
    optimum = {task: min(known, lowest.get(task, known)) for task, (known, _) in reference.items()}
    optima = frame["task"].map(optimum).to_numpy()
    scale = frame["task"].map({task: its[1] for task, its in reference.items()}).to_numpy() - optima
    values: dict[int, NDArray[np.float64]] = {}
    tasks: tuple[str, ...] = ()
    for place, budget in enumerate(budgets):
        frame["regret"] = (curves[:, place] - optima) / scale
        values[budget], tasks = paired(frame, systems, "regret")
    return Regrets(tuple(systems), tasks, values)


def overall(found: Regrets, budgets: Sequence[int], ours: str | None) -> str:
    """Mean rank and mean regret per system and budget, with the ratio to the best peer."""
    cells: dict[str, list[str]] = {system: [] for system in found.systems}
    for budget in budgets:
        rank, regret = ranks(found.values[budget]), found.filled(budget)
        rank_means, regret_means = bootstrap_means(rank), bootstrap_means(regret)
        for i, system in enumerate(found.systems):
            cells[system] += [
                str(interval(float(rank[i].mean()), rank_means[i])),
                str(interval(float(regret[i].mean()), regret_means[i])),
            ]
    head = ["system", *(f"{what} {n}" for n in budgets for what in ("rank", "regret"))]
    table = markdown(head, cells)
    if ours is None:
        return table
    return "\n".join([table, "", *(_against_best_peer(found, n, ours) for n in budgets)])


def _against_best_peer(found: Regrets, budget: int, ours: str) -> str:
    regret = found.filled(budget)
    mean = regret.mean(axis=(1, 2))
    me = found.systems.index(ours)
    peers = [i for i, system in enumerate(found.systems) if not system.startswith("octavo:")]
    if not peers:
        return f"- no peer to compare {ours} with."
    best = min(peers, key=lambda i: float(mean[i]))
    resampled = bootstrap_means(regret)
    ratio = interval(float(mean[me] / mean[best]), resampled[me] / resampled[best])
    return (
        f"- after {budget}: {ours} has {ratio} × the mean regret of the best peer by it, "
        f"{found.systems[best]}."
    )


def per_task(found: Regrets, budget: int) -> str:
    """Mean regret per task; a system worse than random by a paired test is marked."""
    regret = found.filled(budget)
    base = found.systems.index(RANDOM) if RANDOM in found.systems else None
    rows: dict[str, list[str]] = {}
    for j, task in enumerate(found.tasks):
        cells = [HALF.get(task, "")]
        for i in range(len(found.systems)):
            text = f"{regret[i, j].mean():.4f}"
            if base is not None and i != base and p_worse(regret[i, j], regret[base, j]) < 0.05:
                text += " (worse than random)"
            if np.isnan(found.values[budget][i, j]).any():
                text += f" ({int(np.isnan(found.values[budget][i, j]).sum())} failed)"
            cells.append(text)
        rows[task] = cells
    return markdown(["task", "half", *found.systems], rows)


def times(frame: pd.DataFrame, systems: Sequence[str]) -> str:
    """CPU milliseconds of ask and tell, averaged over runs."""
    rows = {}
    for system in systems:
        its = frame.loc[frame["system"] == system, ["ms_median", "ms_mean", "ms_p95"]].mean()
        rows[system] = [f"{value:.1f}" for value in its]
    return markdown(["system", "median ms", "mean ms", "95th percentile ms"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, nargs="+", default=[RESULTS])
    parser.add_argument("--systems", default="", help="default: all that have rows")
    parser.add_argument("--ours", default="", help="default: the first Octavo that is not random")
    parser.add_argument("--half", default="develop,report,all")
    parser.add_argument("--tasks", default="all")
    parser.add_argument("--trials", type=int, default=100)
    arguments = parser.parse_args()
    frame = read_rows(arguments.results, arguments.trials)
    systems = arguments.systems.split(",") if arguments.systems else sorted(set(frame["system"]))
    missing = [system for system in systems if system not in set(frame["system"])]
    if missing:
        raise SystemExit(f"no rows of {missing}; there are {sorted(set(frame['system']))}.")
    candidates = [s for s in systems if s.startswith("octavo:") and s != RANDOM]
    ours = arguments.ours or (candidates[0] if candidates else None)
    budgets = [n for n in (25, 50, 100, 200) if n <= arguments.trials]
    found = regrets(frame, systems, budgets)
    wanted = chosen(arguments.tasks, list(KINDS))
    for half in arguments.half.split(","):
        keep = [
            j
            for j, task in enumerate(found.tasks)
            if task in wanted and (half == "all" or HALF.get(task) == half)
        ]
        if not keep:
            print(f"\n## {half}: no task has rows of all of {', '.join(systems)}\n")
            continue
        part = Regrets(
            found.systems,
            tuple(found.tasks[j] for j in keep),
            {budget: values[:, keep] for budget, values in found.values.items()},
        )
        n_seeds = part.values[budgets[0]].shape[2]
        print(f"\n## {half}: {len(keep)} tasks, {n_seeds} seeds\n")
        print(overall(part, budgets, ours))
        if half == arguments.half.split(",")[-1]:
            print(f"\nMean regret after {budgets[-1]} trials\n")
            print(per_task(part, budgets[-1]))
    print("\nCPU time of ask and tell\n")
    print(times(frame, systems))


if __name__ == "__main__":
    main()
