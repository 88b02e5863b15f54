"""The drawings of score, search, ensemble and columns: plain data to SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.report.data import Feature, Member, ReportData, TrialPoint
from octavo.report.svg import Scale, drawing, element, frame, label, path
from octavo.report.words import clipped, duration, number, percent

__all__ = ["ensemble", "families", "importance", "progress", "ruler", "sparkline", "trials"]

Floats = NDArray[np.float64]
N_COLORS = 8


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
