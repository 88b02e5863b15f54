"""Cholesky factors of a Gaussian process's covariance, also of one that grows.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from octavo.surrogates.kernel import Features, covariance
from octavo.surrogates.parameters import Parameters

__all__ = ["CONSTANT", "JITTER", "Cholesky", "Growing", "bordered", "factored", "total_covariance"]

Floats = NDArray[np.float64]

CONSTANT = 1.0
"""Prior variance of the unknown mean; costs come standardized."""

JITTER = 1e-8
"""Of the diagonal, for equal rows at hardly any noise."""

_BLOCK = 64  # rows that a growing factor finishes at a time


@dataclass(frozen=True, slots=True)
class Cholesky:
    """A factored covariance.

    Parameters
    ----------
    lower : shape (n, n)
        In Fortran's order.
    noise
        What was added to the diagonal.
    """

    lower: Floats
    noise: float


class Growing:
    """The factor of a growing number of rows, at a cost that is square in them.

    Rows are finished in blocks of a fixed size, so that the numbers do not depend, to the last
    bit, on how the rows came.
    """

    def __init__(self) -> None:
        self._of: tuple[Features, Parameters] | None = None
        self._done: Cholesky | None = None

    def factor(self, features: Features, parameters: Parameters) -> Cholesky | None:
        """The factor of all rows; None where only more noise would make it one."""
        if self._of is None or not (
            self._of[1].equals(parameters) and features[: len(self._of[0])].equals(self._of[0])
        ):
            self._of, self._done = None, None
        n_done = 0 if self._of is None else len(self._of[0])
        while len(features) - n_done >= _BLOCK:
            block = features[n_done : n_done + _BLOCK]
            self._done = bordered(self._done, features[:n_done], block, parameters)
            if self._done is None:
                self._of = None
                return None
            n_done += _BLOCK
        self._of = (features[:n_done], parameters)
        if n_done == len(features):
            return self._done
        return bordered(self._done, features[:n_done], features[n_done:], parameters)


def total_covariance(a: Features, b: Features, parameters: Parameters) -> Floats:
    """Covariance of the costs at rows of a and of b, shape (n, m), without noise."""
    kernel = covariance(a, b, parameters.scales)
    kernel *= parameters.scale
    kernel += CONSTANT
    return kernel


def factored(features: Features, parameters: Parameters) -> Cholesky:
    """The factor of all rows at once, with as much noise as it takes."""
    exact = total_covariance(features, features, parameters)
    diagonal = np.diag_indices(len(exact))
    noise = parameters.noise + JITTER
    for _ in range(12):
        noisy = exact.copy(order="F")
        noisy[diagonal] += noise
        lower, failed = lapack.dpotrf(noisy, lower=1, overwrite_a=1)
        if not failed:
            break
        noise = 10.0 * noise  # many equal rows and hardly any noise
    return Cholesky(lower, noise)


def bordered(
    factor: Cholesky | None, known: Features, more: Features, parameters: Parameters
) -> Cholesky | None:
    """The factor with more rows; None if that takes more noise than the factor has."""
    n, m = len(known), len(more)
    noise = parameters.noise + JITTER if factor is None else factor.noise
    corner = total_covariance(more, more, parameters)
    corner[np.diag_indices(m)] += noise
    result = np.zeros((n + m, n + m), order="F")
    if factor is not None:
        half, _ = lapack.dtrtrs(factor.lower, total_covariance(known, more, parameters), lower=1)
        corner -= half.T @ half
        result[:n, :n] = factor.lower
        result[n:, :n] = half.T
    below, failed = lapack.dpotrf(np.asfortranarray(corner), lower=1, overwrite_a=1)
    result[n:, n:] = below
    return None if failed else Cholesky(result, noise)
