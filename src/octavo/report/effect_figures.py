"""The drawings of effects and contributions: plain data to SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.report.data import EffectCurve, Swarm
from octavo.report.svg import Frame, Scale, drawing, element, frame, label, path, ticks
from octavo.report.words import clipped, number

__all__ = ["clouds", "effect", "shades", "swarm", "value_words", "waterfall"]

Floats = NDArray[np.float64]

MOST_CURVES = 25
MOST_COLUMNS = 12
MOST_STEPS = 12
LINE = 26.0


def effect(found: EffectCurve) -> str:
    """The mean of a column's effect with its interval, over curves of single rows."""
    return _of_labels(found) if found.labels else _of_numbers(found)


def _of_numbers(found: EffectCurve) -> str:
    is_date = np.asarray(found.grid).dtype.kind == "M"
    grid, deciles = _as_numbers(found.grid), _as_numbers(found.deciles)
    curves = np.asarray(found.curves, dtype=np.float64)[:MOST_CURVES]
    known = [found.mean, *(end for end in (found.low, found.high) if np.isfinite(end).all())]
    # Single rows may lie far off: nine tenths of them are to be seen.
    ends = np.quantile(curves, [0.05, 0.95]) if curves.size else np.empty(0)
    axes = frame(grid, np.concatenate([*known, ends]), found.column, found.said)
    axes = Frame(axes.x, axes.y, clipped(found.column, 40), clipped(found.said, 40), 460, 320)
    marks = [axes.axes(x_ticks=not is_date)]
    if is_date:
        marks += _date_ticks(found.grid, axes)
    inside = [
        element("path", class_="row", d=path(map(axes.x, grid), map(axes.y, curve)))
        for curve in curves
    ]
    if np.isfinite(found.low).all():
        there = path(map(axes.x, grid), map(axes.y, found.high))
        back = path(map(axes.x, grid[::-1]), map(axes.y, found.low[::-1]))
        inside.append(element("path", class_="band", d=f"{there}L{back[1:]}Z"))
    inside.append(
        element("path", class_="line series-0", d=path(map(axes.x, grid), map(axes.y, found.mean)))
    )
    marks += inside
    words = value_words(found.grid)
    for x, y, word in zip(grid, found.mean, words, strict=True):
        tip = f"{found.column} = {word}: {number(float(y))}"
        marks.append(
            element("circle", title=tip, class_="dot series-0", cx=axes.x(x), cy=axes.y(y), r=2.4)
        )
    bottom = axes.y.start
    marks += [
        element("line", class_="rug", x1=axes.x(x), x2=axes.x(x), y1=bottom, y2=bottom - 6)
        for x in deciles
    ]
    return drawing(axes.width, axes.height, "".join(marks), name=f"Effect of {found.column}")


