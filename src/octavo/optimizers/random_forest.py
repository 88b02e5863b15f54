"""Bayesian optimization with a random forest: SMAC's idea for mixed, conditional spaces.

A forest predicts cost and its own uncertainty; the next configuration maximizes the
logarithm of the expected improvement, found by local search. Forests take categories and
inactive hyperparameters as they are, and learn in milliseconds.

Hutter, Hoos & Leyton-Brown (2011), Sequential model-based optimization for general
algorithm configuration, LION 5. Lindauer et al. (2022), SMAC3, JMLR 23. Beliefs as in
Hvarfner et al. (2022), piBO, ICLR; constraints as in Gardner et al. (2014), ICML; several
objectives as in Knowles (2006), ParEGO; pending trials as in Ginsbourger et al. (2010).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.acquisition import log_expected_improvement
from octavo.numerics.cost_scale import log_scaled
from octavo.optimizers.acquisition_search import rank_candidates
from octavo.optimizers.aligned import aligned
from octavo.optimizers.encoded import Encoded
from octavo.optimizers.feasibility import Feasibility
from octavo.optimizers.model_based import ModelBased, Moment
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.scalarized import Scalarized
from octavo.optimizers.settings import IGNORE_BELIEFS, check_at_least, check_share
from octavo.optimizers.targets import worst_where_failed
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest

__all__ = ["RandomForestBO"]

Floats = NDArray[np.float64]

_MOST_INCUMBENTS = 10


@dataclass(frozen=True)
class RandomForestBO:
    """Bayesian optimization with a random forest.

    Parameters
    ----------
    n_initial
        Configurations tried before the first model; by default a few more than there are
        hyperparameters, and at most a fifth of `max_trials`.
    random_share
        Share of proposals that are drawn at random after that, so that no region is
        given up for good.
    n_trees
        Trees in the forest.
    belief_strength
        Weight of beliefs at the first model; it fades with one over the number of trials.
        By default a tenth of `max_trials` (Hvarfner 2022).

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [proposal.origin.intent for proposal in RandomForestBO().start(problem, seed=0).ask(2)]
    ['default configuration', 'initial design']
    """

    n_initial: int | None = None
    random_share: float = 0.1
    n_trees: int = 16
    belief_strength: float | None = None

    def __post_init__(self) -> None:
        check_at_least(
            self, 1, "n_initial",
            hint="A model needs something to start from. Leave it out to choose it from the "
            "space and the budget.",
        )  # fmt: skip
        check_share(self, "random_share", meaning="the share of proposals drawn at random")
        check_at_least(
            self, 2, "n_trees",
            hint="Uncertainty is what trees disagree about. The default does well.",
        )  # fmt: skip
        check_at_least(self, 0, "belief_strength", hint=IGNORE_BELIEFS)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer; several objectives are scalarized, see `ParEGO`."""
        if problem.n_objectives > 1:
            return Scalarized(problem, seed, self)
        return ModelBased(
            problem,
            seed,
            _ForestModel(problem, self),
            n_initial=self.n_initial,
            belief_strength=self.belief_strength,
            random_share=self.random_share,
        )


class _ForestModel:
    name = "random-forest"
    intent = "expected improvement"
    least_known = 1

    def __init__(self, problem: Problem, recipe: RandomForestBO) -> None:
        self._problem, self._recipe = problem, recipe

    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        told, seen, rng = aligned(moment.told), moment.seen, moment.rng
        costs = _mean_over_repeats(told, log_scaled(worst_where_failed(told)[:, 0]))
        order = _best_first(told, costs)
        best = float(costs[order[0]])
        # What violates a constraint is no improvement, however low its cost: without this, a
        # tempting infeasible region outweighs even a small probability of being feasible.
        violates = told.is_known & ~told.is_feasible & told.is_feasible.any()
        costs[violates] = np.maximum(costs[violates], best)
        encoded = Encoded(told)
        X = encoded.matrix(told.points, told.fidelity)
        forest = self._fit(encoded, X, costs, rng)
        if len(seen.pending):
            # Pending trials are taken to come out as predicted, so that they draw no
            # further proposals to themselves (the "kriging believer").
            pending = encoded.matrix(seen.pending)
            fantasies, _ = forest.predict(pending)
            X, costs = np.concatenate([X, pending]), np.concatenate([costs, fantasies])
            forest = self._fit(encoded, X, costs, rng)
        feasibility = Feasibility(told, rng, n_trees=self._recipe.n_trees)

        def acquisition(points: Points) -> Floats:
            mean, variance = forest.predict(encoded.matrix(points))
            value = log_expected_improvement(mean, np.sqrt(variance), best)
            value = value + feasibility.log_probability(points)
            return value + moment.log_belief(points)

        return rank_candidates(self._problem.space, acquisition, told.points[order], rng), {}

    def _fit(self, encoded: Encoded, X: Floats, y: Floats, rng: np.random.Generator) -> Forest:
        settings = ForestSettings(n_trees=self._recipe.n_trees)
        return fit_forest(X, y, encoded.n_choices, rng, settings)


def _mean_over_repeats(told: Told, costs: Floats) -> Floats:
    """Costs averaged over trials of the same configuration at the same fidelity."""
    if len(set(told.keys)) == len(told):
        return costs
    places: dict[tuple[bytes, float], int] = {}
    keys = zip(told.keys, told.fidelity.tolist(), strict=True)
    group = np.array([places.setdefault(key, len(places)) for key in keys])
    return np.asarray((np.bincount(group, costs) / np.bincount(group))[group])


def _best_first(told: Told, costs: Floats) -> NDArray[np.int64]:
    """Rows of the best trials: feasible ones at the highest fidelity reached first."""
    at_top = told.is_known & (told.fidelity >= told.fidelity[told.is_known].max())
    feasible = told.is_feasible & at_top
    among = next(rows for rows in (feasible, at_top) if rows.any())
    rows = np.flatnonzero(among)
    return rows[np.argsort(costs[rows], kind="stable")[:_MOST_INCUMBENTS]]
