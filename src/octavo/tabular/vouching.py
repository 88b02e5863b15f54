"""The report's section on trust: what vouches for the final model, as small tables.

Whatever is cheap is always there: calibration, coverage, fairness, bounds, the front. What takes
predictions of many rows (time per row, robustness, drift of all columns together) is left out
where the report must be written in a hurry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from octavo.ensemble.conformal_intervals import (
    Intervals,
    fit_intervals,
    interval_coverage,
    interval_width,
)
from octavo.ensemble.conformal_sets import PredictionSets, fit_sets, set_coverage, set_size
from octavo.ensemble.drift import FEWEST_ROWS, column_drift, domain_auc
from octavo.ensemble.fairness import Interval
from octavo.ensemble.metrics import get_metric
from octavo.errors import SettingError
from octavo.report import FrontDot, Sheet
from octavo.report.words import number, percent
from octavo.tabular.artefact import BATCHES, row_seconds, time_per_row
from octavo.tabular.choices import front_points
from octavo.tabular.monotone import N_VALUES, directions_of, largest_reversal
from octavo.tabular.trust import fairness_found, robustness_found
from octavo.tabular.uncertainty import deviation, predicted_numbers

if TYPE_CHECKING:
    from octavo.tabular.search import SearchResult

__all__ = ["front_dots", "seconds_per_row", "sheets"]

COVERAGES = (0.8, 0.9, 0.95)
MOST_COLUMNS = 12
MONOTONE_ROWS = 30
FEW_COLUMNS, MANY_COLUMNS = 100, 2000  # whose drift is looked at in a hurry, and at all
HURRY_S = 4.0  # with less time than this, only what is cheap


def sheets(result: SearchResult, limit_s: float) -> tuple[Sheet, ...]:
    """All tables for which there is data, in their order on the page.

    Parameters
    ----------
    result
        Of a search.
    limit_s
        Seconds for what is dear.
    """
    ends = time.monotonic() + limit_s
    found = [_bounds(result), _monotone(result), _calibration(result), _coverage(result)]
    if result.prepared.sensitive and result.evidence.groups:
        found += _fairness(result)
    row_s = seconds_per_row(result)
    n_folds = len(result.prepared.resampling.folds)
    has_time = limit_s >= HURRY_S
    # A call to warm up, and one to measure; and of the rows that disturbances are tried on, each
    # is predicted by one fold's models, three times at least.
    if has_time and 2 * max(BATCHES) * row_s < 0.2 * limit_s:
        found.append(_latency(result))
    if has_time and 3 * len(result.evidence.sample) * row_s / n_folds < 0.3 * limit_s:
        found.append(_robustness(result, 0.4 * (ends - time.monotonic())))
    n_columns = len(result.evidence.sample.columns)
    if n_columns <= (MANY_COLUMNS if has_time else FEW_COLUMNS):
        found.append(_drift(result, with_all=has_time and n_columns <= FEW_COLUMNS))
    return tuple(sheet for sheet in found if sheet is not None)


def front_dots(result: SearchResult) -> tuple[FrontDot, ...]:
    """The front of score and time per row, for its drawing; empty for a single ensemble."""
    if result.evidence.members is None:
        return ()
    points = front_points(result)
    if len(points) < 2 or "inference_time" not in points[0].amounts:
        return ()
    names = [member.name for member in result.model.members]
    return tuple(
        FrontDot(
            score=point.score,
            row_us=1e6 * point.amounts["inference_time"],
            size_mb=point.amounts.get("model_size", float("nan")) / 2**20,
            detail="; ".join(
                f"{weight:.0%} {name}"
                for weight, name in zip(point.weights, names, strict=True)
                if weight > 0
            ),
        )
        for point in points
    )


def seconds_per_row(result: SearchResult) -> float:
    """What the ensemble needs per row, by what its members needed; 0 if that is not known."""
    needed = sum(row_seconds(one, result.prepared.resampling) for one in result.member_trials)
    return needed if np.isfinite(needed) else 0.0


# Each table -----------------------------------------------------------------------------


def _bounds(result: SearchResult) -> Sheet | None:
    kept = result.model.info.get("bounds", ())
    if not kept:
        return None
    cost = result.model.info["cost_of_bounds"]
    text = (
        f"Keeping them costs {number(cost['lost'], 3)} in {cost['what']} (95 % interval "
        f"{number(cost['low'], 3)} to {number(cost['high'], 3)}): {number(cost['with'])} instead "
        f"of {number(cost['without'])} on rows that the models were not fitted on."
    )
    return Sheet(
        "Bounds",
        text,
        ("Bound", "kept"),
        tuple((one["told"], "yes" if one["is_met"] else "no") for one in kept),
        alerts=tuple(at for at, one in enumerate(kept) if not one["is_met"]),
    )


def _monotone(result: SearchResult) -> Sheet | None:
    model, sample = result.model, result.evidence.sample
    directions = directions_of(model.schema)
    if not directions:
        return None
    what = model.target.name
    if model.is_classifier:
        what = f"the probability of {model.target.labels[1]}"
    rows = sample.iloc[:MONOTONE_ROWS]
    wrong = {
        name: largest_reversal(model.canonical_scores, rows, name, direction)
        for name, direction in directions.items()
    }
    return Sheet(
        "Monotone columns",
        f"If only such a column of a row grows, {what} may only rise, or only fall. Looked at in "
        f"{len(rows)} rows, each with {N_VALUES} values of the column.",
        ("Column", "may only", "largest step the other way"),
        tuple(
            (name, "rise" if direction > 0 else "fall", number(wrong[name], 3))
            for name, direction in directions.items()
        ),
        alerts=tuple(at for at, value in enumerate(wrong.values()) if value > 0),
    )


def _calibration(result: SearchResult) -> Sheet | None:
    model, evidence = result.model, result.evidence
    if not model.is_classifier:
        return None
    names = {
        "log_loss": "log loss",
        "calibration_error": "expected calibration error",
        "adaptive_calibration_error": "the same in bins of equal weight",
        "classwise_calibration_error": "of each class, averaged",
    }
    rows = []
    for name, words in names.items():
        metric = get_metric(name, model.target.kind)
        value = metric.score(evidence.y, evidence.scores, sample_weight=evidence.weights)
        rows.append((words, number(value, 3)))
    noise = float(np.sqrt(15 / len(evidence.y)))
    return Sheet(
        "Calibration",
        "How far probabilities are from what then happens, in 15 bins; 0 is perfect. On "
        f"{len(evidence.y):,} rows up to about {number(0.4 * noise, 2)} is noise.",
        ("Measure", "value"),
        tuple(rows),
    )


def _coverage(result: SearchResult) -> Sheet | None:
    """Promised and reached coverage, on rows that the promise was not made from."""
    model, evidence = result.model, result.evidence
    if model.conformal is None:
        return None
    what = "classes in a set" if model.is_classifier else "mean width"
    test_y = evidence.test_sample_y
    has_test = test_y is not None
    rows = []
    for coverage in COVERAGES:
        try:
            got, size = (_on_test if has_test else _on_halves)(result, coverage)
        except SettingError:  # too few rows for this one
            continue
        rows.append((percent(coverage), percent(got), number(size, 3)))
    if not rows:
        return None
    where = (
        f"On {len(test_y):,} test rows."
        if test_y is not None
        else "Made from one half of the validated rows and checked on the other."
    )
    made = model.conformal
    how = made.why if isinstance(made, PredictionSets) else made.describe()
    return Sheet(
        "Prediction sets" if model.is_classifier else "Prediction intervals",
        f"The share of rows whose truth is inside, by conformal prediction. {where} {how}",
        ("Promised", "reached", what),
        tuple(rows),
    )


def _on_test(result: SearchResult, coverage: float) -> tuple[float, float]:
    """On the sample of the test table, which is in canonical form."""
    model, evidence = result.model, result.evidence
    rows, y = evidence.test_sample, evidence.test_sample_y
    assert rows is not None and y is not None
    if isinstance(model.conformal, PredictionSets):
        inside = model.conformal.apply(model.canonical_scores(rows), coverage)
        return set_coverage(y, inside), set_size(inside)
    assert isinstance(model.conformal, Intervals)
    predicted, spread = predicted_numbers(model.members, rows)
    ends = model.conformal.apply(predicted, coverage, disagreement=spread)
    return interval_coverage(y, ends), interval_width(ends)


def _on_halves(result: SearchResult, coverage: float) -> tuple[float, float]:
    model, evidence = result.model, result.evidence
    y, scores, weights = evidence.y, evidence.scores, evidence.weights
    spread = None
    if not model.is_classifier and evidence.members is not None and len(model.members) > 1:
        kept = evidence.member_rows
        shares = [member.weight for member in model.members]
        spread = deviation(evidence.members, shares)
        y, scores = y[kept], scores[kept]
        weights = None if weights is None else weights[kept]
    half = np.random.default_rng(result.seed).permutation(len(y)) % 2 == 0
    share = None if weights is None else weights[half]
    rest = None if weights is None else weights[~half]
    if model.is_classifier:
        assert isinstance(model.conformal, PredictionSets)
        method = model.conformal.method
        sets = fit_sets(scores[half], y[half], method=method, sample_weight=share)
        inside = sets.apply(scores[~half], coverage)
        return (
            set_coverage(y[~half], inside, sample_weight=rest),
            set_size(inside, sample_weight=rest),
        )
    found = fit_intervals(
        y[half],
        scores[half],
        disagreement=None if spread is None else spread[half],
        sample_weight=share,
    )
    ends = found.apply(
        scores[~half], coverage, disagreement=None if spread is None else spread[~half]
    )
    return (
        interval_coverage(y[~half], ends, sample_weight=rest),
        interval_width(ends, sample_weight=rest),
    )


def _fairness(result: SearchResult) -> list[Sheet | None]:
    found: list[Sheet | None] = []
    for one in fairness_found(result):
        gaps = "; ".join(f"{gap.name.replace('_', ' ')} {_within(gap.gap)}" for gap in one.gaps)
        text = f"Largest differences between groups, with 95 % intervals: {gaps}."
        text += "".join(f" {note}" for note in one.notes)
        is_binary = one.groups[0].selection is not None
        head: tuple[str, ...] = ("Group", "rows", "accuracy")
        favourable = str((result.model.target.classes or ("", "1"))[1])
        if is_binary:
            head += (f"decided {favourable}", "true positives", "false positives")
        rows = []
        for group in one.groups:
            row: tuple[str, ...] = (group.name, f"{group.n_rows:,}", _within(group.accuracy))
            if is_binary:
                row += tuple(
                    _within(rate)
                    for rate in (group.selection, group.true_positive, group.false_positive)
                    if rate is not None
                )
            rows.append(row)
        found.append(Sheet(f"Fairness: {one.column}", text, head, tuple(rows)))
    return found


def _within(found: Interval) -> str:
    if not np.isfinite(found.value):
        return "–"
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def _latency(result: SearchResult) -> Sheet | None:
    if not len(result.evidence.sample):
        return None
    found = time_per_row(result.model, result.evidence.sample, limit_s=2.0)
    return Sheet(
        "Time per row",
        "Measured when this report was written, from a table in memory to predictions, with all "
        "that the machine did besides.",
        ("Rows per call", "median", "95 % of calls", "calls"),
        tuple(
            (
                f"{one.batch:,}",
                f"{number(one.p50_us, 3)} µs",
                f"{number(one.p95_us, 3)} µs",
                str(one.n_calls),
            )
            for one in found
        ),
    )


def _robustness(result: SearchResult, limit_s: float) -> Sheet | None:
    if not len(result.evidence.sample):
        return None
    found = robustness_found(result, repeats=2, limit_s=limit_s)
    if not found:
        return None
    metric = result.prepared.metric
    return Sheet(
        "Robustness",
        f"The {metric.name} of the same rows when their columns are disturbed, each row by models "
        "that have not seen it.",
        ("Disturbance", metric.name, "change"),
        tuple(
            (
                one.describe(),
                number(one.score),
                ("+" if one.change > 0 else "") + number(one.change, 3),
            )
            for one in found
        ),
    )


def _drift(result: SearchResult, *, with_all: bool) -> Sheet | None:
    evidence = result.evidence
    train, other = evidence.sample, evidence.test_sample
    if other is None or min(len(train), len(other)) < FEWEST_ROWS or not len(train.columns):
        return None
    found = column_drift(train, other)
    drifted = [one for one in found if one.has_drifted]
    shown = found[: max(MOST_COLUMNS, min(len(drifted), 2 * MOST_COLUMNS))]
    text = (
        f"{len(drifted)} of {len(found)} columns are distributed otherwise among the test rows "
        "than in training (p < 0.05, adjusted for the number of columns)."
    )
    if with_all:
        area, (low, high) = domain_auc(train, other, seed=result.seed)
        text += (
            f" A model that tells test rows from training rows has an area under the ROC curve of "
            f"{number(area, 3)} ({number(low, 3)} to {number(high, 3)}); 0.5 means that it cannot."
        )
    if len(shown) < len(found):
        text += f" The {len(shown)} columns that differ most are shown."
    rows: list[tuple[str, ...]] = [
        (one.name, number(one.psi, 2), number(one.statistic, 2), _p(one.p_value)) for one in shown
    ]
    return Sheet(
        "Drift of the test rows",
        text,
        ("Column", "stability index", "KS distance", "p"),
        tuple(rows),
        alerts=tuple(at for at, one in enumerate(shown) if one.has_drifted),
    )


def _p(value: Any) -> str:
    return "<0.001" if value < 0.001 else number(value, 2)
