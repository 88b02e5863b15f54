"""The model card: the report's words and tables in Markdown, for a repository or a review.

Mitchell et al. (2019), Model Cards for Model Reporting, FAT*: what the model is for, how it was
judged, on which data, how it treats groups, and what to watch out for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from octavo.report.data import EffectCurve, ReportData, Swarm
from octavo.report.effect_figures import value_words
from octavo.report.words import duration, number, percent

__all__ = ["render_markdown"]

MOST_COLUMNS = 20
MOST_VALUES = 7  # of a curve

_TASKS = {
    "binary": "Two-class prediction",
    "multiclass": "Prediction of classes",
    "regression": "Prediction of a number",
}


def render_markdown(data: ReportData) -> str:
    """The card as text.

    Examples
    --------
    >>> card = render_markdown(ReportData(target="price", task="regression", metric="rmse",
    ...                                   score=2.5, greater_is_better=False))
    >>> card.splitlines()[0]
    '# Predicting price'
    """
    parts = [f"# {_safe(data.title or f'Predicting {data.target}')}", _lead(data)]
    if data.warnings:
        parts.append("## Warnings\n\n" + "\n".join(f"- {_safe(one)}" for one in data.warnings))
    if data.judged or data.stopped:
        parts.append("## How it was judged\n\n" + _safe(f"{data.judged} {data.stopped}".strip()))
    for sheet in data.trust:
        table = _table(sheet.head, sheet.rows)
        parts.append(f"## {_safe(sheet.title)}\n\n{_safe(sheet.text)}\n\n{table}")
    if data.importance:
        ranked = sorted(data.importance, key=lambda one: -one.mean)[:20]
        rows = [
            (one.name, number(one.mean, 3), number(one.low, 3), number(one.high, 3))
            for one in ranked
        ]
        parts.append(
            "## What matters\n\nHow much worse the score gets when a column is shuffled.\n\n"
            + _table(("Column", "loss", "low", "high"), rows)
        )
    if data.swarm is not None:
        parts.append(_contributions(data.swarm))
    if data.effects:
        effects = [_effect(one) for one in data.effects]
        parts.append("\n\n".join(["## How predictions change with a column", *effects]))
    if data.ensemble:
        members = [(one.name, percent(one.weight)) for one in data.ensemble]
        parts.append("## Members\n\n" + _table(("Model", "weight"), members))
    if data.front:
        dots = [
            (str(at), number(dot.score), f"{number(dot.row_us, 3)} µs", f"{number(dot.size_mb, 3)}")
            for at, dot in enumerate(data.front)
        ]
        parts.append(
            "## Ensembles to choose from\n\n" + _table(("", data.metric, "per row", "MiB"), dots)
        )
    if data.leaderboard:
        board = [
            (one.name, number(one.score), percent(one.weight), duration(one.fit_s))
            for one in data.leaderboard[:15]
        ]
        parts.append("## Leaderboard\n\n" + _table(("Model", data.metric, "weight", "fit"), board))
    if data.columns:
        columns = [
            (one.name, one.kind, percent(one.missing), one.summary or one.note)
            for one in data.columns
        ]
        parts.append(
            f"## Data\n\n{data.n_rows:,} rows.\n\n"
            + _table(("Column", "kind", "missing", "values"), columns)
        )
    record = {**data.resources, **data.settings, **data.versions}
    if record:
        parts.append("## Record\n\n" + _table(("", ""), list(record.items())))
    return "\n\n".join(parts) + "\n"


def _lead(data: ReportData) -> str:
    text = f"{_TASKS[data.task]}. On rows that it was not fitted on its {data.metric} is "
    text += f"**{number(data.score)}**"
    if data.interval:
        low, high = sorted(data.interval)
        text += f" (95 % interval {number(low)} to {number(high)})"
    if data.baseline is not None:
        text += f"; {data.baseline_name or 'a plain guess'} has {number(data.baseline)}"
    if data.test_score is not None:
        text += f". On the test rows it is {number(data.test_score)}"
    return f"{text}. {'Higher' if data.greater_is_better else 'Lower'} is better."


def _contributions(swarm: Swarm) -> str:
    """How far columns move predictions, the farthest first."""
    size = np.abs(swarm.values).mean(axis=0)
    order = np.argsort(-size, kind="stable")[:MOST_COLUMNS]
    rows = [(swarm.columns[at], number(float(size[at]), 3)) for at in order]
    text = (
        f"SHAP values of {len(swarm.values)} rows: how far a column moves the {swarm.said} of a "
        f"row from the usual {number(swarm.base, 3)}, on average over rows. "
    )
    table = _table(("Column", "mean absolute contribution"), rows)
    return f"## Contributions\n\n{_safe(text + ' '.join(swarm.notes))}\n\n{table}"


def _effect(curve: EffectCurve) -> str:
    """The mean prediction where a column is set to some of its values, all others as they are."""
    most = MOST_COLUMNS if curve.labels else MOST_VALUES
    places = np.unique(np.linspace(0, len(curve.mean) - 1, most).round().astype(int))
    words = curve.labels or value_words(curve.grid)
    rows = [
        (words[at], *(number(float(ends[at]), 3) for ends in (curve.mean, curve.low, curve.high)))
        for at in places
    ]
    table = _table((curve.column, f"mean {curve.said}", "low", "high"), rows)
    return f"### Effect of {_safe(curve.column)}\n\n{table}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(_safe(cell) for cell in line) + " |" for line in lines)


def _safe(text: str) -> str:
    """Names come from data: no markup of theirs reaches the reader, and no line breaks a table."""
    plain = " ".join(str(text).split())
    for sign in ("\\", "|", "<", ">", "*", "_", "`", "[", "]"):
        plain = plain.replace(sign, f"\\{sign}" if sign not in "<>" else f"&#{ord(sign)};")
    return plain
