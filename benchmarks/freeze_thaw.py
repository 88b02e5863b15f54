"""Freeze-thaw beside running everything to its end, on recorded learning curves.

    OCTAVO_DATA=DIR python benchmarks/freeze_thaw.py

The configurations of each of TaskSet's tasks (see `taskset.py`) in random order, one trial at a
time. The reference runs 100 of them to their end; freeze-thaw has a fifth, a half and all of
these steps, and the same order of new configurations. What counts is the best final validation
loss of a trial that ran to its end, relative to that of the reference.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from taskset import N_STEPS, load

from octavo.optimizers.proposing import ask_in_turn, new_proposal
from octavo.optimizers.protocol import Optimizer, next_index
from octavo.problem import Fidelity, Objective, Problem
from octavo.schedulers.freeze_thaw import FreezeThaw
from octavo.spaces import Integer, space
from octavo.trial import Proposal, Report, Status, Trial

SHARES = (0.2, 0.5, 1.0)
TARGET = Path(__file__).with_name("freeze_thaw.csv")


@dataclass(frozen=True)
class InOrder:
    """Proposes the rows of a table, shuffled."""

    n: int

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _InOrder(problem, np.random.default_rng(seed).permutation(self.n).tolist())


class _InOrder:
    def __init__(self, problem: Problem, order: list[int]) -> None:
        self._problem, self._order = problem, order
        self._met: set[int] = set()
        self._n = 0

    def tell(self, trials: list[Trial]) -> None:  # type: ignore[override]
        for trial in trials:
            self._met.add(trial.config["row"])
            self._n = max(self._n, trial.index + 1)

    def ask(self, n: int, *, pending: tuple[Proposal, ...] = ()) -> list[Proposal]:  # type: ignore[override]
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        met = self._met | {proposal.config["row"] for proposal in pending}
        row = next((row for row in self._order if row not in met), None)
        if row is None:
            return None
        index = next_index(self._n, pending)
        return new_proposal(self._problem, 0, index, {"row": row}, by="in order")


def run(losses: NDArray[np.float64], seed: int, budget: int) -> list[tuple[int, float]]:
    """Steps spent and the best final loss, whenever it improved."""
    problem = Problem(
        space(row=Integer(0, len(losses) - 1)),
        (Objective("loss"),),
        fidelity=Fidelity("steps", 1, N_STEPS),
    )
    optimizer = FreezeThaw(inner=InOrder(len(losses))).start(problem, seed)
    reached: dict[int, int] = {}
    spent, best, path = 0, np.inf, []
    while spent < budget:
        (asked,) = optimizer.ask(1)
        done = 0 if asked.resume_from is None else reached[asked.resume_from]
        assert asked.fidelity is not None
        reached[asked.index] = end = int(asked.fidelity)
        row = losses[asked.config["row"]]
        reports = tuple(Report(at + 1, {"loss": float(row[at])}) for at in range(done, end))
        spent += end - done
        final = float(row[end - 1])
        status = Status.SUCCESS if np.isfinite(final) else Status.CRASHED
        optimizer.tell([Trial(asked, status, (final,), reports=reports)])
        if end == N_STEPS and final < best:
            best = final
            path.append((spent, best))
    return path


def main() -> None:
    """Run all tasks and print how the final losses compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("OCTAVO_DATA", ""))
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    for task, losses in load(given.data).items():
        for seed in range(given.seeds):
            order = np.random.default_rng(seed).permutation(len(losses))[: given.trials]
            mark = float(np.nanmin(losses[order, -1]))
            budget = N_STEPS * given.trials
            began = time.process_time()
            path = run(losses, seed, budget)
            seconds = time.process_time() - began
            for share in SHARES:
                best = min((loss for at, loss in path if at <= share * budget), default=np.nan)
                rows.append(
                    {
                        "task": task,
                        "seed": seed,
                        "share": share,
                        "loss": round((best - mark) / abs(mark), 6),
                        "seconds": round(seconds, 1),
                    }
                )
        print(task, rows[-len(SHARES) * given.seeds :: 1][:3], flush=True)
    with TARGET.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for share in SHARES:
        loss = np.array([float(row["loss"]) for row in rows if row["share"] == share])
        print(
            f"{share:4.0%} of the steps: {loss.mean():8.3%} worse on average, "
            f"median {np.median(loss):8.3%}, no worse in {np.mean(loss <= 1e-9):.0%}"
        )


if __name__ == "__main__":
    main()
