"""k nearest neighbours: the average of the rows that are most alike.

Cover & Hart (1967), Nearest Neighbor Pattern Classification. Neighbours vote with their
rows' weights, and the frequencies of the classes count as one more neighbour, so that no
probability is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Hyperparameter, Integer
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time

__all__ = ["NEAREST_NEIGHBORS"]

_CHUNK = 2000  # rows predicted at once, which bounds the memory
_MANHATTAN_LIMIT = 5000  # rows; without matrix products it is some twenty times slower


class NeighborsModel:
    """Stored rows, and how to average those that are near."""

    def __init__(self, config: Config, shape: Shape, *, seed: int, n_threads: int) -> None:
        self.config = dict(config)
        self.shape = shape
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
        """Store the rows in a form that is quick to ask."""
        from sklearn.neighbors import NearestNeighbors

        in_time(deadline, "the index of nearest neighbours")
        self.k_ = min(self.config["n_neighbors"], len(y))
        self.index_ = NearestNeighbors(
            n_neighbors=self.k_,
            metric=self.config["distance"],
            # Trees help in few dimensions only.
            algorithm="kd_tree" if X.shape[1] <= 8 else "brute",
            n_jobs=self.n_threads,
        ).fit(X)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.weight_ = weight
        self.prior_: Floats | None = None
        if self.shape.is_classification:
            self.targets_ = np.eye(self.shape.n_classes, dtype=np.float32)[y]
            self.prior_ = np.average(self.targets_, axis=0, weights=weight)
        else:
            self.targets_ = np.asarray(y, dtype=np.float32)[:, None]

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        parts = [self._average(X[i : i + _CHUNK]) for i in range(0, len(X), _CHUNK)]
        found = np.concatenate(parts) if parts else self._average_of_none()
        return found if self.shape.is_classification else found[:, 0]

    @property
    def size(self) -> int:
        """Values of the stored rows."""
        return int(self.index_.n_samples_fit_ * self.index_.n_features_in_)

    def _average(self, X: Matrix) -> Floats:
        distances, near = self.index_.kneighbors(X)
        weight = self.weight_[near]
        if self.config["weights"] == "distance":
            # Relative to the farthest of them: an exact copy weighs much, not infinitely.
            far = np.maximum(distances[:, -1:], 1e-12)
            weight = weight / (0.05 + distances / far)
        total = weight.sum(axis=1, keepdims=True)
        mean = np.einsum("nk,nkj->nj", weight, self.targets_[near]) / total
        if self.prior_ is not None:
            mean = (self.k_ * mean + self.prior_) / (self.k_ + 1)
        return np.asarray(mean)

    def _average_of_none(self) -> Floats:
        return np.empty((0, self.targets_.shape[1]))


def space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    most = max(2, min(100, shape.n_rows // 4))
    metrics = ["euclidean"] + (["manhattan"] if shape.n_rows <= _MANHATTAN_LIMIT else [])
    return {
        "n_neighbors": Integer(1, most, log=True, default=min(10, most)),
        "weights": Categorical(["distance", "uniform"]),
        "distance": Categorical(metrics),
    }


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """Ten near rows, the nearer the heavier."""
    return [{}]


def terms(config: Config, shape: Shape) -> tuple[float, ...]:
    """A start; distances of the rows of another fold (1e9). The time is in predicting."""
    d = shape.width("distance")
    slower = 10.0 if config["distance"] == "manhattan" else 1.0
    asked = shape.n_rows / 4
    return 1.0, asked * shape.n_rows * (30 + d * slower) * 1e-9


def memory_mb(config: Config, shape: Shape) -> float:
    """The rows, and the distances of one chunk."""
    rows = shape.n_rows * shape.width("distance") * 8
    return 20 + (rows + min(_CHUNK, shape.n_rows) * shape.n_rows * 12) / 2**20


def describe(config: Config) -> str:
    """How many, and how they are averaged."""
    return f"{config['n_neighbors']} by {config['distance']} distance, {config['weights']} weights"


NEAREST_NEIGHBORS = Family(
    name="nearest_neighbors",
    title="Nearest neighbours",
    preprocessing="distance",
    space=space,
    defaults=defaults,
    build=NeighborsModel,
    terms=terms,
    prices=(0.001, 0.044),
    parallel=0.5,
    memory_mb=memory_mb,
    describe=describe,
    max_rows=60_000,
    max_features=500,
)
