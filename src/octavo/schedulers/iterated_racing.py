"""Elitist iterated racing: races between configurations drawn around the winners of the last.

In a race all configurations are run on one instance after the other, and those that a
statistical test finds worse than the best are dropped. The survivors are the elites: they enter
the next race with their runs, and cannot be dropped by one that was run on fewer instances.
New configurations are drawn around them, closer and closer.

A race advances when a trial is told, in order of completion, and draws everything from its
number, so that it can be resumed. Workers that find nothing to do on the current instance begin
with the next ones.

López-Ibáñez, Dubois-Lacoste, Pérez Cáceres, Birattari & Stützle (2016), The irace package:
Iterated racing for automatic algorithm configuration, Operations Research Perspectives 3.
Capping: Pérez Cáceres, López-Ibáñez, Hoos & Stützle (2017), An experimental study of adaptive
capping in irace, LION 11.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import numpy as np

from octavo.errors import SettingError
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_at_least, check_share
from octavo.optimizers.told import Seen, Told, encode_inside
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.schedulers.around_elites import FIRST_WIDTH, AroundElites, more_kept, narrowed
from octavo.schedulers.budget import Meter
from octavo.schedulers.elimination import Elimination, Race, is_done
from octavo.schedulers.race import Rules, all_pairs, run_of
from octavo.standings import Pair, Standings, is_timed, outcome, pair_of
from octavo.trial import Origin, Proposal, Trial

__all__ = ["IteratedRacing"]

_STREAM = 0x12ACE  # keeps the draws of races apart from those of proposals
_DEFAULT_SIZE = 6  # times the number of survivors, where no limit says how much there is to spend
_ROUNDS = 4  # of drawing, until enough new configurations are found


@dataclass(frozen=True)
class IteratedRacing:
    """Elitist iterated racing over the problem's instances, and seeds.

    Parameters
    ----------
    first
        Configurations that take part in the first race, beside the default one.
    first_test
        After so many instances the first test of a race is made.
    each_test
        Further tests after each so many instances.
    test
        "friedman" compares ranks, "t" means. By default means where the first objective is a
        time, because a mean is what is capped and penalized, else ranks.
    confidence
        One minus the level of the tests.
    n_new
        With so many instances that the elites have not been run on, a race begins.
    patience
        A race ends after so many tests in a row that dropped nobody, once all were run on what
        the elites had been run on.
    n_iterations
        Planned races; by default 2 + log2(number of hyperparameters), rounded down, and further
        ones while there is budget.
    cutoff_s, par, failure_cost
        As in `Racing`.
    capping
        Whether runs of configurations that have lost against the elites are killed, where the
        first objective is "cpu_time" or "wall_time".
    slack
        By how much a configuration may exceed the elites' time before it is.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), instances=("easy", "hard"))
    >>> a, b = IteratedRacing().start(problem, seed=0).ask(2)
    >>> a.config != b.config, a.instance == b.instance
    (True, True)
    """

    first: Sequence[Mapping[str, Any]] = ()
    first_test: int = 5
    each_test: int = 1
    test: Literal["friedman", "t"] | None = None
    confidence: float = 0.95
    n_new: int = 1
    patience: int = 2
    n_iterations: int | None = None
    cutoff_s: float | None = None
    par: float = 10.0
    failure_cost: float | None = None
    capping: bool = True
    slack: float = 1.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", tuple(dict(config) for config in self.first))
        self.rules  # noqa: B018  raises if a setting makes no sense
        check_at_least(self, 1, "slack", hint="Below it, better challengers would be killed too.")
        check_at_least(self, 1, "first_test", "each_test", "patience", "n_iterations")
        check_at_least(self, 0, "n_new")
        check_share(self, "confidence", meaning="one minus the level of the tests")
        if self.test not in (None, "friedman", "t"):
            raise SettingError(
                f"test={self.test!r} is neither 'friedman' (ranks) nor 't' (means). Leave it out "
                "for means where the cost is a time, and ranks elsewhere."
            )

    @property
    def rules(self) -> Rules:
        """What ends a run, and what failures count."""
        return Rules(self.cutoff_s, self.par, self.failure_cost)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `SpaceError` if one of `first` is not in the space."""
        first = [problem.space.check(config) for config in self.first]
        return _IteratedRacing(problem, seed, self, first)


