"""Searchers on conditional spaces: policy gradient and tree search against what is simpler.

    python benchmarks/conditional.py --systems random,regularized-evolution --trials 1000

Three tasks, each with an instance per seed: `cash` (four families of models with their own
hyperparameters; the best family is the hardest to tune), `grammar` (expressions that grow;
the right multiset of words is sought), `nas` (a tree of choices with interactions). Prints
the mean over seeds of the best cost so far, and the CPU time per proposal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from octavo.optimizers import recipe
from octavo.problem import Limits, Problem
from octavo.spaces import Categorical, Float, Grammar, Hyperparameter, Integer, Space, space
from octavo.trial import Status, Trial

Objective = Callable[[Mapping[str, Any]], float]
AT = (50, 200, 1000)


def cash(instance: int) -> tuple[Space, Objective]:
    """Which of four families, and its hyperparameters: 13 in all, 3 to 6 active."""
    rng = np.random.default_rng([1, instance])
    own = {
        "svm": ["C", "gamma"],
        "forest": ["trees", "depth", "share"],
        "mlp": ["rate", "decay", "layers", "units"],
        "knn": ["k", "p"],
    }
    families, scalers, kernels = list(own), ["none", "standard", "quantile"], ["rbf", "poly"]
    parts: dict[str, Hyperparameter] = {
        "family": Categorical(families),
        "scaler": Categorical(scalers),
    }
    for family, names in own.items():
        for name in names:
            if name in ("trees", "units"):
                part: Hyperparameter = Integer(8, 512, log=True)
            elif name in ("depth", "layers", "k"):
                part = Integer(1, 12)
            else:
                part = Float(1e-4, 1.0, log=True)
            parts[f"{family}_{name}"] = part.when(family=family)
    parts["kernel"] = Categorical(kernels).when(family="svm")
    where = space(parts)
    order = rng.permutation(4)
    floor = dict(zip(np.array(families)[order].tolist(), [0.0, 0.05, 0.1, 0.2], strict=True))
    scale = dict(zip(np.array(families)[order].tolist(), [1.2, 0.6, 0.5, 0.4], strict=True))
    best = {column.name: rng.uniform(0.1, 0.9) for column in where.columns}
    scaling = rng.uniform(0, 0.1, (4, 3))
    scaling -= scaling.min(axis=1, keepdims=True)

    def cost(config: Mapping[str, Any]) -> float:
        family = config["family"]
        values = where.encode([config]).values[0]
        place = {column.name: x for column, x in zip(where.columns, values, strict=True)}
        gaps = [place[f"{family}_{name}"] - best[f"{family}_{name}"] for name in own[family]]
        spread = np.abs(gaps).mean() + 0.5 * abs(np.mean(gaps))
        extra = scaling[families.index(family), scalers.index(config["scaler"])]
        extra += 0.1 * (config.get("kernel") == "poly")
        return float(floor[family] + scale[family] * spread + extra)

    return where, cost


def grammar(instance: int) -> tuple[Space, Objective]:
    """Sums of any shape: how far the numbers of x, y and z are from those of seven wanted."""
    target = np.random.default_rng([2, instance]).multinomial(7, [1 / 3] * 3)

    def words(tree: list[Any]) -> list[str]:
        return words(tree[1]) + words(tree[2]) if tree[0] == "add" else [tree[0]]

    def cost(config: Mapping[str, Any]) -> float:
        found = words(config["S"])
        return float(sum(abs(found.count(w) - n) for w, n in zip("xyz", target, strict=True)))

    return Grammar({"S": [["add", "S", "S"], ["x"], ["y"], ["z"]]}, start="S"), cost


def nas(instance: int) -> tuple[Space, Objective]:
    """A kind of cell, four edges that interact in pairs, and two choices below the cell's."""
    rng = np.random.default_rng([3, instance])
    cells, edges = ["plain", "residual", "dense"], ["conv3", "conv5", "pool", "skip", "none"]
    joins, growths = ["add", "concat", "gate"], [8, 16, 24, 32]
    parts: dict[str, Hyperparameter] = {"cell": Categorical(cells)}
    parts |= {f"edge{i}": Categorical(edges) for i in range(4)}
    parts["join"] = Categorical(joins).when(cell=["residual", "dense"])
    parts["growth"] = Categorical(growths).when(cell="dense")
    of_cell = rng.normal(0, 0.5, 3)
    of_edge = rng.normal(0, 1, (1, 4, 5)) + rng.normal(0, 0.5, (3, 4, 5))
    of_pair = rng.normal(0, 0.7, (4, 4, 5, 5))
    of_join, of_growth = rng.normal(0, 0.5, (3, 3)), rng.normal(0, 0.5, (4, 5))

    def cost(config: Mapping[str, Any]) -> float:
        cell = cells.index(config["cell"])
        edge = [edges.index(config[f"edge{i}"]) for i in range(4)]
        total = of_cell[cell] + sum(of_edge[cell, i, edge[i]] for i in range(4))
        pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
        total += sum(of_pair[i, j, edge[i], edge[j]] for i, j in pairs)
        if "join" in config:
            total += of_join[cell, joins.index(config["join"])]
        if "growth" in config:
            total += of_growth[growths.index(config["growth"]), edge[3]]
        return float(total)

    return space(parts), cost


TASKS: Mapping[str, Callable[[int], tuple[Space, Objective]]] = {
    "cash": cash,
    "grammar": grammar,
    "nas": nas,
}


def best_so_far(system: str, task: str, seed: int, n: int) -> list[float]:
    """The best cost after each trial of one run."""
    where, cost = TASKS[task](seed)
    problem = Problem(where, limits=Limits(max_trials=n))
    optimizer = recipe(system).start(problem, seed)
    path: list[float] = []
    for _ in range(n):
        asked = optimizer.ask(1)
        if not asked:
            break
        value = cost(asked[0].config)
        optimizer.tell([Trial(asked[0], Status.SUCCESS, (value,))])
        path.append(min([value, *path[-1:]]))
    return path


def main() -> None:
    """Run what the command line names, and print a row for each task and system."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", default="random,regularized-evolution,policy-gradient")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=1000)
    given = parser.parse_args()
    for task in given.tasks.split(","):
        for system in given.systems.split(","):
            began = time.process_time()
            runs = [best_so_far(system, task, s, given.trials) for s in range(given.seeds)]
            ms = 1e3 * (time.process_time() - began) / sum(map(len, runs))
            row = [f"{system:24} {task:8}"]
            for at in AT:
                if at <= given.trials:
                    found = [run[min(at, len(run)) - 1] for run in runs]
                    error = np.std(found, ddof=1) / np.sqrt(len(found))
                    row.append(f"{at:5}: {np.mean(found):8.4f} ± {error:.4f}")
            print("  ".join(row), f"  {ms:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
