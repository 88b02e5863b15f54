"""Parallel trials: what eight asynchronous workers lose against a serial run.

    python benchmarks/hpo/batches.py --systems octavo:auto@1,octavo:auto@8,optuna:tpe@1,optuna:tpe@8
    python benchmarks/hpo/batches.py --show

A number after "@" is how many trials are in flight. Workers are simulated: each trial takes a time
drawn from a log-normal distribution, and as soon as one is done its worker asks for the next.
The same number of trials for all; regret as in `summarize.py`.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from catalog import KINDS, Places, load
from reference import read
from reporting import markdown, paired, rank_and_mean, read_rows
from results import KEY, shown
from scripts import script
from searching import Search, evaluated, timings
from sessions import Asked, System
from systems import load as load_system
from task import Task

RESULTS = Path(__file__).parent / "batches.csv"
FIELDS = (*KEY, "best_200", "ms_median", "ms_mean", "ms_p95", "wall_s", "failed", "improvements")


def parallel(task: Task, system: System, seed: int, n_trials: int, n_workers: int) -> Search:
    """A search with several trials in flight; entries in order of completion."""
    session = system.start(task.problem(n_trials), seed)
    durations = np.random.default_rng([8, seed]).lognormal(0.0, 0.5, n_trials)
    record = Search()
    running: list[tuple[float, int, Asked]] = []  # when it ends, its number, what it is
    now = 0.0
    for number in range(n_trials + n_workers):
        spent = 0.0
        if len(running) == n_workers or number >= n_trials:
            if not running:
                break
            now, _, asked = heapq.heappop(running)
            outcome = evaluated(task, asked.config, asked.seed)
            began = time.process_time()
            session.tell(asked, outcome)
            spent += time.process_time() - began
            record.configs.append(asked.config)
            record.outcomes.append(outcome)
            record.truths.append(outcome.costs[0])
        if number < n_trials:
            began = time.process_time()
            asked = session.ask()
            spent += time.process_time() - began
            heapq.heappush(running, (now + float(durations[number]), number, asked))
        record.cpu_ms.append(1e3 * spent)
    return record


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run."""
    name, _, workers = system.partition("@")
    record = parallel(load(task, where), load_system(name), seed, trials, int(workers or 1))
    return {
        "best_200": shown(record.best(trials)),
        "best": shown(record.best(trials)),
        "improvements": record.improvements(),
        **timings(record.cpu_ms),
    }


def show(paths: Sequence[Path], systems: Sequence[str], trials: int) -> str:
    """Mean rank and regret after all trials, and the ratio to one worker."""
    frame = read_rows(paths, trials)
    systems = systems or sorted(set(frame["system"]))
    reference = read()
    lowest = frame.groupby("task")["best_200"].min()
    low = frame["task"].map({task: min(reference[task][0], lowest[task]) for task in lowest.index})
    scale = frame["task"].map({task: reference[task][1] for task in lowest.index}) - low
    frame["regret"] = (frame["best_200"] - low) / scale
    values, tasks = paired(frame, systems, "regret")
    found = rank_and_mean(values, lower_is_better=True, failed=1.0)
    means = dict(zip(systems, np.nan_to_num(values, nan=1.0).mean(axis=(1, 2)), strict=True))
    rows = {}
    for system, cells in zip(systems, found, strict=True):
        alone = system.partition("@")[0] + "@1"
        ratio = f"{means[system] / means[alone]:.3f}" if alone in means else ""
        rows[system] = [*cells, ratio]
    head = ["system", "rank", "regret", "relative to one worker"]
    return f"{len(tasks)} tasks, {values.shape[2]} seeds\n\n{markdown(head, rows)}"


if __name__ == "__main__":
    script(__doc__, out=RESULTS, fields=FIELDS, tasks=list(KINDS), trials=200, run=run, show=show)
