"""`export_onnx`: a whole model, preprocessing included, as one ONNX file.

Its inputs are the columns of the table, each of shape (rows, 1): numbers as float64, NaN where
missing; categories and words for truths as strings, where any other text counts as missing.
`prediction` is the label or number; `probabilities` are float32, shape (rows, classes).

The file is compared with the model, on rows that are drawn at random, before it is written.
"""

from __future__ import annotations

import contextlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import MissingExtra, SettingError, StorageError
from octavo.tabular.delivery.onnx_columns import Columns, is_word
from octavo.tabular.delivery.onnx_graph import Graph, NotInOnnx
from octavo.tabular.delivery.onnx_members import scores_of
from octavo.tabular.delivery.onnx_normal import interpolated
from octavo.tabular.delivery.openapi import described_columns
from octavo.tabular.pipeline import Pipeline

if TYPE_CHECKING:
    from octavo.tabular.model import TabularModel
    from octavo.tabular.schema import Schema

__all__ = ["export_onnx", "onnx_inputs"]

COMPARED_ROWS = 200
TOLERANCE = 2e-4
"""Of probabilities, and of numbers in units of their spread: trees sum in single precision."""
SMALLEST = 1e-12  # below which calibration takes a probability for this


def export_onnx(model: TabularModel, path: Path) -> Path:
    """Write a model as an ONNX file.

    Parameters
    ----------
    model
        Whose members are linear, networks, LightGBM, XGBoost, forests, and, without categories
        of their own, CatBoost or histogram boosting; on columns of numbers, categories, truths.
    path
        Of the file; one that is there is replaced.

    Raises
    ------
    SettingError
        If a member or column cannot be written in ONNX; the message says which one.
    MissingExtra
        If the packages of the extra `export` are not installed.
    StorageError
        If the file cannot be written.
    """
    found = _written(model)
    content = found.SerializeToString()
    _compare(model, content)
    fresh = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StorageError(
            f"the model could not be written to {path}: {error.strerror}. Give the path of a file "
            "that you may write to."
        ) from error
    return path


def onnx_inputs(schema: Schema, X: Any) -> dict[str, NDArray[Any]]:
    """A table as the inputs of an exported model, for `onnxruntime.InferenceSession.run`.

    Parameters
    ----------
    schema
        Of the model.
    X : shape (n, p)
        Any table that the model itself would take.
    """
    canonical = schema.apply(X)
    inputs: dict[str, NDArray[Any]] = {}
    for feature in schema.features:
        column = canonical[feature.name]
        if feature.kind == "boolean" and is_word(feature):
            words = np.array([*(feature.categories or ()), ""], dtype=object)
            inputs[feature.name] = words[column.fillna(-1).to_numpy(np.int64)][:, np.newaxis]
        elif feature.kind == "category":
            words = np.array([*(feature.categories or ()), ""], dtype=object)
            inputs[feature.name] = words[column.cat.codes.to_numpy()][:, np.newaxis]
        else:
            inputs[feature.name] = column.to_numpy(np.float64)[:, np.newaxis]
    return inputs


