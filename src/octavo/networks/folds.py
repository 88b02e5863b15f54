"""Which rows each member of an ensemble learns from, and which judge it.

A member that leaves out an eighth of the rows is judged by these, so that together all rows
decide when training has lasted long enough, and together all rows are learned from: early stopping
costs no data, and no second training on what was kept back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_JUDGING", "Folds", "member_folds"]

Rows = NDArray[np.int64]

_FEWEST = 64  # rows: fewer decide by chance
MOST_JUDGING = 1024  # rows for each member: more cost time and decide no better


@dataclass(frozen=True, eq=False)
class Folds:
    """Rows of each member.

    Parameters
    ----------
    train : shape (k, m)
        Row numbers that each member learns from.
    judging : shape (k, v)
        Row numbers that judge each member, which it does not learn from; v is 0 if the table
        has too few rows to judge by.
    """

    train: Rows
    judging: Rows


def member_folds(labels: NDArray[np.int64] | None, n_rows: int, members: int, seed: int) -> Folds:
    """Give each of k members a fold to leave out.

    Parameters
    ----------
    labels : shape (n_rows,)
        Classes, whose shares each fold keeps; None for a regression.
    n_rows, members
        n and k.
    seed
        Of the draw.

    Examples
    --------
    >>> folds = member_folds(None, n_rows=80, members=4, seed=0)
    >>> folds.train.shape, folds.judging.shape
    ((4, 60), (4, 20))
    """
    rng = np.random.default_rng([seed, 8])
    if n_rows < _FEWEST or members < 2:
        everything = np.tile(np.arange(n_rows), (members, 1))
        return Folds(everything, np.empty((members, 0), dtype=np.int64))
    order = rng.permutation(n_rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    # Dealt like cards: the rows of a class follow each other, so every fold gets its share.
    dealt = [order[member::members] for member in range(members)]
    n_judging = min(MOST_JUDGING, n_rows // members)
    judging = np.stack([rng.permutation(fold)[:n_judging] for fold in dealt])
    train = np.stack([np.setdiff1d(np.arange(n_rows), left_out) for left_out in judging])
    return Folds(train.astype(np.int64), judging.astype(np.int64))
