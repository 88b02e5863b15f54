"""Fitting a Gaussian process: the density of its parameters, with its gradient, and an ascent.

Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, chapter 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from octavo.surrogates.cholesky import CONSTANT, JITTER
from octavo.surrogates.kernel import Features, Layout, factors
from octavo.surrogates.parameters import Parameters, bounds, prior, unpacked
from octavo.surrogates.warping import bent_with_slopes

__all__ = ["fit_parameters", "log_density"]

Floats = NDArray[np.float64]


def fit_parameters(
    layout: Layout,
    features: Features,
    y: Floats,
    start: Parameters,
    *,
    n_steps: int = 40,
    is_exact: bool = False,
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
    is_exact
        Whether to hold the noise at its lower bound, next to none.
    """
    limits = bounds(layout)
    if is_exact:
        noise = len(layout.number_names) + len(layout.category_names) + 1
        limits[noise] = (limits[noise][0], limits[noise][0])
    low, high = np.array(limits).T
    x0 = np.clip(start.packed(), low, high)

    def loss(x: Floats) -> tuple[float, Floats]:
        value, gradient = log_density(x, layout, features, y)
        return -value, -gradient

    found = minimize(
        loss, x0, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": n_steps}
    )
    best = found.x if np.isfinite(found.fun) else x0
    return unpacked(best, layout)


def log_density(x: Floats, layout: Layout, features: Features, y: Floats) -> tuple[float, Floats]:
    """Log of the posterior density of the parameters, up to a constant, and its gradient.

    Parameters
    ----------
    x
        As `Parameters.packed` orders them.
    layout, features, y
        What is known.
    """
    n, p, q = len(y), features.numbers.shape[1], len(features.n_codes)
    parameters = unpacked(x, layout)
    kernel, slope = factors(features, features, parameters.scales)
    total_covariance = parameters.scale * kernel
    total_covariance += CONSTANT
    total_covariance[np.diag_indices(n)] += parameters.noise + JITTER
    # The transpose, which is equal, is in Fortran's order: nothing is copied.
    factor, failed = lapack.dpotrf(total_covariance.T, lower=1, overwrite_a=1)
    mean, spread = prior(layout)
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
    scales = parameters.scales
    scaled = scales.placed(features.numbers) / scales.length
    in_all, pulled = along.sum(axis=1), along @ scaled
    gradient[:p] = 4.0 * (in_all @ scaled**2 - np.einsum("ij,ij->j", scaled, pulled))
    k = scales.warps.shape[1]
    if k:
        _, _, by_log_a, by_log_b = bent_with_slopes(features.numbers, scales.warps)
        by_place = -4.0 * (in_all[:, None] * scaled - pulled)[:, :k] / scales.length[:k]
        gradient[p + q + 2 : p + q + 2 + k] = (by_place * by_log_a).sum(axis=0)
        gradient[p + q + 2 + k :] = (by_place * by_log_b).sum(axis=0)
    apart = pull * kernel
    apart *= parameters.scale
    total = float(apart.sum())
    if q:
        alike = np.einsum("ij,ij->j", features.one_hot, apart @ features.one_hot)
        starts = np.cumsum(layout.n_codes) - layout.n_codes
        gradient[p : p + q] = -scales.weight * (total - np.add.reduceat(alike, starts))
    gradient[p + q] = total
    gradient[p + q + 1] = parameters.noise * float(np.trace(pull))
    return value, gradient - away / spread
