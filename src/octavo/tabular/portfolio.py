"""A portfolio in front of a tabular search: which pipelines are tried first.

The engine's side of portfolios knows nothing of tables (`octavo.transfer`); `table_features` tells
it what one is like.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.spaces import Space
from octavo.tabular.models.family import TaskKind
from octavo.tabular.schema import Schema
from octavo.transfer import Portfolio, load_portfolio
from octavo.transfer.adapting import adapted
from octavo.transfer.meta_features import KINDS, landmarks, meta_features
from octavo.transfer.similarity import near_counts_more

__all__ = ["SIMILAR_FIRST", "as_portfolio", "opening", "shipped", "table_features"]

AUTO = "auto"
SIMILAR_FIRST = "similar_first"
"""What a portfolio's origin says if similar tables should count more."""


def opening(
    portfolio: Portfolio,
    space: Space,
    *,
    then: Sequence[Mapping[str, Any]] = (),
    features: Mapping[str, float] | None = None,
    seconds_of: Callable[[Mapping[str, Any]], float] | None = None,
    budget_s: float | None = None,
) -> list[dict[str, Any]]:
    """Configurations of a table's space to begin with: the portfolio's, then others.

    Parameters
    ----------
    portfolio
        Its members are brought into the space: what this table has no use for is dropped, what
        it needs in addition takes its default, and families that are left out are left out.
    space
        Of `octavo.tabular.cash.cash_space`.
    then
        Configurations of the space that follow, unless they are among the first.
    features
        Of the table, by `table_features`: what did well on similar tables comes first. None:
        the portfolio's own order.
    seconds_of
        With features: what a configuration will take here, by which it is judged; by default
        what it took on the portfolio's own tables.
    budget_s
        With features: seconds that there are for all of them.
    """
    order = None
    if features is not None:
        seconds = None
        if seconds_of is not None:
            here = adapted(portfolio.members, space)
            seconds = [math.inf if config is None else seconds_of(config) for config in here]
        order = near_counts_more(portfolio, features, seconds=seconds, deadline=budget_s)
    first = portfolio.first_in(space, order=order)
    known = set(space.encode(first).keys()) if first else set()
    keys = space.encode(then).keys() if then else []
    return first + [dict(c) for c, key in zip(then, keys, strict=True) if key not in known]


def table_features(
    schema: Schema,
    y: NDArray[Any] | None,
    task: TaskKind,
    *,
    table: pd.DataFrame | None = None,
) -> dict[str, float]:
    """The meta-features of a table.

    Parameters
    ----------
    schema
        Its columns.
    y : shape (n,)
        Class codes or numbers; None if they are not at hand.
    task
        What is predicted.
    table : shape (n, p)
        In canonical form, for the landmarks; None leaves them out.

    Returns
    -------
    dict
        See `octavo.transfer.meta_features`, and "landmark_nearest" and "landmark_line".
    """
    is_classification = task != "regression"
    cells = max(1, schema.n_rows * len(schema.features))
    found = meta_features(
        n_rows=max(1, schema.n_rows),
        kinds={kind: len(schema.of_kind(kind)) for kind in KINDS},  # type: ignore[arg-type]
        missing_share=sum(feature.n_missing for feature in schema.features) / cells,
        y=y,
        is_classification=is_classification,
        n_levels=[max(1, len(f.categories or ())) for f in schema.of_kind("category")],
    )
    if table is None or y is None:
        return found
    columns = [
        table[f.name].cat.codes if f.kind == "category" else table[f.name]
        for f in schema.of_kind("number", "boolean", "category")
    ]
    if not columns:
        return found
    X = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    near, line = landmarks(X, y, is_classification=is_classification)
    return found | {"landmark_nearest": float(near), "landmark_line": float(line)}


@cache
def shipped() -> Portfolio:
    """The portfolio that comes with Octavo; `benchmarks/portfolio/` makes it."""
    return load_portfolio(Path(__file__).with_name("portfolio.json"))


def as_portfolio(given: Any, name: str) -> Portfolio | None:
    """A portfolio, read from its file if a path is given; "auto" is Octavo's own, None none.

    Raises
    ------
    SettingError
        If it is neither.
    DataError
        If the file holds none.
    """
    if given is None or isinstance(given, Portfolio):
        return given
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise SettingError(
            f"{name}={given!r:.80} is of type {type(given).__name__}, but must be a portfolio, "
            "the path of its file, 'auto' or None. Write such as 'portfolio.json', as `octavo "
            "portfolio build` makes it."
        )
    if given == AUTO:
        return shipped()
    return load_portfolio(Path(given))
