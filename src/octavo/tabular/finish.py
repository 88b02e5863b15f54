"""The last stage of a search: the model, within its bounds, with what vouches for it.

`combine` builds the ensemble; here it is made to keep the user's bounds, gets the intervals or
sets of conformal prediction, and the evidence is gathered from which the report is written.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ensemble.conformal_intervals import Intervals, fit_intervals
from octavo.ensemble.conformal_sets import PredictionSets, fit_sets
from octavo.ensemble.fairness import fairness, fairness_gap
from octavo.ensemble.selection import Selection
from octavo.ensemble.thresholds import DecisionRule
from octavo.tabular.artefact import model_needs, time_per_row
from octavo.tabular.bounds import BoundWarning, shown_amount
from octavo.tabular.collect import Candidate, Collector
from octavo.tabular.combine import combine
from octavo.tabular.evidence import SAMPLE_ROWS, Evidence, gather, validation_score
from octavo.tabular.last_fits import Refitted
from octavo.tabular.model import TabularModel
from octavo.tabular.prepare import Prepared
from octavo.tabular.sensitive import FairRule, joined_labels
from octavo.tabular.settings import SearchSettings
from octavo.tabular.uncertainty import deviation
from octavo.tabular.within import (
    decision_groups,
    fair_decisions,
    judged_groups,
    select_within_bounds,
)
from octavo.trial import Trial

__all__ = ["conformal_of", "finish"]

Floats = NDArray[np.float64]

MEMBER_ROWS = 20_000
ATTEMPTS = 3
BATCH = 1000  # rows per call, for which a bound on the time per row holds
REPEATS = 200


@dataclass(frozen=True)
class Finished:
    """A search's model and what vouches for it.

    Parameters
    ----------
    model
        The final one.
    folds
        The same with a pipeline per fold of each member.
    evidence
        How that did on rows that its pipelines had not seen.
    refitted
        What came of fitting members on all rows.
    """

    model: TabularModel
    folds: TabularModel
    evidence: Evidence
    refitted: Refitted


def finish(
    prepared: Prepared,
    collector: Collector,
    selection: Selection,
    settings: SearchSettings,
    *,
    seed: int,
    info: Mapping[str, Any],
    refit: Callable[[TabularModel], tuple[TabularModel, Refitted]],
) -> Finished:
    """Build the final model and gather its evidence.

    Parameters
    ----------
    prepared, collector, selection, settings
        Of the search; the selection is the best one without bounds.
    seed
        Of everything random here.
    info
        Kept with the model.
    refit
        Fits members of the ensemble on all rows.

    Warns
    -----
    BoundWarning
        If a bound could not be kept, with the best that was found.
    """
    candidates = collector.candidates
    limit = {bound.word: bound.high for bound in settings.bounds}.get("inference_time")
    tighter, measured_s = 1.0, None
    for _ in range(ATTEMPTS):
        chosen = select_within_bounds(
            prepared, candidates, selection, settings, tighter=tighter, seed=seed
        )
        model = combine(prepared, collector, chosen, settings, seed=seed, info=info)
        if limit is None:
            break
        measured_s = _measured_s(prepared, model)
        if measured_s <= limit or len(model.members) == 1:
            break
        # Members were timed one by one and perhaps beside others: what counts is the whole.
        tighter *= 0.9 * limit / measured_s
    folds = model
    model, refitted = refit(folds)
    if limit is not None and refitted.trials:
        measured_s = _measured_s(prepared, model)
    members = _members(model, candidates)
    oof = np.zeros(members[0].shape)
    for member, each in zip(model.members, members, strict=True):
        oof += member.weight * each
    if model.is_classifier:
        oof /= oof.sum(axis=1, keepdims=True)  # float32 on disk: sums are off by 1e-7
    evidence = _with_more(gather(prepared, model, oof, seed=seed), prepared, members, seed)
    model = _fair(prepared, model, evidence, settings, seed)
    model = replace(model, conformal=conformal_of(model, evidence, members, seed=seed))
    if settings.bounds:
        free = selection.combine([candidate.oof for candidate in candidates])
        kept = _bounds_kept(prepared, model, evidence, settings, candidates, measured_s, seed)
        cost = _cost_of_bounds(prepared, model, evidence, free, seed)
        for one in kept:
            if not one["is_met"]:
                warnings.warn(one["told"], BoundWarning, stacklevel=2)
        score = validation_score(evidence, prepared, model)
        more = {"bounds": kept, "cost_of_bounds": cost, "validation_score": score}
        model = replace(model, info={**model.info, **more})
    model = replace(model, info={**model.info, "refitted": refitted.to_json()})
    return Finished(model, replace(model, members=folds.members), evidence, refitted)


def _measured_s(prepared: Prepared, model: TabularModel) -> float:
    """Seconds per row, here and now."""
    rows = prepared.table.iloc[prepared.resampling.validated[:BATCH]]
    found = time_per_row(model, rows, batches=(BATCH,), repeats=5, limit_s=0.5)
    return found[0].p50_us / 1e6


def conformal_of(
    model: TabularModel,
    evidence: Evidence,
    members: Sequence[NDArray[np.floating]] | NDArray[np.floating],
    *,
    seed: int,
) -> Intervals | PredictionSets:
    """Intervals or sets from the ensemble's out-of-fold predictions.

    Parameters
    ----------
    model
        The ensemble.
    evidence
        With the predictions after calibration.
    members : m arrays of shape (n,) or (n, classes)
        Out-of-fold predictions of each of its members.
    seed
        Of the folds on which variants are compared.
    """
    if model.is_classifier:
        return fit_sets(evidence.scores, evidence.y, sample_weight=evidence.weights, seed=seed)
    shares = [member.weight for member in model.members]
    return fit_intervals(
        evidence.y,
        evidence.scores,
        disagreement=deviation(np.stack(list(members)), shares) if len(shares) > 1 else None,
        sample_weight=evidence.weights,
        seed=seed,
    )


# Parts -------------------------------------------------------------------------------


def _members(model: TabularModel, candidates: Sequence[Candidate]) -> list[NDArray[np.float32]]:
    """Out-of-fold predictions of the members, in their order."""
    by_trial = {candidate.trial.index: candidate.oof for candidate in candidates}
    return [by_trial[int(member.trial or 0)] for member in model.members]


def _with_more(
    evidence: Evidence, prepared: Prepared, members: Sequence[NDArray[np.float32]], seed: int
) -> Evidence:
    """The evidence with the members' predictions, the groups, and a sample of the test table."""
    rng = np.random.default_rng([seed, 59])
    rows = np.arange(len(members[0]))
    if len(rows) > MEMBER_ROWS:
        rows = np.sort(rng.choice(rows, MEMBER_ROWS, replace=False))
    valid = prepared.resampling.validated
    sensitive = prepared.sensitive
    test = test_y = None
    if prepared.test_table is not None and len(prepared.test_table):
        n = len(prepared.test_table)
        taken = rng.choice(n, min(n, SAMPLE_ROWS), replace=False)
        test = prepared.test_table.iloc[taken].reset_index(drop=True)
        test_y = None if prepared.test_y is None else prepared.test_y[taken]
    return replace(
        evidence,
        members=np.stack([each[rows] for each in members]),
        member_rows=rows,
        groups=tuple(
            (one.column.name, groups)
            for one, groups in zip(sensitive, judged_groups(sensitive, valid), strict=True)
        ),
        group_labels=joined_labels([one.labels(valid) for one in sensitive]) if sensitive else None,
        test_sample=test,
        test_sample_y=test_y,
    )


