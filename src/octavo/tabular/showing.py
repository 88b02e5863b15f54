"""Effects and contributions of columns as the report and the command line draw them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from octavo.errors import DataError, SettingError
from octavo.report import EffectCurve, Swarm
from octavo.report.effect_figures import shades
from octavo.tabular.effects import Effect, effect
from octavo.tabular.explaining import Explanation, explain, fold_models
from octavo.tabular.vouching import seconds_per_row

if TYPE_CHECKING:
    from octavo.tabular.model import TabularModel
    from octavo.tabular.search import SearchResult

__all__ = ["curve_of", "effects_shown", "swarm_of", "swarm_shown"]

MOST_EFFECTS = 6
EFFECT_ROWS, GRID = 100, 15
SWARM_ROWS, ROUNDS = 150, 8
FEWEST_ROWS = 20  # fewer show no shape
FIRST_ROWS = 5  # explained whatever the time: see `explain`


def curve_of(found: Effect, label: Any = None) -> EffectCurve:
    """The effect of one column on one output, to be drawn."""
    at, dependence = found.place(label), found.found
    return EffectCurve(
        column=found.columns[0],
        said=found.said(label),
        grid=dependence.grid[0],
        labels=found.labels[0],
        mean=dependence.mean[:, at],
        low=dependence.low[:, at],
        high=dependence.high[:, at],
        curves=dependence.curves[:, :, at],
        deciles=dependence.deciles[0],
    )


def swarm_of(found: Explanation, label: Any = None) -> Swarm:
    """The contributions to one output, to be drawn."""
    one = found.of_class(label)
    columns = [one.rows.iloc[:, at] for at in range(len(one.columns))]
    return Swarm(
        said=f"probability of {one.classes[0]}" if one.classes else one.target,
        columns=one.columns,
        values=one.values,
        shades=np.column_stack([shades(column) for column in columns]),
        words=tuple(tuple(one.words(at)) for at in range(len(columns))),
        base=float(one.base),
        notes=one.notes,
    )


def effects_shown(
    result: SearchResult, ranked: Sequence[str], limit_s: float
) -> tuple[EffectCurve, ...]:
    """Of the columns that matter most, as many as time allows, on rows unseen by the models.

    Parameters
    ----------
    result
        Of a search.
    ranked
        Names, the most important first.
    limit_s
        Seconds that it may take.
    """
    ends = time.monotonic() + limit_s
    model, rows = _of_a_fold(result)
    n_rows = _affordable(result, 0.5 * limit_s, GRID)
    if min(n_rows, len(rows)) < FEWEST_ROWS:
        return ()
    found: list[EffectCurve] = []
    slowest = 0.0
    for name in ranked:
        began = time.monotonic()
        if len(found) == MOST_EFFECTS or began + slowest > ends:
            break
        try:
            one = effect(
                model, rows, name, grid_size=GRID, max_rows=min(n_rows, EFFECT_ROWS),
                seed=result.seed,
            )  # fmt: skip
        except (DataError, SettingError):  # texts, and what is missing everywhere
            continue
        if len(one.found.grid[0]) > 1:
            found.append(curve_of(one))
        slowest = max(slowest, time.monotonic() - began)
    return tuple(found)


def swarm_shown(result: SearchResult, limit_s: float) -> Swarm | None:
    """Contributions to rows unseen by the models; None if time does not allow for enough rows."""
    model, rows = _of_a_fold(result)
    p = rows.shape[1]
    if _affordable(result, 0.5 * limit_s, 2 * ROUNDS * p) < FIRST_ROWS or not p:
        return None
    found = explain(
        model,
        rows,
        result.evidence.sample,
        rounds=ROUNDS,
        max_rows=SWARM_ROWS,
        time_limit_s=limit_s,
        seed=result.seed,
    )
    if len(found.values) < min(FEWEST_ROWS, len(rows)):
        return None
    where = "These are rows that the models have not seen."
    return swarm_of(replace(found, notes=(where, *found.notes)))


def _of_a_fold(result: SearchResult) -> tuple[TabularModel, Any]:
    """The models of the fold with most rows in the sample, and these rows."""
    evidence = result.evidence
    fold = int(np.bincount(evidence.sample_fold).argmax())
    rows = evidence.sample.iloc[evidence.sample_fold == fold]
    return fold_models(result.validated, fold), rows


def _affordable(result: SearchResult, limit_s: float, predictions: int) -> int:
    """How many rows may be predicted so often, by what the members needed in the search."""
    row_s = seconds_per_row(result) / len(result.prepared.resampling.folds)
    return int(min(limit_s / max(row_s * predictions, 1e-9), 1e6)) if limit_s > 0 else 0
