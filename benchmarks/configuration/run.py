"""Configuring a SAT solver: PAR10 on held-out formulas after 15 CPU minutes of search.

    python benchmarks/configuration/run.py --systems default,random,octavo:racing,octavo:irace
    python benchmarks/configuration/run.py --systems smac:configuration --hours 8
    python benchmarks/configuration/run.py --judge
    python benchmarks/configuration/run.py --summarize

One row of `results.csv` for each (solver, repetition, system, version). Rows that exist are not
run again, so a stopped run goes on with the same command. Repetitions are the outer loop, then
systems, so that a part of a run is balanced. Every final configuration is run on each held-out
formula, after the search and outside of its budget; `--judge` does so again for rows that were
judged by another number of formulas.
"""

from __future__ import annotations

import argparse
import ast
import csv
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from features import features
from generate import written
from solvers import SOLVERS
from systems import CUTOFF_S, PAR, SYSTEMS, Task, penalized

import octavo

HERE = Path(__file__).parent
KEY = ("solver", "repetition", "system", "version")
SEED = 1  # with which a final configuration is judged: other formulas tell more than other seeds
FIELDS = (
    *KEY, "budget_s", "n_train", "n_test", "test_par10", "test_mean_s", "test_unsolved",
    "data_par10", "n_configs", "n_runs", "cpu_s", "saved_s", "wall_s", "config",
)  # fmt: skip


def main(given: argparse.Namespace) -> None:
    """All rows that are asked for and not there yet."""
    end = time.monotonic() + 3600 * given.hours
    done = {tuple(row[name] for name in KEY) for row in rows(given.out)}
    for repetition in range(given.repetitions):
        for solver in given.solvers.split(","):
            for system in given.systems.split(","):
                key = (solver, str(repetition), system, _version(system))
                if key in done or (system == "default" and repetition):
                    continue
                if time.monotonic() > end:
                    return
                row = dict(zip(KEY, key, strict=True)) | one(solver, repetition, system, given)
                append(given.out, row)
                print(*(f"{name}={row[name]}" for name in FIELDS if name != "config"), flush=True)


def one(solver: str, repetition: int, system: str, given: argparse.Namespace) -> dict[str, Any]:
    """The columns of one run: a search, then its configuration on what was held out."""
    instances = written(given.folder)
    train = [i.name for i in instances if i.split == "train"][: given.n_instances]
    test = [i.name for i in instances if i.split == "test"][: given.n_instances]
    task = Task(
        solver=solver,
        folder=given.folder,
        train=tuple(train),
        answers={i.name: i.answer for i in instances},
        features={name: features(given.folder / name) for name in train},
        budget_s=given.budget,
    )
    began = time.monotonic()
    found = SYSTEMS[system](task, repetition)
    wall_s = time.monotonic() - began
    other = _costs(task, found.config, [str(path) for path in _data(given.data)])
    return {
        "budget_s": given.budget,
        "n_train": len(train),
        **judged(task, found.config, test),
        "data_par10": round(float(np.mean(other)), 4) if len(other) else "",
        "n_configs": found.n_configs,
        "n_runs": found.n_runs,
        "cpu_s": round(found.cpu_s, 1),
        "saved_s": "" if np.isnan(found.saved_s) else round(found.saved_s, 1),
        "wall_s": round(wall_s, 1),
        # SMAC3 gives NumPy's kinds, whose names would stand in the file.
        "config": {
            name: value.tolist() if hasattr(value, "tolist") else value
            for name, value in found.config.items()
        },
    }


def judge(given: argparse.Namespace) -> None:
    """Run the final configurations of rows that were judged by other formulas than there are."""
    instances = written(given.folder)
    test = [i.name for i in instances if i.split == "test"][: given.n_instances]
    answers = {i.name: i.answer for i in instances}
    for at in range(len(rows(given.out))):
        row = rows(given.out)[at]
        if int(row["n_test"]) == len(test):
            continue
        task = Task(row["solver"], given.folder, (), answers, {}, given.budget)
        row |= judged(task, ast.literal_eval(row["config"]), test)
        known = rows(given.out)  # another run may have added rows meanwhile
        known[at] = row
        write(given.out, known)
        print(*(f"{name}={row[name]}" for name in FIELDS if name != "config"), flush=True)


def judged(task: Task, config: Mapping[str, Any], test: Sequence[str]) -> dict[str, Any]:
    """The columns that say how a configuration did on what was held out."""
    costs = _costs(task, config, test)
    unsolved = costs >= PAR * CUTOFF_S
    return {
        "n_test": len(test),
        "test_par10": round(float(costs.mean()), 4),
        "test_mean_s": round(float(np.where(unsolved, CUTOFF_S, costs).mean()), 4),
        "test_unsolved": int(unsolved.sum()),
    }


def _costs(task: Task, config: Mapping[str, Any], instances: Sequence[str]) -> np.ndarray:
    """PAR10 of each run."""
    # The seed is of no search: those are large numbers, drawn at random.
    return np.array([penalized(task, config, i, SEED)[0] for i in instances])


def _data(folder: str | None) -> Sequence[Path]:
    """Further held-out formulas, of other origins."""
    return sorted(Path(folder, "sat").rglob("*.cnf")) if folder else []


def _version(system: str) -> str:
    if system in ("default", "random"):
        return "-"  # no library's
    return version("smac") if system.startswith("smac") else octavo.__version__


def rows(path: Path) -> list[dict[str, str]]:
    """What is there already."""
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def append(path: Path, row: Mapping[str, Any]) -> None:
    """One more row."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def write(path: Path, all_rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace the file at once."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(all_rows)
    partial.replace(path)


def summarize(path: Path) -> None:
    """A table for people: means over repetitions."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows(path):
        groups[row["solver"], row["system"]].append(row)
    print("| solver | system | repetitions | PAR10 | worst | unsolved | configurations | capping |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (solver, system), group in sorted(groups.items()):
        par = [float(row["test_par10"]) for row in group]
        unsolved = np.mean([float(row["test_unsolved"]) for row in group])
        configs = np.mean([float(row["n_configs"]) for row in group])
        saved = [
            float(row["saved_s"]) / (float(row["saved_s"]) + float(row["cpu_s"]))
            for row in group
            if row["saved_s"]
        ]
        share = f"saves {100 * np.mean(saved):.0f} % of the CPU time" if saved else ""
        print(
            f"| {solver} | `{system}` | {len(group)} | {np.mean(par):.2f} | {max(par):.2f} "
            f"| {unsolved:.1f} | {configs:.0f} | {share} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", default="default,random,octavo:racing,octavo:irace")
    parser.add_argument("--solvers", default="minisat", help=", ".join(SOLVERS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--budget", type=float, default=900.0, help="CPU seconds of a search")
    parser.add_argument("--hours", type=float, default=1e6, help="begin no run after so long")
    parser.add_argument("--n-instances", type=int, help="of each split; for a try")
    parser.add_argument("--folder", type=Path, default=HERE / "scratch" / "instances")
    parser.add_argument("--data", default=os.environ.get("OCTAVO_DATA"))
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--judge", action="store_true", help="judge rows by the present formulas")
    parser.add_argument("--summarize", action="store_true", help="only show what is there")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.out)
    elif arguments.judge:
        judge(arguments)
    else:
        main(arguments)
