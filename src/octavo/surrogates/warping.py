"""Input warping: each number is bent before distances are measured, as the costs ask for it.

A hyperparameter may matter at one end of its range only. The distribution function of
Kumaraswamy (1980), 1 - (1 - u^a)^b, maps the unit interval onto itself in many ways and costs two
powers; with a = b = 1 it changes nothing, and that is where the prior has its mode.

Snoek, Swersky, Zemel & Adams (2014), Input Warping for Bayesian Optimization of Non-Stationary
Functions, ICML; Cowen-Rivers et al. (2022), HEBO, JAIR 74 (with this function for the Beta's).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bent", "bent_with_slopes"]

Floats = NDArray[np.float64]

_EDGE = 1e-9  # slopes are infinite, or of no use, at the very ends


def bent(numbers: Floats, warps: Floats) -> Floats:
    """Centred numbers, the first k columns of them bent.

    Parameters
    ----------
    numbers : shape (n, p)
        The first k columns in [-0.5, 0.5].
    warps : shape (2, k)
        The shapes a and b of each of these columns; both positive.

    Returns
    -------
    shape (n, p)

    Examples
    --------
    >>> bent(np.array([[-0.5], [0.0], [0.5]]), np.array([[2.0], [1.0]])).ravel()
    array([-0.5 , -0.25,  0.5 ])
    """
    k = warps.shape[1]
    result = numbers.copy()
    a, b = warps
    u = np.clip(numbers[:, :k] + 0.5, 0.0, 1.0)
    result[:, :k] = 0.5 - (1.0 - u**a) ** b
    return result


def bent_with_slopes(numbers: Floats, warps: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """What `bent` returns, and the derivatives of its first k columns.

    Returns
    -------
    bent : shape (n, p)
    by_number : shape (n, k)
    by_log_a, by_log_b : shape (n, k)
        By the logarithms of the shapes.
    """
    k = warps.shape[1]
    a, b = warps
    u = np.clip(numbers[:, :k] + 0.5, _EDGE, 1.0 - _EDGE)
    power = u**a
    rest = np.maximum(1.0 - power, np.finfo(float).tiny)
    tail = rest**b
    pull = b * tail / rest
    by_a = pull * power * np.log(u)
    return bent(numbers, warps), pull * a * power / u, a * by_a, -b * tail * np.log(rest)
