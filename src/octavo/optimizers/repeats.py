"""Noisy objectives: promising configurations are evaluated with further seeds.

A single evaluation that came out well may have been luck. A configuration becomes the
incumbent (`History.incumbent`) only by its mean over as many seeds as any other; this
wrapper spends the evaluations for it where they matter, as in the aggressive racing of
Hutter et al. (2011), SMAC: the incumbent earns seeds as the search goes on, a challenger
earns the next one only while it does not lose, and most are dropped after their first.

Seeds are paired: the r-th evaluation of every configuration has the same seed, so that what
a seed does to all of them alike (a data split, an initialization) cancels in comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from octavo.optimizers.proposing import ask_in_turn, new_proposal
from octavo.optimizers.protocol import Optimizer, Recipe, kept_by, trial_seed
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_recipe
from octavo.optimizers.told import Told
from octavo.problem import Problem
from octavo.trial import Proposal, Status, Trial

__all__ = ["Repeats"]

# Tried, for each further seed of the incumbent; with 1, 3 and 6 regret was larger at 25 trials on
# the benchmark's noisy tables, and the same at 100.
_CONFIGS_PER_SEED = 10
_SEED_STREAM = 0x5EED  # keeps the paired seeds apart from those of the proposals


@dataclass(frozen=True)
class Repeats:
    """Evaluates what `inner` proposes, and promising configurations with further seeds.

    Up to `problem.repeats` seeds per configuration; with one, `inner` proposes alone.
    Configurations are compared by the first objective, as `History.incumbent` does.

    Parameters
    ----------
    inner
        What proposes new configurations. It is told all trials.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), repeats=3)
    >>> a, b = Repeats().start(problem, seed=0).ask(2)
    >>> a.config != b.config, a.seed == b.seed
    (True, True)
    """

    inner: Recipe = field(default_factory=RandomForestBO)

    def __post_init__(self) -> None:
        check_recipe(self)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        # What proposes new configurations need not know of repeats; `Auto` would wrap again.
        inner = self.inner.start(replace(problem, repeats=1), seed)
        return inner if problem.repeats == 1 else _Repeats(problem, seed, inner)


@dataclass(slots=True)
class _Runs:
    """The evaluations of one configuration at full fidelity, in order of completion."""

    config: dict[str, Any]
    first: int  # index of its first trial
    seeds: list[int] = field(default_factory=list)  # of those that ended, however they did
    costs: list[float] = field(default_factory=list)  # of those that succeeded
    cost_seeds: list[int] = field(default_factory=list)
    has_failed: bool = False

    @property
    def mean(self) -> float:
        return sum(self.costs) / len(self.costs)

    def mean_over(self, seeds: Collection[int]) -> float:
        """Mean cost over the evaluations with one of these seeds; -inf if there is none."""
        pairs = zip(self.cost_seeds, self.costs, strict=True)
        shared = [cost for seed, cost in pairs if seed in seeds]
        return sum(shared) / len(shared) if shared else -math.inf


class _Repeats:
    def __init__(self, problem: Problem, seed: int, inner: Optimizer) -> None:
        self._problem, self._seed, self._inner = problem, seed, inner
        self._told = Told(problem)
        self._runs: dict[bytes, _Runs] = {}
        self._paired = [trial_seed(seed ^ _SEED_STREAM, r) for r in range(problem.repeats)]

    def keep_checkpoints(self) -> frozenset[int] | None:
        return kept_by(self._inner)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        start = len(self._told)
        for row, trial in enumerate(self._told.extend(trials), start=start):
            if self._told.fidelity[row] == 1.0 and trial.status is not Status.CANCELLED:
                self._record(row, trial)

    def _record(self, row: int, trial: Trial) -> None:
        new = _Runs(config=dict(trial.config), first=trial.index)
        runs = self._runs.setdefault(self._told.keys[row], new)
        runs.seeds.append(trial.proposal.seed)
        if self._told.is_feasible[row]:
            runs.costs.append(float(self._told.costs[row, 0]))
            runs.cost_seeds.append(trial.proposal.seed)
        else:
            runs.has_failed = True

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        waiting = set(self._told.seen(pending).pending.keys())
        due = self._due(waiting, is_over=False)
        if due is None:
            fresh = next(iter(self._inner.ask(1, pending=pending)), None)
            if fresh is not None:
                return replace(fresh, seed=self._paired[0])
            # Nothing new is left: what remains of the budget makes the incumbent surer.
            due = self._due(waiting, is_over=True)
        if due is None:
            return None
        proposal = new_proposal(
            self._problem,
            self._seed,
            self._told.next_index(pending),
            due.config,
            by="repeats",
            intent="re-evaluation",
            parents=(due.first,),
        )
        unused = (seed for seed in self._paired if seed not in due.seeds)
        return replace(proposal, seed=next(unused, proposal.seed))

    def _due(self, waiting: set[bytes], *, is_over: bool) -> _Runs | None:
        """The configuration that has earned its next seed; None if a new one is due.

        Parameters
        ----------
        waiting
            Keys of pending configurations; they must come back first.
        is_over
            Whether there are no new configurations left to spend evaluations on.
        """
        champion = self._champion()
        if champion is None:
            return None
        n_configs = len(self._runs.keys() | waiting)
        n_extra = sum(len(runs.seeds) - 1 for runs in self._runs.values())
        open_runs = [
            runs
            for key, runs in self._runs.items()
            if key not in waiting
            and runs.costs
            and not runs.has_failed
            and len(runs.seeds) < self._problem.repeats
        ]
        # At least half of the evaluations go to new configurations, as long as there are any.
        if n_extra < n_configs or is_over:
            challengers = [
                runs
                for runs in open_runs
                if runs is not champion
                and len(runs.costs) < len(champion.costs)
                and not _loses(runs, champion)
            ]
            if challengers:
                return min(challengers, key=lambda runs: (-len(runs.costs), runs.mean, runs.first))
        # The incumbent must not be proven at length before there is something to prove it
        # against, or a better one has a long way to go: it earns its seeds one by one.
        is_due = is_over or len(champion.seeds) < 1 + (n_configs - 1) / _CONFIGS_PER_SEED
        return champion if is_due and any(runs is champion for runs in open_runs) else None

    def _champion(self) -> _Runs | None:
        """The best mean among configurations with the most seeds, as `History.incumbent`."""
        tried = [runs for runs in self._runs.values() if runs.costs]
        if not tried:
            return None
        needed = min(self._problem.repeats, max(len(runs.costs) for runs in tried))
        proven = [runs for runs in tried if len(runs.costs) >= needed]
        return min(proven, key=lambda runs: (runs.mean, runs.first))


def _loses(challenger: _Runs, champion: _Runs) -> bool:
    """Whether a challenger is behind the champion on its seeds, and on all seeds too.

    On the same seeds alone, a champion that was merely lucky with its first one could never
    be challenged: everybody loses against the luckiest on that seed.
    """
    paired = champion.mean_over(challenger.cost_seeds)
    return challenger.mean > max(paired, champion.mean)
