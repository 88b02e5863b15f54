"""What a search keeps to show how good its model is: predictions on rows unseen in fitting.

Small and plain: out-of-fold predictions of the final ensemble, the truth, and a sample of the
validated rows with their folds, so that the importance of columns can be measured with models
that have not seen the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import DataError
from octavo.report import Column, summarize
from octavo.tabular.model import TabularModel
from octavo.tabular.prepare import Prepared

__all__ = ["Evidence", "gather"]

Floats = NDArray[np.float64]

SAMPLE_ROWS = 2000
N_RESAMPLES = 200


@dataclass(frozen=True)
class Evidence:
    """How the model did on rows that it was not fitted on.

    Parameters
    ----------
    y : shape (n,)
        Codes or values of the validated rows.
    scores : shape (n, classes) or (n,)
        The ensemble's calibrated out-of-fold predictions.
    weights : shape (n,)
        Of the rows, or None.
    baseline
        Score of always predicting the classes' shares (the mean).
    sample
        At most 2,000 validated rows of the canonical table.
    sample_y : shape (rows of the sample,)
        Their codes or values.
    sample_fold : shape (rows of the sample,)
        The fold in which each was validated.
    columns
        The table's columns in a few numbers each.
    """

    y: NDArray[Any]
    scores: Floats
    weights: Floats | None
    baseline: float
    sample: pd.DataFrame
    sample_y: NDArray[Any]
    sample_fold: NDArray[np.int64]
    columns: tuple[Column, ...]

    def predict_unseen(self, model: TabularModel, rows: pd.DataFrame) -> Floats:
        """The ensemble's predictions for the sample's rows (possibly altered), each by the
        models of the fold in which it was validated.
        """
        total: Floats | None = None
        for fold in np.unique(self.sample_fold):
            here = np.flatnonzero(self.sample_fold == fold)
            part = rows.iloc[here]
            scores = sum(
                member.weight * member.pipelines[int(fold)].predict_scores(part)
                for member in model.members
            )
            scores = np.asarray(scores)
            if total is None:
                total = np.empty((len(rows), *scores.shape[1:]))
            total[here] = scores
        assert total is not None
        return model.calibrated(total)


def gather(prepared: Prepared, model: TabularModel, oof: Floats, *, seed: int) -> Evidence:
    """Collect the evidence while the training table is still at hand.

    Parameters
    ----------
    prepared
        With its tables.
    model
        The final one.
    oof : shape (validated rows, classes) or (validated rows,)
        The ensemble's out-of-fold predictions before calibration.
    seed
        Of the sample.
    """
    rows = prepared.resampling.validated
    y = prepared.y[rows]
    weights = None if prepared.weights is None else prepared.weights[rows]
    fold_of = np.full(len(prepared.y), -1)
    for fold, (_, valid) in enumerate(prepared.resampling.folds):
        fold_of[valid] = fold
    rng = np.random.default_rng(seed)
    chosen = rng.choice(rows, min(SAMPLE_ROWS, len(rows)), replace=False)
    return Evidence(
        y=y,
        scores=model.calibrated(oof),
        weights=weights,
        baseline=_baseline(prepared, y, weights),
        sample=prepared.table.iloc[chosen].reset_index(drop=True),
        sample_y=prepared.y[chosen],
        sample_fold=fold_of[chosen],
        columns=_columns(prepared),
    )


def _baseline(prepared: Prepared, y: NDArray[Any], weights: Floats | None) -> float:
    """The metric of a model that has not looked at any column."""
    if prepared.target.classes is None:
        plain = np.full(len(y), np.average(y, weights=weights))
    else:
        shares = np.bincount(y, weights=weights, minlength=len(prepared.target.classes))
        plain = np.tile(shares / shares.sum(), (len(y), 1))
    return float(
        prepared.metric.score(y, plain, sample_weight=weights, classes=prepared.target.classes)
    )


def validation_score(evidence: Evidence, prepared: Prepared, model: TabularModel) -> float:
    """The score of the final model on the validated rows, decisions included."""
    return _score(evidence, prepared, model, np.arange(len(evidence.y)))


def bootstrap_interval(
    evidence: Evidence, prepared: Prepared, model: TabularModel, *, seed: int
) -> tuple[float, float] | None:
    """95 % interval of the validation score over resampled rows (Efron 1979, percentiles).

    None if too many resamples leave the metric undefined, as single-class ones do.
    """
    rng = np.random.default_rng(seed)
    n = len(evidence.y)
    drawn = []
    for _ in range(N_RESAMPLES if n * max(evidence.scores.ndim, 1) < 20_000 else 50):
        try:
            drawn.append(_score(evidence, prepared, model, rng.integers(0, n, n)))
        except DataError:
            continue
    if len(drawn) < 40:
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _score(
    evidence: Evidence, prepared: Prepared, model: TabularModel, rows: NDArray[np.int64]
) -> float:
    return float(
        prepared.metric.score(
            evidence.y[rows],
            evidence.scores[rows],
            sample_weight=None if evidence.weights is None else evidence.weights[rows],
            classes=prepared.target.classes,
            decide=None if model.rule is None else model.rule.apply,
        )
    )


def _columns(prepared: Prepared) -> tuple[Column, ...]:
    """Each column of the table for the report, those left out last, with the reason."""
    schema = prepared.schema
    shown = summarize(
        prepared.table,
        kinds={at: feature.kind for at, feature in enumerate(schema.features)},
        notes={at: feature.note for at, feature in enumerate(schema.features)},
    )
    dropped = tuple(
        Column(name=str(one.name), kind="left out", note=one.reason) for one in schema.dropped
    )
    return shown + dropped
