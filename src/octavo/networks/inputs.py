"""From a matrix of numbers and category codes to what a network reads.

Numbers are centred at the median, divided by the interquartile range and smoothly clipped, as in
Holzmüller, Grinsztajn & Steinwart (2024), Better by Default: outliers stay near, and nearly in
order. Numbers of two values are flags, which need no embedding; missing ones become the middle,
and a flag of their own. Categories of few levels are columns of 0 and 1, others are embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Layout

__all__ = ["Inputs", "TableInputs", "fit_inputs"]

Matrix = NDArray[np.float32]
Codes = NDArray[np.int64]

_FEW_LEVELS = 12
_CLIP = 3.0
_LARGEST = 1e30
_SUMMARIZED_ROWS = 50_000


class Inputs(NamedTuple):
    """Rows as a network reads them.

    `numbers` of shape (n, p), scaled; `flags` of shape (n, q), mostly 0 and 1 or -1 and 1;
    `codes` of shape (n, c), levels of embedded categories.
    """

    numbers: Matrix
    flags: Matrix
    codes: Codes


@dataclass(frozen=True, eq=False)
class TableInputs:
    """How a matrix's columns are scaled and sorted.

    Parameters
    ----------
    numbers, flags
        Columns of numbers with more than two values, and with two.
    center, scale : shape (len(numbers) + len(flags),)
        Subtracted, then divided by.
    indicated
        Columns of numbers of which some are missing.
    onehot, embedded
        Columns of category codes of few levels, and of many.
    onehot_levels, n_levels
        How many levels each of these has.
    missing_onehot
        Which of `onehot` have a column for none of the levels.
    """

    numbers: NDArray[np.intp]
    flags: NDArray[np.intp]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    indicated: NDArray[np.intp]
    onehot: NDArray[np.intp]
    embedded: NDArray[np.intp]
    onehot_levels: tuple[int, ...]
    n_levels: tuple[int, ...]
    missing_onehot: tuple[bool, ...]

    @property
    def layout(self) -> Layout:
        """How many inputs of each kind there are."""
        onehot = sum(self.onehot_levels) + sum(self.missing_onehot)
        n_flags = len(self.flags) + len(self.indicated) + onehot
        return Layout(len(self.numbers), n_flags, self.n_levels)

    def transform(self, X: Matrix) -> Inputs:
        """What a network reads of `X`, shape (n, d), NaN where missing.

        Levels that `fit_inputs` has not seen count as missing.
        """
        layout = self.layout
        plain = np.concatenate([self.numbers, self.flags])
        scaled = np.clip(X[:, plain].astype(np.float64), -_LARGEST, _LARGEST)
        scaled = (scaled - self.center) / self.scale
        scaled /= np.sqrt(1.0 + (scaled / _CLIP) ** 2)
        scaled = np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)
        p, q = len(self.numbers), len(self.flags)
        flags = np.zeros((len(X), layout.n_flags), dtype=np.float32)
        flags[:, :q] = scaled[:, p:]
        at = q + len(self.indicated)
        flags[:, q:at] = np.isnan(X[:, self.indicated])
        rows = np.arange(len(X))
        for column, n_levels, has_missing in zip(
            self.onehot, self.onehot_levels, self.missing_onehot, strict=True
        ):
            codes = _levels(X[:, column], n_levels)
            width = n_levels + has_missing
            shown = codes < width
            flags[rows[shown], at + codes[shown]] = 1.0
            at += width
        codes = np.empty((len(X), len(self.embedded)), dtype=np.int64)
        for j, (column, n_levels) in enumerate(zip(self.embedded, self.n_levels, strict=True)):
            codes[:, j] = _levels(X[:, column], n_levels)
        return Inputs(np.ascontiguousarray(scaled[:, :p]), flags, codes)


def fit_inputs(X: Matrix, categorical: Sequence[int] = ()) -> TableInputs:
    """Learn scales and levels. Columns that are constant or always missing are left out.

    Parameters
    ----------
    X : shape (n, d)
        NaN where missing, n >= 1.
    categorical
        Columns that hold codes 0, 1, ... of categories.

    Examples
    --------
    >>> X = np.array([[1, 0, 7], [2, 1, 7], [np.nan, 1, 7], [4, 0, 7]], dtype=np.float32)
    >>> inputs = fit_inputs(X, categorical=[1])
    >>> inputs.layout
    Layout(n_numbers=1, n_flags=3, n_levels=())
    >>> inputs.transform(X).numbers.ravel().round(2)
    array([-0.65,  0.  ,  0.  ,  1.22], dtype=float32)
    """
    chosen = sorted(categorical)
    others = np.setdiff1d(np.arange(X.shape[1]), chosen)
    rows = X[:: max(1, len(X) // _SUMMARIZED_ROWS)].astype(np.float64)
    numbers, flags, center, scale = [], [], [], []
    for column in others:
        known = rows[~np.isnan(rows[:, column]), column]
        if not len(known):
            continue
        known = np.clip(known, -_LARGEST, _LARGEST)
        low, lower, middle, upper, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
        if not high - low > 1e-12 * max(abs(low), abs(high)):
            continue
        if ((known == low) | (known == high)).all():
            flags.append((column, (low + high) / 2, (high - low) / 2))
        else:
            # More than half of the cells may be equal; then the range says more.
            spread = upper - lower if upper > lower else (high - low) / 2
            numbers.append((column, middle, spread))
    center = [entry[1] for entry in numbers + flags]
    scale = [entry[2] for entry in numbers + flags]
    missing = np.isnan(X[:, others])
    indicated = others[missing.any(axis=0) & ~missing.all(axis=0)]
    levels = {column: _n_levels(X[:, column]) for column in chosen}
    onehot = [column for column in chosen if levels[column] <= _FEW_LEVELS]
    embedded = [column for column in chosen if levels[column] > _FEW_LEVELS]
    return TableInputs(
        numbers=np.array([entry[0] for entry in numbers], dtype=np.intp),
        flags=np.array([entry[0] for entry in flags], dtype=np.intp),
        center=np.array(center, dtype=np.float64),
        scale=np.array(scale, dtype=np.float64),
        indicated=indicated.astype(np.intp),
        onehot=np.array(onehot, dtype=np.intp),
        embedded=np.array(embedded, dtype=np.intp),
        onehot_levels=tuple(levels[column] for column in onehot),
        n_levels=tuple(levels[column] for column in embedded),
        missing_onehot=tuple(bool(_is_none(X[:, column]).any()) for column in onehot),
    )


def _is_none(codes: Matrix) -> NDArray[np.bool_]:
    return ~(codes >= 0)  # NaN compares as false


def _n_levels(codes: Matrix) -> int:
    known = codes[~_is_none(codes)]
    return int(known.max()) + 1 if len(known) else 0


def _levels(codes: Matrix, n_levels: int) -> Codes:
    """Levels as whole numbers; `n_levels` for what is none of them."""
    none = _is_none(codes) | (codes >= n_levels)
    return np.where(none, n_levels, np.where(none, 0, codes)).astype(np.int64)
