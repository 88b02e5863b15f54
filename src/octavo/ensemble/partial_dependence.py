"""How predictions change with one column, or two, all others as they are in the data.

Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of Statistics
29, 1189-1232: the mean over rows is the partial dependence. Goldstein, Kapelner, Bleich & Pitkin
(2015), Peeking inside the black box, J. Computational and Graphical Statistics 24, 44-65: the
curves of single rows (ICE) show where rows go different ways, which a mean hides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import DataError, SettingError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PartialDependence", "partial_dependence"]

Floats = NDArray[np.float64]

GRID = 20
MOST_ROWS = 200
"""The band of the mean narrows with the root of the rows; these are enough to see a shape."""
BATCH_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """The effect of one or two columns on predictions.

    Parameters
    ----------
    columns
        One name or two.
    grid
        For each the values at which it was set: numbers or dates in ascending order, categories
        by how many rows have them.
    mean : shape (g, K) or (g, g2, K)
        Mean prediction over the rows; K = 1 for numbers.
    low, high : as `mean`
        95 % interval of the mean. Levels of rows are taken out first, so it says how sure the
        curve's shape is; NaN of a single row.
    curves : shape (rows, g, K) or (rows, g, g2, K)
        Of each row by itself.
    deciles : for each column, shape (9,)
        Where its rows lie, for numbers and dates; empty for categories.
    """

    columns: tuple[str, ...]
    grid: tuple[NDArray[Any], ...]
    mean: Floats
    low: Floats
    high: Floats
    curves: NDArray[np.float32]
    deciles: tuple[NDArray[Any], ...]

    @property
    def strength(self) -> Floats:
        """Shape (K,): standard deviation of the mean over the grid, a measure of how much it does.

        Greenwell, Boehmke & McCarthy (2018), A simple and effective model-based variable
        importance measure.
        """
        return self.mean.reshape(-1, self.mean.shape[-1]).std(axis=0)


def partial_dependence(
    predict: Callable[[Any], ArrayLike],
    table: pd.DataFrame,
    columns: str | Sequence[str],
    *,
    grid_size: int = GRID,
    max_rows: int = MOST_ROWS,
    seed: int = 0,
) -> PartialDependence:
    """Predict rows with a column set to each value of a grid.

    Parameters
    ----------
    predict
        Table to scores, (n, K) or (n,).
    table : shape (n, p)
        Rows like those that the model will meet.
    columns
        A name or two: numbers, truths, dates or categories.
    grid_size
        Values at most: all there are, if so few, else quantiles; of categories the most frequent.
    max_rows
        Rows are sampled down to this.
    seed
        Of the rows.

    Raises
    ------
    SettingError
        If a column is not there or is text, or there are not one or two of them.
    DataError
        If there are no rows, or a column has no value in any.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [5.0, 7.0, 9.0]})
    >>> found = partial_dependence(lambda t: t["a"] ** 2 + t["b"], table, "a")
    >>> found.grid[0], found.mean[:, 0]
    (array([0., 1., 2.]), array([ 7.,  8., 11.]))
    """
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    _check(table, names, grid_size)
    rng = np.random.default_rng([seed, 0x9D])
    if len(table) > max_rows:
        table = table.iloc[np.sort(rng.permutation(len(table))[:max_rows])]
    grids = tuple(_grid(table[name], grid_size) for name in names)
    points = list(product(*(range(len(grid)) for grid in grids)))
    scores: list[Floats] = []
    step = max(1, BATCH_ROWS // len(table))
    for first in range(0, len(points), step):
        part = points[first : first + step]
        given = _set_to(table, names, grids, part)
        found = np.asarray(predict(given), dtype=np.float64)
        scores.append(found.reshape(len(part), len(table), -1))
    curves = np.concatenate(scores).swapaxes(0, 1)
    mean = curves.mean(axis=0)
    half = np.full(mean.shape, np.nan)
    if len(table) > 1:
        shape_only = curves - curves.mean(axis=1, keepdims=True)
        half = 1.96 * shape_only.std(axis=0, ddof=1) / np.sqrt(len(table))
    shape = (*(len(grid) for grid in grids), mean.shape[-1])
    return PartialDependence(
        columns=names,
        grid=tuple(np.asarray(grid) for grid in grids),
        mean=mean.reshape(shape),
        low=(mean - half).reshape(shape),
        high=(mean + half).reshape(shape),
        curves=curves.reshape(len(table), *shape).astype(np.float32),
        deciles=tuple(_deciles(table[name]) for name in names),
    )


def _check(table: pd.DataFrame, names: tuple[str, ...], grid_size: int) -> None:
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        raise SettingError(
            f"columns={list(names)!r}: partial dependence is of one column or of two different "
            "ones. Ask for more one after the other."
        )
    if grid_size < 2:
        raise SettingError(f"grid_size={grid_size!r} makes no curve. Pass 2 or more.")
    if not len(table):
        raise DataError("the table has no rows to average over. Pass rows like those of training.")
    for name in names:
        if name not in table.columns:
            known = [str(column) for column in table.columns]
            raise SettingError(
                f"{name!r} is no column that the model learned from.{closest(name, known)} Those "
                f"are {', '.join(map(repr, known[:10]))}{', ...' if len(known) > 10 else ''}."
            )
        values = table[name]
        if values.dtype == object:
            raise SettingError(
                f"{name!r} is text, of which no grid can be made; partial dependence is of "
                "numbers, truths, dates and categories. Use explain, which has values of texts."
            )
        if values.isna().all():
            raise DataError(
                f"{name!r} has no value in any of the {len(table)} rows, so that there is none to "
                "set it to. Pass rows that have some."
            )


def _grid(values: pd.Series, size: int) -> Any:
    """The values to set, as an array of the column's own type."""
    known = values.dropna()
    if known.dtype == "category":
        frequent = known.value_counts()
        kept = frequent.index[frequent.to_numpy() > 0][:size]
        return np.asarray(kept, dtype=object)
    array = np.unique(known.to_numpy())
    if len(array) <= size:
        return array
    # The outermost percent would stretch the picture for a few rows.
    return np.unique(_quantiles(array, np.linspace(0.01, 0.99, size)))


def _deciles(values: pd.Series) -> NDArray[Any]:
    known = values.dropna()
    if known.dtype == "category":
        return np.empty(0)
    return _quantiles(known.to_numpy(), np.linspace(0.1, 0.9, 9))


def _quantiles(values: NDArray[Any], shares: Floats) -> NDArray[Any]:
    if values.dtype.kind == "M":
        counts = np.quantile(values.astype(np.int64), shares)
        return counts.astype(np.int64).astype(values.dtype)
    return np.asarray(np.quantile(values.astype(np.float64), shares))


def _set_to(
    table: pd.DataFrame,
    names: tuple[str, ...],
    grids: tuple[Any, ...],
    points: Sequence[tuple[int, ...]],
) -> pd.DataFrame:
    """The table once for each point of the grid."""
    import pandas as pd

    rows = np.tile(np.arange(len(table)), len(points))
    given = table.iloc[rows].reset_index(drop=True)
    for name, grid, places in zip(names, grids, zip(*points, strict=True), strict=True):
        values = np.repeat(grid[list(places)], len(table))
        given[name] = pd.Series(values).astype(table[name].dtype)
    return given
