"""A multilayer perceptron, trained by Adam, with its weights averaged over epochs.

The training is scikit-learn's, an epoch at a time. What predicts is the exponential average
of the epochs' weights (Polyak & Juditsky, 1992, Acceleration of Stochastic Approximation by
Averaging), which does the work of a falling learning rate. Outliers are squashed as in
Holzmüller et al. (2024, Better by Default), because a table's tails are not its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Float, Hyperparameter, Integer
from octavo.tabular.models.convergence import stopping_early_is_fine
from octavo.tabular.models.early_stopping import Progress, Rows, grow_until_worse, log_loss
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["MLP"]

_MOST_EPOCHS = 200
_EPOCHS_UNWATCHED = 60
_PATIENCE = 16
_AVERAGING = 0.75
Layers = list[tuple[Matrix, Matrix]]
"""Weights and biases, from the input to the output."""


class MLPModel:
    """The averaged weights of a network."""

    def __init__(self, config: Config, shape: Shape, *, seed: int, n_threads: int) -> None:
        self.config = dict(config)
        self.shape = shape
        self.seed = seed
        self.n_threads = n_threads

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Train epoch by epoch until the loss on inner rows has stopped falling."""
        from threadpoolctl import threadpool_limits

        in_time(deadline, "the network")
        X = _squashed(X)

        def grow(
            rows: Rows, valid: Rows | None, most: int, deadline: float
        ) -> tuple[Layers, int, bool]:
            network = self._network(len(rows))
            progress = Progress(patience=_PATIENCE, deadline=deadline)
            part = X[rows], y[rows], None if sample_weight is None else sample_weight[rows]
            mean: Layers = []
            best: Layers = []
            for _ in range(most):
                network.partial_fit(*part, **self._classes())
                mean = _averaged(mean, network)
                loss = None
                if valid is not None:
                    weight = None if sample_weight is None else sample_weight[valid]
                    loss = self._loss(mean, X[valid], y[valid], weight)
                is_over = progress.is_over(loss)
                if valid is None or progress.best_step == progress.n_steps:
                    best = mean
                if is_over:
                    break
            return best, progress.keep, progress.is_cut

        with threadpool_limits(self.n_threads), stopping_early_is_fine():
            self.layers_ = grow_until_worse(
                grow,
                y,
                is_classification=self.shape.is_classification,
                seed=self.seed,
                most_steps=_MOST_EPOCHS,
                steps_unwatched=_EPOCHS_UNWATCHED,
                deadline=deadline,
            )

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        return self._output(self.layers_, _squashed(X))

    @property
    def size(self) -> int:
        """Weights and biases."""
        return int(sum(weight.size + bias.size for weight, bias in self.layers_))

    def _network(self, n_rows: int) -> Any:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        kind = MLPClassifier if self.shape.is_classification else MLPRegressor
        return kind(
            hidden_layer_sizes=(self.config["width"],) * self.config["depth"],
            learning_rate_init=self.config["learning_rate"],
            alpha=self.config["l2"],
            batch_size=int(np.clip(n_rows // 40, min(16, n_rows), 256)),
            random_state=self.seed,
        )

    def _classes(self) -> dict[str, Any]:
        if not self.shape.is_classification:
            return {}
        return {"classes": np.arange(self.shape.n_classes)}

    def _output(self, layers: Layers, X: Matrix) -> Floats:
        hidden = X
        for weight, bias in layers[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        raw = (hidden @ layers[-1][0] + layers[-1][1]).astype(np.float64)
        if not self.shape.is_classification:
            return np.asarray(raw[:, 0])
        if raw.shape[1] == 1:
            raw = np.column_stack([np.zeros(len(raw)), raw[:, 0]])
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _loss(
        self, layers: Layers, X: Matrix, y: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        found = self._output(layers, X)
        if self.shape.is_classification:
            return log_loss(found, y, weight)
        return float(np.average((found - y) ** 2, weights=weight))


def _squashed(X: Matrix) -> Matrix:
    """Close to the identity near 0; never beyond 4."""
    return np.asarray(X / np.sqrt(1.0 + (X / 4.0) ** 2), dtype=np.float32)


def _averaged(mean: Layers, network: Any) -> Layers:
    """The average, moved towards the network's present weights."""
    now = list(zip(network.coefs_, network.intercepts_, strict=True))
    if not mean:
        return [(weight.copy(), bias.copy()) for weight, bias in now]
    keep, add = np.float32(_AVERAGING), np.float32(1 - _AVERAGING)
    return [
        (keep * old_weight + add * weight, keep * old_bias + add * bias)
        for (old_weight, old_bias), (weight, bias) in zip(mean, now, strict=True)
    ]


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    return {
        "depth": Integer(1, 3, default=2),
        "width": Integer(16, 256, log=True, default=128),
        "learning_rate": Float(3e-4, 1e-2, log=True, default=2e-3),
        "l2": Float(1e-6, 1.0, log=True, default=1e-3),
    }


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """Two hidden layers; one that is held tighter, which small tables need first."""
    tight = {"depth": 1, "width": 64, "l2": 0.1}
    return [tight, {}] if shape.n_rows < 1000 else [{}, tight]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Batches (1e3); multiplications (1e9)."""
    n = shape.n_rows
    epochs = min(_MOST_EPOCHS, 30 + 20 * (1e-3 / config["learning_rate"]) ** 0.5)
    epochs *= 2.0 if n <= 20_000 else 1.0
    width = config["width"]
    outputs = max(1, shape.n_outputs)
    weights = width * (shape.width("linear") + outputs + (config["depth"] - 1) * width)
    batches = n / np.clip(n // 40, min(16, n), 256)
    return (
        epochs * batches * config["depth"] * 1e-3,
        epochs * n * weights * 6e-9,
        epochs * batches * weights * 1e-9,
    )


def memory_mb(config: Config, shape: Shape) -> float:
    """Copies of the rows, and the weights with their moments."""
    return 30 + shape.n_rows * shape.width("linear") * 12 / 2**20


def describe(config: Config) -> str:
    """Layers and learning rate."""
    layers = " x ".join([str(config["width"])] * config["depth"])
    return f"{layers} units, learning rate {config['learning_rate']:.1e}"


MLP = Family(
    name="mlp",
    title="Neural network",
    preprocessing="linear",
    space=space,
    defaults=defaults,
    build=MLPModel,
    terms=terms,
    prices=(0.18, 0.017, 0.33),
    parallel=0.3,
    memory_mb=memory_mb,
    describe=describe,
    max_features=5000,
)
