"""One protocol for everything that ends trials early: `Stopper`.

A stopper looks at what runs and at what has ended, and says of each running trial whether it
goes on. It learns only through its arguments, so that resuming a study needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from octavo.history import History
from octavo.trial import Proposal, Report

__all__ = ["Decision", "Running", "Stopper"]

Decision = Literal["go", "pause", "stop"]
"""What becomes of a running trial; a paused one may go on later, by a proposal with its index as
`resume_from`."""


@dataclass(frozen=True, slots=True)
class Running:
    """A trial under way.

    Parameters
    ----------
    proposal
        What is being evaluated.
    reports
        What it reported so far, in order.
    elapsed_s
        Seconds since it was submitted.
    """

    proposal: Proposal
    reports: tuple[Report, ...]
    elapsed_s: float


@runtime_checkable
class Stopper(Protocol):
    """Decides whether what runs should go on.

    Write it as a frozen dataclass of settings: then a study remembers it, and `Study.resume`
    goes on with it. One that looks at the reported costs of the first objective and nothing else
    says so by a class attribute `judges_one_cost = True`: it is refused where there are several
    objectives, and missed reports of that one are warned of.
    """

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        """What becomes of running trials, by the index of their proposals.

        Parameters
        ----------
        running
            All trials under way, those included that have reported nothing yet; not those that
            were told to stop before.
        history
            All completed trials.

        Returns
        -------
        Mapping
            Whoever is left out goes on.
        """
        ...
