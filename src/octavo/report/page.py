"""The report: one HTML file that needs nothing else, today or in ten years.

Style and drawings are inside; no script, no font, no image is loaded, and the page forbids
itself to try. It follows the reader's light or dark setting, fits a phone, and prints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from octavo.errors import StorageError
from octavo.report import class_figures, effect_figures, figures, front_figure, number_figures
from octavo.report.data import EffectCurve, ReportData, Swarm
from octavo.report.markdown import render_markdown
from octavo.report.words import clipped, duration, number, percent

__all__ = ["Explained", "render", "render_explanation", "write", "write_page"]

MOST_FEATURES = 20
MOST_ROWS = 15
"""Longer tables fold: the first rows are shown, the rest open on a click."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What a page on a model's columns shows; see `octavo.report.data` for its parts.

    Parameters
    ----------
    title, lead
        A heading and a sentence or two.
    effects, swarm
        As in a report.
    rows
        Which rows of the swarm are shown by themselves, with the numbers to call them by.
    """

    title: str
    lead: str
    effects: tuple[EffectCurve, ...] = ()
    swarm: Swarm | None = None
    rows: tuple[tuple[int, str], ...] = ()


@cache
def _template(name: str = "report.html.j2") -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("octavo.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "duration": duration,
        "clipped": clipped,
        "metric": _spoken,
    }
    return environment.get_template(name)


def render(data: ReportData) -> str:
    """The page as text.

    Examples
    --------
    >>> page = render(ReportData(target="price", task="regression", metric="rmse",
    ...                          score=2.5, greater_is_better=False))
    >>> "2.5" in page, "<script" in page
    (True, False)
    """
    return _template().render(
        data=data,
        figures=_figures(data),
        title=data.title or f"Predicting {data.target}",
        verdict=_verdict(data),
        improvement=_improvement(data),
        most_rows=MOST_ROWS,
        stopped=sum(trial.status == "stopped" for trial in data.trials),
        failed=sum(trial.score is None and trial.status != "stopped" for trial in data.trials),
        families=figures.families(data.trials),
        n_colors=figures.N_COLORS,
        curve_classes=_curve_classes(data),
    )


def render_explanation(data: Explained) -> str:
    """The page on a model's columns as text."""
    rows = []
    if data.swarm is not None:
        columns, values, base = data.swarm.columns, data.swarm.values, data.swarm.base
        for at, number_ in data.rows:
            words = [column[at] for column in data.swarm.words]
            drawn = Markup(effect_figures.waterfall(columns, words, values[at], base))
            rows.append({"number": number_, "figure": drawn})
    return _template("explanation.html.j2").render(
        data=data, title=data.title, lead=data.lead, figures=_marked(_of_columns(data)), rows=rows
    )


def write(data: ReportData, path: str | Path) -> Path:
    """Render into a file, whose folder is made if needed; gives its path back.

    A name that ends in ".md" gets the model card in Markdown, without drawings.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    target = Path(path)
    return write_page(render_markdown(data) if target.suffix == ".md" else render(data), target)


def write_page(page: str, target: Path) -> Path:
    """Write a page into a file, whose folder is made if needed; gives its path back.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the report could not be written to {target}: {error.strerror}. Give the path of a "
            "file that you may write, such as report.html."
        ) from error
    return target


def _figures(data: ReportData) -> dict[str, Markup]:
    """The drawings for which there is data, by name."""
    drawn: dict[str, str] = {}
    if math.isfinite(data.score):
        drawn["ruler"] = figures.ruler(data)
    if data.progress or data.ensemble_progress:
        drawn["progress"] = figures.progress(data)
    if data.trials:
        drawn["trials"] = figures.trials(data)
    if data.importance:
        drawn["importance"] = figures.importance(_most_important(data))
    drawn |= _of_columns(data)
    if data.front:
        drawn["front"] = front_figure.front(data)
    if data.ensemble:
        drawn["ensemble"] = figures.ensemble(data.ensemble)
    if data.validation is not None and len(data.validation.y_true):
        if data.task == "regression":
            drawn["predicted_and_true"] = number_figures.predicted_and_true(data.validation)
            drawn["residuals"] = number_figures.residuals(data.validation)
        else:
            drawn["confusion"] = class_figures.confusion(data.validation)
            drawn["roc"] = class_figures.roc(data.validation)
            drawn["precision_recall"] = class_figures.precision_recall(data.validation)
            drawn["calibration"] = class_figures.calibration(data.validation)
    for at, column in enumerate(data.columns):
        if column.bars:
            name = f"Distribution of {column.name}"
            drawn[f"column {at}"] = figures.sparkline(column.bars, name)
    return _marked(drawn)


def _of_columns(data: ReportData | Explained) -> dict[str, str]:
    """Effects and contributions."""
    drawn = {f"effect {at}": effect_figures.effect(one) for at, one in enumerate(data.effects)}
    if data.swarm is not None:
        drawn["swarm"] = effect_figures.swarm(data.swarm)
    return drawn


def _marked(drawn: dict[str, str]) -> dict[str, Markup]:
    # Every drawing escapes what it is given, in `svg.element`.
    return {name: Markup(drawing) for name, drawing in drawn.items()}


def _most_important(data: ReportData) -> list[Any]:
    ranked = sorted(data.importance, key=lambda feature: -feature.mean)
    return ranked[:MOST_FEATURES]


_TITLES = {
    "mae": "mean absolute error",
    "mape": "mean absolute percentage error",
    "mcc": "Matthews correlation",
    "medae": "median absolute error",
    "mse": "mean squared error",
    "r2": "R²",
    "rmse": "root mean squared error",
    "rmsle": "root mean squared log error",
    "roc_auc": "area under the ROC curve",
    "roc_auc_ovr": "area under the ROC curve (one against the rest)",
}


def _spoken(metric: str) -> str:
    return _TITLES.get(metric, metric.replace("_", " "))


def _verdict(data: ReportData) -> str:
    """In one or two words, from the interval and the baseline."""
    if data.baseline is None or not math.isfinite(data.score):
        return "measured"
    sign = 1.0 if data.greater_is_better else -1.0
    worst = min(sign * end for end in data.interval or (data.score,))
    if sign * data.score <= sign * data.baseline:
        return "no better than the baseline"
    if worst <= sign * data.baseline:
        return "not surely better than the baseline"
    return "better than the baseline"


def _improvement(data: ReportData) -> float | None:
    """Which share of the way from the baseline to the optimum the model has come."""
    if data.baseline is None or data.optimum is None or not math.isfinite(data.optimum):
        return None
    whole = data.optimum - data.baseline
    if abs(whole) < 1e-12:
        return None
    return (data.score - data.baseline) / whole


def _curve_classes(data: ReportData) -> tuple[str, ...]:
    """The classes whose curves have colours of their own, for the legend."""
    if data.validation is None or data.task != "multiclass":
        return ()
    present = set(data.validation.y_true.tolist())
    names = [name for code, name in enumerate(data.validation.classes) if code in present]
    return tuple(names)
