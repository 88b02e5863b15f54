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

from octavo.ensemble.fairness import Groups
from octavo.ensemble.intervals import plain_baseline, score_interval
from octavo.report import Column, summarize
from octavo.tabular.model import TabularModel
from octavo.tabular.prepare import Prepared
from octavo.tabular.stacked import Scorer

__all__ = ["Evidence", "gather"]

Floats = NDArray[np.float64]

SAMPLE_ROWS = 2000
INTERVAL_S = 0.5


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
    baseline, baseline_name
        Score of an answer that looks at no column, and what it answers.
    sample
        At most 2,000 validated rows of the canonical table.
    sample_y : shape (rows of the sample,)
        Their codes or values.
    sample_fold : shape (rows of the sample,)
        The fold in which each was validated.
    columns
        The table's columns in a few numbers each.
    members : shape (m, rows of members[, classes])
        Out-of-fold predictions of each member of the ensemble, in its order, on at most 20,000
        validated rows; None in runs of earlier versions.
    member_rows : shape (rows of members,)
        Which of the validated rows these are.
    groups
        The groups of the validated rows, for each sensitive column.
    group_labels : shape (n,)
        Their combination in words, by which decisions may differ; None without.
    test_sample, test_sample_y
        At most 2,000 rows of the test table, and their codes or values; None without.
    """

    y: NDArray[Any]
    scores: Floats
    weights: Floats | None
    baseline: float
    baseline_name: str
    sample: pd.DataFrame
    sample_y: NDArray[Any]
    sample_fold: NDArray[np.int64]
    columns: tuple[Column, ...]
    members: NDArray[np.float32] | None = None
    member_rows: NDArray[np.int64] | None = None
    groups: tuple[tuple[str, Groups], ...] = ()
    group_labels: NDArray[np.object_] | None = None
    test_sample: pd.DataFrame | None = None
    test_sample_y: NDArray[Any] | None = None

    def decided(self, model: TabularModel, scores: Floats | None = None) -> NDArray[np.int64]:
        """Encoded decisions for the validated rows, shape (n,); other scores may be given."""
        given = self.scores if scores is None else scores
        if model.fair is not None and self.group_labels is not None:
            return model.fair.of_labels(given, self.group_labels)
        if model.rule is not None:
            return model.rule.apply(given)
        return np.asarray(given.argmax(axis=1), dtype=np.int64)

    def predict_unseen(self, model: TabularModel, rows: pd.DataFrame) -> Floats:
        """The ensemble's predictions for rows of the sample, each by the models of the fold in
        which it was validated.

        Parameters
        ----------
        model
            The ensemble with a pipeline per fold.
        rows
            Some or all rows of the sample, possibly altered; their index says which they are.
        """
        total: Floats | None = None
        folds = self.sample_fold[rows.index]
        for fold in np.unique(folds):
            here = np.flatnonzero(folds == fold)
            of_fold = [member.pipelines[int(fold)] for member in model.members]
            score = Scorer(of_fold, rows.iloc[here])
            scores = np.asarray(
                sum(
                    member.weight * score(pipeline)
                    for member, pipeline in zip(model.members, of_fold, strict=True)
                )
            )
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
    classes = prepared.target.labels if prepared.target.is_classification else None
    baseline, sentence = plain_baseline(
        prepared.metric,
        prepared.target.kind,
        y,
        n_classes=None if classes is None else len(classes),
        sample_weight=weights,
        classes=classes,
    )
    rng = np.random.default_rng(seed)
    chosen = rng.choice(rows, min(SAMPLE_ROWS, len(rows)), replace=False)
    return Evidence(
        y=y,
        scores=model.calibrated(oof),
        weights=weights,
        baseline=baseline,
        baseline_name=sentence,
        sample=prepared.table.iloc[chosen].reset_index(drop=True),
        sample_y=prepared.y[chosen],
        sample_fold=fold_of[chosen],
        columns=_columns(prepared),
    )


def validation_score(evidence: Evidence, prepared: Prepared, model: TabularModel) -> float:
    """The score of the final model on the validated rows, decisions included."""
    how = _how(evidence, prepared, model)
    return float(prepared.metric.score(evidence.y, _scored(evidence, prepared, model), **how))


def validation_interval(
    evidence: Evidence, prepared: Prepared, model: TabularModel, *, seed: int
) -> tuple[float, float] | None:
    """95 % interval of the validation score; None if rows or time do not suffice."""
    return score_interval(
        prepared.metric,
        evidence.y,
        _scored(evidence, prepared, model),
        **_how(evidence, prepared, model),
        time_limit_s=INTERVAL_S,
        seed=seed,
    )


def _how(evidence: Evidence, prepared: Prepared, model: TabularModel) -> dict[str, Any]:
    return {
        "sample_weight": evidence.weights,
        "classes": prepared.target.labels if prepared.target.is_classification else None,
        "decide": None if model.rule is None or model.fair is not None else model.rule.apply,
    }


def _scored(evidence: Evidence, prepared: Prepared, model: TabularModel) -> Floats:
    """What the metric looks at: decisions by group cannot be told from probabilities alone."""
    if model.fair is None or prepared.metric.kind != "labels":
        return evidence.scores
    certain: Floats = np.eye(evidence.scores.shape[1])[evidence.decided(model)]
    return certain


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
