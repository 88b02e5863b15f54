"""Every legal configuration exactly once, lazily, in a fixed order.

Depth first over the hyperparameters, parents before children, in blocks of rows: an inactive
hyperparameter has one way to go on, so that what is inactive never multiplies anything, and a
forbidden combination is cut off as soon as its last member is set.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.domains import Domain
from octavo.spaces.encoding import Encoding

__all__ = ["blocks"]

Floats = NDArray[np.float64]

BLOCK = 1024
"""How many partial configurations are carried on at once."""


def blocks(encoding: Encoding, resolution: int | None) -> Iterator[Floats]:
    """Shape (rows, columns) each: all legal rows, in lexicographic order.

    Parameters
    ----------
    encoding
        Of the space.
    resolution
        How many evenly spread values a continuous hyperparameter, or an integer with more
        values, takes, both bounds among them; None: all of them (finite spaces only).
    """
    order = encoding.order
    depth = {i: level for level, i in enumerate(order)}
    values = [_values(domain, resolution) for domain in encoding.domains]
    due = [
        [c for c in encoding.forbidden if max(depth[i] for i in c.places()) == level]
        for level in range(len(order))
    ]
    stack: list[tuple[int, Floats]] = [(0, np.full((1, len(order)), np.nan))]
    while stack:
        level, rows = stack.pop()
        if level == len(order):
            yield np.column_stack(
                [encoding.domains[i].unit(rows[:, i]) for i in encoding.free]
                or [np.empty((len(rows), 0))]
            )
            continue
        i = order[level]
        active = encoding.active(list(rows.T), i)
        choices = values[i]
        repeats = np.where(active, len(choices), 1)
        at = np.repeat(np.arange(len(rows)), repeats)
        starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
        rows = rows[at]
        rows[:, i] = np.where(active[at], choices[np.arange(len(at)) - starts], np.nan)
        for clause in due[level]:
            rows = rows[~clause.holds(list(rows.T))]
        pieces = [rows[k : k + BLOCK] for k in range(0, len(rows), BLOCK)]
        stack.extend((level + 1, piece) for piece in reversed(pieces))


def _values(domain: Domain, resolution: int | None) -> Floats:
    """The stored numbers that a hyperparameter takes in a grid."""
    n = domain.n_values
    every = domain.choices or (n is not None and (resolution is None or n <= resolution))
    if every:
        return np.arange(domain.low, domain.high + 1)
    assert resolution is not None
    places = np.linspace(0.0, 1.0, resolution) if resolution > 1 else np.array([0.5])
    return np.unique(domain.stored(places))
