"""Monte-Carlo tree search over the tree of choices, guided by a learned value (AlphaZero).

placeholder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.numerics.cost_scale import log_scaled
from octavo.optimizers.choice_tree import ChoiceTree
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

__all__ = ["TreeSearch"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float]

_NAME = "tree-search"
_PER_CHILD = 16
_AT_LEAF = 64
_SMALLEST = 2.0**-10
SCALE = "log"
TOP = 1.0
TAU = 0.1
EXPAND = 2
LOCAL = 0
UCB = 0.0
N0 = 1.0


@dataclass(frozen=True)
class TreeSearch:
    exploration: float = 0.5
    n_initial: int | None = None

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _TreeSearch(problem, seed, self)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A partial configuration.

    Parameters
    ----------
    made
        For each choice that is made, the part of [0, 1] that it is confined to.
    rows
        Trials that agree with it.
    samples
        Random configurations that agree with it.
    """

    made: dict[str, Interval]
    rows: Ints
    samples: Points


class _TreeSearch:
    def __init__(self, problem: Problem, seed: int, recipe: TreeSearch) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._n_initial = recipe.n_initial or design_size(problem)
        self._tree = ChoiceTree(problem.space)

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
        else:
            point, intent = self._search(seen, rng), "tree search"
            if point is None:
                point, intent = self._unseen.draw(seen, rng), "uniform draw"
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(self._problem, self._seed, index, config, by=_NAME, intent=intent)

    def _search(self, seen: Seen, rng: np.random.Generator) -> Points | None:
        told = self._told
        values = _values(told, rng)
        points = Points.join([told.points, seen.pending]) if len(seen.pending) else told.points
        columns = told.points.columns
        n_choices = np.array([0 if c.is_ordered else c.n_values or 0 for c in columns], dtype=int)
        forest = fit_forest(told.points.values, values, n_choices, rng, ForestSettings())
        model = _Model(forest, columns)
        outcomes = np.concatenate([values, np.zeros(len(seen.pending))])
        samples = self._tree.complete({}, _AT_LEAF, rng)
        if not len(samples):
            return None
        path = [_Node({}, np.arange(len(points)), samples)]
        while len(path[-1].rows) >= EXPAND:
            child = self._best_child(path[-1], points, outcomes, model, rng)
            if child is None:
                break
            path.append(child)
        self.last_depth = len(path)
        for node in reversed(path):
            samples = self._samples(node, _AT_LEAF, rng)
            if LOCAL and len(node.rows):
                best = node.rows[node.rows < len(told)]
                best = best[np.argsort(-outcomes[best], kind="stable")[:4]]
                if len(best):
                    near = self._problem.space.mutate(points[np.repeat(best, LOCAL)], rng)
                    near = near[_agree(near, node.made)]
                    samples = Points.join([samples, near])
            if len(samples):
                mean, var = model.predict(samples)
                ranked = samples[np.argsort(-(mean + UCB * np.sqrt(var)), kind="stable")]
                row = seen.first_unseen(ranked)
                if row is not None:
                    return ranked[row : row + 1]
        return None

    def _samples(self, node: _Node, n: int, rng: np.random.Generator) -> Points:
        made = {name: low + (high - low) * rng.random(n) for name, (low, high) in node.made.items()}
        points = self._tree.complete(made, n, rng)
        return points[_agree(points, node.made)]

    def _best_child(self, node, points, outcomes, model, rng):
        parts = self._parts(node)
        if parts is None:
            return None
        name, intervals = parts
        k = len(intervals)
        at = np.repeat(np.arange(k), _PER_CHILD)
        n = len(at)
        lows, highs = np.array(intervals).T
        made = {other: low + (high - low) * rng.random(n) for other, (low, high) in node.made.items()}
        made[name] = lows[at] + (highs - lows)[at] * rng.random(n)
        samples = self._tree.complete(made, n, rng)
        samples = samples[_agree(samples, {**node.made, name: (lows[0], highs[-1])})]
        place = next((j for j, c in enumerate(samples.columns) if c.name == name), None)
        if place is None or not len(samples):
            return None
        child_of = np.searchsorted(highs[:-1], samples.values[:, place], side="right")
        mean, _ = model.predict(samples)
        expected = np.full(k, -np.inf)
        for child in range(k):
            own = mean[child_of == child]
            if len(own):
                own = np.sort(own)[::-1]
                expected[child] = own[: max(1, int(np.ceil(TOP * len(own))))].mean()
        if not np.isfinite(expected).any():
            return None
        prior = np.exp((expected - expected.max()) / TAU)
        prior /= prior.sum()
        own_column = next((j for j, c in enumerate(points.columns) if c.name == name), None)
        rows = node.rows
        if own_column is None:
            rows = rows[:0]
            child_of_row = np.empty(0, int)
        else:
            x = points.values[rows, own_column]
            rows = rows[~np.isnan(x)]
            child_of_row = np.searchsorted(highs[:-1], x[~np.isnan(x)], side="right")
        visits = np.bincount(child_of_row, minlength=k)
        total = np.bincount(child_of_row, outcomes[rows], minlength=k)
        with np.errstate(invalid="ignore"):
            q = (total + N0 * np.where(np.isfinite(expected), expected, 0)) / (visits + N0)
            score = q + self._recipe.exploration * prior * np.sqrt(visits.sum()) / (1 + visits)
        score[~np.isfinite(expected)] = -np.inf
        score = score + 1e-9 * rng.random(k)
        best = int(np.argmax(score))
        return _Node({**node.made, name: intervals[best]}, rows[child_of_row == best], samples[child_of == best])

    def _parts(self, node: _Node) -> tuple[str, list[Interval]] | None:
        """The next choice and its alternatives, or the two halves of a range."""
        columns = {c.name: c for c in node.samples.columns}
        ready = self._tree.ready(node.samples, node.made)
        if ready:
            column = columns[ready[0]]
            if not column.is_ordered:
                n = column.n_values or 1
                return column.name, [(k / n, (k + 1) / n) for k in range(n)]
            return column.name, _halves(column, (0.0, 1.0))
        widest = 0.0
        for name, interval in node.made.items():
            width = interval[1] - interval[0]
            if columns[name].is_ordered and width > widest + 1e-12 and _halves(columns[name], interval):
                widest, found = width, name
        if not widest:
            return None
        return found, _halves(columns[found], node.made[found])


