"""What the study's own loop costs per trial, and how long a large study takes to open.

    python benchmarks/overhead.py

Bars: at trial 10,000, with random search, trials run inline and SQLite on disk, less than
5 ms per trial (ask, submit, store, tell); a study of 100,000 trials opens in less than 2 s.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import octavo
from octavo.trial import Proposal, Resources, Status, Trial

OPEN = """
import sys, time
began = time.perf_counter()
import octavo
study = octavo.open_study(sys.argv[1], write=False)
n, best = len(study.history), study.history.incumbent_cost
print(n, best, time.perf_counter() - began)
"""


def space() -> object:
    """Ten hyperparameters of several kinds."""
    numbers = {f"x{i}": octavo.Float(-1.0, 1.0) for i in range(6)}
    return octavo.space(
        **numbers,
        rate=octavo.Float(1e-5, 1e-1, log=True),
        width=octavo.Integer(1, 512, log=True),
        kind=octavo.Categorical(["a", "b", "c"]),
        depth=octavo.Integer(1, 8),
    )


def loop(folder: Path, n_trials: int) -> octavo.Study:
    """Run a study inline; prints milliseconds per trial along the way."""
    began: list[float] = []

    def objective(config: dict[str, object]) -> float:
        began.append(time.perf_counter())
        return float(config["x0"]) ** 2  # type: ignore[arg-type]

    study = octavo.Study(space=space(), optimizer="random", seed=0, storage=folder)
    study.run(objective, max_trials=n_trials, progress=False)
    gaps = np.diff(began) * 1e3
    for stop in (n_trials // 10, n_trials // 2, n_trials - 1):
        last = gaps[max(0, stop - 1_000) : stop]
        print(
            f"around trial {stop + 1:7,}: mean {last.mean():6.2f} ms, median "
            f"{np.median(last):6.2f} ms, 99th percentile {np.quantile(last, 0.99):6.2f} ms"
        )
    print(f"mean over the last 1,000 = {gaps[-1_000:].mean():.2f} ms   (bar: < 5 ms)")
    return study


def fill(study: octavo.Study, n_trials: int) -> None:
    """Put trials into the store in bulk, until it has `n_trials`."""
    random = np.random.default_rng(0)
    for start in range(len(study.history), n_trials, 5_000):
        now = time.time()
        points = study.problem.space.sample(min(5_000, n_trials - start), random)
        proposals = [
            Proposal(index=start + i, config=config, seed=i)
            for i, config in enumerate(study.problem.space.decode(points))
        ]
        study.store.add_proposals(proposals, revision=0)
        study.store.add_trials(
            [
                Trial(
                    proposal=proposal,
                    status=Status.SUCCESS,
                    costs=(float(random.random()),),
                    resources=Resources(wall_s=0.1, cpu_s=0.1),
                    worker="filled",
                    started=now - 0.1,
                    ended=now,
                )
                for proposal in proposals
            ]
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--opened", type=int, default=100_000)
    given = parser.parse_args()
    with TemporaryDirectory() as room:
        folder = Path(room) / "study"
        study = loop(folder, given.trials)
        fill(study, given.opened)
        study.close()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        seconds = []
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", OPEN, str(folder)],
                check=True,
                capture_output=True,
                text=True,
            )
            n, _, took = done.stdout.split()
            seconds.append(float(took))
        print(
            f"opening {int(n):,} trials ({size / 2**20:.0f} MiB) in a fresh process, imports "
            f"included = {min(seconds):.2f} s   (bar: < 2 s)"
        )


if __name__ == "__main__":
    main()
