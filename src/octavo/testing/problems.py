"""Random problems to try optimizers on, and a cheap objective that can answer all of them.

Every kind of space that Octavo can express comes in turn, so that a few dozen problems
cover them all: mixed, logarithmic, nested conditions, forbidden combinations, a single
configuration, a handful of them, trees; and problems with several objectives, constraints,
a fidelity or noise. What races over instances has kinds of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem
from octavo.spaces import (
    Categorical,
    Constant,
    Float,
    Hyperparameter,
    Integer,
    Ordinal,
    Space,
    space,
)
from octavo.spaces.grammar import Grammar
from octavo.standings import TIMES
from octavo.trial import Proposal, Status, Trial

__all__ = ["KINDS", "RACES", "answer", "problems", "random_problem", "with_fidelity"]

Kinds = Mapping[str, Callable[[np.random.Generator], Problem]]


def problems(seed: int) -> Iterator[Problem]:
    """Random problems without end; the kinds take turns."""
    number = 0
    while True:
        yield random_problem(seed, number)
        number += 1


def random_problem(seed: int, number: int, kinds: Kinds | None = None) -> Problem:
    """Problem `number` of the sequence that belongs to a seed.

    Parameters
    ----------
    seed, number
        Any.
    kinds
        That take turns; `KINDS` by default.
    """
    makers = list((KINDS if kinds is None else kinds).values())
    return makers[number % len(makers)](np.random.default_rng([seed, number]))


def with_fidelity(problem: Problem, number: int) -> Problem:
    """The same problem with a fidelity, for schedulers; one that has one keeps it.

    Parameters
    ----------
    problem
        Any.
    number
        The kinds of fidelities take turns: whole, real, linear, from zero, a single step.
    """
    if problem.fidelity is not None:
        return problem
    kinds = (
        Fidelity("epochs", 1, 27),
        Fidelity("share", 0.05, 1.0),
        Fidelity("folds", 1, 10, log=False),
        Fidelity("rows", 0, 5000, log=False),
        Fidelity("seconds", 1.5, 6.0),
    )
    return replace(problem, fidelity=kinds[number % len(kinds)])


def answer(
    problem: Problem,
    proposal: Proposal,
    *,
    status: Status = Status.SUCCESS,
    costs: Sequence[float] | None = None,
) -> Trial:
    """What a smooth synthetic objective answers to a proposal, in microseconds.

    The optimum lies somewhere inside the space. Less than the full fidelity adds a bias;
    with `problem.repeats` above one there is noise, drawn from the proposal's seed. Instances
    are easy or hard, and each likes some values better than others do. A run whose first
    objective is a time ends at its cutoff.

    Parameters
    ----------
    problem
        Any.
    proposal
        A configuration of its space.
    status
        How the trial ended; without success there are no costs.
    costs
        Reported in place of the synthetic ones.
    """
    if costs is None:
        if status is Status.SUCCESS:
            costs = [_quantity(problem, proposal, o.name) for o in problem.objectives]
        else:
            costs = [float("nan")] * problem.n_objectives
    cutoff = proposal.cutoff_s if problem.objectives[0].name in TIMES else None
    if cutoff is not None and status is Status.SUCCESS and costs[0] > cutoff:
        status, costs = Status.TIMEOUT, [float("nan")] * problem.n_objectives
    values = [_quantity(problem, proposal, c.name) for c in problem.constraints]
    if status is not Status.SUCCESS:
        values = [float("nan")] * len(values)
    return Trial(
        proposal,
        status,
        tuple(costs),
        tuple(values),
        cause="" if status == "success" else "said so",
    )


def _quantity(problem: Problem, proposal: Proposal, name: str) -> float:
    points = problem.space.encode([proposal.config])
    terms = [0.0]
    for column, value in zip(points.columns, points.values[0].tolist(), strict=True):
        if np.isnan(value):
            continue
        key = f"{name}/{column.name}"
        if column.is_ordered:
            terms.append(_fraction(f"{key}/weight") * abs(value - _fraction(key)) ** 1.5)
        else:
            terms.append(_fraction(f"{key}={value:.6f}"))
    result = sum(terms) / len(terms)
    if problem.fidelity is not None and proposal.fidelity is not None:
        result += 0.1 * (1 - proposal.fidelity / problem.fidelity.high) * _fraction(name)
    if proposal.instance is not None:
        hard = _fraction(f"{name}/{proposal.instance}")
        likes = _fraction(
            f"{name}/{proposal.instance}/{sorted(map(str, proposal.config.values()))}"
        )
        result = (0.1 + result) * 10.0**hard * (0.8 + 0.4 * likes)
    if problem.repeats > 1:
        result += 0.1 * np.random.default_rng(proposal.seed).standard_normal()
    return float(result)


def _fraction(text: str) -> float:
    """A number in [0, 1) that belongs to a text, the same in every process."""
    return zlib.crc32(text.encode()) / 2**32


# Kinds of problems ---------------------------------------------------------------------


def _mixed_space(rng: np.random.Generator) -> Space:
    many: dict[str, Hyperparameter] = {f"x{i}": Float(-1, 1) for i in range(rng.integers(1, 4))}
    many |= {f"k{i}": Integer(0, int(rng.integers(2, 200))) for i in range(rng.integers(0, 3))}
    many |= {
        f"c{i}": Categorical([f"v{j}" for j in range(rng.integers(2, 6))])
        for i in range(rng.integers(1, 3))
    }
    many["size"] = Ordinal(["small", "medium", "large"])
    return space(many)


def _mixed(rng: np.random.Generator) -> Problem:
    return Problem(_mixed_space(rng), limits=Limits(max_trials=int(rng.integers(20, 200))))


def _log(rng: np.random.Generator) -> Problem:
    low = 10.0 ** -int(rng.integers(2, 9))
    return Problem(
        space(
            rate=Float(low, 1.0, log=True),
            units=Integer(1, 1024, log=True),
            batch=Integer(16, 512, step=16),
        )
    )


def _conditional(rng: np.random.Generator) -> Problem:
    return Problem(
        space(
            algorithm=Categorical(["svm", "forest", "linear"]),
            kernel=Categorical(["rbf", "poly"]).when(algorithm="svm"),
            degree=Integer(2, 5).when(kernel="poly"),
            gamma=Float(1e-4, 10.0, log=True).when(kernel="rbf"),
            trees=Integer(10, 500, log=True).when(algorithm="forest"),
            penalty=Float(0.0, float(rng.uniform(0.5, 2.0))).when(algorithm=["svm", "linear"]),
        )
    )


def _forbidden(rng: np.random.Generator) -> Problem:
    most = int(rng.integers(2, 5))
    return Problem(
        space(
            a=Categorical(["p", "q", "r"]),
            b=Integer(0, most),
            x=Float(0, 1),
            forbid=[{"a": "p", "b": 0}, {"a": "q", "b": list(range(1, most + 1))}],
        )
    )


def _one_value(rng: np.random.Generator) -> Problem:
    return Problem(space(only=Categorical(["this"]), k=Constant(3)))


def _tiny(rng: np.random.Generator) -> Problem:
    return Problem(
        space(
            a=Categorical(["p", "q"]),
            b=Integer(0, int(rng.integers(1, 5))).when(a="p"),
            c=Ordinal([1, 10, 100]),
            forbid=[{"a": "q", "c": 10}],
        ),
        limits=Limits(max_trials=int(rng.integers(5, 60))),
    )


def _finite_trees(rng: np.random.Generator) -> Problem:
    return Problem(Grammar({"S": [["seq", "S", "S"], ["conv"], ["pool"]]}, start="S", max_depth=3))


def _endless_trees(rng: np.random.Generator) -> Problem:
    return Problem(Grammar({"S": [["add", "S", "S"], ["x"], ["y"], ["z"]]}, start="S"))


def _several_objectives(rng: np.random.Generator) -> Problem:
    n = int(rng.integers(2, 4))
    objectives = tuple(Objective(f"cost{i}", maximize=i == 1) for i in range(n))
    return Problem(_mixed_space(rng), objectives=objectives)


def _constraints(rng: np.random.Generator) -> Problem:
    bounds = (Constraint("latency", high=0.4), Constraint("share", low=0.05, high=0.9))
    return Problem(_mixed_space(rng), constraints=bounds[: int(rng.integers(1, 3))])


def _fidelity(rng: np.random.Generator) -> Problem:
    return Problem(_mixed_space(rng), fidelity=Fidelity("epochs", 1, int(rng.integers(9, 82))))


def _noisy(rng: np.random.Generator) -> Problem:
    return Problem(_mixed_space(rng), repeats=int(rng.integers(2, 5)))


def _noisy_tiny(rng: np.random.Generator) -> Problem:
    return Problem(_tiny(rng).space, repeats=2)


def _believed(rng: np.random.Generator) -> Problem:
    return Problem(
        space(x=Float(0, 1, prior=0.2), k=Integer(1, 100, log=True, prior=10), z=Float(-1, 1)),
        limits=Limits(max_trials=30),
    )


KINDS: Kinds = {
    "mixed": _mixed,
    "log": _log,
    "nested conditions": _conditional,
    "forbidden combinations": _forbidden,
    "one value": _one_value,
    "tiny": _tiny,
    "finite trees": _finite_trees,
    "endless trees": _endless_trees,
    "several objectives": _several_objectives,
    "constraints": _constraints,
    "fidelity": _fidelity,
    "noisy": _noisy,
    "noisy and tiny": _noisy_tiny,
    "beliefs": _believed,
}
"""Name of each kind of problem, and what makes one from a generator."""


def _names(n: int) -> tuple[str, ...]:
    return tuple(f"instance {number}" for number in range(n))


def _instances(rng: np.random.Generator) -> Problem:
    return Problem(_mixed_space(rng), instances=_names(int(rng.integers(2, 12))))


def _features(rng: np.random.Generator) -> Problem:
    names = _names(int(rng.integers(2, 30)))
    features = {
        name: tuple(row)
        for name, row in zip(names, rng.random((len(names), 9)).tolist(), strict=True)
    }
    return Problem(_mixed_space(rng), instances=names, instance_features=features)


def _times(rng: np.random.Generator) -> Problem:
    few = _features(rng)
    return replace(few, objectives=(Objective("cpu_time", unit="s"),), limits=Limits(cpu_s=100.0))


def _one_instance(rng: np.random.Generator) -> Problem:
    return Problem(_tiny(rng).space, instances=("only",))


def _noisy_instances(rng: np.random.Generator) -> Problem:
    return Problem(_mixed_space(rng), instances=_names(2), repeats=3, limits=Limits(max_trials=80))


def _few_on_few(rng: np.random.Generator) -> Problem:
    return Problem(space(c=Categorical(["p", "q", "r"])), instances=_names(3))


def _trees_on_instances(rng: np.random.Generator) -> Problem:
    return replace(_endless_trees(rng), instances=_names(4))


def _objectives_on_instances(rng: np.random.Generator) -> Problem:
    return replace(_several_objectives(rng), instances=_names(3))


def _constraints_on_instances(rng: np.random.Generator) -> Problem:
    return replace(_constraints(rng), instances=_names(3))


RACES: Kinds = {
    "instances": _instances,
    "features": _features,
    "times": _times,
    "one instance": _one_instance,
    "noisy instances": _noisy_instances,
    "few configurations on few instances": _few_on_few,
    "trees on instances": _trees_on_instances,
    "objectives on instances": _objectives_on_instances,
    "constraints on instances": _constraints_on_instances,
}
"""The same for what runs configurations over instances."""
