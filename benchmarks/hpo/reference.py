"""What costs are measured by: the best known cost of each task, and what random search does.

    python benchmarks/hpo/reference.py --data DIR

Writes `reference.csv`: the optimum (known, the best of a table, or the best of a long random
search with hill climbing, which the summary lowers to whatever a system found) and the median
of random search after 5 trials, over 201 repetitions. Both are the scale of normalized regret.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import yahpo
from catalog import KINDS, NOISY, add_places, available, chosen, load, places
from numpy.typing import NDArray
from results import shown
from task import Task

__all__ = ["FIELDS", "REFERENCE", "read"]

REFERENCE = Path(__file__).parent / "reference.csv"
FIELDS = ("task", "optimum", "how", "random_5")
N_REPETITIONS = 201
N_DRAWS = 50_000
N_CLIMBS = 200


def read() -> dict[str, tuple[float, float]]:
    """Optimum and random search's median after 5 trials, by task."""
    with REFERENCE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["task"]: (float(row["optimum"]), float(row["random_5"])) for row in rows}


def climbed(name: str, data: Path) -> float:
    """The best cost of a surrogate: many random draws, then mutations of the best."""
    _, scenario, data_set = name.split("/")
    its = yahpo.surrogate(scenario, data_set, data)
    quantities = yahpo.SINGLE[scenario]
    rng = np.random.default_rng(0)
    points = its.space.sample(N_DRAWS, rng)
    costs = its.predict(its.space.decode(points), quantities)[:, 0]
    best = np.argsort(costs)[:N_CLIMBS]
    points, costs = points[best], costs[best]
    for _ in range(N_CLIMBS):
        moved = its.space.mutate(points, rng)
        found = its.predict(its.space.decode(moved), quantities)[:, 0]
        better = found < costs
        points.values[better], costs[better] = moved.values[better], found[better]
    return float(costs.min())


def random_costs(task: Task) -> NDArray[np.float64]:
    """Shape (repetitions, 5): what random search finds."""
    configs = task.space.decode(
        task.space.sample(5 * N_REPETITIONS, np.random.default_rng([5, len(task.name)]))
    )
    return np.array([task.cost(config) for config in configs]).reshape(-1, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default="all")
    add_places(parser)
    arguments = parser.parse_args()
    where = places(arguments)
    known: dict[str, dict[str, str]] = {}
    if REFERENCE.exists():
        with REFERENCE.open(newline="") as file:
            known = {row["task"]: row for row in csv.DictReader(file)}
    for name in available(chosen(arguments.tasks, [*KINDS, *NOISY]), where):
        task = load(name, where)
        costs = random_costs(task)
        if task.optimum is not None:
            optimum, how = task.optimum, "known"
        elif name in yahpo.NAMES and where.data is not None:
            optimum, how = climbed(name, where.data), "searched"
        else:
            optimum, how = float(costs.min()), "searched"
        median = float(np.median(costs.min(axis=1)))
        known[name] = dict(zip(FIELDS, (name, shown(optimum), how, shown(median)), strict=True))
        print(name, known[name], flush=True)
    with REFERENCE.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[name] for name in sorted(known))


if __name__ == "__main__":
    main()
