"""A random forest over configurations and instances, for races that know their instances.

It learns from every run which configurations suit which instances, and predicts a configuration
by its mean over instances, so that a run on a hard instance does not make a configuration look
bad (Hutter, Hoos & Leyton-Brown 2011, SMAC, section 4). More than a few features become principal
components.

Runs that were capped are only known to take longer: they are put where the forest expects them,
given that (Schmee & Hahn 1979; Hutter, Hoos & Leyton-Brown 2011, Bayesian optimization with
censored response data, NIPS workshop).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from octavo.numerics.acquisition import log_expected_improvement
from octavo.numerics.principal_components import unit_components
from octavo.optimizers.acquisition_search import rank_candidates
from octavo.optimizers.encoded import Encoded
from octavo.optimizers.feasibility import Feasibility
from octavo.optimizers.model_based import ModelBased, Moment
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.standings import Standings
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest
from octavo.trial import Trial

__all__ = ["ForestOverRuns", "RunTable"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_MOST_COMPONENTS = 7  # as SMAC3
_MOST_INSTANCES = 20  # over which predictions are averaged, drawn anew for each proposal
_MOST_ROWS = 2000  # that a tree sees
_ROUNDS = 2  # of putting capped runs where they are expected
_MOST_INCUMBENTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class RunTable:
    """All runs of a race, as the forest learns from them.

    Parameters
    ----------
    points
        The configuration of each run.
    features : shape (n, d)
        Of the instance of each run, on [0, 1].
    costs : shape (n,)
        Finite; failures at their penalty, or the worst that was seen.
    is_capped : shape (n,)
        Whether the cost is only known to be higher.
    all_features : shape (instances, d)
        Of every instance.
    penalty
        What a failed run counts: no capped run is put above it.
    """

    points: Points
    features: Floats
    costs: Floats
    is_capped: Bools
    all_features: Floats
    penalty: float

    @staticmethod
    def of(
        problem: Problem, told: Told, trials: Sequence[Trial], standings: Standings, penalty: float
    ) -> RunTable:
        """The runs in a race's standings; `told` and `trials` by the same rows."""
        names = list(problem.instances)
        raw = np.array([problem.instance_features[name] for name in names], dtype=float)
        features = unit_components(raw, _MOST_COMPONENTS)
        place = {name: number for number, name in enumerate(names)}
        rows, instances, costs, capped = [], [], [], []
        for runs in standings.runs.values():
            for pair, cost in runs.costs.items():
                rows.append(runs.first)
                instances.append(place[str(pair[0])])
                costs.append(cost)
                capped.append(False)
            for pair, bound in runs.capped.items():
                rows.append(runs.first)
                instances.append(place[str(pair[0])])
                costs.append(bound)
                capped.append(True)
        known = np.array(costs, dtype=float)
        finite = np.isfinite(known)
        known[~finite] = known[finite].max() if finite.any() else 0.0
        return RunTable(
            points=told.points[np.array(rows, dtype=np.int64)],
            features=features[np.array(instances, dtype=np.int64)],
            costs=known,
            is_capped=np.array(capped, dtype=bool),
            all_features=features,
            penalty=penalty,
        )


