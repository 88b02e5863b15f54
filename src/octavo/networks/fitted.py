"""A trained tabular network, as it is kept.

Its weights are kept as float16: their rounding is far below the noise of training, and a saved
model is half as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Architecture
from octavo.networks.inputs import Inputs, TableInputs
from octavo.networks.perceptron import Perceptron
from octavo.networks.weights import members_of

__all__ = ["FittedNetwork", "packed"]

Array = NDArray[np.float32]
Stored = NDArray[np.float16] | NDArray[np.float32]

_ROWS_AT_ONCE = 512  # of which the layers of one member fit a processor's cache


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """What a network has learned.

    Parameters
    ----------
    architecture
        How it is built.
    inputs
        What it reads of a matrix.
    weights
        By the names of `Weights.arrays`.
    is_classifier
        Whether it gives probabilities.
    bounds
        Of the numbers that it has seen; a regression stays within them.
    """

    architecture: Architecture
    inputs: TableInputs
    weights: Mapping[str, Stored]
    is_classifier: bool
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @property
    def size(self) -> int:
        """How many numbers it has learned."""
        return sum(weights.size for weights in self.weights.values())

    def predict(self, X: Array) -> NDArray[np.float64]:
        """Mean of what the members say: probabilities, shape (n, K), or numbers, shape (n,)."""
        members = self._members()
        network = Perceptron(self.architecture, self.inputs.layout)
        parts = [
            self._mean(network, members, self.inputs.transform(X[start : start + _ROWS_AT_ONCE]))
            for start in range(0, max(len(X), 1), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def outputs(self, X: Array) -> Array:
        """What each member says: logits or numbers, shape (k, n, outputs)."""
        members = self._members()
        network = Perceptron(self.architecture, self.inputs.layout)
        inputs = self.inputs.transform(X)
        return np.stack([network.forward(weights, inputs).copy() for weights in members])

    def _members(self) -> list[dict[str, Array]]:
        arrays = {name: array.astype(np.float32) for name, array in self.weights.items()}
        return members_of(arrays, self.architecture.members)

    def _mean(
        self, network: Perceptron, members: list[dict[str, Array]], inputs: Inputs
    ) -> NDArray[np.float64]:
        total: NDArray[np.float64] | None = None
        for weights in members:
            found = network.forward(weights, inputs).astype(np.float64)
            if self.is_classifier:
                found -= found.max(axis=1, keepdims=True)
                np.exp(found, out=found)
                found /= found.sum(axis=1, keepdims=True)
            else:
                found = np.clip(found[:, 0], *self.bounds)
            total = found if total is None else np.add(total, found, out=total)
        assert total is not None
        return total / len(members)


def packed(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, Stored]:
    """Weights as float16, where they fit into it."""
    limit = float(np.finfo(np.float16).max)
    return {
        name: array.astype(np.float16) if np.abs(array).max(initial=0.0) < limit else array
        for name, array in weights.items()
    }
