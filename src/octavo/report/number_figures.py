"""Drawings of predicted numbers: against the truth, and their errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.report.data import Predictions
from octavo.report.svg import drawing, element, frame, path
from octavo.report.words import number

__all__ = ["predicted_and_true", "residuals"]

MOST_POINTS = 1500


def _sampled(n: int) -> NDArray[np.int64]:
    if n <= MOST_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:MOST_POINTS])


def predicted_and_true(predictions: Predictions) -> str:
    """Each row's prediction against its truth; on the line it is right."""
    rows = _sampled(len(predictions.y_true))
    y = np.asarray(predictions.y_true, dtype=float)[rows]
    guess = np.asarray(predictions.prediction, dtype=float)[rows]
    both = np.concatenate([y, guess])
    axes = frame(both, both, "predicted", "true", width=400)
    ends = [both.min(), both.max()]
    marks = [
        axes.axes(),
        element("path", class_="chance", d=path(map(axes.x, ends), map(axes.y, ends))),
    ]
    marks += [
        element(
            "circle",
            title=f"predicted {number(b)}, true {number(a)}",
            class_="point series-0",
            cx=axes.x(b),
            cy=axes.y(a),
            r=2.6,
        )
        for a, b in zip(y, guess, strict=True)
    ]
    return drawing(axes.width, axes.height, "".join(marks), name="Predicted and true values")


def residuals(predictions: Predictions) -> str:
    """How the errors (true minus predicted) are spread."""
    errors = np.asarray(predictions.y_true, float) - np.asarray(predictions.prediction, float)
    low, high = np.quantile(errors, [0.005, 0.995])
    if not low < high:
        low, high = float(errors.min()) - 0.5, float(errors.max()) + 0.5
    counts, edges = np.histogram(np.clip(errors, low, high), bins=31, range=(low, high))
    axes = frame(edges, np.append(counts, 0), "true minus predicted", "rows", width=400)
    marks = [axes.axes()]
    for count, a, b in zip(counts, edges[:-1], edges[1:], strict=True):
        tip = f"{count:,} rows with an error from {number(a)} to {number(b)}"
        marks.append(
            element(
                "rect",
                title=tip,
                class_="bar",
                x=axes.x(a),
                y=axes.y(count),
                width=max(axes.x(b) - axes.x(a) - 1, 0.5),
                height=max(axes.y(0) - axes.y(count), 0),
            )
        )
    zero = axes.x(0.0)
    if axes.x.start < zero < axes.x.stop:
        marks.append(
            element("line", class_="chance", x1=zero, x2=zero, y1=axes.y.start, y2=axes.y.stop)
        )
    return drawing(axes.width, axes.height, "".join(marks), name="Residuals")
