"""Categories as columns of 0 and 1, or as one column of codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["CodeEncoder", "OneHotEncoder", "codes_of", "fit_codes", "fit_onehot"]

Codes = NDArray[np.int64]


def codes_of(X: pd.DataFrame, names: list[str]) -> Codes:
    """Shape (n, p): the categories' codes, -1 where missing."""
    out = np.empty((len(X), len(names)), dtype=np.int64)
    for j, name in enumerate(names):
        out[:, j] = X[name].cat.codes
    return out


@dataclass(frozen=True, eq=False)
class OneHotEncoder:
    """Which category of which column raises which of the columns of 0 and 1.

    Parameters
    ----------
    places
        For each column an array over codes, the last one for missing (code -1): the number of
        the output column, or -1 for none.
    names
        Of the output columns: (number of the input column, label).
    """

    places: tuple[Codes, ...]
    names: tuple[tuple[int, str], ...]

    def transform(self, codes: Codes) -> NDArray[np.float32]:
        """Shape (n, width), float32. `codes` has shape (n, p), -1 where missing."""
        # One spare column takes what raises none.
        out = np.zeros((len(codes), len(self.names) + 1), dtype=np.float32)
        rows = np.arange(len(codes))
        for j, places in enumerate(self.places):
            out[rows, places[codes[:, j]]] = 1.0
        return out[:, :-1]


def fit_onehot(
    codes: Codes, labels: list[tuple[str, ...]], *, rare: float, width: int
) -> OneHotEncoder:
    """Give each frequent category a column; the rare ones of a feature share one.

    Parameters
    ----------
    codes : shape (n, p)
        Category codes, -1 where missing.
    labels
        Labels of each column's categories.
    rare
        Share of the rows below which a category is rare.
    width
        Columns that a feature gets at most; its least frequent categories count as rare.

    Examples
    --------
    >>> encoder = fit_onehot(np.array([[0], [1], [2], [-1]]), [("a", "b", "c")], rare=0, width=9)
    >>> [label for _, label in encoder.names]
    ['a', 'b', 'c', 'missing']
    """
    places: list[Codes] = []
    names: list[tuple[int, str]] = []
    n_rows = len(codes)
    for j, words in enumerate(labels):
        counts = np.bincount(codes[:, j] + 1, minlength=len(words) + 1)
        n_missing, counts = counts[0], counts[1:]
        frequent = np.flatnonzero((counts > 0) & (counts >= rare * n_rows))
        if len(frequent) >= width:
            largest = np.argsort(-counts[frequent], kind="stable")[: max(width - 1, 1)]
            frequent = np.sort(frequent[largest])
        is_rare = np.ones(len(words), dtype=bool)
        is_rare[frequent] = False
        n_rare = int(counts[is_rare].sum())
        if len(frequent) == 2 and not n_rare and not n_missing:
            frequent = frequent[1:]  # the other one is its opposite
        place = np.full(len(words) + 1, -1, dtype=np.int64)
        for code in frequent:
            place[code] = len(names)
            names.append((j, words[code]))
        if n_rare:
            # Categories that this fold has not seen are rare, too.
            place[:-1][is_rare] = len(names)
            names.append((j, "rare"))
        if n_missing:
            place[-1] = len(names)
            names.append((j, "missing"))
        places.append(place)
    return OneHotEncoder(tuple(places), tuple(names))


@dataclass(frozen=True, eq=False)
class CodeEncoder:
    """The number that stands for each category.

    Parameters
    ----------
    numbers
        For each column an array over codes, the last one for missing (code -1): NaN.
    """

    numbers: tuple[NDArray[np.float32], ...]

    def transform(self, codes: Codes) -> NDArray[np.float32]:
        """Shape (n, p), float32, NaN where missing. `codes` has shape (n, p)."""
        out = np.empty(codes.shape, dtype=np.float32)
        for j, numbers in enumerate(self.numbers):
            out[:, j] = numbers[codes[:, j]]
        return out


def fit_codes(codes: Codes, n_categories: list[int], *, most: int | None = None) -> CodeEncoder:
    """Number the categories.

    Parameters
    ----------
    codes : shape (n, p)
        Category codes, -1 where missing.
    n_categories
        Categories of each column.
    most
        None: in their own order. Else from the most frequent on, with at most so many numbers;
        the rarest share the last one, and categories without a row count as missing.
    """
    numbers = []
    for j, n in enumerate(n_categories):
        number = np.append(np.arange(n, dtype=np.float32), np.float32(np.nan))
        if most is not None:
            counts = np.bincount(codes[:, j] + 1, minlength=n + 1)[1:]
            ranks = np.empty(n, dtype=np.float32)
            ranks[np.argsort(-counts, kind="stable")] = np.arange(n)
            ranks = np.minimum(ranks, most - 1)
            ranks[counts == 0] = np.nan
            number[:-1] = ranks
        numbers.append(number)
    return CodeEncoder(tuple(numbers))
