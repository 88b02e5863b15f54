"""What the columns of a matrix contribute to a tree model's predictions: its Shapley values.

LightGBM, XGBoost and CatBoost compute them themselves; for scikit-learn's forests and histogram
boosting `octavo.numerics.tree_shap` does. All are of the path-dependent kind. A model that can say
them has a method `contributions(X)`; others have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.tree_shap import Tree, expected_value, tree_shap
from octavo.tabular.models.family import Floats, Matrix, Shape

__all__ = ["Contributions", "Link", "link_of", "of_forest", "of_histograms", "with_base_last"]

Truths = NDArray[np.bool_]
Link = Literal["identity", "logistic", "softmax"]
"""What turns a model's own scores into its prediction: nothing, or a function to probabilities."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """Shapley values on the model's own scale.

    Parameters
    ----------
    base : shape (K,)
        The score of no row in particular.
    values : shape (n, d, K)
        With the base they add up to each row's scores: one for numbers and for the logit of two
        classes, else one for each class.
    link
        From these scores to predictions.
    """

    base: Floats
    values: Floats
    link: Link


def link_of(shape: Shape) -> Link:
    """Of boosting: it adds up numbers, a logit, or a score for each class."""
    if not shape.is_classification:
        return "identity"
    return "logistic" if shape.n_classes == 2 else "softmax"


def with_base_last(found: Any, n_rows: int, n_outputs: int, link: Link) -> Contributions:
    """From what boosting libraries give: the base behind the columns, for each output.

    Parameters
    ----------
    found : shape (n, outputs, d + 1), or flat
        As LightGBM, XGBoost and CatBoost order it.
    n_rows, n_outputs, link
        Of the rows and the model.
    """
    values = np.asarray(found, dtype=np.float64).reshape(n_rows, n_outputs, -1).swapaxes(1, 2)
    base = values[0, -1] if n_rows else np.zeros(n_outputs)
    return Contributions(base, values[:, :-1], link)


def of_forest(estimators: Sequence[Any], X: Matrix, *, is_classifier: bool) -> Contributions:
    """Of the mean of scikit-learn's trees.

    Parameters
    ----------
    estimators
        The trees, whose leaves know how many rows they had.
    X : shape (n, d)
        The rows.
    is_classifier
        Whether the values are probabilities, of which one is what the others leave.
    """
    trees = [estimator.tree_ for estimator in estimators]
    first = 1 if is_classifier else 0
    base, values = _summed(
        (
            (
                Tree(
                    tree.children_left,
                    tree.children_right,
                    tree.feature,
                    tree.weighted_n_node_samples,
                    tree.value[:, 0, first:],
                ),
                _left_of_thresholds(
                    X,
                    tree.children_left,
                    tree.feature,
                    tree.threshold,
                    tree.missing_go_to_left.astype(bool),
                ),
            )
            for tree in trees
        ),
        X,
    )
    base, values = base / len(trees), values / len(trees)
    if is_classifier:
        base = np.concatenate([[1.0 - base.sum()], base])
        values = np.concatenate([-values.sum(axis=2, keepdims=True), values], axis=2)
    return Contributions(base, values, "identity")


def of_histograms(model: Any, X: Matrix, *, link: Link) -> Contributions:
    """Of scikit-learn's histogram boosting, on the matrix that it predicts from."""
    given = model._preprocess_X(X, reset=False)
    known, place_of = model._bin_mapper.make_known_categories_bitsets()
    start = np.asarray(model._baseline_prediction, np.float64).ravel()
    outputs = []
    for output in range(len(start)):
        predictors = [group[output] for group in model._predictors]
        outputs.append(_summed(_of_predictors(predictors, given, known, place_of), given))
    base = start + np.concatenate([base for base, _ in outputs])
    values = np.concatenate([values for _, values in outputs], axis=2)
    # scikit-learn moves categories to the front.
    categorical = model.is_categorical_
    if categorical is not None and model._preprocessor is not None:
        is_code = np.isin(np.arange(X.shape[1]), _code_columns(model))
        order = np.concatenate([np.flatnonzero(is_code), np.flatnonzero(~is_code)])
        values = values[:, np.argsort(order)]
    return Contributions(base, values, link)


def _code_columns(model: Any) -> NDArray[np.int64]:
    """The columns that were named as categories, by their places in the matrix."""
    return np.asarray(model.categorical_features, dtype=np.int64)


def _of_predictors(
    predictors: Iterable[Any], X: Any, known: Any, place_of: Any
) -> Iterable[tuple[Tree, Truths]]:
    for predictor in predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))
        right = np.where(is_leaf, -1, nodes["right"].astype(np.int64))
        column = nodes["feature_idx"].astype(np.int64)
        missing_left = nodes["missing_go_to_left"].astype(bool)
        goes = _left_of_thresholds(X, left, column, nodes["num_threshold"], missing_left)
        for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf):
            codes = X[:, column[node]]
            is_known = _among(codes, known[place_of[column[node]]])
            chosen = _among(codes, predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
            goes[node] = np.where(is_known, chosen, missing_left[node])
        cover = nodes["count"].astype(np.float64)
        yield Tree(left, right, column, cover, nodes["value"][:, np.newaxis]), goes


def _among(codes: Any, bits: Any) -> Truths:
    """Which codes a set of bits holds, 32 to a word; a missing one is in none."""
    whole = np.where(np.isnan(codes) | (codes < 0) | (codes >= 32 * len(bits)), 0, codes)
    whole = whole.astype(np.int64)
    held = (np.asarray(bits)[whole // 32] >> (whole % 32).astype(np.uint32)) & 1
    return (held == 1) & (codes >= 0) & (codes < 32 * len(bits))


def _left_of_thresholds(X: Any, left: Any, column: Any, threshold: Any, missing: Truths) -> Truths:
    """Shape (nodes, n): whether each row goes left."""
    goes = np.zeros((len(left), len(X)), dtype=bool)
    inner = np.flatnonzero(left >= 0)
    cells = X[:, column[inner]].T
    goes[inner] = (cells <= threshold[inner, np.newaxis]) | (
        np.isnan(cells) & missing[inner, np.newaxis]
    )
    return goes


def _summed(trees: Iterable[tuple[Tree, Truths]], X: Any) -> tuple[Floats, Floats]:
    base: Any = 0.0
    values: Any = 0.0
    for tree, goes_left in trees:
        base = base + expected_value(tree)
        values = values + tree_shap(tree, goes_left, X.shape[1])
    return base, values
