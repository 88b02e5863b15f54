"""Tree-structured Parzen estimators: the good trials' density against the others'.

Two densities are estimated, of the configurations among the best trials and of all others;
the next configuration is the draw from the first at which their ratio is largest, which is
where the expected improvement is. Time grows linearly with the number of trials.

Bergstra et al. (2011), NeurIPS 24. Watanabe (2023), arXiv:2304.11127. Several objectives
are split by layers of domination, as in Ozaki et al. (2022), Multiobjective Tree-Structured
Parzen Estimator, JAIR 73; infeasible trials come after feasible ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.optimizers.model_based import ModelBased, Moment
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import IGNORE_BELIEFS, check_at_least
from octavo.optimizers.targets import places
from octavo.optimizers.told import Told
from octavo.optimizers.unit_cube import Cube
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.surrogates.parzen import Parzen

__all__ = ["TPE"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_GOOD = 25
_BETTER_PART = 3  # one in so many of those at a fidelity may count as good


@dataclass(frozen=True)
class TPE:
    """Tree-structured Parzen estimator, multivariate.

    Parameters
    ----------
    n_initial
        Configurations tried before the densities are used; by default a few more than there
        are hyperparameters, and at most a fifth of `max_trials`.
    good_share
        Share of trials that count as good, up to 25 of them.
    n_candidates
        Draws among which the best is proposed.
    most_trials
        Above this, the density of the others is estimated from the latest so many.
    belief_strength
        Weight of beliefs at the first model; it fades with one over the number of trials.
        By default a tenth of `max_trials`.

    Raises
    ------
    SettingError
        If a setting is out of its range.
    """

    n_initial: int | None = None
    good_share: float = 0.1
    n_candidates: int = 64
    most_trials: int = 1000
    belief_strength: float | None = None

    def __post_init__(self) -> None:
        check_at_least(self, 1, "n_initial", "n_candidates", "most_trials")
        if not 0 < self.good_share < 1:
            raise SettingError(
                f"good_share={self.good_share!r} must lie between 0 and 1: the share of trials "
                "that count as good. The default does well."
            )
        check_at_least(self, 0, "belief_strength", hint=IGNORE_BELIEFS)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return ModelBased(
            problem,
            seed,
            _Densities(problem, self),
            n_initial=self.n_initial,
            belief_strength=self.belief_strength,
        )


class _Densities:
    name = "tpe"
    intent = "density ratio"
    least_known = 2

    def __init__(self, problem: Problem, recipe: TPE) -> None:
        self._problem, self._recipe = problem, recipe
        self._cube = Cube(problem.space)

    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        told, seen, rng = moment.told, moment.seen, moment.rng
        good, others = self._split(told)
        others = others[-self._recipe.most_trials :]
        columns = told.points.columns
        values = told.points.values
        poor = values[others]
        if len(seen.pending):  # what is being tried already should not be tried again
            poor = np.concatenate([poor, seen.pending.aligned(columns).values])
        near, far = Parzen(values[good], columns), Parzen(poor, columns)
        candidates = self._candidates(near, told.points[good], rng)
        encoded = candidates.aligned(columns).values
        value = near.log_density(encoded) - far.log_density(encoded)
        value += moment.log_belief(candidates)
        return candidates[np.argsort(-value, kind="stable")], {}

    def _candidates(self, near: Parzen, good: Points, rng: np.random.Generator) -> Points:
        """Draws from the density of the good ones, as legal configurations."""
        space, n = self._problem.space, self._recipe.n_candidates
        if self._cube.is_free:
            points, _ = self._cube.legal(near.draw(n, rng), rng)
            if len(points):
                return points
        # A space whose columns grow: children and neighbours of the good ones instead.
        pairs = rng.integers(len(good), size=(2, n))
        children = space.recombine(good[pairs[0]], good[pairs[1]], rng)
        return Points.join([children, space.mutate(good[pairs[0]], rng)])

    def _split(self, told: Told) -> tuple[Ints, Ints]:
        """Rows of the good trials, and of all others, each in order of completion."""
        n_good = min(int(np.ceil(self._recipe.good_share * len(told))), _MOST_GOOD)
        n_good = max(1, min(n_good, int(told.is_known.sum())))
        rows = np.arange(len(told))
        if told.problem.fidelity is None:
            ranks = places(told, rows, enough=n_good)
            order = np.lexsort([ranks, ~told.is_known])
            return np.sort(order[:n_good]), np.sort(order[n_good:])
        # Costs at different fidelities do not compare. What ran at a high one was mostly promoted
        # there because it is good, but not all of it: the better part of each, from the top.
        found: list[Ints] = []
        for fidelity in np.unique(told.fidelity[told.is_known])[::-1]:
            at = np.flatnonzero(told.is_known & (told.fidelity == fidelity))
            ranked = at[np.argsort(places(told, at), kind="stable")]
            found.append(ranked[: -(-len(at) // _BETTER_PART)])
        good = np.concatenate(found)[:n_good] if found else rows[:0]
        return np.sort(good), np.setdiff1d(rows, good)
