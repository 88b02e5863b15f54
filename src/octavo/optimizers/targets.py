"""What trials are judged by: one cost each for a model, their places among others for evolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.pareto import crowding_distance, layers
from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs
from octavo.optimizers.told import Told
from octavo.problem import Constraint

__all__ = ["misses", "places", "single_costs", "violations", "worst_where_failed"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def places(told: Told, rows: Rows, enough: int | None = None) -> Rows:
    """How some trials compare, 0 for the best; those that are equally good share a place.

    Feasible trials come first, by layers of domination and, within a layer, by how sparsely
    their surroundings are populated; then infeasible ones by the sum of their violations
    (constrained domination, Deb 2002, section VI); then those without usable costs. With one
    objective that is the order of the costs.

    Parameters
    ----------
    told
        What is known.
    rows
        Which of its trials compete. Nothing else counts.
    enough
        How many places matter; the order among later ones may stay open.

    Returns
    -------
    shape (number of rows,)
    """
    feasible, known = told.is_feasible[rows], told.is_known[rows]
    if enough is not None and told.costs.shape[1] == 1 and 0 < enough <= int(feasible.sum()):
        # Finding the best of thousands takes no sorting.
        costs = np.where(feasible, told.costs[rows, 0], np.inf)
        first = costs <= np.partition(costs, enough - 1)[enough - 1]
        result = np.full(len(rows), len(rows), dtype=np.int64)
        result[first] = np.unique(costs[first], return_inverse=True)[1]
        return result
    behind = known & ~feasible
    layer = np.zeros(len(rows), dtype=np.int64)
    layer[feasible] = layers(told.costs[rows[feasible]], enough)
    violated = violations(told.problem.constraints, told.constraints[rows[behind]])
    layer[behind] = len(rows) + np.unique(violated, return_inverse=True)[1]
    layer[~known] = 2 * len(rows)
    crowding = np.zeros(len(rows))
    numbers, sizes = np.unique(layer[feasible], return_counts=True)
    for number in numbers[sizes > 2]:  # of two, both are ends
        members = np.flatnonzero(layer == number)
        crowding[members] = crowding_distance(told.costs[rows[members]])
    return np.unique(np.column_stack([layer, -crowding]), axis=0, return_inverse=True)[1].ravel()


def single_costs(told: Told, rng: np.random.Generator) -> Floats:
    """One finite cost per told trial.

    Several objectives become one by an augmented Chebyshev scalarization with weights from
    `rng` (Knowles 2006). A trial that failed, for whatever reason, counts as the worst one
    seen: what crashes, hangs or runs out of memory is to be avoided like what is bad.

    Parameters
    ----------
    told
        What is known; at least one trial with usable costs.
    rng
        Draws the weights; not used with a single objective.

    Returns
    -------
    shape (n,)
    """
    if told.costs.shape[1] == 1:
        return worst_where_failed(told)[:, 0]
    weights = random_weights(told.costs.shape[1], rng)
    costs = chebyshev(unit_costs(told.costs), weights)
    costs[~told.is_known] = costs[told.is_known].max()
    return costs


def worst_where_failed(told: Told) -> Floats:
    """The costs of all told trials, those of failures the worst ones known.

    What crashes, hangs or runs out of memory is to be avoided like what is bad.

    Parameters
    ----------
    told
        What is known; at least one trial with usable costs.

    Returns
    -------
    shape (n, objectives)
    """
    return np.where(told.is_known[:, None], told.costs, told.costs[told.is_known].max(axis=0))


def violations(constraints: Sequence[Constraint], values: Floats) -> Floats:
    """By how much each trial violates its constraints in total (Deb 2002, section VI).

    Each constraint counts in units of the largest violation of it among the trials.

    Parameters
    ----------
    constraints
        Of the problem.
    values : shape (n, number of constraints)
        As measured; NaN counts as violated beyond measure.

    Returns
    -------
    shape (n,)
        0 where all constraints are met; inf where one was not measured.

    Examples
    --------
    >>> violations([Constraint("size", low=1, high=5)], np.array([[0.0], [3.0], [7.0], [np.nan]]))
    array([0.5, 0. , 1. , inf])
    """
    beyond = misses(constraints, values)
    largest = np.max(beyond, axis=0, initial=0.0, where=np.isfinite(beyond))
    return np.asarray((beyond / np.where(largest > 0, largest, 1.0)).sum(axis=1))


def misses(constraints: Sequence[Constraint], values: Floats) -> Floats:
    """By how much, halved, each trial misses each of its constraints.

    Parameters
    ----------
    constraints
        Of the problem.
    values : shape (n, number of constraints)
        As measured.

    Returns
    -------
    shape (n, number of constraints)
        0 where a constraint is met; inf where it was not measured.
    """
    missed = np.zeros_like(values)
    for at, constraint in enumerate(constraints):
        low = -np.inf if constraint.low is None else constraint.low
        high = np.inf if constraint.high is None else constraint.high
        # Halved, so that bounds and values of opposite signs do not overflow.
        half = values[:, at] / 2
        missed[:, at] = np.maximum(np.maximum(low / 2 - half, half - high / 2), 0.0)
    return np.asarray(np.where(np.isnan(values), np.inf, missed))
