"""A box around the incumbent, for spaces of so many dimensions that searching all of it is vain.

It doubles after three improvements in a row and halves after as many proposals without one as
there are dimensions; when it is very small it begins anew. Its sides are in the ratio of the
length scales. Eriksson, Pearce, Gardner, Turner & Poloczek (2019), Scalable Global Optimization
via Local Bayesian Optimization, NeurIPS. (The process sees all trials here, not only those in the
box, so that a box that begins anew need not forget.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "side_length"]

Floats = NDArray[np.float64]

_FIRST, _LONGEST, _SHORTEST = 0.8, 1.6, 0.5**7
_SUCCESSES = 3
_LEAST_GAIN = 1e-3  # of the best cost's size; less is no improvement
_MOVED = 20.0  # so many columns of a draw differ from the centre


def side_length(costs: Iterable[float], patience: int) -> float:
    """How wide the box is after these trials, in the unit cube.

    Parameters
    ----------
    costs
        In the order in which they became known; NaN or infinite for those that cannot be the best.
    patience
        Trials without improvement after which it is halved.

    Examples
    --------
    >>> side_length([3.0, 2.0, 1.0, 0.5], patience=4)  # the first is no improvement
    1.6
    >>> side_length([1.0] * 5, patience=4)
    0.4
    """
    side, won, lost, best = _FIRST, 0, 0, np.inf
    for number, cost in enumerate(costs):
        is_better = number > 0 and cost < best - _LEAST_GAIN * (abs(best) if best < np.inf else 0.0)
        if number:
            won, lost = (won + 1, 0) if is_better else (0, lost + 1)
        best = min(best, cost) if cost == cost else best
        if won == _SUCCESSES:
            side, won = min(2.0 * side, _LONGEST), 0
        elif lost == patience:
            side, lost = side / 2.0, 0
        if side < _SHORTEST:
            side = _FIRST
    return side


@dataclass(frozen=True)
class Box:
    """A part of the unit cube.

    Parameters
    ----------
    centre : shape (d,)
        NaN where a column is inactive.
    low, high : shape (d,)
        Of ordered columns; the whole interval where the centre is inactive, NaN where a column
        is a choice.
    """

    centre: Floats
    low: Floats
    high: Floats

    @staticmethod
    def around(centre: Floats, columns: NDArray[np.int64], lengths: Floats, side: float) -> Box:
        """The box with sides in the ratio of the length scales, `side` their geometric mean.

        Parameters
        ----------
        centre : shape (d,)
            Encoded.
        columns : shape (p,)
            The ordered ones.
        lengths : shape (p,)
            Their length scales.
        side
            In the unit cube.
        """
        low, high = np.full(len(centre), np.nan), np.full(len(centre), np.nan)
        middle = np.log(lengths).sum() / max(1, len(lengths))  # there may be choices only
        ratio = np.clip(lengths / np.exp(middle), 0.2, 5.0)
        low[columns] = np.maximum(0.0, centre[columns] - side / 2.0 * ratio)
        high[columns] = np.minimum(1.0, centre[columns] + side / 2.0 * ratio)
        is_open = np.isnan(centre) & np.isin(np.arange(len(centre)), columns)
        low[is_open], high[is_open] = 0.0, 1.0
        return Box(centre, low, high)

    def draw(self, anywhere: Floats, rng: np.random.Generator) -> Floats:
        """The centre with some columns moved: ordered ones within the box, choices anywhere.

        Parameters
        ----------
        anywhere : shape (n, d)
            Random configurations, from which choices are taken.
        rng
            Draws the rest.

        Returns
        -------
        shape (n, d)
        """
        n, d = anywhere.shape
        is_ordered = ~np.isnan(self.low)
        moves = rng.random((n, d)) < np.where(is_ordered, min(1.0, _MOVED / d), 1.0 / d)
        moves[np.arange(n), rng.integers(d, size=n)] = True
        within = self.low + rng.random((n, d)) * (self.high - self.low)
        return np.where(moves, np.where(is_ordered, within, anywhere), self.centre)
