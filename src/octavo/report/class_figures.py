"""Drawings of predicted classes: confusion, ROC, precision and recall, calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.report.data import Predictions
from octavo.report.svg import drawing, element, frame, label, path
from octavo.report.words import clipped, number, percent

__all__ = ["calibration", "confusion", "precision_recall", "roc"]

Floats = NDArray[np.float64]
N_COLORS = 8
MOST_CLASSES = 20


def confusion(predictions: Predictions) -> str:
    """True classes as rows, predicted ones as columns; shades are shares of the row."""
    names = list(predictions.classes)
    y, labels = np.asarray(predictions.y_true, dtype=np.int64), predictions.decided
    if len(names) > MOST_CLASSES:
        # The most frequent classes are kept; the others share one row.
        kept = np.argsort(-np.bincount(y, minlength=len(names)), kind="stable")[: MOST_CLASSES - 1]
        code = np.full(len(names), len(kept), dtype=np.int64)
        code[kept] = np.arange(len(kept))
        y, labels = code[y], code[labels]
        names = [names[k] for k in kept] + [f"{len(names) - len(kept)} others"]
    k = len(names)
    table = np.bincount(y * k + labels, minlength=k * k).reshape(k, k)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    cell = max(min(300 / k, 92), 26)
    left, top = 104.0, 34.0
    width, height = left + k * cell + 8, top + k * cell + 76
    marks = [label("predicted", left + k * cell / 2, 12, class_="axis", text_anchor="middle")]
    tilted = k > 4 or max(len(name) for name in names) * 7 > cell
    for row, name in enumerate(names):
        y_middle = top + (row + 0.5) * cell
        short = clipped(name, 14)
        marks.append(
            label(short, left - 8, y_middle + 4, title=name, class_="name", text_anchor="end")
        )
        x = left + (row + 0.5) * cell
        below = top + k * cell + 16
        turn = f"rotate(-40 {x:.1f} {below:.1f})" if tilted else None
        marks.append(
            label(
                clipped(name, 10),
                x,
                below,
                title=name,
                class_="name",
                text_anchor="end" if tilted else "middle",
                transform=turn,
            )
        )
        for column in range(k):
            share, count = float(shares[row, column]), int(table[row, column])
            tip = f"true {name}, predicted {names[column]}: {count:,} rows, {percent(share)}"
            marks.append(
                element(
                    "rect",
                    title=tip,
                    class_="hit" if row == column else "miss",
                    style=f"--share:{share:.3f}",
                    x=left + column * cell,
                    y=top + row * cell,
                    width=cell - 2,
                    height=cell - 2,
                    rx=3,
                )
            )
            if count and (cell >= 30 or count < 1000):
                marks.append(
                    label(
                        f"{count:,}",
                        left + (column + 0.5) * cell - 1,
                        y_middle + 3,
                        class_="cell strong" if share > 0.55 else "cell",
                        text_anchor="middle",
                    )
                )
    return drawing(width, height, "".join(marks), name="Confusion matrix")


def _curves(predictions: Predictions) -> list[tuple[str, NDArray[np.bool_], Floats]]:
    """Name, truth and score of each class worth a curve: class 1 of two, else all."""
    probabilities = np.asarray(predictions.prediction, dtype=float)
    y = np.asarray(predictions.y_true)
    wanted = [1] if len(predictions.classes) == 2 else range(len(predictions.classes))
    found = []
    for k in wanted:
        positive = y == k
        if positive.any() and not positive.all():
            found.append((predictions.classes[k], positive, probabilities[:, k]))
    return found


def _cumulated(positive: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """True and false positives at each threshold, highest first, from zero."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[ends]
    return np.append(0, hits).astype(float), np.append(0, ends + 1 - hits).astype(float)


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most 200 points of a curve."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), 200)).round().astype(int))
    return x[keep], y[keep]


def roc(predictions: Predictions) -> str:
    """Share of positives found against share of false alarms."""
    axes = frame([], [], "false positive rate", "true positive rate", unit=True, width=400)
    ends = (axes.x(0), axes.x(1)), (axes.y(0), axes.y(1))
    marks = [axes.axes(), element("path", class_="chance", d=path(*ends))]
    for at, (name, positive, score) in enumerate(_curves(predictions)):
        hits, alarms = _cumulated(positive, score)
        tpr, fpr = hits / hits[-1], alarms / alarms[-1]
        area = float(np.trapezoid(tpr, fpr)) if hasattr(np, "trapezoid") else _area(tpr, fpr)
        x, y = _thin(fpr, tpr)
        marks.append(
            element(
                "path",
                title=f"{name}: area {number(area, 3)}",
                class_=f"line series-{min(at, N_COLORS)}",
                d=path(map(axes.x, x), map(axes.y, y)),
            )
        )
    return drawing(axes.width, axes.height, "".join(marks), name="ROC curve")


def _area(y: Floats, x: Floats) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def precision_recall(predictions: Predictions) -> str:
    """Share of alarms that are right against share of positives found."""
    axes = frame([], [], "recall", "precision", unit=True, width=400)
    marks = [axes.axes()]
    for at, (name, positive, score) in enumerate(_curves(predictions)):
        hits, alarms = _cumulated(positive, score)
        recall, precision = hits[1:] / hits[-1], hits[1:] / (hits + alarms)[1:]
        average = float((np.diff(np.append(0, recall)) * precision).sum())
        x, y = _thin(np.append(0, recall), np.append(precision[0], precision))
        marks.append(
            element(
                "path",
                title=f"{name}: average precision {number(average, 3)}",
                class_=f"line series-{min(at, N_COLORS)}",
                d=path(map(axes.x, x), map(axes.y, y)),
            )
        )
    return drawing(axes.width, axes.height, "".join(marks), name="Precision and recall")


def calibration(predictions: Predictions) -> str:
    """How often the model is right against how sure it was, in ten equally large bins."""
    probabilities = np.asarray(predictions.prediction, dtype=float)
    y = np.asarray(predictions.y_true)
    if len(predictions.classes) == 2:
        sure, right = probabilities[:, 1], y == 1
        x_title, y_title = f"predicted probability of {predictions.classes[1]}", "observed share"
    else:
        sure, right = probabilities.max(1), probabilities.argmax(1) == y
        x_title, y_title = "probability of the likeliest class", "share that was right"
    axes = frame([], [], clipped(x_title, 48), y_title, unit=True, width=400)
    ends = (axes.x(0), axes.x(1)), (axes.y(0), axes.y(1))
    marks = [axes.axes(), element("path", class_="chance", d=path(*ends))]
    order = np.argsort(sure, kind="stable")
    x, heights = [], []
    for rows in np.array_split(order, min(10, max(len(order) // 5, 1))):
        said, was, n = float(sure[rows].mean()), float(right[rows].mean()), len(rows)
        low, high = _wilson(was, n)
        tip = f"{n:,} rows: predicted {number(said, 3)}, observed {number(was, 3)}"
        at = axes.x(said)
        marks.append(
            element("line", class_="whisker", x1=at, x2=at, y1=axes.y(low), y2=axes.y(high))
        )
        marks.append(
            element("circle", title=tip, class_="dot series-0", cx=at, cy=axes.y(was), r=3.6)
        )
        x.append(at)
        heights.append(axes.y(was))
    marks.append(element("path", class_="line thin series-0", d=path(x, heights)))
    return drawing(axes.width, axes.height, "".join(marks), name="Calibration")


def _wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = 1.96 * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return float(middle - half), float(middle + half)
