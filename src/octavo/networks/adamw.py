"""AdamW by torch's fused kernel, without `torch.optim`, whose import is dear.

The first optimizer of `torch.optim` imports torch's compiler: with torch 2.13 that took 1.5 s and
70 MiB in every process, as long as some whole trials. The kernel that its AdamW calls needs none
of it.

Reference: Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, ICLR.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["AdamW"]

EPSILON = 1e-8


class AdamW:
    """Steps of AdamW on some parameters; the same numbers as `torch.optim.AdamW(fused=True)`.

    Parameters
    ----------
    parameters
        That get a gradient in every step.
    beta1, beta2
        How much of the gradients' mean, and of their mean square, is kept in a step.
    weight_decay
        Share of each parameter, times the learning rate, that goes in a step.
    """

    def __init__(
        self, parameters: Sequence[Tensor], *, beta1: float, beta2: float, weight_decay: float
    ) -> None:
        self._parameters = list(parameters)
        self._betas = beta1, beta2
        self._weight_decay = weight_decay
        self._means = [torch.zeros_like(one) for one in self._parameters]
        self._squares = [torch.zeros_like(one) for one in self._parameters]
        self._steps = [torch.zeros((), dtype=torch.float32) for _ in self._parameters]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step down the gradients, which are taken away."""
        gradients = [one.grad for one in self._parameters if one.grad is not None]
        assert len(gradients) == len(self._parameters)
        torch._foreach_add_(self._steps, 1)
        torch._fused_adamw_(
            self._parameters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            lr=learning_rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=self._weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        for one in self._parameters:
            one.grad = None
