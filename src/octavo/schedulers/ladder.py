"""The fidelities at which configurations are compared: rungs of a ladder, and who is on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from octavo.errors import ProblemError, SettingError
from octavo.optimizers.proposing import new_proposal
from octavo.optimizers.targets import places
from octavo.optimizers.told import Told, unit_fidelity
from octavo.problem import Fidelity, Problem
from octavo.trial import Proposal, Status, Trial

__all__ = ["Board", "check_eta", "levels"]

_MOST_STEPS = 3  # below the full budget, where a linear fidelity starts at zero
_SAME = 1e-9  # of the range: fidelities that are closer are one


def levels(fidelity: Fidelity | None, eta: float) -> tuple[float, ...]:
    """The fidelities of the rungs, ascending; the last one is the full budget.

    Each is `eta` times the one below (Li 2018), down to the last that is not below
    `fidelity.low`. With `log=False`, as many are spread evenly instead, from `fidelity.low` on;
    four of them where that is 0 or less. Whole where only whole numbers make sense.

    Raises
    ------
    ProblemError
        Without a fidelity, or if there is no room for a second rung.

    Examples
    --------
    >>> levels(Fidelity("epochs", 1, 81), eta=3)
    (1, 3, 9, 27, 81)
    >>> levels(Fidelity("share", 0.1, 1.0), eta=3)
    (0.1111111111111111, 0.3333333333333333, 1.0)
    >>> levels(Fidelity("folds", 1, 10, log=False), eta=3)
    (1, 6, 10)
    """
    if fidelity is None:
        raise ProblemError(
            "this optimizer decides how much of the full budget each trial spends, but the problem "
            "has no fidelity. Say what it counts and from where to where, such as "
            "fidelity=octavo.Fidelity('epochs', 1, 81), or use an optimizer without a schedule, "
            "such as 'auto'."
        )
    low, high = float(fidelity.low), float(fidelity.high)
    steps = _MOST_STEPS
    if low > 0:  # the 1e-9: log(81) / log(3) shall be 4, not less
        steps = math.floor(math.log(high / low) / math.log(eta) + 1e-9)
    if fidelity.log or (low > 0 and steps == 0):
        found = [high * eta**-k for k in range(steps, -1, -1)]
    else:
        found = [high - (high - low) * k / max(steps, 1) for k in range(steps, -1, -1)]
    if fidelity.integer:
        found = [math.floor(value + 0.5) for value in found]
    found = sorted({min(max(value, fidelity.low), fidelity.high) for value in found})
    if len(found) < 2:
        raise ProblemError(
            f"fidelity {fidelity.name!r} goes from {fidelity.low} to {fidelity.high}, and with "
            f"eta={eta} there is no cheaper rung in between: high must be at least eta times low. "
            f"Lower its low bound to {high / eta:g} or less, or lower eta."
        )
    return tuple(found)


def check_eta(eta: float) -> None:
    """Refuse an `eta` with which a rung would not be smaller than the one below."""
    if isinstance(eta, bool) or not isinstance(eta, int | float) or not 1.5 <= eta < math.inf:
        raise SettingError(
            f"eta={eta!r} must be a number of at least 1.5: one in eta goes on to the next rung, "
            "with eta times the budget. Leave it out for 3."
        )


@dataclass(frozen=True, slots=True)
class _Top:
    """The highest rung that a configuration has been on, and the trial that put it there."""

    rung: int
    row: int


class Board:
    """All told trials, by the rung on which they ran.

    Parameters
    ----------
    problem
        With a fidelity.
    seed
        Of the optimizer.
    eta
        Ratio of neighbouring rungs.
    name
        Of the scheduler, under which proposals remember what they are for.

    Attributes
    ----------
    told
        The trials.
    proposals
        Of each row of `told`.
    levels
        The fidelities of the rungs.
    costs : shape (n_rungs,)
        What a trial costs on each rung: its fidelity, but never nothing.
    """

    def __init__(self, problem: Problem, seed: int, eta: float, name: str) -> None:
        self.problem, self.seed, self.name = problem, seed, name
        self.levels = levels(problem.fidelity, eta)
        self.told = Told(problem)
        self.proposals: list[Proposal] = []
        self.tops: dict[bytes, _Top] = {}
        least = self.levels[-1] * eta**-self.n_rungs  # where a linear fidelity starts at zero
        self.costs = np.maximum(np.array(self.levels, dtype=float), least)
        self._units = unit_fidelity(problem.fidelity, self.levels)

    @property
    def n_rungs(self) -> int:
        """How many rungs there are."""
        return len(self.levels)

    def extend(self, trials: Sequence[Trial]) -> Iterator[tuple[int, Trial]]:
        """Add trials; yields the row of each that was run, with the trial.

        What was cancelled was not run: its place is open again.
        """
        start = len(self.told)
        added = self.told.extend(trials)
        self.proposals.extend(trial.proposal for trial in added)
        for row, trial in enumerate(added, start=start):
            if trial.status is Status.CANCELLED:
                continue
            rung = self.rung_of(row)
            key = self.told.keys[row]
            if rung is not None and (key not in self.tops or self.tops[key].rung <= rung):
                self.tops[key] = _Top(rung, row)
            yield row, trial

    def rung_of(self, row: int) -> int | None:
        """The rung at whose fidelity a trial ran; None if there is none."""
        return self._rung(float(self.told.fidelity[row]))

    def rung_of_proposal(self, proposal: Proposal) -> int | None:
        """The rung at whose fidelity a proposal asks to run; None if there is none."""
        return self._rung(float(unit_fidelity(self.problem.fidelity, [proposal.fidelity])[0]))

    def _rung(self, unit: float) -> int | None:
        nearest = int(np.argmin(np.abs(self._units - unit)))
        return nearest if abs(self._units[nearest] - unit) <= _SAME else None

    def best_first(self, rows: Sequence[int], enough: int | None = None) -> list[int]:
        """Those rows that may go on, the best first: those that succeeded, by `places`."""
        among = np.array([row for row in rows if self.told.is_success[row]], dtype=np.int64)
        if not len(among):
            return []
        order = np.lexsort([self.told.index[among], places(self.told, among, enough)])
        return [int(row) for row in among[order]]

    def remembered(self, proposal: Proposal) -> Mapping[str, Any]:
        """What a proposal remembers under this scheduler's name; nothing if it is not ours."""
        data = proposal.origin.data.get(self.name)
        return data if isinstance(data, Mapping) else {}

    def started(self, fresh: Proposal, rung: int, data: Mapping[str, Any]) -> Proposal:
        """A new configuration, to run on a rung.

        Parameters
        ----------
        fresh
            From whoever proposes configurations.
        rung
            Where it runs.
        data
            What to remember beside the rung.
        """
        mine = {**self.remembered(fresh), **data, "rung": rung}
        remembered = {**fresh.origin.data, self.name: mine}
        return replace(
            fresh,
            fidelity=self.levels[rung],
            origin=replace(fresh.origin, data=remembered),
        )

    def promoted(
        self, row: int, rung: int, pending: Sequence[Proposal], data: Mapping[str, Any]
    ) -> Proposal:
        """A configuration again, on a higher rung, where possible from where it stopped."""
        parent = self.proposals[row]
        proposal = new_proposal(
            self.problem,
            self.seed,
            self.told.next_index(pending),
            parent.config,
            by=self.name,
            intent="promotion",
            parents=(parent.index,),
            data={self.name: {**data, "rung": rung}},
        )
        # The same run goes on, so the seed is the same, also where it starts from zero.
        return replace(
            proposal, seed=parent.seed, fidelity=self.levels[rung], resume_from=parent.index
        )

    def last_ones(self, pending: Sequence[Proposal]) -> Proposal | None:
        """Where no new configuration is left: the best that has not had the full budget yet.

        None if all had, or failed on the way.
        """
        top = self.n_rungs - 1
        waiting = set(self.told.seen(pending).pending.keys())
        open_tops = [its for key, its in self.tops.items() if its.rung < top and key not in waiting]
        for rung in sorted({its.rung for its in open_tops}, reverse=True):
            rows = self.best_first([its.row for its in open_tops if its.rung == rung])
            if rows:
                return self.promoted(rows[0], top, pending, {})
        return None
