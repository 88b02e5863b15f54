"""The pipelines of a search as a table, best first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from octavo.ensemble.resampling import Resampling
from octavo.history import History
from octavo.tabular.artefact import row_seconds
from octavo.tabular.model import TabularModel

if TYPE_CHECKING:
    from octavo.tabular.stacking import Stacked

__all__ = ["leaderboard"]


def leaderboard(
    history: History,
    model: TabularModel | None = None,
    *,
    all_trials: bool = False,
    resampling: Resampling | None = None,
    stacked: Stacked | None = None,
) -> pd.DataFrame:
    """One row per pipeline, best first.

    Parameters
    ----------
    history
        Of the search.
    model
        Its final model, for the weights.
    all_trials
        Whether to list failed ones too.
    resampling
        How pipelines were validated: the time per row can be told then.
    stacked
        What stands on the predictions of others, to be listed too; numbered from the end of the
        history on. Times and sizes include those of what it stands on.

    Returns
    -------
    DataFrame
        Columns: rank, trial, name, the metric (validation), test (the same on the test
        table, if there was one), rows (on how many each fold's pipeline was fitted, where
        samples were taken), weight (share of the ensemble), fit_s, predict_s,
        row_us (microseconds that its pipelines, one per fold, need per row), size_mb,
        memory_mb (peak of its trial), status, cause.
    """
    objective = history.problem.objectives[0]
    weights: Mapping[int | None, float] = (
        {} if model is None else {member.trial: member.weight for member in model.members}
    )
    rows = []
    for trial in (*history, *(() if stacked is None else stacked.trials)):
        if not trial.succeeded and not all_trials:
            continue
        extra = trial.extra
        rows.append(
            {
                "trial": trial.index,
                "name": extra.get("name", trial.config.get("model", "")),
                objective.name: objective.value(trial.costs[0]),
                "test": extra.get("test", float("nan")),
                "rows": float("nan")
                if trial.proposal.fidelity is None
                else trial.proposal.fidelity,
                "weight": weights.get(trial.index, 0.0),
                "fit_s": extra.get("fit_s", trial.resources.wall_s),
                "predict_s": extra.get("predict_s", float("nan")),
                "row_us": float("nan")
                if resampling is None
                else 1e6 * row_seconds(trial, resampling),
                "size_mb": extra.get("size_bytes", float("nan")) / 2**20,
                "memory_mb": float("nan")
                if trial.resources.memory_mb is None
                else trial.resources.memory_mb,
                "status": trial.status.value,
                "cause": trial.cause,
            }
        )
    columns = [
        "rank", "trial", "name", objective.name, "test", "rows", "weight",
        "fit_s", "predict_s", "row_us", "size_mb", "memory_mb", "status", "cause",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns[1:])
    table = table.sort_values(
        objective.name, ascending=not objective.maximize, kind="stable", na_position="last"
    ).reset_index(drop=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    # What nobody measured has no column.
    unknown = [name for name in ("test", "rows", "row_us", "memory_mb") if table[name].isna().all()]
    return table.drop(columns=unknown)
