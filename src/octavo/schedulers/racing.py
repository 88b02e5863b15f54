"""Racing: a configuration is run on as many instances as it takes to see that it is worse.

The incumbent is run on some more (instances, seeds) for each challenger. A challenger is run on
one of those that the incumbent was run on, then on twice as many, and so on, as long as it is
not worse on those that both share; who is run on all of them and better is the new incumbent.
Most challengers are dropped after a run or two. Who was incumbent before is no such challenger:
when the new one was run on twice as much, both are compared again.

An incumbent that is quick but fails now and then costs a lot on few pairs, which a challenger
does not meet at first: a slower, safe one would be dropped before it can show that it is safe.
So in comparisons on some of its pairs the incumbent's failures count as if each pair had its
share of them.

Where the cost is the time of a run, a challenger's run is killed as soon as the challenger must
have lost (adaptive capping): what is left of the incumbent's time on the same instances, and a
little more. And instances that are known by numbers enter the surrogate.

Everything is decided when a trial is told, in order of completion, so that any number of
workers can race and a race can be resumed.

Hutter, Hoos & Leyton-Brown (2011), Sequential model-based optimization for general algorithm
configuration, LION 5. Lindauer et al. (2022), SMAC3, JMLR 23. Capping: Hutter, Hoos,
Leyton-Brown & Stützle (2009), ParamILS, JAIR 36, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from octavo.errors import ProblemError
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_at_least, check_recipe
from octavo.optimizers.told import Told, encode_inside
from octavo.optimizers.warmed import Warmed
from octavo.problem import Problem
from octavo.schedulers.aggregated import aggregated, as_single, single
from octavo.schedulers.instance_forest import ForestOverRuns, RunTable
from octavo.schedulers.race import Rules, all_pairs, run_of
from octavo.standings import Pair, Runs, Standings, is_timed, outcome, pair_of
from octavo.trial import Origin, Proposal, Trial

__all__ = ["Racing"]

_ORDER_STREAM = 0x0DD5  # of the orders in which challengers meet the champion's pairs


@dataclass(frozen=True)
class Racing:
    """Races what `inner` proposes over the problem's instances, and seeds.

    Each instance is run with `problem.repeats` seeds: 1 for deterministic targets. Without
    instances and with one seed, `inner` proposes alone.

    Parameters
    ----------
    inner
        What proposes new configurations. It is told one mean for each configuration; a
        `RandomForestBO` learns from all runs if there are `problem.instance_features`.
    cutoff_s
        Every run is killed after so many seconds: of CPU time if the first objective is
        "cpu_time", else of wall clock. `minimize` puts its limit on trials here.
    par
        A run that failed counts as so many times the cutoff: 10 for PAR10.
    failure_cost
        What a failed run counts instead: a value of the first objective, such as an accuracy of
        0. By default `par` times the cutoff where that is a time, and worse than anything
        elsewhere.
    capping
        Whether runs of challengers that have lost are killed, where the first objective is
        "cpu_time" or "wall_time".
    slack
        By how much a challenger may exceed the incumbent's time before it is.
    first_runs
        On so many instances (and seeds) the first incumbent is run before it is challenged: it is
        often a good default, which a single run of luck should not replace.
    incumbent_runs
        On so many more the incumbent is run for each challenger. The best of many challengers is
        often one that had luck, which more runs find out.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> names = ("easy", "medium", "hard")
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), instances=names)
    >>> first = Racing().start(problem, seed=0).ask(1)[0]
    >>> first.instance in names, first.origin.intent
    (True, 'default configuration')
    """

    inner: Recipe = field(default_factory=RandomForestBO)
    cutoff_s: float | None = None
    par: float = 10.0
    failure_cost: float | None = None
    capping: bool = True
    slack: float = 1.2
    first_runs: int = 3
    incumbent_runs: int = 3

    def __post_init__(self) -> None:
        check_recipe(self)
        self.rules  # noqa: B018  raises if a setting makes no sense
        check_at_least(self, 1, "slack", hint="Below it, better challengers would be killed too.")
        check_at_least(self, 1, "first_runs", "incumbent_runs")

    @property
    def rules(self) -> Rules:
        """What ends a run, and what failures count."""
        return Rules(self.cutoff_s, self.par, self.failure_cost)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` if `inner` is a schedule over fidelities."""
        inner: Any = self.inner
        if hasattr(inner, "choose"):  # `Auto` chooses by the problem as it is
            inner = inner.choose(replace(problem, repeats=1, fidelity=None))[0]
        if problem.repeats == 1 and not problem.instances:
            started: Optimizer = inner.start(problem, seed)
            return started
        _check_inner(inner, problem, seed)
        return _Racing(problem, seed, replace(self, inner=inner))