def _written(model: TabularModel) -> Any:
    graph = Graph()
    target = model.target
    if model.fair is not None:
        raise SettingError(
            "the model cannot be written in ONNX: it decides by thresholds that keep a bound on "
            "fairness. Use export(), which writes a folder with everything, or leave out "
            "constraints= when fitting."
        )
    try:
        columns = Columns(graph, model.schema)
    except NotInOnnx as error:
        raise SettingError(
            f"the model cannot be written in ONNX: {error}, and only numbers, categories and "
            "truths can be read there. Leave such columns out when fitting "
            "(feature_types={...: 'drop'}), or use export(), which writes a folder with "
            "everything."
        ) from error
    parts = []
    for member in model.members:
        for pipeline in member.pipelines:
            if not isinstance(pipeline, Pipeline):
                raise SettingError(
                    f"the member {member.name!r} cannot be written in ONNX: it stands on the "
                    "predictions of other models. Fit with stack=False (--stack off), or use "
                    "export(), which writes a folder with everything."
                )
            try:
                scores = scores_of(graph, columns, pipeline)
            except NotInOnnx as error:
                raise SettingError(
                    f"the member {member.name!r} cannot be written in ONNX: {error}. Leave its "
                    "family out when fitting (exclude=[...]), or use export(), which writes a "
                    "folder with everything."
                ) from error
            share = graph.constant(np.array(member.weight / len(member.pipelines)))
            parts.append(graph.add("Mul", scores, share))
    total = parts[0] if len(parts) == 1 else graph.add("Sum", *parts)
    if not model.is_classifier:
        graph.output("prediction", total, np.float64, ["rows", 1])
    else:
        probabilities = _calibrated(graph, model, total)
        labels = _labels(graph, model, probabilities)
        graph.output("prediction", labels, target.labels.dtype, ["rows"])
        n = len(target.classes or ())
        graph.output(
            "probabilities", graph.cast(probabilities, np.float32), np.float32, ["rows", n]
        )
    metadata = {"octavo": version("octavo"), "schema": json.dumps(described_columns(model))}
    return graph.model("octavo", metadata)


def _calibrated(graph: Graph, model: TabularModel, probabilities: str) -> str:
    calibration = model.calibration
    if calibration is None or calibration.method == "none":
        return probabilities
    if calibration.method == "isotonic":
        x, y = np.array(calibration.knots).T
        one = graph.columns(probabilities, np.array([1]))
        axis = graph.constant(np.array([1], np.int64))
        one = graph.add("Div", one, graph.add("ReduceSum", probabilities, axis, keepdims=1))
        return graph.of_two(interpolated(graph, one, x, y))
    logs = graph.add("Log", graph.add("Max", probabilities, graph.constant(np.array(SMALLEST))))
    scaled = graph.add("Div", logs, graph.constant(np.array(calibration.temperature)))
    if calibration.bias:
        scaled = graph.add("Add", scaled, graph.constant(np.array(calibration.bias)))
    return graph.softmax(scaled)


def _labels(graph: Graph, model: TabularModel, probabilities: str) -> str:
    if model.rule is not None and model.rule.weights:
        weights = graph.constant(np.array(model.rule.weights))
        probabilities = graph.add("Mul", probabilities, weights)
    code = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
    return graph.add("Gather", graph.constant(model.target.labels), code, axis=0)


# Comparing -------------------------------------------------------------------------------------


def _compare(model: TabularModel, content: bytes) -> None:
    """Refuse a file that does not predict as the model does."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("the export to ONNX", "export") from error
    X = _drawn(model.schema)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = ["probabilities"] if model.is_classifier else ["prediction"]
    found = session.run(names, onnx_inputs(model.schema, X))[0]
    expected = model.scores(X)
    unit = 1.0 if model.is_classifier else max(float(np.abs(expected).max()), 1e-300)
    # A row on the very edge of a split may fall to either side, in another order of rounding.
    differs = (
        np.abs(found.reshape(expected.shape) - expected).reshape(len(X), -1).max(axis=1) / unit
    )
    if np.mean(differs > TOLERANCE) > 0.01:
        raise SettingError(
            f"the ONNX file would predict otherwise than the model, by up to {differs.max():.2g} "
            f"on rows that were tried, so it was not written. Its members: {model.describe()}. Use "
            "export(), which writes a folder that predicts the same, and report this."
        )


def _drawn(schema: Schema) -> pd.DataFrame:
    """Rows of many magnitudes, with holes and labels that are not known."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for feature in schema.features:
        if feature.categories is not None:
            words = [*feature.categories, None]
            columns[feature.name] = [words[i] for i in rng.integers(len(words), size=COMPARED_ROWS)]
        else:
            values = rng.normal(size=COMPARED_ROWS) * 10.0 ** rng.uniform(-3, 5, COMPARED_ROWS)
            columns[feature.name] = np.where(rng.random(COMPARED_ROWS) < 0.1, np.nan, values)
    return pd.DataFrame(columns)
