"""Greedy ensemble selection: add, again and again, the model that helps the mixture most.

Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble Selection from Libraries of Models,
ICML. Models are drawn with replacement, so the weights are counts; the mixture is the mean
of the members' predictions. It works on predictions that were made on rows the models did
not train on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.batches import Batch
from octavo.ensemble.metrics import Metric
from octavo.errors import DataError, SettingError

__all__ = ["Selection", "select"]

Floats = NDArray[np.float64]

SIZE = 50
N_BEST = 50
_CHUNK = 2_000_000  # numbers per batch of mixtures: 16 MB, which stays near the cache


@dataclass(frozen=True)
class Selection:
    """An ensemble: how much each model counts, and how it was found.

    Parameters
    ----------
    weights : shape (m,)
        One per given prediction, non-negative, sum 1.
    score
        Of the mixture on the selection rows, in the user's direction.
    path
        Scores of the mixture after each step of the (first) greedy run; the first is that
        of the best single model.
    n_rows
        Rows on which it was selected.
    """

    weights: Floats
    score: float
    path: tuple[float, ...]
    n_rows: int

    @property
    def indices(self) -> tuple[int, ...]:
        """The members, heaviest first."""
        order = np.argsort(-self.weights, kind="stable")
        return tuple(int(at) for at in order if self.weights[at] > 0)

    def combine(self, predictions: Sequence[ArrayLike]) -> Floats:
        """The mixture of all models' predictions (m arrays); members' alone are read."""
        if len(predictions) != len(self.weights):
            raise DataError(
                f"got predictions of {len(predictions)} models for {len(self.weights)} "
                "weights. Pass one array per model, in the order of the selection."
            )
        members = self.indices
        mixed: Floats = self.weights[members[0]] * np.asarray(predictions[members[0]], np.float64)
        for at in members[1:]:
            mixed = mixed + self.weights[at] * np.asarray(predictions[at], np.float64)
        return mixed


def select(
    predictions: Sequence[ArrayLike] | NDArray[np.floating],
    y_true: ArrayLike,
    metric: Metric,
    *,
    size: int = SIZE,
    n_best: int | None = N_BEST,
    n_bags: int = 1,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> Selection:
    """Choose models and weights that score best together.

    Parameters
    ----------
    predictions : m arrays of shape (n, K) or (n,)
        Out-of-fold probabilities or numbers. Rows that are NaN in all of them were not
        validated and are left out; a model with further NaN is not chosen.
    y_true : shape (n,)
        Encoded classes or numbers.
    metric
        What to optimize.
    size
        Greedy steps; weights are multiples of 1/size at the finest.
    n_best
        Only so many of the best single models are considered; None for all.
    n_bags
        Above 1, the greedy run is repeated on so many random halves of the models and the
        weights are averaged.
    sample_weight : shape (n,)
        Of the rows.
    seed
        For the bags.

    Returns
    -------
    Selection
        Never worse on these rows than the best single model.

    Raises
    ------
    DataError
        If shapes differ or no model has usable predictions.
    SettingError
        If `size`, `n_best` or `n_bags` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from octavo.ensemble import get_metric
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> low, high, bad = y - 1, y + 1, np.zeros(4)
    >>> select([low, high, bad], y, get_metric("rmse", "regression")).weights
    array([0.5, 0.5, 0. ])
    """
    for name, value in (("size", size), ("n_best", n_best), ("n_bags", n_bags)):
        if value is not None and (value < 1 or value != int(value)):
            raise SettingError(f"{name}={value!r} makes no sense. Pass a whole number >= 1.")
    stack = _stacked(predictions)
    target = np.asarray(y_true)
    if target.shape != stack.shape[1:2]:
        raise DataError(
            f"the target has shape {target.shape}, but the predictions have {stack.shape[1]} "
            "rows. Pass one true value per predicted row."
        )
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    usable, rows = _usable(stack)
    if not rows.all():
        stack, target = stack[:, rows], target[rows]
        weight = None if weight is None else weight[rows]
    # Scoring one by one also checks target, shapes and weights, with the metric's own words.
    singles = np.full(len(stack), np.inf)
    for at in np.flatnonzero(usable):
        singles[at] = metric.to_cost(metric.score(target, stack[at], sample_weight=weight))
    order = np.argsort(singles, kind="stable")[: int(usable.sum())][:n_best]
    batch = Batch.of(metric, target, stack[order], weight)

    counts, path = _greedy(batch, np.arange(len(order)), size)
    weights = counts / counts.sum()
    if n_bags > 1 and len(order) > 2:
        bagged = _bagged(batch, len(order), size, n_bags, seed)
        # Averaging over bags can cost what it was meant to win; the best single stays a bound.
        if _cost(batch, bagged) <= path[0]:
            weights = bagged
    full = np.zeros(len(stack))
    full[order] = weights
    mixed = np.tensordot(weights[weights > 0], stack[order[weights > 0]], axes=1)
    score = metric.score(target, mixed, sample_weight=weight)
    best = metric.from_cost(float(singles[order[0]]))
    if metric.is_better(best, score):  # rounding at a tie of labels
        full[:] = 0.0
        full[order[0]], score = 1.0, best
    return Selection(full, score, tuple(metric.from_cost(cost) for cost in path), len(target))


def _stacked(predictions: Sequence[ArrayLike] | NDArray[np.floating]) -> Floats:
    shapes = {np.shape(one) for one in predictions}
    if len(shapes) != 1:
        raise DataError(
            f"predictions have the shapes {sorted(shapes)}. Pass at least one array, all of "
            "the same shape (n, K) or (n,)."
        )
    if len(next(iter(shapes))) not in (1, 2):
        raise DataError(f"each prediction has shape {next(iter(shapes))}; expected (n, K) or (n,).")
    return np.asarray(predictions, dtype=np.float64)


def _usable(stack: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which models can be chosen, and on which rows."""
    finite: NDArray[np.bool_] = np.isfinite(stack.reshape(*stack.shape[:2], -1)).all(2)
    rows: NDArray[np.bool_] = finite.any(0)
    usable = finite[:, rows].all(1) if rows.any() else np.zeros(len(stack), dtype=bool)
    if not usable.any():
        raise DataError(
            f"none of the {len(stack)} models has finite predictions for all validated rows. "
            "At least one must."
        )
    return usable, rows


