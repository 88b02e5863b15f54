"""How commands speak: tables and sentences for people, JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = ["number", "print_json", "short", "show_warnings", "stderr", "stdout", "table_of"]


def stdout() -> Console:
    """What a command was asked for."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def stderr() -> Console:
    """Everything around it: progress, warnings, hints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def show_warnings(*, silent: bool = False) -> None:
    """Say what the library logs and warns of in lines for people, or not at all."""
    import logging
    import warnings

    if silent:
        warnings.simplefilter("ignore")
        logging.getLogger("octavo").addHandler(logging.NullHandler())
        return
    from rich.logging import RichHandler

    handler = RichHandler(console=stderr(), show_time=False, show_path=False, markup=False)
    logger = logging.getLogger("octavo")
    logger.addHandler(handler)

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        logger.warning("%s", message)  # without the line of code, which is not the user's

    warnings.showwarning = show


def print_json(data: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on standard output; NaN and infinities become null."""
    json.dump(_plain(data), sys.stdout, indent=2)
    sys.stdout.write("\n")


def number(value: Any) -> str:
    """A number in a few digits, or a dash.

    Examples
    --------
    >>> number(0.123456), number(12345.678), number(float("nan")), number(3)
    ('0.1235', '12346', '-', '3')
    >>> number(0.5), number(0.0), number(2e-7)
    ('0.5000', '0', '2.000e-07')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        # The zeros at the end stay: numbers below one another are compared digit by digit.
        return f"{value:.0f}" if abs(value) >= 1000 or value == 0 else f"{value:#.4g}"
    return str(value)


def share(value: float) -> str:
    """A share in percent, a dash for none of it.

    Examples
    --------
    >>> share(0.0541), share(0.0)
    ('5 %', '-')
    """
    return f"{value:.0%}".replace("%", " %") if value > 0 else "-"


def short(value: float) -> str:
    """Seconds or megabytes, of which nobody wants to know the thousandths.

    Examples
    --------
    >>> short(0.0349), short(9.94), short(123.4), short(float("nan"))
    ('0.03', '9.94', '123', '-')
    """
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


FORMATS: dict[str, Callable[[Any], str]] = {
    "weight": share,
    "fit_s": short,
    "predict_s": short,
    "wall_s": short,
    "size_mb": short,
}
GAP = 3  # blanks between two columns
NARROWEST = 8  # letters of a shortened word that still say something


def table_of(
    frame: pd.DataFrame, width: int, title: str | None = None, wide: tuple[str, ...] = ()
) -> Any:
    """A data frame as a table for the terminal.

    Parameters
    ----------
    frame
        What to show.
    width
        Letters per line. Where they do not suffice, the widest texts are shortened; numbers
        and names of columns never are.
    title
        Above the table.
    wide
        Columns whose texts wrap instead of being shortened.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    cells = {
        str(name): list(map(FORMATS.get(str(name), number), frame[name])) for name in frame.columns
    }
    texts = [
        str(name)
        for name in frame.columns
        if frame[name].dtype == object or str(frame[name].dtype) in ("str", "string")
    ]
    widths = _fitted(
        {name: max(map(len, (name, *column))) for name, column in cells.items()}, texts, width
    )
    for name in cells:
        table.add_column(
            escape(name),
            justify="left" if name in texts else "right",
            overflow="fold" if name in wide else "ellipsis",
            no_wrap=name not in wide,
            width=widths[name],
        )
    for row in zip(*cells.values(), strict=True):
        table.add_row(*map(escape, row))
    return table


def _fitted(widths: dict[str, int], texts: list[str], width: int) -> dict[str, int]:
    """Widths of columns that fit on a line, as far as shortening texts allows it."""
    widths = dict(widths)
    over = sum(widths.values()) + GAP * len(widths) - width
    while over > 0 and texts:
        widest = max(texts, key=lambda name: widths[name])
        if widths[widest] <= max(NARROWEST, len(widest)):
            break
        widths[widest] -= 1
        over -= 1
    return widths


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
