"""Numbers for models: scaled, with what is missing filled in, as float32.

"robust" is the scaling of Holzmüller, Grinsztajn & Steinwart (2024), Better by default: strong
pre-tuned MLPs and boosted trees on tabular data: centred at the median, divided by the
interquartile range, and smoothly clipped, so that outliers stay near.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["NumberEncoder", "fit_numbers"]

Floats = NDArray[np.float64]

Scaling = Literal["none", "standard", "robust", "quantile"]
Filling = Literal["keep", "mean", "median"]

N_QUANTILES = 256
SUMMARIZED_ROWS = 50_000
"""Medians and quantiles are taken from so many evenly spread rows at most."""
LARGEST = 1e30
"""What is larger in magnitude becomes this: squares must fit into float32 or nearly so."""


@dataclass(frozen=True, eq=False)
class NumberEncoder:
    """How some numeric columns are scaled and filled.

    Parameters
    ----------
    center, scale : shape (p,)
        Subtracted, then divided by.
    fill : shape (p,)
        What stands for missing, after scaling; NaN where missing is kept.
    is_clipped : shape (p,)
        Whether the smooth clipping of "robust" follows.
    grids : shape (N_QUANTILES, p)
        Quantiles, where columns are spread out to a normal distribution; else None.
    indicated
        Columns with an indicator of what was missing, at the end.
    """

    center: Floats
    scale: Floats
    fill: Floats
    is_clipped: NDArray[np.bool_]
    grids: Floats | None
    indicated: NDArray[np.int64]

    def transform(self, values: Floats) -> NDArray[np.float32]:
        """Shape (n, p + indicators), float32. `values` has shape (n, p), NaN where missing."""
        n, p = values.shape
        out = np.empty((n, p + len(self.indicated)), dtype=np.float32)
        out[:, :p] = self._filled(values)
        out[:, p:] = np.isnan(values[:, self.indicated])
        return out

    def _filled(self, values: Floats) -> Floats:
        scaled = self._scaled(values)
        missing = np.isnan(scaled)
        return np.where(missing, self.fill, scaled) if missing.any() else scaled

    def _scaled(self, values: Floats) -> Floats:
        scaled = (np.clip(values, -LARGEST, LARGEST) - self.center) / self.scale
        if self.is_clipped.any():
            columns = self.is_clipped
            scaled[:, columns] /= np.sqrt(1.0 + (scaled[:, columns] / 3.0) ** 2)
        if self.grids is not None:
            for column in np.flatnonzero(~np.isnan(self.grids[0])):
                scaled[:, column] = _to_normal(scaled[:, column], self.grids[:, column])
        return scaled


def fit_numbers(
    values: Floats,
    *,
    scaling: Scaling,
    filling: Filling,
    indicator: bool,
    is_truth: NDArray[np.bool_],
) -> NumberEncoder:
    """Learn centres, scales and fillings. Columns that are constant or always missing are fine.

    Parameters
    ----------
    values : shape (n, p)
        NaN where missing.
    scaling
        "none", "standard" (mean and standard deviation), "robust" (see above), "quantile" (to
        a normal distribution by rank).
    filling
        With what missing cells are filled; "keep" leaves NaN.
    indicator
        Whether a column of 0 and 1 is added for each column with missing cells.
    is_truth : shape (p,)
        Columns that are true or false; they are not scaled.
    """
    n_columns = values.shape[1]
    values = np.clip(values, -LARGEST, LARGEST)
    known = ~np.isnan(values)
    rows = values[:: max(1, len(values) // SUMMARIZED_ROWS)]
    mean, median = _means(values), _quantiles(rows, np.array([0.5]))[0]
    center, scale = _center_and_scale(values, rows, mean, median, scaling)
    center, scale = np.where(is_truth, 0.0, center), np.where(is_truth, 1.0, scale)
    is_clipped = np.full(n_columns, scaling == "robust") & ~is_truth
    grids = None
    if scaling == "quantile":
        grids = (_quantiles(rows, np.linspace(0, 1, N_QUANTILES)) - center) / scale
        grids[:, is_truth | (grids[0] == grids[-1])] = np.nan
    has_missing = ~known.all(axis=0)
    indicated = np.flatnonzero(has_missing & known.any(axis=0)) if indicator else np.zeros(0, int)
    kept = np.full(n_columns, np.nan)
    encoder = NumberEncoder(center, scale, kept, is_clipped, grids, indicated)
    if filling == "keep":
        return encoder
    raw = np.where(known.any(axis=0), mean if filling == "mean" else median, center)
    return replace(encoder, fill=encoder._scaled(raw[np.newaxis])[0])


def _means(values: Floats) -> Floats:
    """Shape (p,): means of what is known, 0 where nothing is."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _center_and_scale(
    values: Floats, rows: Floats, mean: Floats, median: Floats, scaling: Scaling
) -> tuple[Floats, Floats]:
    if scaling in ("standard", "none"):
        std = np.sqrt(_means((values - mean) ** 2))
        if scaling == "standard":
            return mean, _divisors(std, mean)
        # float32 has 7 digits: what is far from zero and close together would become equal.
        return np.where(std < 6e-5 * np.abs(mean), mean, 0.0), np.ones(len(mean))
    low, lower, upper, high = _quantiles(rows, np.array([0.0, 0.25, 0.75, 1.0]))
    if scaling == "quantile":
        return median, _divisors(high - low, median)
    # More than half of the cells may be equal; then the range says more than quartiles.
    return median, _divisors(np.where(upper > lower, upper - lower, (high - low) / 2), median)


def _divisors(spread: Floats, center: Floats) -> Floats:
    """Spreads to divide by; infinite where a column is constant, up to rounding.

    Nothing could be learned from such a column, so that whatever it holds later becomes 0.
    """
    return np.where(spread > 1e-12 * np.abs(center), spread, np.inf)


def _quantiles(values: Floats, levels: Floats) -> Floats:
    """Shape (levels, p): quantiles of what is known, 0 where nothing is."""
    if not np.isnan(values).any() and len(values):
        return np.asarray(np.quantile(values, levels, axis=0))
    result = np.zeros((len(levels), values.shape[1]))
    for column in range(values.shape[1]):
        known = values[:, column][~np.isnan(values[:, column])]
        if len(known):
            result[:, column] = np.quantile(known, levels)
    return result


def _to_normal(values: Floats, grid: Floats) -> Floats:
    """Ranks within a grid of quantiles, as values of a standard normal distribution.

    The mean of interpolating from the left and from the right puts a value that occurs often
    in the middle of its ranks.
    """
    levels = np.linspace(0, 1, len(grid))
    below = np.interp(values, grid, levels)
    above = 1.0 - np.interp(-values, -grid[::-1], levels)
    ranks = np.clip((below + above) / 2, 1e-4, 1 - 1e-4)
    return np.where(np.isnan(values), np.nan, ndtri(ranks))
