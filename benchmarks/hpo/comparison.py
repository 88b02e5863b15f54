"""The mathematics of a comparison: ranks, paired bootstrap, paired test. Arrays in and out.

Everywhere the axes are (system, task, seed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, wilcoxon

__all__ = ["Interval", "bootstrap_means", "interval", "p_worse", "ranks"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and where 95 % of the bootstrap's figures lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def ranks(regret: Floats) -> Floats:
    """The rank of each system on each task and seed, 1 for the best; ties share their mean.

    Parameters
    ----------
    regret : shape (systems, tasks, seeds)
        NaN where a run failed: those share the last ranks. Regrets are equal if they are so
        to ten decimals of the task's scale.
    """
    filled = np.where(np.isnan(regret), np.inf, np.round(regret, 10))
    return np.asarray(rankdata(filled, axis=0))


def bootstrap_means(values: Floats, n: int = 2000, seed: int = 0) -> Floats:
    """Means over tasks and seeds of resampled benchmarks: tasks first, then seeds in each.

    Every system gets the same tasks and seeds, so differences and ratios between rows of one
    column are paired.

    Parameters
    ----------
    values : shape (systems, tasks, seeds)
        Without NaN.
    n
        How often.
    seed
        Draws.

    Returns
    -------
    shape (systems, n)
    """
    rng = np.random.default_rng(seed)
    _, n_tasks, n_seeds = values.shape
    means = np.empty((len(values), n))
    for i in range(n):
        tasks = rng.integers(n_tasks, size=(n_tasks, 1))
        seeds = rng.integers(n_seeds, size=(n_tasks, n_seeds))
        means[:, i] = values[:, tasks, seeds].mean(axis=(1, 2))
    return means


def interval(value: float, resampled: Floats) -> Interval:
    """A figure with its 95 % interval."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def p_worse(ours: Floats, theirs: Floats) -> float:
    """The probability that seeds alone make us look so much worse (Wilcoxon, one-sided).

    Parameters
    ----------
    ours, theirs : shape (seeds,)
        Regrets, paired by seed.
    """
    difference = np.round(ours - theirs, 12)
    if not np.any(difference):
        return 1.0
    return float(wilcoxon(difference, alternative="greater").pvalue)
