"""New configurations around good ones: each hyperparameter from a distribution about its parent.

Numbers come from a normal distribution cut off at the bounds, whose width shrinks from one
iteration to the next; unordered choices stay their parent's more and more often.

Where irace passes on a distribution from parent to child, all children here have the same width,
and a choice that is not the parent's is uniform. Races may go on long after the planned ones:
widths that have become too small to tell configurations apart grow by two iterations' worth
(irace's "soft restart"), and choices never become certain.

López-Ibáñez, Dubois-Lacoste, Pérez Cáceres, Birattari & Stützle (2016), The irace package:
Iterated racing for automatic algorithm configuration, Operations Research Perspectives 3,
sections 3.2 and 3.3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from octavo.optimizers.unit_cube import Cube
from octavo.spaces.protocol import Points, Space

__all__ = ["FIRST_WIDTH", "AroundElites", "more_kept", "narrowed", "truncated_normal"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_WIDTH = 0.5  # half of the range
_LEAST_WIDTH = 1e-4  # of the range; irace's threshold of soft restarts
_CLONES = 0.2  # at most: the chance that all of a child's choices are its parent's, as in irace


def narrowed(width: float, n_new: int, d: int) -> float:
    """The width of the next iteration: n configurations share what one had.

    Parameters
    ----------
    width
        Of the iteration before.
    n_new
        How many configurations are drawn.
    d
        Number of hyperparameters, at least 1.

    Examples
    --------
    >>> narrowed(0.5, n_new=16, d=4)
    0.25
    """
    share = math.pow(max(n_new, 2), 1.0 / d)
    if width / share >= _LEAST_WIDTH:
        return width / share
    return min(width * share**2, FIRST_WIDTH)


def more_kept(kept: float, progress: float, d: int) -> float:
    """How often choices stay their parent's in the next iteration.

    Parameters
    ----------
    kept
        In the iteration before.
    progress
        The share of the planned iterations that is over.
    d
        Number of hyperparameters, at least 1.

    Examples
    --------
    >>> more_kept(0.5, progress=0.5, d=8)
    0.75
    """
    return min(1.0 - (1.0 - kept) * (1.0 - min(progress, 1.0)), math.pow(_CLONES, 1.0 / d))


def truncated_normal(mean: Floats, width: float, u: Floats) -> Floats:
    """Normal variables cut off to [0, 1], by the inverse of their distribution.

    Parameters
    ----------
    mean : shape (n,)
        In [0, 1].
    width
        Their standard deviation before they are cut off.
    u : shape (n,)
        Uniform, in [0, 1).

    Examples
    --------
    >>> truncated_normal(np.array([0.5, 0.0]), 1e-3, np.array([0.5, 0.0])).round(3)
    array([0.5, 0. ])
    """
    low, high = ndtr(-mean / width), ndtr((1 - mean) / width)
    return np.asarray(np.clip(mean + width * ndtri(low + u * (high - low)), 0.0, 1.0))


class AroundElites:
    """Draws configurations around elites.

    Parameters
    ----------
    space
        Where to draw. Trees, whose columns grow, change one part of the parent instead.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._cube = Cube(space)

    def draw(
        self, n: int, elites: Points, width: float, kept: float, rng: np.random.Generator
    ) -> tuple[Points, Ints]:
        """Up to `n` legal configurations; fewer where many combinations are forbidden.

        Parameters
        ----------
        n
            How many.
        elites
            Best first: of k of them, the r-th is a parent with a probability proportional to
            k - r + 1.
        width
            Standard deviation of numbers, of their range.
        kept
            With which probability an unordered choice stays its parent's; else it is uniform.
        rng
            Draws everything.

        Returns
        -------
        points, parents
            Rows, and the place of each one's parent among the elites.
        """
        k = len(elites)
        weights = np.arange(k, 0, -1) / (k * (k + 1) / 2)
        parents = rng.choice(k, size=n, p=weights)
        if not self._cube.is_free or elites.columns != self._space.columns:
            return self._space.mutate(elites[parents], rng), parents
        values = elites.values[parents].copy()
        for j, column in enumerate(self._space.columns):
            u = rng.random(n)
            active = ~np.isnan(values[:, j])
            if column.is_ordered:
                values[active, j] = truncated_normal(values[active, j], width, u[active])
            else:
                moves = active & (rng.random(n) >= kept)
                values[moves, j] = u[moves]
        # The cube is half open; what was inactive in the parent is drawn uniformly.
        points, legal = self._cube.legal(np.minimum(values, 1.0 - 1e-9), rng)
        return points, parents[legal]
