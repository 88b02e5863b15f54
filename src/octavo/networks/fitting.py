"""Train a tabular network on a matrix: eight members at once, each judged by rows it leaves out.

As in TabM (Gorishniy, Kotelnikov & Babenko, 2024) members learn from losses of their own and their
predictions are averaged; their layers are not shared, so that each can leave out other rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from octavo.networks.architecture import Architecture
from octavo.networks.fitted import FittedNetwork, packed
from octavo.networks.folds import Folds, member_folds
from octavo.networks.inputs import Inputs, fit_inputs
from octavo.networks.perceptron import Perceptron
from octavo.networks.recipe import Recipe
from octavo.networks.training import train
from octavo.networks.weights import Weights, initial_weights
from octavo.numerics.threads import limited

__all__ = ["fit_network"]

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

_EPOCHS_UNJUDGED = 0.5  # of all, where there are too few rows to judge by
_FEWEST_IN_BATCH = 16


def fit_network(
    X: NDArray[np.float32],
    y: NDArray[Any],
    *,
    architecture: Architecture,
    recipe: Recipe,
    n_classes: int | None,
    sample_weight: NDArray[np.float64] | None = None,
    categorical: Sequence[int] = (),
    seed: int = 0,
    n_threads: int = 1,
    deadline: float = math.inf,
) -> FittedNetwork:
    """Train a network; the same seed gives the same one, with any number of threads.

    Parameters
    ----------
    X : shape (n, d)
        Numbers, NaN where missing, and codes of categories.
    y : shape (n,)
        Class numbers, or numbers of about mean 0 and variance 1.
    architecture, recipe
        How it is built and trained.
    n_classes
        None for a regression.
    sample_weight : shape (n,)
        Positive, of mean 1; None for alike.
    categorical
        Columns of `X` that hold codes.
    seed
        Of everything random.
    n_threads
        Of the processor, for the training.
    deadline
        Value of `time.monotonic()`. What would take longer is made shorter beforehand.

    Raises
    ------
    OutOfTimeError
        If the deadline has passed.
    """
    inputs = fit_inputs(X, categorical)
    labels = None if n_classes is None else y.astype(np.int64)
    folds = member_folds(labels, len(X), architecture.members, seed)
    is_judged = folds.judging.shape[1] > 0
    if not is_judged:
        recipe = replace(recipe, epochs=max(1, int(recipe.epochs * _EPOCHS_UNJUDGED)))
    weights = initial_weights(
        architecture, inputs.layout, n_classes or 1, np.random.default_rng([seed, 3])
    )
    loss = _Loss(y, n_classes, sample_weight)
    networks = [
        Perceptron(architecture, inputs.layout)
        for _ in range(max(1, min(n_threads, architecture.members)))
    ]
    with _Members(networks, weights, inputs.transform(X), loss, seed) as members:
        train(
            weights.vector,
            batches=lambda rng: _batches(folds, recipe.batch_rows, rng),
            gradient=members.gradient,
            judge=(lambda: members.loss(folds.judging)) if is_judged else None,
            recipe=recipe,
            decaying=weights.decaying(),
            seed=seed,
            deadline=deadline,
        )
    bounds = (-math.inf, math.inf) if n_classes else (float(y.min()), float(y.max()))
    return FittedNetwork(
        architecture, inputs, packed(weights.arrays), n_classes is not None, bounds
    )


class _Loss:
    """Cross-entropy, or squares, of rows that are named by number."""

    def __init__(
        self, y: NDArray[Any], n_classes: int | None, sample_weight: NDArray[np.float64] | None
    ) -> None:
        self._is_classifier = n_classes is not None
        self._y: NDArray[Any] = y.astype(np.int64 if self._is_classifier else np.float32)
        self._weight = None if sample_weight is None else sample_weight.astype(np.float32)

    def __call__(self, outputs: Array, rows: Rows) -> tuple[float, Array]:
        """The mean over the rows, and its gradient in `outputs`, which is written over them."""
        y = self._y[rows]
        share = np.full(len(rows), 1.0 / len(rows), dtype=np.float32)
        if self._weight is not None:
            share *= self._weight[rows]
        if not self._is_classifier:
            outputs[:, 0] -= y
            loss = float(share @ (outputs[:, 0] ** 2))
            outputs *= 2.0 * share[:, np.newaxis]
            return loss, outputs
        at = np.arange(len(rows))
        outputs -= outputs.max(axis=1, keepdims=True)
        logit = outputs[at, y]
        np.exp(outputs, out=outputs)
        total = outputs.sum(axis=1, keepdims=True)
        loss = float(share @ (np.log(total[:, 0]) - logit))
        outputs /= total
        outputs[at, y] -= 1.0
        outputs *= share[:, np.newaxis]
        return loss, outputs


class _Members:
    """The losses of all members, a few members to each thread.

    Every member draws its silent units from a generator of its own, so that it does not matter
    which thread it is in.
    """

    def __init__(
        self,
        networks: Sequence[Perceptron],
        weights: Weights,
        inputs: Inputs,
        loss: _Loss,
        seed: int,
    ) -> None:
        self._networks = networks
        self._weights = weights
        self._gradients = weights.zeros_like()
        self._inputs = inputs
        self._loss = loss
        members = range(len(weights.members))
        self._rngs = [np.random.default_rng([seed, 2, member]) for member in members]
        self._shares = [members[at :: len(networks)] for at in range(len(networks))]
        self._threads: Executor | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        # Matrices of one member are too small to be shared out by the library below.
        self._open.enter_context(limited(1))
        if len(self._networks) > 1:
            threads = ThreadPoolExecutor(len(self._networks))
            self._threads = self._open.enter_context(threads)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def gradient(self, rows: Rows) -> Array:
        """Gradient of the sum of the members' losses on their rows, shape (k, b).

        A sum, for no member's gradient depends on how many there are.
        """

        def of(network: Perceptron, member: int) -> None:
            weights, at = self._weights.members[member], rows[member]
            outputs = network.forward(weights, self._rows(at), rng=self._rngs[member])
            _, slope = self._loss(outputs, at)
            network.backward(weights, self._gradients.members[member], slope)

        self._each(of)
        return self._gradients.vector

    def loss(self, rows: Rows) -> float:
        """Mean loss over members and their rows, shape (k, b)."""
        losses = np.zeros(len(rows))

        def of(network: Perceptron, member: int) -> None:
            outputs = network.forward(self._weights.members[member], self._rows(rows[member]))
            losses[member], _ = self._loss(outputs, rows[member])

        self._each(of)
        return float(losses.mean())

    def _rows(self, at: Rows) -> Inputs:
        numbers, flags, codes = self._inputs
        return Inputs(numbers[at], flags[at], codes[at])

    def _each(self, do: Callable[[Perceptron, int], None]) -> None:
        def several(network: Perceptron, members: range) -> None:
            for member in members:
                do(network, member)

        if self._threads is None:
            several(self._networks[0], self._shares[0])
            return
        for _ in self._threads.map(several, self._networks, self._shares):
            pass


def _batches(folds: Folds, batch_rows: int, rng: np.random.Generator) -> list[Rows]:
    """The rows of each step of an epoch, shape (k, b): each member's own, in its own order."""
    shuffled = rng.permuted(folds.train, axis=1)
    n_rows = shuffled.shape[1]
    size = min(batch_rows, max(_FEWEST_IN_BATCH, n_rows // 8))
    return np.array_split(shuffled, max(1, round(n_rows / size)), axis=1)
