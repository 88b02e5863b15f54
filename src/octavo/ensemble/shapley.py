"""What each column contributes to single predictions of any model: sampled Shapley values.

Strumbelj & Kononenko (2014), Explaining prediction models and individual predictions with feature
contributions, Knowledge and Information Systems 41, 647-665. Columns of a background row turn, in
a random order, into those of the row to be explained, and each gets the change of the prediction at
its turn. Each order is walked in reverse as well, which lowers the error (Mitchell et al. 2022,
Sampling permutations for Shapley value estimation, JMLR 23). All rows share orders and background
rows, so that they are compared alike, and their values add up with one base to the predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import DataError, SettingError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SampledShapley", "sampled_shapley"]

Floats = NDArray[np.float64]

BATCH_CELLS = 2_000_000
"""Of the tables that are predicted at once, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class SampledShapley:
    """Contributions of columns, with their errors.

    Parameters
    ----------
    base : shape (K,)
        The mean prediction of the background rows that were drawn; K = 1 for numbers.
    values : shape (n, p, K)
        With the base they add up to the predictions.
    error : shape (n, p, K)
        Standard errors of the sampling; NaN from a single round.
    """

    base: Floats
    values: Floats
    error: Floats


def sampled_shapley(
    predict: Callable[[Any], ArrayLike],
    rows: pd.DataFrame,
    background: pd.DataFrame,
    *,
    rounds: int = 16,
    seed: int = 0,
) -> SampledShapley:
    """Estimate the Shapley values of the columns of some rows.

    Parameters
    ----------
    predict
        Table to scores, (n, K) or (n,).
    rows : shape (n, p)
        To be explained.
    background
        Rows of the same columns that stand for the usual ones.
    rounds
        Each walks one order of the columns there and back, from one background row: 2 p n
        predictions in all.
    seed
        Same seed, same orders and background rows, whatever the rows.

    Raises
    ------
    DataError
        If there is no background row.
    SettingError
        If `rounds` is below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0], "noise": [0.0, 1.0]})
    >>> found = sampled_shapley(lambda t: 2 * t["a"] + t["b"], table, table.head(1))
    >>> found.base, found.values[:, :, 0]
    (array([5.]), array([[0., 0., 0.],
           [2., 2., 0.]]))
    """
    if rounds < 1:
        raise SettingError(f"rounds={rounds!r} makes no sense. Pass a whole number >= 1.")
    if not len(background):
        raise DataError("the background has no rows, but columns are replaced by theirs. Pass one.")
    rng = np.random.default_rng([seed, 0x5A])
    n, p = rows.shape
    full = _scores(predict, rows)
    walks = np.empty((rounds, n, p, full.shape[1]))
    bases = np.empty((rounds, full.shape[1]))
    # Every background row serves once before any serves twice.
    drawn = np.concatenate(
        [rng.permutation(len(background)) for _ in range(-(-rounds // len(background)))]
    )[:rounds]
    for at, usual in enumerate(drawn):
        order = rng.permutation(p)
        start = background.iloc[[usual]]
        bases[at] = _scores(predict, start)[0]
        there = _walk(predict, rows, start, order, bases[at], full)
        back = _walk(predict, rows, start, order[::-1], bases[at], full)
        walks[at] = (there + back) / 2
    error = np.full(walks.shape[1:], np.nan)
    if rounds > 1:
        error = walks.std(axis=0, ddof=1) / np.sqrt(rounds)
    return SampledShapley(bases.mean(axis=0), walks.mean(axis=0), error)


def _walk(
    predict: Callable[[Any], ArrayLike],
    rows: pd.DataFrame,
    start: pd.DataFrame,
    order: NDArray[np.int64],
    base: Floats,
    full: Floats,
) -> Floats:
    """Shape (n, p, K): by how much predictions change as columns take their turns."""
    n, p = rows.shape
    on_the_way = np.empty((p + 1, n, full.shape[1]))
    on_the_way[0], on_the_way[-1] = base, full
    if p > 1:
        step = max(1, BATCH_CELLS // ((p - 1) * p))
        for first in range(0, n, step):
            part = rows.iloc[first : first + step]
            scores = _scores(predict, _between(part, start, order))
            on_the_way[1:-1, first : first + len(part)] = scores.reshape(p - 1, len(part), -1)
    found = np.empty((n, p, full.shape[1]))
    found[:, order] = np.diff(on_the_way, axis=0).swapaxes(0, 1)
    return found


def _between(rows: pd.DataFrame, start: pd.DataFrame, order: NDArray[np.int64]) -> pd.DataFrame:
    """The tables between both ends, one below the other: after the first turn, the second, ..."""
    import pandas as pd

    n, p = rows.shape
    turn = np.argsort(order)
    both = pd.concat([start, rows], ignore_index=True)
    own = np.arange(1, n + 1)
    columns = {}
    for column in range(p):
        before = np.zeros(n * turn[column], dtype=np.int64)
        places = np.concatenate([before, np.tile(own, p - 1 - turn[column])])
        columns[column] = both.iloc[:, column].array.take(places)
    # By position: names may occur twice. As series of their own type: text stays text.
    table = pd.DataFrame(
        {at: pd.Series(x, dtype=both.dtypes.iloc[at]) for at, x in columns.items()}
    )
    return table.set_axis(rows.columns, axis=1)


def _scores(predict: Callable[[Any], ArrayLike], table: pd.DataFrame) -> Floats:
    found = np.asarray(predict(table), dtype=np.float64)
    return found.reshape(len(table), -1)
