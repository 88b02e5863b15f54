"""Large tables: most pipelines are compared on samples of the training rows, the best get all.

Where not even the first pipelines could be fitted on all rows in the time that there is, the
number of training rows becomes the study's fidelity. Samples are nested, a smaller one lies within
each larger one: a pipeline that goes on sees the rows of before, and more. What is validated never
changes: scores on samples of all sizes compare, and one ensemble may hold models of several.

That few rows can stand for many is what Klein et al. (2017), Fast Bayesian Optimization of Machine
Learning Hyperparameters on Large Datasets, AISTATS, build on; the schedule is ASHA's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.problem import Fidelity

if TYPE_CHECKING:
    from octavo.optimizers.protocol import Recipe
    from octavo.tabular.costs import TrialCosts
    from octavo.tabular.prepare import Prepared
    from octavo.tabular.settings import SearchSettings
    from octavo.trial import Trial

__all__ = ["ETA", "FINALS_BEGIN", "row_fidelity", "rows_told", "sample", "sampled_recipe",
           "sampling_info", "sampling_order", "with_orders"]  # fmt: skip

Rows = NDArray[np.int64]

ETA = 3
"""Of each size of a sample one pipeline in three goes on, to three times as many rows."""
LEAST_ROWS = 5_000
"""On fewer rows, which pipeline is better says little of which is better on all of them."""
OPENING = 8
"""So many of the first pipelines, about one of each family, are what must be affordable."""
TOO_DEAR = 2.0
"""Times the time of all jobs: if the opening is guessed to take more, it is done on samples. With
half as much, the few pipelines that all rows allowed were better (krkopt at 60 s: .48 against
.52)."""
FINALS_BEGIN = 0.3
"""After this share of the time the best go to all rows. Before, no pipeline may take long."""
OPENING_SHARE = 0.15
"""Of the time of all jobs: what the opening may take on the smallest samples."""
MOST_STEPS = 3
"""Without a time limit the smallest sample has one row in 27."""
KEPT_OF_A_CLASS = 2
"""So many rows of each class are in every sample."""


# Which rows --------------------------------------------------------------------------


def sampling_order(
    train: Rows,
    y: NDArray[Any],
    *,
    is_classification: bool,
    seed: int,
    in_time: Rows | None = None,
) -> Rows:
    """Training rows in the order in which samples take them: each beginning is a sample.

    Parameters
    ----------
    train : shape (n,)
        Of one fold.
    y : shape (rows of the table,)
        Class codes or numbers.
    is_classification
        Whether each sample has all classes, in their shares.
    seed
        Same seed, same samples.
    in_time : shape (rows of the table,)
        All rows in their order in time, where the past predicts the future: samples then take
        the most recent ones. None: rows are exchangeable.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1] * 3)
    >>> order = sampling_order(np.arange(12), y, is_classification=True, seed=0)
    >>> float(y[order[:8]].mean())
    0.25
    >>> sampling_order(np.arange(3), y, is_classification=True, seed=0, in_time=np.arange(12))
    array([2, 1, 0])
    """
    if in_time is not None:
        moment = np.empty(len(in_time), dtype=np.int64)
        moment[in_time] = np.arange(len(in_time))
        return train[np.argsort(-moment[train], kind="stable")]
    shuffled = np.random.default_rng([seed, 71]).permutation(train)
    if not is_classification:
        return shuffled
    # The classes' rows are spread evenly: the k-th of n rows of a class stands at (k + 1/2) / n.
    codes = y[shuffled].astype(np.int64)
    counts = np.bincount(codes)
    number = np.empty(len(codes), dtype=np.int64)
    starts = np.cumsum(counts) - counts
    number[np.argsort(codes, kind="stable")] = np.arange(len(codes)) - np.repeat(starts, counts)
    place = (number + 0.5) / counts[codes]
    place[number < KEPT_OF_A_CLASS] -= 1.0  # a rare class is in the smallest sample, too
    return shuffled[np.argsort(place, kind="stable")]


def with_orders(prepared: Prepared, *, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    """The folds of a search; with a fidelity, training rows in the order of `sampling_order`."""
    if prepared.rows is None:
        return prepared.resampling.folds
    return tuple(
        (
            sampling_order(
                train,
                prepared.y,
                is_classification=prepared.target.is_classification,
                seed=seed,
                in_time=prepared.resampling.in_time,
            ),
            valid,
        )
        for train, valid in prepared.resampling.folds
    )


def sample(train: Rows, fidelity: float | None) -> Rows:
    """The rows of a fold on which a trial is fitted, sorted; all of them without a fidelity."""
    return train if fidelity is None else np.sort(train[: int(fidelity)])


def rows_told(name: str, fidelity: float | None, n_rows: int) -> str:
    """A pipeline's name, with the number of rows that it was fitted on if these are not all.

    Examples
    --------
    >>> rows_told("Linear model", 8230, 666_667), rows_told("Linear model", None, 666_667)
    ('Linear model, on 8,230 of 666,667 rows', 'Linear model')
    """
    if fidelity is None or fidelity >= n_rows:
        return name
    return f"{name}, on {int(fidelity):,} of {n_rows:,} rows"


# Whether, and from how many rows on --------------------------------------------------


def row_fidelity(
    prepared: Prepared, settings: SearchSettings, costs: TrialCosts, *, n_jobs: int
) -> Fidelity | None:
    """From how few to how many training rows pipelines are fitted; None: always on all.

    Parameters
    ----------
    prepared, settings
        Of the search.
    costs
        What pipelines take, by number of rows.
    n_jobs
        Pipelines at the same time.

    Raises
    ------
    SettingError
        If samples were asked for where there is no room for them.
    """
    n_rows = prepared.shape.n_rows
    if settings.sampling is False:
        return None
    if n_rows < ETA * LEAST_ROWS:
        if settings.sampling == "auto":
            return None
        raise SettingError(
            f"sampling=True, but a fold trains on {n_rows:,} rows only. Samples have at least "
            f"{LEAST_ROWS:,} rows, and each is {ETA} times as large as the next smaller one, so "
            f"{ETA * LEAST_ROWS:,} are needed. Leave sampling out: it pays on large tables."
        )
    limit_s = settings.time_limit_s
    time_s = None if limit_s is None else limit_s * n_jobs
    if settings.sampling == "auto":
        if time_s is None or settings.stack is True:
            return None  # without a clock all can be afforded; and stacking was asked for
        if opening_s(prepared, costs, n_rows) <= TOO_DEAR * time_s:
            return None
    return Fidelity("rows", _smallest(prepared, costs, time_s), n_rows)


def opening_s(prepared: Prepared, costs: TrialCosts, n_rows: int) -> float:
    """Seconds that the first pipelines of the quickest families are guessed to take together."""
    of_family: dict[str, float] = {}
    for config in prepared.first:
        of_family.setdefault(str(config["model"]), costs.guess(config, n_rows))
    return sum(sorted(of_family.values())[:OPENING])


def _smallest(prepared: Prepared, costs: TrialCosts, time_s: float | None) -> int:
    """The size of the smallest samples: as large as the opening may cost."""
    n_rows, steps = prepared.shape.n_rows, 1
    while n_rows // ETA ** (steps + 1) >= LEAST_ROWS:
        size = n_rows // ETA**steps
        if time_s is None and steps >= MOST_STEPS:
            break
        if time_s is not None and opening_s(prepared, costs, size) <= OPENING_SHARE * time_s:
            break
        steps += 1
    return n_rows // ETA**steps


def sampling_info(prepared: Prepared, history: Iterable[Trial]) -> dict[str, Any]:
    """What a model keeps of the samples, with a sentence for people; nothing without samples."""
    if prepared.rows is None:
        return {}
    low, high = int(prepared.rows.low), int(prepared.rows.high)
    fitted = [trial.proposal.fidelity for trial in history if trial.succeeded]
    n_full = sum(fidelity == high for fidelity in fitted)
    most = int(max((fidelity for fidelity in fitted if fidelity is not None), default=low))
    ends = (
        f"{n_full} of {len(fitted)} were fitted on all of them."
        if n_full
        else f"none was fitted on more than {most:,}, as more would have taken too long."
    )
    told = (
        f"Pipelines were compared on samples from {low:,} of {high:,} training rows on, and the "
        f"best on more; {ends}"
    )
    return {"sampling": {"told": told, "smallest": low, "rows": high, "n_on_all": n_full}}


def sampled_recipe(inner: Recipe) -> Recipe:
    """The schedule over numbers of rows, around what proposes configurations."""
    from octavo.schedulers.asha import ASHA
    from octavo.schedulers.finals import Finals

    return Finals(inner=ASHA(inner=inner, eta=ETA), begin=FINALS_BEGIN, eta=ETA)