@dataclass(frozen=True)
class ForestOverRuns:
    """A `RandomForestBO` whose forest sees every run, with the features of its instance.

    Parameters
    ----------
    settings
        Of the forest and of the search.
    table
        What it learns from; what it is told later only says what was tried.
    """

    settings: RandomForestBO
    table: RunTable

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer for configurations."""
        return ModelBased(
            problem,
            seed,
            _Model(problem, self.settings, self.table),
            n_initial=self.settings.n_initial,
            belief_strength=self.settings.belief_strength,
            random_share=self.settings.random_share,
        )


class _Scale:
    """The logarithm of the distance to just below the lowest cost; the same for new costs."""

    def __init__(self, costs: Floats) -> None:
        half = costs / 2  # 1e308 - (-1e308) would overflow
        self._low = float(half.min())
        unit = half - self._low
        margin = max(float(np.quantile(unit, 0.05)), 0.05 * float(np.median(unit)))
        self._margin = margin or 1e-3 * float(unit.max()) or 1.0

    def __call__(self, costs: Floats | float) -> Any:
        return np.log(np.maximum(np.asarray(costs) / 2 - self._low, 0.0) + self._margin)


class _Model:
    name = "random-forest"
    intent = "expected improvement over instances"
    least_known = 1

    def __init__(self, problem: Problem, recipe: RandomForestBO, table: RunTable) -> None:
        self._problem, self._recipe, self._table = problem, recipe, table

    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        table, rng = self._table, moment.rng
        encoded = _WithFeatures(Encoded(moment.told), table.features.shape[1])
        some = table.all_features
        if len(some) > _MOST_INSTANCES:
            some = some[np.sort(rng.choice(len(some), size=_MOST_INSTANCES, replace=False))]
        X, scale = encoded.matrix(table.points, table.features), _Scale(table.costs)
        costs = self._uncapped(encoded, X, rng)
        marginal = self._fit(encoded, X, costs, scale, rng)
        if len(moment.seen.pending):
            # Pending configurations are taken to come out as predicted ("kriging believer").
            more = encoded.matrix(*_crossed(moment.seen.pending, some))
            X, costs = np.concatenate([X, more]), np.append(costs, marginal.predict_costs(more))
            marginal = self._fit(encoded, X, costs, scale, rng)
        feasibility = Feasibility(moment.told, rng, n_trees=self._recipe.n_trees)

        def predict(points: Points) -> tuple[Floats, Floats]:
            crossed, at = _crossed(points, some)
            return marginal.predict(encoded.matrix(crossed, at), len(some))

        told = moment.told
        means, _ = predict(told.points)
        good = np.flatnonzero(told.is_feasible if told.is_feasible.any() else told.is_known)
        order = good[np.argsort(means[good], kind="stable")[:_MOST_INCUMBENTS]]
        best = float(means[order[0]])

        def acquisition(points: Points) -> Floats:
            mean, deviation = predict(points)
            value = log_expected_improvement(mean, deviation, best)
            return value + feasibility.log_probability(points) + moment.log_belief(points)

        return rank_candidates(self._problem.space, acquisition, told.points[order], rng), {}

    def _fit(
        self,
        encoded: _WithFeatures,
        X: Floats,
        costs: Floats,
        scale: _Scale,
        rng: np.random.Generator,
    ) -> _Marginal:
        settings = ForestSettings(n_trees=self._recipe.n_trees, rows_per_tree=_MOST_ROWS)
        forest = fit_forest(X, scale(costs), encoded.n_choices, rng, settings)
        return _Marginal.of(forest, X, costs, scale)

    def _uncapped(self, encoded: _WithFeatures, X: Floats, rng: np.random.Generator) -> Floats:
        """The costs, those of capped runs where they are expected."""
        table = self._table
        capped = table.is_capped
        if not capped.any():
            return table.costs
        costs = table.costs.copy()
        costs[capped] = np.minimum(2.0 * table.costs[capped], table.penalty)
        settings = ForestSettings(n_trees=self._recipe.n_trees, rows_per_tree=_MOST_ROWS)
        bound = np.log(np.maximum(table.costs[capped], 1e-6))  # a time: positive
        for _ in range(_ROUNDS):
            y = np.log(np.maximum(costs, 1e-6))
            forest = fit_forest(X, y, encoded.n_choices, rng, settings)
            mean, variance = forest.predict(X[capped])
            expected = _mean_above(mean, np.sqrt(variance), bound)
            costs[capped] = np.minimum(np.exp(expected), table.penalty)
        return costs


def _mean_above(mean: Floats, deviation: Floats, bound: Floats) -> Floats:
    """The mean of normal variables, given that they lie above a bound."""
    z = (bound - mean) / np.maximum(deviation, 1e-9)
    # The inverse Mills ratio; far above the mean it is z itself.
    ratio = np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log_ndtr(-z))
    return np.asarray(np.maximum(mean + np.maximum(deviation, 1e-9) * ratio, bound))


@dataclass(frozen=True, slots=True, eq=False)
class _Marginal:
    """A forest whose leaves know mean costs, so that costs, not logarithms, are averaged."""

    forest: Forest
    leaf_costs: Floats
    scale: _Scale

    @staticmethod
    def of(forest: Forest, X: Floats, costs: Floats, scale: _Scale) -> _Marginal:
        leaves = forest.leaves(X).ravel()
        n = len(forest.mean)
        count = np.bincount(leaves, minlength=n)
        total = np.bincount(leaves, np.tile(costs, len(forest.roots)), minlength=n)
        # Inner nodes keep a zero: no row ends there.
        return _Marginal(forest, total / np.maximum(count, 1), scale)

    def predict_costs(self, X: Floats) -> Floats:
        """Mean cost of each run."""
        return np.asarray(self.leaf_costs[self.forest.leaves(X)].mean(axis=0))

    def predict(self, X: Floats, n_instances: int) -> tuple[Floats, Floats]:
        """Mean and deviation, over trees, of the scaled mean cost of each configuration."""
        costs = self.leaf_costs[self.forest.leaves(X)]
        per_tree = costs.reshape(len(costs), -1, n_instances).mean(axis=2)
        scaled = self.scale(per_tree)
        return scaled.mean(axis=0), np.maximum(scaled.std(axis=0), 1e-3)


class _WithFeatures:
    """Encoded configurations with the features of an instance beside them."""

    def __init__(self, encoded: Encoded, n_features: int) -> None:
        self._encoded = encoded
        self.n_choices: Ints = np.concatenate(
            [encoded.n_choices, np.zeros(n_features, dtype=np.int64)]
        )

    def matrix(self, points: Points, features: Floats) -> Floats:
        """Shape (n, columns + features)."""
        return np.column_stack([self._encoded.matrix(points), features])


def _crossed(points: Points, features: Floats) -> tuple[Points, Floats]:
    """Every configuration on every instance, configurations first."""
    n, k = len(points), len(features)
    return points[np.repeat(np.arange(n), k)], np.tile(features, (n, 1))
