"""A forest at a fifth of its size, for pickles.

scikit-learn keeps 64 bytes per node and double precision, most of it only of use while a
tree grows. What predicts is a column, a threshold, two children and, in leaves, a value; what
explains predictions is how many rows each leaf had. Thresholds lose nothing by single precision:
the rows have it too, so that rounding a threshold down changes no comparison. Values are rounded to
single precision.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

_LEAF = -1


def pack(forest: Any) -> dict[str, Any]:
    """A fitted scikit-learn forest as a dict of arrays and a shell without trees."""
    shell = copy.copy(forest)
    shell.estimators_ = []
    if hasattr(shell, "estimator_"):
        shell.estimator_ = None  # a further unfitted tree, of use only for growing
    blank = copy.copy(forest.estimators_[0])
    arguments = blank.tree_.__reduce__()[1]
    del blank.tree_
    trees = [_packed(estimator.tree_.__getstate__()) for estimator in forest.estimators_]
    return {"shell": shell, "blank": blank, "arguments": arguments, "trees": trees}


def unpack(packed: dict[str, Any]) -> Any:
    """The forest again; it predicts as before, up to single precision, but cannot grow."""
    from sklearn.tree._tree import Tree

    forest = copy.copy(packed["shell"])
    forest.estimators_ = []
    for state in packed["trees"]:
        tree = Tree(*packed["arguments"])
        tree.__setstate__(_unpacked(state))
        estimator = copy.copy(packed["blank"])
        estimator.tree_ = tree
        forest.estimators_.append(estimator)
    return forest


def _packed(state: dict[str, Any]) -> dict[str, Any]:
    nodes, values = state["nodes"], state["values"]
    is_leaf = nodes["left_child"] == _LEAF
    inner = ~is_leaf
    return {
        "max_depth": state["max_depth"],
        "is_leaf": np.packbits(is_leaf),
        "n": len(nodes),
        "left": nodes["left_child"][inner].astype(np.int32),
        "right": nodes["right_child"][inner].astype(np.int32),
        "feature": nodes["feature"][inner].astype(np.int32),
        "threshold": _rounded_down(nodes["threshold"][inner]),
        "missing": np.packbits(nodes["missing_go_to_left"][inner].astype(bool)),
        "values": values[is_leaf].astype(np.float32),
        "cover": _small(nodes["weighted_n_node_samples"][is_leaf]),
    }


def _unpacked(state: dict[str, Any]) -> dict[str, Any]:
    from sklearn.tree._tree import NODE_DTYPE

    n = state["n"]
    is_leaf = np.unpackbits(state["is_leaf"], count=n).astype(bool)
    inner = ~is_leaf
    nodes: NDArray[Any] = np.zeros(n, dtype=NODE_DTYPE)
    nodes["left_child"] = nodes["right_child"] = _LEAF
    nodes["feature"] = nodes["threshold"] = -2  # scikit-learn's mark of a leaf
    nodes["left_child"][inner] = state["left"]
    nodes["right_child"][inner] = state["right"]
    nodes["feature"][inner] = state["feature"]
    nodes["threshold"][inner] = state["threshold"]
    nodes["missing_go_to_left"][inner] = np.unpackbits(state["missing"], count=int(inner.sum()))
    if "cover" in state:  # forests of earlier versions lack it
        nodes["weighted_n_node_samples"][is_leaf] = state["cover"]
    leaves = state["values"]
    values = np.zeros((n, *leaves.shape[1:]))
    values[is_leaf] = leaves
    return {"max_depth": state["max_depth"], "node_count": n, "nodes": nodes, "values": values}


def _small(counts: NDArray[np.float64]) -> NDArray[Any]:
    """Rows per leaf in as few bytes as hold them; weights of rows in single precision."""
    if (counts == np.floor(counts)).all():
        return counts.astype(np.min_scalar_type(int(counts.max())))
    return counts.astype(np.float32)


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    single = thresholds.astype(np.float32)
    above = single > thresholds
    single[above] = np.nextafter(single[above], np.float32(-np.inf))
    return single
