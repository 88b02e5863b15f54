"""Does an optimizer beat random search? Runs optimizers on the recorded tables.

    python benchmarks/hpo/run.py --optimizers random,random-forest --seeds 10
    python benchmarks/hpo/summarize.py

One row of `results.csv` for each (task, seed, optimizer, version). Rows that exist are not
run again, so a stopped run goes on with the same command.
"""

from __future__ import annotations

import argparse
import csv
import time
from importlib.metadata import version
from pathlib import Path

from tables import TASKS, Table, load

from octavo.optimizers import recipe
from octavo.problem import Limits, Problem
from octavo.trial import Status, Trial

RESULTS = Path(__file__).parent / "results.csv"
FIELDS = (
    "task", "seed", "optimizer", "version", "trials",
    "cost_25", "cost_50", "cost", "normalized", "ms_per_proposal",
)  # fmt: skip


def run(table: Table, optimizer: str, seed: int, n_trials: int) -> dict[str, object]:
    """One serial search: the best cost on the way, and the optimizer's own CPU time."""
    problem = Problem(table.space, limits=Limits(max_trials=n_trials))
    started = recipe(optimizer).start(problem, seed)
    best: list[float] = []
    cpu_s = 0.0
    for _ in range(n_trials):
        began = time.process_time()
        (proposal,) = started.ask(1)
        cpu_s += time.process_time() - began
        cost = table.cost(proposal.config)
        began = time.process_time()
        started.tell([Trial(proposal, Status.SUCCESS, (cost,))])
        cpu_s += time.process_time() - began
        best.append(min([cost, *best[-1:]]))
    return {
        "task": table.name,
        "seed": seed,
        "optimizer": optimizer,
        "version": version("octavo"),
        "trials": n_trials,
        "cost_25": best[min(24, n_trials - 1)],
        "cost_50": best[min(49, n_trials - 1)],
        "cost": best[-1],
        "normalized": round(table.normalized(best[-1]), 8),
        "ms_per_proposal": round(1e3 * cpu_s / n_trials, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimizers", default="random,sobol,regularized-evolution,random-forest")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0 to this, exclusive")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--hours", type=float, default=1.0, help="start no run after this time")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    done: set[tuple[str, ...]] = set()
    if arguments.out.exists():
        with arguments.out.open() as file:
            done = {
                (row["task"], row["seed"], row["optimizer"], row["version"], row["trials"])
                for row in csv.DictReader(file)
            }
    else:
        arguments.out.write_text(",".join(FIELDS) + "\n")
    end = time.monotonic() + 3600 * arguments.hours
    for task in arguments.tasks.split(","):
        table: Table | None = None
        for optimizer in arguments.optimizers.split(","):
            for seed in range(arguments.seeds):
                key = (task, str(seed), optimizer, version("octavo"), str(arguments.trials))
                if key in done:
                    continue
                if time.monotonic() > end:
                    print("the time is up; the same command goes on from here")
                    return
                table = table or load(task)
                row = run(table, optimizer, seed, arguments.trials)
                with arguments.out.open("a", newline="") as file:
                    csv.DictWriter(file, FIELDS, lineterminator="\n").writerow(row)
        print(f"{task}: done", flush=True)


if __name__ == "__main__":
    main()
