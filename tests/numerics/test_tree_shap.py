"""TreeSHAP against Shapley values by enumeration, and the axioms that they must keep."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from octavo.numerics.tree_shap import Tree, expected_value, tree_shap


def grown(seed, *, n_columns=5, depth=6, classes=0):
    """A tree that splits its columns again and again, its rows, and scikit-learn's own."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, n_columns)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + X[:, 2] ** 2 + 0.1 * rng.normal(size=200)
    if classes:
        y = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    model = kind(max_depth=depth, random_state=seed).fit(X, y)
    own = model.tree_
    tree = Tree(
        own.children_left, own.children_right, own.feature, own.weighted_n_node_samples,
        own.value[:, 0, :],
    )  # fmt: skip
    return tree, X, own, model


def goes_left(own, X):
    left = np.zeros((own.node_count, len(X)), dtype=bool)
    inner = own.children_left >= 0
    left[inner] = (X[:, own.feature[inner]] <= own.threshold[inner]).T
    return left


def of_known(tree, left, known, node=0):
    """What the tree says of a row if only some columns are known: Lundberg's EXPVALUE."""
    if tree.left[node] < 0:
        return tree.value[node]
    a, b = tree.left[node], tree.right[node]
    if tree.column[node] in known:
        return of_known(tree, left, known, a if left[node] else b)
    total = tree.cover[a] + tree.cover[b]
    return (
        tree.cover[a] * of_known(tree, left, known, a)
        + tree.cover[b] * of_known(tree, left, known, b)
    ) / total


def by_enumeration(tree, left, d):
    found = np.zeros((d, tree.value.shape[1]))
    for i in range(d):
        others = [j for j in range(d) if j != i]
        for size in range(d):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            for known in combinations(others, size):
                with_i = of_known(tree, left, {*known, i})
                found[i] += weight * (with_i - of_known(tree, left, set(known)))
    return found


@pytest.mark.parametrize(("seed", "classes"), [(0, 0), (1, 0), (2, 3)])
def test_values_are_those_by_enumeration(seed, classes):
    tree, X, own, _ = grown(seed, classes=classes)
    left = goes_left(own, X[:4])
    found = tree_shap(tree, left, 5)
    for row in range(4):
        np.testing.assert_allclose(found[row], by_enumeration(tree, left[:, row], 5), atol=1e-12)


@pytest.mark.parametrize(("depth", "classes"), [(3, 0), (None, 0), (None, 4)])
def test_values_and_base_add_up_to_the_prediction(depth, classes):
    tree, X, own, model = grown(0, n_columns=12, depth=depth, classes=classes)
    total = expected_value(tree) + tree_shap(tree, goes_left(own, X), 12).sum(axis=1)
    said = model.predict_proba(X) if classes else model.predict(X)[:, np.newaxis]
    np.testing.assert_allclose(total, said, atol=1e-10)


def test_a_column_without_a_split_gets_nothing():
    tree, X, own, _ = grown(3, n_columns=8, depth=3)
    unused = sorted(set(range(8)) - set(own.feature[own.feature >= 0].tolist()))
    assert unused
    assert not tree_shap(tree, goes_left(own, X), 8)[:, unused].any()


def test_columns_that_do_the_same_get_the_same():
    """And of two columns with a product, each gets half of it."""
    tree = Tree(
        left=np.array([1, 3, 5, -1, -1, -1, -1]),
        right=np.array([2, 4, 6, -1, -1, -1, -1]),
        column=np.array([0, 1, 1, 0, 0, 0, 0]),
        cover=np.array([4.0, 2, 2, 1, 1, 1, 1]),
        value=np.array([0.0, 0, 0, 0, 0, 0, 8])[:, np.newaxis],
    )
    found = tree_shap(tree, np.zeros((7, 1), dtype=bool), 2)[0, :, 0]
    np.testing.assert_allclose(found, [3.0, 3.0])  # 8 less the mean 2, in halves


def test_a_tree_without_a_split_and_no_rows():
    leaf = Tree(np.array([-1]), np.array([-1]), np.array([0]), np.array([3.0]), np.array([[7.0]]))
    assert not tree_shap(leaf, np.zeros((1, 2), dtype=bool), 3).any()
    assert expected_value(leaf) == 7.0
    tree, X, own, _ = grown(0)
    assert tree_shap(tree, goes_left(own, X[:0]), 5).shape == (0, 5, 1)
