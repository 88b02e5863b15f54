"""The drawing of a front: score against time per row, on a logarithmic scale."""

from __future__ import annotations

import math

import numpy as np

from octavo.report.data import ReportData
from octavo.report.svg import Scale, drawing, element, frame, label, path
from octavo.report.words import number

__all__ = ["front"]


def front(data: ReportData) -> str:
    """Each ensemble of the front as a dot with its number; the step is what can be had in time."""
    dots = sorted(data.front, key=lambda dot: dot.row_us)
    places = [math.log10(max(dot.row_us, 1e-3)) for dot in dots]
    axes = frame(places, [dot.score for dot in dots], "µs per row", data.metric)
    marks = [axes.axes(x_ticks=False), _decades(axes.x, axes.y)]
    x: list[float] = []
    y: list[float] = []
    best: float | None = None
    for place, dot in zip(places, dots, strict=True):
        better = best is None or (dot.score > best) == data.greater_is_better
        if not better:
            continue  # it is on the front for its size
        if y:
            x.append(axes.x(place))
            y.append(y[-1])
        best = dot.score
        x.append(axes.x(place))
        y.append(axes.y(dot.score))
    marks.append(element("path", class_="line thin series-0", d=path(x, y)))
    for at, dot in enumerate(data.front):
        px, py = axes.x(math.log10(max(dot.row_us, 1e-3))), axes.y(dot.score)
        tip = (
            f"{at}: {data.metric} {number(dot.score)}, {number(dot.row_us, 3)} µs per row, "
            f"{number(dot.size_mb, 3)} MiB\n{dot.detail}"
        )
        marks.append(element("circle", title=tip, class_="dot series-0", cx=px, cy=py, r=5))
        marks.append(label(str(at), px + 8, py - 6, class_="tick"))
    return drawing(axes.width, axes.height, "".join(marks), name="Ensembles to choose from")


def _decades(x: Scale, y: Scale) -> str:
    """Grid lines at 1, 2 and 5 times powers of ten, if they are not too many."""
    marks = []
    low, high = math.floor(x.low), math.ceil(x.high)
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    for power in range(low, high + 1):
        for step in steps:
            at = power + float(np.log10(step))
            if x.low <= at <= x.high:
                px = x(at)
                marks.append(element("line", class_="grid", x1=px, x2=px, y1=y.start, y2=y.stop))
                text = number(step * 10.0**power)
                marks.append(label(text, px, y.start + 15, class_="tick", text_anchor="middle"))
    return "".join(marks)
