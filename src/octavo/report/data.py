"""What a report is about, as plain data: every field can be left out but the first few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Column",
    "EffectCurve",
    "Feature",
    "FrontDot",
    "Member",
    "ModelRow",
    "Predictions",
    "ReportData",
    "Setting",
    "Sheet",
    "Swarm",
    "TrialPoint",
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the training table.

    Parameters
    ----------
    name
        As the user calls it.
    kind
        "number", "category", "text", "date", "boolean", ...
    missing
        Share of rows without a value, 0 to 1.
    unique
        How many different values.
    bars
        Heights of a small histogram (numbers, dates) or of the most frequent values.
    summary
        A few words: "1.2 to 9.8, median 4" or "red, blue, green".
    note
        Anything to know: "dropped: constant".
    """

    name: str
    kind: str
    missing: float = 0.0
    unique: int | None = None
    bars: tuple[float, ...] = ()
    summary: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of the leaderboard.

    Parameters
    ----------
    name
        Of the model.
    score
        On validation rows, in the user's direction.
    test_score
        On test rows, if there were any.
    fit_s, predict_s
        Seconds.
    weight
        In the ensemble, 0 to 1.
    detail
        Its main settings in words.
    """

    name: str
    score: float
    test_score: float | None = None
    fit_s: float | None = None
    predict_s: float | None = None
    weight: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A model of the final ensemble, its weight (0 to 1), and what it is in words."""

    name: str
    weight: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One model that was tried.

    Parameters
    ----------
    elapsed_s
        When it ended, in seconds from the start of the search.
    model
        Which family: "LightGBM".
    score
        None if it failed.
    status
        "success", "timeout", ...
    detail
        Shown on hovering.
    """

    elapsed_s: float
    model: str
    score: float | None
    status: str = "success"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """How much the model relies on a column, with its interval (see `octavo.ensemble`)."""

    name: str
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EffectCurve:
    """How predictions change with one column, all others as they are.

    Parameters
    ----------
    column
        Its name.
    said
        What is predicted, in words.
    grid : shape (g,)
        Where it was set to: numbers, or dates; ignored with `labels`.
    labels
        Its categories in words; empty for numbers and dates.
    mean, low, high : shape (g,)
        Mean prediction with its 95 % interval.
    curves : shape (rows, g)
        Of single rows.
    deciles : shape (9,)
        Where its values lie; empty for categories.
    """

    column: str
    said: str
    grid: NDArray[Any]
    labels: tuple[str, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    curves: NDArray[Any]
    deciles: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Swarm:
    """What columns contribute to the predictions of some rows.

    Parameters
    ----------
    said
        What is predicted, in words.
    columns
        Names, in any order.
    values : shape (rows, columns)
        Contributions.
    shades : shape (rows, columns)
        Each value among those of its column, from 0 (lowest) to 1; NaN for missing ones and for
        what has no order.
    words
        The values themselves, for each column.
    base
        What the contributions are added to.
    notes
        What to know about them, in sentences.
    """

    said: str
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    shades: NDArray[np.float64]
    words: tuple[tuple[str, ...], ...]
    base: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """A hyperparameter that was searched: its model, name and what it could be."""

    model: str
    name: str
    choices: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A small table with a sentence above it; all cells are text already.

    Parameters
    ----------
    title, text
        What it shows, and how to read it.
    head
        Names of the columns; the first is text, the others are set as numbers.
    rows
        As many cells each.
    alerts
        Positions of rows that the reader should look at.
    """

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alerts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FrontDot:
    """An ensemble to choose from: its score, microseconds per row, MiB, and what it is made of."""

    score: float
    row_us: float
    size_mb: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the final model says about rows it did not train on.

    Parameters
    ----------
    y_true : shape (n,)
        Encoded classes 0..K-1, or numbers.
    prediction : shape (n, K) or (n,)
        Probabilities, or numbers.
    classes
        The K labels in words; empty for regression.
    labels : shape (n,)
        Encoded decisions; by default the most probable class.
    where
        From which rows: "out-of-fold rows", "hold-out rows".
    """

    y_true: NDArray[Any]
    prediction: NDArray[Any]
    classes: tuple[str, ...] = ()
    labels: NDArray[Any] | None = None
    where: str = "rows it did not train on"

    @property
    def decided(self) -> NDArray[np.int64]:
        """Encoded decisions, shape (n,)."""
        if self.labels is not None:
            return np.asarray(self.labels, dtype=np.int64)
        likeliest: NDArray[np.int64] = np.asarray(self.prediction).argmax(1)
        return likeliest


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows.

    Parameters
    ----------
    target
        Name of the predicted column.
    task
        "binary", "multiclass" or "regression".
    metric
        Name of the metric; its direction is `greater_is_better`.
    score
        Of the final model on rows that it did not train on.
    interval
        95 % interval of the score.
    baseline
        Score of the plain baseline; what it does stands in `baseline_name`.
    optimum
        The best possible score, if there is one.
    n_rows
        Of the training table.
    warnings
        What to watch out for, one sentence each.
    progress
        Pairs (seconds from the start, best validation score until then).
    ensemble_progress
        The same of the ensemble.
    effects
        Of the columns that matter most.
    swarm
        What columns contribute to single predictions.
    trust
        Tables that vouch for the model: calibration, coverage, fairness, ...
    front
        Ensembles to choose from, best score first.
    judged
        How models were judged: the resampling in a sentence.
    stopped
        Why the search ended, and what it could not try, in sentences.
    resources, versions, settings
        Names and values for people.
    created
        Date and time, as text.
    """

    target: str
    task: Literal["binary", "multiclass", "regression"]
    metric: str
    score: float
    greater_is_better: bool = True
    title: str = ""
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    baseline_name: str = ""
    optimum: float | None = None
    test_score: float | None = None
    n_rows: int = 0
    columns: tuple[Column, ...] = ()
    warnings: tuple[str, ...] = ()
    leaderboard: tuple[ModelRow, ...] = ()
    ensemble: tuple[Member, ...] = ()
    progress: tuple[tuple[float, float], ...] = ()
    ensemble_progress: tuple[tuple[float, float], ...] = ()
    trials: tuple[TrialPoint, ...] = ()
    space: tuple[Setting, ...] = ()
    validation: Predictions | None = None
    importance: tuple[Feature, ...] = ()
    effects: tuple[EffectCurve, ...] = ()
    swarm: Swarm | None = None
    trust: tuple[Sheet, ...] = ()
    front: tuple[FrontDot, ...] = ()
    judged: str = ""
    stopped: str = ""
    resources: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
