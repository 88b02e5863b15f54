"""A Parzen estimator over mixed, conditional configurations: a density around known ones.

The mixture of one kernel for each known configuration and one broad prior. A kernel is a
product over hyperparameters: a Gaussian, truncated to the unit interval, for ordered ones; most
weight on its own value for categories. Because each kernel is joint, hyperparameters that go well
together stay together, and a conditional one is judged only by kernels that have it; to
the others any value of it is as good as any (density 1 on the unit interval).

Bergstra, Bardenet, Bengio & Kegl (2011), Algorithms for Hyper-Parameter Optimization, NeurIPS.
Falkner, Klein & Hutter (2018), BOHB, ICML (the multivariate kernel). Watanabe (2023),
Tree-Structured Parzen Estimator, arXiv:2304.11127 (bandwidths).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from octavo.numerics.kernels import log_kernels
from octavo.spaces.protocol import Column

__all__ = ["Parzen"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WIDTH = 0.2  # Watanabe (2023): of the unit interval, times n^(-1 / (d + 4))
_MOST_KERNELS_PER_WIDTH = 100  # no bandwidth is below one over this


class Parzen:
    """Mixture of kernels around configurations.

    Parameters
    ----------
    values : shape (n, d)
        Encoded configurations, NaN where inactive; n may be 0.
    columns
        Their meaning.
    weights : shape (n,)
        Of the configurations, against 1 for the prior; equal to it by default.
    """

    def __init__(
        self, values: Floats, columns: Sequence[Column], weights: Floats | None = None
    ) -> None:
        n, d = values.shape
        self._values, self._columns = values, tuple(columns)
        shares = np.append(np.ones(n) if weights is None else weights, 1.0)
        self._log_shares = np.log(shares / shares.sum())
        width = max(
            _WIDTH * max(n, 1) ** (-1.0 / (d + 4)), 1.0 / min(_MOST_KERNELS_PER_WIDTH, n + 2)
        )
        # Half a cell reaches the neighbouring values of a discrete hyperparameter.
        self._widths = np.array(
            [max(width, 0.5 / column.n_values) if column.n_values else width for column in columns]
        )
        choices = [0 if column.is_ordered else column.n_values or 1 for column in columns]
        self._n_choices = np.array(choices, dtype=np.int64)
        self._spill = 1.0 / (n + 1)  # weight that a category gives to each value

    def log_density(self, values: Floats) -> Floats:
        """Logarithm of the density at each row, relative to uniform, shape (m,)."""
        # Relative to uniform, so that the prior's kernel is zero everywhere.
        kernels = log_kernels(
            values,
            self._values,
            self._n_choices,
            self._widths,
            np.full(len(self._widths), self._spill),
        )
        total = np.column_stack([kernels, np.zeros(len(values))]) + self._log_shares
        top = total.max(axis=1)
        return np.asarray(top + np.log(np.exp(total - top[:, None]).sum(axis=1)))

    def draw(self, m: int, rng: np.random.Generator) -> Floats:
        """Rows without regard to conditions: every column has a value, shape (m, d).

        Columns that the drawn kernel lacks are drawn from a kernel that has them.
        """
        n, d = len(self._values), len(self._columns)
        which = rng.choice(n + 1, size=m, p=np.exp(self._log_shares))
        noise = rng.random((m, d))
        result = noise.copy()  # the prior is uniform
        for j, column in enumerate(self._columns):
            having = np.flatnonzero(~np.isnan(self._values[:, j]))
            if not len(having):
                continue
            kernel = which.copy()
            lacks = (which < n) & np.isnan(np.append(self._values[:, j], 0.0)[which])
            kernel[lacks] = rng.choice(having, size=int(lacks.sum()))
            rows = np.flatnonzero(kernel < n)
            centre = self._values[kernel[rows], j]
            if column.is_ordered:
                width = self._widths[j]
                low, high = ndtr(-centre / width), ndtr((1.0 - centre) / width)
                moved = centre + width * ndtri(low + noise[rows, j] * (high - low))
                result[rows, j] = np.clip(moved, 0.0, 1.0 - 1e-12)
            else:
                k = column.n_values or 1
                stays = noise[rows, j] < 1.0 / (1.0 + k * self._spill)
                uniform = (rng.integers(k, size=len(rows)) + 0.5) / k
                result[rows, j] = np.where(stays, centre, uniform)
        return result
