"""A distribution over the configurations of a space, one choice after the other: `ChoicePolicy`.

Each choice has a softmax over its alternatives, one for each combination of the choices that
it depends on. An ordered hyperparameter is a chain of choices, too: which half of its range,
which half of that, and so on, down to one of 32 cells in which the value is uniform. So every
distribution on numbers can be learned, with several peaks too; coarse halves are learned from
all trials, fine ones from those near by; and densities and gradients are exact, with no need
to cut a bell curve at the bounds.

Densities are relative to uniform draws of each choice, so that they compare between
configurations with different active hyperparameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.choice_tree import ChoiceTree
from octavo.spaces.protocol import Column, Points, Space

__all__ = ["ChoicePolicy", "Decisions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELLS = 32
_MOST_CONTEXTS = 16  # alternatives of a choice by which those below it are told apart
_DRAWS = 8
_LARGEST_LOGIT = 2.5  # of two alternatives, each keeps a chance of 0.7 %


@dataclass(frozen=True, slots=True)
class Decisions:
    """All softmax choices that lead to one configuration.

    Parameters
    ----------
    cells : shape (alternatives of all choices)
        Where their logits are stored, one choice after the other.
    starts, counts : shape (choices,)
        Where each choice begins in `cells`, and how many alternatives it has.
    chosen : shape (choices,)
        Which places of `cells` were chosen.
    log_uniform
        The log-probability of the configuration under uniform draws.
    """

    cells: Ints
    starts: Ints
    counts: Ints
    chosen: Ints
    log_uniform: float


@dataclass(frozen=True, slots=True)
class _Splits:
    """How one of `n` cells is found by halving: nodes of a binary tree over them.

    Parameters
    ----------
    first : shape (n, depth)
        For each cell and level, where the logits of the node's alternatives begin.
    side : shape (n, depth)
        Which alternative leads to the cell.
    depth : shape (n,)
        Number of levels.
    logits : shape (2 * (n - 1),)
        Under which all cells are equally likely.
    """

    first: Ints
    side: Ints
    depth: Ints
    logits: Floats


class ChoicePolicy:
    """Logits of all choices that have been met, and what follows from them.

    Parameters
    ----------
    space
        Where the choices are.
    """

    def __init__(self, space: Space) -> None:
        self._tree = ChoiceTree(space)
        self.logits = np.zeros(256)
        self._n_used = 0
        self._places: dict[tuple[str, int], int] = {}

    # Configurations as decisions --------------------------------------------------------

    def decisions(self, points: Points) -> Iterator[Decisions]:
        """What was decided in each row."""
        rows, first, count, pick, uniform = [], [], [], [], np.zeros(len(points))
        place = {column.name: j for j, column in enumerate(points.columns)}
        # Sorted by name: columns come in another order when many trees are told at once, and
        # sums must not differ by a rounding error.
        for name in sorted(place):
            column, values = points.columns[place[name]], points.values[:, place[name]]
            active = np.flatnonzero(~np.isnan(values))
            if not len(active):
                continue
            n = _n_cells(column)
            cell = _cell(values[active], n)
            uniform[active] -= np.log(n)
            base = self._bases(column, self._contexts(column, points, place)[active])
            if not column.is_ordered:
                rows.append(active)
                first.append(base)
                count.append(np.full(len(active), n))
                pick.append(cell)
                continue
            splits = _splits(n)
            level = np.arange(splits.first.shape[1])
            real = level < splits.depth[cell][:, None]
            rows.append(np.broadcast_to(active[:, None], real.shape)[real])
            first.append((base[:, None] + splits.first[cell])[real])
            count.append(np.full(int(real.sum()), 2))
            pick.append(splits.side[cell][real])
        if not rows:
            nothing = np.empty(0, dtype=np.int64)
            yield from [Decisions(nothing, nothing, nothing, nothing, 0.0)] * len(points)
            return
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        begin, counts, picks = (np.concatenate(p)[order] for p in (first, count, pick))
        per_row = np.bincount(row, minlength=len(points))
        # Where each row's choices and their alternatives end in the long arrays.
        choice_end = np.cumsum(per_row)
        starts = np.cumsum(counts) - counts
        cells = np.repeat(begin - starts, counts) + np.arange(int(counts.sum()))
        for i, (end, k) in enumerate(zip(choice_end.tolist(), per_row.tolist(), strict=True)):
            if not k:
                nothing = np.empty(0, dtype=np.int64)
                yield Decisions(nothing, nothing, nothing, nothing, 0.0)
                continue
            here = slice(end - k, end)
            low, high = int(starts[end - k]), int(starts[end - 1] + counts[end - 1])
            own = starts[here] - low
            yield Decisions(
                cells[low:high], own, counts[here], own + picks[here], float(uniform[i])
            )

    def _contexts(self, column: Column, points: Points, place: Mapping[str, int]) -> Ints:
        """Shape (n,): a number for the choices that a column depends on, in each row."""
        code = np.zeros(len(points), dtype=np.int64)
        for parent in self._tree.parents(column.name, place):
            above = points.columns[place[parent]]
            n = above.n_values
            if n is not None and n <= _MOST_CONTEXTS:
                values = points.values[:, place[parent]]
                there = ~np.isnan(values)
                code = code * (n + 1)
                code[there] += 1 + _cell(values[there], n)
        return code

    def _bases(self, column: Column, contexts: Ints) -> Ints:
        """Where the logits of a column begin, for each context; new ones get a place."""
        codes, where = np.unique(contexts, return_inverse=True)
        return np.array([self._base(column, code) for code in codes.tolist()])[where]

    def _base(self, column: Column, context: int) -> int:
        key = (column.name, context)
        if key not in self._places:
            n = _n_cells(column)
            fresh = _splits(n).logits if column.is_ordered else np.zeros(n)
            if self._n_used + len(fresh) > len(self.logits):
                grown = np.zeros(2 * (self._n_used + len(fresh)))
                grown[: self._n_used] = self.logits[: self._n_used]
                self.logits = grown
            self.logits[self._n_used : self._n_used + len(fresh)] = fresh
            self._places[key] = self._n_used
            self._n_used += len(fresh)
        return self._places[key]

    # Probabilities ------------------------------------------------------------------------

    def log_density(self, points: Points) -> Floats:
        """Shape (n,): log-probability relative to uniform draws; 0 before anything is learned."""
        return np.array([self.look(found)[0] for found in self.decisions(points)])

    def look(self, decisions: Decisions) -> tuple[float, Floats]:
        """The log-density of a configuration, and the probabilities of all alternatives."""
        if not len(decisions.cells):
            return 0.0, np.empty(0)
        weights = np.exp(self.logits[decisions.cells])
        totals = np.add.reduceat(weights, decisions.starts)
        p = weights / np.repeat(totals, decisions.counts)
        return float(np.log(p[decisions.chosen]).sum()) - decisions.log_uniform, p

    def ascend(self, decisions: Decisions, p: Floats, step: float, entropy_step: float) -> None:
        """One step up the gradient of log-probability, and up that of entropy.

        Parameters
        ----------
        decisions, p
            A configuration, and what `look` said about it.
        step
            How far towards the configuration; negative: away from it.
        entropy_step
            How far towards uniform probabilities.
        """
        if not len(decisions.cells):
            return
        gradient = -step * p
        gradient[decisions.chosen] += step
        # d entropy / d logit_k = -p_k (log p_k + entropy)
        surprise = p * np.log(p)
        entropy = -np.add.reduceat(surprise, decisions.starts)
        gradient -= entropy_step * (surprise + p * np.repeat(entropy, decisions.counts))
        moved = self.logits[decisions.cells] + gradient
        self.logits[decisions.cells] = np.clip(moved, -_LARGEST_LOGIT, _LARGEST_LOGIT)

    # Drawing -------------------------------------------------------------------------------

    def draw(self, rng: np.random.Generator, heat: float = 1.0) -> Points | None:
        """One configuration (a single row); None if all of several draws were illegal.

        Parameters
        ----------
        rng
            Draws the choices.
        heat
            Divides the logits: above 1, draws are more even than the policy.
        """
        made: dict[str, Floats] = {}
        points: Points | None = None
        while True:
            points = self._completed(made, rng)
            if points is None:
                return None
            ready = self._tree.ready(points, made)
            if not ready:
                return points
            place = {column.name: j for j, column in enumerate(points.columns)}
            for name in ready:
                column = points.columns[place[name]]
                context = int(self._contexts(column, points, place)[0])
                made[name] = np.array([self._place(column, context, rng, heat)])

    def _completed(self, made: Mapping[str, Floats], rng: np.random.Generator) -> Points | None:
        for _ in range(_DRAWS):
            points = self._tree.complete(made, 1, rng)
            if len(points):
                return points
        return None

    def _place(self, column: Column, context: int, rng: np.random.Generator, heat: float) -> float:
        """A place in [0, 1] for one choice."""
        n = _n_cells(column)
        p = np.exp(self._log_cells(column, context) / heat)
        cell = min(int(np.searchsorted(np.cumsum(p), rng.random() * p.sum())), n - 1)
        return float((cell + rng.random()) / n)

    def _log_cells(self, column: Column, context: int) -> Floats:
        """Shape (cells,): log-probabilities of a choice's alternatives, or of a range's cells."""
        n = _n_cells(column)
        if (column.name, context) not in self._places:
            return np.full(n, -np.log(n))
        base = self._places[column.name, context]
        if not column.is_ordered:
            z = self.logits[base : base + n]
            return np.asarray(z - np.log(np.exp(z).sum()))
        splits = _splits(n)
        z = self.logits[base : base + len(splits.logits)].reshape(-1, 2)
        log_p = (z - np.log(np.exp(z).sum(axis=1, keepdims=True))).ravel()
        level = np.arange(splits.first.shape[1])
        picked = log_p[splits.first + splits.side]
        return np.asarray(np.where(level < splits.depth[:, None], picked, 0.0).sum(axis=1))

    def probabilities(self, points: Points, name: str) -> Floats:
        """Probabilities of the alternatives of a choice, in the situation of one configuration.

        Parameters
        ----------
        points
            A single row.
        name
            A column that is active in it. Of an ordered one, the probabilities of its cells.
        """
        place = {column.name: j for j, column in enumerate(points.columns)}
        column = points.columns[place[name]]
        context = int(self._contexts(column, points, place)[0])
        return np.exp(self._log_cells(column, context))


def _n_cells(column: Column) -> int:
    """Alternatives of a choice; of an ordered hyperparameter, cells that are told apart."""
    if column.is_ordered:
        return min(column.n_values or _CELLS, _CELLS)
    return column.n_values or 1


def _cell(values: Floats, n: int) -> Ints:
    return np.minimum((values * n).astype(np.int64), n - 1)


@lru_cache(maxsize=_CELLS)
def _splits(n: int) -> _Splits:
    """The binary tree over `n` cells."""
    depth = max(1, int(np.ceil(np.log2(max(n, 2)))))
    first, side = np.zeros((n, depth), dtype=np.int64), np.zeros((n, depth), dtype=np.int64)
    levels = np.zeros(n, dtype=np.int64)
    logits: list[float] = []
    todo = [(0, n, 0)]
    while todo:
        low, high, level = todo.pop(0)
        if high - low < 2:
            continue
        middle = (low + high) // 2
        first[low:high, level] = len(logits)
        side[middle:high, level] = 1
        levels[low:high] = level + 1
        share = (middle - low) / (high - low)
        logits += [float(np.log(share)), float(np.log(1 - share))]
        todo += [(low, middle, level + 1), (middle, high, level + 1)]
    return _Splits(first, side, levels, np.array(logits))
