"""What is left when nothing can be learned: the frequencies of the classes, or the mean.

It is no member of the catalog. The pipeline falls back on it for a fold of one class, a
constant target, or a table without a varying column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.models.contributions import Contributions
from octavo.tabular.models.family import Floats, Matrix, Shape

__all__ = ["ConstantModel"]


class ConstantModel:
    """The same prediction for every row."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Average the targets. Takes no time, so that no deadline matters."""
        if self.shape.is_classification:
            counts = np.bincount(y, sample_weight, minlength=self.shape.n_classes)
            self.value_ = counts / counts.sum()
        else:
            self.value_ = np.asarray(np.average(y, weights=sample_weight))

    def predict(self, X: Matrix) -> NDArray[Any]:
        """The average, for each row."""
        return np.tile(self.value_, (len(X), *[1] * self.value_.ndim))[: len(X)].reshape(
            len(X), *self.value_.shape
        )

    def contributions(self, X: Matrix) -> Contributions:
        """Nothing of any column."""
        base = np.atleast_1d(self.value_)
        return Contributions(base, np.zeros((len(X), X.shape[1], len(base))), "identity")

    @property
    def size(self) -> int:
        """Numbers kept."""
        return int(self.value_.size)
