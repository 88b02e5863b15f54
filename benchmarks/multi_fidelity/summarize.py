"""What `results.csv` says, as Markdown: rank and regret by fidelity spent, beside random search.

    python benchmarks/multi_fidelity/summarize.py
    python benchmarks/multi_fidelity/summarize.py --systems octavo:auto,dehb,octavo:random
    python benchmarks/multi_fidelity/summarize.py --half report,live

Normalized regret = (true cost of the incumbent - lowest) / (median of random search after a tenth
of the budget - lowest), where the lowest is the best that anybody found on the task. While nothing
has come back, and where a run failed, it is that of the worst system, at least 1. Only (task, seed)
pairs that all the compared systems have are counted. Intervals: 95 % of a paired bootstrap over
tasks, then seeds. The halves are those of `tasks.py`; `live` is the live training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "hpo"))  # the mathematics of comparisons

import numpy as np
import pandas as pd
from comparison import bootstrap_means, interval, ranks
from halves import half_of
from numpy.typing import NDArray
from reporting import markdown, paired, read_rows

RESULTS = Path(__file__).parent / "results.csv"
RANDOM = "octavo:random"
SHARES = (10, 30, 100)

Floats = NDArray[np.float64]


def cost_after(improvements: object, spent: float) -> float:
    """The incumbent's true cost after so many full evaluations' worth; NaN before any.

    Examples
    --------
    >>> cost_after("0.5:3 2:1.5", 1), cost_after("0.5:3 2:1.5", 2), cost_after("1:3", 0.5)
    (3.0, 1.5, nan)
    """
    found = float("nan")
    for part in improvements.split() if isinstance(improvements, str) else ():
        at, cost = part.split(":")
        if float(at) <= spent * (1 + 1e-6):
            found = float(cost)
    return found


def regrets(frame: pd.DataFrame, systems: Sequence[str], spent: float) -> tuple[Floats, list[str]]:
    """Normalized regret, shape (systems, tasks, seeds), and the tasks; NaN for a failure."""
    frame = frame.copy()
    budget = float(frame["trials"].iloc[0])
    frame["last"] = [cost_after(text, budget) for text in frame["improvements"]]
    lowest = frame.groupby("task")["last"].min()
    random = frame[frame["system"] == RANDOM]
    tenth = [cost_after(text, budget / 10) for text in random["improvements"]]
    middle = random.assign(tenth=tenth).groupby("task")["tenth"].median()
    frame["cost"] = [cost_after(text, spent) for text in frame["improvements"]]
    scale = (middle - lowest).where(middle > lowest, 1.0)
    frame["regret"] = (frame["cost"] - frame["task"].map(lowest)) / frame["task"].map(scale)
    values, tasks = paired(frame, systems, "regret")
    return values, list(tasks)


def filled(values: Floats) -> Floats:
    """Failures and what has not begun as the worst system, at least 1."""
    worst = np.fmax(np.nanmax(np.where(np.isnan(values), 1.0, values), axis=0), 1.0)
    return np.asarray(np.where(np.isnan(values), worst, values))


def overall(frame: pd.DataFrame, systems: Sequence[str], budget: float) -> str:
    """Mean rank and mean regret per system, by share of the budget."""
    cells: dict[str, list[str]] = {system: [] for system in systems}
    for share in SHARES:
        values, _ = regrets(frame, systems, budget * share / 100)
        rank, regret = ranks(values), filled(values)
        rank_means, regret_means = bootstrap_means(rank), bootstrap_means(regret)
        for i, system in enumerate(systems):
            cells[system] += [
                str(interval(float(rank[i].mean()), rank_means[i])),
                str(interval(float(regret[i].mean()), regret_means[i])),
            ]
    head = ["system", *(f"{what} {share} %" for share in SHARES for what in ("rank", "regret"))]
    return markdown(head, cells)


def needed(frame: pd.DataFrame, systems: Sequence[str], budget: float) -> str:
    """The share of random search's budget after which a system is, on average, as good as it."""
    last, _ = regrets(frame, systems, budget)
    goal = filled(last)[systems.index(RANDOM)].mean(axis=1)  # by task, over seeds
    rows: dict[str, list[str]] = {}
    grid = np.unique(np.round(budget * np.geomspace(0.01, 1.0, 60), 3))
    curves = np.array([filled(regrets(frame, systems, spent)[0]).mean(axis=2) for spent in grid])
    for i, system in enumerate(systems):
        reached = curves[:, i] <= goal + 1e-12  # (spent, task)
        on_average = curves[:, i].mean(axis=1) <= goal.mean() + 1e-12
        first = [grid[np.argmax(column)] if column.any() else np.inf for column in reached.T]
        rows[system] = [
            f"{100 * grid[np.argmax(on_average)] / budget:.0f} %" if on_average.any() else "never",
            f"{100 * float(np.median(first)) / budget:.0f} %",
        ]
    return markdown(["system", "mean regret of random", "median task"], rows)


def per_task(frame: pd.DataFrame, systems: Sequence[str], budget: float) -> str:
    """Mean regret at the end on each task."""
    values, tasks = regrets(frame, systems, budget)
    means = filled(values).mean(axis=2)
    rows = {task: [f"{value:.3f}" for value in means[:, j]] for j, task in enumerate(tasks)}
    return markdown(["task", *systems], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, nargs="+", default=[RESULTS])
    parser.add_argument("--systems", default="", help="default: all that have rows")
    parser.add_argument("--tasks", default="", help="beginnings of names; default: all")
    parser.add_argument("--half", default="", help="of develop, report, live; default: all")
    parser.add_argument("--budget", type=int, default=50)
    arguments = parser.parse_args()
    frame = read_rows(arguments.results, arguments.budget)
    frame = frame[frame["task"].str.startswith(tuple(arguments.tasks.split(",")))]
    if arguments.half:
        frame = frame[frame["task"].map(half_of).isin(arguments.half.split(","))]
    systems = arguments.systems.split(",") if arguments.systems else sorted(set(frame["system"]))
    missing = [system for system in systems if system not in set(frame["system"])]
    if missing or RANDOM not in systems:
        raise SystemExit(
            f"no rows of {missing}; there are {sorted(set(frame['system']))}. {RANDOM} must be "
            "among the systems: it is the scale of regret."
        )
    values, tasks = regrets(frame, systems, arguments.budget)
    print(f"\n{len(tasks)} tasks, {values.shape[2]} seeds, {arguments.budget} full evaluations\n")
    print(overall(frame, systems, arguments.budget))
    print("\nShare of its budget after which random search's final result is reached\n")
    print(needed(frame, systems, arguments.budget))
    print("\nMean regret at the end\n")
    print(per_task(frame, systems, arguments.budget))


if __name__ == "__main__":
    main()
