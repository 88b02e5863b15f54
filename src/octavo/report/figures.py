"""The drawings of a report, each a function from plain data to SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.report.data import Feature, Member, Predictions, ReportData, TrialPoint
from octavo.report.svg import Scale, drawing, element, frame, label, path
from octavo.report.words import clipped, duration, number, percent

__all__ = [
    "calibration",
    "confusion",
    "ensemble",
    "importance",
    "precision_recall",
    "predicted_and_true",
    "progress",
    "residuals",
    "roc",
    "ruler",
    "sparkline",
    "trials",
]

Floats = NDArray[np.float64]
N_COLORS = 8
MOST_POINTS = 1500
MOST_CLASSES = 20


def ruler(data: ReportData) -> str:
    """Where the score lies between the plain baseline and the best possible: right is better."""
    ends = [data.score, *(data.interval or ())]
    ends += [value for value in (data.baseline, data.optimum) if value is not None]
    ends = [value for value in ends if np.isfinite(value)]
    low, high = min(ends), max(ends)
    if high <= low:
        high = low + max(abs(low), 1.0) * 0.1
    width, height, y = 520.0, 88.0, 44.0
    left, right = (28.0, width - 28) if data.greater_is_better else (width - 28, 28.0)
    x = Scale(low, high, left, right)
    marks = [element("line", class_="track", x1=28, x2=width - 28, y1=y, y2=y)]
    if data.baseline is not None:
        a, b = sorted((x(data.baseline), x(data.score)))
        # Better than the baseline is filled; worse is shown as a warning.
        better = (data.score > data.baseline) == data.greater_is_better
        kind = "gain" if better else "loss"
        marks.append(element("line", class_=kind, x1=a, x2=b, y1=y, y2=y))
    if data.interval is not None:
        a, b = sorted(x(end) for end in data.interval)
        shown = f"95 % interval: {number(data.interval[0])} to {number(data.interval[1])}"
        marks.append(
            element(
                "rect", title=shown, class_="interval", x=a, y=y - 9, width=max(b - a, 1), height=18
            )
        )

    def stop(value: float, name: str, below: bool, kind: str) -> None:
        at = x(value)
        anchor = "start" if at < 90 else "end" if at > width - 90 else "middle"
        marks.append(
            element("circle", title=f"{name}: {number(value)}", class_=kind, cx=at, cy=y, r=6)
        )
        text_y = y + 30 if below else y - 20
        at = max(min(at, width - 22), 22)
        words = f"{name} {number(value)}"
        marks.append(label(words, at, text_y, class_=f"{kind}-label", text_anchor=anchor))

    if data.optimum is not None and np.isfinite(data.optimum):
        stop(data.optimum, "perfect", True, "end")
    if data.baseline is not None:
        stop(data.baseline, "baseline", True, "end")
    stop(data.score, "this model", False, "here")
    return drawing(
        width, height, "".join(marks), name="Score between baseline and perfect", grow=1.6
    )


def progress(data: ReportData) -> str:
    """The best score so far over time, of single models and of the ensemble."""
    lines = [(data.progress, "best single model", "series-0")]
    lines.append((data.ensemble_progress, "ensemble", "series-1"))
    lines = [line for line in lines if line[0]]
    times = [t for points, _, _ in lines for t, _ in points]
    scores = _without_far([s for points, _, _ in lines for _, s in points], data.greater_is_better)
    end = max([*times, *(trial.elapsed_s for trial in data.trials)])
    axes = frame([0.0, end], scores, "seconds since the start", data.metric)
    marks = [axes.axes()]
    for points, name, kind in lines:
        x: list[float] = []
        y: list[float] = []
        for t, s in points:
            if y:  # a step: the old score holds until the new one is there
                x.append(axes.x(t))
                y.append(y[-1])
            x.append(axes.x(t))
            y.append(axes.y(s))
        x.append(axes.x(end))
        y.append(y[-1])
        shown = f"{name}: {number(points[-1][1])} in the end"
        marks.append(element("path", title=shown, class_=f"line {kind}", d=path(x, y)))
        for t, s in points:
            marks.append(
                element(
                    "circle",
                    title=f"{name} after {duration(t)}: {number(s)}",
                    class_=f"dot {kind}",
                    cx=axes.x(t),
                    cy=axes.y(s),
                    r=2.6,
                )
            )
    return drawing(axes.width, axes.height, "".join(marks), name=f"{data.metric} over time")


def _without_far(values: Sequence[float], greater_is_better: bool) -> Floats:
    """Leave out what is hopelessly bad, so that the rest can be told apart."""
    known = np.asarray([v for v in values if np.isfinite(v)], dtype=float)
    if len(known) < 5:
        return known
    signed = known if greater_is_better else -known
    best, middle = signed.max(), np.median(signed)
    near: Floats = known[signed >= middle - 2.5 * max(best - middle, 1e-12 + 0.01 * abs(middle))]
    return near


def families(points: Sequence[TrialPoint]) -> list[str]:
    """The families of models by how often they were tried: their order gives the colour."""
    names = [point.model for point in points]
    return sorted(set(names), key=lambda name: (-names.count(name), name))


def trials(data: ReportData) -> str:
    """Each model that was tried: when, and how good; failures at the edge of bad scores."""
    order = families(data.trials)
    scores = [t.score for t in data.trials if t.score is not None]
    shown = _without_far(scores, data.greater_is_better)
    worst = (min if data.greater_is_better else max)(shown) if len(shown) else 0.0
    axes = frame(
        [0.0, *(t.elapsed_s for t in data.trials)],
        shown,
        "seconds since the start",
        data.metric,
    )
    edge = axes.y.start - 5 if data.greater_is_better else axes.y.stop + 5
    marks = [axes.axes()]
    for trial in data.trials:
        color = min(order.index(trial.model), N_COLORS)
        words = f"{trial.model} after {duration(trial.elapsed_s)}: "
        x = axes.x(trial.elapsed_s)
        if trial.score is None:
            words += trial.status + (f" ({trial.detail})" if trial.detail else "")
            marks.append(
                element(
                    "path",
                    title=words,
                    class_="failed",
                    d=f"M{x - 3:.1f},{edge - 3:.1f}l6,6m0,-6l-6,6",
                )
            )
            continue
        off = (trial.score < worst) == data.greater_is_better and trial.score != worst
        words += number(trial.score) + (" (out of the range)" if off else "")
        words += f"\n{trial.detail}" if trial.detail else ""
        marks.append(
            element(
                "circle",
                title=words,
                class_=f"dot series-{color}" + (" off" if off else ""),
                cx=x,
                cy=edge if off else axes.y(trial.score),
                r=3.6,
            )
        )
    return drawing(axes.width, axes.height, "".join(marks), name="All models that were tried")


def _bars(
    rows: Sequence[tuple[str, float, float, float]], title: str, shown: Sequence[str], kind: str
) -> str:
    """Horizontal bars (name, value, low, high) with whiskers where low < high."""
    line, width, left = 24.0, 560.0, 190.0
    height = line * len(rows) + 8
    ends = [0.0] + [end for _, value, low, high in rows for end in (value, low, high)]
    x = Scale(min(ends), max(ends) if max(ends) > min(ends) else 1.0, left, width - 74)
    marks = []
    for at, (name, value, low, high) in enumerate(rows):
        y = 4 + at * line
        a, b = sorted((x(0.0), x(value)))
        tip = f"{name}: {shown[at]}"
        if low < high:
            tip += f" (95 % interval {number(low, 3)} to {number(high, 3)})"
        marks.append(
            label(
                clipped(name, 28),
                left - 10,
                y + 15.5,
                title=name,
                class_="name",
                text_anchor="end",
            )
        )
        marks.append(
            element(
                "rect",
                title=tip,
                class_=kind,
                x=a,
                y=y + 4,
                width=max(b - a, 1),
                height=line - 8,
                rx=2,
            )
        )
        end = b
        if low < high:
            middle, end = y + line / 2, max(b, x(high))
            marks.append(
                element("line", class_="whisker", x1=x(low), x2=x(high), y1=middle, y2=middle)
            )
        marks.append(label(shown[at], end + 8, y + 15.5, class_="value"))
    return drawing(width, height, "".join(marks), name=title, grow=1.3)


def importance(features: Sequence[Feature]) -> str:
    """How much worse the score gets when a column is shuffled."""

    def known(value: float | None, else_: float) -> float:
        return else_ if value is None or not np.isfinite(value) else value

    rows = [(f.name, f.mean, known(f.low, f.mean), known(f.high, f.mean)) for f in features]
    return _bars(rows, "Importance of the columns", [number(f.mean, 3) for f in features], "bar")


def ensemble(members: Sequence[Member]) -> str:
    """The members' weights."""
    rows = [(m.name, m.weight, m.weight, m.weight) for m in members]
    return _bars(rows, "Weights of the ensemble", [percent(m.weight) for m in members], "bar")


def sparkline(bars: Sequence[float], name: str) -> str:
    """A histogram as tall as a line of text."""
    top = max(bars) or 1.0
    step = 96 / len(bars)
    marks = "".join(
        element(
            "rect",
            class_="bar",
            x=k * step,
            y=22 - max(20 * value / top, 0.6 if value else 0),
            width=max(step - 1, 0.6),
            height=max(20 * value / top, 0.6 if value else 0),
        )
        for k, value in enumerate(bars)
    )
    return element("svg", marks, title=name, viewBox="0 0 96 22", class_="spark", role="img")


# Predictions of classes --------------------------------------------------------------


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


# Predictions of numbers --------------------------------------------------------------


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
