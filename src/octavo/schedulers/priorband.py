"""PriorBand: Hyperband whose new configurations follow beliefs, as far as these prove right.

Mallik, Bergman, Hvarfner, Stoll, Janowski, Lindauer, Nardi & Hutter (2023), PriorBand: Practical
Hyperparameter Optimization in the Age of Deep Learning, NeurIPS. A new configuration is drawn
uniformly, from the belief, or near the incumbent. On the lowest rung half of them are uniform; on
each higher one the odds are `eta` times lower, as dear evaluations should not be spent blindly.
The rest is shared by belief and incumbent according to how probable each makes the best
configurations so far, so that a wrong belief is soon left alone. In the paper the incumbent is
drawn near only once the budget of one whole bracket is spent; here, as soon as there are `eta`
configurations to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from octavo.optimizers.believed_draws import BelievedDraws
from octavo.optimizers.proposing import new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.told import Seen
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.schedulers.brackets import Brackets, Place, hyperband_brackets
from octavo.schedulers.ladder import Board, check_eta
from octavo.spaces.believed import Believed
from octavo.spaces.protocol import Points
from octavo.trial import Proposal

__all__ = ["PriorBand"]

_NAME = "priorband"
_CHANGED = 0.5  # of the incumbent's hyperparameters, by those drawn near it (Mallik 2023, 5.1)
_DRAWS = 16  # near the incumbent, to find a new one


@dataclass(frozen=True)
class PriorBand:
    """Hyperband with beliefs. Without any, it draws uniformly and near the incumbent.

    Parameters
    ----------
    eta
        Ratio of neighbouring rungs.

    Raises
    ------
    SettingError
        If `eta` is below 1.5.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> space = spaces.space(x=spaces.Float(0, 1, prior=0.2))
    >>> problem = Problem(space, fidelity=Fidelity("epochs", 1, 9))
    >>> first, second = PriorBand().start(problem, seed=0).ask(2)
    >>> first.origin.intent, second.origin.intent
    ('default configuration', 'draw by belief')
    """

    eta: float = 3

    def __post_init__(self) -> None:
        check_eta(self.eta)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        board = Board(problem, seed, self.eta, _NAME)
        sampling = _EnsembleSampling(board, self.eta)
        return Brackets(board, hyperband_brackets(board.n_rungs, self.eta), sampling.draw)


class _EnsembleSampling:
    """Draws new configurations; it reads the board and keeps nothing."""

    def __init__(self, board: Board, eta: float) -> None:
        self._board, self._eta = board, eta
        self._space = board.problem.space
        self._believed = BelievedDraws(self._space)
        self._unseen = Unseen(self._space)
        self._default = self._space.encode([self._space.default()])

    def draw(self, pending: Sequence[Proposal], place: Place) -> Proposal | None:
        """A new configuration for a place; None if all of a finite space have been tried."""
        board = self._board
        index = board.told.next_index(pending)
        rng, seen = proposal_rng(board.seed, index), board.told.seen(pending)
        shares = self.shares(place.rung)
        point, intent, parents = self._drawn(shares, seen, rng)
        if point is None:
            return None
        return new_proposal(
            board.problem,
            board.seed,
            index,
            self._space.decode(point)[0],
            by=_NAME,
            intent=intent,
            parents=parents,
            data={_NAME: {"shares": list(shares)}},
        )

    def _drawn(
        self, shares: tuple[float, float, float], seen: Seen, rng: np.random.Generator
    ) -> tuple[Points | None, str, tuple[int, ...]]:
        if self._believed.has_any and seen.first_unseen(self._default) is not None:
            return self._default, "default configuration", ()
        source = int(rng.choice(3, p=shares))
        if source == 1:
            point = self._believed.draw(seen, rng)
            if point is not None:
                return point, "draw by belief", ()
        if source == 2:
            row = self._best()[0]
            point = self._near(row, seen, rng)
            if point is not None:
                return point, "near the incumbent", (self._board.proposals[row].index,)
        return self._unseen.draw(seen, rng), "uniform draw", ()

    def shares(self, rung: int) -> tuple[float, float, float]:
        """Probabilities of a uniform draw, of one by belief, and of one near the incumbent."""
        uniform = 1.0 / (1.0 + self._eta**rung)
        best = self._best()
        if not self._believed.has_any:
            return (uniform, 0.0, 1.0 - uniform) if best else (1.0, 0.0, 0.0)
        if not best:
            return uniform, 1.0 - uniform, 0.0
        # How probable belief and incumbent make the best ones, the best of which weigh most.
        points = self._board.told.points[best]
        belief = self._space.log_belief(points)
        config = self._board.proposals[best[0]].config
        near = Believed(self._space, [config]).log_belief(points) - belief
        log_weights = np.log(np.arange(len(best), 0, -1))
        by_belief = np.logaddexp.reduce(log_weights + belief)
        by_incumbent = np.logaddexp.reduce(log_weights + near)
        share = float(np.exp(by_belief - np.logaddexp(by_belief, by_incumbent)))
        return uniform, (1.0 - uniform) * share, (1.0 - uniform) * (1.0 - share)

    def _best(self) -> list[int]:
        """The best part of the highest rung with `eta` configurations; nothing before."""
        on_rungs: list[list[int]] = [[] for _ in self._board.levels]
        for top in self._board.tops.values():
            on_rungs[top.rung].append(top.row)
        for rows in reversed(on_rungs):
            ranked = self._board.best_first(rows)
            if len(ranked) >= self._eta:
                return ranked[: max(int(self._eta), int(len(rows) / self._eta))]
        return []

    def _near(self, row: int, seen: Seen, rng: np.random.Generator) -> Points | None:
        """A new configuration that shares about half of its values with a told one."""
        points = self._board.told.points[[row] * _DRAWS]
        n_active = int((~np.isnan(points.values[0])).sum())
        for _ in range(max(1, rng.binomial(n_active, _CHANGED))):
            points = self._space.mutate(points, rng)
        found = seen.first_unseen(points)
        return None if found is None else points[found : found + 1]