def _check_inner(inner: Recipe, problem: Problem, seed: int) -> None:
    """Refuse what cannot propose here, and what is about cheap trials, of which a race has none."""
    inner.start(single(problem), seed)  # who cannot work here says so now
    full = problem.fidelity
    if full is None:
        return
    while isinstance(inner, Warmed):  # whose first proposals are given ones
        inner = inner.inner
    opening = inner.start(single(problem), seed).ask(1)
    if any((proposal.fidelity or full.high) < full.high for proposal in opening):
        raise ProblemError(
            f"{type(inner).__name__} spends less than the full {full.name!r} of {full.high:g} on "
            "most trials, and a race over instances runs all at the full one. Leave out the "
            "fidelity or the instances, or use an optimizer without a schedule, such as 'auto'."
        )


@dataclass(slots=True)
class _Challenger:
    """How far a configuration has come.

    Parameters
    ----------
    config
        Its values.
    tested
        On how many of the champion's pairs it has stood its ground.
    is_out
        Whether it has lost.
    rests
        Whether it was champion, and is not compared until there is twice as much to compare.
    """

    config: dict[str, Any]
    tested: int = 0
    is_out: bool = False
    rests: bool = False


class _Racing:
    def __init__(self, problem: Problem, seed: int, recipe: Racing) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._rules = recipe.rules
        self._penalty = recipe.rules.penalty(problem)
        self._single = single(problem)
        self._told = Told(problem)
        self._trials: list[Trial] = []  # by row of what was told
        self._pairs = all_pairs(problem, seed)
        self._standings = Standings()
        self._challengers: dict[bytes, _Challenger] = {}
        self._draws: dict[bytes, dict[Pair, float]] = {}  # where pairs come for a challenger
        self._is_capping = recipe.capping and is_timed(problem)
        self._inner: tuple[int, Optimizer, dict[bytes, int]] | None = None

    # Learning --------------------------------------------------------------------------

    def tell(self, trials: Sequence[Trial]) -> None:
        start = len(self._told)
        kept = self._told.extend(trials)
        self._trials.extend(kept)
        for row, trial in enumerate(kept, start=start):
            result = outcome(self._problem, trial)
            if result is not None:
                key = self._told.keys[row]
                if key not in self._challengers:
                    self._challengers[key] = _Challenger(dict(trial.config))
                before = self._standings.champion
                pair = pair_of(self._problem, trial.proposal)
                self._standings.add(row, key, pair, result)
                self._judge(key)
                if before is not None and before != self._standings.champion:
                    self._dethrone(before)

    def _dethrone(self, key: bytes) -> None:
        """Let a former champion rest until there is twice as much to compare it on.

        On a few runs the new one may only have been lucky, and the champion is who won most
        comparisons: nobody else knows as much as the one before.
        """
        challenger, runs = self._challengers[key], self._standings.runs[key]
        challenger.tested = len(runs.costs)
        challenger.is_out = challenger.tested == len(self._pairs)
        challenger.rests = True

    def _judge(self, key: bytes) -> None:
        """Whether a configuration goes on, after one of its runs."""
        challenger, runs = self._challengers[key], self._standings.runs[key]
        if key == self._standings.champion:
            challenger.is_out = False
            return
        if challenger.is_out:
            return
        if runs.capped:
            challenger.is_out = True
            return
        if self._is_resting(key):
            return
        if self._is_over_time(key):
            challenger.is_out = True
            return
        champion = self._champion
        if champion is None or len(runs.costs) < self._target(key):
            return
        shared = self._standings.shared(key)
        if len(shared) < self._target(key):
            return
        # Who is as good on some pairs may still win; who is as good on all changes nothing.
        is_over = len(shared) == len(champion.costs)
        mine = runs.score(shared)
        theirs = champion.score(shared) if is_over else self._expected(champion, shared)
        challenger.is_out = mine > theirs or (is_over and mine >= theirs)
        challenger.rests = False
        challenger.tested = len(shared)

    def _expected(self, champion: Runs, pairs: Sequence[Pair]) -> tuple[int, float]:
        """The champion's score on some of its pairs, its failures spread over all of them."""
        done = [cost for cost in champion.costs.values() if cost < self._penalty]
        n_failed = len(champion.costs) - len(done)
        if not pairs or not done or not n_failed or not math.isfinite(self._penalty):
            return champion.score(
                pairs
            )  # without a penalty, failures are counted, see `Runs.score`
        usual = math.fsum(done) / len(done)
        costs = [champion.costs[pair] for pair in pairs]
        mean = math.fsum(c if c < self._penalty else usual for c in costs) / len(costs)
        return 0, mean + n_failed / len(champion.costs) * (self._penalty - usual)

    @property
    def _champion(self) -> Runs | None:
        key = self._standings.champion
        return None if key is None else self._standings.runs[key]

    def _target(self, key: bytes) -> int:
        """On how many of the champion's pairs a challenger, or one to be, is compared next."""
        champion, challenger = self._champion, self._challengers.get(key)
        assert champion is not None
        tested = 0 if challenger is None else challenger.tested
        if challenger is not None and challenger.rests:
            return min(2 * tested, len(self._pairs))
        return min(max(2 * tested, 1), len(champion.costs))

    def _is_resting(self, key: bytes) -> bool:
        if not self._challengers[key].rests:
            return False
        champion = self._champion
        assert champion is not None  # who rests was champion before
        return len(champion.costs) < self._target(key)

    def _is_over_time(self, key: bytes) -> bool:
        return self._is_capping and self._left_s(key, ()) <= 0

    # Proposing -------------------------------------------------------------------------

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        waiting = self._waiting(pending)
        index = self._told.next_index(pending)
        due = self._due(waiting, is_over=False)
        if due is None:
            fresh = self._fresh(index, pending, waiting)
            if fresh is not None:
                return fresh
            # Nothing new is left: what remains of the budget makes the incumbent surer.
            due = self._due(waiting, is_over=True)
        if due is None:
            return None
        key, pair = due
        is_champion = key == self._standings.champion
        origin = Origin(
            by="racing",
            intent="incumbent's next run" if is_champion else "challenger's next run",
            parents=(self._trials[self._standings.runs[key].first].index,),
        )
        return run_of(
            self._problem, self._seed, index, self._challengers[key].config, pair, self._rules,
            origin, bound_s=self._bound_s(key, pair, waiting),
        )  # fmt: skip

    def _waiting(self, pending: Sequence[Proposal]) -> dict[bytes, list[Pair]]:
        """The pairs on which configurations are being run."""
        points, inside = encode_inside(self._problem.space, [p.config for p in pending])
        waiting: dict[bytes, list[Pair]] = {}
        for key, place in zip(points.keys(), inside, strict=True):
            proposal = pending[place]
            waiting.setdefault(key, []).append(pair_of(self._problem, proposal))
        return waiting

    def _due(self, waiting: dict[bytes, list[Pair]], *, is_over: bool) -> tuple[bytes, Pair] | None:
        """Which configuration is to be run on what; None if a new one is due.

        Parameters
        ----------
        waiting
            Pairs of pending runs.
        is_over
            Whether there are no new configurations to run.
        """
        key, champion = self._standings.champion, self._champion
        if key is None or champion is None:
            return None
        running = waiting.get(key, [])
        n_known = len(self._challengers.keys() | waiting)
        wanted = max(self._recipe.incumbent_runs * (n_known - 1) + 1, self._recipe.first_runs)
        if is_over or len(champion.costs.keys() | set(running)) < wanted:
            for pair in self._pairs:
                if pair not in champion.costs and pair not in running:
                    return key, pair
        # Those that have come furthest first: few are to be decided upon at a time.
        ranked = sorted(
            (-challenger.tested, self._standings.runs[other].first, other)
            for other, challenger in self._challengers.items()
            if not challenger.is_out and other != key and not self._is_resting(other)
        )
        for _, _, other in ranked:
            for pair in self._level(other, waiting.get(other, ())):
                done = pair in self._standings.runs[other].costs
                if not done and pair not in waiting.get(other, ()):
                    if self._bound_s(other, pair, waiting) <= 0:
                        break  # it has lost; a run would tell nothing
                    return other, pair
        return None

    def _level(self, key: bytes, running: Sequence[Pair]) -> list[Pair]:
        """The champion's pairs on which a challenger is compared next, those done first."""
        champion = self._champion
        assert champion is not None
        level = self._standings.shared(key) if key in self._standings.runs else []
        level += [pair for pair in running if pair in champion.costs and pair not in level]
        missing = self._target(key) - len(level)
        if missing > 0:
            rest = [pair for pair in champion.costs if pair not in level]
            level += sorted(rest, key=lambda pair: self._place(key, pair))[:missing]
        return level

    def _place(self, key: bytes, pair: Pair) -> float:
        """Where a pair comes in a challenger's own, random order of the pairs."""
        draws = self._draws.setdefault(key, {})
        if pair not in draws:
            text = key + repr(pair).encode()
            rng = np.random.default_rng([self._seed, _ORDER_STREAM, *text])
            draws[pair] = float(rng.random())
        return draws[pair]

    # Capping ---------------------------------------------------------------------------

    def _left_s(self, key: bytes, running: Sequence[Pair]) -> float:
        """The seconds after which a challenger, or one to be, has lost on its next pairs."""
        champion, runs = self._champion, self._standings.runs.get(key)
        if champion is None:
            return math.inf
        level = self._level(key, running)
        n_unknown, mean = self._expected(champion, level)
        allowed = math.inf if n_unknown else mean * len(level)
        done = {} if runs is None else runs.costs
        spent = math.fsum(done[pair] for pair in level if pair in done)
        return self._recipe.slack * allowed - spent if math.isfinite(allowed) else math.inf

    def _bound_s(self, key: bytes, pair: Pair, waiting: dict[bytes, list[Pair]]) -> float:
        champion = self._champion
        if not self._is_capping or champion is None or pair not in champion.costs:
            return math.inf
        return self._left_s(key, waiting.get(key, ()))

    # New challengers -------------------------------------------------------------------

    def _fresh(
        self, index: int, pending: Sequence[Proposal], waiting: dict[bytes, list[Pair]]
    ) -> Proposal | None:
        """What the inner optimizer wants to try, on one of the champion's pairs."""
        inner, numbers = self._inner_optimizer()
        first_runs: list[Proposal] = []
        points, inside = encode_inside(self._problem.space, [p.config for p in pending])
        seen = set(numbers)
        for key, place in zip(points.keys(), inside, strict=True):
            if key not in seen:
                seen.add(key)
                number = len(numbers) + len(first_runs)
                first_runs.append(as_single(pending[place], number))
        made = next(iter(inner.ask(1, pending=first_runs)), None)
        if made is None:
            return None
        key = self._problem.space.encode([made.config]).keys()[0]
        if key in seen:  # an infinite space may repeat itself; a race needs no second entry
            return None
        by_number = {number: self._trials[self._standings.runs[k].first].index
                     for k, number in numbers.items()}  # fmt: skip
        parents = tuple(by_number[p] for p in made.origin.parents if p in by_number)
        champion = self._champion
        pair = self._pairs[0] if champion is None else self._level(key, ())[0]
        return run_of(
            self._problem, self._seed, index, made.config, pair, self._rules,
            replace(made.origin, parents=parents), bound_s=self._bound_s(key, pair, waiting),
        )  # fmt: skip

    def _inner_optimizer(self) -> tuple[Optimizer, dict[bytes, int]]:
        """The inner optimizer, told all configurations, and their numbers.

        Means change with every run, so it is started anew; by the replay law that is the same
        as if it had lived.
        """
        n = len(self._told)
        if self._inner is None or self._inner[0] != n:
            known = (self._problem, self._told, self._trials, self._standings, self._penalty)
            trials = aggregated(*known)
            recipe = self._recipe.inner
            if self._problem.instance_features and trials and self._problem.n_objectives == 1:
                recipe = _over_runs(recipe, RunTable.of(*known))
            inner = recipe.start(self._single, self._seed)
            inner.tell(list(trials.values()))
            self._inner = n, inner, {key: trial.index for key, trial in trials.items()}
        return self._inner[1], self._inner[2]


def _over_runs(recipe: Recipe, table: RunTable) -> Recipe:
    """The recipe with a forest that sees runs and the features of instances, if it has one."""
    if isinstance(recipe, RandomForestBO):
        return ForestOverRuns(recipe, table)
    if isinstance(recipe, Warmed):
        return replace(recipe, inner=_over_runs(recipe.inner, table))
    return recipe
