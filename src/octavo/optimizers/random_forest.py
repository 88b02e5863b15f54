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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.numerics.acquisition import log_expected_improvement
from octavo.numerics.cost_scale import log_scaled
from octavo.optimizers.acquisition_search import rank_candidates
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.targets import single_costs
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Column, Points
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest
from octavo.trial import Proposal, Trial

__all__ = ["RandomForestBO"]

Floats = NDArray[np.float64]

_BUDGET_WITHOUT_LIMIT = 100  # for the fading of beliefs, where no number of trials is set
_LEAST_PROBABILITY = 1e-6
_LEAST_LOG_BELIEF = -1e3
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
        if self.n_initial is not None and self.n_initial < 1:
            raise SettingError(
                f"n_initial={self.n_initial!r} must be at least 1: a model needs something to "
                "start from. Leave it out to choose it from the space and the budget."
            )
        if not 0 <= self.random_share <= 1:
            raise SettingError(
                f"random_share={self.random_share!r} must lie between 0 and 1: the share of "
                "proposals that are drawn at random."
            )
        if self.n_trees < 2:
            raise SettingError(
                f"n_trees={self.n_trees!r} must be at least 2: uncertainty is what trees "
                "disagree about. The default does well."
            )
        if self.belief_strength is not None and self.belief_strength < 0:
            raise SettingError(
                f"belief_strength={self.belief_strength!r} must be at least 0. Use 0 to ignore "
                "beliefs, or leave it out for a tenth of max_trials."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer; several objectives are scalarized, see `ParEGO`."""
        if problem.n_objectives > 1:
            from octavo.optimizers.parego import ParEGO  # which has this one as its default

            return ParEGO(inner=self).start(problem, seed)
        return _RandomForestBO(problem, seed, self)


class _RandomForestBO:
    def __init__(self, problem: Problem, seed: int, recipe: RandomForestBO) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._n_initial = recipe.n_initial or design_size(problem)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        n_known = int(told.is_known.sum())
        if n_known < 1 or (index < self._n_initial and n_known < self._n_initial):
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        elif rng.random() < self._recipe.random_share:
            point, intent = self._unseen.draw(seen, rng), "interleaved random draw"
        else:
            point, intent = self._best_candidate(index, seen, rng), "expected improvement"
            if point is None:  # of a nearly exhausted space, no candidate was new
                point, intent = self._unseen.draw(seen, rng), "uniform draw"
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(
            self._problem, self._seed, index, config, by="random-forest", intent=intent
        )

    def _best_candidate(self, index: int, seen: Seen, rng: np.random.Generator) -> Points | None:
        """The unseen candidate with the best acquisition value."""
        told, space = self._told, self._problem.space
        costs = _mean_over_repeats(told, log_scaled(single_costs(told, rng)))
        order = _best_first(told, costs)
        best = float(costs[order[0]])
        # What violates a constraint is no improvement, however low its cost: without this, a
        # tempting infeasible region outweighs even a small probability of being feasible.
        violates = told.is_known & ~told.is_feasible & told.is_feasible.any()
        costs[violates] = np.maximum(costs[violates], best)
        view = _View(told.points.columns, with_fidelity=self._problem.fidelity is not None)
        X = view.matrix(told.points, told.fidelity)
        forest = self._fit(view, X, costs, rng)
        if len(seen.pending):
            # Pending trials are taken to come out as predicted, so that they draw no
            # further proposals to themselves (the "kriging believer").
            pending = view.matrix(seen.pending)
            fantasies, _ = forest.predict(pending)
            X, costs = np.concatenate([X, pending]), np.concatenate([costs, fantasies])
            forest = self._fit(view, X, costs, rng)
        models = self._feasibility_models(view, rng)
        fading = self._belief_strength / (index + 1)

        def acquisition(points: Points) -> Floats:
            rows = view.matrix(points)
            mean, variance = forest.predict(rows)
            value = log_expected_improvement(mean, np.sqrt(variance), best)
            for model in models:
                value = value + np.log(np.clip(model.predict(rows)[0], _LEAST_PROBABILITY, 1.0))
            if fading > 0:
                # A belief may rule out values altogether; the floor keeps them reachable.
                value = value + fading * np.maximum(space.log_belief(points), _LEAST_LOG_BELIEF)
            return value

        ranked = rank_candidates(space, acquisition, told.points[order], rng)
        row = seen.first_unseen(ranked)
        return None if row is None else ranked[row : row + 1]

    @property
    def _belief_strength(self) -> float:
        if self._recipe.belief_strength is not None:
            return self._recipe.belief_strength
        return (self._problem.limits.max_trials or _BUDGET_WITHOUT_LIMIT) / 10

    def _fit(self, view: _View, X: Floats, y: Floats, rng: np.random.Generator) -> Forest:
        return fit_forest(X, y, view.n_choices, rng, ForestSettings(n_trees=self._recipe.n_trees))

    def _feasibility_models(self, view: _View, rng: np.random.Generator) -> list[Forest]:
        """One forest per constraint that predicts the probability of meeting it."""
        told = self._told
        X = view.matrix(told.points, told.fidelity)
        models = []
        for column, constraint in enumerate(self._problem.constraints):
            # A trial that failed says nothing about a quantity that was never measured.
            measured = told.is_known & ~np.isnan(told.constraints[:, column])
            if measured.any():
                values = told.constraints[measured, column]
                met = np.array([constraint.is_met(value) for value in values], dtype=float)
                models.append(self._fit(view, X[measured], met, rng))
        return models


class _View:
    """Configurations as the forest sees them: as encoded, and their fidelity.

    Parameters
    ----------
    columns
        Of the told configurations; a tree's columns that nobody has tried mean nothing yet.
    with_fidelity
        Whether fidelity is one more column.
    """

    def __init__(self, columns: tuple[Column, ...], with_fidelity: bool) -> None:
        self._columns, self._with_fidelity = columns, with_fidelity
        choices = [0 if column.is_ordered else column.n_values or 0 for column in columns]
        self.n_choices = np.array(choices + [0] * with_fidelity, dtype=np.int64)

    def matrix(self, points: Points, fidelity: Floats | None = None) -> Floats:
        """Shape (n, d); at full fidelity unless told otherwise."""
        values = points.aligned(self._columns).values
        if not self._with_fidelity:
            return values
        extra = np.ones(len(points)) if fidelity is None else fidelity
        return np.column_stack([values, extra])


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
