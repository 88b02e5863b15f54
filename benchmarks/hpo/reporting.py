"""From rows of a CSV file to Markdown: what the scripts of this folder print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from comparison import bootstrap_means, interval, ranks
from numpy.typing import NDArray

__all__ = ["markdown", "paired", "rank_and_mean", "read_rows"]

Floats = NDArray[np.float64]


def read_rows(paths: Sequence[Path], trials: int | None = None) -> pd.DataFrame:
    """All rows of all files, for one length of runs if it is given.

    A system with rows of several versions becomes several systems, with the version in their
    names.
    """
    frame = pd.concat([pd.read_csv(path, dtype={"version": str}) for path in paths])
    if trials is not None:
        frame = frame[frame["trials"] == trials]
    frame = frame.drop_duplicates(["task", "seed", "system", "version", "trials"], keep="last")
    several = frame.groupby("system")["version"].transform("nunique") > 1
    frame["system"] = frame["system"].where(~several, frame["system"] + " " + frame["version"])
    return frame.reset_index(drop=True)


def paired(
    frame: pd.DataFrame, systems: Sequence[str], column: str
) -> tuple[Floats, tuple[str, ...]]:
    """One column as an array, on the (task, seed) pairs that all systems have.

    Every task gets as many seeds as the task with the fewest; tasks without any are left out.

    Returns
    -------
    values : shape (systems, tasks, seeds)
        NaN where a run failed.
    tasks
        Names along the second axis.
    """
    frame = frame[frame["system"].isin(systems)]
    complete = frame.groupby(["task", "seed"])["system"].nunique() == len(systems)
    pairs = complete[complete].index
    tasks = tuple(sorted({task for task, _ in pairs}))
    seeds = {task: sorted(seed for its, seed in pairs if its == task) for task in tasks}
    n_seeds = min((len(its) for its in seeds.values()), default=0)
    known = {
        (row["system"], row["task"], row["seed"]): row[column] for row in frame.to_dict("records")
    }
    values = [
        [[known[system, task, seed] for seed in seeds[task][:n_seeds]] for task in tasks]
        for system in systems
    ]
    return np.array(values, dtype=float).reshape(len(systems), len(tasks), n_seeds), tasks


def rank_and_mean(values: Floats, *, lower_is_better: bool, failed: float) -> list[list[str]]:
    """For each system its mean rank and mean value, with intervals, as cells of a table.

    Parameters
    ----------
    values : shape (systems, tasks, seeds)
        NaN where a run failed: the last rank, and the value `failed`.
    """
    if not values.size:
        return [["", ""] for _ in values]
    rank = ranks(values if lower_is_better else -values)
    filled = np.nan_to_num(values, nan=failed)
    rank_means, means = bootstrap_means(rank), bootstrap_means(filled)
    return [
        [
            str(interval(float(rank[i].mean()), rank_means[i])),
            str(interval(float(filled[i].mean()), means[i])),
        ]
        for i in range(len(values))
    ]


def markdown(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table whose first column are the keys."""
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    lines += [f"| {key} | {' | '.join(cells)} |" for key, cells in rows.items()]
    return "\n".join(lines)
