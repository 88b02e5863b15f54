"""Early stopping: when does a model that grows step by step stop getting better?

The rows that decide are cut from the training rows. The validation rows of a fold must
not decide: out-of-fold predictions would flatter the model, and the ensemble that trusts
them would prefer models that stop early on the right rows. What the cut costs is given
back on small tables: the model is trained again on all rows for the number of steps found.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFIT_ROWS", "Progress", "grow_until_worse", "inner_split", "log_loss", "most_rounds"]

Rows = NDArray[np.intp]
Grown = TypeVar("Grown")

REFIT_ROWS = 20_000
"""Up to this many rows a model is trained again on all of them."""

_FRACTION = 0.15
_FEWEST = 12  # validation rows; fewer decide by chance
_NOTABLE = 1e-3  # of the best loss
_NEGLIGIBLE = 3e-4  # of the first loss
_MOST = 10_000  # more rows cost time and decide no better


def inner_split(y: NDArray[Any], *, is_classification: bool, seed: int) -> tuple[Rows, Rows] | None:
    """Rows to train on and rows that decide when to stop; None if there are too few.

    Classes keep their shares, and every class keeps at least one training row.
    """
    n = len(y)
    size = min(round(_FRACTION * n), _MOST)
    if size < _FEWEST:
        return None
    rng = np.random.default_rng([seed, 15])
    shuffled = rng.permutation(n)
    if not is_classification:
        return np.sort(shuffled[size:]), np.sort(shuffled[:size])
    labels = y[shuffled].astype(np.int64)
    counts = np.bincount(labels)
    # A random fraction is kept, or given, at every boundary: otherwise rounding would
    # drop every class of fewer than 1 / (2 * fraction) rows from the deciding rows.
    wanted = np.floor(counts * (size / n) + rng.random(len(counts)))
    wanted = np.minimum(wanted, np.maximum(counts - 1, 0)).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n) - np.repeat(starts, counts)
    decides = rank < wanted[labels]
    if decides.sum() < _FEWEST // 2:
        return None
    return np.sort(shuffled[~decides]), np.sort(shuffled[decides])


def most_rounds(learning_rate: float, n_rows: int, *, at_most: int) -> int:
    """A bound on boosting rounds: far beyond what a table of so many rows rewards."""
    return int(min(at_most, 25.0 / learning_rate + n_rows / 20))


class Progress:
    """Watches a loss, step after step, and says when to stop.

    Parameters
    ----------
    patience
        Steps without notable improvement after which it is over.
    deadline
        Value of `time.monotonic()` after which it is over.
    """

    def __init__(self, *, patience: float, deadline: float) -> None:
        self.patience = patience
        self.deadline = deadline
        self.best_loss = math.inf
        self.best_step = 0
        self.n_steps = 0
        self._step_s = 0.0
        self._last_time = time.monotonic()
        self._notable_loss = math.inf
        self._notable_step = 0
        self._first_loss: float | None = None
        self.is_cut = False

    def is_over(self, loss: float | None, *, steps: int = 1) -> bool:
        """Record `steps` more steps, after which the loss was this; None if unknown."""
        self.n_steps += steps
        now = time.monotonic()
        # A step that would end behind the deadline is not begun. The first one counts what
        # came before it too, which is careful.
        self._step_s = max(now - self._last_time, 0.8 * self._step_s)
        self._last_time = now
        if now + self._step_s > self.deadline:
            self.is_cut = True
        if loss is None:
            return self.is_cut
        if self._first_loss is None:
            self._first_loss = loss
        if loss < self.best_loss or self.best_step == 0:
            self.best_loss = loss
            self.best_step = self.n_steps
        # Between classes that can be told apart the loss falls for ever, by less and less.
        notable = max(_NOTABLE * abs(self.best_loss), _NEGLIGIBLE * abs(self._first_loss))
        if loss < self._notable_loss - notable or self._notable_step == 0:
            self._notable_loss = loss
            self._notable_step = self.n_steps
        return self.is_cut or self.n_steps - self._notable_step >= self.patience

    @property
    def keep(self) -> int:
        """How many steps to keep."""
        return self.best_step or self.n_steps


def grow_until_worse(
    grow: Callable[[Rows, Rows | None, int, float], tuple[Grown, int, bool]],
    y: NDArray[Any],
    *,
    is_classification: bool,
    seed: int,
    most_steps: int,
    steps_unwatched: int,
    deadline: float,
) -> Grown:
    """Train with early stopping on inner rows, then on all rows where that is cheap.

    Parameters
    ----------
    grow
        Called with training rows, deciding rows or None, the most steps and a deadline;
        returns the model, how many steps it keeps, and whether the deadline cut it short.
    y
        Targets of all rows.
    is_classification, seed
        For the split.
    most_steps
        With deciding rows.
    steps_unwatched
        When there are too few rows to decide anything.
    deadline
        When to stop.
    """
    everything: Rows = np.arange(len(y))
    split = inner_split(y, is_classification=is_classification, seed=seed)
    if split is None:
        return grow(everything, None, min(most_steps, steps_unwatched), deadline)[0]
    started = time.monotonic()
    model, steps, is_cut = grow(*split, most_steps, deadline)
    again_s = 1.3 * (time.monotonic() - started)
    if is_cut or len(y) > REFIT_ROWS or time.monotonic() + again_s > deadline:
        return model
    refitted, _, is_cut = grow(everything, None, steps, deadline)
    return model if is_cut else refitted


def log_loss(probabilities: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Mean negative log-likelihood, with probabilities kept off zero."""
    chosen = np.maximum(probabilities[np.arange(len(y)), y.astype(np.int64)], 1e-7)
    return float(np.average(-np.log(chosen), weights=weight))
