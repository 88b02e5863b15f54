"""Columns that give the target away: a warning now, instead of a surprise in production.

A column from which one small tree predicts the target almost perfectly, on rows that the tree
has not seen, was often written down after the outcome. It may also be a strong feature, so it
is kept and the user decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from octavo.tabular.schema import Schema

__all__ = ["find_leaks"]

SAMPLED_ROWS = 2_000
WIDE = 500
"""With more columns than this, half the rows must do."""
FEW_ROWS = 50
"""Below this, perfect prediction happens by chance too often to speak of it."""
SUSPICIOUS = 0.98
"""Share of what a constant prediction leaves unexplained."""
WORTH_A_TREE = 0.85
"""What equal bins explain at least, where a tree might explain nearly all."""
N_BINS = 64


def find_leaks(X: pd.DataFrame, schema: Schema, y: Any) -> tuple[str, ...]:
    """Sentences about columns that predict the target almost perfectly, each on its own.

    Parameters
    ----------
    X : shape (n, p)
        The training table.
    schema
        What its columns are.
    y : shape (n,)
        The target, as the user gave it.
    """
    target = pd.Series(np.asarray(y).ravel() if not isinstance(y, pd.Series) else y.to_numpy())
    target = target.infer_objects()
    known = np.flatnonzero(target.notna().to_numpy())
    if len(known) < FEW_ROWS or len(target) != len(X):
        return ()
    rng = np.random.default_rng(0)  # a look at the data, the same at each call
    n_sampled = SAMPLED_ROWS if len(schema.features) <= WIDE else SAMPLED_ROWS // 2
    rows = rng.permutation(known)[:n_sampled]
    codes, is_class = _as_target(target.iloc[rows])
    canonical = schema.apply(X.iloc[rows])
    half = len(rows) // 2
    sentences = []
    for feature in schema.features:
        values = _as_floats(canonical[feature.name])
        if values is None:
            continue
        if _is_copy(values, codes, is_class):
            sentences.append(
                f"Column {feature.name!r} is a copy of the target under another name. A model "
                "needs nothing else, and will fail where it is unknown: leave it out."
            )
            continue
        share = _explained_by_bins(values, codes, is_class, half)
        if share >= WORTH_A_TREE:
            share = _explained_by_tree(values, codes, is_class, half)
        if share >= SUSPICIOUS:
            sentences.append(
                f"Column {feature.name!r} alone predicts {100 * share:.1f} % of what can be "
                "predicted of the target. If it is only known after the outcome, leave it out."
            )
    return tuple(sentences)


def _as_target(target: pd.Series) -> tuple[np.ndarray, bool]:
    if target.dtype.kind == "f" or (target.dtype.kind in "iu" and target.nunique() > 20):
        return target.to_numpy(np.float64), False
    codes, _ = pd.factorize(target.astype(str))
    return codes, True


def _as_floats(column: pd.Series) -> np.ndarray | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(np.float64)
    if column.dtype.kind == "M":
        return column.to_numpy().astype("datetime64[s]").astype(np.float64)
    return column.to_numpy(np.float64) if column.dtype.kind == "f" else None


def _is_copy(values: np.ndarray, target: np.ndarray, is_class: bool) -> bool:
    if np.isnan(values).any():
        return False
    if not is_class:
        if values.std() == 0 or target.std() == 0:
            return False
        return bool(abs(np.corrcoef(values, target)[0, 1]) > 1 - 1e-9)
    n_classes = int(target.max()) + 1
    if len(np.unique(values[:1000])) > n_classes:
        return False  # at once, for nearly all columns
    codes, distinct = pd.factorize(values)
    n_pairs = len(np.unique(codes * n_classes + target))
    return len(distinct) == n_classes == n_pairs


def _explained_by_tree(values: np.ndarray, target: np.ndarray, is_class: bool, half: int) -> float:
    """Share of the error of a constant prediction that a tree removes, in both halves."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    Tree = DecisionTreeClassifier if is_class else DecisionTreeRegressor
    shares = []
    for train, test in (
        (slice(None, half), slice(half, None)),
        (slice(half, None), slice(None, half)),
    ):
        tree = Tree(max_leaf_nodes=512, random_state=0).fit(values[train, None], target[train])
        guess = tree.predict(values[test, None])
        shares.append(1.0 - _error(guess, target[test], is_class) / _base(target, test, is_class))
    return min(shares)


def _error(guess: Any, target: np.ndarray, is_class: bool) -> float:
    return float((guess != target).mean() if is_class else ((guess - target) ** 2).mean())


def _base(target: np.ndarray, test: slice, is_class: bool) -> float:
    constant = np.bincount(target).argmax() if is_class else target.mean()
    return max(_error(constant, target[test], is_class), 1e-300)


def _explained_by_bins(values: np.ndarray, target: np.ndarray, is_class: bool, half: int) -> float:
    """Roughly what `_explained_by_tree` says, but quick: the first half predicts the second.

    Few values have a bin each, many share bins of equal counts.
    """
    train, test = slice(None, half), slice(half, None)
    edges = np.unique(values[train][~np.isnan(values[train])])
    if len(edges) > N_BINS:
        edges = edges[np.linspace(0, len(edges) - 1, N_BINS + 1).astype(int)[1:-1]]
    bins = np.searchsorted(edges, values, side="right")
    bins[np.isnan(values)] = len(edges) + 1
    n_bins = len(edges) + 2
    if is_class:
        n_classes = int(target.max()) + 1
        places = bins[train] * n_classes + target[train]
        table = np.bincount(places, minlength=n_bins * n_classes).reshape(n_bins, n_classes)
        overall = table.sum(axis=0)
        guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), overall.argmax())
    else:
        count = np.bincount(bins[train], minlength=n_bins)
        total = np.bincount(bins[train], weights=target[train], minlength=n_bins)
        mean = target[train].mean()
        guess = np.where(count > 0, total / np.maximum(count, 1), mean)
    error = _error(guess[bins[test]], target[test], is_class)
    return 1.0 - error / _base(target, test, is_class)
