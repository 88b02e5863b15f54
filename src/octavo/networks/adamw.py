"""AdamW on a vector of weights.

Reference: Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, ICLR.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["AdamW"]

Vector = NDArray[np.float32]

EPSILON = 1e-8
_AT_ONCE = 16_384  # weights: what belongs to them stays in a processor's cache


class AdamW:
    """Steps of AdamW.

    Parameters
    ----------
    n_weights
        Length of the vectors.
    beta1, beta2
        How much of the gradients' mean, and of their mean square, is kept in a step.
    weight_decay : shape (n_weights,)
        Share of each weight, times the learning rate, that goes in a step.
    """

    def __init__(self, n_weights: int, *, beta1: float, beta2: float, weight_decay: Vector) -> None:
        self._betas = beta1, beta2
        self._weight_decay = weight_decay
        self._means = np.zeros(n_weights, dtype=np.float32)
        self._squares = np.zeros(n_weights, dtype=np.float32)
        self._room = np.empty(min(n_weights, _AT_ONCE), dtype=np.float32)
        self._n_steps = 0

    def step(self, weights: Vector, gradient: Vector, learning_rate: float) -> None:
        """One step down the gradient; changes `weights`, and uses `gradient` up."""
        self._n_steps += 1
        beta1, beta2 = self._betas
        rate = learning_rate / (1.0 - beta1**self._n_steps)
        unbiased = 1.0 / math.sqrt(1.0 - beta2**self._n_steps)
        for start in range(0, len(weights), _AT_ONCE):
            at = slice(start, start + _AT_ONCE)
            weight, slope, mean, square = (
                vector[at] for vector in (weights, gradient, self._means, self._squares)
            )
            room = self._room[: len(weight)]
            square *= beta2
            np.multiply(slope, slope, out=room)
            room *= 1.0 - beta2
            square += room
            mean *= beta1
            slope *= 1.0 - beta1
            mean += slope
            np.sqrt(square, out=room)
            room *= unbiased
            room += EPSILON
            np.divide(mean, room, out=room)
            room *= rate
            np.multiply(weight, self._weight_decay[at], out=slope)
            slope *= learning_rate
            weight -= slope
            weight -= room
