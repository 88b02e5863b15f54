"""A table in twenty numbers that cost next to nothing, to find tables that are like it.

Counts, shares and moments that are known once the columns are: no model is fitted. Two landmarks
(how far the nearest row and a straight line get on a few hundred rows) may be added; they take
milliseconds. Skewed quantities are taken by their logarithm, so that distances between tables
mean something.

Feurer, Springenberg & Hutter (2015), Initializing Bayesian Hyperparameter Optimization via
Meta-Learning, AAAI. Perrone, Jenatton, Seeger & Archambeau (2018), Scalable Hyperparameter
Transfer Learning, NeurIPS 31. Pfahringer, Bensusan & Giraud-Carrier (2000), Meta-Learning by
Landmarking Various Learning Algorithms, ICML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError

__all__ = ["landmarks", "meta_features"]

Floats = NDArray[np.float64]

KINDS = ("number", "boolean", "category", "text", "date")
_LANDMARK_ROWS = 256
_LANDMARK_COLUMNS = 64
_RIDGE = 1e-2  # on standardized columns, as a share of the rows


def meta_features(
    *,
    n_rows: int,
    kinds: Mapping[str, int],
    missing_share: float,
    y: NDArray[Any] | None,
    is_classification: bool,
    n_levels: Sequence[int] = (),
) -> dict[str, float]:
    """What a table is like.

    Parameters
    ----------
    n_rows
        Its rows.
    kinds
        How many columns it has of each kind: "number", "boolean", "category", "text", "date".
    missing_share
        Of all cells, in [0, 1].
    y : shape (n,)
        Class codes from 0, or numbers; finite. None: not known, and neither is what follows
        from it.
    is_classification
        Whether `y` has classes.
    n_levels
        Different values of each categorical column.

    Returns
    -------
    dict
        Always the same names. NaN where something is not known, or not defined: a regression
        has no classes.

    Raises
    ------
    DataError
        If there are no rows or columns.

    Examples
    --------
    >>> found = meta_features(n_rows=100, kinds={"number": 3, "category": 1}, missing_share=0.0,
    ...                       y=np.arange(100) % 2, is_classification=True, n_levels=[5])
    >>> round(found["log_rows"], 3), found["share_category"], found["class_entropy"]
    (4.605, 0.25, 1.0)
    """
    n_columns = sum(kinds.values())
    unknown = set(kinds) - set(KINDS)
    if n_rows < 1 or n_columns < 1 or unknown:
        raise DataError(
            f"a table of {n_rows} rows and columns of the kinds {dict(kinds)} cannot be described. "
            f"Give at least one row and one column; kinds are {', '.join(KINDS)}."
        )
    levels = np.asarray(n_levels, dtype=float)
    found = {
        "log_rows": math.log(n_rows),
        "log_columns": math.log(n_columns),
        "log_rows_per_column": math.log(n_rows / n_columns),
        **{f"share_{kind}": kinds.get(kind, 0) / n_columns for kind in KINDS},
        "missing_share": float(missing_share),
        "has_missing": float(missing_share > 0),
        "log_mean_levels": math.log(levels.mean()) if len(levels) else math.nan,
        "log_most_levels": math.log(levels.max()) if len(levels) else math.nan,
        "is_classification": float(is_classification),
    }
    return (
        found
        | _of_classes(y if is_classification else None)
        | _of_numbers(None if is_classification else y)
    )


def landmarks(X: Floats, y: NDArray[Any], *, is_classification: bool, seed: int = 0) -> Floats:
    """How much of the target the nearest other row, and a straight line, explain.

    Both are left-one-out on at most 256 rows and 64 columns, drawn at random.

    Parameters
    ----------
    X : shape (n, d)
        Numbers; NaN counts as the column's mean.
    y : shape (n,)
        Class codes from 0, or numbers; finite.
    is_classification
        Whether `y` has classes.
    seed
        Draws rows and columns.

    Returns
    -------
    shape (2,)
        Nearest row, straight line: 0 is no better than a constant guess, 1 is perfect. Share of
        the constant guess's errors that are avoided, or of its squared error; not below 0. NaN
        if the target is constant on these rows.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> found = landmarks(X, X @ [1.0, 2.0, 3.0], is_classification=False)
    >>> bool(0.3 < found[0] < 0.95), bool(found[1] > 0.99)
    (True, True)
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[:_LANDMARK_ROWS]
    columns = rng.permutation(X.shape[1])[:_LANDMARK_COLUMNS]
    Z = np.asarray(X, dtype=float)[np.ix_(rows, columns)]
    known = np.isfinite(Z)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, Z, 0.0).sum(axis=0) / counts
    Z = np.where(known, Z - mean, 0.0)
    Z /= np.maximum(np.sqrt(np.square(Z).mean(axis=0)), 1e-12)
    labels = np.asarray(y)[rows]
    if is_classification:
        targets = np.eye(int(labels.max()) + 1)[labels.astype(np.int64)]
    else:
        targets = np.asarray(labels, dtype=float)[:, None]
    if len(np.unique(labels)) < 2 or len(rows) < 3:
        return np.full(2, np.nan)
    squared = np.square(Z).sum(axis=1)
    apart = squared[:, None] + squared - 2 * Z @ Z.T
    np.fill_diagonal(apart, np.inf)
    nearest = targets[apart.argmin(axis=1)]
    # Left-one-out predictions of a ridge regression in closed form, by its hat matrix.
    design = np.column_stack([np.ones(len(Z)), Z])
    penalty = np.full(design.shape[1], _RIDGE * len(Z))
    penalty[0] = 0.0
    hat = design @ np.linalg.solve(design.T @ design + np.diag(penalty), design.T)
    left = np.minimum(np.diagonal(hat), 1 - 1e-6)[:, None]
    line = (hat @ targets - left * targets) / (1 - left)
    return np.array([_explained(guess, targets, is_classification) for guess in (nearest, line)])


