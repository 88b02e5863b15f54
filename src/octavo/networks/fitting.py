"""Train a tabular network on a matrix: eight members at once, each judged by rows it leaves out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from octavo.networks.architecture import Architecture
from octavo.networks.fitted import FittedNetwork, packed
from octavo.networks.folds import Folds, member_folds
from octavo.networks.inputs import fit_inputs
from octavo.networks.recipe import Recipe
from octavo.networks.tabular_network import TabularNetwork
from octavo.networks.training import seeded, train

__all__ = ["fit_network"]

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
    """Train a network; the same seed and number of threads give the same one.

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
    with seeded(seed, n_threads):
        network = TabularNetwork(architecture, inputs.layout, n_classes or 1)
        task = _Task(network, inputs.transform(X), y, n_classes, sample_weight)
        train(
            network,
            batches=lambda rng: _batches(folds, recipe.batch_rows, rng),
            loss=lambda rows: task.losses(rows).sum(),
            judge=(lambda: float(task.losses(folds.judging).mean())) if is_judged else None,
            recipe=recipe,
            seed=seed,
            deadline=deadline,
        )
    bounds = (-math.inf, math.inf) if n_classes else (float(y.min()), float(y.max()))
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    return FittedNetwork(architecture, inputs, packed(weights), n_classes is not None, bounds)


class _Task:
    """A network's losses on rows that are named by number."""

    def __init__(
        self,
        network: TabularNetwork,
        inputs: Sequence[NDArray[Any]],
        y: NDArray[Any],
        n_classes: int | None,
        sample_weight: NDArray[np.float64] | None,
    ) -> None:
        self.network = network
        self.inputs = [torch.from_numpy(part) for part in inputs]
        self.n_classes = n_classes
        self.y = torch.from_numpy(y.astype(np.int64 if n_classes else np.float32))
        self.weight = (
            None if sample_weight is None else torch.from_numpy(sample_weight.astype(np.float32))
        )

    def losses(self, rows: NDArray[np.int64]) -> Tensor:
        """The mean loss of each member, shape (k,), on its rows, shape (k, b).

        They are added for a step of training: no member's gradient depends on how many there
        are.
        """
        at = torch.from_numpy(rows)
        found = self.network(*(part[at] for part in self.inputs))
        y = self.y[at]
        if self.n_classes is None:
            each = (found[..., 0] - y) ** 2
        else:
            flat = found.reshape(-1, self.n_classes)
            each = functional.cross_entropy(flat, y.reshape(-1), reduction="none").reshape(y.shape)
        if self.weight is not None:
            each = each * self.weight[at]
        return each.mean(dim=1)


def _batches(folds: Folds, batch_rows: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The rows of each step of an epoch, shape (k, b): each member's own, in its own order."""
    shuffled = rng.permuted(folds.train, axis=1)
    n_rows = shuffled.shape[1]
    size = min(batch_rows, max(_FEWEST_IN_BATCH, n_rows // 8))
    return np.array_split(shuffled, max(1, round(n_rows / size)), axis=1)
