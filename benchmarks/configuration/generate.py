"""The instances: formulas that minisat solves in 0.1 to 3 s at its defaults.

    python benchmarks/configuration/generate.py FOLDER             # writes what instances.csv names
    python benchmarks/configuration/generate.py FOLDER --choose    # goes on to choose, minutes

For each family of `formulas.py`, sizes take turns and seeds count up; a formula is kept if the
default run takes between 0.1 and 3 s of CPU time. Of 72 in each family the second dozen and the
last two are for validation, the others are for training: 180 of each. `instances.csv` has what was
chosen, so that all machines have the same formulas however fast they are.

That favours minisat's defaults: they time out on none of them, and with other formulas of the same
kinds they would. For the other solvers it is no choice by their own results.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from formulas import FAMILIES, make, write_dimacs
from solvers import SOLVERS
from solving import run_limited

__all__ = ["Instance", "known", "written"]

LIST = Path(__file__).parent / "instances.csv"
FIELDS = ("name", "family", "size", "seed", "split", "answer", "default_s")
N_EACH = 72  # of a family
TESTED = (*range(12, 24), *range(48, 72))
LEAST_S, MOST_S = 0.1, 3.0
SIZES = {
    "uniform": (200, 210, 220, 230, 240, 250),
    "colouring": (400, 450, 500, 550, 600),
    "parity": (36, 38, 40, 42, 44, 46),
    "pigeons": (8, 9),
    "factoring": (14, 15, 16, 17, 18),
}


@dataclass(frozen=True)
class Instance:
    """A row of the list."""

    name: str
    family: str
    size: int
    seed: int
    split: str
    answer: str
    default_s: float


def known() -> list[Instance]:
    """The list of instances."""
    with LIST.open() as file:
        return [
            Instance(
                row["name"], row["family"], int(row["size"]), int(row["seed"]), row["split"],
                row["answer"], float(row["default_s"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def written(folder: Path) -> list[Instance]:
    """The list, after all files of it have been written that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for instance in known():
        path = folder / instance.name
        if not path.exists():
            write_dimacs(make(instance.family, instance.size, instance.seed), path)
    return known()


def _chosen(family: str, found: int, first_seed: int, folder: Path) -> Iterator[Instance]:
    """Instances of a family that take neither too long nor no time, after those found before."""
    solver = SOLVERS["minisat"]
    config = solver.space.default()
    for seed in itertools.count(first_seed):
        if found == N_EACH:
            return
        if seed > 20 * N_EACH:
            raise SystemExit(f"{family}: only {found} of {seed} formulas fit. Change SIZES.")
        size = SIZES[family][seed % len(SIZES[family])]
        name = f"{family}-{size}-{seed}.cnf"
        write_dimacs(make(family, size, seed), folder / name)
        run = run_limited(solver.command(config, str(folder / name)), MOST_S)
        if run.answer and LEAST_S <= run.cpu_s <= MOST_S:
            split = "test" if found in TESTED else "train"
            yield Instance(name, family, size, seed, split, run.answer, round(run.cpu_s, 3))
            found += 1


def _choose() -> None:
    before = known() if LIST.exists() else []
    with tempfile.TemporaryDirectory() as folder, LIST.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not before:
            writer.writeheader()
        for family in FAMILIES:
            seeds = [instance.seed for instance in before if instance.family == family]
            start = max(seeds, default=-1) + 1
            for instance in _chosen(family, len(seeds), start, Path(folder)):
                writer.writerow(vars(instance))
                file.flush()
                print(instance, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--choose", action="store_true", help="choose what is missing in the list")
    given = parser.parse_args()
    if given.choose:
        _choose()
    print(f"{len(written(given.folder))} instances in {given.folder}")
