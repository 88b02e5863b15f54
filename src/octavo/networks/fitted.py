"""A trained tabular network that predicts with NumPy alone.

Its weights are kept as float16: their rounding is far below the noise of training, and a saved
model is half as large. Predicting loads no PyTorch, which would take seconds and hundreds of
megabytes for what a few matrix products do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Architecture
from octavo.networks.inputs import Inputs, TableInputs

__all__ = ["FittedNetwork", "packed"]

Array = NDArray[np.float32]
Stored = NDArray[np.float16] | NDArray[np.float32]

_CELLS_AT_ONCE = 4_000_000


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
        By the names of `TabularNetwork`'s parameters.
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
        weights = {name: array.astype(np.float32) for name, array in self.weights.items()}
        rows = self._rows_at_once()
        parts = [
            self._mean(weights, self.inputs.transform(X[start : start + rows]))
            for start in range(0, max(len(X), 1), rows)
        ]
        return np.concatenate(parts)

    def outputs(self, X: Array) -> Array:
        """What each member says: logits or numbers, shape (k, n, outputs)."""
        weights = {name: array.astype(np.float32) for name, array in self.weights.items()}
        return self._outputs(weights, self.inputs.transform(X))

    def _mean(self, weights: Mapping[str, Array], inputs: Inputs) -> NDArray[np.float64]:
        found = self._outputs(weights, inputs).astype(np.float64)
        if not self.is_classifier:
            mean: NDArray[np.float64] = np.clip(found[..., 0], *self.bounds).mean(axis=0)
            return mean
        odds = np.exp(found - found.max(axis=2, keepdims=True))
        return np.asarray((odds / odds.sum(axis=2, keepdims=True)).mean(axis=0))

    def _outputs(self, weights: Mapping[str, Array], inputs: Inputs) -> Array:
        k, n = self.architecture.members, len(inputs.flags)
        parts = []
        if "periodic.weight" in weights:
            parts.append(_periodic(weights, inputs.numbers))
        else:
            parts.append(np.broadcast_to(inputs.numbers, (k, *inputs.numbers.shape)))
        parts.append(np.broadcast_to(inputs.flags, (k, *inputs.flags.shape)))
        for j in range(inputs.codes.shape[1]):
            parts.append(weights[f"categories.{j}.table"][:, inputs.codes[:, j]])
        hidden = np.concatenate(parts, axis=2) * weights["scale"]
        for layer in range(self.architecture.depth):
            hidden = _silu(_linear(weights, f"layers.{layer}", hidden))
        found = _linear(weights, "head", hidden)
        assert found.shape[:2] == (k, n)
        return found

    def _rows_at_once(self) -> int:
        layout, size = self.inputs.layout, self.architecture
        waves = layout.n_numbers * size.waves_for(layout)
        cells = size.members * max(waves, size.n_inputs(layout), size.width)
        return max(1, _CELLS_AT_ONCE // max(cells, 1))


def packed(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, Stored]:
    """Weights as float16, where they fit into it."""
    limit = float(np.finfo(np.float16).max)
    return {
        name: array.astype(np.float16) if np.abs(array).max(initial=0.0) < limit else array
        for name, array in weights.items()
    }


def _linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    found: Array = np.matmul(x, weights[f"{name}.weight"])
    found += weights[f"{name}.bias"]
    return found


def _silu(x: Array) -> Array:
    # For very negative x the exponential overflows to infinity, and the quotient is 0.
    with np.errstate(over="ignore"):
        return np.asarray(x / (1.0 + np.exp(-x)), dtype=np.float32)


def _periodic(weights: Mapping[str, Array], numbers: Array) -> Array:
    frequency = weights["periodic.frequency"]
    k, _, p, waves = frequency.shape
    n, n_sums = len(numbers), weights["periodic.weight"].shape[2]
    angles = numbers[:, :, np.newaxis] * frequency
    angles += weights["periodic.phase"]
    np.cos(angles, out=angles)
    flat = np.ascontiguousarray(angles.transpose(0, 2, 1, 3)).reshape(k * p, n, waves)
    sums = _linear(weights, "periodic", flat).reshape(k, p, n, n_sums).transpose(0, 2, 1, 3)
    beside = np.broadcast_to(numbers, (k, *numbers.shape))
    return np.concatenate([beside, sums.reshape(k, n, p * n_sums)], axis=2)
