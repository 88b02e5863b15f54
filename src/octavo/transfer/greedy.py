"""In which order to try configurations, so that stopping anywhere finds one of the good ones.

A portfolio is as good on a data set as its best member there. The mean over data sets of that
minimum falls by less the more members there are (it is submodular), so that adding, each time,
the configuration that lowers it most is within 1 - 1/e of the best set of every size: the first
k members are good for every k (Feurer 2022, section 3.1).

Who stops by the clock rather than by a count wants the curve over time to be low everywhere.
Then a configuration is worth what it lowers the mean by *per unit of time that it takes*
(Streeter 2007), and time is counted in its logarithm: a user's deadline is as likely to lie
between 1 and 2 seconds as between 100 and 200.

Feurer, Eggensperger, Falkner, Lindauer & Hutter (2022), Auto-sklearn 2.0: Hands-free AutoML via
Meta-Learning, JMLR 23. Streeter, Golovin & Smith (2007), Combining Multiple Heuristics Online,
AAAI.

Notation: `costs` has shape (n, m), data sets by configurations, in [0, 1], NaN where unknown, as
`octavo.transfer.evaluations.normalized` gives them; `weights` has shape (n,) and sums to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError

__all__ = [
    "anytime_area",
    "anytime_order",
    "check_deadlines",
    "cost_after",
    "greedy_order",
    "mean_costs",
]

Floats = NDArray[np.float64]

_NO_GAIN = 1e-9  # of a scale from 0 to 1
_FREE = 0.01  # share of the deadlines' range that even the quickest member is charged


def greedy_order(
    costs: Floats,
    size: int,
    *,
    weights: Floats | None = None,
) -> list[int]:
    """The configurations whose first k are together best on average, for every k.

    When no further one helps on any data set, the same begins anew among those that are left: a
    new data set is none of these, and is better served by a second choice than by none. It ends
    early only when what is left is of no use alone either. Ties go to the configuration that is
    better alone on average, then to the first.

    Parameters
    ----------
    costs
        See above.
    size
        How many at most.
    weights
        Of the data sets; equal by default.

    Examples
    --------
    A generalist, then the specialist for what it is worst at; the third adds nothing to them, and
    the fourth is good for nothing.

    >>> greedy_order(np.array([[0.2, 0, 0.3, 1], [0.2, 0.9, 0.3, 1], [0.2, 0.9, 0.3, 1]]), size=4)
    [0, 1, 2]
    """
    filled = _pessimistic(costs)
    weights = _weights(weights, len(filled))
    reached = np.ones(len(filled))
    alone = weights @ filled
    chosen: list[int] = []
    while len(chosen) < min(size, filled.shape[1]):
        gain = weights @ np.maximum(reached[:, None] - filled, 0.0)
        gain[chosen] = -1.0
        if gain.max() <= _NO_GAIN:
            if (reached == 1).all():
                break
            reached = np.ones(len(filled))
            continue
        # Sums of floats differ in their last digit; a tie is a tie.
        tied = np.flatnonzero(gain >= gain.max() - _NO_GAIN)
        chosen.append(int(tied[np.argmin(alone[tied])]))
        reached = np.minimum(reached, filled[:, chosen[-1]])
    return chosen


def anytime_order(
    costs: Floats,
    seconds: Floats,
    size: int,
    *,
    deadlines: tuple[float, float],
    weights: Floats | None = None,
) -> list[int]:
    """The configurations whose curve over time is low everywhere, run one after the other.

    What helps nowhere in time comes last, as in `greedy_order`; what does not end in time at all
    is left out.

    Parameters
    ----------
    costs
        See above.
    seconds : shape (n, m)
        What each takes, all known (`octavo.transfer.evaluations.filled_seconds`).
    size
        How many at most.
    deadlines
        Seconds between which a user's deadline lies, (low, high). What is reached before low
        counts as reached at once, what is reached after high not at all.
    weights
        Of the data sets; equal by default.

    Raises
    ------
    SettingError
        If the deadlines are no range of positive numbers.

    Examples
    --------
    Of two that do the same, the quick one; the slow and better one follows. After these two the
    other one would end too late.

    >>> costs = np.array([[0.5, 0.5, 0.0]])
    >>> anytime_order(costs, np.array([[90.0, 1.0, 50.0]]), size=3, deadlines=(1, 100))
    [1, 2]
    """
    low, high = check_deadlines(deadlines)
    filled = _pessimistic(costs)
    weights = _weights(weights, len(filled))
    reached, spent = np.ones(len(filled)), np.zeros(len(filled))
    alone = weights @ filled
    chosen: list[int] = []
    while len(chosen) < min(size, filled.shape[1]):
        ends = spent[:, None] + seconds
        gain = np.where(ends <= high, np.maximum(reached[:, None] - filled, 0.0), 0.0)
        taken = _place(ends, low, high) - _place(spent, low, high)[:, None]
        worth = (weights @ gain) / (weights @ taken + _FREE)
        worth[chosen] = -1.0
        if (weights @ gain)[worth >= 0].max(initial=0.0) <= _NO_GAIN:
            if (reached == 1).all():
                break
            reached = np.ones(len(filled))
            continue
        tied = np.flatnonzero(worth >= worth.max() - _NO_GAIN)
        best = int(tied[np.argmin(alone[tied])])
        chosen.append(best)
        in_time = ends[:, best] <= high
        reached = np.where(in_time, np.minimum(reached, filled[:, best]), reached)
        spent = ends[:, best]
    return chosen


def mean_costs(costs: Floats, order: Sequence[int], *, weights: Floats | None = None) -> Floats:
    """Shape (len(order) + 1,): the mean over data sets after the first k of an order.

    Parameters
    ----------
    costs, weights
        See above.
    order
        Columns of `costs`. The first value is that of none of them: 1.

    Examples
    --------
    >>> mean_costs(np.array([[0.2, 0.0], [0.2, np.nan]]), [0, 1])
    array([1. , 0.2, 0.1])
    """
    return np.asarray(_weights(weights, len(costs)) @ cost_after(costs, order))


def cost_after(costs: Floats, order: Sequence[int]) -> Floats:
    """Shape (n, len(order) + 1): the best of the first k of an order on each data set."""
    ordered = _pessimistic(costs)[:, list(order)]
    return np.asarray(np.minimum.accumulate(np.column_stack([np.ones(len(costs)), ordered]), 1))


def anytime_area(
    costs: Floats,
    seconds: Floats,
    order: Sequence[int],
    *,
    deadlines: tuple[float, float],
) -> Floats:
    """Shape (n,): the mean cost on each data set at a deadline that nobody knows beforehand.

    The area under the curve of the best cost over the logarithm of time, exactly, divided by
    the range: the expected cost if the deadline is log-uniform between the two.

    Parameters
    ----------
    costs, seconds, deadlines
        As for `anytime_order`.
    order
        Columns, run one after the other.

    Examples
    --------
    Nothing until 10 s, half of the way on the logarithm; perfect after that.

    >>> anytime_area(np.array([[0.0]]), np.array([[10.0]]), [0], deadlines=(1, 100))
    array([0.5])
    """
    low, high = check_deadlines(deadlines)
    reached = cost_after(costs, order)
    ends = _place(np.cumsum(seconds[:, list(order)], axis=1), low, high)
    edges = np.column_stack([np.zeros(len(costs)), ends, np.ones(len(costs))])
    return np.asarray((reached * np.diff(edges, axis=1)).sum(axis=1))


def check_deadlines(deadlines: tuple[float, float]) -> tuple[float, float]:
    """The two deadlines as floats; raises `SettingError` if they make no sense."""
    try:
        low, high = map(float, deadlines)
        if not 0 < low < high < np.inf:
            raise ValueError
    except (TypeError, ValueError):
        raise SettingError(
            f"deadlines={deadlines!r} must be two positive numbers of seconds, the smaller one "
            "first. Give such as (1, 600): users stop between a second and ten minutes."
        ) from None
    return low, high


def _place(seconds: Floats, low: float, high: float) -> Floats:
    """Where moments lie between the deadlines, on a scale from 0 to 1 of their logarithm."""
    return np.asarray(np.log(np.clip(seconds, low, high) / low) / np.log(high / low))


def _pessimistic(costs: Floats) -> Floats:
    """Unknown costs as no help: a portfolio gets no credit for what nobody has seen."""
    return np.where(np.isnan(costs), 1.0, costs)


def _weights(weights: Floats | None, n: int) -> Floats:
    return np.full(n, 1.0 / n) if weights is None else np.asarray(weights, dtype=float)