def _fair(
    prepared: Prepared,
    model: TabularModel,
    evidence: Evidence,
    settings: SearchSettings,
    seed: int,
) -> TabularModel:
    """Decisions that keep the bounds on fairness gaps, if those so far do not."""
    gaps = {bound.word: bound.high for bound in settings.bounds if bound.kind == "gap"}
    if not gaps or len(prepared.target.classes or ()) != 2:
        return model
    labels = evidence.decided(model)
    if all(
        fairness_gap(name, evidence.y, labels, groups, sample_weight=evidence.weights) <= bound
        for name, bound in gaps.items()
        for _, groups in evidence.groups
    ):
        return model
    rows = prepared.resampling.validated
    by_group = settings.sensitive_at_predict
    found = fair_decisions(prepared, evidence.scores, rows, gaps, by_group=by_group, seed=seed)
    if len(found.thresholds) == 1:
        threshold = min(max(found.thresholds[0], 1e-9), 1 - 1e-9)
        return replace(model, rule=DecisionRule.at(threshold))
    names = decision_groups(prepared.sensitive, rows).names
    columns = tuple(one.column for one in prepared.sensitive)
    return replace(model, fair=FairRule(columns, names, found))


def _bounds_kept(
    prepared: Prepared,
    model: TabularModel,
    evidence: Evidence,
    settings: SearchSettings,
    candidates: Sequence[Candidate],
    measured_s: float | None,
    seed: int,
) -> list[dict[str, Any]]:
    """For each bound what the model has, whether it is kept, and a sentence; plain data."""
    trials = {candidate.trial.index: candidate.trial for candidate in candidates}
    own = [trials[int(member.trial or 0)] for member in model.members]
    told: list[dict[str, Any]] = []
    for bound in settings.bounds:
        if bound.kind == "resource":
            value = measured_s if bound.word == "inference_time" else None
            value = _needed(bound.word, model, own, prepared) if value is None else value
            told.append(_told(bound.word, bound.high, value, value <= bound.high))
            continue
        labels = evidence.decided(model)
        for column, groups in evidence.groups:
            found = fairness(
                column,
                evidence.y,
                labels,
                groups,
                n_classes=len(model.target.classes or ()),
                sample_weight=evidence.weights,
                seed=seed,
            )
            gap = next(one.gap for one in found.gaps if one.name == bound.word)
            useful = len(np.unique(labels)) > 1
            is_met = gap.value <= bound.high and useful
            one = _told(bound.word, bound.high, gap.value, is_met, column=column)
            told.append({**one, "low": gap.low, "high": gap.high})
    return told


