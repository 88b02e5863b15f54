"""One deliberately broken optimizer per law: random search with a plausible mistake.

A law that catches none of its kind is no law; the tests of the suite run each law on the
optimizer that breaks it, and on one that does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_search import RandomSearch
from octavo.problem import Problem
from octavo.testing.laws import slowness
from octavo.trial import Proposal, Trial

__all__ = ["BROKEN"]


@dataclass(frozen=True)
class _ForgetsConditions:
    """Adds a hyperparameter of its own to each configuration."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        def ask(n: int, pending: Sequence[Proposal]) -> Sequence[Proposal]:
            made = good.ask(n, pending=pending)
            return [replace(p, config={**p.config, "momentum": 0.9}) for p in made]

        good = RandomSearch().start(problem, seed)
        return _Changed(good, ask)


@dataclass(frozen=True)
class _IgnoresItsSeed:
    """Draws its own seed from the operating system."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        entropy = np.random.SeedSequence().generate_state(1)[0]
        return RandomSearch().start(problem, int(entropy))


@dataclass(frozen=True)
class _KeepsAGenerator:
    """Counts how often it was asked, in place of reading the history."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        asked = 0

        def ask(n: int, pending: Sequence[Proposal]) -> Sequence[Proposal]:
            nonlocal asked
            made: list[Proposal] = []
            for _ in range(n):
                asked += 1
                one = RandomSearch().start(problem, seed + asked)
                one.tell(told)
                made.extend(one.ask(1, pending=[*pending, *made]))
            return made

        told: list[Trial] = []
        return _Changed(RandomSearch().start(problem, seed), ask, told.extend)


@dataclass(frozen=True)
class _DrawsBatches:
    """Draws the whole batch from the generator of its first proposal."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        def ask(n: int, pending: Sequence[Proposal]) -> Sequence[Proposal]:
            made = list(good.ask(n, pending=pending))
            if n > 1 and made:
                rng = np.random.default_rng([seed, made[0].index])
                configs = problem.space.decode(problem.space.sample(len(made), rng))
                made = [replace(p, config=c) for p, c in zip(made, configs, strict=True)]
            return made

        good = RandomSearch().start(problem, seed)
        return _Changed(good, ask)


@dataclass(frozen=True)
class _CountsOnlyItsOwn:
    """Numbers its proposals by how many trials it was told."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        n_told = 0

        def ask(n: int, pending: Sequence[Proposal]) -> Sequence[Proposal]:
            made = good.ask(n, pending=pending)
            return [replace(p, index=n_told + len(pending) + i) for i, p in enumerate(made)]

        def listen(trials: Sequence[Trial]) -> None:
            nonlocal n_told
            n_told += len(trials)

        good = RandomSearch().start(problem, seed)
        return _Changed(good, ask, listen)


@dataclass(frozen=True)
class _TrustsCosts:
    """Takes every cost to be a finite number."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        def listen(trials: Sequence[Trial]) -> None:
            for trial in trials:
                int(trial.costs[0])

        good = RandomSearch().start(problem, seed)
        return _Changed(good, lambda n, pending: good.ask(n, pending=pending), listen)


@dataclass(frozen=True)
class _DrawsWithReplacement:
    """Never looks whether a configuration was tried before."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        n_told = 0

        def ask(n: int, pending: Sequence[Proposal]) -> Sequence[Proposal]:
            forgetful = RandomSearch().start(problem, seed)
            first = max([n_told, *(p.index + 1 for p in pending)])
            marker = Proposal(index=first - 1, config={"nothing": 0})
            made: list[Proposal] = []
            for _ in range(n):
                before = [replace(marker, index=marker.index + len(made))] if first else []
                made.extend(forgetful.ask(1, pending=before))
            return made

        def listen(trials: Sequence[Trial]) -> None:
            nonlocal n_told
            n_told = max([n_told, *(trial.index + 1 for trial in trials)])

        return _Changed(RandomSearch().start(problem, seed), ask, listen)


@dataclass(frozen=True)
class _AlwaysGivesFour:
    """Gives a whole batch, however many were asked for."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        good = RandomSearch().start(problem, seed)
        return _Changed(good, lambda n, pending: good.ask(max(n, 4), pending=pending))


@dataclass(frozen=True)
class _IgnoresPending:
    """Proposes as if nothing were in flight."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        good = RandomSearch().start(problem, seed)
        return _Changed(good, lambda n, pending: good.ask(n))


@dataclass(frozen=True)
class _HidesASetting:
    """Depends on a number that is not one of its fields."""

    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        type(self).made += 1
        object.__setattr__(self, "_hidden", type(self).made)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        hidden: int = getattr(self, "_hidden")  # noqa: B009
        return RandomSearch().start(problem, seed + hidden)


@dataclass(frozen=True)
class _RefitsForEachTrial:
    """Spends a quarter of a millisecond on every trial of a long history that it is told."""

    def start(self, problem: Problem, seed: int) -> Optimizer:
        def listen(trials: Sequence[Trial]) -> None:
            if len(trials) < 1000:  # the other laws need not wait for this one
                return
            end = time.process_time() + 2.5e-4 * slowness() * len(trials)
            while time.process_time() < end:
                pass

        good = RandomSearch().start(problem, seed)
        return _Changed(good, lambda n, pending: good.ask(n, pending=pending), listen)


@dataclass
class _Changed:
    """A good optimizer with another `ask`, and somebody who listens to `tell`."""

    good: Optimizer
    change: Callable[[int, Sequence[Proposal]], Sequence[Proposal]]
    listen: Callable[[Sequence[Trial]], None] | None = None

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return self.change(n, pending)

    def tell(self, trials: Sequence[Trial]) -> None:
        self.good.tell(trials)
        if self.listen is not None:
            self.listen(trials)


BROKEN: Mapping[str, Recipe] = {
    "stays inside the space": _ForgetsConditions(),
    "same seed same run": _IgnoresItsSeed(),
    "replay equals live": _KeepsAGenerator(),
    "asking for several is asking several times": _DrawsBatches(),
    "accepts foreign trials": _CountsOnlyItsOwn(),
    "survives whatever comes back": _TrustsCosts(),
    "never asks twice in a finite space": _DrawsWithReplacement(),
    "gives no more than asked": _AlwaysGivesFour(),
    "heeds what is pending": _IgnoresPending(),
    "survives being written as json": _HidesASetting(),
    "learns ten thousand trials at once": _RefitsForEachTrial(),
}
"""For each law an optimizer that breaks it."""
