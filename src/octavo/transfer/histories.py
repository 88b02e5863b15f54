"""From the histories of earlier searches to one matrix of what was good where.

Searches try different configurations, so that the matrix over all of them is nearly empty. The
candidates are the best configurations of each task; what a task did not try itself is predicted
by a random forest on its own trials, one forest per task, and marked as predicted. A forest has
to prove itself first: where it cannot rank trials that it has not seen, its task's holes stay
unknown. Winners are lucky as well as good, and predictions between few trials are rough, so a
portfolio from histories is a good guess, not a measurement; `Portfolio.origin` says how much of
it was predicted.

Wistuba, Schilling & Schmidt-Thieme (2015), Learning Hyperparameter Optimization
Initializations, DSAA (surrogates in place of evaluations on a shared grid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError
from octavo.history import History
from octavo.numerics.ranks import rank_correlation
from octavo.spaces.protocol import Points
from octavo.surrogates import CostModel
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest
from octavo.transfer.adapting import adapted
from octavo.transfer.evaluations import LEAST_S, Evaluations
from octavo.trial import Status, Trial

__all__ = [
    "KnownTask",
    "Observed",
    "best_configs",
    "from_histories",
    "observed",
    "typical_deadlines",
]

Floats = NDArray[np.float64]

FEWEST_TRIALS = 10
"""Of fewer configurations a task's forest cannot be judged, and nothing is predicted."""
LEAST_SKILL = 0.2
"""The rank correlation that a forest has to reach on trials that it has not seen."""
_FOLDS = 5
_FAILED = (Status.CRASHED, Status.TIMEOUT, Status.MEMORY)
_SETTINGS = ForestSettings(n_trees=64, min_leaf=2)


@dataclass(frozen=True)
class KnownTask:
    """One earlier search.

    Parameters
    ----------
    name
        Of the data set or task, unique.
    history
        Its trials; the first objective counts.
    group
        Tasks that are much alike, such as two searches on one table, share a group. None: it is
        its own.
    features
        What is known of the task, see `octavo.transfer.meta_features`.
    baseline
        Cost (minimized) of a constant guess; NaN if unknown.
    """

    name: str
    history: History
    group: str | None = None
    features: Mapping[str, float] = field(default_factory=dict)
    baseline: float = float("nan")


@dataclass(frozen=True, eq=False)
class Observed:
    """What a history says of each different configuration, in order of their first trials.

    Parameters
    ----------
    configs
        `m` of them.
    keys
        Their identities in the history's space.
    points
        Encoded.
    costs : shape (m,)
        Mean over trials; inf if all of them failed or broke a constraint.
    seconds : shape (m,)
        Mean over trials, failed ones too; NaN where unknown.
    """

    configs: list[dict[str, Any]]
    keys: list[bytes]
    points: Points
    costs: Floats
    seconds: Floats


def observed(history: History) -> Observed:
    """The different configurations of a history with their mean costs.

    Only trials at the full fidelity count. What was stopped or cancelled is not known to have
    failed, and is left out.

    Raises
    ------
    DataError
        If the history is one of a race over instances: configurations were run on different
        ones, and their means do not compare.
    """
    problem = history.problem
    if problem.instances:
        raise DataError(
            f"the history has trials on {len(problem.instances)} instances, and configurations "
            "that lost were run on fewer of them, so that their costs do not compare. Make each "
            "instance a task of its own, or leave this history out."
        )
    feasible = history.feasible & history.comparable
    keys = history.points.keys() if len(history) else []
    rows: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        trial = history[row]
        full = problem.fidelity is None or trial.proposal.fidelity in (None, problem.fidelity.high)
        if full and (trial.succeeded or trial.status in _FAILED):
            rows.setdefault(key, []).append(row)
    costs, seconds = [], []
    for places in rows.values():
        good = [row for row in places if feasible[row]]
        costs.append(float(history.costs[good, 0].mean()) if good else np.inf)
        times = [t for row in places if (t := _seconds(history[row])) is not None]
        seconds.append(float(np.mean(times)) if times else np.nan)
    first = [places[0] for places in rows.values()]
    return Observed(
        configs=[dict(history[row].config) for row in first],
        keys=list(rows),
        points=history.points[np.array(first, dtype=np.int64)],
        costs=np.array(costs, dtype=float),
        seconds=np.array(seconds, dtype=float),
    )


def best_configs(history: History, n: int = 1) -> list[dict[str, Any]]:
    """The `n` best different configurations of a history, best first; fewer if there are fewer.

    For `octavo.transfer.ranges.learned_ranges`, or to try first elsewhere.
    """
    found = observed(history)
    order = np.argsort(found.costs, kind="stable")[:n]
    return [found.configs[i] for i in order if np.isfinite(found.costs[i])]


