"""A Gaussian process: cost and its uncertainty at any configuration, with gradients.

The kernel is that of `kernel.py`. Its parameters maximize the posterior density: priors on the
length scales widen with the number of dimensions, so that a space of many hyperparameters
begins as a smooth one and every dimension must earn its influence. A constant of unknown
height is part of the prior, so costs need not average zero.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, chapters 2 and 5.
Hvarfner, Hellsten & Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
Dimensions, ICML (the priors of length scales).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from octavo.surrogates.kernel import Features, Layout, Scales, covariance, factors

__all__ = [
    "Cholesky",
    "GaussianProcess",
    "Growing",
    "Parameters",
    "fit_parameters",
    "log_density",
    "prior_mode",
]

Floats = NDArray[np.float64]

_CONSTANT = 1.0  # prior variance of the unknown mean; costs come standardized
_JITTER = 1e-8  # of the diagonal, for equal rows at hardly any noise
_BLOCK = 64  # rows that a growing factor finishes at a time
# Gaussian priors of logarithms: (mean, standard deviation), and bounds. That of the lengths has
# the mode that the log-normal density of Hvarfner (2024) has over the lengths themselves, which
# lies by its variance below the mean of their logarithms.
_LENGTH = (np.sqrt(2.0) - 3.0, np.sqrt(3.0))  # plus half the logarithm of the dimensions
_WEIGHT = (np.log(0.1), np.sqrt(3.0))  # less the logarithm of the dimensions
_SCALE = (0.0, 1.0)
_NOISE = (-6.0, 2.5)
_LENGTH_BOUNDS = (-4.0, 7.0)
_WEIGHT_BOUNDS = (-9.0, 3.0)
_SCALE_BOUNDS = (-4.0, 4.0)
_NOISE_BOUNDS = (-16.0, 1.0)


@dataclass(frozen=True)
class Parameters:
    """What is fitted.

    Parameters
    ----------
    scales
        Of the kernel.
    scale
        Prior variance of the cost about its mean.
    noise
        Variance of what a repeated evaluation would change.
    """

    scales: Scales
    scale: float
    noise: float

    def packed(self) -> Floats:
        """Logarithms of lengths, weights, scale and noise."""
        return np.log(
            np.concatenate([self.scales.length, self.scales.weight, [self.scale, self.noise]])
        )

    def equals(self, other: Parameters) -> bool:
        """Whether all numbers are the same."""
        return np.array_equal(self.packed(), other.packed())

    def to_json(self, layout: Layout) -> dict[str, Any]:
        """By name, so that a layout with more columns can begin from it."""
        return {
            "length": dict(zip(layout.number_names, self.scales.length.tolist(), strict=True)),
            "weight": dict(zip(layout.category_names, self.scales.weight.tolist(), strict=True)),
            "scale": self.scale,
            "noise": self.noise,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any], layout: Layout) -> Parameters:
        """What `to_json` wrote; names that are new begin at the mode of their prior."""
        mode = prior_mode(layout)
        length, weight = data["length"], data["weight"]
        return Parameters(
            Scales(
                np.array(
                    [
                        length.get(name, value)
                        for name, value in zip(
                            layout.number_names, mode.scales.length.tolist(), strict=True
                        )
                    ]
                ),
                np.array(
                    [
                        weight.get(name, value)
                        for name, value in zip(
                            layout.category_names, mode.scales.weight.tolist(), strict=True
                        )
                    ]
                ),
            ),
            float(data["scale"]),
            float(data["noise"]),
        )


def prior_mode(layout: Layout) -> Parameters:
    """The most probable parameters before any cost is known."""
    mean, _ = _prior(layout)
    return _unpacked(mean, layout)


def fit_parameters(
    layout: Layout, features: Features, y: Floats, start: Parameters, *, n_steps: int = 40
) -> Parameters:
    """The parameters of the highest posterior density that an ascent from `start` finds.

    Parameters
    ----------
    layout, features, y
        What is known, with standardized costs.
    start
        Where to begin.
    n_steps
        Most iterations of L-BFGS.
    """
    bounds = _bounds(layout)
    low, high = np.array(bounds).T
    x0 = np.clip(start.packed(), low, high)

    def loss(x: Floats) -> tuple[float, Floats]:
        value, gradient = log_density(x, layout, features, y)
        return -value, -gradient

    found = minimize(
        loss, x0, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": n_steps}
    )
    best = found.x if np.isfinite(found.fun) else x0
    return _unpacked(best, layout)


def log_density(x: Floats, layout: Layout, features: Features, y: Floats) -> tuple[float, Floats]:
    """Log of the posterior density of the parameters, up to a constant, and its gradient.

    Parameters
    ----------
    x
        Logarithms of lengths, weights, scale and noise, in this order.
    layout, features, y
        What is known.
    """
    n, p, q = len(y), features.numbers.shape[1], len(features.n_codes)
    parameters = _unpacked(x, layout)
    kernel, slope = factors(features, features, parameters.scales)
    total_covariance = parameters.scale * kernel
    total_covariance += _CONSTANT
    total_covariance[np.diag_indices(n)] += parameters.noise + _JITTER
    # The transpose, which is equal, is in Fortran's order: nothing is copied.
    factor, failed = lapack.dpotrf(total_covariance.T, lower=1, overwrite_a=1)
    mean, spread = _prior(layout)
    away = (x - mean) / spread
    if failed:
        return -1e25, np.zeros_like(x)
    alpha, _ = lapack.dpotrs(factor, y, lower=1)
    value = (
        -0.5 * float(y @ alpha)
        - float(np.log(np.diagonal(factor)).sum())
        - 0.5 * float(away @ away)
    )
    inverse, _ = lapack.dpotri(factor, lower=1)
    on_diagonal = np.diagonal(inverse).copy()
    inverse = np.tril(inverse, -1)
    inverse += inverse.T
    inverse[np.diag_indices(n)] = on_diagonal
    pull = 0.5 * (np.multiply.outer(alpha, alpha) - inverse)  # d value / d covariance
    gradient = np.empty_like(x)
    # Sums over pairs of pull * dk * (z - z')^2 are quadratic forms, so no matrix per
    # dimension is needed.
    along = pull * slope
    along *= parameters.scale
    scaled = features.numbers / parameters.scales.length
    gradient[:p] = 4.0 * (
        along.sum(axis=1) @ scaled**2 - np.einsum("ij,ij->j", scaled, along @ scaled)
    )
    apart = pull * kernel
    apart *= parameters.scale
    total = float(apart.sum())
    if q:
        alike = np.einsum("ij,ij->j", features.one_hot, apart @ features.one_hot)
        starts = np.cumsum(layout.n_codes) - layout.n_codes
        gradient[p : p + q] = -parameters.scales.weight * (total - np.add.reduceat(alike, starts))
    gradient[p + q] = total
    gradient[p + q + 1] = parameters.noise * float(np.trace(pull))
    return value, gradient - away / spread


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
        self._factor = factor or _factored(features, parameters)
        self._alpha, _ = lapack.dpotrs(self._factor.lower, y, lower=1)

    def extended(self, features: Features, y: Floats) -> GaussianProcess:
        """The posterior with more rows, from this one's factor."""
        factor = _bordered(self._factor, self._features, features, self._parameters)
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
        cross = _covariance(features, self._features, self._parameters)
        half, _ = lapack.dtrtrs(self._factor.lower, cross.T, lower=1)
        variance = self._parameters.scale + _CONSTANT - np.einsum("ij,ij->j", half, half)
        return cross @ self._alpha, np.sqrt(np.maximum(variance, 1e-16))

    def predict_with_gradient(self, features: Features) -> tuple[Floats, Floats, Floats, Floats]:
        """Mean and deviation, shape (m,), and their derivatives by the numbers, (m, p)."""
        scales, scale = self._parameters.scales, self._parameters.scale
        kernel, slope = factors(features, self._features, scales)
        cross = scale * kernel + _CONSTANT
        solved, _ = lapack.dpotrs(self._factor.lower, cross.T, lower=1)
        solved = solved.T
        variance = np.maximum(scale + _CONSTANT - np.einsum("ij,ij->i", cross, solved), 1e-16)
        deviation = np.sqrt(variance)
        slope *= scale
        by_mean = self._pulled(features, slope * self._alpha, scales)
        by_variance = -2.0 * self._pulled(features, slope * solved, scales)
        return (
            cross @ self._alpha,
            deviation,
            by_mean,
            by_variance / (2.0 * deviation[:, None]),
        )

    def _pulled(self, features: Features, pull: Floats, scales: Scales) -> Floats:
        """Sum over the known of pull * d kernel / d numbers, less the factor in `pull`."""
        away = features.numbers * pull.sum(axis=1)[:, None] - pull @ self._features.numbers
        return -2.0 * away / scales.length**2


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
            self._done = _bordered(self._done, features[:n_done], block, parameters)
            if self._done is None:
                self._of = None
                return None
            n_done += _BLOCK
        self._of = (features[:n_done], parameters)
        if n_done == len(features):
            return self._done
        return _bordered(self._done, features[:n_done], features[n_done:], parameters)


