"""Which columns of a matrix say most about the target, each on its own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.target_encoding import target_columns

__all__ = ["explained_shares", "strongest"]


def explained_shares(matrix: NDArray[np.float32], y: NDArray[np.generic]) -> NDArray[np.float64]:
    """Shape (p,): the share of each column's variance that the target explains, in [0, 1].

    For classes that between class means, for numbers the squared correlation; both order the
    columns as their F statistics do. Missing cells count as the column's mean.

    Examples
    --------
    >>> X = np.array([[0, 1], [0, 2], [1, 1], [1, 2]], dtype=np.float32)
    >>> explained_shares(X, np.array([0, 0, 1, 1])).round(3)
    array([1., 0.])
    """
    known = ~np.isnan(matrix)
    counts = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, matrix, 0.0).astype(np.float64)
    centred = np.where(known, values - values.sum(axis=0) / counts, 0.0)
    total = (centred**2).sum(axis=0)
    if y.dtype.kind == "f":
        target = target_columns(y)
        explained = (target.T @ centred)[0] ** 2 / max(float((target**2).sum()), 1e-300)
    else:
        sizes = np.bincount(y)
        members = np.zeros((len(sizes), len(y)))
        members[y, np.arange(len(y))] = 1.0
        sums = members @ centred
        explained = (sums**2 / np.maximum(sizes, 1)[:, np.newaxis]).sum(axis=0)
    return np.where(total > 1e-12, explained / np.maximum(total, 1e-300), 0.0)


def strongest(
    matrix: NDArray[np.float32],
    y: NDArray[np.generic],
    fraction: float,
    *,
    always: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Indices of the columns to keep, in order: the best fraction, and those always kept.

    Parameters
    ----------
    matrix : shape (n, p)
        NaN where missing.
    y : shape (n,)
        Class codes as integers, or numbers as floats.
    fraction
        Of the other columns, above 0; at least one is kept, where there is one.
    always
        Columns that are kept anyway.
    """
    shares = explained_shares(matrix, y)
    others = np.setdiff1d(np.arange(matrix.shape[1]), always)
    n_kept = math.ceil(fraction * len(others))
    best = others[np.argsort(-shares[others], kind="stable")[:n_kept]]
    return np.sort(np.concatenate([best, always]).astype(np.int64))
