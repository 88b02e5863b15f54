"""Fits of one family to many curves at once: Levenberg and Marquardt's method, in a batch.

What is maximized is the posterior density under normal priors of all parameters. The Hessian
there gives the parameters' covariance and the family's evidence (Laplace's approximation).

Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters, J. SIAM 11.
MacKay (1992), Bayesian interpolation, Neural Computation 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.surrogates.learning_curves.batch import Batch
from octavo.surrogates.learning_curves.families import Family

__all__ = ["Fit", "fit_family"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Standard deviations of the priors of amplitude, offset and drift, in ranges of the curve. The
# offset's is that of where a curve ends: about as far away as it has come, mostly less.
_AMPLITUDE, _OFFSET, _DRIFT = 4.0, 1.0, 0.5
_N_STARTS = 2
_ROUNDS = 20
_NOISE_STRENGTH = 3.0  # so many points is the noise from second differences worth


@dataclass(frozen=True, slots=True)
class Fit:
    """One family, fitted to each curve of a batch.

    Parameters
    ----------
    family
        Which.
    theta : shape (m, p)
        Parameters: amplitude, offset, drift, as far as there are, then phi.
    covariance : shape (m, p, p)
        Of the parameters.
    noise : shape (m,)
        Standard deviation of points about the curve.
    log_evidence : shape (m,)
        Of the family, up to a constant that all families share.
    """

    family: Family
    theta: Floats
    covariance: Floats
    noise: Floats
    log_evidence: Floats

    def at(self, batch: Batch, rows: Ints, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of some curves, without noise, at a step of each.

        Parameters
        ----------
        batch
            What was fitted.
        rows : shape (m,)
            Which curves.
        x : shape (m,)
            On the batch's scale.

        Returns
        -------
        mean, deviation : shape (m,)
            On the scale of the batch's y.
        """
        reach, fixed = batch.reach[rows, None], _fixed(self.family, batch)[rows]
        mean, jacobian = _curve(self.family, x[:, None], reach, fixed, self.theta[rows])
        slope = jacobian[:, 0]
        variance = np.einsum("mp,mpq,mq->m", slope, self.covariance[rows], slope)
        return mean[:, 0], np.sqrt(np.maximum(variance, 0.0))


def fit_family(family: Family, batch: Batch) -> Fit:
    """Fit one family to all curves of a batch.

    Parameters
    ----------
    family
        Which.
    batch
        At least one curve.
    """
    m = len(batch)
    reach, fixed = batch.reach[:, None], _fixed(family, batch)
    centre, precision = _prior(family)
    weight = batch.weight / np.square(batch.noise)[:, None]
    theta, density = _first_guesses(family, batch, weight, fixed)
    order = np.argsort(density, axis=1)[:, :_N_STARTS]
    k = order.shape[1]
    theta = np.take_along_axis(theta, order[..., None], axis=1).reshape(m * k, -1)
    x, y, weight, reach, of_each = (
        np.repeat(array, k, axis=0) for array in (batch.x, batch.y, weight, reach, fixed)
    )
    theta, loss = _descend(family, theta, x, y, weight, reach, of_each, centre, precision)
    best = loss.reshape(m, k).argmin(axis=1)
    theta = theta.reshape(m, k, -1)[np.arange(m), best]
    return _around(family, batch, theta, fixed, centre, precision)


def _fixed(family: Family, batch: Batch) -> Floats:
    """What is added where there is no offset, shape (m, 1): zero of the user's scale."""
    return np.zeros((len(batch), 1)) if family.has_offset else batch.zero[:, None]


def _prior(family: Family) -> tuple[Floats, Floats]:
    """Means and precisions of all parameters, shape (p,) each."""
    # Without an offset the amplitude is as large as the costs themselves, whatever the range.
    linear = [_AMPLITUDE if family.has_offset else 1e3]
    linear += [_OFFSET] * family.has_offset + [_DRIFT] * family.has_drift
    centre = np.r_[np.zeros(len(linear)), family.centre]
    return centre, 1 / np.square(np.r_[linear, family.spread])


def _curve(
    family: Family, x: Floats, reach: Floats, fixed: Floats, theta: Floats
) -> tuple[Floats, Floats]:
    """Values (m, n) and their derivatives by theta (m, n, p)."""
    g, by_phi = family.shape(x, theta[:, family.n_linear :], reach)
    columns = family.columns(x, reach, g)
    value = fixed + np.einsum("mnl,ml->mn", columns, theta[:, : family.n_linear])
    return value, np.concatenate([columns, theta[:, :1, None] * by_phi], axis=-1)


