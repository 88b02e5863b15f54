"""The weights of networks that are trained side by side, all in one vector.

An optimizer, an average of weights and a copy of the best ones are then plain arithmetic on a
vector, and know nothing of layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Architecture, Layout

__all__ = ["Weights", "initial_weights", "members_of"]

Array = NDArray[np.float32]


class Weights:
    """Named arrays that lie one behind the other in a vector.

    Parameters
    ----------
    shapes
        Of the arrays; the first axis of each goes through the members.
    members
        How many there are.
    vector : shape (sum of sizes,)
        float32; zeros by default.

    Attributes
    ----------
    arrays : dict
        Views of the vector by name.
    members : list of dict
        The same for each member alone.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], members: int, vector: Array | None = None
    ) -> None:
        self.shapes = dict(shapes)
        sizes = [math.prod(shape) for shape in shapes.values()]
        self.vector = np.zeros(sum(sizes), dtype=np.float32) if vector is None else vector
        parts = np.split(self.vector, np.cumsum(sizes)[:-1])
        self.arrays = {
            name: part.reshape(shape)
            for (name, shape), part in zip(shapes.items(), parts, strict=True)
        }
        self.members = members_of(self.arrays, members)

    def zeros_like(self) -> Self:
        """As many zeros under the same names."""
        return type(self)(self.shapes, len(self.members))

    def decaying(self) -> tuple[slice, ...]:
        """Parts of the vector whose weights decay: those of linear layers and sums of waves."""
        ends = np.cumsum([array.size for array in self.arrays.values()]).tolist()
        return tuple(
            slice(end - array.size, end)
            for (name, array), end in zip(self.arrays.items(), ends, strict=True)
            if name.endswith("weight")
        )


def members_of(arrays: Mapping[str, Array], members: int) -> list[dict[str, Array]]:
    """Views of each member's part of arrays whose first axis goes through the members."""
    parts = {
        name: array.reshape(members, len(array) // members, *array.shape[1:])
        for name, array in arrays.items()
    }
    return [{name: part[member] for name, part in parts.items()} for member in range(members)]


def initial_weights(
    architecture: Architecture, layout: Layout, n_outputs: int, rng: np.random.Generator
) -> Weights:
    """Weights before training.

    Linear layers begin as in He et al. (2015), uniform within one over the root of their inputs;
    frequencies of waves are normal, phases uniform (Gorishniy, Rubachev & Babenko, 2022); the
    level that stands for none of the others begins at zero, where it stays if training has no
    such row.
    """
    k = architecture.members
    waves, sums = architecture.waves_for(layout), architecture.wave_outputs
    arrays: dict[str, NDArray[np.float64]] = {}

    def linear(name: str, n_layers: int, n_inputs: int, n_outputs: int) -> None:
        bound = 1.0 / math.sqrt(max(n_inputs, 1))
        arrays[f"{name}.weight"] = rng.uniform(-bound, bound, (n_layers, n_inputs, n_outputs))
        arrays[f"{name}.bias"] = rng.uniform(-bound, bound, (n_layers, 1, n_outputs))

    if waves:
        shape = (k, 1, layout.n_numbers, waves)
        spread = 2.0 * math.pi * architecture.frequency
        arrays["periodic.frequency"] = spread * rng.standard_normal(shape)
        arrays["periodic.phase"] = rng.uniform(-math.pi, math.pi, shape)
        linear("periodic", k * layout.n_numbers, waves, sums)
    for j, n_levels in enumerate(layout.n_levels):
        table = 0.3 * rng.standard_normal((k, n_levels + 1, architecture.category_dims))
        table[:, -1] = 0.0
        arrays[f"categories.{j}.table"] = table
    width = architecture.n_inputs(layout)
    arrays["scale"] = np.ones((k, 1, width))
    for layer in range(architecture.depth):
        linear(f"layers.{layer}", k, width, architecture.width)
        width = architecture.width
    linear("head", k, width, n_outputs)
    weights = Weights({name: array.shape for name, array in arrays.items()}, k)
    for name, array in arrays.items():
        weights.arrays[name][...] = array
    return weights
