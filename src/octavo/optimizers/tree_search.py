"""Monte-Carlo tree search over the tree of choices, guided by what a forest has learned.

The tree's nodes are partial configurations. Below a node are the alternatives of its next
choice, those that others depend on first; a range is halved, and halved again once all
choices are made, so that numbers are refined where it pays. Each proposal walks down from
the root by PUCT (Silver et al. 2017, Mastering the game of Go without human knowledge,
Nature 550; Rosin 2011), to the child with the largest

    Q + exploration * P * sqrt(visits of the node) / (1 + visits of the child)

until it stands where hardly any trial has been; there it takes the best of many random
completions. As in AlphaZero a learned model gives the prior P and the value of what has not
been visited: a random forest of all trials, averaged over random completions of the partial
configuration. A pending trial counts as one of value 0 (the "virtual loss").

Two things differ from a game, where the mean value of a branch is what one gets there:

- Q is halfway between the mean value of the trials below the child, in which the forest's
  word counts as one, and the mean of their best quarter: a branch is as good as what can be
  found in it. The maximum alone would never recover from a single lucky trial.
- A quarter of the prior is uniform, and some proposals are uniform draws. Without them the
  search stays in a branch that is easily searched though a better one is next to it.

There is no tree in memory: which trials lie below a node follows from their configurations,
so foreign trials count like our own, and replay needs no more than their order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.optimizers.choice_tree import ChoiceTree, Interval, agree, halves, part_of
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_at_least, check_share
from octavo.optimizers.targets import single_costs
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Column, Points
from octavo.surrogates.forest import Forest, fit_forest
from octavo.trial import Proposal, Status, Trial

__all__ = ["TreeSearch"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NAME = "tree-search"
_SAMPLES_PER_CHILD = 16
_SAMPLES_AT_LEAF = 64
_VISITS_TO_EXPAND = 4
_FIRST = 20  # trials whose median cost is the bottom of the scale of values
_ZOOM = 0.05  # of that scale: below this share of it, costs differ linearly
_UNIFORM_SHARE = 0.25  # of the prior, as in AlphaZero's noise at the root
_BEST_SHARE = 0.25  # of the trials in a branch, by which it is judged
_PRIOR_TEMPERATURE = 0.1  # values lie in [0, 1]


@dataclass(frozen=True)
class TreeSearch:
    """Monte-Carlo tree search with a learned value and prior.

    Parameters
    ----------
    exploration
        Weight of the prior and of rarely visited children against the mean value, which
        lies in [0, 1].
    random_share
        Share of proposals that are drawn at random, so that no branch is given up for good.
    n_initial
        Configurations tried before the first model; by default a few more than there are
        hyperparameters, and at most a fifth of `max_trials`.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> TreeSearch().start(problem, seed=0).ask(1)[0].origin.intent
    'default configuration'
    """

    exploration: float = 3.0
    random_share: float = 0.1
    n_initial: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.exploration < math.inf:
            raise SettingError(
                f"exploration={self.exploration!r} must be at least 0: how much rarely visited "
                "branches count. Values from 1 to 10 make sense."
            )
        check_share(self, "random_share", meaning="the share of proposals drawn at random")
        check_at_least(self, 1, "n_initial")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _TreeSearch(problem, seed, self)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A partial configuration.

    Parameters
    ----------
    made
        By choice, the part of [0, 1] that it is confined to, in the order of choosing.
    rows
        Which trials agree with it.
    samples
        Random configurations that agree with it; at least one.
    """

    made: Mapping[str, Interval]
    rows: Ints
    samples: Points


@dataclass(frozen=True, slots=True, eq=False)
class _Knowledge:
    """What one walk down the tree goes by.

    Parameters
    ----------
    points
        The configurations of completed trials, then of pending ones.
    values : shape (n,)
        Of these, in [0, 1], 1 the best.
    forest
        Predicts values.
    columns
        As the forest was fitted to.
    """

    points: Points
    values: Floats
    forest: Forest
    columns: tuple[Column, ...]

    def predict(self, points: Points) -> Floats:
        """Shape (n,): the expected value of configurations."""
        return self.forest.predict(points.aligned(self.columns).values)[0]


