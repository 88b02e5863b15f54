"""One trial of the tabular search: fit a pipeline on each fold, keep predictions and models.

This is an ordinary Octavo objective. It runs in a worker process, reads the table from a
memory map, and leaves three files in the trial's folder: `oof.npy` (out-of-fold predictions),
`models.pkl` (the fitted pipelines, one per fold) and, with a test table, `test.npy`.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.metrics import Metric
from octavo.tabular.models.family import Family, Shape
from octavo.tabular.pipeline import Pipeline, make_pipeline
from octavo.tabular.sampling import rows_told, sample
from octavo.tabular.schema import Schema
from octavo.tabular.target import Target

__all__ = ["MODELS", "OOF", "TEST", "Setup", "evaluate", "read_models"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

OOF = "oof.npy"
MODELS = "models.pkl"
TEST = "test.npy"

# For each second of fitting, so much of the time that a trial has is for files and the like, and
# so much for predictions, times the rows predicted by those learned from: boosting for 40 s on
# 14,000 rows of 18 classes predicted 7,000 others in 7 s.
OTHER_S, PREDICTING_S = 0.1, 0.5


@dataclass(frozen=True)
class Setup:
    """What all trials of a search share, besides the arrays.

    Parameters
    ----------
    schema, target, shape
        The table, what is predicted, and how large both are within a fold.
    metric
        What is optimized.
    folds
        (training rows, validation rows) of each fold; where trials are fitted on samples, the
        training rows in the order in which samples take them.
    families
        The user's own families beside those of the catalog, by name.
    n_threads
        Threads that a fit may use.
    """

    schema: Schema
    target: Target
    shape: Shape
    metric: Metric
    folds: tuple[tuple[Rows, Rows], ...]
    families: Mapping[str, Family]
    n_threads: int


class Reporter(Protocol):
    """How a trial reports an intermediate value."""

    def __call__(self, step: float, value: float) -> Any: ...


def evaluate(
    config: Mapping[str, Any],
    *,
    seed: int,
    folder: Path,
    report: Reporter,
    time_limit: float | None,
    fidelity: float | None = None,
    setup: Setup,
    table: pd.DataFrame,
    y: NDArray[Any],
    weights: Floats | None = None,
    test_table: pd.DataFrame | None = None,
    test_y: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Cross-validate one configuration.

    Parameters
    ----------
    config
        A configuration of the CASH space.
    seed, folder, report, time_limit
        From the executor; the limit is in seconds from now, None without one.
    fidelity
        On how many training rows of each fold; None: on all.
    setup, table, y, weights
        What is learned: canonical table, codes or values, one weight per row.
    test_table, test_y
        Scored for the record only.

    Returns
    -------
    dict
        The metric's value on all out-of-fold predictions together, under its name; and as
        extra data `name`, `fit_s`, `predict_s`, `size_bytes` and, with a test table, `test`.
    """
    ends = None if time_limit is None else time.monotonic() + time_limit * _fitting_share(setup)
    folder = Path(folder)
    (folder / MODELS).unlink(missing_ok=True)  # of the same trial, interrupted
    name = ""
    oof = _empty(setup, len(y))
    test_scores = None if test_table is None else _empty(setup, len(test_table))
    counts = np.zeros(len(y))
    fit_s = predict_s = 0.0
    for step, (order, valid) in enumerate(setup.folds):
        began = time.monotonic()
        train = sample(order, fidelity)
        pipeline = make_pipeline(
            config, setup.schema, setup.shape, seed=seed, families=setup.families
        )
        pipeline.fit(
            table.iloc[train],
            y[train],
            sample_weight=None if weights is None else weights[train],
            deadline=_deadline(ends, len(setup.folds) - step),
            n_threads=setup.n_threads,
        )
        fitted = time.monotonic()
        scores = pipeline.predict_scores(table.iloc[valid])
        predict_s += time.monotonic() - fitted
        fit_s += fitted - began
        oof[valid] += scores
        counts[valid] += 1
        name = pipeline.describe()
        # Written at once and forgotten: forests of many folds would fill the memory together.
        with (folder / MODELS).open("ab") as file:
            cloudpickle.dump(pipeline, file, protocol=5)
        if test_scores is not None and test_table is not None:
            test_scores += pipeline.predict_scores(test_table) / len(setup.folds)
        del pipeline
        report(step, _score(setup, y[valid], scores, None if weights is None else weights[valid]))
    rows = counts > 0
    oof[rows] /= counts[rows].reshape(-1, *[1] * (oof.ndim - 1))
    result: dict[str, Any] = {
        setup.metric.name: _score(
            setup, y[rows], oof[rows], None if weights is None else weights[rows]
        ),
        "name": rows_told(name, fidelity, setup.shape.n_rows),
        "fit_s": fit_s,
        "predict_s": predict_s,
    }
    np.save(folder / OOF, oof[rows].astype(np.float32))
    result["size_bytes"] = (folder / MODELS).stat().st_size
    if test_scores is not None:
        np.save(folder / TEST, test_scores.astype(np.float32))
        if test_y is not None:
            result["test"] = _score(setup, test_y, test_scores, None)
    _give_back_memory()
    return result


def read_models(folder: Path, n_folds: int) -> tuple[Pipeline, ...]:
    """The fitted pipelines that a trial left in its folder, one per fold.

    Raises
    ------
    OSError, EOFError, pickle.UnpicklingError
        If they are not there, or not all of them.
    """
    found: list[Pipeline] = []
    with (folder / MODELS).open("rb") as file:
        while True:
            try:
                part = cloudpickle.load(file)
            except EOFError:
                break
            # Earlier versions wrote all of them as one.
            found += part if isinstance(part, tuple) else [part]
    if len(found) != n_folds:
        raise EOFError(f"{folder / MODELS} holds {len(found)} pipelines of {n_folds} folds")
    return tuple(found)


def _give_back_memory() -> None:
    """Hand freed memory to the system: with glibc it would stay with a worker that waits."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _fitting_share(setup: Setup) -> float:
    """Of the time that a trial has, how much is for fitting."""
    learned = sum(len(train) for train, _ in setup.folds)
    predicted = sum(len(valid) for _, valid in setup.folds)
    return 1.0 / (1.0 + OTHER_S + PREDICTING_S * predicted / max(learned, 1))


def _empty(setup: Setup, n: int) -> Floats:
    return np.zeros((n, len(setup.target.classes)) if setup.target.classes else n)


def _score(setup: Setup, y: NDArray[Any], scores: Floats, weights: Floats | None) -> float:
    classes = setup.target.labels if setup.target.is_classification else None
    return float(setup.metric.score(y, scores, sample_weight=weights, classes=classes))


def _deadline(ends: float | None, n_left: int) -> float | None:
    """When this fold's fit must be over: a fair share of what is left for all of them."""
    if ends is None:
        return None
    now = time.monotonic()
    return now + max(ends - now, 0.0) / n_left