def _needed(word: str, model: TabularModel, trials: Sequence[Trial], prepared: Prepared) -> float:
    each = model_needs(model, trials, prepared.resampling)[word]
    return float(each.max() if word == "memory" else each.sum())


def _told(
    word: str, bound: float, value: float, is_met: bool, *, column: str = ""
) -> dict[str, Any]:
    name = word.replace("_", " ") + (f" between the groups of {column!r}" if column else "")
    has = "is not known" if not np.isfinite(value) else f"is {shown_amount(word, value)}"
    sentence = f"The bound on {name}, {shown_amount(word, bound)}, is kept: it {has}."
    if not is_met:
        advice = (
            "Allow more, name the groups' column with sensitive_at_predict=True so that "
            "decisions may differ by group, or give the search more time."
            if column
            else "Allow more, or include cheaper families of models."
        )
        sentence = (
            f"The bound on {name}, {shown_amount(word, bound)}, could not be kept: the best that "
            f"was found {has}. {advice}"
        )
    return {
        "word": word,
        "column": column,
        "bound": bound,
        "value": value,
        "is_met": bool(is_met),
        "told": sentence,
    }


def _cost_of_bounds(
    prepared: Prepared, model: TabularModel, evidence: Evidence, free: Floats, seed: int
) -> dict[str, Any]:
    """What the bounds cost in the metric, or of classes in right decisions, with an interval.

    By a paired bootstrap over validated rows, against the ensemble without bounds.
    """
    y, weights = evidence.y, evidence.weights
    share = np.ones(len(y)) if weights is None else weights
    rng = np.random.default_rng([seed, 61])
    if model.is_classifier:
        what = "accuracy"
        before = (free.argmax(axis=1) == y).astype(np.float64)
        after = (evidence.decided(model) == y).astype(np.float64)
    else:
        what = "squared error"
        before, after = (free - y) ** 2, (evidence.scores - y) ** 2
    difference = (before - after) * (1.0 if model.is_classifier else -1.0)
    draws = [
        np.average(difference[rows], weights=share[rows])
        for rows in (rng.integers(len(y), size=len(y)) for _ in range(REPEATS))
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    classes = prepared.target.labels if prepared.target.is_classification else None
    return {
        "what": what,
        "without": float(np.average(before, weights=share)),
        "with": float(np.average(after, weights=share)),
        "lost": float(np.average(difference, weights=share)),
        "low": float(low),
        "high": float(high),
        "metric": prepared.metric.name,
        "metric_without": float(
            prepared.metric.score(y, free, sample_weight=weights, classes=classes)
        ),
    }
