"""Ensembles within budgets, and the front of those worth choosing from.

Greedy ensemble selection (Caruana et al. 2004) under a knapsack: what a member needs of each
resource (seconds per row, bytes) adds up over members, whatever their weights, and no step may
exceed a budget. A dear first member can use a budget up that several cheap ones would use
better; so the selection is repeated among models that need at most a half, a quarter, an eighth
of the budget each, and the best ensemble wins.

Repeated over many budgets, it yields a front: ensembles of which none is better than another in
score, in all resources, and in any further quantity that is measured on their mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.batches import Batch
from octavo.ensemble.metrics import METRICS, Metric
from octavo.ensemble.selection import Selection, greedy_steps
from octavo.errors import DataError, SettingError
from octavo.numerics.pareto import nondominated

__all__ = ["FrontPoint", "front", "select_within"]

Floats = NDArray[np.float64]

SIZE = 40
PARTS = (1.0, 0.5, 0.25, 0.125)
N_BUDGETS = 8
MOST_POINTS = 12


@dataclass(frozen=True)
class FrontPoint:
    """One ensemble of a front.

    Parameters
    ----------
    weights : shape (m,)
        Of all models, sum 1.
    score
        In the user's direction, on the rows that it was selected on.
    amounts
        What it needs of each resource, and what else was measured, by name; smaller is better.
    """

    weights: tuple[float, ...]
    score: float
    amounts: Mapping[str, float] = field(default_factory=dict)


def select_within(
    predictions: Sequence[ArrayLike] | NDArray[np.floating],
    y_true: ArrayLike,
    metric: Metric,
    *,
    amounts: Mapping[str, Floats],
    budgets: Mapping[str, float],
    size: int = SIZE,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    penalty: tuple[Floats, Callable[[Floats], Floats]] | None = None,
) -> Selection:
    """The best ensemble whose members together stay within all budgets.

    Parameters
    ----------
    predictions : m arrays of shape (n, K) or (n,)
        On rows that the models were not fitted on, finite.
    y_true : shape (n,)
        Encoded classes or numbers.
    metric
        What to optimize; of labels, log loss guides the steps.
    amounts
        What each model needs of each resource, shape (m,), not negative.
    budgets
        How much of them there is; a resource without a budget is free.
    size
        Greedy steps.
    sample_weight : shape (n,)
        Of the rows.
    classes
        The user's labels, for custom metrics.
    penalty
        Cuts of each model, shape (m, d), linear in its predictions, and what mixtures of them,
        (j, d), add to the cost, (j,).

    Returns
    -------
    Selection
        If no single model stays within the budgets, the one that exceeds them least.

    Raises
    ------
    SettingError
        If a budget is for a resource that was not measured.

    Examples
    --------
    >>> from octavo.ensemble import get_metric
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> models = [y + [0, 0, 0, 0.1], y - 1, y + 1]
    >>> rmse = get_metric("rmse", "regression")
    >>> seconds = {"seconds": np.array([9.0, 1.0, 1.0])}
    >>> select_within(models, y, rmse, amounts=seconds, budgets={"seconds": 2.0}).weights
    array([0. , 0.5, 0.5])
    """
    problem = _Problem.of(predictions, y_true, metric, amounts, sample_weight, classes, penalty)
    for name, budget in budgets.items():
        if name not in amounts:
            raise SettingError(
                f"there is a budget of {budget:.4g} for {name!r}, but no model's need of it is "
                f"known; known are: {', '.join(amounts) or 'none'}. Leave it out."
            )
    runs = [problem.greedy(budgets, part, size) for part in (PARTS if budgets else (1.0,))]
    found = [run for run in runs if run is not None]
    if not found:
        weights = np.eye(len(problem.batch.cuts))[problem.least(budgets)]
        return problem.selection(weights, (), metric)
    path = min(found, key=lambda steps: min(cost for cost, _ in steps))
    counts = min(path, key=lambda step: step[0])[1]
    return problem.selection(counts / counts.sum(), tuple(cost for cost, _ in path), metric)


def front(
    predictions: Sequence[ArrayLike] | NDArray[np.floating],
    y_true: ArrayLike,
    metric: Metric,
    *,
    amounts: Mapping[str, Floats],
    weights: ArrayLike | None = None,
    measures: Mapping[str, Callable[[Floats], float]] | None = None,
    size: int = SIZE,
    sample_weight: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    most: int = MOST_POINTS,
) -> tuple[FrontPoint, ...]:
    """Ensembles of which none is worse than another in everything, best score first.

    Parameters
    ----------
    predictions, y_true, metric, amounts, size, sample_weight, classes
        As in `select_within`.
    weights : shape (m,)
        An ensemble that there is already; it is on the front if nothing beats it.
    measures
        Further quantities of a mixture's predictions by name; smaller is better.
    most
        Points at most; those with the best score and the least of each quantity stay.

    Examples
    --------
    >>> from octavo.ensemble import get_metric
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> models = [y + [0, 0, 0, 0.1], y + [2, 2, 2, -1], y - 1]
    >>> rmse = get_metric("rmse", "regression")
    >>> points = front(models, y, rmse, amounts={"seconds": np.array([9.0, 2.0, 1.0])})
    >>> [point.amounts["seconds"] for point in points]
    [12.0, 10.0, 9.0, 3.0, 1.0]
    """
    problem = _Problem.of(predictions, y_true, metric, amounts, sample_weight, classes, None)
    m = len(problem.batch.cuts)
    tried: list[Floats] = [np.eye(m)[at] for at in range(m)]
    if weights is not None:
        tried.append(np.asarray(weights, np.float64))
    for name, each in amounts.items():
        total = float(each.sum())
        for budget in np.geomspace(
            max(float(each.min()), 1e-12 * max(total, 1.0)), total, N_BUDGETS
        ):
            path = problem.greedy({name: float(budget) * (1 + 1e-9)}, 1.0, size)
            tried += [counts / counts.sum() for _, counts in path or ()]
    tried += [counts / counts.sum() for _, counts in problem.greedy({}, 1.0, size) or ()]
    points = problem.measured(_distinct(tried), metric, measures or {})
    costs = np.array([[metric.to_cost(p.score), *p.amounts.values()] for p in points])
    kept = [points[at] for at in np.flatnonzero(nondominated(costs))]
    kept.sort(key=lambda point: metric.to_cost(point.score))
    return _thinned(kept, most)


# Parts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """Predictions cut for quick mixing, and what each model needs."""

    stack: Floats
    target: NDArray[Any]
    weight: Floats | None
    classes: ArrayLike | None
    batch: Batch
    amounts: Mapping[str, Floats]
    guide: Metric

    @classmethod
    def of(
        cls,
        predictions: Sequence[ArrayLike] | NDArray[np.floating],
        y_true: ArrayLike,
        metric: Metric,
        amounts: Mapping[str, Floats],
        sample_weight: ArrayLike | None,
        classes: ArrayLike | None,
        penalty: tuple[Floats, Callable[[Floats], Floats]] | None,
    ) -> _Problem:
        stack = np.asarray(predictions, dtype=np.float64)
        target = np.asarray(y_true)
        if stack.ndim < 2 or target.shape != stack.shape[1:2] or not np.isfinite(stack).all():
            raise DataError(
                f"got predictions of shape {stack.shape} for a target of shape {target.shape}; "
                "expected finite ones of shape (m, n) or (m, n, K), and (n,)."
            )
        for name, each in amounts.items():
            if np.shape(each) != stack.shape[:1] or not (np.asarray(each) >= 0).all():
                raise DataError(
                    f"the need of {name!r} has shape {np.shape(each)}; expected one number >= 0 "
                    f"for each of {len(stack)} models."
                )
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        guide = METRICS["log_loss"] if metric.kind == "labels" and stack.ndim == 3 else metric
        batch = Batch.of(guide, target, stack, weight, classes)
        if penalty is not None:
            batch = _with_penalty(batch, *penalty)
        return cls(stack, target, weight, classes, batch, amounts, guide)

    def greedy(
        self, budgets: Mapping[str, float], part: float, size: int
    ) -> list[tuple[float, Floats]] | None:
        """(cost, counts) after each step; None if not even one model is within the budgets."""
        needs = np.array([self.amounts[name] for name in budgets])
        needs = needs.reshape(len(budgets), len(self.batch.cuts))
        limits = np.array(list(budgets.values()))[:, np.newaxis]
        small = (needs <= part * limits).all(axis=0)

        def allowed(counts: Floats) -> NDArray[np.int64]:
            used = needs[:, counts > 0].sum(axis=1, keepdims=True)
            return np.flatnonzero((counts > 0) | (small & (used + needs <= limits).all(axis=0)))

        return list(greedy_steps(self.batch, size, allowed)) or None

    def least(self, budgets: Mapping[str, float]) -> int:
        """The model that exceeds the budgets by the smallest factor."""
        factors = [self.amounts[name] / max(budget, 1e-300) for name, budget in budgets.items()]
        return int(np.max(factors, axis=0).argmin())

    def mixed(self, weights: Floats) -> Floats:
        members = np.flatnonzero(weights)
        mixture: Floats = np.tensordot(weights[members], self.stack[members], axes=1)
        return mixture

    def score(self, mixture: Floats, metric: Metric) -> float:
        return metric.score(self.target, mixture, sample_weight=self.weight, classes=self.classes)

    def selection(self, weights: Floats, path: tuple[float, ...], metric: Metric) -> Selection:
        score = self.score(self.mixed(weights), metric)
        scores = tuple(self.guide.from_cost(cost) for cost in path) or (score,)
        return Selection(weights, score, scores, self.guide.name, len(self.target))

    def measured(
        self,
        tried: Sequence[Floats],
        metric: Metric,
        measures: Mapping[str, Callable[[Floats], float]],
    ) -> list[FrontPoint]:
        points = []
        for weights in tried:
            mixture = self.mixed(weights)
            needs = {name: float(each[weights > 0].sum()) for name, each in self.amounts.items()}
            more = {name: measure(mixture) for name, measure in measures.items()}
            points.append(
                FrontPoint(
                    tuple(float(w) for w in weights), self.score(mixture, metric), needs | more
                )
            )
        return points


def _with_penalty(batch: Batch, own: Floats, added: Callable[[Floats], Floats]) -> Batch:
    """The same batch with something more to pay; both cuts side by side."""
    shape = batch.cuts.shape[1:]
    n = int(np.prod(shape))
    side = np.concatenate([batch.cuts.reshape(len(batch.cuts), n), own], axis=1)

    def costs(mixed: Floats) -> Floats:
        first = batch.costs(mixed[:, :n].reshape(len(mixed), *shape))
        paid: Floats = first + added(mixed[:, n:])
        return paid

    return Batch(side, costs)


def _distinct(tried: Sequence[Floats]) -> list[Floats]:
    """One of each set of weights, in order."""
    return list({tuple(np.round(weights, 9)): weights for weights in tried}.values())


def _thinned(points: list[FrontPoint], most: int) -> tuple[FrontPoint, ...]:
    """At most so many, the ends of each quantity among them, spread evenly by rank."""
    if len(points) <= most:
        return tuple(points)
    names = list(points[0].amounts)
    ends = {0} | {
        min(range(len(points)), key=lambda at: (points[at].amounts[name], at)) for name in names
    }
    rest = [at for at in range(len(points)) if at not in ends]
    n_more = max(most - len(ends), 0)
    spread = {rest[round(at)] for at in np.linspace(0, len(rest) - 1, n_more)} if n_more else set()
    return tuple(points[at] for at in sorted(ends | spread))
