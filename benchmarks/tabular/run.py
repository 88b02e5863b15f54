"""Run systems on tables, each run in a process of its own; one row of results.csv for each.

    python benchmarks/tabular/run.py --data DIR --systems constant,linear,forest,lightgbm
    python benchmarks/tabular/run.py --data DIR --systems octavo,flaml --seconds 60 --hours 2

Rows that exist are not run again (`--again` does); so a run that was stopped goes on where
it ended. `summarize.py` makes the tables.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import scores
import tables
from systems import SYSTEMS, THREADS, Job

RESULTS = Path(__file__).parent / "results.csv"
# OpenMP reads these when it loads, so a run finds them in its environment.
ENVIRONMENT = {
    "OMP_NUM_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "OMP_WAIT_POLICY": "PASSIVE",
}
PATIENCE_S = 900  # beyond its budget, before a run is killed and counts as failed


@dataclass(frozen=True)
class Row:
    """One line of results.csv; seconds is 0 for systems that have no budget."""

    system: str
    version: str
    dataset: str
    split: int
    seconds: float
    task: str
    metric: str
    score: float | None  # by the metric, on held-out rows
    score_se: float | None  # its standard error, by bootstrap over these rows
    accuracy: float | None
    log_loss: float | None
    calibration_error: float | None  # of the likeliest class' probability, 15 equal bins
    coverage: float | None  # of intervals or sets for 90 %, of systems that have them
    mae: float | None
    r2: float | None
    wall_s: float | None  # of fit, from its call (imports included) to its return
    overshoot: float | None  # wall_s - seconds
    predict_s: float | None  # for all held-out rows, the second time, when all is loaded
    size_mb: float | None  # of what has to be kept in order to predict, MiB
    peak_mb: float  # resident minus shared, of the process tree, MiB
    status: str  # ok, or what went wrong


COLUMNS = [field.name for field in fields(Row)]
Key = tuple[str, str, int, float]


def key(row: dict[str, str]) -> Key:
    """What makes a run the same run."""
    return row["system"], row["dataset"], int(row["split"]), float(row["seconds"])


def known(results: Path) -> dict[Key, dict[str, str]]:
    """The rows that exist."""
    if not results.exists():
        return {}
    with results.open(newline="") as file:
        return {key(row): row for row in csv.DictReader(file)}


def write(results: Path, rows: dict[Key, dict[str, str]]) -> None:
    """Replace the file at once, sorted, so that a change reads well in a diff."""
    partial = results.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(rows.items()))
    partial.replace(results)


def work(folder: Path, system: str, name: str, split: int, seconds: float, out: Path) -> None:
    """One run, inside its own process; writes what it measured as JSON."""
    table = tables.find(folder, name)
    data = tables.load(folder, table, split)
    job = Job(table.task, seconds, seed=split)
    began = time.monotonic()
    model = SYSTEMS[system].fit(data.X_train, data.y_train, job)
    wall_s = time.monotonic() - began
    predicted = scores.predict(model, data.X_test, table.task)
    again = time.monotonic()
    scores.predict(model, data.X_test, table.task)
    predict_s = time.monotonic() - again
    size_mb = SYSTEMS[system].size(model) / 2**20
    classes = [] if table.task == "regression" else sorted(data.y_train.unique())
    measured = scores.score(
        data.y_test.to_numpy(), predicted, table.task, tables.pd.Index(classes).to_numpy(), split
    )
    costs = {"wall_s": wall_s, "predict_s": predict_s, "size_mb": size_mb}
    covered = scores.coverage(model, data.X_test, data.y_test.to_numpy(), table.task)
    costs |= {} if covered is None else {"coverage": covered}
    out.write_text(json.dumps(costs | measured))


def tree_mb(process: psutil.Process) -> float:
    """Resident minus shared pages of a process and all its descendants, in MiB."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            memory = each.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
    return total / 2**20


