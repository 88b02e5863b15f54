"""One race: all are run on one instance after the other, and a test drops the worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.paired_tests import ranks, worse_by_means, worse_by_ranks
from octavo.standings import Pair, Runs

__all__ = ["Elimination", "Race", "is_done"]

Floats = NDArray[np.float64]
AllRuns = Mapping[bytes, Runs]


@dataclass(frozen=True, slots=True)
class Elimination:
    """By what rule configurations are dropped, and when a race is over.

    Parameters
    ----------
    by_ranks
        Whether ranks are compared, else means.
    confidence, first_test, each_test, n_new, patience
        As in `IteratedRacing`.
    n_survivors
        A race is over when no more are left.
    """

    by_ranks: bool
    confidence: float
    first_test: int
    each_test: int
    n_new: int
    patience: int
    n_survivors: int


@dataclass(slots=True)
class Race:
    """One race.

    Parameters
    ----------
    number
        From 1.
    configs
        Who takes part, by key, elites first.
    parents
        Key of the elite around which a configuration was drawn.
    pairs
        In the order in which they are run on.
    guarded
        By elite: after so many pairs it may be dropped, when the others have caught up.
    rule
        Who is dropped.
    budget
        What the race may spend, in the unit of the meter.
    began
        What had been spent before.
    alive
        Keys of those not dropped yet.
    step
        So many pairs have been run on by all that are alive.
    idle
        Tests in a row that dropped nobody, counted once the elites' pairs are behind.
    """

    number: int
    configs: dict[bytes, dict[str, Any]]
    parents: dict[bytes, bytes]
    pairs: list[Pair]
    guarded: dict[bytes, int]
    rule: Elimination
    budget: float
    began: float
    alive: list[bytes]
    step: int = 0
    idle: int = 0

    def is_complete(self, runs: AllRuns) -> bool:
        """Whether all that are alive were run on the next pair."""
        pair = self.pairs[self.step]
        return all(is_done(key, pair, runs) for key in self.alive)

    def advance(self, runs: AllRuns) -> None:
        """Drop those that lost, after all were run on one more pair."""
        self.step += 1
        # Who was capped has lost. All of them at once it cannot be: elites are not capped.
        self.alive = [key for key in self.alive if not runs[key].capped] or self.alive[:1]
        since = self.step - self.rule.first_test
        if since < 0 or since % self.rule.each_test or len(self.alive) < 2:
            return
        test = worse_by_ranks if self.rule.by_ranks else worse_by_means
        guarded = np.array([self.guarded.get(key, 0) > self.step for key in self.alive])
        lost = test(self._costs(runs), self.rule.confidence) & ~guarded
        if self.step >= self._caught_up + self.rule.n_new:
            self.idle = 0 if lost.any() else self.idle + 1
        self.alive = [key for key, out in zip(self.alive, lost, strict=True) if not out]

    @property
    def _caught_up(self) -> int:
        """After so many pairs all were run on what the elites were run on before."""
        return max(self.guarded.values(), default=0)

    def is_over(self, spent: float, per_run: float) -> bool:
        """Whether the race ends here.

        Parameters
        ----------
        spent
            By this race, in the unit of the budget.
        per_run
            What a run costs on average.
        """
        if self.step >= len(self.pairs):
            return True
        if self.configs.keys() == self.guarded.keys():
            return False  # the elites alone: what is left of the budget makes them surer
        if self.step < max(self.rule.first_test, self._caught_up):
            return False
        is_spent = spent + len(self.alive) * per_run > self.budget
        is_idle = self.idle >= self.rule.patience and self.number > 1
        return is_spent or is_idle or len(self.alive) <= self.rule.n_survivors

    def best(self, runs: AllRuns) -> list[bytes]:
        """The survivors that become elites, best first."""
        costs = self._costs(runs)
        failed = ~np.isfinite(costs)
        # Means of what is finite, after how much is not.
        places = ranks(costs) if self.rule.by_ranks else np.where(failed, 0.0, costs)
        totals = (places / max(len(places), 1)).sum(axis=0)
        order = np.lexsort([np.arange(len(self.alive)), totals, failed.sum(axis=0)])
        return [self.alive[place] for place in order[: self.rule.n_survivors]]

    def _costs(self, runs: AllRuns) -> Floats:
        """Shape (steps done, alive)."""
        done = self.pairs[: self.step]
        rows = [[runs[key].costs.get(pair, math.inf) for key in self.alive] for pair in done]
        return np.array(rows, dtype=float).reshape(self.step, len(self.alive))


def is_done(key: bytes, pair: Pair, runs: AllRuns) -> bool:
    """Whether a configuration needs no run on a pair: it had one, or it has lost."""
    its = runs.get(key)
    return its is not None and (pair in its.costs or bool(its.capped))
