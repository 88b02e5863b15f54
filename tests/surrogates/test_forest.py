"""The fast forest against a slow and direct reading of its definition, and known laws."""

import time

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.surrogates.forest import ForestSettings, fit_forest


def data(seed: int, n: int = 60):
    """Two numbers, one of them sometimes inactive, and an unordered choice of four."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 3))
    X[:, 2] = (rng.integers(4, size=n) + 0.5) / 4
    X[rng.random(n) < 0.3, 1] = np.nan
    y = np.where(np.isnan(X[:, 1]), 2.0, X[:, 1]) + np.isin(X[:, 2], [0.125, 0.875]) + X[:, 0]
    return X, y, np.array([0, 0, 4])


def slow_leaf(forest, tree: int, row: np.ndarray) -> int:
    """Walk one row down one tree, node by node, as the docstring says."""
    node = int(forest.roots[tree])
    while forest.left[node] != node:
        column = int(forest.column[node])
        value = row[column]
        if np.isnan(value):
            value = -1.0
        elif forest.n_choices[column]:
            choice = int(value * forest.n_choices[column])
            mask = 2**64 - 1
            mixed = ((choice + 2) * 0x9E3779B97F4A7C15 & mask) ^ int(forest.salt[node])
            mixed = (mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9 & mask
            mixed = (mixed ^ (mixed >> 29)) * 0x94D049BB133111EB & mask
            value = (mixed >> 11) / 2**53
        node = int(forest.left[node]) + int(value > forest.threshold[node])
    return node


@given(seed=st.integers(0, 1000))
def test_mean_and_variance_follow_the_law_of_total_variance(seed) -> None:
    X, y, n_choices = data(seed)
    forest = fit_forest(X, y, n_choices, np.random.default_rng(seed), ForestSettings(n_trees=5))
    mean, variance = forest.predict(X[:10])
    for row in range(10):
        leaves = [slow_leaf(forest, tree, X[row]) for tree in range(5)]
        means, variances = forest.mean[leaves], forest.variance[leaves]
        assert mean[row] == pytest.approx(sum(means) / 5)
        # Hutter (2014), eq. 2: E[v] + E[m^2] - E[m]^2.
        direct = sum(variances) / 5 + sum(means**2) / 5 - (sum(means) / 5) ** 2
        assert variance[row] == pytest.approx(direct, abs=1e-12)


@given(seed=st.integers(0, 1000), min_leaf=st.integers(1, 6))
def test_leaves_hold_the_statistics_of_the_rows_in_them(seed, min_leaf) -> None:
    X, y, n_choices = data(seed, n=40)
    settings = ForestSettings(n_trees=1, min_leaf=min_leaf, least_variance=0.0)
    forest = fit_forest(X, y, n_choices, np.random.default_rng(seed), settings)
    drawn = np.random.default_rng(seed).integers(40, size=40)  # the same first draw: its rows
    leaf = forest.leaves(X)[0]
    for node in np.unique(leaf[drawn]):
        inside = y[drawn][leaf[drawn] == node]
        assert len(inside) >= min_leaf
        assert forest.mean[node] == pytest.approx(inside.mean())
        assert forest.variance[node] == pytest.approx(inside.var(), abs=1e-12)


@given(seed=st.integers(0, 1000))
def test_inactive_rows_never_share_a_split_with_active_ones(seed) -> None:
    X, _, n_choices = data(seed)
    y = np.random.default_rng(seed).random(len(X))
    forest = fit_forest(X, y, n_choices, np.random.default_rng(seed))
    active = X.copy()
    active[:, 1] = 0.0  # the smallest active value must not count as inactive
    on_column = (forest.column == 1) & (forest.left != np.arange(len(forest.left)))
    is_gate = forest.threshold[on_column] == -0.5
    assert is_gate.any() and (forest.threshold[on_column][~is_gate] >= 0).all()


def test_choices_are_split_as_sets() -> None:
    # Cost depends on {0, 2, 4} against {1, 3, 5}: no threshold on the order separates them,
    # so a single split on an ordered column would leave at least a third of the variance.
    choice = np.repeat(np.arange(6), 20)
    X = ((choice + 0.5) / 6)[:, None]
    y = (choice % 2).astype(float)
    rng = np.random.default_rng(0)
    settings = ForestSettings(n_trees=20, tries=50, min_leaf=55)  # room for a single split
    as_set = fit_forest(X, y, np.array([6]), rng, settings)
    as_order = fit_forest(X, y, np.array([0]), rng, settings)
    error_as_set = np.square(as_set.predict(X)[0] - y).mean()
    error_as_order = np.square(as_order.predict(X)[0] - y).mean()
    assert as_set.depth == 1
    assert error_as_set < 0.5 * error_as_order


def test_it_learns_as_well_as_an_established_forest() -> None:
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(1)
    X, Z = rng.random((200, 6)), rng.random((500, 6))

    def f(X):
        return np.sin(6 * X[:, 0]) + 3 * (X[:, 1] - 0.3) ** 2 + X[:, 2] * X[:, 3]

    ours, _ = fit_forest(X, f(X), np.zeros(6, int), rng).predict(Z)
    theirs = RandomForestRegressor(16, random_state=0).fit(X, f(X)).predict(Z)
    assert np.square(ours - f(Z)).mean() < 1.1 * np.square(theirs - f(Z)).mean()


def test_uncertainty_is_larger_where_nothing_was_seen() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.uniform(0, 0.4, 40), rng.uniform(0.9, 1.0, 3)])[:, None]
    y = np.where(X[:, 0] < 0.5, 0.01 * rng.standard_normal(43), 1.0)
    _, variance = fit_forest(X, y, np.array([0]), rng, ForestSettings(n_trees=100)).predict(
        np.array([[0.2], [0.65]])
    )
    assert variance[1] > 5 * variance[0]


def test_the_same_generator_grows_the_same_forest() -> None:
    X, y, n_choices = data(0)
    first, second = (fit_forest(X, y, n_choices, np.random.default_rng(4)) for _ in range(2))
    assert (first.predict(X)[0] == second.predict(X)[0]).all()


@pytest.mark.parametrize(
    "X", [np.zeros((1, 2)), np.zeros((5, 0)), np.full((5, 2), np.nan), np.full((5, 2), 0.5)]
)
def test_nothing_to_split(X) -> None:
    y = np.arange(len(X), dtype=float)
    mean, variance = fit_forest(X, y, np.zeros(X.shape[1], int), np.random.default_rng(0)).predict(
        X
    )
    assert (mean == mean[0]).all() and np.isfinite(variance).all() and (variance > 0).all()


def test_many_columns_and_many_rows_take_bounded_time() -> None:
    rng = np.random.default_rng(0)
    for n, d in ((20_000, 10), (200, 2_000)):
        X, y = rng.random((n, d)), rng.random(n)
        began = time.process_time()
        fit_forest(X, y, np.zeros(d, int), rng).predict(X[:500])
        assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("X", "y"), [(np.zeros((0, 2)), np.zeros(0)), (np.zeros((2, 2)), [1, np.inf])]
)
def test_no_rows_and_no_costs_are_refused(X, y) -> None:
    with pytest.raises(ValueError, match=r"at least one row and finite costs.*Impute"):
        fit_forest(X, y, np.zeros(2, int), np.random.default_rng(0))