def from_histories(
    tasks: Sequence[KnownTask], *, candidates: int = 30, predict: bool = True, seed: int = 0
) -> Evaluations:
    """The matrix over the best configurations of all tasks.

    Parameters
    ----------
    tasks
        Their spaces may differ in details: a configuration is evaluated on a task in the form
        that it takes there, see `octavo.transfer.adapting`.
    candidates
        So many of each task's best configurations become columns.
    predict
        Whether to predict what a task did not try, where its forest can; otherwise such costs
        are unknown.
    seed
        Grows the forests.

    Returns
    -------
    Evaluations
        With `predicted`. A configuration that has no counterpart in a task's space has an
        unknown cost there and takes no time.

    Raises
    ------
    DataError
        If no tasks are given, or one of them has no success.
    """
    if not tasks:
        raise DataError("0 histories were given. Give at least one, better three or more.")
    seen = [observed(task.history) for task in tasks]
    for task, found in zip(tasks, seen, strict=True):
        if not np.isfinite(found.costs).any():
            raise DataError(
                f"the history of {task.name!r} has {len(task.history)} trials, and none succeeded "
                "at the full fidelity. Leave it out."
            )
    configs = _candidates(seen, candidates)
    costs = np.full((len(tasks), len(configs)), np.nan)
    seconds, predicted = costs.copy(), np.zeros(costs.shape, dtype=bool)
    for row, (task, found) in enumerate(zip(tasks, seen, strict=True)):
        here = adapted(configs, task.history.problem.space)
        exists = np.array([config is not None for config in here])
        seconds[row, ~exists] = 0.0
        if not exists.any():
            continue
        points = task.history.problem.space.encode([c for c in here if c is not None])
        place = {key: i for i, key in enumerate(found.keys)}
        own_keys = points.keys()
        own = np.array([place.get(key, -1) for key in own_keys])
        columns = np.flatnonzero(exists)
        costs[row, columns[own >= 0]] = found.costs[own[own >= 0]]
        seconds[row, columns[own >= 0]] = found.seconds[own[own >= 0]]
        missing = own < 0
        if predict and missing.any():
            guess = _predicted(found, points[missing], seed)
            if guess is not None:
                costs[row, columns[missing]] = guess
                predicted[row, columns[missing]] = True
                seconds[row, columns[missing]] = _predicted_seconds(
                    task.history, [here[i] for i in columns[missing]]
                )
    return Evaluations(
        [task.name for task in tasks],
        configs,
        costs,
        # Without a single time known, there is nothing to say about time.
        seconds=seconds if (seconds > 0).any() else None,
        baselines=np.array([task.baseline for task in tasks]),
        predicted=predicted,
        groups=[task.name if task.group is None else task.group for task in tasks],
        features=[task.features for task in tasks],
    )


def typical_deadlines(tasks: Sequence[KnownTask]) -> tuple[float, float] | None:
    """Between which seconds somebody who searches as these did stops; None if no time is known.

    From a thousandth of what all configurations of the median history took together to all of it.
    """
    each = [observed(task.history).seconds for task in tasks]
    each = [seconds[np.isfinite(seconds)] for seconds in each]
    # As `filled_seconds` counts them, or nothing would end before the last deadline.
    known = [float(np.maximum(seconds, LEAST_S).sum()) for seconds in each if seconds.any()]
    if not known:
        return None
    high = float(np.median(known))
    return high / 1000, high


def _candidates(seen: Sequence[Observed], n: int) -> list[dict[str, Any]]:
    """The best of each task, once each, in order of the tasks."""
    configs: dict[str, dict[str, Any]] = {}
    for found in seen:
        for i in np.argsort(found.costs, kind="stable")[:n]:
            if np.isfinite(found.costs[i]):
                config = found.configs[i]
                configs.setdefault(repr(sorted(config.items())), config)
    return list(configs.values())


def _predicted(found: Observed, points: Points, seed: int) -> Floats | None:
    """Costs that a task's forest predicts; None if it cannot be trusted."""
    finite = found.costs[np.isfinite(found.costs)]
    if len(found.costs) < FEWEST_TRIALS or np.ptp(finite) == 0:
        return None
    # All beyond the median counts as bad alike, as it does in `normalized`; failures too.
    target = np.minimum(found.costs, np.median(finite))
    columns = found.points.columns
    choices = [0 if column.is_ordered else column.n_values or 0 for column in columns]
    n_choices = np.array(choices, dtype=np.int64)
    rng = np.random.default_rng(seed)
    X = found.points.values
    fold = rng.permutation(len(target)) % _FOLDS
    unseen = np.empty(len(target))
    for number in range(_FOLDS):
        rows = fold != number
        unseen[~rows] = _forest(X[rows], target[rows], n_choices, rng).predict(X[~rows])[0]
    if rank_correlation(unseen, target) < LEAST_SKILL:
        return None
    return _forest(X, target, n_choices, rng).predict(points.aligned(columns).values)[0]


def _forest(X: Floats, y: Floats, n_choices: NDArray[Any], rng: np.random.Generator) -> Forest:
    return fit_forest(X, y, n_choices, rng, _SETTINGS)


def _predicted_seconds(history: History, configs: Sequence[Any]) -> Floats:
    times = [_seconds(trial) for trial in history]
    if sum(t is not None for t in times) < FEWEST_TRIALS:
        return np.full(len(configs), np.nan)
    return CostModel().fit(history).predict(configs).median


def _seconds(trial: Trial) -> float | None:
    if trial.resources.wall_s is not None:
        return trial.resources.wall_s
    if trial.started is None or trial.ended is None:
        return None
    return trial.ended - trial.started
