"""A random forest that says how sure it is, fast enough to be fitted for every proposal.

All trees grow at the same time, one level after the other, in a few array operations per
level: at a few hundred trials that takes milliseconds, which a loop over nodes would not.
Splits are drawn at random, several per node, and the best one is taken (Geurts 2006).

Mean and variance follow from the law of total variance over trees and leaves:

    mean = E[m_b],   variance = E[v_b] + Var[m_b]            (Hutter 2014, eq. 1 and 2)

with m_b and v_b the mean and variance of the training costs in tree b's leaf.

- Unordered choices are split as sets: each node shuffles the choices by a hash of its own,
  so a threshold on the shuffled numbers is a random subset.
- Inactive (NaN) rows get their own branch: where active and inactive rows of a column meet
  in a node, that column can only be split between the two.

Geurts, Ernst & Wehenkel (2006), Extremely Randomized Trees, Machine Learning 63.
Hutter, Xu, Hoos & Leyton-Brown (2014), Algorithm runtime prediction: Methods & evaluation,
Artificial Intelligence 206.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest", "ForestSettings", "fit_forest"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_INACTIVE = -1.0
_BETWEEN = -0.5  # splits inactive (-1) from active (0 to 1) rows


@dataclass(frozen=True, slots=True)
class ForestSettings:
    """How a forest is grown.

    Parameters
    ----------
    n_trees
        More trees, smoother means and truer variances.
    tries
        How many random splits a node compares in each column.
    min_leaf
        Rows that each side of a split must keep.
    columns_per_try
        Of more columns than this, a random subset is tried at each level.
    rows_per_tree
        A tree sees at most this many rows, drawn with replacement, so that fitting takes
        bounded time however long a history is.
    least_variance
        The least variance of a leaf, as a share of the variance of all costs: a leaf with
        a single row does not know that much (Hutter 2014, section 4.1.3).
    """

    n_trees: int = 16
    tries: int = 2
    min_leaf: int = 1
    columns_per_try: int = 30
    rows_per_tree: int = 500
    least_variance: float = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Grown trees as flat arrays: node `i` of all trees together; a leaf points to itself.

    Parameters
    ----------
    column, threshold, salt : shape (nodes,)
        Rows at or below the threshold go left; `salt` shuffles unordered choices first.
    left : shape (nodes,)
        The left child; the right one is next to it.
    mean, variance : shape (nodes,)
        Of the training costs in each leaf.
    roots : shape (trees,)
    n_choices : shape (columns,)
        Number of choices of unordered columns, 0 for ordered ones.
    depth
        Levels below the roots.
    """

    column: Ints
    threshold: Floats
    salt: NDArray[np.uint64]
    left: Ints
    mean: Floats
    variance: Floats
    roots: Ints
    n_choices: Ints
    depth: int

    def leaves(self, X: Floats) -> Ints:
        """The leaf of each row in each tree: shape (trees, n)."""
        n, d = X.shape
        values = _prepared(X, self.n_choices).ravel()
        any_choices = bool(self.n_choices.any())
        node = np.repeat(self.roots, n)
        offset = np.tile(np.arange(n) * d, len(self.roots))
        for _ in range(self.depth):
            column = self.column[node]
            value = values[offset + column]
            if any_choices:
                shuffled = _shuffle(value, self.salt[node])
                value = np.where(self.n_choices[column] > 0, shuffled, value)
            below = value <= self.threshold[node]
            node = self.left[node] + np.where(below | (self.left[node] == node), 0, 1)
        return node.reshape(len(self.roots), n)

    def predict(self, X: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the cost at each row.

        Parameters
        ----------
        X : shape (n, d)
            Encoded as the training rows, NaN where inactive.

        Returns
        -------
        mean, variance : shape (n,)
        """
        leaves = self.leaves(X)
        means = self.mean[leaves]
        mean = means.mean(axis=0)
        variance = self.variance[leaves].mean(axis=0) + np.square(means - mean).mean(axis=0)
        return mean, variance


def fit_forest(
    X: Floats,
    y: Floats,
    n_choices: Ints,
    rng: np.random.Generator,
    settings: ForestSettings = ForestSettings(),
) -> Forest:
    """Grow a forest.

    Parameters
    ----------
    X : shape (n, d)
        Encoded configurations, NaN where inactive; n >= 1.
    y : shape (n,)
        Costs, finite, best on a standardized scale.
    n_choices : shape (d,)
        Number of choices of unordered columns, encoded as `(k + 0.5) / n`; 0 for ordered.
    rng
        Draws rows and splits.
    settings
        See `ForestSettings`.

    Raises
    ------
    ValueError
        Without rows, or if a cost is not finite.

    Examples
    --------
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> forest = fit_forest(X, (X[:, 0] > 0.5) * 1.0, np.array([0]), np.random.default_rng(0))
    >>> forest.predict(np.array([[0.1], [0.9]]))[0]
    array([0., 1.])
    """
    if not len(X) or not np.isfinite(y).all():
        raise ValueError(
            f"a forest needs at least one row and finite costs, got {len(X)} rows of which "
            f"{int((~np.isfinite(y)).sum())} have none. Impute failures before fitting."
        )
    n, _ = X.shape
    per_tree = min(n, settings.rows_per_tree)
    rows = rng.integers(n, size=(settings.n_trees, per_tree)).ravel()
    tree_of_row = np.repeat(np.arange(settings.n_trees), per_tree)
    floor = settings.least_variance * max(float(y.var()), np.finfo(float).tiny)
    return _grow(_prepared(X, n_choices), y, n_choices, rows, tree_of_row, rng, settings, floor)


def _grow(
    X: Floats,
    y: Floats,
    n_choices: Ints,
    rows: Ints,
    node: Ints,
    rng: np.random.Generator,
    settings: ForestSettings,
    floor: float,
) -> Forest:
    """Grow all trees level by level; `rows` stay sorted by the `node` that they are in."""
    parts: list[tuple[NDArray[Any], ...]] = []
    worth_splitting = 1e-12 * float(y.var()) if X.shape[1] else np.inf
    first, n_level, depth = 0, settings.n_trees, 0
    while True:
        # One contiguous run of rows per node of this level; every node has rows.
        starts = np.flatnonzero(np.r_[True, node[1:] != node[:-1]])
        counts = np.diff(np.r_[starts, len(node)])
        target = y[rows]
        mean = np.add.reduceat(target, starts) / counts
        spread = np.square(target - np.repeat(mean, counts))
        variance = np.add.reduceat(spread, starts) / counts
        # Above rounding error: equal costs need no further split.
        can_split = (counts >= 2 * settings.min_leaf) & (variance > worth_splitting)
        residual = target - np.repeat(mean, counts)
        column, threshold, salt, is_split, goes_left = _best_splits(
            X[rows], residual, starts, counts, can_split, n_choices, rng, settings
        )
        ids = first + np.arange(n_level)
        left = ids.copy()
        first += n_level
        left[is_split] = first + 2 * np.arange(int(is_split.sum()))
        parts.append((column, threshold, salt, left, mean, np.maximum(variance, floor)))
        if not is_split.any():
            break
        depth += 1
        stays = np.repeat(is_split, counts)
        child = np.repeat(left, counts)[stays] + ~goes_left[stays]
        order = np.argsort(child, kind="stable")
        rows, node = rows[stays][order], child[order]
        n_level = 2 * int(is_split.sum())
    column, threshold, salt, left, mean, variance = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    return Forest(
        column=column,
        threshold=threshold,
        salt=salt,
        left=left,
        mean=mean,
        variance=variance,
        roots=np.arange(settings.n_trees),
        n_choices=n_choices,
        depth=depth,
    )


def _best_splits(
    X: Floats,
    residual: Floats,
    starts: Ints,
    counts: Ints,
    can_split: Bools,
    n_choices: Ints,
    rng: np.random.Generator,
    settings: ForestSettings,
) -> tuple[Ints, Floats, NDArray[np.uint64], Bools, Bools]:
    """The best of several random splits per node, whether there is any, and who goes left."""
    n_nodes, d = len(starts), X.shape[1]
    every = np.arange(n_nodes)
    node_of_row = np.repeat(every, counts)
    best_gain = np.full(n_nodes, -1.0)
    column = np.zeros(n_nodes, dtype=np.int64)
    threshold = np.zeros(n_nodes)
    salt = np.zeros(n_nodes, dtype=np.uint64)
    goes_left = np.zeros(len(X), dtype=bool)
    for _ in range(settings.tries if d else 0):
        tried = np.arange(d)
        if d > settings.columns_per_try:
            tried = rng.choice(d, size=settings.columns_per_try, replace=False)
        values = X[:, tried]
        is_choice = n_choices[tried] > 0
        salts = rng.integers(2**64, size=n_nodes, dtype=np.uint64)
        if is_choice.any():
            values[:, is_choice] = _shuffle(values[:, is_choice], salts[node_of_row][:, None])
        low = np.minimum.reduceat(values, starts, axis=0)
        high = np.maximum.reduceat(values, starts, axis=0)
        cut = low + rng.random((n_nodes, len(tried))) * (high - low)
        cut[(low < 0) & (high >= 0)] = _BETWEEN
        below = values <= cut[node_of_row]
        n_left = np.add.reduceat(below, starts, axis=0, dtype=np.int64)
        sum_left = np.add.reduceat(below * residual[:, None], starts, axis=0)
        n_right = counts[:, None] - n_left
        allowed = (np.minimum(n_left, n_right) >= settings.min_leaf) & can_split[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            # Residuals of a node sum to zero, so the right sum is minus the left one.
            gain = np.where(allowed, np.square(sum_left) * (1.0 / n_left + 1.0 / n_right), -1.0)
        winner = gain.argmax(axis=1)
        # A split that gains nothing counts too: it may open the way to one that does.
        better = gain[every, winner] > best_gain
        best_gain[better] = gain[every, winner][better]
        column[better] = tried[winner[better]]
        threshold[better] = cut[every, winner][better]
        salt[better] = salts[better]
        changed = better[node_of_row]
        goes_left[changed] = below[np.flatnonzero(changed), winner[node_of_row[changed]]]
    return column, threshold, salt, best_gain >= 0, goes_left


def _prepared(X: Floats, n_choices: Ints) -> Floats:
    """Inactive as -1, unordered choices as their number; a copy."""
    is_choice = n_choices > 0
    prepared = X.astype(float)
    prepared[:, is_choice] = np.floor(prepared[:, is_choice] * n_choices[is_choice])
    prepared[np.isnan(prepared)] = _INACTIVE
    return prepared


def _shuffle(number: Floats, salt: NDArray[np.uint64]) -> Floats:
    """A pseudo-random number in [0, 1) for each (choice, salt); inactive stays as it is."""
    mixed = (number + 2.0).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    uniform = (mixed >> np.uint64(11)) * 2.0**-53
    return np.where(number < 0, _INACTIVE, uniform)
