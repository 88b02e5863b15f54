"""The report of a tabular search: what `octavo.report` draws, gathered from a result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ensemble.importance import FEWEST_ROWS, permutation_importance
from octavo.measured import FIELDS, method
from octavo.problem import Objective
from octavo.report import (
    Feature,
    Member,
    ModelRow,
    Predictions,
    ReportData,
    Setting,
    TrialPoint,
    write,
)
from octavo.tabular.artefact import model_needs
from octavo.tabular.evidence import validation_interval, validation_score
from octavo.tabular.leaderboard import leaderboard
from octavo.tabular.models import CATALOG
from octavo.tabular.search import SearchResult
from octavo.tabular.showing import effects_shown, swarm_shown
from octavo.tabular.vouching import front_dots, sheets
from octavo.trial import Resources, Status, Trial

__all__ = ["report_data", "write_report"]

IMPORTANCE_S = 20.0
_NOT_MEASURED = (
    "There was no time to measure which columns matter; writing the report again takes it: "
    "octavo report RUN, or report() in Python."
)


def write_report(result: SearchResult, path: Path, *, importance_s: float = IMPORTANCE_S) -> Path:
    """Write the report of a search to an HTML file, or a model card to one that ends in ".md".

    Parameters
    ----------
    result
        Of `search_table`.
    path
        The file.
    importance_s
        Seconds for measuring the importance of columns, their effects, the time per row and
        robustness; it takes what it needs up to that.
    """
    return write(report_data(result, importance_s=importance_s), path)


def report_data(result: SearchResult, *, importance_s: float = IMPORTANCE_S) -> ReportData:
    """Everything that the report shows."""
    prepared, history, evidence, model = (
        result.prepared,
        result.history,
        result.evidence,
        result.model,
    )
    objective = history.problem.objectives[0]
    target, metric = prepared.target, prepared.metric
    began = float(np.nanmin(history.started))
    board = leaderboard(history, model, resampling=prepared.resampling, stacked=result.stacked)
    started = time.monotonic()
    trust = sheets(result, importance_s)
    left_s = max(importance_s - (time.monotonic() - started), 0.0)
    importance = _importance(result, 0.5 * left_s)
    left_s = max(importance_s - (time.monotonic() - started), 0.0)
    effects = effects_shown(result, [feature.name for feature in importance], 0.4 * left_s)
    left_s = max(importance_s - (time.monotonic() - started), 0.0)
    broken = [one["told"] for one in model.info.get("bounds", ()) if not one["is_met"]]
    return ReportData(
        target=target.name,
        task=target.kind,
        metric=metric.name,
        score=validation_score(evidence, prepared, model),
        greater_is_better=metric.greater_is_better,
        title=f"Predicting {target.name}",
        interval=validation_interval(evidence, prepared, model, seed=result.seed),
        baseline=evidence.baseline,
        baseline_name=evidence.baseline_name,
        optimum=metric.optimum if np.isfinite(metric.optimum) else None,
        test_score=result.path[-1].test_score,
        n_rows=int(model.info["n_rows"]),
        columns=evidence.columns,
        warnings=(*prepared.warnings, *broken),
        leaderboard=tuple(
            ModelRow(
                name=str(row["name"]),
                score=float(row[metric.name]),
                test_score=_finite(row.get("test")),
                fit_s=_finite(row["fit_s"]),
                predict_s=_finite(row["predict_s"]),
                weight=float(row["weight"]),
            )
            for row in board.to_dict(orient="records")
        ),
        ensemble=tuple(
            Member(name=member.name, weight=member.weight)
            for member in sorted(model.members, key=lambda member: -member.weight)
        ),
        progress=tuple(
            (step.elapsed_s, objective.value(step.cost)) for step in history.trajectory()
        ),
        ensemble_progress=tuple((step.at_s, step.score) for step in result.path),
        trials=tuple(
            _point(trial, objective, began)
            for trial in history
            if trial.status is not Status.CANCELLED  # was never begun
        ),
        space=_settings_of(prepared.space),
        validation=Predictions(
            y_true=evidence.y,
            prediction=evidence.scores,
            classes=tuple(str(label) for label in target.classes or ()),
            labels=evidence.decided(model) if model.is_classifier else None,
        ),
        importance=importance,
        effects=effects,
        swarm=swarm_shown(result, 0.8 * left_s),
        trust=trust,
        front=front_dots(result),
        judged=prepared.resampling.why,
        stopped=_ended(result) if importance else f"{_ended(result)} {_NOT_MEASURED}",
        resources=_resources(result),
        versions=dict(model.info["versions"]),
        settings={"seed": str(result.seed), "metric": metric.name, "task": target.kind},
        created=time.strftime("%Y-%m-%d %H:%M"),
    )


def _ended(result: SearchResult) -> str:
    """Why the search ended, samples, stacking, last fits, what it could not try, in sentences."""
    absent = [sentence[0].upper() + sentence[1:] for sentence in result.prepared.not_tried]
    ended = f"The search ended: {result.stopped_because}."
    sampling = result.model.info.get("sampling", {})
    sampled = [sampling["told"]] if sampling else []
    return " ".join([ended, *sampled, result.stacked.told, result.refitted.told, *absent])


def _finite(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _title(model: str) -> str:
    return CATALOG[model].title if model in CATALOG else model


def _point(trial: Trial, objective: Objective, began: float) -> TrialPoint:
    return TrialPoint(
        elapsed_s=(trial.ended or began) - began,
        model=_title(str(trial.config.get("model", ""))),
        score=objective.value(trial.costs[0]) if trial.succeeded else None,
        status=trial.status.value,
        detail=str(trial.extra.get("name", trial.cause)),
    )


def _settings_of(space: Any) -> tuple[Setting, ...]:
    """The searched hyperparameters in words, by family."""
    found = []
    for domain in space.domains:
        if domain.is_fixed:
            continue
        family, _, own = domain.name.partition(".")
        found.append(
            Setting(
                model=_title(family) if own else "All models",
                name=own or family,
                choices=_choices(domain),
            )
        )
    return tuple(found)


def _choices(domain: Any) -> str:
    if domain.choices:
        return ", ".join(map(str, domain.choices))
    low, high = domain.low, domain.high
    if domain.scale is not None:
        low, high = domain.scale.value(np.array([low, high]))
    return f"{low:g} to {high:g}" + (", log scale" if domain.log else "")


def _importance(result: SearchResult, limit_s: float) -> tuple[Feature, ...]:
    if limit_s <= 0:
        return ()
    evidence, prepared = result.evidence, result.prepared
    began = time.monotonic()
    rows = _rows_in_time(result, limit_s)
    found = permutation_importance(
        lambda table: evidence.predict_unseen(result.validated, table),
        evidence.sample.iloc[rows],
        evidence.sample_y[rows],
        prepared.metric,
        time_limit_s=limit_s - (time.monotonic() - began),
        classes=prepared.target.labels if prepared.target.is_classification else None,
        seed=result.seed,
    )
    if not np.isfinite(found.mean).all():  # the first columns would seem to be those that matter
        return ()
    return tuple(
        Feature(
            name=found.columns[at],
            mean=found.mean[at],
            low=_finite(found.low[at]),
            high=_finite(found.high[at]),
        )
        for at in found.ranked()
    )


def _rows_in_time(result: SearchResult, limit_s: float) -> NDArray[np.int64]:
    """Places in the sample of rows: all, or those of one fold where time is short.

    However few the rows, those of several folds ask the pipelines of each, and often it is calling
    these that takes the time.
    """
    evidence = result.evidence
    few = evidence.sample.iloc[:FEWEST_ROWS]
    began = time.monotonic()
    evidence.predict_unseen(result.validated, few)
    once_s = time.monotonic() - began
    if once_s * len(evidence.sample.columns) < 0.5 * limit_s:
        return np.arange(len(evidence.sample))
    return np.flatnonzero(evidence.sample_fold == np.bincount(evidence.sample_fold).argmax())


def _resources(result: SearchResult) -> dict[str, str]:
    resources = [trial.resources for trial in result.history]
    cpu_s = sum(one.cpu_s or 0.0 for one in resources)
    peaks = [one.memory_mb for one in resources if one.memory_mb is not None]
    needs = model_needs(result.model, result.member_trials, result.prepared.resampling)
    size = needs["model_size"].sum()
    found = {
        "Wall clock": f"{result.wall_s:.1f} s",
        "CPU time of all models": f"{cpu_s:.1f} s",
        "Models tried": str(sum(trial.succeeded for trial in result.history)),
        "Size of the ensemble": f"{size / 2**20:.1f} MiB" if np.isfinite(size) else "unknown",
    }
    if peaks:
        found["Peak memory of one model"] = f"{max(peaks):.0f} MiB"
    for word, name, unit in (("Energy", "energy", "Wh"), ("CO2", "co2", "g")):
        totals = _totals(resources, name)
        if totals:
            found[f"{word} of all models"] = ", ".join(
                f"{1000 * total:.3g} {unit} ({how})" for how, total in totals.items()
            )
    return found


def _totals(resources: Sequence[Resources], name: str) -> dict[str, float]:
    """The sum of one of the quantities of `octavo.measured`, for each way it was measured."""
    totals: dict[str, float] = {}
    for one in resources:
        value: float | None = getattr(one, FIELDS[name])
        if value is not None:
            how = method(one.how, name)
            totals[how] = totals.get(how, 0.0) + value
    return totals
