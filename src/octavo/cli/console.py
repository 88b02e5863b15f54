"""How commands speak: tables and sentences for people, JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

__all__ = ["number", "print_json", "stderr", "stdout", "table_of"]


def stdout() -> Console:
    """What a command was asked for."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)


def stderr() -> Console:
    """Everything around it: progress, warnings, hints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


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
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def table_of(frame: pd.DataFrame, title: str | None = None, wide: tuple[str, ...] = ()) -> Any:
    """A data frame as a table for the terminal; columns in `wide` may wrap."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in frame.columns:
        is_text = frame[name].dtype == object or str(frame[name].dtype) in ("str", "string")
        table.add_column(
            str(name),
            justify="left" if is_text else "right",
            overflow="fold" if name in wide else "ellipsis",
            no_wrap=name not in wide,
            # Numbers are never cut: a narrow terminal shortens the words beside them.
            min_width=None if is_text else max(map(len, map(number, frame[name])), default=1),
        )
    for row in frame.itertuples(index=False):
        table.add_row(*(escape(number(value)) for value in row))
    return table


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
