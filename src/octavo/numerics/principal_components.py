"""A few numbers for many: principal components of standardized columns, on [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["unit_components"]

Floats = NDArray[np.float64]


def unit_components(X: Floats, most: int) -> Floats:
    """The columns on [0, 1], or the principal components with the most variance.

    Parameters
    ----------
    X : shape (n, d)
        Finite; constant columns are left out.
    most
        More columns than this become so many principal components of the standardized columns.

    Returns
    -------
    shape (n, at most `most`)

    Examples
    --------
    >>> unit_components(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), most=2)
    array([[0. ],
           [0.5],
           [1. ]])
    """
    half = X / 2  # 1e308 - (-1e308) would overflow
    width = np.ptp(half, axis=0) if len(X) else np.zeros(X.shape[1])
    half = half[:, width > 0]
    if not half.shape[1]:
        return np.empty((len(X), 0))
    unit = (half - half.min(axis=0)) / np.ptp(half, axis=0)
    if unit.shape[1] <= most:
        return np.asarray(unit)
    standard = (unit - unit.mean(axis=0)) / unit.std(axis=0)
    left, sizes, axes = np.linalg.svd(standard, full_matrices=False)
    keep = sizes[:most] > 1e-9 * sizes[0]
    components = (left * sizes)[:, :most][:, keep]
    # The sign of an axis is arbitrary, and differs between machines.
    largest = np.abs(axes[: len(keep)][keep]).argmax(axis=1)
    components = components * np.sign(axes[: len(keep)][keep][np.arange(int(keep.sum())), largest])
    return np.asarray((components - components.min(axis=0)) / np.ptp(components, axis=0))