def _explained(guess: Floats, targets: Floats, is_classification: bool) -> float:
    if is_classification:
        wrong = float((guess.argmax(axis=1) != targets.argmax(axis=1)).mean())
        constant = 1.0 - float(targets.mean(axis=0).max())
    else:
        wrong = float(np.square(guess - targets).mean())
        constant = float(targets.var())
    return max(0.0, 1.0 - wrong / constant)


def _of_classes(y: NDArray[Any] | None) -> dict[str, float]:
    names = ("log_classes", "log_imbalance", "class_entropy", "log_rarest")
    if y is None:
        return dict.fromkeys(names, math.nan)
    counts = np.bincount(np.asarray(y, dtype=np.int64))
    counts = counts[counts > 0]
    shares = counts / counts.sum()
    evenly = math.log(len(counts)) if len(counts) > 1 else 1.0
    entropy = float(-(shares * np.log(shares)).sum()) / evenly
    values = (
        math.log(len(counts)),
        math.log(counts.max() / counts.min()),
        round(entropy, 12) + 0.0,
        math.log(counts.min()),
    )
    return dict(zip(names, values, strict=True))


def _of_numbers(y: NDArray[Any] | None) -> dict[str, float]:
    """Moments of a numeric target; heavy tails by the inverse hyperbolic sine."""
    names = ("target_skewness", "target_kurtosis", "target_distinct")
    if y is None:
        return dict.fromkeys(names, math.nan)
    values = np.asarray(y, dtype=float)
    spread = float(values.std())
    z = (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
    skewness, kurtosis = float((z**3).mean()), float((z**4).mean())
    distinct = len(np.unique(values)) / len(values)
    moments = (math.asinh(skewness), math.asinh(kurtosis - 3.0 if spread > 0 else 0.0), distinct)
    return dict(zip(names, moments, strict=True))
