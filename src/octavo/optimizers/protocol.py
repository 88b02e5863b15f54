"""One protocol for everything that proposes: `Recipe` and `Optimizer`.

The replay law: the next proposal is a pure function of (problem, seed, trials told in order
of completion, pending proposals, number proposed). A fresh optimizer that is told a history
goes on exactly as the one that lived through it, so resuming, moving to another machine and
warm starting need no code of their own. `octavo.testing` checks it.

What follows from it for whoever writes an optimizer:

- The number proposed is `next_index(...)`: one more than the highest index told or pending.
- Each proposal's randomness comes from `np.random.default_rng([seed, index])`, never from a
  generator that lives longer.
- `ask(n)` gives what asking n times for one gives, each time with the earlier ones pending.
- What must be remembered beyond the trials goes into `Proposal.origin.data`.
- An empty answer means: there is nothing left that is worth trying, the search is over.
- An optimizer without a scheduler proposes at full fidelity (`problem.fidelity.high`).
- One whose proposals go on from checkpoints (`Proposal.resume_from`) may have a method
  `keep_checkpoints() -> frozenset[int]`: the trials that may still be resumed. The study then
  deletes the checkpoints of all others, but for incumbents'. A wrapper passes it on by `kept_by`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from octavo.problem import Problem
from octavo.trial import Proposal, Trial

__all__ = ["Optimizer", "Recipe", "kept_by", "next_index", "trial_seed"]


class Optimizer(Protocol):
    """Decides what to try next."""

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        """Up to `n` proposals, given the told trials and those proposed but not yet told."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn of completed trials, in order of completion; also of foreign ones."""
        ...


@runtime_checkable
class Recipe(Protocol):
    """The settings of an optimizer: a frozen dataclass. Wrappers hold recipes."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` if it cannot work on this problem."""
        ...


def kept_by(optimizer: Optimizer) -> frozenset[int] | None:
    """Indices of the trials that an optimizer may still resume; None if it does not say."""
    keep = getattr(optimizer, "keep_checkpoints", None)
    return None if keep is None else keep()


def next_index(n_told: int, pending: Sequence[Proposal]) -> int:
    """The index of the next proposal.

    Parameters
    ----------
    n_told
        One more than the highest index among told trials; 0 before any.
    pending
        Proposed and not yet told.
    """
    return max([n_told, *(proposal.index + 1 for proposal in pending)])


def trial_seed(seed: int, index: int) -> int:
    """The seed that a trial's objective gets: in [0, 2**31), spread evenly.

    Examples
    --------
    >>> trial_seed(0, 1) == trial_seed(0, 1), trial_seed(0, 1) == trial_seed(0, 2)
    (True, False)
    """
    import numpy as np

    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] >> 1)
