"""The pipelines of a search as a table, best first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from octavo.history import History
from octavo.tabular.model import TabularModel

__all__ = ["leaderboard"]


def leaderboard(
    history: History, model: TabularModel | None = None, *, all_trials: bool = False
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

    Returns
    -------
    DataFrame
        Columns: rank, trial, name, the metric (validation), test (the same on the test
        table, if there was one), weight (share of the ensemble), fit_s, predict_s,
        size_mb, status, cause.
    """
    objective = history.problem.objectives[0]
    weights: Mapping[int | None, float] = (
        {} if model is None else {member.trial: member.weight for member in model.members}
    )
    rows = []
    for trial in history:
        if not trial.succeeded and not all_trials:
            continue
        extra = trial.extra
        rows.append(
            {
                "trial": trial.index,
                "name": extra.get("name", trial.config.get("model", "")),
                objective.name: objective.value(trial.costs[0]),
                "test": extra.get("test", float("nan")),
                "weight": weights.get(trial.index, 0.0),
                "fit_s": extra.get("fit_s", trial.resources.wall_s),
                "predict_s": extra.get("predict_s", float("nan")),
                "size_mb": extra.get("size_bytes", float("nan")) / 2**20,
                "status": trial.status.value,
                "cause": trial.cause,
            }
        )
    columns = [
        "rank", "trial", "name", objective.name, "test", "weight",
        "fit_s", "predict_s", "size_mb", "status", "cause",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns[1:])
    table = table.sort_values(
        objective.name, ascending=not objective.maximize, kind="stable", na_position="last"
    ).reset_index(drop=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    if table["test"].isna().all():
        table = table.drop(columns="test")
    return table
