"""Leave out members that cost much and help little.

Greedy selection (`selection.py`) takes whatever lowers the loss, however little: on its way it
collects members of a few percent, among them a support vector machine that needs as long for a
prediction as all others together. Here members go, one after the other, that whose price is
highest for what it helps first, as long as the ensemble keeps most of its gain over the best
single model.

On 8 tables of 500 to 8,000 rows, 17 to 50 pipelines of a minute's search each, giving up a
twentieth of the gain on validation rows left 53 % of the time per prediction and 60 % of the size,
a tenth of it 46 and 58 %; on new rows the loss was the same (within 0.1 % on average).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.batches import Batch
from octavo.ensemble.metrics import METRICS, Metric
from octavo.ensemble.selection import Selection, select

__all__ = ["thrifty"]

Floats = NDArray[np.float64]

GIVEN_UP = 0.05
"""Share of the gain over the best single model that may go."""


def thrifty(
    selection: Selection,
    predictions: Sequence[ArrayLike],
    y_true: ArrayLike,
    metric: Metric,
    *,
    prices: ArrayLike,
    given_up: float = GIVEN_UP,
    size: int = 40,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    time_limit_s: float | None = None,
) -> Selection:
    """An ensemble of fewer of the selected models that is nearly as good.

    Parameters
    ----------
    selection
        From `select`.
    predictions, y_true, metric, sample_weight, classes
        As it was given.
    prices : shape (m,)
        Of each model, in any unit, not negative; infinite where unknown.
    given_up
        Share of the ensemble's gain over the best single model that may be lost.
    size
        Greedy steps in which those that stay are weighted anew.
    time_limit_s
        Nothing is left out after so many seconds.

    Returns
    -------
    Selection
        The same if nothing can be left out.

    Examples
    --------
    >>> from octavo.ensemble import get_metric
    >>> y = np.arange(6.0)
    >>> models = [y + [1, 0, 0, 0, 0, 0], y - [1, 0, 0, 0, 0, 0], y + [0, 0.1, 0, 0, 0, 0]]
    >>> rmse = get_metric("rmse", "regression")
    >>> whole = Selection(np.array([0.4, 0.4, 0.2]), 0.01, (0.04,), "rmse", 6)
    >>> thrifty(whole, models, y, rmse, prices=[1.0, 1.0, 9.0], given_up=0.5).weights
    array([0.5, 0.5, 0. ])
    """
    members = list(selection.indices)
    ends = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
    stack = np.stack([np.asarray(predictions[at], np.float64) for at in members])
    rows = np.isfinite(stack.reshape(*stack.shape[:2], -1)).all(axis=(0, 2))
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)[rows]
    target = np.asarray(y_true)[rows]
    guide = metric if selection.guide == metric.name else METRICS[selection.guide]
    batch = Batch.of(guide, target, stack[:, rows], weight, classes)
    given = np.asarray(prices, np.float64)[members]
    price = np.where(np.isfinite(given), given, given[np.isfinite(given)].max(initial=1.0))

    whole = selection.weights[members]
    base = _cost(batch, whole)
    allowed = base + given_up * max(guide.to_cost(selection.path[0]) - base, 0.0)
    shares = whole
    while time.monotonic() < ends:
        fewer = _with_one_less(batch, shares, price, base, allowed)
        if fewer is None:
            break
        shares = fewer
    kept = np.flatnonzero(shares > 0)
    if len(kept) == len(members):
        return selection
    how: dict[str, Any] = {"sample_weight": weight, "classes": classes}
    left_s = None if time_limit_s is None else max(ends - time.monotonic(), 0.0)
    anew = select(stack[kept][:, rows], target, metric, size=size, time_limit_s=left_s, **how)
    again = np.zeros(len(members))
    again[kept] = anew.weights
    if _cost(batch, again) <= _cost(batch, shares):
        shares = again
    weights = np.zeros(len(selection.weights))
    weights[members] = shares
    mixed = np.tensordot(shares, stack[:, rows], axes=1)
    return replace(selection, weights=weights, score=metric.score(target, mixed, **how))


def _cost(batch: Batch, shares: Floats) -> float:
    return float(batch.costs(np.tensordot(shares, batch.cuts, axes=1)[np.newaxis])[0])


def _with_one_less(
    batch: Batch, shares: Floats, price: Floats, base: float, allowed: float
) -> Floats | None:
    """Without the member that is dearest for what it helps; None if none can go."""
    found: tuple[float, Floats] | None = None
    there = np.flatnonzero(shares > 0)
    if len(there) < 2:
        return None
    for at in there:
        rest = shares.copy()
        rest[at] = 0.0
        rest /= rest.sum()
        cost = _cost(batch, rest)
        helps_per_price = max(cost - base, 1e-12 * max(abs(base), 1.0)) / max(price[at], 1e-12)
        if cost <= allowed and (found is None or helps_per_price < found[0]):
            found = helps_per_price, rest
    return None if found is None else found[1]
