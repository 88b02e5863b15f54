"""How well learning curves are predicted from their first fifth, on TaskSet.

    OCTAVO_DATA=DIR python benchmarks/learning_curves.py

For each task half of the configurations are there to learn from, and the ends of 250 others are
predicted from 10 of their 51 validation losses. Runs that diverge count as a bad loss: values
are cut off at three times the way from a good end to the usual start, for all methods alike
(`Scale` of octavo.surrogates.learning_curves, learned from the training half).

Methods: `last`, the last value, and `power law`, the best fit of offset + a * step**-b by least
squares from several starts (never outside the range of the training curves); around both a
normal distribution whose width is the root mean square error on the training curves, or, with
"/robust", a mixture of a narrow and a wide one, fitted to the errors on the training curves by
maximum likelihood. `octavo untrained` knows none of the training curves, `octavo` learned from
all. `octavo/20` learned from 20. Errors are those of the predicted median (absolute) and mean
(root mean square).
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import logsumexp
from scipy.stats import norm
from taskset import STEPS, load

from octavo.surrogates.learning_curves import LearningCurves
from octavo.surrogates.learning_curves.reading import Scale, as_costs, as_curve

Floats = NDArray[np.float64]
TARGET = Path(__file__).with_name("learning_curves.csv")
N_TRAIN, N_TEST = 500, 250


def power_law(losses: Floats, cap: float) -> float:
    """The end of the power law that fits a beginning best."""
    steps = STEPS[: len(losses)]
    level, spread = float(losses[-1]), max(float(np.ptp(losses)), 1e-9)

    def away(p: Floats) -> Floats:
        return np.asarray(p[0] + p[1] * steps ** -np.exp(p[2]) - (losses - level) / spread)

    fits = [
        least_squares(away, [0.0, 1.0, start], bounds=([-20, -20, -5], [20, 20, 3]))
        for start in (-1.5, 0.0, 1.0)
    ]
    offset, scale, exponent = min(fits, key=lambda fit: fit.cost).x
    end = level + spread * (offset + scale * STEPS[-1] ** -np.exp(exponent))
    return float(np.clip(end, 0.0, cap))


def two_widths(errors: Floats) -> tuple[float, float, float]:
    """Weight of the wide part and both widths, by expectation maximization."""
    narrow, wide, share = np.quantile(np.abs(errors), 0.5) + 1e-6, errors.std() + 1e-6, 0.5
    for _ in range(200):
        parts = np.stack(
            [np.log(1 - share) + norm.logpdf(errors, 0, narrow),
             np.log(share) + norm.logpdf(errors, 0, wide)]
        )  # fmt: skip
        blame = np.exp(parts - logsumexp(parts, axis=0))
        share = float(np.clip(blame[1].mean(), 1e-3, 1 - 1e-3))
        narrow, wide = np.maximum(np.sqrt((blame * errors**2).sum(1) / blame.sum(1)), 1e-4)
    return share, float(narrow), float(wide)


def judged(losses: Floats, cut: int, seed: int) -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """Of each method: the name, medians, means and log densities of the true ends."""
    order = np.random.default_rng(seed).permutation(len(losses))
    train, test = order[:N_TRAIN], order[-N_TEST:]
    scale = Scale.of([as_curve(STEPS, losses[i], False) for i in train])
    costs = np.array([as_costs(as_curve(STEPS, row, False), scale)[1] for row in losses])
    truth = costs[test, -1]
    plain = {
        "last": (costs[train, cut - 1], costs[test, cut - 1]),
        "power law": tuple(
            np.array([power_law(costs[i, :cut], scale.cap) for i in rows]) for rows in (train, test)
        ),
    }
    for name, (on_train, on_test) in plain.items():
        errors, away = costs[train, -1] - on_train, truth - on_test
        width = float(np.sqrt(np.mean(errors**2)))
        yield name, on_test, on_test, norm.logpdf(away, 0, width)
        share, narrow, wide = two_widths(errors)
        parts = [
            np.log(1 - share) + norm.logpdf(away, 0, narrow),
            np.log(share) + norm.logpdf(away, 0, wide),
        ]
        yield f"{name}/robust", on_test, on_test, logsumexp(parts, axis=0)
    beginnings = [(STEPS[:cut], costs[i, :cut]) for i in test]
    for name, n in (("octavo untrained", 0), ("octavo/20", 20), ("octavo", N_TRAIN)):
        model = LearningCurves().fit([(STEPS, costs[i]) for i in train[:n]])
        ends = model.predict_many(beginnings, STEPS[-1])
        yield name, ends.median, ends.mean, ends.log_density(truth)
    yield "truth", truth, truth, np.zeros(len(truth))


def main() -> None:
    """Judge all methods on all tasks, print and store what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("OCTAVO_DATA", ""))
    parser.add_argument("--shown", type=int, default=10, help="losses that are known of a curve")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = []
    for task, losses in list(load(given.data).items())[: given.tasks]:
        began = time.process_time()
        found = {name: rest for name, *rest in judged(losses, given.shown, given.seed)}
        truth = found.pop("truth")[0]
        for name, (median, mean, density) in found.items():
            rows.append(
                {
                    "task": task,
                    "method": name,
                    "absolute": round(float(np.abs(median - truth).mean()), 5),
                    "square": round(float(np.sqrt(np.mean((mean - truth) ** 2))), 5),
                    "log_density": round(float(density.mean()), 4),
                }
            )
        print(f"{task}: {time.process_time() - began:.0f} s of CPU", flush=True)
    with TARGET.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    show(rows)


def show(rows: list[dict[str, float | str]]) -> None:
    """Errors relative to those of the last value, and log densities, averaged over tasks."""
    tasks = sorted({str(row["task"]) for row in rows})
    table = {(row["task"], row["method"]): row for row in rows}
    print(f"{'method':18} {'absolute error':>15} {'root mean square':>17} {'log density':>12}")
    for name in dict.fromkeys(str(row["method"]) for row in rows):
        relative = [
            [float(table[task, name][error]) / float(table[task, "last"][error]) for task in tasks]
            for error in ("absolute", "square")
        ]
        density = np.mean([float(table[task, name]["log_density"]) for task in tasks])
        print(
            f"{name:18} {np.mean(relative[0]):15.3f} {np.mean(relative[1]):17.3f} {density:12.3f}"
        )


if __name__ == "__main__":
    main()
