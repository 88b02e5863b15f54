"""Begin with configurations that somebody knows to be good, then go on as usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from octavo.optimizers.proposing import ask_in_turn, new_proposal
from octavo.optimizers.protocol import Optimizer, Recipe, kept_by
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_recipe
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["Warmed"]


@dataclass(frozen=True)
class Warmed:
    """Proposes the given configurations first, in order, then what `inner` proposes.

    A configuration that was told or is pending already is skipped. `inner` learns of all
    trials.

    Parameters
    ----------
    first
        Configurations of the space.
    inner
        What proposes afterwards.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.optimizers.random_search import RandomSearch
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> optimizer = Warmed(first=[{"x": 0.25}], inner=RandomSearch()).start(problem, seed=0)
    >>> [proposal.origin.by for proposal in optimizer.ask(2)]
    ['warmed', 'random']
    """

    first: Sequence[Mapping[str, Any]] = ()
    inner: Recipe = field(default_factory=RandomForestBO)

    def __post_init__(self) -> None:
        check_recipe(self)
        object.__setattr__(self, "first", tuple(dict(config) for config in self.first))

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `SpaceError` if a configuration is not in the space."""
        first = [problem.space.check(config) for config in self.first]
        return _Warmed(problem, seed, first, self.inner.start(problem, seed))


class _Warmed:
    def __init__(
        self, problem: Problem, seed: int, first: list[dict[str, Any]], inner: Optimizer
    ) -> None:
        self._problem, self._seed, self._inner = problem, seed, inner
        self._told = Told(problem)
        keys = problem.space.encode(first).keys() if first else []
        self._first = list(zip(keys, first, strict=True))

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)
        self._inner.tell(trials)

    def keep_checkpoints(self) -> frozenset[int] | None:
        return kept_by(self._inner)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        seen = self._told.seen(pending) if self._first else ()
        for key, config in self._first:
            if key not in seen:
                index = self._told.next_index(pending)
                return new_proposal(
                    self._problem, self._seed, index, config, by="warmed", intent="known before"
                )
        return next(iter(self._inner.ask(1, pending=pending)), None)
