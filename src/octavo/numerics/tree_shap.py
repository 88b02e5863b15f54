"""Shapley values of a decision tree's columns, exact and for many rows at once.

The game is that of TreeSHAP (Lundberg, Erion et al. 2020, From local explanations to global
understanding with explainable AI for trees, Nature Machine Intelligence 2, 56-67), dependent on
paths: a split on a column that is not known sends a row both ways, in the shares of training rows.

Of a leaf of value v, whose path splits on the columns j, let o_j tell whether the row passes all
splits on j, and z_j be the share of rows that does. Owen's (1972) integral over the chance t that a
column is known gives the Shapley value of column i as

    v (o_i - z_i) ∫ prod over j != i of (t o_j + (1 - t) z_j) dt,

a polynomial in t, which Gauss-Legendre quadrature integrates exactly on half as many nodes as
there are columns. So a path's state is its product at these nodes, which goes down the tree by one
factor for each split; going up, leaves are summed before columns take their shares, so that the
work is linear in the nodes of the tree (the idea of Linear TreeShap: Yu, Bifet et al. 2022). Where
a column is split again, its new factor replaces the one before.

Notation: N nodes, n rows, d columns, K outputs, Q nodes of the quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tree", "expected_value", "tree_shap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]

CELLS = 2_000_000
"""Of the arrays of N nodes × rows × Q: rows come in parts, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree as arrays; node 0 is the root.

    Parameters
    ----------
    left, right : shape (N,)
        Children; -1 in leaves.
    column : shape (N,)
        On which an inner node splits.
    cover : shape (N,)
        Training rows, or their weight, in each leaf; positive. Inner nodes are not looked at.
    value : shape (N, K)
        What leaves predict; inner nodes are not looked at.
    """

    left: Ints
    right: Ints
    column: Ints
    cover: Floats
    value: Floats


@dataclass(frozen=True, eq=False)
class _Edges:
    """A tree in order of depth, each node with the edge that leads to it.

    `level` has the bounds of each depth, `node` the numbers in the tree; `parent` and `same` are
    places in this order, `same` that of the nearest edge above which splits on the same column, or
    -1. Whether a row passes the edge p, and `same` s (1 if there is none), are 0 or 1, p <= s; so
    the factor of its product is linear in both, with the coefficients `down`, shape (N, Q, 3), of
    1, s and p. So is what its column gets of a product that holds the factor, times the weight
    of the quadrature: `share`, shape (N, 2, Q), of s and p.
    """

    level: Ints
    node: Ints
    parent: Ints
    is_left: Truths
    column: Ints
    same: Ints
    down: Floats
    share: Floats


def expected_value(tree: Tree) -> Floats:
    """Shape (K,): what the tree predicts of its training rows on average."""
    leaf = tree.left < 0
    weight = tree.cover[leaf] / tree.cover[leaf].sum()
    mean: Floats = weight @ tree.value[leaf]
    return mean


def tree_shap(tree: Tree, goes_left: Truths, n_columns: int) -> Floats:
    """Shapley values of each row's columns; they sum to its prediction less `expected_value`.

    Parameters
    ----------
    tree
        Of N nodes.
    goes_left : shape (N, n)
        Whether each row would go left at each inner node; whatever in leaves.
    n_columns
        d, of the matrix that the tree splits.

    Returns
    -------
    shape (n, d, K)

    Examples
    --------
    A tree that adds 1 if column 0 is large, and 2 more if column 1 is large too:

    >>> tree = Tree(
    ...     left=np.array([1, -1, 3, -1, -1]), right=np.array([2, -1, 4, -1, -1]),
    ...     column=np.array([0, 0, 1, 0, 0]), cover=np.array([4.0, 2.0, 2.0, 1.0, 1.0]),
    ...     value=np.array([[0.0], [0.0], [0.0], [1.0], [3.0]]),
    ... )
    >>> of_large = np.zeros((5, 1), dtype=bool)  # one row, which goes right everywhere
    >>> tree_shap(tree, of_large, 2)[0, :, 0]
    array([1.25, 0.75])
    >>> expected_value(tree)
    array([1.])
    """
    n, n_outputs = goes_left.shape[1], tree.value.shape[1]
    found = np.zeros((n, n_columns, n_outputs))
    if tree.left[0] < 0 or not n:
        return found
    edges = _edges(tree)
    n_nodes, _, n_knots = edges.down.shape
    step = max(1, CELLS // (n_nodes * n_knots))
    for start in range(0, n, step):
        rows = slice(start, min(n, start + step))
        found[rows] = _of_rows(tree, edges, goes_left[:, rows], n_columns)
    return found


def _of_rows(tree: Tree, edges: _Edges, goes_left: Truths, n_columns: int) -> Floats:
    n_nodes, n_knots, _ = edges.down.shape
    n = goes_left.shape[1]
    passed = np.ones((n_nodes + 1, n))  # the last one: no edge of the same column above
    passed[:-1] = goes_left[edges.node[edges.parent]] == edges.is_left[:, np.newaxis]
    passed[0] = 1.0
    product = np.ones((n_nodes, n_knots, n))
    for first, last in pairwise(edges.level[1:]):
        here = slice(first, last)
        passed[here] *= passed[edges.same[here]]
        none, only_same, both = (edges.down[here, :, at, np.newaxis] for at in range(3))
        factor = both * passed[here, np.newaxis] + none
        again = np.flatnonzero(edges.same[here] >= 0)
        factor[again] += only_same[again] * passed[edges.same[here][again], np.newaxis]
        np.multiply(product[edges.parent[here]], factor, out=product[here])
    before = passed[edges.same]
    order = np.argsort(edges.column[1:], kind="stable") + 1
    columns, starts = np.unique(edges.column[order], return_index=True)
    found = np.zeros((n, n_columns, tree.value.shape[1]))
    value = np.where(tree.left[:, np.newaxis] < 0, tree.value, 0.0)[edges.node]
    for output in range(value.shape[1]):
        below = product * value[:, output, np.newaxis, np.newaxis]
        for last, first in pairwise(edges.level[:0:-1]):
            # Children come in pairs, in the order of their parents.
            pairs = below[first:last].reshape(-1, 2, n_knots, n)
            below[edges.parent[first:last:2]] = pairs[:, 0] + pairs[:, 1]
        if_same, if_passed = np.moveaxis(edges.share @ below, 1, 0)
        gained = if_same * before + if_passed * passed[:-1]
        found[:, columns, output] = np.add.reduceat(gained[order], starts, axis=0).T
    return found


def _edges(tree: Tree) -> _Edges:
    node, parent, is_left, level = _by_depth(tree)
    column = np.where(np.arange(len(node)) > 0, tree.column[node[parent]], -1)
    same = np.full(len(node), -1)
    at = parent.copy()
    open_ = np.arange(1, len(node))
    while len(open_):
        open_ = open_[at[open_] > 0]
        hit = column[at[open_]] == column[open_]
        same[open_[hit]] = at[open_[hit]]
        open_ = open_[~hit]
        at[open_] = parent[at[open_]]
    cover = tree.cover[node].astype(np.float64)
    for last, first in pairwise(level[:0:-1]):
        cover[parent[first:last:2]] = cover[first:last:2] + cover[first + 1 : last : 2]
    reached = cover / cover[parent]
    distinct = np.zeros(len(node), dtype=np.int64)  # columns on the path to each node
    for first, last in pairwise(level[1:]):
        here = slice(first, last)
        earlier = same[here] >= 0
        reached[here][earlier] *= reached[same[here][earlier]]
        distinct[here] = distinct[parent[here]] + ~earlier
    n_knots = (int(distinct.max()) + 1) // 2
    knots, weights = np.polynomial.legendre.leggauss(max(n_knots, 1))
    knots, weights = (knots + 1) / 2, weights / 2
    z = reached[:, np.newaxis]
    fails, passes = (1 - knots) * z, knots + (1 - knots) * z
    # (o - z) / (t o + (1 - t) z): what a column gets of a product that holds its factor.
    if_fails, if_passes = np.broadcast_to(-1 / (1 - knots), fails.shape), (1 - z) / passes
    again, old = (same >= 0)[:, np.newaxis], np.maximum(same, 0)
    # By how many of this edge and `same` a row passes: none, only `same`, both.
    factors = (
        np.where(again, fails / fails[old], 0.0),
        np.where(again, fails / passes[old], fails),
        np.where(again, passes / passes[old], passes),
    )
    share = (
        if_fails - np.where(again, if_passes[old], 0.0),
        if_passes - np.where(again, if_passes[old], 0.0),
    )
    down = np.stack(
        [
            np.where(again, factors[0], factors[1]),
            np.where(again, factors[1] - factors[0], 0.0),
            factors[2] - factors[1],
        ],
        axis=2,
    )
    gains = np.stack([share[0], share[1] - share[0]], axis=1) * weights
    gains[0] = 0.0  # no edge leads to the root
    return _Edges(level, node, parent, is_left, column, same, down, gains)


def _by_depth(tree: Tree) -> tuple[Ints, Ints, Truths, Ints]:
    """Nodes in order of depth, siblings beside each other; places of parents; bounds of depths."""
    nodes, parents = [np.zeros(1, dtype=np.int64)], [np.zeros(1, dtype=np.int64)]
    is_left = [np.zeros(1, dtype=bool)]
    level = [0, 1]
    while True:
        places = np.flatnonzero(tree.left[nodes[-1]] >= 0)
        if not len(places):
            break
        inner = nodes[-1][places]
        nodes.append(np.column_stack([tree.left[inner], tree.right[inner]]).ravel())
        parents.append(np.repeat(level[-2] + places, 2))
        is_left.append(np.tile([True, False], len(places)))
        level.append(level[-1] + len(nodes[-1]))
    return (
        np.concatenate(nodes).astype(np.int64),
        np.concatenate(parents),
        np.concatenate(is_left),
        np.array(level),
    )
