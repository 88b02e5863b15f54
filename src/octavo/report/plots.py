"""Pictures of contributions and effects for notebooks, as plotly figures.

The report has drawings of its own, which need no script; these can be zoomed and hovered over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.report.effect_figures import clouds, shades, value_words

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

__all__ = ["bars", "beeswarm", "effect", "surface", "waterfall"]

Floats = NDArray[np.float64]

MOST_COLUMNS = 15
TEAL, RUST, GREY = "#1f6f6b", "#b4472b", "#a3a9ad"


def bars(columns: Sequence[str], sizes: Floats, title: str) -> go.Figure:
    """The mean size of each column's contributions."""
    import plotly.graph_objects as go

    order = np.argsort(-sizes, kind="stable")[:MOST_COLUMNS][::-1]
    marks = go.Bar(
        x=sizes[order], y=[columns[at] for at in order], orientation="h", marker_color=TEAL
    )
    return _titled(go.Figure(marks), title, "", n_lines=len(order))


def beeswarm(
    columns: Sequence[str],
    values: Floats,
    rows: pd.DataFrame,
    words: Sequence[Sequence[str]],
    title: str,
) -> go.Figure:
    """A dot for each row and column; its colour is the column's value, from low to high."""
    import plotly.graph_objects as go

    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:MOST_COLUMNS][::-1]
    figure = go.Figure()
    for line, at in enumerate(order):
        figure.add_trace(
            go.Scatter(
                x=values[:, at],
                y=line + 0.4 * clouds(values[:, at]),
                mode="markers",
                marker={
                    "size": 5,
                    "color": shades(rows.iloc[:, at]),
                    "colorscale": [[0, TEAL], [0.5, GREY], [1, RUST]],
                    "cmin": 0,
                    "cmax": 1,
                },
                text=[f"{columns[at]} = {word}" for word in words[at]],
                hovertemplate="%{text}: %{x:.4g}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=[columns[at] for at in order])
    figure.add_vline(x=0, line_color=GREY, line_width=1)
    return _titled(figure, title, "", n_lines=len(order))


def waterfall(
    columns: Sequence[str], values: Sequence[Any], parts: Floats, base: float, title: str
) -> go.Figure:
    """From the base to the prediction of one row, a step for each column."""
    import plotly.graph_objects as go

    words = [
        f"{name} = {value_words([value])[0]}" for name, value in zip(columns, values, strict=True)
    ]
    steps = parts[:MOST_COLUMNS]
    rest = float(parts[MOST_COLUMNS:].sum())
    names = words[:MOST_COLUMNS]
    if len(parts) > MOST_COLUMNS:
        names = [*names, f"{len(parts) - MOST_COLUMNS} other columns"]
        steps = np.append(steps, rest)
    marks = go.Waterfall(
        orientation="h",
        x=[*steps[::-1], None],
        y=[*names[::-1], title],
        base=base,
        measure=["relative"] * len(names) + ["total"],
        increasing_marker_color=RUST,
        decreasing_marker_color=TEAL,
        totals_marker_color=GREY,
    )
    return _titled(
        go.Figure(marks), f"{title}; the usual is {base:.4g}", "", n_lines=len(names) + 1
    )


def effect(
    column: str,
    grid: NDArray[Any],
    mean: Floats,
    low: Floats,
    high: Floats,
    curves: NDArray[np.float32],
    title: str,
) -> go.Figure:
    """The mean with its interval, over curves of single rows; of categories, with whiskers."""
    import plotly.graph_objects as go

    figure = go.Figure()
    if grid.dtype == object:
        error = {"type": "data", "array": high - mean, "color": GREY}
        figure.add_trace(go.Bar(x=grid, y=mean, error_y=error, marker_color=TEAL, name="mean"))
    else:
        for curve in curves:
            line = {"color": GREY, "width": 0.6}
            figure.add_trace(
                go.Scatter(x=grid, y=curve, mode="lines", line=line, hoverinfo="skip", opacity=0.5)
            )
        none = {"width": 0}
        figure.add_trace(go.Scatter(x=grid, y=low, line=none, hoverinfo="skip"))
        band = "rgba(31,111,107,0.25)"
        figure.add_trace(
            go.Scatter(x=grid, y=high, line=none, fill="tonexty", fillcolor=band, hoverinfo="skip")
        )
        figure.add_trace(go.Scatter(x=grid, y=mean, line={"color": TEAL, "width": 3}, name="mean"))
    figure.update_layout(showlegend=False)
    return _titled(figure, column, title)


def surface(
    columns: tuple[str, ...], grids: tuple[NDArray[Any], ...], mean: Floats, title: str
) -> go.Figure:
    """Two columns as a map."""
    import plotly.graph_objects as go

    bar = {"title": {"text": title}}
    marks = go.Heatmap(x=grids[0], y=grids[1], z=mean.T, colorscale="Tealgrn", colorbar=bar)
    return _titled(go.Figure(marks), columns[0], columns[1])


def _titled(figure: go.Figure, x: str, y: str, *, n_lines: int | None = None) -> go.Figure:
    height = 420 if n_lines is None else 130 + 26 * n_lines
    figure.update_layout(
        template="plotly_white", height=height, margin={"l": 10, "r": 10, "t": 30, "b": 10}
    )
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y, automargin=True)
    return figure
