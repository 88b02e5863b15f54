"""The laws that every optimizer keeps, each a function that anybody can call.

A law takes a function that makes the recipe, a problem and a seed; it returns nothing, or
raises `LawBroken` with what happened. `octavo.testing.check_optimizer` runs all of them
over many random problems.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from octavo.errors import SettingError
from octavo.optimizers.protocol import Recipe
from octavo.optimizers.recipes import is_importable, recipe_from_json, recipe_to_json
from octavo.problem import Problem
from octavo.testing.problems import answer
from octavo.testing.simulation import LawBroken, check_proposal, identity, live
from octavo.trial import Origin, Proposal, Status, Trial

__all__ = ["LAWS", "Law", "MakeRecipe"]

MakeRecipe = Callable[[], Recipe]
Law = Callable[[MakeRecipe, Problem, int], None]

_N = 30  # proposals in a run: past the initial design of most optimizers
_WORKERS = 8
_MOST_RUNGS = 8
_MANY = 10_000
_ALLOWANCE = 2.5
_ORDINARY_S = 0.06  # for a million squares, on an ordinary machine
_MANY_CPU_S = 2.0  # on an ordinary machine; see `slowness`


def stays_inside_the_space(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Proposals are legal configurations that a study can store and run."""
    for _ in live(make().start(problem, seed), problem, n=_N, workers=1):
        pass  # every proposal is checked on the way
    for _ in live(make().start(problem, seed), problem, n=_N // 2, workers=_WORKERS, seed=seed):
        pass


def same_seed_same_run(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Two runs with one seed propose the same."""
    first, second = (
        [moment.proposal for moment in live(make().start(problem, seed), problem, n=_N)]
        for _ in range(2)
    )
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            raise LawBroken(f"two runs with seed {seed} differ at proposal {number}: {a} and {b}.")
    if len(first) != len(second):
        raise LawBroken(
            f"two runs with seed {seed} ended after {len(first)} and {len(second)} proposals."
        )


def replay_equals_live(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """A fresh optimizer, told any prefix of an asynchronous history, goes on the same way."""
    rng = np.random.default_rng(seed)
    for moment in live(make().start(problem, seed), problem, n=_N, workers=_WORKERS, seed=seed):
        fresh = make().start(problem, seed)
        fresh.tell(moment.told)  # all at once, though it was told one by one
        pending = [moment.pending[i] for i in rng.permutation(len(moment.pending))]
        replayed = next(iter(fresh.ask(1, pending=pending)), None)
        if replayed != moment.proposal:
            raise LawBroken(
                f"after {len(moment.told)} trials, with {len(pending)} pending, the live "
                f"optimizer proposed {moment.proposal}, a fresh one told the same {replayed}."
            )


def asking_for_several_is_asking_several_times(
    make: MakeRecipe, problem: Problem, seed: int
) -> None:
    """`ask(n)` gives what asking n times for one gives, the earlier ones pending."""
    history = _history(problem, seed, _N)
    for told in ([], history):
        together, alone = make().start(problem, seed), make().start(problem, seed)
        together.tell(told)
        alone.tell(told)
        pending: list[Proposal] = []
        for _ in range(4):
            pending.extend(alone.ask(1, pending=tuple(pending)))
        at_once = list(together.ask(4))
        if at_once != pending:
            raise LawBroken(
                f"after {len(told)} trials ask(4) gave {at_once}, but asking for one four times "
                f"gave {pending}."
            )


def accepts_foreign_trials(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Trials and pending proposals of others count: from users, other tools, other spaces."""
    rng = np.random.default_rng(seed)
    indices = [int(i) for i in rng.choice(500, size=_N, replace=False)]
    proposals = _foreign(problem, rng, indices)
    stranger = replace(proposals[0], index=600, config={"no such hyperparameter": 1})
    told = [answer(problem, proposal) for proposal in proposals[:-4]]
    told.append(Trial(stranger, Status.SUCCESS, (0.5,) * problem.n_objectives))
    optimizer = make().start(problem, seed)
    optimizer.tell(told[:3])
    optimizer.tell(told[3:])
    pending = proposals[-4:]
    for _ in range(3):
        for proposal in optimizer.ask(1, pending=tuple(pending)):
            check_proposal(problem, proposal, told, pending)
            pending.append(proposal)


def survives_whatever_comes_back(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Failures of all kinds, NaN, constant, huge and tiny costs, and repeated configurations."""
    rng = np.random.default_rng(seed)
    m = problem.n_objectives
    statuses = list(Status)
    nan = float("nan")
    answers: Mapping[str, Callable[[int], tuple[Status, Sequence[float] | None]]] = {
        "all trials crash": lambda i: (Status.CRASHED, None),
        "all trials are cancelled": lambda i: (Status.CANCELLED, None),
        "trials end in all ways": lambda i: (statuses[i % len(statuses)], None),
        "stopped trials keep costs": lambda i: (Status.STOPPED, [float(i)] * m),
        "a success has NaN costs": lambda i: (Status.SUCCESS, [nan] * m if i % 3 else None),
        "costs are constant": lambda i: (Status.SUCCESS, [1.0] * m),
        "costs are all zero": lambda i: (Status.SUCCESS, [0.0] * m),
        "costs are huge": lambda i: (Status.SUCCESS, [(-1.0) ** i * 1e300 * (i + 1)] * m),
        "one cost is huge": lambda i: (Status.SUCCESS, [1e300] * m if i == 5 else None),
        "costs are tiny": lambda i: (Status.SUCCESS, [1e-300 * i] * m),
        "costs are negative": lambda i: (Status.SUCCESS, [-float(i)] * m),
        "only one trial succeeds": lambda i: (
            Status.SUCCESS if i == _N // 2 else Status.TIMEOUT, None),
    }  # fmt: skip
    for what, respond in answers.items():
        proposals = _foreign(problem, rng, list(range(_N)))
        proposals[3] = replace(proposals[2], index=3)  # a configuration tried twice
        told = []
        for i, proposal in enumerate(proposals):
            status, costs = respond(i)
            told.append(answer(problem, proposal, status=status, costs=costs))
        optimizer = make().start(problem, seed)
        try:
            optimizer.tell(told)
            made = optimizer.ask(2)
        except LawBroken:
            raise
        except Exception as error:
            raise LawBroken(f"it does not survive that {what}: {error!r}.") from error
        if made:
            check_proposal(problem, made[0], told, ())


def never_asks_twice_in_a_finite_space(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """No configuration of a finite space is proposed twice, and the search ends by itself."""
    if not problem.space.is_finite:
        return
    asked: dict[tuple[object, ...], int] = {}
    size = sum(1 for _, _ in zip(problem.space.grid(_MANY), range(_N + 1), strict=False))
    # A scheduler may run each of them again with more of the budget.
    n_rungs = 1 if problem.fidelity is None else _MOST_RUNGS
    most = size * problem.repeats * max(1, len(problem.instances)) * n_rungs
    is_over = False
    # Enough asks to propose everything, collect all that is in flight, and ask once more.
    n = (2 * most if size <= _N else _N) + _WORKERS + 2
    optimizer = make().start(problem, seed)
    for moment in live(optimizer, problem, n=n, workers=_WORKERS, seed=seed):
        proposal = moment.proposal
        if proposal is None:
            is_over = is_over or not moment.pending
            continue
        same = identity(problem, proposal)
        if same in asked:
            raise LawBroken(
                f"proposals {asked[same]} and {proposal.index} are the same, "
                f"{dict(proposal.config)!r}, though the space is finite."
            )
        asked[same] = proposal.index
    if size <= _N and not is_over:
        raise LawBroken(
            f"the space has only {size} configurations, but after {len(asked)} proposals the "
            "search was not declared over by an empty answer."
        )


def gives_no_more_than_asked(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """`ask(n)` gives at most n, `ask(0)` nothing; what is pending is not touched."""
    optimizer = make().start(problem, seed)
    told: list[Trial] = []
    for n in (0, 1, 3, 0, 5, 2):
        made = optimizer.ask(n)
        if len(made) > n:
            raise LawBroken(f"ask({n}) gave {len(made)} proposals.")
        new = [answer(problem, proposal) for proposal in made]
        told.extend(new)
        optimizer.tell(new)
    if told and len({trial.index for trial in told}) < len(told):
        raise LawBroken(f"indices repeat: {[trial.index for trial in told]}.")


def heeds_what_is_pending(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Before any trial is done, each proposal differs from those in flight."""
    optimizer = make().start(problem, seed)
    optimizer.tell([])
    rng = np.random.default_rng(seed)
    pending = _foreign(problem, rng, [0, 1, 2])
    for _ in range(_WORKERS):
        before = list(pending)
        made = optimizer.ask(1, pending=pending)
        if pending != before:
            raise LawBroken("ask() changed the pending proposals that it was given.")
        for proposal in made:
            check_proposal(problem, proposal, (), pending)
            in_flight = {identity(problem, other) for other in pending}
            if problem.space.is_finite and identity(problem, proposal) in in_flight:
                raise LawBroken(f"proposal {proposal.index} repeats one that is pending.")
            pending.append(proposal)


def survives_being_written_as_json(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """A recipe read back from JSON proposes the same.

    One whose class is written in a notebook or a script cannot be read back by anybody, and a
    study says so to its face; the law is for those that can.
    """
    recipe = make()
    if not is_importable(type(recipe)):
        return
    try:
        copy = recipe_from_json(json.loads(json.dumps(recipe_to_json(recipe))))
    except (SettingError, TypeError, ValueError) as error:
        raise LawBroken(f"the recipe {recipe!r} cannot be stored as JSON: {error}") from error
    history = _history(problem, seed, _N)
    for told in ([], history):
        original, restored = recipe.start(problem, seed), copy.start(problem, seed)
        original.tell(told)
        restored.tell(told)
        a, b = list(original.ask(3)), list(restored.ask(3))
        if a != b:
            raise LawBroken(
                f"after {len(told)} trials the recipe {recipe!r} proposed {a}; read back from "
                f"JSON it proposed {b}."
            )


def slowness() -> float:
    """How many times as long as an ordinary machine this one computes now, with some allowance.

    The allowance is for tests that share a core, its caches and its memory with others.
    """
    took = []
    for _ in range(3):
        began = time.process_time()
        sum(number * number % 7 for number in range(1_000_000))
        took.append(time.process_time() - began)
    return _ALLOWANCE * max(1.0, min(took) / _ORDINARY_S)


def learns_ten_thousand_trials_at_once(make: MakeRecipe, problem: Problem, seed: int) -> None:
    """Telling a long history takes about two seconds at most, and asking works afterwards."""
    told = _history(problem, seed, _MANY)
    optimizer = make().start(problem, seed)
    began = time.process_time()  # not the wall clock: the machine may be busy
    optimizer.tell(told)
    took = time.process_time() - began
    if took > _MANY_CPU_S and took > (limit := _MANY_CPU_S * slowness()):
        raise LawBroken(
            f"telling {_MANY} trials at once took {took:.1f} s of CPU time; the limit is "
            f"{limit:.1f} s."
        )
    for proposal in optimizer.ask(1):
        check_proposal(problem, proposal, told[-1:], ())


LAWS: Mapping[str, Law] = {
    law.__name__.replace("_", " "): law
    for law in (
        stays_inside_the_space,
        same_seed_same_run,
        replay_equals_live,
        asking_for_several_is_asking_several_times,
        accepts_foreign_trials,
        survives_whatever_comes_back,
        never_asks_twice_in_a_finite_space,
        gives_no_more_than_asked,
        heeds_what_is_pending,
        survives_being_written_as_json,
        learns_ten_thousand_trials_at_once,
    )
}
"""Each law by its name."""


def _foreign(problem: Problem, rng: np.random.Generator, indices: list[int]) -> list[Proposal]:
    """Random proposals that the optimizer did not make."""
    n_distinct = min(len(indices), 500)
    drawn = problem.space.decode(problem.space.sample(n_distinct, rng))
    its = problem.fidelity
    fidelities: list[float | None] = [None]
    if its is not None:
        fidelities = [its.high, its.low, its.high, (its.low + its.high) // 2]
    return [
        Proposal(
            index=index,
            config=drawn[i % n_distinct],
            seed=int(rng.integers(2**31)),
            fidelity=fidelities[i % len(fidelities)],
            instance=problem.instances[i % len(problem.instances)] if problem.instances else None,
            origin=Origin(by="user"),
        )
        for i, index in enumerate(indices)
    ]


def _history(problem: Problem, seed: int, n: int) -> list[Trial]:
    """Answered foreign proposals."""
    rng = np.random.default_rng([seed, n])
    proposals = _foreign(problem, rng, list(range(n)))
    answers = {id(p.config): answer(problem, p) for p in proposals[:500]}
    return [replace(answers[id(p.config)], proposal=p) for p in proposals]
