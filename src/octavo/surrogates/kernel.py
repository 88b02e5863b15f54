"""A kernel over mixed, conditional configurations, as matrix products.

Two configurations are alike as far as their ordered hyperparameters are near (Matern 5/2, one
length scale for each) and their categories agree (one weight for each):

    k(x, x') = m(r) exp(-h),   r^2 = sum_j (z_j - z'_j)^2 / l_j^2,   h = sum_q w_q [c_q != c'_q]

What is inactive is modelled, not imputed: an ordered hyperparameter that may be inactive sits
on a line of its own beside a point for "inactive", at a learned distance, so that all
configurations without it are equally near in it and its value means nothing between one
that has it and one that has not, beyond their distance from the middle. Categories have
"inactive" as one more category. Each piece is a distance in some Euclidean space, so the kernel
is positive definite (Hutter & Osborne 2013, A Kernel for Hierarchical Parameter Spaces).

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.protocol import Column

__all__ = ["Features", "Layout", "Scales", "factors"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SQRT5 = np.sqrt(5.0)


@dataclass(frozen=True)
class Scales:
    """How far apart things are.

    Parameters
    ----------
    length : shape (p,)
        Length scale of each number, in its unit interval.
    weight : shape (q,)
        What a difference in each category takes off the logarithm of the kernel.
    """

    length: Floats
    weight: Floats


class Features:
    """Configurations as the kernel sees them.

    Parameters
    ----------
    numbers : shape (n, p)
        Places of ordered hyperparameters, centred, and 0 or 1 for groups that are active.
    categories : shape (n, q)
        Codes from 0; the last of each is "inactive".
    """

    __slots__ = ("categories", "numbers")

    def __init__(self, numbers: Floats, categories: Ints) -> None:
        self.numbers = numbers
        self.categories = categories

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Features:
        return Features(self.numbers[rows], self.categories[rows])

    @staticmethod
    def join(first: Features, second: Features) -> Features:
        """The rows of both."""
        return Features(
            np.concatenate([first.numbers, second.numbers]),
            np.concatenate([first.categories, second.categories]),
        )


class Layout:
    """Which columns of an encoded matrix become which features.

    Parameters
    ----------
    columns
        Of the matrix.
    seen : shape (n, d)
        Encoded configurations that tell which columns may be inactive, and together with
        which others.

    Attributes
    ----------
    number_names, category_names
        One for each feature; an activity is named after its first column.
    n_codes : shape (q,)
        Codes of each category, "inactive" included.
    ordered, unordered
        Columns of the matrix behind the numbers (without the activities) and the categories.
    """

    def __init__(self, columns: tuple[Column, ...], seen: Floats) -> None:
        is_ordered = np.array([column.is_ordered for column in columns], dtype=bool)
        self.ordered: Ints = np.flatnonzero(is_ordered).astype(np.int64)
        self.unordered: Ints = np.flatnonzero(~is_ordered).astype(np.int64)
        inactive = np.isnan(seen)
        sometimes = self.ordered[inactive[:, self.ordered].any(axis=0)]
        first: dict[bytes, int] = {}
        for column in sometimes.tolist():
            first.setdefault(inactive[:, column].tobytes(), column)
        self._groups: Ints = np.array(sorted(first.values()), dtype=np.int64)
        self._n_values = np.array(
            [columns[column].n_values or 1 for column in self.unordered.tolist()], dtype=np.int64
        )
        self.n_codes = self._n_values + 1
        self.number_names = [columns[column].name for column in self.ordered.tolist()] + [
            f"{columns[column].name} is active" for column in self._groups.tolist()
        ]
        self.category_names = [columns[column].name for column in self.unordered.tolist()]

    def features(self, values: Floats) -> Features:
        """Rows of the encoded matrix as features."""
        places = values[:, self.ordered] - 0.5
        places[np.isnan(places)] = 0.0
        active = (~np.isnan(values[:, self._groups])).astype(np.float64)
        raw = values[:, self.unordered] * self._n_values
        missing = np.isnan(raw)
        raw[missing] = 0.0
        codes = np.minimum(raw.astype(np.int64), self._n_values - 1)
        codes = np.where(missing, self._n_values, codes)
        return Features(np.concatenate([places, active], axis=1), codes)

    def one_hot(self, categories: Ints) -> Floats:
        """Shape (n, sum of codes): which category each row has."""
        n = len(categories)
        result = np.zeros((n, int(self.n_codes.sum())))
        offsets = np.concatenate([[0], np.cumsum(self.n_codes)[:-1]]).astype(np.int64)
        if len(offsets):
            result[np.arange(n)[:, None], categories + offsets] = 1.0
        return result


def factors(a: Features, b: Features, scales: Scales) -> tuple[Floats, Floats]:
    """Parts of the kernel between rows of a and rows of b.

    Returns
    -------
    kernel : shape (n, m)
    slope : shape (n, m)
        Minus the derivative of the kernel with respect to the squared distance.
    """
    left, right = a.numbers / scales.length, b.numbers / scales.length
    squared = left @ right.T
    squared *= -2.0
    squared += np.einsum("ij,ij->i", left, left)[:, None]
    squared += np.einsum("ij,ij->i", right, right)[None, :]
    np.maximum(squared, 0.0, out=squared)
    r = np.sqrt(squared)
    r *= _SQRT5
    exponent = -r
    for q, weight in enumerate(scales.weight.tolist()):
        exponent -= weight * (a.categories[:, q][:, None] != b.categories[:, q][None, :])
    decay = np.exp(exponent)
    slope = 1.0 + r
    kernel = (slope + r * r / 3.0) * decay
    slope *= decay
    slope *= 5.0 / 6.0
    return kernel, slope
