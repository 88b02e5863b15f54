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

from octavo.surrogates.kernel import Features, Layout, Scales, factors

__all__ = ["GaussianProcess", "Parameters", "fit_parameters", "log_density", "prior_mode"]

Floats = NDArray[np.float64]

_CONSTANT = 1.0  # prior variance of the unknown mean; costs come standardized
_JITTER = 1e-8  # of the diagonal, for equal rows at hardly any noise
# Gaussian priors of logarithms: (mean, standard deviation), and bounds.
_LENGTH = (np.sqrt(2.0), np.sqrt(3.0))  # plus half the logarithm of the dimensions
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
    one_hot = layout.one_hot(features.categories)
    low, high = np.array(bounds).T
    x0 = np.clip(start.packed(), low, high)

    def loss(x: Floats) -> tuple[float, Floats]:
        value, gradient = log_density(x, layout, features, y, one_hot)
        return -value, -gradient

    found = minimize(
        loss, x0, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": n_steps}
    )
    best = found.x if np.isfinite(found.fun) else x0
    return _unpacked(best, layout)


def log_density(
    x: Floats, layout: Layout, features: Features, y: Floats, one_hot: Floats | None = None
) -> tuple[float, Floats]:
    """Log of the posterior density of the parameters, up to a constant, and its gradient.

    Parameters
    ----------
    x
        Logarithms of lengths, weights, scale and noise, in this order.
    layout, features, y
        What is known.
    one_hot
        `layout.one_hot(features.categories)`, where the caller has it.
    """
    n, p, q = len(y), features.numbers.shape[1], features.categories.shape[1]
    one_hot = layout.one_hot(features.categories) if one_hot is None else one_hot
    parameters = _unpacked(x, layout)
    kernel, slope = factors(features, features, parameters.scales)
    covariance = parameters.scale * kernel
    covariance += _CONSTANT
    covariance[np.diag_indices(n)] += parameters.noise + _JITTER
    factor, failed = lapack.dpotrf(covariance, lower=1, overwrite_a=1)
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
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
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
        alike = np.einsum("ij,ij->j", one_hot, apart @ one_hot)
        starts = np.concatenate([[0], np.cumsum(layout.n_codes)[:-1]])
        gradient[p : p + q] = -parameters.scales.weight * (total - np.add.reduceat(alike, starts))
    gradient[p + q] = total
    gradient[p + q + 1] = parameters.noise * float(np.trace(pull))
    return value, gradient - away / spread


class GaussianProcess:
    """The posterior for fixed parameters.

    Parameters
    ----------
    features, y
        What is known, with standardized costs.
    parameters
        Of the kernel and the noise.
    """

    def __init__(self, features: Features, y: Floats, parameters: Parameters) -> None:
        self._features, self._parameters = features, parameters
        kernel, _ = factors(features, features, parameters.scales)
        kernel *= parameters.scale
        kernel += _CONSTANT
        diagonal = np.diag_indices(len(y))
        noise = parameters.noise + _JITTER
        for _ in range(8):
            covariance = kernel.copy()
            covariance[diagonal] += noise
            factor, failed = lapack.dpotrf(covariance, lower=1, overwrite_a=1)
            if not failed:
                break
            noise = 10.0 * noise  # many equal rows and hardly any noise
        self._factor = factor
        self._alpha, _ = lapack.dpotrs(factor, y, lower=1)
        self._fitted = y - noise * self._alpha

    @property
    def lengths(self) -> Floats:
        """Length scales of the numbers, shape (p,)."""
        return self._parameters.scales.length

    @property
    def fitted(self) -> Floats:
        """Posterior means at the known configurations, shape (n,)."""
        return self._fitted

    def predict(self, features: Features) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of the cost without noise, each shape (m,)."""
        kernel, _ = factors(features, self._features, self._parameters.scales)
        cross = self._parameters.scale * kernel + _CONSTANT
        half, _ = lapack.dtrtrs(self._factor, cross.T, lower=1)
        variance = self._parameters.scale + _CONSTANT - np.einsum("ij,ij->j", half, half)
        return cross @ self._alpha, np.sqrt(np.maximum(variance, 1e-16))

    def predict_with_gradient(self, features: Features) -> tuple[Floats, Floats, Floats, Floats]:
        """Mean and deviation, shape (m,), and their derivatives by the numbers, (m, p)."""
        scales, scale = self._parameters.scales, self._parameters.scale
        kernel, slope = factors(features, self._features, scales)
        cross = scale * kernel + _CONSTANT
        solved, _ = lapack.dpotrs(self._factor, cross.T, lower=1)
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
