"""Runs over instances as an optimizer without instances sees them: one trial a configuration.

A configuration that was dropped after a run or two was seen on other instances than the
champion, so the mean of its runs says more about the instances than about it. What it is told
to cost is what the champion costs over all of its runs, times how much worse (or better) the
configuration was on those that both share: times and errors differ by factors between easy and
hard instances. Where costs may be zero or negative, the difference counts instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.targets import misses
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.standings import Pair, Runs, Standings
from octavo.trial import Proposal, Status, Trial

__all__ = ["aggregated", "as_single", "single"]

Floats = NDArray[np.float64]

_CAPPED = 2.0  # a run that was ended at a bound counts twice that: how much more is unknown


def single(problem: Problem) -> Problem:
    """The problem as the inner optimizer sees it: no instances, no repeats.

    Nor a limit on trials: how many configurations they are enough for, nobody knows.
    """
    return replace(
        problem,
        instances=(),
        instance_features={},
        repeats=1,
        limits=replace(problem.limits, max_trials=None),
    )


def aggregated(
    problem: Problem, told: Told, trials: Sequence[Trial], standings: Standings, penalty: float
) -> dict[bytes, Trial]:
    """One trial for each configuration, by key, numbered from 0 in order of their first runs.

    Parameters
    ----------
    problem
        With its instances.
    told
        All runs.
    trials
        The trial in each row of `told`.
    standings
        The same runs, by row.
    penalty
        What a failed run counts; may be inf.
    """
    if standings.champion is None:
        return {}
    champion = standings.runs[standings.champion]
    by_objective = [
        _Column(told, standings, champion, column, penalty)
        for column in range(problem.n_objectives)
    ]
    ordered = sorted(standings.runs.items(), key=lambda item: trials[item[1].first].index)
    made = {}
    for number, (key, runs) in enumerate(ordered):
        costs = tuple(column.cost(runs) for column in by_objective)
        is_known = all(map(math.isfinite, costs))
        made[key] = Trial(
            proposal=as_single(trials[runs.first].proposal, number),
            status=Status.SUCCESS if is_known else Status.CRASHED,
            costs=costs if is_known else (math.nan,) * len(costs),
            constraints=_constraints(problem, told, runs),
            cause="" if is_known else "some of its runs failed",
        )
    return made


def as_single(proposal: Proposal, number: int) -> Proposal:
    """A run as the proposal of its configuration."""
    return replace(proposal, index=number, instance=None, cutoff_s=None)


class _Column:
    """Estimates of one objective over all of the champion's pairs."""

    def __init__(
        self, told: Told, standings: Standings, champion: Runs, column: int, penalty: float
    ) -> None:
        self._told, self._column, self._penalty = told, column, penalty
        self._champion = self._costs(champion)
        known = told.costs[told.is_known, column]
        # Of penalties only a time's exist, and those are positive.
        self._by_factor = bool(len(known)) and bool((known > 0).all())
        self._all = _mean(self._champion.values())

    def cost(self, runs: Runs) -> float:
        own = self._costs(runs)
        shared = [pair for pair in own if pair in self._champion]
        if not shared:
            return _mean(own.values())
        mine = _mean(own[pair] for pair in shared)
        theirs = _mean(self._champion[pair] for pair in shared)
        if not math.isfinite(mine) or not math.isfinite(theirs):
            return mine
        if self._by_factor and theirs > 0:
            estimate = mine / theirs * self._all
        else:
            estimate = mine - theirs + self._all
        return float(np.nan_to_num(estimate))  # huge costs stay huge, but finite

    def _costs(self, runs: Runs) -> Mapping[Pair, float]:
        costs = {}
        for pair, rows in runs.rows.items():
            values = self._told.costs[rows, self._column]
            values = values[np.isfinite(values)]
            if len(values):  # also of runs that violate a constraint, which count as failed
                costs[pair] = float(values.mean())
        if self._column == 0:
            failed = {pair: cost for pair, cost in runs.costs.items() if pair not in costs}
            capped = {
                pair: min(_CAPPED * bound, self._penalty) for pair, bound in runs.capped.items()
            }
            costs = {**costs, **failed, **capped}
        return costs


def _mean(values: Iterable[float]) -> float:
    """NaN of nothing, inf if one is."""
    listed = list(values)
    return math.fsum(v / len(listed) for v in listed) if listed else math.nan


def _constraints(problem: Problem, told: Told, runs: Runs) -> tuple[float, ...]:
    """The mean of each value, or the worst where a bound was violated: one run is enough."""
    rows = [row for rows in runs.rows.values() for row in rows]
    values = told.constraints[rows] if rows else np.empty((0, len(problem.constraints)))
    missed = misses(problem.constraints, values)
    found = []
    for column in range(len(problem.constraints)):
        measured = np.flatnonzero(~np.isnan(values[:, column]))
        if not len(measured):
            found.append(math.nan)
            continue
        worst = measured[np.argmax(missed[measured, column])]
        violated = missed[worst, column] > 0
        found.append(float(values[worst if violated else measured, column].mean()))
    return tuple(found)
