"""What costs of repeated evaluations consist of, and what a configuration really costs.

A Gaussian process takes whatever is not smooth for noise. Where configurations were evaluated
again, and with seeds that others were evaluated with as well, more can be told apart:

    cost = smooth function + the configuration's own + the seed's + noise

The configuration's own part is real, however rough: it would come out again. What a seed does
to everything (an easy split of the data, a good initialization) says nothing about any of them.
All parts are independent and normal, so the variances follow from the likelihood and the rest
is a posterior mean: the mixed model of Henderson (1975), Best Linear Unbiased Estimation and
Prediction under a Selection Model, Biometrics 31, with a Gaussian process among its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from octavo.surrogates.cholesky import JITTER, total_covariance
from octavo.surrogates.kernel import Features
from octavo.surrogates.parameters import Parameters

__all__ = ["Parts", "taken_apart"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_OWN_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)  # of what the process calls noise
_SEED_VARIANCES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # costs are standardized
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What was found.

    Parameters
    ----------
    mean, deviation : shape (n,)
        Posterior of the cost of each row's configuration: the mean over the seeds that any
        was evaluated with, without noise.
    by_seed : shape (n,)
        What each row's seed added to its cost.
    noise
        Variance of what another evaluation with the same seed would change.
    seed_variance
        Variance among seeds.
    """

    mean: Floats
    deviation: Floats
    by_seed: Floats
    noise: float
    seed_variance: float


def taken_apart(
    features: Features, y: Floats, parameters: Parameters, configuration: Ints, seed: Ints
) -> Parts:
    """The parts of known costs.

    Parameters
    ----------
    features, y : n rows
        What is known, with standardized costs.
    parameters
        Of the smooth function, fitted to the same rows; its noise is shared out.
    configuration, seed : shape (n,)
        Rows with the same number have the same one.
    """
    smooth = total_covariance(features, features, parameters)
    same_config = np.equal.outer(configuration, configuration)
    same_seed = np.equal.outer(seed, seed)
    # Without repetition there is nothing by which the parts could be told from noise.
    shares = _OWN_SHARES if np.bincount(configuration).max() > 1 else (0.0,)
    variances = _SEED_VARIANCES if np.bincount(seed).max() > 1 else (0.0,)
    jitter = JITTER * np.eye(len(y))

    def factor(share: float, variance: float) -> tuple[float, Floats]:
        """The log-likelihood, and the covariance's Cholesky factor."""
        own = share * parameters.noise
        total = smooth + own * same_config + variance * same_seed + jitter
        total[np.diag_indices(len(y))] += parameters.noise - own
        lower, failed = lapack.dpotrf(total.T, lower=1, overwrite_a=1)
        if failed:  # equal rows and no noise at all
            return -np.inf, lower
        half, _ = lapack.dtrtrs(lower, y, lower=1)
        return -0.5 * float(half @ half) - float(np.log(np.diagonal(lower)).sum()), lower

    share, variance = 0.0, 0.0
    for _ in range(_ROUNDS):  # one after the other: the two hardly depend on each other
        variance = max(variances, key=lambda its: factor(share, its)[0])
        share = max(shares, key=lambda its: factor(its, variance)[0])
    _, lower = factor(share, variance)
    alpha, _ = lapack.dpotrs(lower, y, lower=1)
    real = smooth + share * parameters.noise * same_config
    half, _ = lapack.dtrtrs(lower, real, lower=1)
    left = np.diagonal(real) - np.einsum("ij,ij->j", half, half)
    by_seed = np.asarray(variance * (same_seed @ alpha))
    one_of_each = np.unique(seed, return_index=True)[1]
    return Parts(
        # What most met one seed cannot tell its effect from their level: over all of them, then.
        mean=np.asarray(real @ alpha) + by_seed[one_of_each].mean(),
        deviation=np.sqrt(np.maximum(left, 0.0)),
        by_seed=by_seed,
        noise=(1.0 - share) * parameters.noise,
        seed_variance=variance,
    )
