"""Which configuration is best over several instances and seeds: `Standings`.

Means over different instances do not compare: who was only run on the easy ones looks best. So
there is a champion, and it gives way only to a configuration that was run on every (instance,
seed) that it was run on and did better there on average (Hutter et al. 2011, SMAC; the
incumbent of SMAC3 and the elites of irace are chosen so too).

A run that failed counts as much as its race says (`origin.data["race"]["failure_cost"]`: ten
times the cutoff for PAR10), infinitely much where nothing is said. A run that was killed early
because its configuration had lost already (adaptive capping) says only that the cost is higher:
its configuration cannot be champion.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from octavo.problem import Problem
from octavo.trial import Proposal, Status, Trial

__all__ = [
    "RACE",
    "TIMES",
    "Outcome",
    "Pair",
    "Runs",
    "Standing",
    "Standings",
    "Step",
    "is_timed",
    "outcome",
    "pair_of",
]

Pair = tuple[str | None, int]
"""An instance (None for problems without) and a seed; see `pair_of`."""

RACE = "race"
"""The key in `origin.data` under which a race says how a run counts."""


TIMES = ("cpu_time", "wall_time")
"""Objectives that grow while a run runs, so that a run can be ended when it costs too much."""


def is_timed(problem: Problem) -> bool:
    """Whether the first objective is the time that a run takes, so that it can be capped."""
    first = problem.objectives[0]
    return first.name in TIMES and not first.maximize


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run counts in comparisons.

    Parameters
    ----------
    cost
        The first objective, minimized; of a failure its penalty, infinite if it has none.
    is_success
        Whether the cost was measured.
    is_capped
        Whether the run was ended below the race's cutoff: the cost is only known to be higher.
    """

    cost: float
    is_success: bool = True
    is_capped: bool = False


def outcome(problem: Problem, trial: Trial) -> Outcome | None:
    """What a trial counts; None if it counts for nothing.

    That is so for runs that were cancelled, at less than the full fidelity, or on an instance
    that the problem does not name.

    Parameters
    ----------
    problem
        What is asked.
    trial
        Completed.

    Examples
    --------
    >>> from octavo.spaces import Float, space
    >>> from octavo.trial import Origin
    >>> problem = Problem(space(x=Float(0, 1)))
    >>> late = Proposal(0, {"x": 0.5}, origin=Origin(data={RACE: {"failure_cost": 50.0}}))
    >>> outcome(problem, Trial(late, Status.TIMEOUT, (math.nan,)))
    Outcome(cost=50.0, is_success=False, is_capped=False)
    """
    proposal = trial.proposal
    if trial.status is Status.CANCELLED or not _counts(problem, proposal):
        return None
    cost = trial.costs[0] if len(trial.costs) == problem.n_objectives else math.nan
    said = proposal.origin.data.get(RACE)
    race: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    if trial.status is Status.SUCCESS and math.isfinite(cost):
        wide = len(trial.constraints) == len(problem.constraints)
        if wide and problem.is_feasible(trial.constraints):
            # Where nothing enforced the cutoff, a run may have come back beyond it.
            cutoff = math.inf if proposal.cutoff_s is None else proposal.cutoff_s
            if not (is_timed(problem) and cost > cutoff) or race.get("capped"):
                return Outcome(float(cost))
    if trial.status is Status.TIMEOUT and race.get("capped") and proposal.cutoff_s is not None:
        return Outcome(proposal.cutoff_s, is_success=False, is_capped=True)
    return Outcome(float(race.get("failure_cost", math.inf)), is_success=False)


def pair_of(problem: Problem, proposal: Proposal) -> Pair:
    """What a configuration is run on by a proposal.

    Where one seed is enough (`problem.repeats` is 1), a run with any seed is as good as another:
    all of them are the same pair, with a seed of 0.
    """
    return proposal.instance, proposal.seed if problem.repeats > 1 else 0


def _counts(problem: Problem, proposal: Proposal) -> bool:
    if problem.instances and proposal.instance not in problem.instances:
        return False
    full = problem.fidelity
    return full is None or proposal.fidelity is None or proposal.fidelity >= full.high


