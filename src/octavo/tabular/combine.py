"""From finished pipelines to the model that the user gets: ensemble, calibration, decisions."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ensemble.calibration import calibrate
from octavo.ensemble.selection import Selection
from octavo.ensemble.thresholds import tune_decision
from octavo.ensemble.thrift import thrifty
from octavo.tabular.artefact import member_needs
from octavo.tabular.collect import Candidate, Collector
from octavo.tabular.model import Member, TabularModel
from octavo.tabular.pipeline import Pipeline
from octavo.tabular.prepare import Prepared
from octavo.tabular.settings import SearchSettings

__all__ = ["combine", "fewer_members"]

logger = logging.getLogger(__name__)


def fewer_members(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    selection: Selection,
    settings: SearchSettings,
    *,
    time_limit_s: float | None,
) -> Selection:
    """The selection without members that cost much and help little.

    Parameters
    ----------
    prepared, candidates, selection, settings
        Of the search.
    time_limit_s
        Nothing is left out after so many seconds.
    """
    if settings.ensemble_thrift == 0:
        return selection
    members = list(selection.indices)
    needs = member_needs([candidates[at].trial for at in members], prepared.resampling)
    prices = np.full(len(candidates), np.inf)
    prices[members] = _shares(needs["inference_time"]) + _shares(needs["model_size"])
    rows = prepared.resampling.validated
    return thrifty(
        selection,
        [candidate.oof for candidate in candidates],
        prepared.y[rows],
        prepared.metric,
        prices=prices,
        given_up=settings.ensemble_thrift,
        size=settings.ensemble_size,
        sample_weight=None if prepared.weights is None else prepared.weights[rows],
        classes=prepared.target.labels if prepared.target.is_classification else None,
        time_limit_s=time_limit_s,
    )


def _shares(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each in what all known ones need; infinite where unknown."""
    known = amounts[np.isfinite(amounts)].sum()
    return amounts / known if known > 0 else amounts


def combine(
    prepared: Prepared,
    collector: Collector,
    selection: Selection,
    settings: SearchSettings,
    *,
    seed: int,
    info: Mapping[str, Any],
) -> TabularModel:
    """Build the final model from the selected pipelines.

    Parameters
    ----------
    prepared
        What was asked.
    collector
        Where the pipelines lie.
    selection
        Weights over `collector.candidates`.
    settings
        Whether to calibrate and to tune decisions.
    seed
        Of calibration's and the decision rule's own cross-validation.
    info
        Kept with the model.
    """
    candidates = collector.candidates
    members = _load_members(candidates, selection, collector)
    rows = prepared.resampling.validated
    y = prepared.y[rows]
    weights = None if prepared.weights is None else prepared.weights[rows]
    calibration = rule = None
    if prepared.target.is_classification:
        oof = selection.combine([candidate.oof for candidate in candidates])
        oof = oof / oof.sum(axis=1, keepdims=True)  # float32 on disk: sums are off by 1e-7
        if settings.calibrate and not prepared.metric.ranks:
            calibration = calibrate(oof, y, sample_weight=weights, seed=seed)
            oof = calibration.apply(oof)
        if settings.tune_decision and prepared.metric.kind == "labels":
            rule = tune_decision(
                oof,
                y,
                prepared.metric,
                sample_weight=weights,
                classes=prepared.target.labels,
                seed=seed,
            )
    return TabularModel(
        schema=prepared.schema,
        target=prepared.target,
        members=members,
        metric=prepared.metric.name,
        calibration=calibration,
        rule=rule,
        info=info,
    )


def _load_members(
    candidates: list[Candidate], selection: Selection, collector: Collector
) -> tuple[Member, ...]:
    loaded: dict[int, tuple[Pipeline, ...]] = {}
    members = []
    for at in selection.indices:
        one = candidates[at]
        try:
            for number in (one.trial.index,) if one.second is None else one.second.trials:
                if number not in loaded:
                    loaded[number] = collector.pipelines(number)
        except (OSError, pickle.UnpicklingError, EOFError) as error:
            # Its predictions were good, but its models are gone: go on with the others.
            logger.warning("The models of trial %d cannot be read: %s", number, error)
            continue
        pipelines = loaded[one.trial.index] if one.second is None else one.second.on(loaded)
        members.append((one.trial, float(selection.weights[at]), pipelines))
    total = sum(weight for _, weight, _ in members)
    return tuple(
        Member(
            name=str(trial.extra["name"]),
            trial=trial.index,
            weight=float(np.divide(weight, total)),
            pipelines=pipelines,
        )
        for trial, weight, pipelines in members
    )
