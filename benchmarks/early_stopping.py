"""What stopping trials early saves, and what it costs, on recorded learning curves.

    OCTAVO_DATA=DIR python benchmarks/early_stopping.py

Random search over the 1,000 Adam configurations of each of TaskSet's 12 tasks (Metz 2020, the
subset in DIR/hpo), 51 reports a trial, four trials at a time. A stopper sees every report. For
each stopper: the share of steps that it saved, and by how much the best final validation loss
of the trials that ran to their end is worse than without it, relative to that loss. Trials that
diverge are stopped by no stopper of their own accord; the loss that counts is the reported one.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from taskset import N_STEPS, load

from octavo.history import History
from octavo.problem import Objective, Problem
from octavo.schedulers.asha_stopping import ASHAStopper
from octavo.schedulers.curve_stopper import CurveStopper
from octavo.schedulers.median_rule import MedianRule
from octavo.schedulers.stopping import Running, Stopper
from octavo.spaces import Integer, space
from octavo.trial import Proposal, Report, Status, Trial

STOPPERS: Mapping[str, Stopper | None] = {
    "none": None,
    "median": MedianRule(first_step=3),
    "asha": ASHAStopper(first_step=2, eta=3),
    "curve": CurveStopper(first_step=3),
}
TARGET = Path(__file__).with_name("early_stopping.csv")


def run(
    losses: NDArray[np.float64], order: list[int], stopper: Stopper | None, workers: int
) -> tuple[int, float]:
    """Steps spent in all, and the best final loss."""
    problem = Problem(space(row=Integer(0, len(losses) - 1)), (Objective("loss"),))
    history = History(problem)
    waiting = [Proposal(index, {"row": row}) for index, row in enumerate(order)]
    running: dict[int, Running] = {}
    spent = 0
    while waiting or running:
        while waiting and len(running) < workers:
            proposal = waiting.pop(0)
            running[proposal.index] = Running(proposal, (), 0.0)
        for index, trial in list(running.items()):
            step = len(trial.reports)
            loss = float(losses[trial.proposal.config["row"], step])
            reports = (*trial.reports, Report(step + 1, {"loss": loss}))
            spent += 1
            running[index] = trial = Running(trial.proposal, reports, step + 1.0)
            if step + 1 == N_STEPS:
                ended = Status.SUCCESS if np.isfinite(loss) else Status.CRASHED
                history.append(Trial(trial.proposal, ended, (loss,), reports=reports))
                del running[index]
        if stopper is None:
            continue
        for index, decision in stopper.decide(list(running.values()), history).items():
            if decision != "go":
                trial = running.pop(index)
                cost = trial.reports[-1].values["loss"]
                history.append(
                    Trial(trial.proposal, Status.STOPPED, (cost,), reports=trial.reports)
                )
    return spent, history.incumbent_cost


def main() -> None:
    """Run all stoppers and print what they saved."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("OCTAVO_DATA", ""))
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--stoppers", default=",".join(STOPPERS))
    given = parser.parse_args()
    rows = []
    for task, losses in load(given.data).items():
        for seed in range(given.seeds):
            order = np.random.default_rng(seed).permutation(len(losses))[: given.trials].tolist()
            _, reached = run(losses, order, None, given.workers)
            for name in given.stoppers.split(","):
                began = time.process_time()
                spent, best = run(losses, order, STOPPERS[name], given.workers)
                rows.append(
                    {
                        "task": task,
                        "seed": seed,
                        "stopper": name,
                        "saved": round(1 - spent / (N_STEPS * given.trials), 4),
                        "loss": round((best - reached) / abs(reached), 6),
                        "seconds": round(time.process_time() - began, 2),
                    }
                )
    with TARGET.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(
        f"{'stopper':12} {'steps saved':>12} {'worse by, mean':>15} {'90 %':>8} {'CPU s a run':>12}"
    )
    for name in given.stoppers.split(","):
        mine = [row for row in rows if row["stopper"] == name]
        loss = np.array([row["loss"] for row in mine])
        saved = np.mean([row["saved"] for row in mine])
        seconds = np.mean([row["seconds"] for row in mine])
        worst = np.quantile(loss, 0.9)
        print(f"{name:12} {saved:12.1%} {loss.mean():15.3%} {worst:8.2%} {seconds:12.2f}")


if __name__ == "__main__":
    main()
