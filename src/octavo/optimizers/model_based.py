"""The course that all optimizers with a model take: a design first, then what the model likes.

What differs is the model: something that ranks configurations, given what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from octavo.optimizers.beliefs import FadingBelief
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.trial import Proposal, Trial

__all__ = ["Model", "ModelBased", "Moment"]


@dataclass(frozen=True, slots=True)
class Moment:
    """All that the next proposal may depend on.

    Parameters
    ----------
    told
        What is known; at least `Model.least_known` trials have costs.
    seen
        All configurations told or pending.
    memory
        What the latest proposal that carries any wrote into its origin; see `Model.rank`.
    index
        Of the proposal.
    rng
        Draws everything.
    log_belief
        What beliefs add to the logarithm of a value, shape (n,).
    """

    told: Told
    seen: Seen
    memory: Mapping[str, Any] | None
    index: int
    rng: np.random.Generator
    log_belief: Callable[[Points], NDArray[np.float64]]


class Model(Protocol):
    """What ranks configurations."""

    name: str
    """In the catalog; proposals say that they are by it."""

    intent: str
    """What it looks for, in words."""

    least_known: int
    """Trials with costs that it needs."""

    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        """Candidates, best first, and what later proposals shall be able to remember."""
        ...


class ModelBased:
    """An optimizer from a model.

    Parameters
    ----------
    problem, seed
        As in `Recipe.start`.
    model
        Ranks candidates.
    n_initial
        Size of the initial design; None for that of `design_size`.
    belief_strength
        See `FadingBelief`.
    random_share
        Share of proposals after it that are drawn at random.
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        model: Model,
        *,
        n_initial: int | None,
        belief_strength: float | None,
        random_share: float = 0.0,
    ) -> None:
        self._problem, self._seed, self._model = problem, seed, model
        self._n_initial = design_size(problem) if n_initial is None else n_initial
        self._random_share = random_share
        self._belief = FadingBelief(problem, belief_strength, self._n_initial)
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._memory: tuple[int, Mapping[str, Any] | None] = (-1, None)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn of completed trials."""
        self._told.extend(trials)
        self._memory = self._latest([trial.proposal for trial in trials])

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        """Up to `n` proposals."""
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        n_known = int(told.is_known.sum())
        memory: Mapping[str, Any] = {}
        is_early = index < self._n_initial and n_known < self._n_initial
        if is_early or n_known < self._model.least_known:
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        elif self._random_share and rng.random() < self._random_share:
            point, intent = self._unseen.draw(seen, rng), "interleaved random draw"
        else:
            belief = self._belief.at(told, index)
            moment = Moment(told, seen, self._latest(pending)[1], index, rng, belief)
            ranked, memory = self._model.rank(moment)
            row = seen.first_unseen(ranked)
            point = None if row is None else ranked[row : row + 1]
            intent = self._model.intent
            if point is None:  # of a nearly exhausted space, no candidate was new
                point, intent = self._unseen.draw(seen, rng), "uniform draw"
        if point is None:
            return None
        name = self._model.name
        return new_proposal(
            self._problem,
            self._seed,
            index,
            self._problem.space.decode(point)[0],
            by=name,
            intent=intent,
            data={name: memory} if memory else None,
        )

    def _latest(self, proposals: Sequence[Proposal]) -> tuple[int, Mapping[str, Any] | None]:
        """The memory of the proposal with the highest index that carries one."""
        latest = self._memory
        for proposal in proposals:
            data = proposal.origin.data.get(self._model.name)
            if isinstance(data, Mapping):  # whoever wrapped the proposal
                latest = max(latest, (proposal.index, data), key=lambda memory: memory[0])
        return latest
