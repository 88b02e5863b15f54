"""What a proposal costs: CPU milliseconds of ask + tell after so many trials, all systems.

    python benchmarks/hpo/speed.py --systems octavo:auto,octavo:tpe,optuna:tpe,optuna:gp
    python benchmarks/hpo/speed.py --systems octavo:tpe --at 10000
    python benchmarks/hpo/speed.py --show

A mixed space of ten dimensions (`function/mixed`), one thread. A system lives through the
first quarter of the trials (at most 100: no initial design is longer), is told random ones up
to five before the number, runs five that are not counted, and then 40 that are. One row of
`speed.csv` per system and number; all rows that are compared should come from one call. SMAC
refits at every eighth trial only, so that its mean, not its median, is what its user waits for.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import date
from pathlib import Path

import functions
import numpy as np
import pandas as pd
from reporting import markdown
from results import RowFile
from searching import evaluated, timings
from sessions import Session
from systems import load
from task import Task

RESULTS = Path(__file__).parent / "speed.csv"
FIELDS = (
    "task", "seed", "system", "version", "trials",
    "ms_median", "ms_mean", "ms_p95", "n_measured", "date", "failed",
)  # fmt: skip
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
N_WARM = 5
N_LIVE = 100
N_MEASURED = 40


def step(task: Task, session: Session) -> float:
    """One trial; CPU milliseconds of ask and tell."""
    began = time.process_time()
    asked = session.ask()
    spent = time.process_time() - began
    outcome = evaluated(task, asked.config, asked.seed)
    began = time.process_time()
    session.tell(asked, outcome)
    return 1e3 * (spent + time.process_time() - began)


def measure(task: Task, system: str, n: int, seed: int) -> list[float]:
    """CPU milliseconds of the trials after the first `n`."""
    session = load(system).start(task.problem(n + N_MEASURED), seed)
    n_live = min(N_LIVE, -(-(n + N_MEASURED) // 4))
    for _ in range(n_live):
        step(task, session)
    rng = np.random.default_rng([n, seed])
    configs = task.space.decode(task.space.sample(max(0, n - N_WARM - n_live), rng))
    session.add(configs, [evaluated(task, config, 0) for config in configs])
    for _ in range(N_WARM):
        step(task, session)
    return [step(task, session) for _ in range(N_MEASURED)]


def show(path: Path) -> str:
    """The latest rows as a Markdown table."""
    frame = pd.read_csv(path).drop_duplicates(["system", "trials"], keep="last")
    numbers = sorted(set(frame["trials"]))
    table: dict[str, list[str]] = {}
    for system in dict.fromkeys(frame["system"]):
        rows = frame[frame["system"] == system]
        cells = [str(rows["version"].iloc[-1])]
        for n in numbers:
            its = rows[rows["trials"] == n]
            if len(its) == 0 or its["ms_median"].isna().any():
                cells.append("failed" if len(its) else "")
                continue
            row = its.iloc[0]
            cells.append(f"{row['ms_median']:.1f} / {row['ms_mean']:.1f} / {row['ms_p95']:.1f}")
        table[system] = cells
    head = ["system", "version", *(f"{n}: median / mean / p95" for n in numbers)]
    return markdown(head, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", default="octavo:auto,octavo:random")
    parser.add_argument("--at", default="50,200,1000", help="after so many trials")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if not ONE_THREAD.items() <= os.environ.items():
        # Libraries read these when they are imported, which has happened by now.
        os.execve(sys.executable, sys.orig_argv, os.environ | ONE_THREAD)
    if not arguments.show:
        task = functions.task("mixed")
        out = RowFile(arguments.out, FIELDS)
        for n in map(int, arguments.at.split(",")):
            for system in arguments.systems.split(","):
                row = {
                    "task": task.name, "seed": arguments.seed, "system": system,
                    "version": load(system).version, "trials": n, "date": str(date.today()),
                }  # fmt: skip
                try:
                    spent = measure(task, system, n, arguments.seed)
                    row |= timings(spent) | {"n_measured": str(len(spent))}
                except Exception as error:  # a system's failure is a result
                    row["failed"] = f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
                out.append(row)
                print(row, flush=True)
    print(show(arguments.out))


if __name__ == "__main__":
    main()
