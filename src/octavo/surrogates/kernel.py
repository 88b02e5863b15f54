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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.protocol import Column
from octavo.surrogates.warping import bent

__all__ = ["Across", "Features", "Layout", "Scales", "covariance", "factors"]

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
    warps : shape (2, k)
        How the first k numbers are bent, see `warping.py`; by default none is.
    """

    length: Floats
    weight: Floats
    warps: Floats = field(default_factory=lambda: np.empty((2, 0)))

    def placed(self, numbers: Floats) -> Floats:
        """The numbers between which distances are measured, shape (n, p)."""
        return bent(numbers, self.warps) if self.warps.size else numbers


class Features:
    """Configurations as the kernel sees them.

    Parameters
    ----------
    numbers : shape (n, p)
        Places of ordered hyperparameters, centred, and 0 or 1 for groups that are active.
    one_hot : shape (n, sum of codes)
        Which category each row has, one block of columns after the other; the last category
        of each is "inactive".
    n_codes : shape (q,)
        Width of each block.
    """

    __slots__ = ("n_codes", "numbers", "one_hot")

    def __init__(self, numbers: Floats, one_hot: Floats, n_codes: Ints) -> None:
        self.numbers = numbers
        self.one_hot = one_hot
        self.n_codes = n_codes

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Features:
        return Features(self.numbers[rows], self.one_hot[rows], self.n_codes)

    def equals(self, other: Features) -> bool:
        """Whether the rows are the same."""
        return np.array_equal(self.numbers, other.numbers) and np.array_equal(
            self.one_hot, other.one_hot
        )

    @staticmethod
    def join(first: Features, second: Features) -> Features:
        """The rows of both."""
        return Features(
            np.concatenate([first.numbers, second.numbers]),
            np.concatenate([first.one_hot, second.one_hot]),
            first.n_codes,
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
    is_warped
        Whether ordered columns are bent, see `warping.py`.

    Attributes
    ----------
    number_names, category_names
        One for each feature; an activity is named after its first column.
    warped_names
        Those of the first numbers that are bent.
    n_codes : shape (q,)
        Codes of each category, "inactive" included.
    ordered, unordered
        Columns of the matrix behind the numbers (without the activities) and the categories.
    """

    def __init__(
        self, columns: tuple[Column, ...], seen: Floats, *, is_warped: bool = False
    ) -> None:
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
        self._starts: Ints = np.cumsum(self.n_codes) - self.n_codes
        self.number_names = [columns[column].name for column in self.ordered.tolist()] + [
            f"{columns[column].name} is active" for column in self._groups.tolist()
        ]
        self.category_names = [columns[column].name for column in self.unordered.tolist()]
        self.warped_names = self.number_names[: len(self.ordered)] if is_warped else []

    def features(self, values: Floats) -> Features:
        """Rows of the encoded matrix as features."""
        places = self.placed(values[:, self.ordered])
        places[np.isnan(places)] = 0.0
        active = (~np.isnan(values[:, self._groups])).astype(np.float64)
        raw = values[:, self.unordered] * self._n_values
        missing = np.isnan(raw)
        raw[missing] = 0.0
        codes = np.minimum(raw.astype(np.int64), self._n_values - 1)
        codes = np.where(missing, self._n_values, codes)
        one_hot = np.zeros((len(values), int(self.n_codes.sum())))
        one_hot[np.arange(len(values))[:, None], codes + self._starts] = 1.0
        return Features(np.concatenate([places, active], axis=1), one_hot, self.n_codes)

    @staticmethod
    def placed(values: Floats) -> Floats:
        """Active ordered values of the matrix as numbers of the features."""
        return values - 0.5


def covariance(a: Features, b: Features, scales: Scales) -> Floats:
    """The kernel between rows of a and rows of b, shape (n, m)."""
    return Across(a, b, scales).covariance(a.numbers)


def factors(a: Features, b: Features, scales: Scales) -> tuple[Floats, Floats]:
    """The kernel between rows of a and rows of b, and what its gradient needs; see `Across`."""
    return Across(a, b, scales).factors(a.numbers)


class Across:
    """The kernel between rows whose numbers move, while their categories stay, and others.

    Parameters
    ----------
    a : n rows
        What moves; of its numbers nothing is kept.
    b : m rows
        What stays where it is.
    scales
        How far apart things are.
    """

    def __init__(self, a: Features, b: Features, scales: Scales) -> None:
        self._scales = scales
        self._right = scales.placed(b.numbers) / scales.length
        self._right_squares = np.einsum("ij,ij->i", self._right, self._right)[None, :]
        self._alike: Floats | None = None
        if len(scales.weight):
            # The weights of the categories that agree, less the weights of all.
            self._alike = (a.one_hot * np.repeat(scales.weight, a.n_codes)) @ b.one_hot.T
            self._alike -= scales.weight.sum()
            np.minimum(self._alike, 0.0, out=self._alike)

    def covariance(self, numbers: Floats) -> Floats:
        """The kernel, shape (n, m), where the numbers of a, shape (n, p), are now."""
        r, decay = self._distance_and_decay(numbers)
        decay *= (1.0 + r) + r * r / 3.0
        return decay

    def factors(self, numbers: Floats) -> tuple[Floats, Floats]:
        """The kernel, and what its gradient needs.

        Returns
        -------
        kernel : shape (n, m)
        slope : shape (n, m)
            Minus the derivative of the kernel with respect to the squared distance.
        """
        r, decay = self._distance_and_decay(numbers)
        slope = 1.0 + r
        kernel = (slope + r * r / 3.0) * decay
        slope *= decay
        slope *= 5.0 / 6.0
        return kernel, slope

    def _distance_and_decay(self, numbers: Floats) -> tuple[Floats, Floats]:
        """Root of five times the distance, and the exponential part of the kernel."""
        left = self._scales.placed(numbers) / self._scales.length
        r = left @ self._right.T
        r *= -2.0
        r += np.einsum("ij,ij->i", left, left)[:, None]
        r += self._right_squares
        np.maximum(r, 0.0, out=r)
        np.sqrt(r, out=r)
        r *= _SQRT5
        decay = np.negative(r) if self._alike is None else self._alike - r
        np.exp(decay, out=decay)
        return r, decay
