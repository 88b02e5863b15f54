"""Is a portfolio good for data sets that it was not learned from? Leave each out and see.

Each data set is judged by what is learned from the others. Its whole group is left out with it
(near-duplicates, other runs on the same table), or the answer would be known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError
from octavo.transfer.evaluations import Evaluations
from octavo.transfer.greedy import anytime_area, anytime_order, cost_after, greedy_order
from octavo.transfer.portfolio import Portfolio, build_portfolio
from octavo.transfer.similarity import near_counts_more

__all__ = [
    "GreedyStrategy",
    "LeftOut",
    "RandomOrders",
    "SimilarFirst",
    "Strategy",
    "leave_one_out",
]

Floats = NDArray[np.float64]


class Strategy(Protocol):
    """What is to be judged: from what is known to what to try on a new data set."""

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> Sequence[Sequence[int]]:
        """Orders of the configurations for a data set that is not among those known.

        Parameters
        ----------
        known
            Evaluations on the other data sets.
        dataset, features
            Name and meta-features of the new one.

        Returns
        -------
        One order of columns, or several whose results are averaged.
        """
        ...


@dataclass(frozen=True)
class LeftOut:
    """How well a strategy did on data sets that were left out.

    Parameters
    ----------
    datasets
        `n` names.
    costs : shape (n, size + 1)
        Of the best of the first k configurations, on the scale of the data set: 0 for the best
        of all that is known there, 1 for the reference; the first column is of none, 1.
    areas : shape (n,)
        The expected cost at a deadline nobody knows (`anytime_area`); NaN without deadlines.
    share_passed_over : shape (n,)
        How much of the orders had to be passed over, because nobody knows its cost there.
    weights : shape (n,)
        How much each data set counts, in sum 1.
    """

    datasets: tuple[str, ...]
    costs: Floats
    areas: Floats
    share_passed_over: Floats
    weights: Floats

    @property
    def mean_costs(self) -> Floats:
        """Shape (size + 1,): the mean over data sets after the first k configurations."""
        return np.asarray(self.weights @ self.costs)

    @property
    def mean_area(self) -> float:
        """The mean over data sets of the areas."""
        return float(self.weights @ self.areas)


def leave_one_out(
    evaluations: Evaluations,
    strategy: Strategy,
    *,
    size: int,
    deadlines: tuple[float, float] | None = None,
) -> LeftOut:
    """Judge a strategy on each data set, after learning from those of other groups.

    Parameters
    ----------
    evaluations
        All that is known. On the data set that is left out, configurations of unknown cost are
        passed over: nothing can be said of them.
    strategy
        What to judge.
    size
        How many configurations are tried.
    deadlines
        Seconds between which users stop; None: areas are not computed.

    Raises
    ------
    DataError
        With a single group, which leaves nothing to learn from.
    """
    groups = np.array(evaluations.groups)
    assert evaluations.features is not None
    if len(set(groups.tolist())) < 2:
        raise DataError(
            f"all {len(evaluations)} data sets are of the group {str(groups[0])!r}, so that "
            "nothing is left to learn from when it is left out. Give data sets of at least two "
            "groups."
        )
    scale = evaluations.normalized()
    seconds = None if deadlines is None else evaluations.filled_seconds()
    costs, areas, passed = [], [], []
    for row, dataset in enumerate(evaluations.datasets):
        known = evaluations.rows(groups != groups[row])
        here = scale[row : row + 1]
        curves, under, over = [], [], []
        for order in strategy(known, dataset, evaluations.features[row]):
            usable = [int(i) for i in order if np.isfinite(here[0, i])]
            over.append(1.0 - len(usable) / max(1, len(order)))
            curve = cost_after(here, usable[:size])[0]
            curves.append(np.r_[curve, np.full(size + 1 - len(curve), curve[-1])])
            if seconds is None or deadlines is None:
                under.append(np.nan)
            else:
                taken = seconds[row : row + 1]
                area = anytime_area(here, taken, usable[:size], deadlines=deadlines)
                under.append(float(area[0]))
        costs.append(np.mean(curves, axis=0))
        areas.append(float(np.mean(under)))
        passed.append(float(np.mean(over)))
    return LeftOut(
        datasets=tuple(evaluations.datasets),
        costs=np.array(costs),
        areas=np.array(areas),
        share_passed_over=np.array(passed),
        weights=evaluations.weights,
    )


@dataclass(frozen=True)
class GreedyStrategy:
    """The portfolio for everybody: `build_portfolio`'s order.

    Parameters
    ----------
    size, deadlines
        See `build_portfolio`.
    """

    size: int
    deadlines: tuple[float, float] | None = None

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> list[list[int]]:
        """One order."""
        costs, weights = known.normalized(), known.weights
        if self.deadlines is None:
            return [greedy_order(costs, self.size, weights=weights)]
        seconds = known.filled_seconds()
        order = anytime_order(costs, seconds, self.size, deadlines=self.deadlines, weights=weights)
        return [order]


@dataclass(frozen=True)
class SimilarFirst:
    """The portfolio's members, in an order that depends on the data set's features.

    Parameters
    ----------
    size, deadlines
        Of the portfolio.
    reorder
        From a portfolio and the features of a data set to places of members: `nearest_first`,
        `near_counts_more`, or one of them with settings (`functools.partial`).
    """

    size: int
    deadlines: tuple[float, float] | None = None
    reorder: Callable[[Portfolio, Mapping[str, float]], Sequence[int]] = near_counts_more

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> list[list[int]]:
        """One order."""
        portfolio = build_portfolio(known, size=self.size, deadlines=self.deadlines)
        columns = [known.configs.index(member) for member in portfolio.members]
        return [[columns[place] for place in self.reorder(portfolio, features)]]


@dataclass(frozen=True)
class RandomOrders:
    """All configurations in random orders: what any order has to beat.

    Parameters
    ----------
    n
        How many orders, whose results are averaged.
    seed
        Draws them.
    """

    n: int = 50
    seed: int = 0

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> list[list[int]]:
        """Several orders, the same for every data set."""
        rng = np.random.default_rng(self.seed)
        return [rng.permutation(len(known.configs)).tolist() for _ in range(self.n)]
