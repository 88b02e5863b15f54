"""Columns made of others in ONNX; see `octavo.tabular.generated_features`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from octavo.tabular.delivery.onnx_graph import Graph
from octavo.tabular.generated_features import GeneratedFeatures, Made

__all__ = ["made_columns"]

OPERATIONS = {"+": "Add", "-": "Sub", "×": "Mul", "/": "Div"}


def made_columns(graph: Graph, features: GeneratedFeatures, matrix: str) -> str | None:
    """The columns that are made of a matrix, float32; None if there are none.

    All is done in double precision, as there; what does not fit into single precision is missing.
    """
    blocks = []
    for made, table, sizes in zip(features.made, features.tables, features.sizes, strict=True):
        if table is None:
            blocks.append(_arithmetic(graph, made, matrix))
            continue
        place = _place(graph, matrix, made.categories, sizes)
        learned = graph.add("Gather", graph.constant(table), place, axis=0)
        blocks.append(_compared(graph, made, matrix, learned))
    if not blocks:
        return None
    values = graph.joined(blocks)
    most = graph.constant(np.array(float(np.finfo(np.float32).max)))
    fits = graph.add("LessOrEqual", graph.add("Abs", values), most)
    return graph.cast(graph.add("Where", fits, values, _nothing(graph)), np.float32)


def _arithmetic(graph: Graph, made: Made, matrix: str) -> str:
    a, b = (_number(graph, matrix, at) for at in made.of)
    found = graph.add(OPERATIONS[made.how], a, b)
    if made.how != "/":
        return found
    is_zero = graph.add("Equal", b, graph.constant(np.array(0.0)))
    return graph.add("Where", is_zero, _nothing(graph), found)


def _compared(graph: Graph, made: Made, matrix: str, learned: str) -> str:
    """What a category is known for, or how a number compares with that."""
    if made.how == "target":
        return learned
    first = graph.columns(learned, np.array([0]))
    if made.how != "deviation":
        return first
    apart = graph.add("Sub", _number(graph, matrix, made.of[0]), first)
    return graph.add("Div", apart, graph.columns(learned, np.array([1])))


def _place(graph: Graph, matrix: str, by: Sequence[int], sizes: Sequence[int]) -> str:
    """The row of the table for the categories of each row, shape (rows,)."""
    place = None
    for at, size in zip(by, sizes, strict=True):
        code = graph.columns(matrix, np.array([at]))
        last, zero = (graph.constant(np.array(n, np.float32)) for n in (size, 0))
        is_known = graph.add(  # NaN compares as false
            "And", graph.add("GreaterOrEqual", code, zero), graph.add("Less", code, last)
        )
        own = graph.cast(graph.add("Where", is_known, code, last), np.int64)
        if place is not None:
            above = graph.add("Mul", place, graph.constant(np.array(size + 1, np.int64)))
            own = graph.add("Add", above, own)
        place = own
    assert place is not None  # a table is by one category at least
    return graph.flat(place)


def _number(graph: Graph, matrix: str, at: int) -> str:
    return graph.cast(graph.columns(matrix, np.array([at])), np.float64)


def _nothing(graph: Graph) -> str:
    return graph.constant(np.array(np.nan))