def _first_guesses(
    family: Family, batch: Batch, weight: Floats, fixed: Floats
) -> tuple[Floats, Floats]:
    """For each start of phi the best linear parameters, (m, s, p), and their loss, (m, s)."""
    m, reach = len(batch), batch.reach[:, None]
    centre, precision = _prior(family)
    linear = family.n_linear
    target = batch.y - fixed
    thetas, losses = [], []
    for phi in family.starts():
        each = np.broadcast_to(phi, (m, len(phi)))
        g, _ = family.shape(batch.x, each, reach)
        columns = family.columns(batch.x, reach, g)
        weighted = columns * weight[..., None]
        normal = np.einsum("mnk,mnl->mkl", weighted, columns)
        normal[:, range(linear), range(linear)] += precision[:linear]
        right = np.einsum("mnl,mn->ml", weighted, target)
        solved = np.linalg.solve(normal, right[..., None])[..., 0]
        thetas.append(np.concatenate([solved, each], axis=1))
        residual = target - np.einsum("mnl,ml->mn", columns, solved)
        losses.append(_loss(residual, weight, thetas[-1], centre, precision))
    return np.stack(thetas, axis=1), np.stack(losses, axis=1)


def _loss(
    residual: Floats, weight: Floats, theta: Floats, centre: Floats, precision: Floats
) -> Floats:
    """Twice the negative logarithm of the posterior density, shape (m,)."""
    total = (weight * np.square(residual)).sum(axis=1)
    return np.asarray(total + (precision * np.square(theta - centre)).sum(axis=1))


def _descend(
    family: Family,
    theta: Floats,
    x: Floats,
    y: Floats,
    weight: Floats,
    reach: Floats,
    fixed: Floats,
    centre: Floats,
    precision: Floats,
) -> tuple[Floats, Floats]:
    """Levenberg-Marquardt on all rows; those that no longer improve rest."""
    damping = np.full(len(theta), 1e-2)
    value, jacobian = _curve(family, x, reach, fixed, theta)
    loss = _loss(y - value, weight, theta, centre, precision)
    diagonal = np.arange(theta.shape[1])
    # Priors hold phi; the box only keeps powers of extreme steps finite.
    phi_low = np.array(family.centre) - 6 * np.array(family.spread)
    phi_high = np.array(family.centre) + 6 * np.array(family.spread)
    active = np.arange(len(theta))
    for _ in range(_ROUNDS if len(phi_low) else 0):
        residual = y[active] - value[active]
        weighted = jacobian[active] * weight[active][..., None]
        hessian = np.einsum("mnp,mnq->mpq", weighted, jacobian[active])
        hessian[:, diagonal, diagonal] += precision
        gradient = np.einsum("mnp,mn->mp", weighted, residual) - precision * (
            theta[active] - centre
        )
        hessian[:, diagonal, diagonal] *= 1 + damping[active, None]
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        tried = theta[active] + step
        tried[:, family.n_linear :] = np.clip(tried[:, family.n_linear :], phi_low, phi_high)
        new_value, new_jacobian = _curve(family, x[active], reach[active], fixed[active], tried)
        new_loss = _loss(y[active] - new_value, weight[active], tried, centre, precision)
        better = new_loss < loss[active]  # False for NaN too
        gained = loss[active] - new_loss
        rows = active[better]
        theta[rows], loss[rows] = tried[better], new_loss[better]
        value[rows], jacobian[rows] = new_value[better], new_jacobian[better]
        damping[active] = np.where(better, damping[active] * 0.2, damping[active] * 5.0)
        done = (better & (gained < 1e-3)) | (damping[active] > 1e6)
        active = active[~done]
        if not len(active):
            break
    return theta, loss


def _around(
    family: Family, batch: Batch, theta: Floats, fixed: Floats, centre: Floats, precision: Floats
) -> Fit:
    """Noise, covariance and evidence at the mode (Laplace), the noise integrated out."""
    value, jacobian = _curve(family, batch.x, batch.reach[:, None], fixed, theta)
    n = batch.weight.sum(axis=1)
    square = (batch.weight * np.square(batch.y - value)).sum(axis=1)
    strength = _NOISE_STRENGTH
    total = square + strength * np.square(batch.noise)
    variance = total / (n + strength)
    hessian = np.einsum("mnp,mnq->mpq", jacobian * batch.weight[..., None], jacobian)
    hessian /= variance[:, None, None]
    diagonal = np.arange(theta.shape[1])
    hessian[:, diagonal, diagonal] += precision
    penalty = (precision * np.square(theta - centre)).sum(axis=1)
    log_evidence = (
        -0.5 * (n + strength) * np.log(total)
        - 0.5 * penalty
        + 0.5 * np.log(precision).sum()
        - 0.5 * np.linalg.slogdet(hessian)[1]
    )
    return Fit(family, theta, np.linalg.inv(hessian), np.sqrt(variance), log_evidence)
