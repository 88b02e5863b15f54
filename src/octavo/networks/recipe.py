"""How a network is trained: numbers only, so that they can be searched without PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from octavo.errors import SettingError

__all__ = ["Recipe"]

_WARM_UP = 0.04  # of all steps


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training by AdamW, with a learning rate that falls and weights that are averaged.

    Parameters
    ----------
    learning_rate
        The highest.
    weight_decay
        Of the weight matrices; biases, embeddings and scales are left alone.
    epochs
        If there is time.
    batch_rows
        Rows of a step.
    patience
        Epochs without a better loss, after which training ends.
    averaging
        How much of the average of the weights a step keeps, at last.
    beta2
        Memory of the squared gradients.
    """

    learning_rate: float = 1e-2
    weight_decay: float = 2e-2
    epochs: int = 60
    batch_rows: int = 256
    patience: int = 16
    averaging: float = 0.98
    beta2: float = 0.95

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epochs", "batch_rows", "patience"):
            if not getattr(self, name) > 0:
                raise SettingError(
                    f"a training has {name}={getattr(self, name)!r}. Give a number above 0."
                )
        for name in ("averaging", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(
                    f"a training has {name}={getattr(self, name)!r}. "
                    "Give a share from 0 to below 1."
                )
        if not self.weight_decay >= 0:
            raise SettingError(
                f"a training has weight_decay={self.weight_decay!r}. Give 0 or more."
            )

    def rate(self, progress: float) -> float:
        """The learning rate after a share of the training: quickly up, and down like a cosine.

        Examples
        --------
        >>> recipe = Recipe(learning_rate=0.01)
        >>> [round(recipe.rate(progress), 4) for progress in (0.0, 0.02, 0.5, 1.0)]
        [0.0003, 0.0052, 0.005, 0.0]
        """
        warm_up = min(1.0, (progress + 1e-3) / _WARM_UP)
        return self.learning_rate * warm_up * 0.5 * (1.0 + math.cos(math.pi * progress))

    def kept(self, n_steps: int) -> float:
        """How much of the average of the weights is kept in a step, after so many of them.

        Little at first, so that the average does not remember where the weights began.
        """
        return min(self.averaging, (1.0 + n_steps) / (10.0 + n_steps))
