"""A multilayer perceptron for tables, forwards and backwards, on NumPy.

After RealMLP (Holzmüller, Grinsztajn & Steinwart, 2024, Better by Default): numbers beside their
waves, categories as columns or embedded, a learned scale of each input, and plain layers.

Why not PyTorch: loading it costs every process that trains 120 MiB and more than a second, and
networks of this size, whose rows fit a processor's cache one member at a time, train faster
without it. Each block remembers what its backward pass needs, in arrays that are used again in
the next step: memory that is new costs more than the arithmetic in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Architecture, Layout
from octavo.networks.inputs import Inputs

__all__ = ["Perceptron"]

Array = NDArray[np.float32]
Given = Mapping[str, Array]
Found = MutableMapping[str, Array]

_DRAWS = 2**16  # of dropout: two random bytes for each unit


class _Room:
    """Arrays by name that are made once and used again, for fewer rows too."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._views: dict[tuple[str | int, ...], Array] = {}

    def __call__(self, name: str, *shape: int) -> Array:
        key: tuple[str | int, ...] = (name, *shape)
        view = self._views.get(key)
        if view is None:
            n_cells = math.prod(shape)
            array = self._arrays.get(name)
            if array is None or array.size < n_cells:
                array = self._arrays[name] = np.empty(n_cells, dtype=np.float32)
                self._views = {key: view for key, view in self._views.items() if key[0] != name}
            view = self._views[key] = array[:n_cells].reshape(shape)
        return view


class Perceptron:
    """One member's network. It has no weights: those of any member are given to it.

    Parameters
    ----------
    architecture
        Its size.
    layout
        What it reads.
    """

    def __init__(self, architecture: Architecture, layout: Layout) -> None:
        self._embedding = _Embedding(architecture, layout)
        self._layers = [_Linear(f"layers.{at}") for at in range(architecture.depth)]
        self._activations = [_SiLU(architecture.dropout) for _ in self._layers]
        self._head = _Linear("head")

    def forward(
        self, weights: Given, inputs: Inputs, *, rng: np.random.Generator | None = None
    ) -> Array:
        """Logits or numbers of rows.

        Parameters
        ----------
        weights
            One member's, as in `Weights.members`.
        inputs
            Of b rows.
        rng
            Of the units that are silent in a step of training; None: none is.

        Returns
        -------
        shape (b, n_outputs)
            Overwritten by the next call.
        """
        hidden = self._embedding.forward(weights, inputs)
        for layer, activation in zip(self._layers, self._activations, strict=True):
            hidden = activation.forward(layer.forward(weights, hidden), rng)
        return self._head.forward(weights, hidden)

    def backward(self, weights: Given, gradients: Found, slope: Array) -> None:
        """Write the gradients of a loss in the weights.

        Parameters
        ----------
        weights
            Those of the forward pass before.
        gradients
            Written, by the names of the weights.
        slope : shape (b, n_outputs)
            Gradient of the loss in what `forward` gave.
        """
        slope = self._head.backward(weights, gradients, slope)
        for layer, activation in zip(
            reversed(self._layers), reversed(self._activations), strict=True
        ):
            slope = layer.backward(weights, gradients, activation.backward(slope))
        self._embedding.backward(weights, gradients, slope)


class _Linear:
    """x W + b."""

    def __init__(self, name: str) -> None:
        self._weight, self._bias = f"{name}.weight", f"{name}.bias"
        self._room = _Room()
        self._x: Array

    def forward(self, weights: Given, x: Array) -> Array:
        self._x = x
        weight = weights[self._weight][0]
        found: Array = np.matmul(x, weight, out=self._room("out", len(x), weight.shape[1]))
        found += weights[self._bias][0]
        return found

    def backward(self, weights: Given, gradients: Found, slope: Array) -> Array:
        np.matmul(self._x.T, slope, out=gradients[self._weight][0])
        np.matmul(_ones(len(slope)), slope, out=gradients[self._bias][0])
        back = self._room("back", *self._x.shape)
        return np.matmul(slope, weights[self._weight][0].T, out=back)


class _SiLU:
    """x σ(x), and then dropout (Srivastava et al., 2014)."""

    def __init__(self, dropout: float) -> None:
        self._silent = round(dropout * _DRAWS)
        self._room = _Room()
        self._x: Array
        self._sigmoid: Array
        self._speaking: Array | None = None

    def forward(self, x: Array, rng: np.random.Generator | None) -> Array:
        self._x = x
        # σ(x) = (1 + tanh(x / 2)) / 2, in which nothing overflows
        self._sigmoid = sigmoid = np.multiply(x, 0.5, out=self._room("sigmoid", *x.shape))
        np.tanh(sigmoid, out=sigmoid)
        sigmoid *= 0.5
        sigmoid += 0.5
        found: Array = np.multiply(x, sigmoid, out=self._room("out", *x.shape))
        self._speaking = None
        if rng is not None and self._silent:
            drawn = _drawn(rng, x.size).reshape(x.shape)
            self._speaking = self._room("speaking", *x.shape)
            louder = np.float32(_DRAWS / (_DRAWS - self._silent))
            np.multiply(drawn >= self._silent, louder, out=self._speaking)
            found *= self._speaking
        return found

    def backward(self, slope: Array) -> Array:
        if self._speaking is not None:
            slope *= self._speaking
        # d/dx x σ(x) = σ (1 + x (1 - σ))
        rise = np.subtract(1.0, self._sigmoid, out=self._room("rise", *slope.shape))
        rise *= self._x
        rise += 1.0
        rise *= self._sigmoid
        slope *= rise
        return slope