def _date_ticks(grid: NDArray[Any], axes: Frame) -> list[str]:
    """The first, the middle and the last day, as far as there are so many."""
    marks = []
    places = [(0, "start"), (len(grid) // 2, "middle"), (len(grid) - 1, "end")]
    for at, anchor in places if len(grid) > 2 else [places[0], places[-1]]:
        x = axes.x(float(_as_numbers(grid[at : at + 1])[0]))
        day = str(grid[at].astype("datetime64[D]"))
        marks.append(label(day, x, axes.y.start + 15, class_="tick", text_anchor=anchor))
    return marks


def _of_labels(found: EffectCurve) -> str:
    """A dot with its interval for each category, below one another: their names may be long."""
    n, width, left = len(found.labels), 460.0, 150.0
    height = LINE * n + 44
    ends = [found.mean, *(end for end in (found.low, found.high) if np.isfinite(end).all())]
    x = Scale.around(np.concatenate(ends), left, width - 20)
    y = Scale(0, n, 8, 8 + LINE * n)
    marks = [
        Frame(x, Scale(0, n, height - 36, 8), clipped(found.said, 40), "", width, height).axes(
            y_ticks=False
        )
    ]
    for at, word in enumerate(found.labels):
        here = y(at + 0.5)
        value, low, high = found.mean[at], found.low[at], found.high[at]
        tip = f"{found.column} = {word}: {number(float(value))}"
        marks.append(
            label(
                clipped(word, 22), left - 10, here + 4, title=word, class_="name", text_anchor="end"
            )
        )
        if np.isfinite(low):
            marks.append(element("line", class_="whisker", x1=x(low), x2=x(high), y1=here, y2=here))
        marks.append(
            element("circle", title=tip, class_="dot series-0", cx=x(value), cy=here, r=4.5)
        )
    return drawing(width, height, "".join(marks), name=f"Effect of {found.column}")


def swarm(found: Swarm) -> str:
    """A dot for each row and column, the columns with the largest contributions first."""
    order = np.argsort(-np.abs(found.values).mean(axis=0), kind="stable")[:MOST_COLUMNS]
    width, left, line = 640.0, 170.0, 30.0
    height = line * len(order) + 46
    x = Scale.around(np.append(found.values[:, order].ravel(), 0.0), left, width - 16)
    marks = [
        element("line", class_="grid", x1=x(at), x2=x(at), y1=6, y2=height - 38)
        + label(number(at), x(at), height - 24, class_="tick", text_anchor="middle")
        for at in ticks(x.low, x.high)
    ]
    title = f"contribution to the {found.said}"
    marks.append(label(title, (left + width) / 2, height - 5, class_="axis", text_anchor="middle"))
    marks.append(element("line", class_="zero", x1=x(0.0), x2=x(0.0), y1=6, y2=height - 38))
    for place, at in enumerate(order):
        middle = 6 + line * (place + 0.5)
        name = found.columns[at]
        marks.append(
            label(
                clipped(name, 24),
                left - 10,
                middle + 4,
                title=name,
                class_="name",
                text_anchor="end",
            )
        )
        offsets = clouds(found.values[:, at])
        for value, shade, word, off in zip(
            found.values[:, at], found.shades[:, at], found.words[at], offsets, strict=True
        ):
            kind = "s8" if np.isnan(shade) else f"heat-{min(int(5 * shade), 4)}"
            tip = f"{name} = {word}: {_signed(value)}"
            marks.append(
                element(
                    "circle",
                    title=tip,
                    class_=f"bee {kind}",
                    cx=x(value),
                    cy=middle + 0.42 * line * off,
                    r=2.6,
                )
            )
    return drawing(width, height, "".join(marks), name="Contributions to predictions", grow=1.5)


def waterfall(columns: Sequence[str], words: Sequence[str], parts: Floats, base: float) -> str:
    """From the base to the prediction of one row, the largest contribution first."""
    order = np.argsort(-np.abs(parts), kind="stable")
    steps = [(f"{columns[at]} = {words[at]}", float(parts[at])) for at in order[:MOST_STEPS]]
    if len(order) > MOST_STEPS:
        rest = float(parts[order[MOST_STEPS:]].sum())
        steps.append((f"{len(order) - MOST_STEPS} other columns", rest))
    line, width, left = 26.0, 640.0, 230.0
    height = line * (len(steps) + 2) + 10
    ends = base + np.concatenate([[0.0], np.cumsum([part for _, part in steps])])
    x = Scale.around(ends, left, width - 84)

    def line_of(at: int, words: str, value: str, start: float, end: float, kind: str) -> str:
        y = 4 + line * at
        a, b = sorted((x(start), x(end)))
        return (
            label(
                clipped(words, 34), left - 10, y + 17, title=words, class_="name",
                text_anchor="end",
            )
            + element(
                "rect", title=f"{words}: {value}", class_=kind, x=a, y=y + 5,
                width=max(b - a, 1.5), height=line - 10, rx=2,
            )
            + label(value, b + 8, y + 17, class_="value")
        )  # fmt: skip

    marks = [line_of(0, "usual", number(base), base, base, "mark")]
    for at, (named, part) in enumerate(steps):
        kind = "raises" if part > 0 else "lowers"
        marks.append(line_of(at + 1, named, _signed(part), ends[at], ends[at + 1], kind))
        edge = x(ends[at])
        top = 4 + line * at + line - 5
        marks.append(element("line", class_="grid", x1=edge, x2=edge, y1=top, y2=top + 10))
    last = float(ends[-1])
    marks.append(line_of(len(steps) + 1, "prediction", number(last), last, last, "mark"))
    return drawing(
        width, height, "".join(marks), name="From the usual to this prediction", grow=1.4
    )


# What both kinds of pictures need --------------------------------------------------------


def clouds(values: Floats) -> Floats:
    """Offsets in [-1, 1] that spread dots where many values lie close together.

    Examples
    --------
    >>> clouds(np.array([0.0, 0.0, 0.0, 9.0])).round(2)
    array([ 0.  ,  0.67, -0.67,  0.  ])
    """
    n = len(values)
    low, high = (values.min(), values.max()) if n else (0.0, 0.0)
    cells = np.zeros(n, dtype=np.int64)
    if high > low:
        cells = np.minimum((60 * (values - low) / (high - low)).astype(np.int64), 59)
    counts = np.bincount(cells, minlength=60)
    rank = np.zeros(n, dtype=np.int64)
    order = np.argsort(cells, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank[order] = np.arange(n) - starts[cells[order]]
    # 0, 1, -1, 2, -2, ... from the middle outwards; full height where most are.
    side = np.where(rank % 2 == 1, 1.0, -1.0) * ((rank + 1) // 2)
    return side / max(1.5, float(counts.max(initial=0)) / 2) + 0.0  # no negative zeros


def shades(values: Any) -> Floats:
    """Ranks of a column's values from 0 to 1; NaN for missing ones, and for what has no order."""
    import pandas as pd

    column = pd.Series(values)
    is_number = pd.api.types.is_numeric_dtype(column.dtype)
    if not (is_number or pd.api.types.is_datetime64_any_dtype(column.dtype)):
        return np.full(len(column), np.nan)
    ranks = column.rank().to_numpy(dtype=np.float64)
    low, high = np.nanmin(ranks, initial=np.inf), np.nanmax(ranks, initial=-np.inf)
    return (ranks - low) / (high - low) if high > low else np.where(np.isnan(ranks), np.nan, 0.5)


def value_words(values: Any) -> list[str]:
    """Cells of a column for people."""
    import pandas as pd

    found = []
    for value in values:
        if pd.isna(value) or value == "":
            found.append("missing")
        elif isinstance(value, float | np.floating):
            found.append(number(float(value)))
        elif isinstance(value, pd.Timestamp | np.datetime64):
            found.append(str(pd.Timestamp(value))[:10])
        else:
            found.append(clipped(str(value), 40))
    return found


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(float(value), 3)


def _as_numbers(values: NDArray[Any]) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[s]").astype(np.int64)
    return array.astype(np.float64)
