"""One loop that trains a network: within a time, reproducibly, and keeping the best weights.

The loop knows neither what the network is nor what it is for: it sees a vector of weights and a
function that gives its gradient. AdamW follows a falling learning rate; what is judged and kept is
the exponential average of the weights (Polyak & Juditsky, 1992), which is as good in the middle of
a training as a fallen learning rate is at its end. So the best epoch may be an early one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import saxpy, sscal

from octavo.errors import OutOfTimeError
from octavo.networks.adamw import AdamW
from octavo.networks.pace import Pace
from octavo.networks.recipe import Recipe

__all__ = ["Trained", "train"]

Vector = NDArray[np.float32]

_BETA1 = 0.9


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
    weights: Vector,
    *,
    batches: Callable[[np.random.Generator], list[NDArray[np.int64]]],
    gradient: Callable[[NDArray[np.int64]], Vector],
    judge: Callable[[], float] | None,
    recipe: Recipe,
    decaying: tuple[slice, ...] = (slice(None),),
    seed: int,
    deadline: float = math.inf,
) -> Trained:
    """Train weights in place; at the end they are the best averaged ones.

    Parameters
    ----------
    weights : shape (n,)
        float32. What is trained.
    batches
        Gives the rows of each step of an epoch; always the same number of steps.
    gradient
        Of the loss on such rows in `weights` as they are.
    judge
        The loss on rows that are not learned from, called with the averaged weights in place;
        None keeps the last weights.
    recipe
        Learning rate, epochs and the like.
    decaying
        Parts of `weights` that decay; all by default.
    seed
        Of the batches.
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
    optimizer = AdamW(
        len(weights),
        beta1=_BETA1,
        beta2=recipe.beta2,
        weight_decay=recipe.weight_decay,
        decaying=decaying,
    )
    average = weights.copy()
    kept, best_loss, best_epoch = average, math.inf, 0
    losses: list[float] = []
    while True:
        for rows in steps:
            optimizer.step(weights, gradient(rows), recipe.rate(pace.progress))
            kept_share = recipe.kept(pace.n_done)
            sscal(kept_share, average)
            saxpy(weights, average, a=1.0 - kept_share)
            pace.advance()
            if pace.is_over:
                break
        epoch = max(1, math.ceil(pace.n_done / len(steps)))
        if judge is not None:
            losses.append(_judged(judge, weights, average))
            # A loss that is no number is never the best, but there must be something to keep.
            if losses[-1] < best_loss or not best_epoch:
                best_loss = losses[-1] if math.isfinite(losses[-1]) else math.inf
                kept, best_epoch = average.copy(), epoch
        if pace.is_over or (judge is not None and epoch - best_epoch >= recipe.patience):
            break
        steps = batches(rng)
    weights[...] = kept
    return Trained(tuple(losses), best_epoch or epoch, pace.n_done, pace.is_shortened)


def _judged(judge: Callable[[], float], weights: Vector, average: Vector) -> float:
    """The loss with averaged weights in place; afterwards training goes on with its own."""
    own = weights.copy()
    weights[...] = average
    try:
        return judge()
    finally:
        weights[...] = own