def _greedy(batch: Batch, models: NDArray[np.int64], size: int) -> tuple[Floats, list[float]]:
    """Counts of each model at the best point of the path, and the costs along it."""
    cuts = batch.cuts
    counts = np.zeros(len(cuts))
    best_counts, best_cost = counts, np.inf
    total = np.zeros(cuts.shape[1:])
    path: list[float] = []
    per_chunk = max(_CHUNK // max(total.size, 1), 1)
    for step in range(1, size + 1):
        costs = np.concatenate(
            [
                batch.costs((total + cuts[models[at : at + per_chunk]]) / step)
                for at in range(0, len(models), per_chunk)
            ]
        )
        lowest = costs.min()
        # Among equals prefer a member that is in already: fewer models to keep and to run.
        ties = np.flatnonzero(costs <= lowest + 1e-12 * max(abs(lowest), 1.0))
        chosen = models[ties[np.argmax(counts[models[ties]] > 0)]]
        counts[chosen] += 1
        total += cuts[chosen]
        path.append(float(lowest))
        if lowest < best_cost - 1e-12 * max(abs(lowest), 1.0):
            best_counts, best_cost = counts.copy(), float(lowest)
    return best_counts, path


def _cost(batch: Batch, weights: Floats) -> float:
    return float(batch.costs(np.tensordot(weights, batch.cuts, axes=1)[None])[0])


def _bagged(batch: Batch, n_models: int, size: int, n_bags: int, seed: int) -> Floats:
    rng = np.random.default_rng([seed, 13])
    weights = np.zeros(n_models)
    for _ in range(n_bags):
        models = np.sort(rng.permutation(n_models)[: max((n_models + 1) // 2, 1)])
        counts, _ = _greedy(batch, models, size)
        weights += counts / counts.sum()
    return weights / n_bags
