"""A fitted pipeline in ONNX: its matrix, its model, and the scores that are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from octavo.tabular.delivery import onnx_trees
from octavo.tabular.delivery.onnx_graph import Graph, NotInOnnx
from octavo.tabular.delivery.onnx_normal import interpolated
from octavo.tabular.models.cat_boost import CatBoostModel
from octavo.tabular.models.constant import ConstantModel
from octavo.tabular.models.family import Shape
from octavo.tabular.models.forests import ForestModel
from octavo.tabular.models.histogram_boosting import HistogramModel
from octavo.tabular.models.light_gbm import LightGBMModel
from octavo.tabular.models.linear import LogisticModel, RidgeModel
from octavo.tabular.models.mlp import MLPModel
from octavo.tabular.models.xg_boost import XGBoostModel
from octavo.tabular.target_scale import TargetScale

if TYPE_CHECKING:
    from octavo.tabular.delivery.onnx_columns import Columns
    from octavo.tabular.pipeline import Pipeline

__all__ = ["original_numbers", "scores_of"]


def scores_of(graph: Graph, columns: Columns, pipeline: Pipeline) -> str:
    """Probabilities, shape (rows, K), or numbers, shape (rows, 1); float64.

    Raises
    ------
    NotInOnnx
        If its preprocessing or its model cannot be written.
    """
    matrix = columns.matrix(pipeline._preprocessor)
    width = len(pipeline._preprocessor.get_feature_names_out())
    raw = _raw(graph, pipeline._model, matrix, width)
    usual = graph.constant(np.atleast_2d(pipeline._usual).astype(np.float64))
    if not pipeline.shape.is_classification:
        found = raw if pipeline._scale is None else original_numbers(graph, raw, pipeline._scale)
        return graph.add("Where", _is_wrong(graph, found), usual, found)
    zero, one = graph.constant(np.array(0.0)), graph.constant(np.array(1.0))
    kept = graph.add("Clip", raw, zero, one)
    axis = graph.constant(np.array([1], np.int64))
    total = graph.add("ReduceSum", kept, axis, keepdims=1)
    # NaN in a row makes its sum NaN, which is not above 0 either.
    is_right = graph.add("Greater", total, zero)
    kept = graph.add("Where", is_right, kept, usual)
    kept = graph.add("Div", kept, graph.add("ReduceSum", kept, axis, keepdims=1))
    if len(pipeline._classes) == pipeline.shape.n_classes:
        return kept
    places = np.eye(pipeline.shape.n_classes)[pipeline._classes]
    return graph.add("MatMul", kept, graph.constant(places))


def _is_wrong(graph: Graph, values: str) -> str:
    return graph.add("Or", graph.add("IsNaN", values), graph.add("IsInf", values))


def _raw(graph: Graph, model: Any, matrix: str, width: int) -> str:
    """What the model's own `predict` gives, for classes always shape (rows, K)."""
    shape = model.shape
    if isinstance(model, ConstantModel):
        return graph.repeated(np.atleast_1d(model.value_).astype(np.float64), matrix)
    if isinstance(model, LogisticModel):
        wide = graph.cast(matrix, np.float64)
        product = graph.add("MatMul", wide, graph.constant(model.coef_.T))
        return _link(graph, graph.add("Add", product, graph.constant(model.intercept_)), shape)
    if isinstance(model, RidgeModel):
        wide = graph.cast(matrix, np.float64)
        coef = graph.constant(np.asarray(model.coef_, np.float64)[:, np.newaxis])
        middle = graph.constant(np.array(float(model.intercept_)))
        return graph.add("Add", graph.add("MatMul", wide, coef), middle)
    if isinstance(model, MLPModel):
        return _network(graph, model, matrix)
    forest = _forest(model, width)
    found = forest.add_to(graph, matrix)
    if isinstance(model, ForestModel):
        if not shape.is_classification:
            return found
        n, k = model.forest_.n_estimators, shape.n_classes
        found = graph.add("Mul", found, graph.constant(np.array(n / (n + 1))))
        return graph.add("Add", found, graph.constant(np.array(1.0 / k / (n + 1))))
    return _link(graph, found, shape)


def _forest(model: Any, width: int) -> onnx_trees.Forest:
    if isinstance(model, LightGBMModel):
        return onnx_trees.of_lightgbm(model.booster_, width)
    if isinstance(model, XGBoostModel):
        return onnx_trees.of_xgboost(model.booster_, width)
    if isinstance(model, ForestModel):
        return onnx_trees.of_scikit_learn(model.forest_, width)
    if isinstance(model, CatBoostModel):
        if model.categorical_:
            raise NotInOnnx("CatBoost's own statistics of categories have no operation")
        return onnx_trees.of_catboost(model.model_, width, model.shape.n_outputs)
    if isinstance(model, HistogramModel):
        if model.categorical_:
            raise NotInOnnx("scikit-learn's splits of categories are not translated")
        return onnx_trees.of_histograms(model.model_, model.thresholds_, width)
    raise NotInOnnx("models of its kind are not translated")


def _link(graph: Graph, scores: str, shape: Shape) -> str:
    """Probabilities of log-odds, where two classes have one column; numbers as they are."""
    if not shape.is_classification:
        return scores
    if shape.n_classes == 2:
        return graph.of_two(graph.add("Sigmoid", scores))
    return graph.softmax(scores)


def _network(graph: Graph, model: MLPModel, matrix: str) -> str:
    quarter = graph.add("Div", matrix, graph.constant(np.array(4.0, np.float32)))
    square = graph.add("Mul", quarter, quarter)
    one = graph.constant(np.array(1.0, np.float32))
    hidden = graph.add("Div", matrix, graph.add("Sqrt", graph.add("Add", square, one)))
    *inner, last = model.layers_
    for weight, bias in inner:
        product = graph.add("MatMul", hidden, graph.constant(np.asarray(weight, np.float32)))
        product = graph.add("Add", product, graph.constant(np.asarray(bias, np.float32)))
        hidden = graph.add("Relu", product)
    product = graph.add("MatMul", hidden, graph.constant(np.asarray(last[0], np.float32)))
    raw = graph.add("Add", product, graph.constant(np.asarray(last[1], np.float32)))
    return _link(graph, graph.cast(raw, np.float64), model.shape)


def original_numbers(graph: Graph, scaled: str, scale: TargetScale) -> str:
    """Numbers on the user's scale, as `TargetScale.original` gives them, shape (rows, 1)."""
    low, high = (graph.constant(np.array(float(x))) for x in (scale.low, scale.high))
    z = graph.add("Clip", scaled, low, high)
    z = graph.add("Mul", z, graph.constant(np.array(float(scale.spread))))
    z = graph.add("Add", z, graph.constant(np.array(float(scale.center))))
    if scale.kind == "none":
        return z
    if scale.kind == "quantile":
        return interpolated(graph, z, scale.scores, scale.knots)
    grown = graph.add("Exp", z)
    if scale.unit == 0:
        return grown
    less = graph.add("Sub", grown, graph.constant(np.array(1.0)))
    return graph.add("Mul", less, graph.constant(np.array(float(scale.unit))))
