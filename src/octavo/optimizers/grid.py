"""Grid search: all combinations of evenly spread values, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from octavo.errors import SettingError
from octavo.optimizers.proposing import ask_in_turn, new_proposal
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.told import Told
from octavo.optimizers.unseen import complete_resolution
from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["Grid"]

_FINEST = 20  # of the resolutions that are tried to fill a budget
_WITHOUT_BUDGET = 5
_CHUNK = 256


@dataclass(frozen=True)
class Grid:
    """Grid search. The search is over when the whole grid has been tried.

    Parameters
    ----------
    resolution
        Values per continuous or large integer hyperparameter, both bounds included. By
        default the finest that fits into `max_trials`, or 5 without such a limit; a finite
        space that fits is enumerated completely.

    Raises
    ------
    SettingError
        If `resolution` is less than 2.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [proposal.config["x"] for proposal in Grid(resolution=3).start(problem, seed=0).ask(9)]
    [0.0, 0.5, 1.0]
    """

    resolution: int | None = None

    def __post_init__(self) -> None:
        if self.resolution is not None and self.resolution < 2:
            raise SettingError(
                f"resolution={self.resolution!r} must be at least 2, so that a grid has both "
                "bounds of each range. Leave it out to fit the grid to max_trials."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _Grid(problem, seed, self.resolution or _fitting_resolution(problem))


class _Grid:
    def __init__(self, problem: Problem, seed: int, resolution: int) -> None:
        self._problem, self._seed, self._resolution = problem, seed, resolution
        self._told = Told(problem)
        # The enumeration as far as it was needed. It depends on the space alone.
        self._rest: Iterator[dict[str, Any]] = problem.space.grid(resolution)
        self._configs: list[dict[str, Any]] = []
        self._keys: list[bytes] = []
        self._done = 0  # everything before this place has been told

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told, seen = self._told.seen(()), self._told.seen(pending)
        while self._has(self._done) and self._keys[self._done] in told:
            self._done += 1
        place = self._done
        while self._has(place):
            if self._keys[place] not in seen:
                return new_proposal(
                    self._problem,
                    self._seed,
                    self._told.next_index(pending),
                    self._configs[place],
                    by="grid",
                    intent=f"grid of {self._resolution} values per range",
                )
            place += 1
        return None

    def _has(self, place: int) -> bool:
        """Whether the grid has a configuration at this place; makes it known if so."""
        if place >= len(self._configs):
            fresh = list(islice(self._rest, _CHUNK))
            if fresh:
                self._configs.extend(fresh)
                self._keys.extend(self._problem.space.encode(fresh).keys())
        return place < len(self._configs)


def _fitting_resolution(problem: Problem) -> int:
    """The finest resolution whose grid fits into the budget."""
    budget = problem.limits.max_trials
    complete = complete_resolution(problem.space)
    if budget is None:
        return _WITHOUT_BUDGET
    if problem.space.is_finite and _fits(problem, complete, budget):
        return complete
    fitting = [r for r in range(2, _FINEST + 1) if _fits(problem, r, budget)]
    return max(fitting, default=2)


def _fits(problem: Problem, resolution: int, budget: int) -> bool:
    return len(list(islice(problem.space.grid(resolution), budget + 1))) <= budget
