"""Small pieces of SVG: scales, ticks, axes and marks, as text.

Colours come from the page's style sheet by class, so that a drawing follows light, dark and
print. Everything that reaches an element is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from octavo.report.words import number

__all__ = ["Frame", "Scale", "drawing", "element", "ticks"]


def element(tag: str, content: str = "", *, title: str = "", **attributes: object) -> str:
    """One SVG element; `content` is SVG already, all else is escaped.

    A trailing underscore in an attribute's name is dropped, others become hyphens:
    `class_="bar"`, `text_anchor="end"`. `title` is shown on hovering and read aloud.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = (f"<title>{escape(title)}</title>" if title else "") + content
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def _text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
    return str(value)


def label(text: str, x: float, y: float, *, title: str = "", **attributes: object) -> str:
    """A line of text."""
    return element("text", escape(text), title=title, x=x, y=y, **attributes)


def path(x: Iterable[float], y: Iterable[float]) -> str:
    """Points joined by lines, as the `d` of a path."""
    return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def drawing(width: float, height: float, marks: str, *, name: str, grow: float = 1.2) -> str:
    """A complete image; `name` says in words what it shows, `grow` how much it may be enlarged."""
    return element(
        "svg",
        marks,
        title=name,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        class_="chart",
        style=f"max-width:{grow * width:.0f}px",
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], 2 to `most` + 1 of them.

    Examples
    --------
    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """Maps data to pixels, linearly."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def around(
        cls, values: Sequence[float] | NDArray[np.float64], start: float, stop: float
    ) -> Scale:
        """Covers the finite values, with some room."""
        known = np.asarray(values, dtype=float)
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.04
        return cls(low - room, high + room, start, stop)

    def __call__(self, value: float) -> float:
        """Pixels of a value; what lies outside stays at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, -0.02), 1.02) * (self.stop - self.start)


@dataclass(frozen=True)
class Frame:
    """Axes around a plotting area."""

    x: Scale
    y: Scale
    x_title: str
    y_title: str
    width: float
    height: float

    def axes(self, *, x_ticks: bool = True, y_ticks: bool = True) -> str:
        """Grid, tick labels and titles."""
        left, right, bottom, top = self.x.start, self.x.stop, self.y.start, self.y.stop
        marks = []
        for at in ticks(self.y.low, self.y.high) if y_ticks else []:
            y = self.y(at)
            marks.append(element("line", class_="grid", x1=left, x2=right, y1=y, y2=y))
            marks.append(label(number(at), left - 6, y + 3.5, class_="tick", text_anchor="end"))
        for at in ticks(self.x.low, self.x.high) if x_ticks else []:
            x = self.x(at)
            marks.append(element("line", class_="grid", x1=x, x2=x, y1=bottom, y2=top))
            marks.append(label(number(at), x, bottom + 15, class_="tick", text_anchor="middle"))
        middle = (left + right) / 2
        marks.append(
            label(self.x_title, middle, self.height - 4, class_="axis", text_anchor="middle")
        )
        if self.y_title:
            height = (bottom + top) / 2
            marks.append(
                label(
                    self.y_title,
                    12,
                    height,
                    class_="axis",
                    text_anchor="middle",
                    transform=f"rotate(-90 12 {height:.1f})",
                )
            )
        return "".join(marks)


def frame(
    x_values: Sequence[float] | NDArray[np.float64],
    y_values: Sequence[float] | NDArray[np.float64],
    x_title: str,
    y_title: str,
    *,
    width: float = 460,
    height: float = 320,
    unit: bool = False,
) -> Frame:
    """Axes that hold these values; `unit` for shares on both."""
    left, right, bottom, top = 58.0, width - 14, height - 40, 12.0
    if unit:
        x, y = Scale(0, 1, left, right), Scale(0, 1, bottom, top)
    else:
        x, y = Scale.around(x_values, left, right), Scale.around(y_values, bottom, top)
    return Frame(x, y, x_title, y_title, width, height)
