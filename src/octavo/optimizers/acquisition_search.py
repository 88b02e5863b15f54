"""Finding the configurations that an acquisition function likes best.

Random configurations, and local search from the best tried ones and the best random ones,
all moves of all searches evaluated together (Hutter 2011, section 3.2, SMAC's mixture).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.protocol import Points, Space

__all__ = ["SearchSettings", "rank_candidates"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How hard to search.

    Parameters
    ----------
    n_random
        Random configurations.
    n_starts
        Local searches from the best random configurations; as many again start from the
        best configurations tried so far.
    n_neighbours
        Moves that each local search looks at before each step.
    n_steps
        Most steps of a local search.
    """

    n_random: int = 300
    n_starts: int = 5
    n_neighbours: int = 16
    n_steps: int = 5


def rank_candidates(
    space: Space,
    acquisition: Callable[[Points], Floats],
    incumbents: Points,
    rng: np.random.Generator,
    settings: SearchSettings = SearchSettings(),
) -> Points:
    """Candidates, best first; ties in random order.

    Parameters
    ----------
    space
        Where to search.
    acquisition
        Value of each row, higher is better; never NaN.
    incumbents
        The best configurations tried so far, at most `n_starts` of which are used.
    rng
        Draws everything.
    settings
        See `SearchSettings`.
    """
    random = space.sample(settings.n_random, rng)
    values = acquisition(random)
    best = np.argsort(-values, kind="stable")[: settings.n_starts]
    starts = Points.join([incumbents[: settings.n_starts], random[best]])
    start_values = np.concatenate([acquisition(incumbents[: settings.n_starts]), values[best]])
    parts, part_values = [random], [values]
    for _ in range(settings.n_steps):
        n = len(starts)
        moves = space.mutate(starts[np.repeat(np.arange(n), settings.n_neighbours)], rng)
        move_values = acquisition(moves)
        parts.append(moves)
        part_values.append(move_values)
        by_start = move_values.reshape(n, settings.n_neighbours)
        choice = by_start.argmax(axis=1)
        reached = by_start[np.arange(n), choice]
        # Sideways too: a forest's acquisition is flat in steps, and standing still on a
        # step ends the search.
        moved = np.flatnonzero(reached >= start_values)
        if not len(moved):
            break
        stepped = moves[moved * settings.n_neighbours + choice[moved]]
        starts, start_values = stepped, reached[moved]
    everything, all_values = Points.join(parts), np.concatenate(part_values)
    order = np.lexsort([rng.random(len(all_values)), -all_values])
    return everything[order]
