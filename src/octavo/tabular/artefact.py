"""What the final model needs: time per row, size, and what it took to train it.

Before it exists, its needs add up from what was measured when its members were tried: each
member predicts with one pipeline per fold. Once it exists, its time per row is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import DataError
from octavo.trial import Trial

if TYPE_CHECKING:
    from octavo.ensemble.resampling import Resampling
    from octavo.tabular.model import TabularModel

__all__ = ["Latency", "member_needs", "model_needs", "row_seconds", "time_per_row"]

Floats = NDArray[np.float64]

BATCHES = (1, 1000)
REPEATS = 30


@dataclass(frozen=True)
class Latency:
    """Time per row of predictions in batches of one size.

    Parameters
    ----------
    batch
        Rows per call.
    p50_us, p95_us
        Median and 95 % quantile over calls, in microseconds per row.
    n_calls
        From how many calls.
    """

    batch: int
    p50_us: float
    p95_us: float
    n_calls: int


def time_per_row(
    model: TabularModel,
    rows: pd.DataFrame,
    *,
    batches: Sequence[int] = BATCHES,
    repeats: int = REPEATS,
    limit_s: float = 2.0,
) -> tuple[Latency, ...]:
    """Measure how long predictions take, here and now.

    From a table in memory to probabilities or numbers, with the threads that the models were
    given, everything that the machine does besides included. The first call of each batch is
    not counted: it wakes up what sleeps.

    Parameters
    ----------
    model
        Any fitted one.
    rows
        A table as in training; it is repeated where a batch is larger.
    batches
        Rows per call.
    repeats
        Calls of each batch at most.
    limit_s
        No call of a batch is begun after so many seconds, but one is always made.

    Raises
    ------
    DataError
        If there is no row.
    """
    if not len(rows):
        raise DataError("the time per row cannot be measured on a table of 0 rows. Pass some.")
    found = []
    for batch in batches:
        table = rows.iloc[np.arange(batch) % len(rows)].reset_index(drop=True)
        began = time.perf_counter()
        model.scores(table)
        spent: list[float] = []
        while not spent or (
            len(spent) < repeats and time.perf_counter() - began < limit_s / len(batches)
        ):
            start = time.perf_counter()
            model.scores(table)
            spent.append(time.perf_counter() - start)
        per_row = 1e6 * np.array(spent) / batch
        p50, p95 = np.quantile(per_row, [0.5, 0.95])
        found.append(Latency(batch, float(p50), float(p95), len(spent)))
    return tuple(found)


def row_seconds(trial: Trial, resampling: Resampling) -> float:
    """Seconds per row that a trial's pipelines, one per fold, need together; NaN if unknown."""
    n_predicted = sum(len(valid) for _, valid in resampling.folds)
    spent = float(trial.extra.get("predict_s", np.nan))
    return spent / max(n_predicted, 1) * len(resampling.folds)


def model_needs(
    model: TabularModel, trials: Sequence[Trial], resampling: Resampling
) -> dict[str, Floats]:
    """What each member of a model needs, as `member_needs`; one that was fitted once on all rows
    needs the time and the space of one fold.

    Parameters
    ----------
    model
        The ensemble.
    trials
        Of its members, in their order.
    resampling
        By which they were validated.
    """
    needs = member_needs(trials, resampling)
    n_folds = len(resampling.folds)
    share = np.array([len(member.pipelines) / n_folds for member in model.members])
    smaller = {name: needs[name] * share for name in ("inference_time", "model_size")}
    return {**needs, **smaller}


def member_needs(trials: Sequence[Trial], resampling: Resampling) -> dict[str, Floats]:
    """What each trial's pipelines need of each resource, shape (m,), in `RESOURCES`' units.

    What was not measured counts as infinite: it cannot be promised to be within a bound.
    """
    return {
        "inference_time": _known([row_seconds(trial, resampling) for trial in trials]),
        "model_size": _known([trial.extra.get("size_bytes") for trial in trials]),
        "training_time": _known([trial.extra.get("fit_s") for trial in trials]),
        "memory": _known([trial.resources.memory_mb for trial in trials]),
    }


def _known(values: Sequence[Any]) -> Floats:
    each = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.isfinite(each), each, np.inf)
