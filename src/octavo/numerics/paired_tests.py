"""Which of several configurations are worse than the best, from costs on the same instances.

The rank test follows Conover (1999), Practical Nonparametric Statistics, section 5.8: Friedman's
test whether there is any difference, then the least difference between two sums of ranks; for two
configurations it is Wilcoxon's signed ranks (section 5.7). Racing by it: Birattari et al. (2002),
A racing algorithm for configuring metaheuristics, GECCO.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, stdtr, stdtrit

__all__ = ["ranks", "worse_by_means", "worse_by_ranks"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def ranks(costs: Floats) -> Floats:
    """The rank of each column within each row, 1 for the lowest; ties share their mean rank.

    Parameters
    ----------
    costs : shape (n, k)
        inf is allowed.

    Examples
    --------
    >>> ranks(np.array([[3.0, 1.0, 3.0]]))
    array([[2.5, 1. , 2.5]])
    """
    below = (costs[:, None, :] < costs[:, :, None]).sum(axis=2)
    equal = (costs[:, None, :] == costs[:, :, None]).sum(axis=2)
    return np.asarray(below + (equal + 1) / 2)


def worse_by_ranks(costs: Floats, confidence: float = 0.95) -> Bools:
    """The columns that are worse than the one with the lowest sum of ranks.

    Parameters
    ----------
    costs : shape (n instances, k configurations)
        inf where a run failed.
    confidence
        One minus the level of the test.

    Returns
    -------
    shape (k,)
        Never all of them; none if there is only one row.

    Examples
    --------
    >>> costs = np.arange(8)[:, None] + np.array([0.0, 0.1, 5.0])
    >>> worse_by_ranks(costs)
    array([False,  True,  True])
    """
    n, k = costs.shape
    if n < 2 or k < 2:
        return np.zeros(k, dtype=bool)
    if k == 2:
        return _signed_ranks(costs, confidence)
    r = ranks(costs)
    sums = r.sum(axis=0)
    squares = float(np.square(r).sum())
    # Between all ranks and ranks that are all tied.
    spread = squares - n * k * (k + 1) ** 2 / 4
    if spread <= 1e-9 * squares:
        return np.zeros(k, dtype=bool)
    statistic = (k - 1) * float(np.square(sums - n * (k + 1) / 2).sum()) / spread
    if chdtrc(k - 1, statistic) >= 1 - confidence:
        return np.zeros(k, dtype=bool)
    freedom = (n - 1) * (k - 1)
    left = max(n * squares - float(np.square(sums).sum()), 0.0)
    quantile = float(stdtrit(freedom, 1 - (1 - confidence) / 2))
    least = quantile * math.sqrt(2 * left / freedom)
    return np.asarray(sums - sums.min() > least + 1e-9)


def _signed_ranks(costs: Floats, confidence: float) -> Bools:
    """Wilcoxon's test of two columns, by the normal approximation with ties corrected."""
    with np.errstate(invalid="ignore"):  # inf - inf
        differences = np.nan_to_num(costs[:, 1] - costs[:, 0], nan=0.0)
    differences = differences[differences != 0]
    n = len(differences)
    none = np.zeros(2, dtype=bool)
    if n < 2:
        return none
    r = ranks(np.abs(differences)[None, :])[0]
    for_first = float(r[differences > 0].sum())  # the first one is better where it is positive
    mean = n * (n + 1) / 4
    _, ties = np.unique(np.abs(differences), return_counts=True)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((ties**3 - ties).sum()) / 48
    z = (abs(for_first - mean) - 0.5) / math.sqrt(variance)
    if 2 * (1 - ndtr(z)) >= 1 - confidence:
        return none
    return np.array([for_first < mean, for_first > mean])


def worse_by_means(costs: Floats, confidence: float = 0.95) -> Bools:
    """The columns whose mean is larger than the lowest one, by paired t tests.

    Not corrected for how many there are: a correction makes a race keep nearly all.

    Parameters
    ----------
    costs : shape (n instances, k configurations)
        inf where a run failed: such a column is worse than one without.
    confidence
        One minus the level of each test, two-sided.

    Returns
    -------
    shape (k,)
        Never all of them; none if there is only one row.
    """
    n, k = costs.shape
    failed = ~np.isfinite(costs)
    if n < 2 or k < 2:
        return np.zeros(k, dtype=bool)
    n_failed = failed.sum(axis=0)
    worse = n_failed > n_failed.min()
    rows = ~failed[:, ~worse].any(axis=1)
    if rows.sum() < 2:
        return np.asarray(worse)
    kept = costs[rows] / 2  # 1e308 - (-1e308) would overflow
    m = len(kept)
    means = np.where(worse, np.inf, np.where(np.isfinite(kept), kept, 0.0).mean(axis=0))
    best = int(np.argmin(means))
    for column in np.flatnonzero(~worse):
        difference = kept[:, column] - kept[:, best]
        mean, deviation = float(difference.mean()), float(difference.std(ddof=1))
        if not mean > 0:
            continue
        t = math.inf if deviation <= 1e-12 * mean else mean / (deviation / math.sqrt(m))
        worse[column] = 2 * stdtr(m - 1, -t) < 1 - confidence
    return np.asarray(worse)
