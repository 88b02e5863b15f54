"""Preprocessing in ONNX: numbers are scaled and filled, labels looked up; texts and dates cannot.

All is done in double precision and rounded to single precision at the end, as the preprocessor
does it, so that the models see the same matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.delivery.onnx_generated import made_columns
from octavo.tabular.delivery.onnx_graph import ML, Graph, NotInOnnx
from octavo.tabular.delivery.onnx_normal import normal_scores
from octavo.tabular.number_encoding import LARGEST, NumberEncoder

if TYPE_CHECKING:
    from octavo.tabular.preprocessor import Preprocessor
    from octavo.tabular.schema import Feature, Schema

__all__ = ["Columns", "is_word"]


def is_word(feature: Feature) -> bool:
    """Whether a feature comes as text: categories, and truths of other words than 0 and 1."""
    if feature.kind == "boolean":
        return not {"0", "False"} & set(feature.categories or ())
    return feature.kind == "category"


class Columns:
    """The inputs of a model, and what the preprocessors of its members make of them."""

    def __init__(self, graph: Graph, schema: Schema) -> None:
        self._graph = graph
        self._numbers: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        for feature in schema.features:
            if feature.kind in ("text", "date"):
                raise NotInOnnx(f"the column {feature.name!r} is a {feature.kind}")
            if feature.kind == "boolean" and is_word(feature):
                code = self._code(feature)
                values = graph.constant(np.array([[0.0], [1.0], [np.nan]]))
                self._numbers[feature.name] = graph.add("Gather", values, code, axis=0)
            elif feature.kind == "category":
                self._codes[feature.name] = self._code(feature)
            else:
                given = graph.input(feature.name, np.float64)
                nothing = graph.constant(np.array(np.nan))
                is_infinite = graph.add("IsInf", given)
                self._numbers[feature.name] = graph.add("Where", is_infinite, nothing, given)

    def matrix(self, preprocessor: Preprocessor) -> str:
        """What the preprocessor makes of the inputs: float32, shape (rows, width)."""
        graph, p = self._graph, preprocessor
        blocks = []
        if p._number_names:
            values = graph.joined([self._numbers[name] for name in p._number_names])
            blocks.append(self._scaled(values, p._number_encoder))
        if p._onehot_names:
            names = p._onehot_encoder.names
            for j, (name, places) in enumerate(
                zip(p._onehot_names, p._onehot_encoder.places, strict=True)
            ):
                own = [at for at, (column, _) in enumerate(names) if column == j]
                table = (places[:, np.newaxis] == np.array(own)).astype(np.float32)
                if own:
                    blocks.append(self._looked_up(name, table))
        if p._code_names:
            for name, numbers in zip(p._code_names, p._code_encoder.numbers, strict=True):
                blocks.append(self._looked_up(name, p._filled_codes(numbers[:, np.newaxis])))
        if p._mean_names:
            for name, means in zip(p._mean_names, p._mean_encoder.means, strict=True):
                blocks.append(self._looked_up(name, means.astype(np.float32)))
        matrix = graph.joined(blocks)
        if p._kept is not None:
            matrix = graph.columns(matrix, p._kept)
        made = made_columns(graph, p._generated, matrix) if p.generate else None
        return matrix if made is None else graph.joined([matrix, made])

    def _code(self, feature: Feature) -> str:
        """The number of a label, shape (rows,); that behind the last for any other text."""
        labels = list(feature.categories or ())
        found = self._graph.add(
            "LabelEncoder",
            self._graph.input(feature.name, np.object_),
            domain=ML,
            keys_strings=labels,
            values_int64s=list(range(len(labels))),
            default_int64=len(labels),
        )
        return self._graph.flat(found)

    def _looked_up(self, name: str, table: NDArray[Any]) -> str:
        return self._graph.add("Gather", self._graph.constant(table), self._codes[name], axis=0)

    def _scaled(self, values: str, encoder: NumberEncoder) -> str:
        graph = self._graph
        low, high = graph.constant(np.array(-LARGEST)), graph.constant(np.array(LARGEST))
        x = graph.add("Clip", values, low, high)
        x = graph.add("Sub", x, graph.constant(encoder.center))
        x = graph.add("Div", x, graph.constant(encoder.scale))
        if encoder.is_clipped.any():
            third = graph.add("Div", x, graph.constant(np.array(3.0)))
            square = graph.add("Mul", third, third)
            root = graph.add("Sqrt", graph.add("Add", square, graph.constant(np.array(1.0))))
            clipped = graph.constant(encoder.is_clipped)
            x = graph.add("Where", clipped, graph.add("Div", x, root), x)
        if encoder.grids is not None:
            x = self._to_normal(x, encoder.grids)
        if not np.isnan(encoder.fill).all():
            x = graph.add("Where", graph.add("IsNaN", x), graph.constant(encoder.fill), x)
        x = graph.cast(x, np.float32)
        if not len(encoder.indicated):
            return x
        holes = graph.add("IsNaN", graph.columns(values, encoder.indicated))
        return graph.joined([x, graph.cast(holes, np.float32)])

    def _to_normal(self, x: str, grids: NDArray[np.float64]) -> str:
        spread = ~np.isnan(grids[0])
        blocks = []
        for column in range(grids.shape[1]):
            own = self._graph.columns(x, np.array([column]))
            blocks.append(
                normal_scores(self._graph, own, grids[:, column]) if spread[column] else own
            )
        return self._graph.joined(blocks)