def measure(folder: Path, system: str, table: tables.Table, split: int, seconds: float) -> Row:
    """Start one run, watch its memory, and read what it measured."""
    found: dict[str, float] = {}
    peak = 0.0
    with TemporaryDirectory() as room:
        out, log = Path(room) / "measured.json", Path(room) / "log.txt"
        command = [
            *(sys.executable, __file__, "--work", str(out), "--data", str(folder)),
            *("--systems", system, "--tables", table.name),
            *("--splits", str(split), "--seconds", str(seconds)),
        ]
        with log.open("w") as file:
            child = psutil.Popen(
                command,
                cwd=room,
                env=os.environ | ENVIRONMENT,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            deadline = time.monotonic() + seconds + PATIENCE_S
            while child.poll() is None and time.monotonic() < deadline:
                try:
                    peak = max(peak, tree_mb(child))
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.05)
            if child.poll() is None and time.monotonic() >= deadline:
                for each in [*child.children(recursive=True), child]:
                    each.kill()
            code = child.wait()
        if out.exists():
            found, status = json.loads(out.read_text()), "ok"
        else:
            last = log.read_text().strip().splitlines() or [f"exit code {code}"]
            status = last[-1][:200]
    return Row(
        system=system,
        version=SYSTEMS[system].version(),
        dataset=table.name,
        split=split,
        seconds=seconds,
        task=table.task,
        metric=Job(table.task, seconds, split).metric,
        overshoot=found["wall_s"] - seconds if found and seconds else None,
        peak_mb=round(peak, 1),
        status=status,
        **{
            name: found.get(name)
            for name in (
                *("score", "score_se", "accuracy", "log_loss", "mae", "r2"),
                *("calibration_error", "coverage", "wall_s", "predict_s", "size_mb"),
            )
        },
    )


def as_text(row: Row) -> dict[str, str]:
    """As it stands in the file."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return {
        name: "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
    }


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OCTAVO_DATA"),
        help="folder with manifest.csv and the tables; default: the variable OCTAVO_DATA",
    )
    parser.add_argument("--systems", default="octavo", help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--tables", default="", help="names; default: the 20 of the benchmark")
    parser.add_argument("--splits", default="0,1", help="seeds of the splits")
    parser.add_argument("--seconds", default="60", help="budgets of the systems that search")
    parser.add_argument("--hours", type=float, default=24.0, help="start no run after this")
    parser.add_argument("--again", action="store_true", help="run what has a row already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.data is None:
        parser.error("give the folder of tables: --data DIR, or set OCTAVO_DATA")
    given.data = Path(given.data).resolve()
    given.results = given.results.resolve()
    unknown = set(given.systems.split(",")) - set(SYSTEMS)
    if unknown:
        parser.error(f"unknown systems {sorted(unknown)}; there are {', '.join(SYSTEMS)}")
    return given


def jobs(given: argparse.Namespace) -> Iterator[tuple[str, tables.Table, int, float]]:
    """What to run, table by table."""
    wanted = set(filter(None, given.tables.split(",")))
    chosen = [table for table in tables.select(given.data) if not wanted or table.name in wanted]
    splits = [int(text) for text in given.splits.split(",")]
    for split, table, system in product(splits, chosen, given.systems.split(",")):
        timed = SYSTEMS[system].timed
        for seconds in [float(text) for text in given.seconds.split(",")] if timed else [0.0]:
            yield system, table, split, seconds


def main() -> None:
    """Run what is asked for and has no row."""
    given = arguments()
    if given.work:
        try:
            work(
                given.data, given.systems, given.tables, int(given.splits),
                float(given.seconds), given.work,
            )  # fmt: skip
        except Exception as error:
            traceback.print_exc()
            sys.exit(f"{type(error).__name__}: {error}".replace("\n", " "))
        return
    began = time.monotonic()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    for system, table, split, seconds in jobs(given):
        rows = known(given.results)
        place = (system, table.name, split, seconds)
        if place in rows and not given.again:
            continue
        if time.monotonic() - began > given.hours * 3600:
            print("The hours are over; run the same command again to go on.")
            return
        row = as_text(measure(given.data, system, table, split, seconds))
        # Read again: another run may have added rows meanwhile.
        write(given.results, known(given.results) | {place: row})
        print(
            f"{system:9} {table.name:24} split {split}  {row['metric']:9} {row['score']:>9}  "
            f"{row['wall_s']:>8} s  {row['peak_mb']:>7} MiB  {row['status']}",
            flush=True,
        )


if __name__ == "__main__":
    main()
