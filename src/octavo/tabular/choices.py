"""Ensembles to choose from: the front of score against time per row, size and fairness gaps.

All are made of the members of the ensemble that was found, so that any of them can be had at
once, without the search. Their scores are those on validated rows, before calibration and
decisions, which are fitted anew for the one that is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.amounts import is_whole
from octavo.ensemble.budgets import FrontPoint, front
from octavo.ensemble.calibration import calibrate
from octavo.ensemble.fairness import fairness_gap
from octavo.ensemble.thresholds import tune_decision
from octavo.errors import SettingError, StudyError
from octavo.tabular.artefact import model_needs
from octavo.tabular.finish import conformal_of

if TYPE_CHECKING:
    import pandas as pd

    from octavo.tabular.model import Member, TabularModel
    from octavo.tabular.search import SearchResult

__all__ = ["chosen", "front_points", "front_table"]

Floats = NDArray[np.float64]

ON_FRONT = ("inference_time", "model_size")


def front_points(result: SearchResult) -> tuple[FrontPoint, ...]:
    """The front of a search's result, best score first; weights are of the model's members.

    Raises
    ------
    StudyError
        If the run is of an Octavo that kept no predictions of members.
    """
    evidence, prepared, model = result.evidence, result.prepared, result.model
    members, rows = evidence.members, evidence.member_rows
    if members is None or rows is None:
        raise StudyError(
            "this run kept no predictions of the ensemble's members, because an earlier Octavo "
            "made it. Search again to choose from a front."
        )
    y = evidence.y[rows]
    weights = None if evidence.weights is None else evidence.weights[rows]
    needs = model_needs(model, result.member_trials, prepared.resampling)
    amounts = {name: needs[name] for name in ON_FRONT if np.isfinite(needs[name]).all()}
    measures: dict[str, Callable[[Floats], float]] = {}
    several = len(evidence.groups) > 1
    for column, groups in evidence.groups:
        taken = groups.take(rows)

        def gap(mixture: Floats, name: str, taken: Any = taken) -> float:
            labels = mixture.argmax(axis=1)
            found = fairness_gap(
                name, y, labels, taken, n_classes=mixture.shape[1], sample_weight=weights
            )
            return found if math.isfinite(found) else 1.0

        for name in ("demographic_parity", "equalized_odds"):
            measures[f"{name} ({column})" if several else name] = partial(gap, name=name)
    return front(
        members,
        y,
        prepared.metric,
        amounts=amounts,
        weights=[member.weight for member in model.members],
        measures=measures,
        sample_weight=weights,
        classes=prepared.target.labels if prepared.target.is_classification else None,
    )


def front_table(result: SearchResult) -> pd.DataFrame:
    """The front as a table: one row per ensemble, best score first.

    Returns
    -------
    DataFrame
        Columns: the metric, members (how many), row_us (microseconds per row, added up from
        what was measured of members), size_mb, fairness gaps, ensemble (in words). Its index is
        what `choose` takes.
    """
    import pandas as pd

    rows = []
    for point in front_points(result):
        amounts = dict(point.amounts)
        row: dict[str, Any] = {
            result.prepared.metric.name: point.score,
            "members": sum(weight > 0 for weight in point.weights),
        }
        if "inference_time" in amounts:
            row["row_us"] = 1e6 * amounts.pop("inference_time")
        if "model_size" in amounts:
            row["size_mb"] = amounts.pop("model_size") / 2**20
        rows.append({**row, **amounts, "ensemble": _in_words(result, point)})
    return pd.DataFrame(rows)


def chosen(result: SearchResult, number: int) -> SearchResult:
    """The result with the ensemble of one row of the front as its model.

    Calibration, decision rule and conformal prediction are fitted anew on validated rows, of
    which at most 20,000 are used.

    Raises
    ------
    SettingError
        If the front has no such row.
    """
    points = front_points(result)
    if not is_whole(number, 0) or number >= len(points):
        raise SettingError(
            f"choose got {number!r}, but the front has the rows 0 to {len(points) - 1}. Look at "
            "front() and give the number of one of them."
        )
    weights = np.array(points[number].weights)
    old, evidence, prepared = result.model, result.evidence, result.prepared
    assert evidence.members is not None and evidence.member_rows is not None
    kept = np.flatnonzero(weights)
    rows = evidence.member_rows
    mixture = np.tensordot(weights, evidence.members.astype(np.float64), axes=1)
    y = evidence.y[rows]
    shares = None if evidence.weights is None else evidence.weights[rows]
    calibration = rule = None
    if old.is_classifier:
        mixture = mixture / mixture.sum(axis=1, keepdims=True)
        if old.calibration is not None:
            calibration = calibrate(mixture, y, sample_weight=shares, seed=result.seed)
            mixture = calibration.apply(mixture)
        if old.rule is not None and prepared.metric.kind == "labels":
            rule = tune_decision(
                mixture,
                y,
                prepared.metric,
                sample_weight=shares,
                classes=prepared.target.labels,
                seed=result.seed,
            )
    # Bounds were kept by the ensemble that was found; what is chosen here speaks for itself.
    info = {k: v for k, v in old.info.items() if k not in ("bounds", "cost_of_bounds")}
    model = replace(
        old,
        members=_weighted(old, weights),
        calibration=calibration,
        rule=rule,
        fair=None,
        info={
            **info,
            "chosen_from_front": int(number),
            "validation_score": points[number].score,
        },
    )
    seen = replace(
        evidence,
        y=y,
        scores=mixture,
        weights=shares,
        members=evidence.members[kept],
        member_rows=np.arange(len(rows)),
        groups=tuple((name, groups.take(rows)) for name, groups in evidence.groups),
        group_labels=None if evidence.group_labels is None else evidence.group_labels[rows],
    )
    own = evidence.members[kept]
    model = replace(model, conformal=conformal_of(model, seen, own, seed=result.seed))
    folds = result.folds
    if folds is not None:
        folds = replace(model, members=_weighted(folds, weights))
    return replace(result, model=model, evidence=seen, folds=folds)


def _weighted(model: TabularModel, weights: Floats) -> tuple[Member, ...]:
    """The members that have a weight, with these."""
    return tuple(
        replace(model.members[at], weight=float(weights[at])) for at in np.flatnonzero(weights)
    )


def _in_words(result: SearchResult, point: FrontPoint) -> str:
    members = result.model.members
    order = sorted(range(len(members)), key=lambda at: -point.weights[at])
    return "; ".join(
        f"{point.weights[at]:.0%} {members[at].name}" for at in order if point.weights[at] > 0
    )
