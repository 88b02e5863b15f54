"""Densities around points of the unit cube, where some columns are choices and some are absent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["log_kernels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


def log_kernels(
    values: Floats, centres: Floats, n_choices: Ints, widths: Floats, spill: Floats
) -> Floats:
    """Logarithm of the density around each centre, relative to the uniform one, at each row.

    A product over columns: a Gaussian, truncated to the unit interval, where they are ordered;
    most weight on the centre's own value where they are choices; 1 where either of the two has
    no value.

    Parameters
    ----------
    values : shape (m, d)
        In [0, 1], NaN where there is no value; choice k of n is (k + 0.5) / n.
    centres : shape (n, d)
        Likewise.
    n_choices : shape (d,)
        0 for ordered columns.
    widths : shape (d,)
        Standard deviations, for ordered columns.
    spill : shape (d,)
        Weight of each choice beside the centre's own, whose weight is 1 + spill; positive.

    Returns
    -------
    shape (m, n)

    Examples
    --------
    >>> one = np.array([[0.25]])
    >>> np.exp(log_kernels(one, one, np.array([2]), np.array([1.0]), np.array([0.5])))
    array([[1.5]])
    """
    # Expanded into sums of products, all columns are one multiplication of matrices.
    ordered = np.flatnonzero(n_choices == 0)
    width, centre = widths[ordered], centres[:, ordered]
    mass = ndtr((1.0 - centre) / width) - ndtr(-centre / width)
    constant = -0.5 * (centre / width) ** 2 - np.log(width * mass) - _LOG_SQRT_2PI
    x = values[:, ordered]
    left = [_present(x), x, x * x]
    right = [constant, centre / width**2, _present(centre) * (-0.5 / width**2)]
    for j in np.flatnonzero(n_choices).tolist():
        n = n_choices[j]
        scale = n / (1.0 + n * spill[j])
        left += [_present(values[:, [j]]), _one_hot(values[:, j], n)]
        right += [
            _present(centres[:, [j]]) * np.log(spill[j] * scale),
            _one_hot(centres[:, j], n) * np.log1p(1.0 / spill[j]),
        ]
    return np.asarray(_filled(left, len(values)) @ _filled(right, len(centres)).T)


def _present(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.nan, 1.0)


def _one_hot(values: Floats, n: int) -> Floats:
    return (np.abs(values[:, None] - (np.arange(n) + 0.5) / n) < 0.5 / n).astype(np.float64)


def _filled(blocks: list[Floats], n: int) -> Floats:
    """Side by side, with 0 where a value is absent, so that it adds nothing."""
    return np.nan_to_num(np.concatenate([np.empty((n, 0)), *blocks], axis=1), nan=0.0)