class _Embedding:
    """Numbers beside sums of their waves, flags, and levels as a few numbers each; all scaled.

    Waves, cos(f x + phase): Gorishniy, Rubachev & Babenko (2022), On Embeddings for Numerical
    Features in Tabular Deep Learning, in RealMLP's form, where the number itself stays.
    """

    def __init__(self, architecture: Architecture, layout: Layout) -> None:
        self._p, self._q = layout.n_numbers, layout.n_flags
        self._waves = architecture.waves_for(layout)
        self._sums = architecture.wave_outputs if self._waves else 0
        self._dims = architecture.category_dims
        self._width = architecture.n_inputs(layout)
        self._room = _Room()
        self._codes: NDArray[np.int64]
        self._columns: Array
        self._angles: Array
        self._cosines: Array
        self._numbers: Array

    def forward(self, weights: Given, inputs: Inputs) -> Array:
        numbers, flags, self._codes = inputs
        b, p = len(flags), self._p
        self._columns = columns = self._room("columns", b, self._width)
        columns[:, :p] = numbers
        at = p
        if self._waves:
            at += p * self._sums
            sums = self._sums_of_waves(weights, numbers)
            columns[:, p:at].reshape(b, p, self._sums)[...] = sums.transpose(1, 0, 2)
        columns[:, at : at + self._q] = flags
        at += self._q
        for j in range(self._codes.shape[1]):
            columns[:, at : at + self._dims] = weights[f"categories.{j}.table"][
                0, self._codes[:, j]
            ]
            at += self._dims
        return np.multiply(columns, weights["scale"][0], out=self._room("out", *columns.shape))

    def backward(self, weights: Given, gradients: Found, slope: Array) -> None:
        b, p = slope.shape[0], self._p
        products = np.multiply(slope, self._columns, out=self._columns)
        np.matmul(_ones(b), products, out=gradients["scale"][0])
        slope *= weights["scale"][0]
        at = p + p * self._sums
        if self._waves:
            sums = self._room("sums", p, b, self._sums)
            sums[...] = slope[:, p:at].reshape(b, p, self._sums).transpose(1, 0, 2)
            self._waves_backward(weights, gradients, sums)
        at += self._q
        for j in range(self._codes.shape[1]):
            table = gradients[f"categories.{j}.table"][0]
            cells = self._codes[:, j, np.newaxis] * self._dims + np.arange(self._dims)
            parts = slope[:, at : at + self._dims]
            table[...] = np.bincount(
                cells.ravel(), weights=parts.ravel(), minlength=table.size
            ).reshape(table.shape)
            at += self._dims

    def _sums_of_waves(self, weights: Given, numbers: Array) -> Array:
        """Shape (p, b, sums)."""
        b, p = numbers.shape
        self._numbers = np.ascontiguousarray(numbers.T)
        shape = (p, b, self._waves)
        angles = self._angles = self._room("angles", *shape)
        # The member's frequencies have shape (1, 1, p, waves).
        frequency = weights["periodic.frequency"][0, 0][:, np.newaxis]
        np.multiply(self._numbers[:, :, np.newaxis], frequency, out=angles)
        angles += weights["periodic.phase"][0, 0][:, np.newaxis]
        self._cosines = np.cos(angles, out=self._room("cosines", *shape))
        sums = self._room("sums", p, b, self._sums)
        np.matmul(self._cosines, weights["periodic.weight"], out=sums)
        sums += weights["periodic.bias"]
        return sums

    def _waves_backward(self, weights: Given, gradients: Found, slope: Array) -> None:
        """`slope` of shape (p, b, sums)."""
        np.matmul(self._cosines.transpose(0, 2, 1), slope, out=gradients["periodic.weight"])
        np.matmul(_ones(slope.shape[1]), slope, out=gradients["periodic.bias"])
        angles = np.matmul(slope, weights["periodic.weight"].transpose(0, 2, 1), out=self._cosines)
        angles *= np.sin(self._angles, out=self._angles)
        phase = np.matmul(_ones(slope.shape[1]), angles)[:, 0]
        np.negative(phase, out=gradients["periodic.phase"][0, 0])
        frequency = np.matmul(self._numbers[:, np.newaxis], angles)[:, 0]
        np.negative(frequency, out=gradients["periodic.frequency"][0, 0])


def _drawn(rng: np.random.Generator, n: int) -> NDArray[np.uint16]:
    """Whole numbers below `_DRAWS`, four from each that the generator makes."""
    raw: NDArray[np.uint64] = rng.bit_generator.random_raw(-(-n // 4))
    return raw.view(np.uint16)[:n]


@cache
def _ones(n: int) -> Array:
    """Shape (1, n): its product with a matrix adds up rows, faster than a sum does."""
    return np.ones((1, n), dtype=np.float32)
