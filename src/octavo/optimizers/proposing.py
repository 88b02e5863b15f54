"""How every optimizer turns a configuration into a proposal, and many asks into one.

The other half of the replay law (see `protocol.py`): randomness and seeds come from the
index of the proposal, and asking for several is asking for one several times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from octavo.optimizers.protocol import trial_seed
from octavo.problem import Problem
from octavo.trial import Origin, Proposal

__all__ = ["ask_in_turn", "new_proposal", "proposal_rng"]


def ask_in_turn(
    n: int, pending: Sequence[Proposal], propose: Callable[[list[Proposal]], Proposal | None]
) -> list[Proposal]:
    """Propose one after the other, each time with the earlier ones pending.

    Parameters
    ----------
    n
        How many at most.
    pending
        Proposed and not yet told, in any order.
    propose
        Makes one proposal, given the pending ones sorted by index; None if the search is over.
    """
    # Sorted: the order in which a caller keeps its pending trials must not matter.
    waiting = sorted(pending, key=lambda proposal: proposal.index)
    made: list[Proposal] = []
    while len(made) < n:
        proposal = propose(list(waiting))
        if proposal is None:
            break
        made.append(proposal)
        waiting.append(proposal)
    return made


def proposal_rng(seed: int, index: int) -> np.random.Generator:
    """The generator from which proposal number `index` draws everything."""
    return np.random.default_rng([seed, index])


def new_proposal(
    problem: Problem,
    seed: int,
    index: int,
    config: Mapping[str, Any],
    *,
    by: str,
    intent: str = "",
    parents: tuple[int, ...] = (),
    data: Mapping[str, Any] | None = None,
) -> Proposal:
    """A proposal at full fidelity, with the seed that belongs to its index.

    Parameters
    ----------
    problem
        What it is for.
    seed, index
        The optimizer's seed and the number of the proposal.
    config
        Active hyperparameters and their values.
    by, intent, parents, data
        See `octavo.trial.Origin`.
    """
    return Proposal(
        index=index,
        config=config,
        seed=trial_seed(seed, index),
        fidelity=None if problem.fidelity is None else problem.fidelity.high,
        origin=Origin(by=by, intent=intent, parents=parents, data=dict(data or {})),
    )
