"""A study in miniature: asks, waits, answers out of order, with several trials in flight."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from octavo.errors import SpaceError
from octavo.optimizers.protocol import Optimizer
from octavo.problem import Problem
from octavo.testing.problems import answer
from octavo.trial import Proposal, Trial

__all__ = ["LawBroken", "Moment", "check_proposal", "identity", "live"]


class LawBroken(AssertionError):
    """An optimizer broke a law. The message says which, where and how to see it again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A study just before it asks.

    Parameters
    ----------
    told
        Trials so far, in order of completion.
    pending
        Proposals in flight.
    proposal
        What the optimizer answered; None if it declared the search over.
    """

    told: tuple[Trial, ...]
    pending: tuple[Proposal, ...]
    proposal: Proposal | None


def live(
    optimizer: Optimizer,
    problem: Problem,
    *,
    n: int,
    workers: int = 1,
    seed: int = 0,
    respond: Callable[[Problem, Proposal], Trial] = answer,
) -> Iterator[Moment]:
    """Run a study of at most `n` proposals; yields a moment for each time that it asked.

    Every proposal is checked, see `check_proposal`.

    Parameters
    ----------
    optimizer
        Started on `problem`.
    problem
        What is asked.
    n
        Number of asks.
    workers
        Trials in flight; they come back in random order.
    seed
        Draws which trial comes back next.
    respond
        Answers a proposal.
    """
    rng = np.random.default_rng(seed)
    told: list[Trial] = []
    pending: list[Proposal] = []
    for _ in range(n):
        asked = list(optimizer.ask(1, pending=tuple(pending)))
        if len(asked) > 1:
            raise LawBroken(f"ask(1) gave {len(asked)} proposals.")
        proposal = asked[0] if asked else None
        yield Moment(tuple(told), tuple(pending), proposal)
        if proposal is not None:
            check_proposal(problem, proposal, told, pending)
            pending.append(proposal)
        elif not pending:
            return
        if len(pending) >= workers or proposal is None:
            done = pending.pop(int(rng.integers(len(pending))))
            told.append(respond(problem, done))
            optimizer.tell([told[-1]])


def check_proposal(
    problem: Problem, proposal: Proposal, told: Sequence[Trial], pending: Sequence[Proposal]
) -> None:
    """Whether a proposal is one that a study can run.

    Its configuration is legal, plain JSON and complete; its index follows those told and
    pending; its seed fits 31 bits; its fidelity is within the problem's, full without
    a scheduler; and no other trial asks the same.

    Raises
    ------
    LawBroken
        Saying what is wrong with it.
    """
    try:
        checked = problem.space.check(proposal.config)
    except SpaceError as error:
        raise LawBroken(
            f"proposal {proposal.index} has {dict(proposal.config)!r}, which is not in the "
            f"space: {error}"
        ) from error
    try:
        copy = json.loads(json.dumps(dict(proposal.config)))
        json.dumps(dict(proposal.origin.data))
    except TypeError as error:
        raise LawBroken(
            f"proposal {proposal.index} cannot be stored: {error}. Configurations and "
            "origin.data hold plain Python values."
        ) from error
    if checked != dict(proposal.config) or copy != dict(proposal.config):
        raise LawBroken(
            f"proposal {proposal.index} has {dict(proposal.config)!r}; written as the space "
            f"writes it, it would be {checked!r}."
        )
    expected = max([-1, *(t.index for t in told), *(p.index for p in pending)]) + 1
    if proposal.index != expected:
        raise LawBroken(
            f"a proposal has index {proposal.index}, but {expected} comes next: one more than "
            "the highest index told or pending."
        )
    if not 0 <= proposal.seed < 2**31:
        raise LawBroken(f"proposal {expected} has seed {proposal.seed}, outside [0, 2**31).")
    if proposal.instance is not None and proposal.instance not in problem.instances:
        raise LawBroken(
            f"proposal {expected} has instance {proposal.instance!r}; the problem's are "
            f"{list(problem.instances)}."
        )
    if proposal.cutoff_s is not None and not proposal.cutoff_s > 0:
        raise LawBroken(f"proposal {expected} has cutoff_s={proposal.cutoff_s}, not above 0.")
    fidelity = problem.fidelity
    if (fidelity is None) != (proposal.fidelity is None):
        raise LawBroken(
            f"proposal {expected} has fidelity {proposal.fidelity}; the problem's is {fidelity}."
        )
    if fidelity is None or proposal.fidelity is None:
        return
    if not fidelity.low <= proposal.fidelity <= fidelity.high:
        raise LawBroken(
            f"proposal {expected} has fidelity {proposal.fidelity}, outside "
            f"[{fidelity.low}, {fidelity.high}]."
        )


def identity(problem: Problem, proposal: Proposal) -> tuple[object, ...]:
    """What makes two proposals the same question; repeats differ in their seed."""
    (key,) = problem.space.encode([proposal.config]).keys()
    seed = proposal.seed if problem.repeats > 1 else None
    return key, proposal.fidelity, proposal.instance, seed