class _TreeSearch:
    def __init__(self, problem: Problem, seed: int, recipe: TreeSearch) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._was_run: Bools = np.empty(0, dtype=bool)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._n_initial = recipe.n_initial or design_size(problem)
        self._tree = ChoiceTree(problem.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        added = self._told.extend(trials)
        # What was cancelled says nothing about its branch; it only is not asked again.
        ran = np.array([trial.status is not Status.CANCELLED for trial in added], dtype=bool)
        self._was_run = np.concatenate([self._was_run, ran])

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
            point, intent = None, "interleaved random draw"
            if rng.random() >= self._recipe.random_share:
                point, intent = self._search(seen, rng), "tree search"
            if point is None:
                point = self._unseen.draw(seen, rng)
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(self._problem, self._seed, index, config, by=_NAME, intent=intent)

    # One walk down the tree -------------------------------------------------------------

    def _search(self, seen: Seen, rng: np.random.Generator) -> Points | None:
        """A new configuration; None if none was found."""
        samples = self._tree.complete({}, _SAMPLES_AT_LEAF, rng)
        if not len(samples):
            return None
        known = self._learn(seen.pending, rng)
        path = [_Node({}, np.arange(len(known.points)), samples)]
        while len(path[-1].rows) >= _VISITS_TO_EXPAND:
            child = self._best_child(path[-1], known, rng)
            if child is None:
                break
            path.append(child)
        # Where everything below has been tried, a step back up widens the choice.
        for node in reversed(path):
            samples = self._samples(node.made, {}, _SAMPLES_AT_LEAF, rng)
            if len(samples):
                ranked = samples[np.argsort(-known.predict(samples), kind="stable")]
                row = seen.first_unseen(ranked)
                if row is not None:
                    return ranked[row : row + 1]
        return None

    def _learn(self, pending: Points, rng: np.random.Generator) -> _Knowledge:
        told, ran = self._told, self._was_run
        points, values = told.points[ran], _values(told, rng)[ran]
        columns = points.columns
        n_choices = np.array([0 if c.is_ordered else c.n_values or 0 for c in columns], dtype=int)
        forest = fit_forest(points.values, values, n_choices, rng)
        if len(pending):
            points = Points.join([points, pending])
            values = np.concatenate([values, np.zeros(len(pending))])  # virtual loss
        return _Knowledge(points, values, forest, columns)

    def _samples(
        self, made: Mapping[str, Interval], fixed: Mapping[str, Floats], n: int,
        rng: np.random.Generator,
    ) -> Points:  # fmt: skip
        """Random configurations that agree with a node, and with places of further choices."""
        places = {name: low + (high - low) * rng.random(n) for name, (low, high) in made.items()}
        points = self._tree.complete({**places, **fixed}, n, rng)
        # A value's own place may lie outside of a part of the range that leads to it.
        return points[agree(points, made)]

    def _best_child(self, node: _Node, known: _Knowledge, rng: np.random.Generator) -> _Node | None:
        """The child that PUCT selects; None if there is nothing left to choose."""
        found = self._next_choice(node)
        if found is None:
            return None
        name, parts = found
        lows, highs = np.array(parts).T
        k = len(parts)
        aim = np.repeat(np.arange(k), _SAMPLES_PER_CHILD)
        places = lows[aim] + (highs - lows)[aim] * rng.random(len(aim))
        within = {**node.made, name: (parts[0][0], parts[-1][1])}
        samples = self._samples(within, {name: places}, len(aim), rng)
        child_of_sample = part_of(samples, name, highs)
        counts = np.bincount(child_of_sample, minlength=k)
        if not counts.any():
            return None
        sums = np.bincount(child_of_sample, known.predict(samples), minlength=k)
        possible = counts > 0  # nothing legal, or no value at all, may lie below a child
        expected = sums / np.maximum(counts, 1)
        prior = np.exp((expected - expected[possible].max()) / _PRIOR_TEMPERATURE) * possible
        prior *= (1 - _UNIFORM_SHARE) / prior.sum()
        prior += _UNIFORM_SHARE * possible / possible.sum()
        rows = node.rows
        child_of_row = part_of(known.points[rows], name, highs)
        rows, child_of_row = rows[child_of_row >= 0], child_of_row[child_of_row >= 0]
        visits = np.bincount(child_of_row, minlength=k)
        total = np.bincount(child_of_row, known.values[rows], minlength=k)
        ordered = [np.sort(known.values[rows[child_of_row == child]])[::-1] for child in range(k)]
        top = np.array([_mean_of_best(values) for values in ordered])
        q = (total + expected) / (visits + 1)
        q = np.where(visits > 0, (q + top) / 2, q)
        score = q + self._recipe.exploration * prior * math.sqrt(len(rows)) / (1 + visits)
        score[~possible] = -np.inf
        tied = np.flatnonzero(score == score.max())
        best = int(tied[rng.integers(len(tied))])
        return _Node(
            {**node.made, name: parts[best]},
            rows[child_of_row == best],
            samples[child_of_sample == best],
        )

    def _next_choice(self, node: _Node) -> tuple[str, list[Interval]] | None:
        """The next choice and its alternatives, or the halves of the widest range."""
        columns = {column.name: column for column in node.samples.columns}
        ready = self._tree.ready(node.samples, node.made)
        if ready:
            column = columns[ready[0]]
            n = column.n_values or 1
            if column.is_ordered:
                return column.name, halves(column, (0.0, 1.0))
            return column.name, [(k / n, (k + 1) / n) for k in range(n)]
        ranges = {
            name: parts
            for name, interval in node.made.items()
            if columns[name].is_ordered and (parts := halves(columns[name], interval))
        }
        if not ranges:
            return None
        # The first of the widest: after a rounding, halves of equal width are equally wide.
        widest = max(ranges, key=lambda name: round(ranges[name][-1][1] - ranges[name][0][0], 9))
        return widest, ranges[widest]


def _mean_of_best(values: Floats) -> float:
    """The mean of the first quarter of sorted values, one at least; 0 if there are none."""
    return float(values[: math.ceil(_BEST_SHARE * len(values))].mean()) if len(values) else 0.0


def _values(told: Told, rng: np.random.Generator) -> Floats:
    """Shape (n,): the costs of all trials on [0, 1], 1 the best.

    What violates constraints counts like the worst of what does not. Costs at different
    fidelities do not compare, so each level has its own scale.
    """
    costs = single_costs(told, rng)
    if told.is_feasible.any():
        costs[told.is_success & ~told.is_feasible] = costs[told.is_known].max()
    values = np.empty(len(costs))
    for level in np.unique(told.fidelity):
        rows = told.fidelity == level
        values[rows] = _scaled(costs[rows])
    return values


def _scaled(costs: Floats) -> Floats:
    """On [0, 1], on a logarithmic scale from the best to the median of the first costs.

    The first ones, since a search that stays in a local optimum fills its history with it: on
    a scale from all costs, whatever lies outside would look ever worse.
    """
    half = costs / 2  # 1e308 - (-1e308) would overflow
    reach = float(np.median(half[:_FIRST]) - half.min())
    if not reach > 0:
        return (
            np.where(half > half.min(), 0.0, 1.0) if np.ptp(half) > 0 else np.full(len(half), 0.5)
        )
    gap = np.minimum((half - half.min()) / reach, 1.0)
    return np.asarray(1.0 - np.log1p(gap / _ZOOM) / np.log1p(1.0 / _ZOOM))
