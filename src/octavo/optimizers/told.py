"""What an optimizer has been told, as growing arrays: `Told`.

Every optimizer keeps one and reads it; it holds nothing that the trials do not say, which
is half of the replay law. Configurations outside the space (from another tool, or from
before a range was forbidden) count as proposed but teach nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError
from octavo.optimizers.protocol import next_index
from octavo.problem import Fidelity, Problem
from octavo.spaces.protocol import Config, Points, Space
from octavo.trial import Proposal, Status, Trial

__all__ = ["Seen", "Told", "unit_fidelity"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Told:
    """Completed trials in order of completion, as arrays with one row per trial.

    Parameters
    ----------
    problem
        What the trials answer.

    Attributes
    ----------
    points
        The configurations.
    keys
        Their identities, see `Points.keys`.
    costs : shape (n, objectives)
        NaN in the whole row where a trial has no usable costs.
    constraints : shape (n, constraints)
        Measured values, NaN where missing.
    fidelity : shape (n,)
        On [0, 1], 1 for the full budget and where there is no fidelity.
    index : shape (n,)
        Number of the proposal.
    is_success : shape (n,)
        Ran to its end with usable costs, so it may be the incumbent.
    is_known : shape (n,)
        Has usable costs: a success, or stopped early with costs that stand.
    is_feasible : shape (n,)
        A success that meets all constraints.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.points = Points(np.empty((0, len(problem.space.columns))), problem.space.columns)
        self.keys: list[bytes] = []
        self.costs: Floats = np.empty((0, problem.n_objectives))
        self.constraints: Floats = np.empty((0, len(problem.constraints)))
        self.fidelity: Floats = np.empty(0)
        self.index: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.is_success: Bools = np.empty(0, dtype=bool)
        self.is_known: Bools = np.empty(0, dtype=bool)
        self.is_feasible: Bools = np.empty(0, dtype=bool)
        self._key_set: set[bytes] = set()
        self._n_indices = 0

    def __len__(self) -> int:
        return len(self.keys)

    def extend(self, trials: Sequence[Trial]) -> Sequence[Trial]:
        """Add completed trials at the end; returns those that got a row."""
        if not trials:
            return []
        problem = self.problem
        self._n_indices = max(self._n_indices, *(trial.index + 1 for trial in trials))
        points, inside = encode_inside(problem.space, [trial.config for trial in trials])
        trials = [trials[row] for row in inside]
        if not trials:
            return []
        keys = points.keys()
        self.points = Points.join([self.points, points]) if self.keys else points
        self.keys.extend(keys)
        self._key_set.update(keys)
        costs = np.array([_row(trial.costs, problem.n_objectives) for trial in trials], dtype=float)
        values = np.array([_row(trial.constraints, len(problem.constraints)) for trial in trials])
        values = values.reshape(len(trials), len(problem.constraints))
        status = [trial.status for trial in trials]
        finite = np.isfinite(costs).all(axis=1)
        success = finite & np.array([s is Status.SUCCESS for s in status])
        known = success | (finite & np.array([s is Status.STOPPED for s in status]))
        met = np.array([problem.is_feasible(row) for row in values.tolist()])
        costs[~known] = np.nan
        fidelity = unit_fidelity(problem.fidelity, [t.proposal.fidelity for t in trials])
        self.costs = np.concatenate([self.costs, costs])
        self.constraints = np.concatenate([self.constraints, values])
        self.fidelity = np.concatenate([self.fidelity, fidelity])
        self.index = np.concatenate([self.index, [trial.index for trial in trials]])
        self.is_success = np.concatenate([self.is_success, success])
        self.is_known = np.concatenate([self.is_known, known])
        self.is_feasible = np.concatenate([self.is_feasible, success & met])
        return trials

    def next_index(self, pending: Sequence[Proposal]) -> int:
        """The index of the next proposal."""
        return next_index(self._n_indices, pending)

    def comparable_fidelity(self, enough: int) -> float:
        """The highest fidelity, on [0, 1], at which enough trials have usable costs.

        Costs at different fidelities do not compare. Where none has enough, the fidelity
        with the most; 1 before there are any costs.
        """
        levels, counts = np.unique(self.fidelity[self.is_known], return_counts=True)
        if not len(levels):
            return 1.0
        return float(levels[counts >= min(enough, counts.max())].max())

    def seen(self, pending: Sequence[Proposal]) -> Seen:
        """All configurations told or pending."""
        points, _ = encode_inside(self.problem.space, [proposal.config for proposal in pending])
        return Seen(self._key_set, set(points.keys()), points)


class Seen:
    """The configurations that were told or are pending, as a set of keys.

    Parameters
    ----------
    told, waiting
        Keys of the told and of the pending configurations.
    pending
        The pending configurations themselves (those inside the space).
    """

    def __init__(self, told: set[bytes], waiting: set[bytes], pending: Points) -> None:
        self._told = told
        self._waiting = waiting
        self.pending = pending

    def __contains__(self, key: bytes) -> bool:
        return key in self._told or key in self._waiting

    def __len__(self) -> int:
        """An upper bound: a configuration that is both told and pending counts twice."""
        return len(self._told) + len(self._waiting)

    def first_unseen(self, points: Points) -> int | None:
        """The first row that is not among them, or None."""
        for start in range(0, len(points), 16):  # mostly the first rows suffice
            for row, key in enumerate(points[start : start + 16].keys(), start=start):
                if key not in self:
                    return row
        return None


def encode_inside(space: Space, configs: Sequence[Config]) -> tuple[Points, list[int]]:
    """The configurations that are in the space, encoded, and which ones they are."""
    if not configs:
        return Points(np.empty((0, len(space.columns))), space.columns), []
    try:
        return space.encode(configs), list(range(len(configs)))
    except SpaceError:
        parts: list[Points] = []
        inside: list[int] = []
        for row, config in enumerate(configs):
            try:
                parts.append(space.encode([config]))
            except SpaceError:
                continue  # expected here: it is from outside the space
            inside.append(row)
        if not parts:
            return encode_inside(space, [])
        return Points.join(parts), inside


def unit_fidelity(fidelity: Fidelity | None, values: Iterable[float | None]) -> Floats:
    """Fidelities on [0, 1], along their logarithm where declared; unknown ones as full.

    Examples
    --------
    >>> unit_fidelity(Fidelity("epochs", 1, 100), [1, 10, None])
    array([0. , 0.5, 1. ])
    """
    known = np.array([np.nan if value is None else value for value in values], dtype=float)
    if fidelity is None:
        return np.ones(len(known))
    low, high = float(fidelity.low), float(fidelity.high)
    if fidelity.log:
        low, high = np.log(low), np.log(high)
        known = np.log(np.maximum(known, np.finfo(float).tiny))
    unit = np.clip((known - low) / (high - low), 0.0, 1.0)
    return np.asarray(np.where(np.isnan(unit), 1.0, unit))


def _row(values: Sequence[float], width: int) -> Sequence[float]:
    """Foreign trials may come without numbers, or with those of another problem."""
    return values if len(values) == width else (float("nan"),) * width
