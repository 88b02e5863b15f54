"""One loop that trains a network: within a time, reproducibly, and keeping the best weights.

The loop knows neither what the network is nor what it is for. AdamW follows a falling learning
rate; what is judged and kept is the exponential average of the weights (Polyak & Juditsky, 1992),
which is as good in the middle of a training as a fallen learning rate is at its end. So the best
epoch may be an early one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from octavo.errors import OutOfTimeError
from octavo.networks.adamw import AdamW
from octavo.networks.pace import Pace
from octavo.networks.recipe import Recipe

__all__ = ["Trained", "seeded", "train"]


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went.

    Parameters
    ----------
    losses
        What judging gave after each epoch; empty if nothing judged.
    best_epoch
        The one whose weights were kept, from 1 on.
    n_steps
        Steps that were made.
    is_shortened
        Whether the deadline made training shorter than the recipe says.
    """

    losses: tuple[float, ...]
    best_epoch: int
    n_steps: int
    is_shortened: bool


def train(
    network: nn.Module,
    *,
    batches: Callable[[np.random.Generator], list[NDArray[np.int64]]],
    loss: Callable[[NDArray[np.int64]], Tensor],
    judge: Callable[[], float] | None,
    recipe: Recipe,
    seed: int,
    deadline: float = math.inf,
) -> Trained:
    """Train a network in place; at the end it holds the best averaged weights.

    Parameters
    ----------
    network
        What is trained. Parameters whose name ends in "weight" decay.
    batches
        Gives the rows of each step of an epoch; always the same number of steps.
    loss
        The loss of the network on such rows.
    judge
        The loss on rows that it does not learn from, called without gradients and with the
        averaged weights in place; None keeps the last weights.
    recipe
        Learning rate, epochs and the like.
    seed
        Of the batches. What the network draws itself (dropout) comes from torch's generator.
    deadline
        Value of `time.monotonic()`; the training is made so short that it ends before.

    Raises
    ------
    OutOfTimeError
        If the deadline has passed.
    """
    if time.monotonic() >= deadline:
        raise OutOfTimeError(
            "the training of a network was not begun: its deadline has passed. Give it more time."
        )
    rng = np.random.default_rng([seed, 1])
    steps = batches(rng)
    pace = Pace(recipe.epochs * len(steps), deadline)
    parameters: list[Tensor] = list(network.parameters())
    optimizers = _optimizers(network, recipe)
    average = [parameter.detach().clone() for parameter in parameters]
    kept, best_loss, best_epoch = average, math.inf, 0
    losses: list[float] = []
    network.train()
    while True:
        for rows in steps:
            rate = recipe.rate(pace.progress)
            loss(rows).backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step(rate)
            with torch.no_grad():
                torch._foreach_lerp_(average, parameters, 1.0 - recipe.kept(pace.n_done))
            pace.advance()
            if pace.is_over:
                break
        epoch = max(1, math.ceil(pace.n_done / len(steps)))
        if judge is not None:
            with _holding(network, parameters, average):
                losses.append(judge())
            # A loss that is no number is never the best, but there must be something to keep.
            if losses[-1] < best_loss or not best_epoch:
                best_loss = losses[-1] if math.isfinite(losses[-1]) else math.inf
                kept, best_epoch = [weights.clone() for weights in average], epoch
        if pace.is_over or (judge is not None and epoch - best_epoch >= recipe.patience):
            break
        steps = batches(rng)
    with torch.no_grad():
        for parameter, weights in zip(parameters, kept, strict=True):
            parameter.copy_(weights)
    network.eval()
    return Trained(tuple(losses), best_epoch or epoch, pace.n_done, pace.is_shortened)


def _optimizers(network: nn.Module, recipe: Recipe) -> list[AdamW]:
    named = list(network.named_parameters())
    decaying = [p for name, p in named if name.endswith("weight")]
    others = [p for name, p in named if not name.endswith("weight")]
    return [
        AdamW(group, beta1=0.9, beta2=recipe.beta2, weight_decay=decay)
        for group, decay in ((decaying, recipe.weight_decay), (others, 0.0))
        if group
    ]


@contextmanager
def _holding(network: nn.Module, parameters: list[Tensor], average: list[Tensor]) -> Iterator[None]:
    """The network with averaged weights, at rest; afterwards it goes on with its own."""
    with torch.no_grad():
        own = [parameter.detach().clone() for parameter in parameters]
        for parameter, weights in zip(parameters, average, strict=True):
            parameter.copy_(weights)
        network.eval()
        try:
            yield
        finally:
            network.train()
            for parameter, weights in zip(parameters, own, strict=True):
                parameter.copy_(weights)


@contextmanager
def seeded(seed: int, n_threads: int) -> Iterator[None]:
    """Torch with a seed and a number of threads of its own; both are given back."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