@dataclass(slots=True)
class _State:
    """What the races have come to."""

    width: float = FIRST_WIDTH
    kept: float = 0.0
    elites: list[bytes] = field(default_factory=list)


class _IteratedRacing:
    def __init__(
        self, problem: Problem, seed: int, recipe: IteratedRacing, first: list[dict[str, Any]]
    ) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._rules = recipe.rules
        self._told = Told(problem)
        self._trials: list[Trial] = []
        self._standings = Standings()
        self._pairs = all_pairs(problem, seed)
        self._around = AroundElites(problem.space)
        self._unseen = Unseen(problem.space)
        self._is_capping = recipe.capping and is_timed(problem)
        size = 2 + int(math.log2(max(len(problem.space.columns), 1)))
        self._rule = Elimination(
            by_ranks=recipe.test == "friedman" or (recipe.test is None and not is_timed(problem)),
            confidence=recipe.confidence,
            first_test=recipe.first_test,
            each_test=recipe.each_test,
            n_new=recipe.n_new,
            patience=recipe.patience,
            n_survivors=size,
        )
        self._n_races = size if recipe.n_iterations is None else recipe.n_iterations
        self._meter = Meter(problem.limits, recipe.cutoff_s)
        self._state = _State()
        self._known: dict[bytes, dict[str, Any]] = {}  # everybody who took part in a race
        self._first = first
        self._is_finished = False  # every configuration was tried, the elites on everything
        opening = self._next_race(1)
        assert opening is not None  # the default configuration is always new
        self._race = opening

    # Learning --------------------------------------------------------------------------

    def tell(self, trials: Sequence[Trial]) -> None:
        start = len(self._told)
        kept = self._told.extend(trials)
        self._trials.extend(kept)
        for row, trial in enumerate(kept, start=start):
            self._meter.add(trial)
            result = outcome(self._problem, trial)
            if result is not None:
                pair = pair_of(self._problem, trial.proposal)
                self._standings.add(row, self._told.keys[row], pair, result)
                self._advance()

    def _advance(self) -> None:
        """Go through the race as far as its runs have come back."""
        runs = self._standings.runs
        while not self._is_finished:
            race = self._race
            if race.is_over(self._meter.used - race.began, self._meter.per_run):
                self._state.elites = race.best(runs)
                following = self._next_race(race.number + 1)
                self._is_finished = following is None
                self._race = following or race
            elif race.is_complete(runs):
                race.advance(runs)
            else:
                return

    # The next race ---------------------------------------------------------------------

    def _next_race(self, number: int) -> Race | None:
        state, runs = self._state, self._standings.runs
        rng = np.random.default_rng([self._seed, _STREAM, number])
        pairs, guarded = self._order(state.elites, rng)
        budget = self._meter.left / max(self._n_races - number + 1, 1)
        wanted = max(self._size(number, budget, guarded) - len(state.elites), 1)
        if number > 1:
            d = max(len(self._problem.space.columns), 1)
            state.width = narrowed(state.width, wanted, d)
            state.kept = more_kept(state.kept, (number - 1) / self._n_races, d)
        parents: dict[bytes, bytes] = {}
        new = self._draw(wanted, rng, parents)
        if not new and all(is_done(key, pair, runs) for key in state.elites for pair in pairs):
            return None  # nothing new in a finite space, and the elites were run on everything
        configs = {key: self._known[key] for key in state.elites} | new
        self._known |= new
        return Race(
            number=number,
            configs=configs,
            parents=parents,
            pairs=pairs,
            guarded=guarded,
            rule=self._rule,
            budget=budget,
            began=self._meter.used,
            alive=list(configs),
        )

    def _order(
        self, elites: list[bytes], rng: np.random.Generator
    ) -> tuple[list[Pair], dict[bytes, int]]:
        """The pairs as a race meets them, and from which step on each elite may be dropped.

        New ones first, so that elites prove themselves too, then those that the elites were run
        on in random order, then the rest.
        """
        runs = self._standings.runs
        old = {pair: None for key in elites for pair in runs[key].costs}
        fresh = [pair for pair in self._pairs if pair not in old]
        before = list(old)
        shuffled = [before[place] for place in rng.permutation(len(before)).tolist()]
        n_new = self._recipe.n_new if elites else 0
        pairs = fresh[:n_new] + shuffled + fresh[n_new:]
        place = {pair: number for number, pair in enumerate(pairs, start=1)}
        guarded = {key: max((place[p] for p in runs[key].costs), default=0) for key in elites}
        return pairs, guarded

    def _size(self, number: int, budget: float, guarded: dict[bytes, int]) -> int:
        """How many configurations a race begins with."""
        least = self._rule.n_survivors + 1
        if math.isinf(budget):
            return max(_DEFAULT_SIZE * self._rule.n_survivors // (1 + (number > 1)), least)
        n_pairs = max([self._recipe.first_test, *guarded.values()])
        n_pairs = min(n_pairs, len(self._pairs)) + self._recipe.each_test * min(5, number)
        return max(int(budget / self._meter.per_run / n_pairs), least)

    def _draw(
        self, n: int, rng: np.random.Generator, parents: dict[bytes, bytes]
    ) -> dict[bytes, dict[str, Any]]:
        """Up to `n` configurations that no race has seen, by key."""
        space, elites = self._problem.space, self._state.elites
        new: dict[bytes, dict[str, Any]] = {}
        if not elites:
            given = [*self._first, space.default()]
            points = space.encode(given)
            new = dict(list(zip(points.keys(), given, strict=True))[: max(n, len(self._first))])
        centre = space.encode([self._known[key] for key in elites]) if elites else None
        for _ in range(_ROUNDS):
            if len(new) >= n:
                break
            if centre is None:
                points, chosen = space.sample(n - len(new), rng), None
            else:
                points, chosen = self._around.draw(
                    n - len(new), centre, self._state.width, self._state.kept, rng
                )
            for place, key in enumerate(points.keys()):
                if key not in self._known and key not in new:
                    new[key] = space.decode(points[place : place + 1])[0]
                    if chosen is not None:
                        parents[key] = elites[int(chosen[place])]
        if not new:
            self._draw_unseen(new, rng)
        return new

    def _draw_unseen(self, new: dict[bytes, dict[str, Any]], rng: np.random.Generator) -> None:
        """Anything that no race has seen: the last resort in a small space."""
        nothing, _ = encode_inside(self._problem.space, [])
        found = self._unseen.draw(Seen(set(self._known), set(), nothing), rng)
        if found is not None and found.keys()[0] not in self._known:
            new[found.keys()[0]] = self._problem.space.decode(found)[0]

    # Proposing -------------------------------------------------------------------------

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        race = self._race
        waiting = self._waiting(pending)
        for step in range(race.step, len(race.pairs)):
            pair = race.pairs[step]
            for key in race.alive:
                if (key, pair) not in waiting and not is_done(key, pair, self._standings.runs):
                    return self._run(key, step, self._told.next_index(pending))
        return None

    def _waiting(self, pending: Sequence[Proposal]) -> set[tuple[bytes, Pair]]:
        points, inside = encode_inside(self._problem.space, [p.config for p in pending])
        return {
            (key, pair_of(self._problem, pending[place]))
            for key, place in zip(points.keys(), inside, strict=True)
        }

    def _run(self, key: bytes, step: int, index: int) -> Proposal:
        race, runs = self._race, self._standings.runs
        parent = runs.get(race.parents.get(key, b""))
        origin = Origin(
            by="irace",
            intent=f"race {race.number}, instance {step + 1}",
            parents=() if parent is None else (self._trials[parent.first].index,),
        )
        return run_of(
            self._problem, self._seed, index, race.configs[key], race.pairs[step], self._rules,
            origin, bound_s=self._bound_s(key, step),
        )  # fmt: skip

    def _bound_s(self, key: bytes, step: int) -> float:
        """The seconds after which a configuration has lost against the elites.

        In the first race there are none: from the first test on, against the middle of the field.
        """
        race, runs = self._race, self._standings.runs
        if not self._is_capping or key in race.guarded:
            return math.inf
        if not race.guarded and step < self._recipe.first_test:
            return math.inf
        pairs = race.pairs[: step + 1]
        sums = []
        for other in race.guarded or race.alive:
            costs = runs[other].costs if other in runs else {}
            if other != key and all(pair in costs for pair in pairs):
                sums.append(math.fsum(costs[pair] for pair in pairs))
        if not sums or not math.isfinite(median(sums)):
            return math.inf
        own = runs[key].costs if key in runs else {}
        spent = math.fsum(own[pair] for pair in pairs if pair in own)
        return self._recipe.slack * median(sums) - spent
