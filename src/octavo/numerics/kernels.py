"""Densities around points of the unit cube, where some columns are choices and some are absent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["log_kernels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


def log_kernels(
    values: Floats, centres: Floats, n_choices: Ints, widths: Floats, spill: Floats
) -> Floats:
    """Logarithm of the density around each centre, relative to the uniform one, at each row.

    A product over columns: a Gaussian, truncated to the unit interval, where they are ordered;
    most weight on the centre's own value where they are choices; 1 where either of the two has
    no value.

    Parameters
    ----------
    values : shape (m, d)
        In [0, 1], NaN where there is no value; choice k of n is (k + 0.5) / n.
    centres : shape (n, d)
        Likewise.
    n_choices : shape (d,)
        0 for ordered columns.
    widths : shape (d,)
        Standard deviations, for ordered columns.
    spill : shape (d,)
        Weight of each choice beside the centre's own, whose weight is 1 + spill.

    Returns
    -------
    shape (m, n)

    Examples
    --------
    >>> one = np.array([[0.25]])
    >>> np.exp(log_kernels(one, one, np.array([2]), np.array([1.0]), np.array([0.5])))
    array([[1.5]])
    """
    total = np.zeros((len(values), len(centres)))
    for j, n in enumerate(n_choices.tolist()):
        x, centre = values[:, j][:, None], centres[:, j][None, :]
        absent = np.isnan(x) | np.isnan(centre)
        if n:
            own, other = 1.0 + spill[j], spill[j]
            scale = n / (1.0 + n * spill[j])
            same = np.abs(x - centre) < 0.5 / n
            log_kernel = np.log(np.where(same, own, other) * scale)
        else:
            z = (x - centre) / widths[j]
            mass = ndtr((1.0 - centre) / widths[j]) - ndtr(-centre / widths[j])
            log_kernel = -0.5 * z * z - (np.log(widths[j]) + _LOG_SQRT_2PI + np.log(mass))
        log_kernel[absent] = 0.0
        total += log_kernel
    return total
