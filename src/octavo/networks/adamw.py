"""AdamW on a vector of weights.

Reference: Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, ICLR.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import saxpy, sscal

__all__ = ["AdamW"]

Vector = NDArray[np.float32]

EPSILON = 1e-8
_AT_ONCE = 16_384  # weights: what belongs to them stays in a processor's cache


class AdamW:
    """Steps of AdamW.

    Where batches are small a step here takes as long as the gradient, so that passes over the
    vectors are counted: BLAS adds a multiple in one, for which NumPy takes two.

    Parameters
    ----------
    n_weights
        Length of the vectors.
    beta1, beta2
        How much of the gradients' mean, and of their mean square, is kept in a step.
    weight_decay
        Share of a decaying weight, times the learning rate, that goes in a step.
    decaying
        Parts of the vector that decay.
    """

    def __init__(
        self,
        n_weights: int,
        *,
        beta1: float,
        beta2: float,
        weight_decay: float = 0.0,
        decaying: tuple[slice, ...] = (),
    ) -> None:
        self._betas = beta1, beta2
        self._weight_decay = weight_decay
        self._decaying = decaying
        self._means = np.zeros(n_weights, dtype=np.float32)
        self._squares = np.zeros(n_weights, dtype=np.float32)
        self._room = np.empty(min(n_weights, _AT_ONCE), dtype=np.float32)
        self._n_steps = 0

    def step(self, weights: Vector, gradient: Vector, learning_rate: float) -> None:
        """One step down the gradient; changes `weights`, a contiguous vector."""
        self._n_steps += 1
        beta1, beta2 = self._betas
        unbiased = math.sqrt(1.0 - beta2**self._n_steps)
        rate = learning_rate * unbiased / (1.0 - beta1**self._n_steps)
        if self._weight_decay:
            for part in self._decaying:
                weights[part] *= 1.0 - learning_rate * self._weight_decay
        for start in range(0, len(weights), _AT_ONCE):
            at = slice(start, start + _AT_ONCE)
            slope, mean, square = (one[at] for one in (gradient, self._means, self._squares))
            room = np.multiply(slope, slope, out=self._room[: len(slope)])
            sscal(beta2, square)
            saxpy(room, square, a=1.0 - beta2)
            sscal(beta1, mean)
            saxpy(slope, mean, a=1.0 - beta1)
            np.sqrt(square, out=room)
            room += EPSILON * unbiased
            np.divide(mean, room, out=room)
            saxpy(room, weights[at], a=-rate)
