"""How a tabular network is built: its size, and what it reads. No PyTorch is needed for that."""

from __future__ import annotations

from dataclasses import dataclass

from octavo.errors import SettingError
from octavo.spaces import Float, Hyperparameter, Integer

__all__ = ["Architecture", "Layout", "network_space"]

_CELLS_OF_WAVES = 640
"""Waves of all numbers together: they cost as much as the layers do from here on."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a network reads of each row.

    Parameters
    ----------
    n_numbers
        Numbers, which are embedded.
    n_flags
        Numbers of two values, and categories as columns of 0 and 1.
    n_levels
        For each embedded category the number of its levels; one more stands for none of them.
    """

    n_numbers: int
    n_flags: int
    n_levels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network's size, and where its weights begin.

    Parameters
    ----------
    width, depth
        Units of a hidden layer, and hidden layers.
    dropout
        Share of hidden units that are silent in a step of training.
    frequency
        Spread of the first frequencies of the periodic embeddings, in waves per unit of a
        scaled number; high ones fit what jumps, low ones what is smooth.
    members
        Networks that are trained side by side, and averaged.
    waves, wave_outputs
        Cosines for each number, and numbers that are made of them.
    category_dims
        Numbers that stand for an embedded category.
    """

    width: int = 128
    depth: int = 2
    dropout: float = 0.1
    frequency: float = 0.3
    members: int = 8
    waves: int = 16
    wave_outputs: int = 3
    category_dims: int = 8

    def __post_init__(self) -> None:
        for name in ("width", "depth", "members", "waves", "wave_outputs", "category_dims"):
            if getattr(self, name) < (0 if name in ("depth", "waves") else 1):
                raise SettingError(
                    f"a network has {name}={getattr(self, name)!r}. "
                    f"Give at least {0 if name in ('depth', 'waves') else 1}."
                )
        if not 0 <= self.dropout < 1:
            raise SettingError(
                f"a network has dropout={self.dropout!r}, a share of units. "
                "Give a number from 0 to below 1, such as 0.1."
            )
        if not self.frequency > 0:
            raise SettingError(
                f"a network has frequency={self.frequency!r}. Give a number above 0, such as 0.3."
            )

    def waves_for(self, layout: Layout) -> int:
        """Cosines for each number of a layout: fewer where there are many numbers."""
        if not layout.n_numbers:
            return 0
        waves = min(self.waves, _CELLS_OF_WAVES // layout.n_numbers)
        return waves if waves >= 4 else 0

    def n_inputs(self, layout: Layout) -> int:
        """Inputs of the first layer."""
        embedded = 1 + (self.wave_outputs if self.waves_for(layout) else 0)
        categories = self.category_dims * len(layout.n_levels)
        return layout.n_numbers * embedded + layout.n_flags + categories

    def n_weights(self, layout: Layout, n_outputs: int) -> int:
        """Weights of one member's linear layers, which are nearly all that it has.

        Examples
        --------
        >>> Architecture(width=4, depth=2, waves=0).n_weights(Layout(3, 1), n_outputs=2)
        40
        """
        first = self.n_inputs(layout) * (self.width if self.depth else n_outputs)
        if not self.depth:
            return first
        return first + (self.depth - 1) * self.width**2 + self.width * n_outputs


def network_space() -> dict[str, Hyperparameter]:
    """What is searched about a network for tables, and about its training."""
    return {
        "width": Integer(32, 256, log=True, default=128),
        "depth": Integer(1, 4, default=2),
        "dropout": Float(0.0, 0.4, default=0.1),
        "frequency": Float(0.03, 2.0, log=True, default=0.3),
        "learning_rate": Float(1e-3, 5e-2, log=True, default=1e-2),
        "weight_decay": Float(1e-4, 0.5, log=True, default=2e-2),
    }
