"""Scrambled Sobol sequence: points that fill a space more evenly than chance.

Sobol (1967), On the distribution of points in a cube and the approximate evaluation of
integrals; Owen (1998), Scrambling Sobol and Niederreiter-Xing points, J. Complexity 14.
Proposal number i is point number i of the sequence, so a replay is exact. Where the space has
beliefs, every second proposal is a draw from them, and the others go through the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.believed_draws import BelievedDraws
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.told import Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["Sobol", "SobolPoints"]

_MOST_DIMS = 21201  # as many direction numbers as there are
_BLOCK = 256
_LENGTH = 2**30  # points in the whole sequence


@dataclass(frozen=True)
class Sobol:
    """Quasi-random search; has no settings.

    A point that is forbidden or was tried before is replaced by a random configuration; so
    are all points of a space with more dimensions than the sequence has.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> configs = [proposal.config for proposal in Sobol().start(problem, seed=0).ask(4)]
    >>> sorted(int(4 * config["x"]) for config in configs)   # one in each quarter
    [0, 1, 2, 3]
    """

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _Sobol(problem, seed)


class _Sobol:
    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._points = SobolPoints(problem.space.n_dims, seed)
        self._believed = BelievedDraws(problem.space)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        space, index = self._problem.space, self._told.next_index(pending)
        seen, rng = self._told.seen(pending), proposal_rng(self._seed, index)
        number = index
        if self._believed.has_any:
            number, is_by_belief = divmod(index, 2)
            drawn = self._believed.draw(seen, rng) if is_by_belief else None
            if drawn is not None:
                return self._proposal(index, space.decode(drawn)[0], "draw by belief")
        u = self._points.at(number)
        if u is not None:
            points, _ = space.from_unit(u[None, :])
            if seen.first_unseen(points) is not None:
                return self._proposal(index, space.decode(points)[0], f"point {number}")
        drawn = self._unseen.draw(seen, rng)
        if drawn is None:
            return None
        return self._proposal(index, space.decode(drawn)[0], "uniform draw")

    def _proposal(self, index: int, config: dict[str, object], intent: str) -> Proposal:
        return new_proposal(self._problem, self._seed, index, config, by="sobol", intent=intent)


class SobolPoints:
    """Random access to a scrambled Sobol sequence.

    Parameters
    ----------
    n_dims
        Dimensions of the cube.
    seed
        Scrambles the sequence.
    """

    def __init__(self, n_dims: int, seed: int) -> None:
        self._n_dims, self._seed = n_dims, seed
        self._blocks: dict[int, NDArray[np.float64]] = {}

    def at(self, index: int) -> NDArray[np.float64] | None:
        """Point number `index`: shape (n_dims,), in [0, 1); None where the sequence has none."""
        if not 1 <= self._n_dims <= _MOST_DIMS or index >= _LENGTH:
            return None
        block, place = divmod(index, _BLOCK)
        if block not in self._blocks:
            from scipy.stats import qmc  # slow to import, and not everybody needs it

            engine = qmc.Sobol(self._n_dims, scramble=True, rng=np.random.default_rng(self._seed))
            if block:
                engine.fast_forward(block * _BLOCK)
            self._blocks = {block: engine.random(_BLOCK)}  # one is enough: indices grow
        return np.asarray(np.minimum(self._blocks[block][place], 1.0 - 2.0**-53))
