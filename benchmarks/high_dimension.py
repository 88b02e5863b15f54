"""Optimizers where there are many numbers: what trust regions are worth.

    python benchmarks/high_dimension.py --systems gaussian-process,turbo,auto --dimensions 100

Four functions with the optimum at a random place: `ackley` (a narrow funnel in ripples), `levy`
(a bowl in ripples), `rosenbrock` (the logarithm of a curved valley) and `sparse` (only five of the
numbers matter). Prints the mean over seeds of the best cost so far, and the CPU time per
proposal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers import recipe
from octavo.problem import Limits, Problem
from octavo.spaces import Float, space
from octavo.trial import Status, Trial

Floats = NDArray[np.float64]


def ackley(z: Floats) -> float:
    """Minimum 0."""
    z = 60.0 * z
    root = np.sqrt(np.mean(z**2))
    return float(20 + np.e - 20 * np.exp(-0.2 * root) - np.exp(np.mean(np.cos(2 * np.pi * z))))


def levy(z: Floats) -> float:
    """Minimum 0."""
    w = 1.0 + 5.0 * z
    inner = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(np.sin(np.pi * w[0]) ** 2 + inner.sum() + last)


def rosenbrock(z: Floats) -> float:
    """Minimum 0."""
    w = 1.0 + 4.0 * z
    return float(np.log1p((100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()))


def sparse(z: Floats) -> float:
    """Minimum 0."""
    return float((np.arange(1, 6) * z[:5] ** 2).sum())


FUNCTIONS: dict[str, Callable[[Floats], float]] = {
    "ackley": ackley,
    "levy": levy,
    "rosenbrock": rosenbrock,
    "sparse": sparse,
}


def search(name: str, system: str, d: int, n: int, seed: int) -> tuple[list[float], float]:
    """The best cost after each trial, and CPU milliseconds per proposal."""
    optimum = np.random.default_rng([d, seed]).uniform(0.25, 0.75, d)
    names = [f"x{i}" for i in range(d)]
    box = space({key: Float(0, 1) for key in names})
    optimizer = recipe(system).start(Problem(box, limits=Limits(max_trials=n)), seed)
    best: list[float] = []
    spent = 0.0
    for _ in range(n):
        began = time.process_time()
        (proposal,) = optimizer.ask(1)
        spent += time.process_time() - began
        x = np.array([proposal.config[key] for key in names])
        cost = FUNCTIONS[name](x - optimum)
        began = time.process_time()
        optimizer.tell([Trial(proposal, Status.SUCCESS, (cost,))])
        spent += time.process_time() - began
        best.append(min(cost, *best[-1:]) if best else cost)
    return best, 1e3 * spent / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", default="gaussian-process,turbo")
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    n = arguments.trials
    print(f"| function | system | after {n // 4} | after {n // 2} | after {n} | CPU ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in FUNCTIONS:
        for system in arguments.systems.split(","):
            runs = [
                search(name, system, arguments.dimensions, n, seed)
                for seed in range(arguments.seeds)
            ]
            curves = np.array([best for best, _ in runs])
            mean = [f"{curves[:, at - 1].mean():.4g}" for at in (n // 4, n // 2, n)]
            ms = np.mean([spent for _, spent in runs])
            print(f"| {name} | {system} | {' | '.join(mean)} | {ms:.0f} |", flush=True)


if __name__ == "__main__":
    main()