def _halves(column: Column, interval: Interval) -> list[Interval]:
    low, high = interval
    n = column.n_values
    if n is not None and n <= 32:
        a, b = round(low * n), round(high * n)
        if b - a < 2:
            return []
        m = (a + b) // 2 / n
    else:
        if high - low < _SMALLEST:
            return []
        m = (low + high) / 2
    return [(low, m), (m, high)]


def _agree(points: Points, made):
    ok = np.ones(len(points), bool)
    place = {c.name: j for j, c in enumerate(points.columns)}
    for name, (low, high) in made.items():
        if name not in place:
            return np.zeros(len(points), bool)
        x = points.values[:, place[name]]
        ok &= (x >= low) & ((x < high) | (high == 1.0))
    return ok


class _Model:
    def __init__(self, forest: Forest, columns) -> None:
        self.forest, self.columns = forest, columns

    def predict(self, points: Points):
        return self.forest.predict(points.aligned(self.columns).values)


def _values(told: Told, rng) -> Floats:
    """[0, 1], 1 the best."""
    costs = single_costs(told, rng)
    if SCALE == "log":
        z = log_scaled(costs)
        w = z.max() - z.min()
        return (z.max() - z) / w if w > 0 else np.full(len(z), 0.5)
    n = len(costs)
    order = np.searchsorted(np.sort(costs), costs, side="left")
    if SCALE == "rank":
        return 1 - order / n
    return 1 - np.log1p(order) / np.log1p(n)  # logrank
