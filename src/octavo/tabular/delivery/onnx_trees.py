"""The trees of every library in one form, and that form as a node of ONNX.

A split sends a row to the left if its cell is at most a threshold, in single precision: the
matrix has that precision, so that thresholds are rounded down without changing a comparison. A
split by sets of categories becomes a column of its own that says whether the code is in the set.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.delivery.onnx_graph import ML, Graph, NotInOnnx

__all__ = ["Forest", "of_catboost", "of_histograms", "of_lightgbm", "of_scikit_learn", "of_xgboost"]

Floats = NDArray[np.float64]


@dataclass
class Forest:
    """Trees whose leaves are summed; nodes are collected as they are read.

    Parameters
    ----------
    n_outputs
        Numbers that come out.
    width
        Columns of the matrix.
    base
        Added to the sums, shape (n_outputs,).
    """

    n_outputs: int
    width: int
    base: Floats
    nodes: list[tuple[int, int, int, float, int, int, bool]] = field(default_factory=list)
    """(tree, node, column, threshold, left, right, whether missing goes left)"""
    leaves: list[tuple[int, int, int, float]] = field(default_factory=list)
    """(tree, node, output, value)"""
    sets: dict[tuple[int, frozenset[int], bool], int] = field(default_factory=dict)
    """(column, codes, whether missing is in), and the number of the column that tells."""

    def split(
        self, tree: int, node: int, column: int, threshold: float, left: int, right: int,
        *, missing_left: bool,
    ) -> None:  # fmt: skip
        """A split by a number: at most the threshold goes left."""
        self.nodes.append((tree, node, column, _below(threshold), left, right, missing_left))

    def split_by_set(
        self, tree: int, node: int, column: int, codes: Iterable[int], left: int, right: int,
        *, missing_left: bool,
    ) -> None:  # fmt: skip
        """A split by a category: codes of the set go left."""
        key = (column, frozenset(codes), missing_left)
        told = self.sets.setdefault(key, self.width + len(self.sets))
        # 1 for those of the set: at most 0.5 are the others.
        self.nodes.append((tree, node, told, 0.5, right, left, False))

    def leaf(self, tree: int, node: int, values: Sequence[float], output: int = 0) -> None:
        """A leaf, that adds to one output or, beginning with it, to several."""
        for k, value in enumerate(values):
            self.leaves.append((tree, node, output + k, float(value)))

    def add_to(self, graph: Graph, matrix: str) -> str:
        """The sums, float64, shape (rows, n_outputs)."""
        if self.sets:
            matrix = graph.joined([matrix, *self._told(graph, matrix)])
        leaf_nodes = dict.fromkeys((tree, node) for tree, node, _, _ in self.leaves)
        rows = [*self.nodes, *((t, n, 0, 0.0, 0, 0, False) for t, n in leaf_nodes)]
        modes = ["BRANCH_LEQ"] * len(self.nodes) + ["LEAF"] * len(leaf_nodes)
        order = sorted(range(len(rows)), key=lambda i: rows[i][:2])
        tree, node, column, threshold, left, right, missing = zip(
            *(rows[i] for i in order), strict=True
        )
        leaves = sorted(self.leaves)
        sums = graph.add(
            "TreeEnsembleRegressor",
            matrix,
            domain=ML,
            n_targets=self.n_outputs,
            aggregate_function="SUM",
            post_transform="NONE",
            nodes_treeids=tree,
            nodes_nodeids=node,
            nodes_featureids=column,
            nodes_values=threshold,
            nodes_modes=[modes[i] for i in order],
            nodes_truenodeids=left,
            nodes_falsenodeids=right,
            nodes_missing_value_tracks_true=[int(goes) for goes in missing],
            target_treeids=[t for t, _, _, _ in leaves],
            target_nodeids=[n for _, n, _, _ in leaves],
            target_ids=[k for _, _, k, _ in leaves],
            target_weights=[value for _, _, _, value in leaves],
        )
        return graph.add("Add", graph.cast(sums, np.float64), graph.constant(self.base))

    def _told(self, graph: Graph, matrix: str) -> list[str]:
        """For each column that is split by sets, columns that tell who is in them."""
        blocks = []
        by_column: dict[int, list[tuple[frozenset[int], bool]]] = {}
        for (column, codes, has_missing), _ in self.sets.items():
            by_column.setdefault(column, []).append((codes, has_missing))
        places = []
        for column, sets in by_column.items():
            n_codes = 1 + max((max(codes, default=0) for codes, _ in sets), default=0)
            table = np.zeros((n_codes + 2, len(sets)), dtype=np.float32)
            for at, (codes, has_missing) in enumerate(sets):
                table[sorted(codes), at] = 1.0
                table[n_codes + 1, at] = float(has_missing)
            code = graph.columns(matrix, np.array([column]))
            # Beyond the codes of all sets: in none of them. Behind that: missing.
            most = graph.constant(np.array(n_codes, np.float32))
            known = graph.add("Min", code, most)
            absent = graph.constant(np.array(n_codes + 1, np.float32))
            code = graph.add("Where", graph.add("IsNaN", code), absent, known)
            index = graph.flat(graph.cast(code, np.int64))
            blocks.append(graph.add("Gather", graph.constant(table), index, axis=0))
            places += [self.sets[column, codes, has] - self.width for codes, has in sets]
        told = graph.joined(blocks)
        return [graph.columns(told, np.argsort(places))]


def _below(threshold: float) -> float:
    """The largest number of single precision that is not above a threshold."""
    with np.errstate(over="ignore"):
        single = np.float32(threshold)
    if float(single) > threshold:
        single = np.nextafter(single, np.float32(-np.inf))
    return float(single)


# Reading ---------------------------------------------------------------------------------------


def of_lightgbm(booster: Any, width: int) -> Forest:
    """Of a LightGBM booster: scores before the link."""
    dump = booster.dump_model()
    n_outputs = int(dump["num_tree_per_iteration"])
    forest = Forest(n_outputs, width, np.zeros(n_outputs))
    for tree, entry in enumerate(dump["tree_info"]):
        waiting, n_nodes = [(0, entry["tree_structure"])], 1
        while waiting:
            node, found = waiting.pop()
            if "split_feature" not in found:
                forest.leaf(tree, node, [found["leaf_value"]], tree % n_outputs)
                continue
            left, right = n_nodes, n_nodes + 1
            n_nodes += 2
            waiting += [(left, found["left_child"]), (right, found["right_child"])]
            column, missing = int(found["split_feature"]), found["missing_type"]
            if found["decision_type"] == "==":
                codes = [int(code) for code in str(found["threshold"]).split("||")]
                forest.split_by_set(tree, node, column, codes, left, right, missing_left=False)
            elif missing == "Zero":
                raise NotInOnnx("its trees take zeros for missing")
            else:
                threshold = float(found["threshold"])
                # A column that was never missing: what is missing counts as 0.
                goes_left = found["default_left"] if missing == "NaN" else threshold >= 0
                forest.split(tree, node, column, threshold, left, right, missing_left=goes_left)
    return forest


def of_xgboost(booster: Any, width: int) -> Forest:
    """Of an XGBoost booster: margins."""
    learner = json.loads(booster.save_raw(raw_format="json"))["learner"]
    objective = learner["objective"]["name"]
    found = learner["gradient_booster"]["model"]
    base = np.atleast_1d(json.loads(learner["learner_model_param"]["base_score"]))
    if objective == "binary:logistic":
        base = np.log(base / (1.0 - base))
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    forest = Forest(n_outputs, width, np.broadcast_to(base.astype(np.float64), (n_outputs,)))
    for number, tree in enumerate(found["trees"]):
        sets = dict(
            zip(
                tree["categories_nodes"],
                (
                    tree["categories"][start : start + size]
                    for start, size in zip(
                        tree["categories_segments"], tree["categories_sizes"], strict=True
                    )
                ),
                strict=True,
            )
        )
        children = zip(tree["left_children"], tree["right_children"], strict=True)
        for node, (left, right) in enumerate(children):
            column, value = tree["split_indices"][node], tree["split_conditions"][node]
            missing_left = bool(tree["default_left"][node])
            if left < 0:
                forest.leaf(number, node, [value], found["tree_info"][number])
            elif node in sets:  # its sets go to the right, all others to the left
                forest.split_by_set(
                    number, node, column, sets[node], right, left, missing_left=not missing_left
                )
            else:  # it goes left below the threshold, not at it
                below = np.nextafter(np.float32(value), np.float32(-np.inf))
                forest.split(
                    number, node, column, float(below), left, right, missing_left=missing_left
                )
    return forest


def of_catboost(model: Any, width: int, n_outputs: int) -> Forest:
    """Of a CatBoost model without categories: raw values."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        found = json.loads(path.read_text())
    columns = found["features_info"]["float_features"]
    goes_right = {
        entry["feature_index"]: entry["nan_value_treatment"] == "AsTrue" for entry in columns
    }
    scale, bias = found.get("scale_and_bias", [1.0, [0.0]])
    base = np.broadcast_to(np.atleast_1d(np.asarray(bias, np.float64)), (n_outputs,))
    forest = Forest(n_outputs, width, base)
    for tree, entry in enumerate(found["oblivious_trees"]):
        splits = list(reversed(entry.get("splits") or []))  # the last one is the highest bit
        values = np.asarray(entry["leaf_values"], np.float64).reshape(-1, n_outputs) * scale
        depth = len(splits)
        for node in range(2**depth - 1):
            level = (node + 1).bit_length() - 1
            column = splits[level]["float_feature_index"]
            forest.split(
                tree, node, column, splits[level]["border"], 2 * node + 1, 2 * node + 2,
                missing_left=not goes_right.get(column, False),
            )  # fmt: skip
        for leaf, numbers in enumerate(values):
            forest.leaf(tree, 2**depth - 1 + leaf, numbers)
    return forest


