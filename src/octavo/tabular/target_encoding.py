"""A category as the mean of the target among its rows, without peeking at one's own row.

Micci-Barreca (2001), A preprocessing scheme for high-cardinality categorical attributes in
classification and prediction problems, SIGKDD Explorations 3, 27-32: the mean is drawn towards
the overall mean, the more the fewer rows a category has. On the training rows themselves it
comes from the other folds (cross fitting), else models would trust it too much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TargetEncoder", "fit_target_encoding", "target_columns"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

N_FOLDS = 5
MOST_CLASSES = 10
"""Of targets with more classes, only the most frequent ones get a column."""
SMOOTHING = 10.0
"""A category with so many rows stands half way between its own mean and the overall one."""


@dataclass(frozen=True, eq=False)
class TargetEncoder:
    """The smoothed means of some category columns.

    Parameters
    ----------
    means
        For each column an array of shape (n_categories + 1, T): one row per code, the last one
        for missing (code -1); T columns of the target.
    """

    means: tuple[Floats, ...]

    def transform(self, codes: Codes) -> NDArray[np.float32]:
        """Shape (n, p * T), float32. `codes` has shape (n, p), -1 where missing."""
        blocks = [means[codes[:, j]] for j, means in enumerate(self.means)]
        return np.concatenate(blocks, axis=1).astype(np.float32)


def target_columns(y: NDArray[np.generic]) -> Floats:
    """The target as standardized columns, shape (n, T): itself, or one indicator per class.

    Two classes need one column. Whole-number targets are class codes, floats are regression.
    """
    if y.dtype.kind == "f":
        columns = np.asarray(y, dtype=np.float64)[:, np.newaxis]
    else:
        counts = np.bincount(y)
        chosen = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
        if len(counts) <= 2:
            chosen = chosen[-1:]
        columns = np.asarray(y[:, np.newaxis] == chosen, dtype=np.float64)
    spread = columns.std(axis=0)
    return np.asarray((columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def fit_target_encoding(
    codes: Codes, n_categories: list[int], y: NDArray[np.generic], seed: int
) -> tuple[TargetEncoder, NDArray[np.float32]]:
    """Learn the means, and encode the training rows by cross fitting.

    Parameters
    ----------
    codes : shape (n, p)
        Category codes, -1 where missing.
    n_categories
        Categories of each column.
    y : shape (n,)
        Class codes (integers) or numbers (floats).
    seed
        Of the assignment of rows to folds.

    Returns
    -------
    encoder, encoded
        For new rows, and the training rows, shape (n, p * T).
    """
    targets = target_columns(y)
    encoder = TargetEncoder(
        tuple(_means(codes[:, j], n, targets) for j, n in enumerate(n_categories))
    )
    n_folds = min(N_FOLDS, len(codes))
    folds = np.random.default_rng(seed).permutation(np.arange(len(codes)) % max(n_folds, 1))
    encoded = np.empty((len(codes), codes.shape[1] * targets.shape[1]), dtype=np.float32)
    for fold in range(n_folds):
        held, rest = folds == fold, folds != fold
        if not rest.any():  # a single row: there is nothing else to learn from
            rest = held
        partial = TargetEncoder(
            tuple(_means(codes[rest, j], n, targets[rest]) for j, n in enumerate(n_categories))
        )
        encoded[held] = partial.transform(codes[held])
    return encoder, encoded


def _means(codes: Codes, n_categories: int, targets: Floats) -> Floats:
    overall = targets.mean(axis=0)
    slots = np.where(codes < 0, n_categories, codes)
    counts = np.bincount(slots, minlength=n_categories + 1)[:, np.newaxis]
    sums = np.column_stack(
        [
            np.bincount(slots, weights=targets[:, t], minlength=n_categories + 1)
            for t in range(targets.shape[1])
        ]
    )
    return np.asarray((sums + SMOOTHING * overall) / (counts + SMOOTHING))
