"""A small way to write ONNX graphs: every operation returns the name of its result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import MissingExtra

__all__ = ["Graph", "NotInOnnx"]

OPSET, ML_OPSET, IR = 17, 3, 8
"""Old enough for runtimes of 2022, new enough for all that is used."""
ML = "ai.onnx.ml"


class NotInOnnx(Exception):
    """A part of a model that cannot be written in ONNX; says which."""


class Graph:
    """Nodes, constants, inputs and outputs, in the order in which they were made."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtra("the export to ONNX", "export") from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._n = 0

    def input(self, name: str, dtype: Any) -> str:
        """A column of the table, shape (rows, 1)."""
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, ["rows", 1]))
        return name

    def output(self, name: str, source: str, dtype: Any, shape: list[Any]) -> None:
        """Give a result a name that users see."""
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._nodes.append(self._onnx.helper.make_node("Identity", [source], [name]))
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))

    def constant(self, values: Any) -> str:
        """An array that is part of the model; strings as an object array."""
        name = self._fresh()
        array = np.asarray(values)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operation: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The result of an operation."""
        name = self._fresh()
        self._nodes.append(
            self._onnx.helper.make_node(
                operation, list(inputs), [name], domain=domain, **attributes
            )
        )
        return name

    def cast(self, source: str, dtype: Any) -> str:
        """The same numbers in another type."""
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", source, to=kind)

    def columns(self, source: str, places: NDArray[np.integer[Any]]) -> str:
        """Some columns of a matrix."""
        return self.add("Gather", source, self.constant(np.asarray(places, np.int64)), axis=1)

    def joined(self, blocks: list[str]) -> str:
        """Blocks of columns side by side."""
        return blocks[0] if len(blocks) == 1 else self.add("Concat", *blocks, axis=1)

    def repeated(self, row: NDArray[np.float64], like: str) -> str:
        """One row of numbers for each row of `like`, shape (rows, n)."""
        n_rows = self.add("Shape", like, start=0, end=1)
        shape = self.add("Concat", n_rows, self.constant(np.array([len(row)], np.int64)), axis=0)
        return self.add("Expand", self.constant(row[np.newaxis]), shape)

    def flat(self, source: str) -> str:
        """A column as a vector."""
        return self.add("Reshape", source, self.constant(np.array([-1], np.int64)))

    def softmax(self, source: str) -> str:
        """Probabilities of logarithms of odds, shape (rows, K)."""
        return self.add("Softmax", source, axis=1)

    def of_two(self, source: str) -> str:
        """Probabilities of both classes for that of class 1, shape (rows, 1)."""
        other = self.add("Sub", self.constant(np.ones(1)), source)
        return self.joined([other, source])

    def model(self, name: str, metadata: dict[str, str]) -> Any:
        """The finished and checked model.

        Raises
        ------
        onnx.checker.ValidationError
            If the graph is malformed.
        """
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, initializer=self._constants
        )
        found = helper.make_model(
            graph,
            producer_name="octavo",
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
            ir_version=IR,
        )
        helper.set_model_props(found, metadata)
        self._onnx.checker.check_model(found)
        return found

    def _fresh(self) -> str:
        self._n += 1
        return f"/{self._n}"  # no column is named like this: names of inputs must differ
