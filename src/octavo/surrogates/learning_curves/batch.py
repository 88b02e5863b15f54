"""Many curves of different lengths as arrays, each on a scale of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch", "batch_of"]

Floats = NDArray[np.float64]

MOST_POINTS = 64  # longer curves are averaged over runs of steps, which loses next to nothing
ONE_POINT = 0.3  # the range of a single cost, relative to its size: nothing else is known
_FLAT = 1e-6  # the least range of a curve, relative to the size of its values


@dataclass(frozen=True, slots=True)
class Batch:
    """Curves, padded to the length of the longest.

    Parameters
    ----------
    x, y, weight : shape (m, n)
        Steps from 1 on in units of their spacing, costs with the last at 0 and a range of 1,
        and how many reports each point stands for; 0 where there is none.
    noise : shape (m,)
        Standard deviation of a point about the curve, from second differences.
    reach : shape (m,)
        The last step on the scale of x.
    origin, unit : shape (m,)
        Of the steps: x = origin + step / unit.
    last, range : shape (m,)
        Of the costs: y = (cost - last) / range.
    """

    x: Floats
    y: Floats
    weight: Floats
    noise: Floats
    reach: Floats
    origin: Floats
    unit: Floats
    last: Floats
    range: Floats

    def __len__(self) -> int:
        return len(self.x)

    @property
    def zero(self) -> Floats:
        """Where a cost of zero lies on the scale of y, shape (m,)."""
        return -self.last / self.range


def batch_of(curves: Sequence[tuple[Floats, Floats]]) -> Batch:
    """The batch of some curves.

    Parameters
    ----------
    curves
        Steps, increasing, and costs, finite, of each; at least one point.
    """
    made = [_scaled(steps, costs) for steps, costs in curves]
    n = max((len(one[0]) for one in made), default=0)
    padded = np.zeros((3, len(made), n))
    padded[0] = 1.0
    for row, (x, y, weight, _) in enumerate(made):
        padded[:, row, : len(x)] = x, y, weight
    rest = np.array([one[3] for one in made]).reshape(-1, 6).T
    return Batch(*padded, *rest)


def _scaled(steps: Floats, costs: Floats) -> tuple[Floats, Floats, Floats, tuple[float, ...]]:
    gaps = np.diff(steps)
    # Not the smallest gap: reports in seconds may come in pairs.
    unit = float(np.quantile(gaps, 0.1)) if len(gaps) else max(abs(float(steps[0])), 1.0)
    origin = max(1.0 - float(steps[0]) / unit, 0.0)
    x = np.maximum(origin + steps / unit, 1.0)
    last = float(costs[-1])
    spread = float(np.ptp(costs)) if len(costs) > 1 else ONE_POINT * abs(last)
    scale = max(spread, _FLAT * float(np.abs(costs).max()), np.finfo(float).tiny * 1e10)
    y = (costs - last) / scale
    noise = _noise(y)
    weight = np.ones(len(x))
    if len(x) > MOST_POINTS:
        starts = np.unique(np.round(np.linspace(0, len(x), MOST_POINTS + 1)[:-1]).astype(int))
        weight = np.diff(np.r_[starts, len(x)]).astype(float)
        x = np.add.reduceat(x, starts) / weight
        y = np.add.reduceat(y, starts) / weight
    reach = origin + float(steps[-1]) / unit
    return x, y, weight, (noise, max(reach, 1.0), origin, unit, last, scale)


def _noise(y: Floats) -> float:
    """From second differences of the later half, which bends least; a share of the range."""
    if len(y) < 4:
        return 0.1
    bends = np.abs(np.diff(y, 2))[(len(y) - 2) // 3 :]
    # The median of |N(0, 6 s^2)| is 0.6745 sqrt(6) s.
    return float(np.clip(np.median(bends) / 1.652, 0.003, 0.5))