@dataclass(slots=True)
class Runs:
    """All runs of one configuration.

    Parameters
    ----------
    first
        Row of its first run; rows are whatever the caller numbers trials by.
    first_success
        Row of its first run with a measured cost; None before there is one.
    costs
        By pair; the mean where a pair was run more than once.
    rows
        By pair, all that ran to their end or failed.
    capped
        By pair, above what the cost is known to be.
    n_failed
        Runs that failed, capped ones not among them.
    """

    first: int
    first_success: int | None = None
    costs: dict[Pair, float] = field(default_factory=dict)
    rows: dict[Pair, list[int]] = field(default_factory=dict)
    capped: dict[Pair, float] = field(default_factory=dict)
    n_failed: int = 0

    def add(self, row: int, pair: Pair, result: Outcome) -> None:
        """One more run."""
        if result.is_capped:
            self.capped[pair] = max(result.cost, self.capped.get(pair, 0.0))
            return
        if not result.is_success:
            self.n_failed += 1
        elif self.first_success is None:
            self.first_success = row
        rows = self.rows.setdefault(pair, [])
        rows.append(row)
        before = self.costs.get(pair, 0.0)
        if math.isfinite(before) and math.isfinite(result.cost):
            self.costs[pair] = before + (result.cost - before) / len(rows)
        else:
            self.costs[pair] = math.inf

    def score(self, pairs: Collection[Pair]) -> tuple[int, float]:
        """How good it is over some pairs, all of which it was run on; lower is better.

        First how many have no finite cost, then the mean of the others: where every
        configuration fails on one broken instance, the others still decide.
        """
        costs = [self.costs[pair] for pair in pairs]
        finite = [cost for cost in costs if math.isfinite(cost)]
        # Each share alone, so that the sum of huge costs does not overflow.
        mean = math.fsum(cost / len(finite) for cost in finite) if finite else 0.0
        return len(costs) - len(finite), mean

    def mean(self, pairs: Collection[Pair]) -> float:
        """Mean cost over some pairs, all of which it was run on; inf if one failed."""
        n_failed, mean = self.score(pairs)
        return math.inf if n_failed else mean


@dataclass(frozen=True, slots=True)
class Step:
    """A change of champion.

    Parameters
    ----------
    row
        Of the run that decided it.
    key
        The new champion.
    mean
        Its mean cost over its pairs at that time; inf if a run failed without a penalty.
    """

    row: int
    key: bytes
    mean: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One configuration of a race, for people.

    Parameters
    ----------
    trial
        Its first successful run, or its first.
    n_runs
        On how many (instance, seed) pairs it was run to the end.
    n_failed
        How many runs failed.
    cost
        Mean cost, in the user's direction, over the pairs that it shares with the incumbent;
        NaN without any.
    incumbent_cost
        The incumbent's on the same pairs.
    is_complete
        Whether it was run on everything that the incumbent was run on; only then do its costs
        compare with those of all others.
    """

    trial: Trial
    n_runs: int
    n_failed: int
    cost: float
    incumbent_cost: float
    is_complete: bool

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration."""
        return self.trial.config


class Standings:
    """All configurations by their runs, and who is champion.

    A function of the runs in order of completion, so whoever is told the same runs sees the
    same champion.

    Attributes
    ----------
    runs
        By configuration (`Points.keys`).
    champion
        Key of the best; None before any run.
    path
        All changes of champion.
    """

    def __init__(self) -> None:
        self.runs: dict[bytes, Runs] = {}
        self.champion: bytes | None = None
        self.path: list[Step] = []

    def add(self, row: int, key: bytes, pair: Pair, result: Outcome) -> None:
        """One more run.

        Parameters
        ----------
        row
            Number of the trial.
        key
            Of its configuration.
        pair
            What it was run on.
        result
            See `outcome`.
        """
        runs = self.runs.get(key)
        if runs is None:
            runs = self.runs[key] = Runs(first=row)
        runs.add(row, pair, result)
        if self.champion is None:
            if runs.costs:
                self._crown(row, key)
            return
        # A better one may have waited for the champion's last run to go wrong.
        among = list(self.runs) if key == self.champion else [key]
        while among:
            among = self._challenge(row, among)

    def _challenge(self, row: int, among: list[bytes]) -> list[bytes]:
        """Crown the best of those that beat the champion; who then has to be looked at."""
        assert self.champion is not None
        pairs = self.runs[self.champion].costs
        best, best_score = None, self.runs[self.champion].score(pairs)
        for key in among:
            runs = self.runs[key]
            if not self.is_complete(key) or key == self.champion:
                continue
            score = runs.score(pairs)
            if score < best_score:
                best, best_score = key, score
        if best is None:
            return []
        self._crown(row, best)
        return list(self.runs)

    def _crown(self, row: int, key: bytes) -> None:
        self.champion = key
        runs = self.runs[key]
        self.path.append(Step(row, key, runs.mean(runs.costs)))

    def is_complete(self, key: bytes) -> bool:
        """Whether a configuration was run, to the end, on all that the champion was run on."""
        if self.champion is None:
            return False
        runs, best = self.runs[key], self.runs[self.champion]
        if runs.capped or len(runs.costs) < len(best.costs):
            return False
        return runs is best or best.costs.keys() <= runs.costs.keys()

    def shared(self, key: bytes) -> list[Pair]:
        """What both a configuration and the champion were run on, in the champion's order."""
        if self.champion is None:
            return []
        costs = self.runs[key].costs
        return [pair for pair in self.runs[self.champion].costs if pair in costs]
