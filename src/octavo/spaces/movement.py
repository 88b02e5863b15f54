"""Neighbours and children of whole matrices of configurations.

What a change activates is drawn uniformly, what it deactivates goes. A result with a
forbidden combination is drawn again; rows that find none for long are looked at one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.domains import Domain
from octavo.spaces.encoding import Encoding

__all__ = ["mutate", "neighbours", "recombine", "step_away"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

SPREAD = 0.2
"""Standard deviation of a number's move, of its range."""

ROUNDS = 12
"""How often all rows are drawn again together before the rest is searched one by one."""

MOST_ALTERNATIVES = 256
"""How many other values of one hyperparameter the search of one row considers."""


def mutate(encoding: Encoding, values: Floats, rng: np.random.Generator) -> Floats:
    """Shape (n, d): each row with one active hyperparameter changed; the same if none can be.

    Parameters
    ----------
    encoding
        Of the space.
    values : shape (n, d)
        Legal rows.
    rng
        Source of all randomness.
    """
    result = values.copy()
    open_rows = np.arange(len(values))
    for _ in range(ROUNDS):
        if not len(open_rows):
            return result
        child, changed = _change_one(encoding, values[open_rows], rng)
        result[open_rows[changed]] = child[changed]
        open_rows = open_rows[~changed]
    for row in open_rows:
        near = neighbours(encoding, values[row], rng)
        if len(near):
            result[row] = near[rng.integers(len(near))]
    return result


def _change_one(
    encoding: Encoding, values: Floats, rng: np.random.Generator
) -> tuple[Floats, Bools]:
    """One attempt per row; and which of them are legal and different."""
    n, d = values.shape
    if not d:
        return values, np.zeros(n, dtype=bool)
    lottery = np.where(np.isnan(values), -1.0, rng.random((n, d)))
    chosen = np.argmax(lottery, axis=1)
    u = rng.random((n, d))
    child: Floats = np.where(np.isnan(values), u, values)  # what may become active is drawn afresh
    noise = rng.random((n,))
    for column in range(d):
        rows = np.flatnonzero(chosen == column)
        if len(rows):
            domain = encoding.domains[encoding.free[column]]
            child[rows, column] = step_away(domain, values[rows, column], noise[rows])
    moved, legal = _settled(encoding, child)
    at = np.arange(n)
    return moved, legal & (moved[at, chosen] != values[at, chosen]) & ~np.isnan(values[at, chosen])


def _settled(encoding: Encoding, child: Floats) -> tuple[Floats, Bools]:
    full = encoding.spread(child)
    legal = encoding.is_legal(encoding.settle(full))
    return full[:, encoding.free], legal


def step_away(domain: Domain, places: Floats, noise: Floats) -> Floats:
    """Shape (n,): another place for each: a Gaussian step for ordered values, else any.

    Parameters
    ----------
    domain
        Of the hyperparameter; with at least two values.
    places : shape (n,)
        Where the values are now, in the unit interval.
    noise : shape (n,)
        Uniform in [0, 1).
    """
    from scipy.special import ndtr, ndtri  # here, so that importing spaces stays quick

    n = domain.n_values
    if domain.kind in ("categorical", "constant"):
        assert n is not None
        other = (domain.stored(places) + 1 + np.floor(noise * (n - 1))) % n
        return domain.unit(other)
    left: Floats = places
    right: Floats = places
    if n is not None:
        left, right = domain.edges(domain.stored(places))
    # The normal distribution around the place, without what is outside of the bounds and
    # without the value's own cell, by inversion: first the part below, then the part above.
    start = ndtr(-places / SPREAD)
    below = ndtr((left - places) / SPREAD) - start
    gap_end = ndtr((right - places) / SPREAD)
    above = ndtr((1 - places) / SPREAD) - gap_end
    mass: Floats = noise * (below + above)
    quantile = np.where(mass < below, start + mass, gap_end + (mass - below))
    moved: Floats = np.clip(places + SPREAD * ndtri(quantile), 0.0, 1.0)
    return moved


def neighbours(encoding: Encoding, row: Floats, rng: np.random.Generator) -> Floats:
    """Legal rows that differ from `row` in one active hyperparameter, as far as they are found."""
    found: list[Floats] = []
    for column in np.flatnonzero(~np.isnan(row)):
        domain = encoding.domains[encoding.free[column]]
        if domain.n_values is not None and domain.n_values <= MOST_ALTERNATIVES:
            places = domain.unit(np.arange(domain.low, domain.high + 1))
        else:
            here = np.full(MOST_ALTERNATIVES, row[column])
            places = step_away(domain, here, rng.random(MOST_ALTERNATIVES))
        # Several draws for each, since what becomes active may be forbidden in part.
        places = np.repeat(places, 4)
        child = np.where(np.isnan(row), rng.random((len(places), len(row))), row)
        child[:, column] = places
        moved, legal = _settled(encoding, child)
        found.append(moved[legal & (moved[:, column] != row[column])])
    return np.concatenate(found) if found else np.empty((0, len(row)))


def recombine(encoding: Encoding, a: Floats, b: Floats, rng: np.random.Generator) -> Floats:
    """Shape (n, d): one child per pair of rows; each value is one of its parents'.

    A hyperparameter that is active in one parent only is taken from that one. One that is
    active in the child but in no parent is drawn uniformly. A pair whose children are
    forbidden throughout gives the first parent again.
    """
    result = a.copy()
    open_rows = np.arange(len(a))
    for _ in range(ROUNDS):
        if not len(open_rows):
            break
        first, second = a[open_rows], b[open_rows]
        child = np.where(rng.random(first.shape) < 0.5, first, second)
        child = np.where(np.isnan(child), np.where(np.isnan(first), second, first), child)
        child = np.where(np.isnan(child), rng.random(first.shape), child)
        moved, legal = _settled(encoding, child)
        result[open_rows[legal]] = moved[legal]
        open_rows = open_rows[~legal]
    return result
