"""A tabular network with embeddings, eight members at once, each judged by rows it leaves out.

The building blocks of RealMLP (Holzmüller, Grinsztajn & Steinwart, 2024, Better by Default) in
an ensemble that is trained in one go, as in TabM (Gorishniy, Kotelnikov & Babenko, 2024); see
`octavo.networks`. TabM's members share their layers and learn from the same rows. Here they share
nothing, which costs the same on a processor: all rows are learned from, all rows judge, and no
second training is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.networks import (
    Architecture,
    FittedNetwork,
    Layout,
    Recipe,
    fit_network,
    network_space,
)
from octavo.networks.folds import MOST_JUDGING
from octavo.numerics.threads import limited
from octavo.spaces import Hyperparameter
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["NETWORK"]

_ROWS_LEARNED = 400_000  # epochs times rows, about
_FEWEST_EPOCHS = 10
_MOST_EPOCHS = 80
_MOST_IN_BATCH = 256
_FEW_ROWS = _ROWS_LEARNED // _MOST_EPOCHS
_EXPECTED_SHARE = 0.65  # of all epochs, patience included


class NetworkModel:
    """A trained network."""

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
        """Train until the loss on the rows left out has stopped falling."""
        in_time(deadline, "the tabular network")
        self.network_: FittedNetwork = fit_network(
            X,
            y,
            architecture=architecture_of(self.config),
            recipe=recipe_of(self.config, len(X)),
            n_classes=self.shape.n_classes if self.shape.is_classification else None,
            sample_weight=sample_weight,
            categorical=categorical,
            seed=self.seed,
            n_threads=self.n_threads,
            deadline=deadline,
        )

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        with limited(self.n_threads):
            return self.network_.predict(X)

    @property
    def size(self) -> int:
        """Weights of all members."""
        return self.network_.size


def architecture_of(config: Config) -> Architecture:
    """The network that a configuration asks for."""
    return Architecture(
        width=config["width"],
        depth=config["depth"],
        dropout=config["dropout"],
        frequency=config["frequency"],
    )


def recipe_of(config: Config, n_rows: int) -> Recipe:
    """Its training: more rows, fewer epochs and larger steps."""
    return Recipe(
        learning_rate=config["learning_rate"],
        weight_decay=config["weight_decay"],
        epochs=round(_epochs(n_rows)),
        batch_rows=_MOST_IN_BATCH if n_rows > _FEW_ROWS else _MOST_IN_BATCH // 2,
    )


def _epochs(n_rows: int) -> float:
    return float(np.clip(_ROWS_LEARNED / n_rows, _FEWEST_EPOCHS, _MOST_EPOCHS))


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    return network_space()


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """A good guess; one for targets that jump, and one for smooth ones."""
    return [{}, {"frequency": 1.0}, {"frequency": 0.1, "learning_rate": 4e-3}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """Steps (1e3); waves (1e9); multiplications (1e9)."""
    size, recipe = architecture_of(config), recipe_of(config, shape.n_rows)
    layout = Layout(shape.n_features, shape.n_onehot)
    epochs = _epochs(shape.n_rows) * _EXPECTED_SHARE
    steps = epochs * max(1.0, shape.n_rows / min(recipe.batch_rows, max(16, shape.n_rows // 8)))
    cells = epochs * shape.n_rows * size.members
    weights = size.n_weights(layout, shape.n_classes)
    waves = layout.n_numbers * size.waves_for(layout) + size.n_inputs(layout)
    moments = steps * weights * size.members
    return (
        steps * (4 + size.depth) * 1e-3,
        cells * (waves + 4 * config["width"] * size.depth) * 1e-9,
        (6 * cells * weights + moments) * 1e-9,
    )


def memory_mb(config: Config, shape: Shape) -> float:
    """Copies of the rows, and what a step remembers of one member in each thread."""
    size, recipe = architecture_of(config), recipe_of(config, shape.n_rows)
    layout = Layout(shape.n_features, shape.n_onehot)
    rows = shape.n_rows * (shape.width("distance") + size.members) * 16
    waves = layout.n_numbers * (3 * size.waves_for(layout) + 2)
    kept = waves + 3 * size.n_inputs(layout) + 6 * config["width"] * size.depth
    step = 2 * max(recipe.batch_rows, MOST_JUDGING) * kept * 4
    weights = size.members * size.n_weights(layout, shape.n_classes) * 4 * 7
    return float(10 + (rows + step + weights) / 2**20)


def describe(config: Config) -> str:
    """Layers, frequency and learning rate."""
    layers = " x ".join([str(config["width"])] * config["depth"])
    return (
        f"{layers} units, frequency {config['frequency']:.2g}, "
        f"learning rate {config['learning_rate']:.1e}"
    )


NETWORK = Family(
    name="network",
    title="Tabular network",
    preprocessing="native",
    space=space,
    defaults=defaults,
    build=NetworkModel,
    terms=terms,
    prices=(0.4, 1.0, 0.04),
    parallel=0.6,
    memory_mb=memory_mb,
    describe=describe,
    max_rows=100_000,
    max_features=2_000,
    max_classes=100,
)
