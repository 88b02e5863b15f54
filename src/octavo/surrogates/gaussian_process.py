"""A Gaussian process: cost and its uncertainty at any configuration, with gradients.

The kernel is that of `kernel.py`; `fitting.py` finds its parameters. A constant of unknown height
is part of the prior, so costs need not average zero.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, chapter 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from octavo.surrogates.cholesky import CONSTANT, Cholesky, bordered, factored, total_covariance
from octavo.surrogates.kernel import Across, Features, covariance
from octavo.surrogates.parameters import Parameters
from octavo.surrogates.warping import bent_with_slopes

__all__ = ["GaussianProcess", "Moving"]

Floats = NDArray[np.float64]


class GaussianProcess:
    """The posterior for fixed parameters.

    Parameters
    ----------
    features, y
        What is known, with standardized costs.
    parameters
        Of the kernel and the noise.
    factor
        What `Growing` found for the same rows and parameters; computed here by default.
    """

    def __init__(
        self,
        features: Features,
        y: Floats,
        parameters: Parameters,
        factor: Cholesky | None = None,
    ) -> None:
        self._features, self._y, self._parameters = features, y, parameters
        self._factor = factor or factored(features, parameters)
        self._alpha, _ = lapack.dpotrs(self._factor.lower, y, lower=1)

    def extended(self, features: Features, y: Floats) -> GaussianProcess:
        """The posterior with more rows, from this one's factor."""
        factor = bordered(self._factor, self._features, features, self._parameters)
        joined = Features.join(self._features, features)
        return GaussianProcess(joined, np.append(self._y, y), self._parameters, factor)

    def near(self, features: Features, most: int) -> GaussianProcess:
        """The posterior from the `most` rows only that are most alike to some of `features`."""
        if len(self._y) <= most:
            return self
        kernel = covariance(features, self._features, self._parameters.scales)
        rows = np.sort(np.argsort(-kernel.max(axis=0), kind="stable")[:most])
        return GaussianProcess(self._features[rows], self._y[rows], self._parameters)

    @property
    def lengths(self) -> Floats:
        """Length scales of the numbers, shape (p,)."""
        return self._parameters.scales.length

    @property
    def fitted(self) -> Floats:
        """Posterior means at the known configurations, shape (n,)."""
        return self._y - self._factor.noise * self._alpha

    def predict(self, features: Features) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of the cost without noise, each shape (m,)."""
        cross = total_covariance(features, self._features, self._parameters)
        half, _ = lapack.dtrtrs(self._factor.lower, cross.T, lower=1)
        variance = self._parameters.scale + CONSTANT - np.einsum("ij,ij->j", half, half)
        return cross @ self._alpha, np.sqrt(np.maximum(variance, 1e-16))

    def moving(self, features: Features) -> Moving:
        """The posterior at rows whose numbers will move while their categories stay."""
        return Moving(self._parameters, self._features, self._factor, self._alpha, features)


class Moving:
    """A posterior at rows whose numbers move; made by `GaussianProcess.moving`.

    What does not move with them is computed once: a climb asks some twenty times.
    """

    def __init__(
        self,
        parameters: Parameters,
        known: Features,
        factor: Cholesky,
        alpha: Floats,
        rows: Features,
    ) -> None:
        self._scale, self._scales = parameters.scale, parameters.scales
        self._known = parameters.scales.placed(known.numbers)
        self._lower, self._alpha = factor.lower, alpha
        self._across = Across(rows, known, parameters.scales)

    def predict(self, numbers: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Mean and deviation, shape (m,), and their derivatives by the numbers, (m, p)."""
        kernel, slope = self._across.factors(numbers)
        cross = self._scale * kernel + CONSTANT
        solved, _ = lapack.dpotrs(self._lower, cross.T, lower=1)
        solved = solved.T
        rest = self._scale + CONSTANT - np.einsum("ij,ij->i", cross, solved)
        deviation = np.sqrt(np.maximum(rest, 1e-16))
        slope *= self._scale
        by_mean = self._pulled(numbers, slope * self._alpha)
        by_variance = -2.0 * self._pulled(numbers, slope * solved)
        return cross @ self._alpha, deviation, by_mean, by_variance / (2.0 * deviation[:, None])

    def _pulled(self, numbers: Floats, pull: Floats) -> Floats:
        """Sum over the known of pull * d kernel / d numbers, less the factor in `pull`."""
        scales = self._scales
        k = scales.warps.shape[1]
        places, slopes = numbers, None
        if k:
            places, slopes, _, _ = bent_with_slopes(numbers, scales.warps)
        away = places * pull.sum(axis=1)[:, None] - pull @ self._known
        if slopes is not None:
            away[:, :k] *= slopes
        return -2.0 * away / scales.length**2