def of_scikit_learn(forest: Any, width: int) -> Forest:
    """Of a forest of scikit-learn: means of the trees."""
    n_trees = len(forest.estimators_)
    n_outputs = forest.estimators_[0].tree_.value.shape[2]
    found = Forest(n_outputs, width, np.zeros(n_outputs))
    for number, estimator in enumerate(forest.estimators_):
        state = estimator.tree_.__getstate__()
        for node, entry in enumerate(state["nodes"]):
            left = int(entry["left_child"])
            if left < 0:
                found.leaf(number, node, state["values"][node, 0] / n_trees)
            else:
                found.split(
                    number, node, int(entry["feature"]), float(entry["threshold"]), left,
                    int(entry["right_child"]), missing_left=bool(entry["missing_go_to_left"]),
                )  # fmt: skip
    return found


def of_histograms(model: Any, thresholds: Sequence[Any], width: int) -> Forest:
    """Of scikit-learn's histogram boosting on numbers: scores before the link.

    Parameters
    ----------
    model
        Fitted on the places of bins.
    thresholds
        Between the bins of each column.
    width
        Columns.
    """
    base = np.asarray(model._baseline_prediction, np.float64).ravel()
    forest = Forest(len(base), width, base)
    predictors = [(output, one) for group in model._predictors for output, one in enumerate(group)]
    for tree, (output, predictor) in enumerate(predictors):
        for node, entry in enumerate(predictor.nodes):
            if entry["is_leaf"]:
                forest.leaf(tree, node, [entry["value"]], output)
                continue
            column = int(entry["feature_idx"])
            # Bin k holds what k thresholds are below: at most bin k is at most threshold k.
            last, edges = int(np.floor(entry["num_threshold"])), thresholds[column]
            threshold = float(edges[last]) if last < len(edges) else float(np.inf)
            forest.split(
                tree, node, column, threshold, int(entry["left"]), int(entry["right"]),
                missing_left=bool(entry["missing_go_to_left"]),
            )  # fmt: skip
    return forest