def _covariance(a: Features, b: Features, parameters: Parameters) -> Floats:
    kernel = covariance(a, b, parameters.scales)
    kernel *= parameters.scale
    kernel += _CONSTANT
    return kernel


def _factored(features: Features, parameters: Parameters) -> Cholesky:
    exact = _covariance(features, features, parameters)
    diagonal = np.diag_indices(len(exact))
    noise = parameters.noise + _JITTER
    for _ in range(12):
        noisy = exact.copy(order="F")
        noisy[diagonal] += noise
        lower, failed = lapack.dpotrf(noisy, lower=1, overwrite_a=1)
        if not failed:
            break
        noise = 10.0 * noise  # many equal rows and hardly any noise
    return Cholesky(lower, noise)


def _bordered(
    factor: Cholesky | None, known: Features, more: Features, parameters: Parameters
) -> Cholesky | None:
    """The factor with more rows; None if that takes more noise than the factor has."""
    n, m = len(known), len(more)
    noise = parameters.noise + _JITTER if factor is None else factor.noise
    corner = _covariance(more, more, parameters)
    corner[np.diag_indices(m)] += noise
    result = np.zeros((n + m, n + m), order="F")
    if factor is not None:
        half, _ = lapack.dtrtrs(factor.lower, _covariance(known, more, parameters), lower=1)
        corner -= half.T @ half
        result[:n, :n] = factor.lower
        result[n:, :n] = half.T
    below, failed = lapack.dpotrf(np.asfortranarray(corner), lower=1, overwrite_a=1)
    result[n:, n:] = below
    return None if failed else Cholesky(result, noise)


def _prior(layout: Layout) -> tuple[Floats, Floats]:
    p, q = len(layout.number_names), len(layout.category_names)
    width = np.log(max(1, len(layout.ordered) + q))
    mean = np.concatenate(
        [
            np.full(p, _LENGTH[0] + 0.5 * width),
            np.full(q, _WEIGHT[0] - width),
            [_SCALE[0], _NOISE[0]],
        ]
    )
    spread = np.concatenate(
        [np.full(p, _LENGTH[1]), np.full(q, _WEIGHT[1]), [_SCALE[1], _NOISE[1]]]
    )
    return mean, spread


def _bounds(layout: Layout) -> list[tuple[float, float]]:
    return (
        [_LENGTH_BOUNDS] * len(layout.number_names)
        + [_WEIGHT_BOUNDS] * len(layout.category_names)
        + [_SCALE_BOUNDS, _NOISE_BOUNDS]
    )


def _unpacked(x: Floats, layout: Layout) -> Parameters:
    p, q = len(layout.number_names), len(layout.category_names)
    values = np.exp(x)
    return Parameters(
        Scales(values[:p], values[p : p + q]), float(values[p + q]), float(values[p + q + 1])
    )
