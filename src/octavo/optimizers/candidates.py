"""Finding the configurations that a utility of Gaussian processes likes best.

Random configurations and moves from the best tried ones are ranked; the best of them climb by
gradient in their numbers, then by moves of one hyperparameter at a time, and again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from octavo.optimizers.encoded import Encoded
from octavo.optimizers.processes import Moved, Processes
from octavo.optimizers.trust_region import Box
from octavo.optimizers.unit_cube import Cube
from octavo.optimizers.utilities import Utility
from octavo.spaces.protocol import Points, Space
from octavo.surrogates.kernel import Layout

__all__ = ["Search"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FINE = 20  # a discrete number of more values than this is climbed as if it were continuous
_N_NEAR = 100  # moves from the best tried ones
_N_MOVES = 40  # from the tops
_ROUNDS = 2  # of climbing and moving
_STEPS = 20  # of one climb


class Search:
    """Maximizes a utility plus a prior.

    Parameters
    ----------
    space, cube
        Where to search.
    encoded, layout
        How configurations become features.
    processes, utility
        What they say, and what that is worth.
    prior
        Added to the logarithm of the utility; it has no gradient.
    """

    def __init__(
        self,
        space: Space,
        cube: Cube,
        encoded: Encoded,
        layout: Layout,
        processes: Processes,
        utility: Utility,
        prior: Callable[[Points], Floats],
    ) -> None:
        self._space, self._cube = space, cube
        self._encoded, self._layout = encoded, layout
        self._processes, self._utility, self._prior = processes, utility, prior
        ordered = layout.ordered.tolist()
        fine = [
            place
            for place, j in enumerate(ordered)
            if (encoded.columns[j].n_values or np.inf) > _FINE and j < len(space.columns)
        ]
        self._numbers: Ints = np.array(fine, dtype=np.int64)  # among the features
        self._columns: Ints = layout.ordered[self._numbers]  # among the encoded columns

    def value(self, points: Points) -> Floats:
        """Shape (n,)."""
        features = self._layout.features(self._encoded.matrix(points))
        mean, deviation = self._processes.predict(features)
        return self._utility.log_value(mean, deviation) + self._prior(points)

    def box(self, centre: Points, side: float) -> Box | None:
        """A part of the space around one row, see `Box`; None where rows are not free to move.

        Its sides are in the ratio of the length scales; `side` is their geometric mean.
        """
        d = len(self._space.columns)
        if not (d and self._cube.is_free and self._encoded.is_complete(centre)):
            return None
        columns = self._layout.ordered[self._layout.ordered < d]
        row = self._encoded.matrix(centre)[0, :d]
        return Box.around(row, columns, self._processes.lengths[: len(columns)], side)

    def rank(
        self,
        incumbents: Points,
        rng: np.random.Generator,
        *,
        n_random: int,
        n_climbs: int,
        box: Box | None = None,
    ) -> Points:
        """Candidates, best first.

        Parameters
        ----------
        incumbents
            The best configurations tried so far; at least one.
        rng
            Draws everything.
        n_random
            Random configurations.
        n_climbs
            How many of the best are improved.
        box
            Where they are drawn and climb to; everywhere by default. Moves may leave it.
        """
        random = self._space.sample(n_random, rng)
        if box is not None:
            within, _ = self._cube.legal(box.draw(random.values, rng), rng)
            random = within if len(within) else random
        near = self._space.mutate(incumbents[np.arange(_N_NEAR) % len(incumbents)], rng)
        points = Points.join([random, near])
        values = self.value(points)
        for _ in range(_ROUNDS if n_climbs else 0):
            order = np.argsort(-values, kind="stable")[:n_climbs]
            tops = self._climb(points[order], rng, box)
            moves = self._space.mutate(tops[np.arange(_N_MOVES) % len(tops)], rng)
            more = Points.join([tops, moves])
            points = Points.join([points, more])
            values = np.concatenate([values, self.value(more)])
        return points[np.argsort(-values, kind="stable")]

    def _climb(self, starts: Points, rng: np.random.Generator, box: Box | None) -> Points:
        """The tops that are reached; a start stays where its top would not be legal."""
        if not (self._cube.is_free and self._encoded.is_complete(starts)):
            return starts
        matrix = self._encoded.matrix(starts)
        which = ~np.isnan(matrix[:, self._columns])
        if not which.any():
            return starts
        # One unit along each axis is one length scale: the preconditioner.
        length = np.clip(self._processes.lengths[self._numbers], 0.05, 2.0)
        unit = np.broadcast_to(length, which.shape)[which]
        at = matrix[:, self._columns]
        low, high = np.zeros(len(unit)), np.ones(len(unit))
        if box is not None:
            low = np.broadcast_to(box.low[self._columns], which.shape)[which]
            high = np.broadcast_to(box.high[self._columns], which.shape)[which]
            at[which] = np.clip(at[which], low, high)
        features = self._layout.features(matrix)
        predict, numbers = self._processes.moving(features), features.numbers
        rows, places = np.nonzero(which)
        climbed = (rows, self._numbers[places])

        def loss(x: Floats) -> tuple[float, Floats]:
            numbers[climbed] = self._layout.placed(x * unit)
            value, gradient = self._value_with_gradient(predict(numbers))
            return -float(value.sum()), -gradient[climbed] * unit

        found = minimize(
            loss,
            at[which] / unit,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low / unit, high / unit, strict=True)),
            options={"maxiter": _STEPS},
        )
        at[which] = np.clip(found.x * unit, low, high)
        matrix[:, self._columns] = at
        tops, legal = self._cube.legal(self._encoded.points(matrix).values, rng)
        return Points.join([tops, starts[~legal]])

    def _value_with_gradient(self, moved: Moved) -> tuple[Floats, Floats]:
        """What is climbed at each row, and its derivatives by the numbers."""
        mean, deviation, mean_by_x, deviation_by_x = moved
        value, by_mean, by_deviation = self._utility.climbed(mean, deviation)
        gradient = np.einsum("km,kmp->mp", by_mean, mean_by_x)
        gradient += np.einsum("km,kmp->mp", by_deviation, deviation_by_x)
        return value, gradient
