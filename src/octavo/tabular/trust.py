"""What vouches for a search's model, as tables: fairness by group, robustness, and its needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octavo.ensemble.fairness import Fairness, Groups, Interval, fairness
from octavo.ensemble.robustness import Disturbed, robustness
from octavo.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from octavo.tabular.search import SearchResult

__all__ = ["fairness_found", "fairness_table", "robustness_found", "robustness_table"]


def fairness_found(result: SearchResult, X: Any = None, y: Any = None) -> tuple[Fairness, ...]:
    """Rates and gaps for each sensitive column, on validated rows or on a table.

    Raises
    ------
    SettingError
        If no sensitive column was named, or only one of `X` and `y` is given.
    """
    model, evidence = result.model, result.evidence
    if not result.prepared.sensitive:
        raise SettingError(
            "no sensitive column was named, so there are no groups to compare. Fit with "
            "sensitive='...', the name of a column of the training table."
        )
    if (X is None) != (y is None):
        raise SettingError(
            f"fairness got {'y without X' if X is None else 'X without y'}. Give both, a table and "
            "its target, or neither for the validated rows."
        )
    n_classes = len(model.target.classes or ())
    if X is None:
        truth, labels, weights = evidence.y, evidence.decided(model), evidence.weights
        each = list(evidence.groups)
    else:
        truth, weights = model.target.encode(y), None
        labels = model.target.encode(model.predict(X))
        each = [
            (one.column.name, Groups.of(one.column.labels(X))) for one in result.prepared.sensitive
        ]
    return tuple(
        fairness(
            column,
            truth,
            labels,
            groups,
            n_classes=n_classes,
            sample_weight=weights,
            seed=result.seed,
        )
        for column, groups in each
    )


def fairness_table(result: SearchResult, X: Any = None, y: Any = None) -> pd.DataFrame:
    """The same as one table: a row per rate of a group, and per gap between groups.

    Returns
    -------
    DataFrame
        Columns: column, group ("" for a gap), rows, measure, value, low, high (95 % interval).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for found in fairness_found(result, X, y):
        total = sum(group.n_rows for group in found.groups)
        for gap in found.gaps:
            rows.append(_row(found.column, "", total, gap.name, gap.gap))
        for group in found.groups:
            rates = {
                "accuracy": group.accuracy,
                "selection_rate": group.selection,
                "true_positive_rate": group.true_positive,
                "false_positive_rate": group.false_positive,
            }
            rows += [
                _row(found.column, group.name, group.n_rows, name, rate)
                for name, rate in rates.items()
                if rate is not None
            ]
    return pd.DataFrame(rows)


def robustness_found(
    result: SearchResult, *, repeats: int = 3, limit_s: float | None = None, seed: int = 0
) -> tuple[Disturbed, ...]:
    """Scores with disturbed columns, each row by models that have not seen it.

    Where decisions differ by group, those of the most probable class are scored.
    """
    evidence, prepared = result.evidence, result.prepared
    rule = result.model.rule
    return robustness(
        lambda rows: evidence.predict_unseen(result.validated, rows),
        evidence.sample,
        evidence.sample_y,
        prepared.metric,
        repeats=repeats,
        time_limit_s=limit_s,
        classes=prepared.target.labels if prepared.target.is_classification else None,
        decide=None if rule is None else rule.apply,
        seed=seed,
    )


def robustness_table(result: SearchResult, *, seed: int = 0) -> pd.DataFrame:
    """The same as a table: what was disturbed, its strength, the score and its change."""
    import pandas as pd

    name = result.prepared.metric.name
    return pd.DataFrame(
        [
            {
                "disturbance": one.describe(),
                "kind": one.kind,
                "strength": one.strength,
                name: one.score,
                "change": one.change,
            }
            for one in robustness_found(result, seed=seed)
        ]
    )


def _row(column: str, group: str, n_rows: int, measure: str, found: Interval) -> dict[str, Any]:
    return {
        "column": column,
        "group": group,
        "rows": n_rows,
        "measure": measure,
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }
