"""What users write, as what a study keeps: names as objectives, "10m" as seconds.

Each raises a `SettingError` that names the argument, its value and what to write instead.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from octavo.amounts import is_whole, seconds
from octavo.errors import SettingError
from octavo.optimizers.protocol import Recipe
from octavo.problem import Constraint, Limits, Objective, Problem
from octavo.spaces import Believed
from octavo.storage import Address, is_address

__all__ = [
    "name_of",
    "read_constraints",
    "read_limits",
    "read_objectives",
    "read_seed",
    "read_storage",
    "with_belief",
    "wrapped",
]


def read_storage(given: str | Path) -> str | Path:
    """Where a study is: a folder as a path, or the address of a shared study, checked."""
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise SettingError(
            f"the folder of a study is {given!r}, of type {type(given).__name__}. Give a path, "
            "such as 'runs/mlp'; storage=None keeps a new study in memory."
        )
    if isinstance(given, str) and is_address(given):
        Address.of(given)
        return given
    return Path(given)


def name_of(storage: str | Path | None) -> str:
    """What a study is called if nobody says."""
    if isinstance(storage, str):
        return Address.of(storage).study
    return storage.name if storage and storage.name else "study"


def read_objectives(
    given: Sequence[str | Objective] | str | Objective | None,
) -> tuple[Objective, ...]:
    """Names and objectives as objectives; a single cost where nothing is given."""
    if given is None:
        return (Objective(),)
    if isinstance(given, str | Objective):
        given = [given]
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise SettingError(
            f"objectives={given!r} is of type {type(given).__name__}. Give a list, such as "
            '["loss", octavo.Objective("accuracy", maximize=True)].'
        )
    given = list(given)
    for one in given:
        if not isinstance(one, str | Objective):
            raise SettingError(
                f"objectives contains {one!r} of type {type(one).__name__}. "
                'Name each one, such as "loss", or octavo.Objective("accuracy", maximize=True).'
            )
    return tuple(Objective(one) if isinstance(one, str) else one for one in given)


def read_constraints(
    given: Mapping[str, tuple[float | None, float | None]] | Sequence[Constraint] | None,
) -> tuple[Constraint, ...]:
    """Bounds by name, or constraints, as constraints."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        ready = list(given) if isinstance(given, Iterable) else [given]
        for one in ready:
            if not isinstance(one, Constraint):
                raise SettingError(
                    f"constraints contains {one!r} of type {type(one).__name__}. Give a dict from "
                    'names to bounds, such as {"latency": (None, 0.1)}, or octavo.Constraints.'
                )
        return tuple(ready)
    made = []
    for name, bounds in given.items():
        if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
            raise SettingError(
                f"the constraint {name!r} has bounds {bounds!r}; two are expected, "
                f"(low, high), with None for an open side: {{{name!r}: (None, 0.1)}}."
            )
        made.append(Constraint(name, low=bounds[0], high=bounds[1]))
    return tuple(made)


def with_belief(problem: Problem, priors: Callable[[dict[str, Any]], float]) -> Problem:
    """A stored problem, with the function that is believed in."""
    space = problem.space
    if not isinstance(space, Believed) or space.forgotten is None:
        raise SettingError(
            f"priors={priors!r} are given to a study that was not made with a function as its "
            "priors; whatever else it was told to believe is stored with it. Leave them out."
        )
    if not callable(priors):
        raise SettingError(
            f"priors={priors!r} is of type {type(priors).__name__}, but this study was made with "
            f"the function {space.forgotten!r} as its priors. Pass that function."
        )
    return replace(problem, space=Believed(space.space, priors))


def wrapped(recipe: Recipe, problem: Problem, first: Sequence[Mapping[str, Any]]) -> Recipe:
    """The recipe within those that evaluate `first`, repeat what is noisy and race instances."""
    from octavo.optimizers.repeats import Repeats
    from octavo.optimizers.warmed import Warmed
    from octavo.schedulers.raced import is_race, raced

    if isinstance(first, Mapping | str) or not isinstance(first, Sequence):
        raise SettingError(
            f"first={first!r} is of type {type(first).__name__}, but is a list of configurations. "
            "Write [{...}] also for a single one."
        )
    first = tuple(problem.space.check(config) for config in first)
    if problem.instances or is_race(recipe):
        return raced(recipe, first)
    if first:
        recipe = Warmed(first=first, inner=recipe)
    if problem.repeats > 1 and not isinstance(recipe, Repeats):
        recipe = Repeats(inner=recipe)
    return recipe


def read_seed(seed: int | None) -> int:
    """The seed, or one that is drawn."""
    if seed is None:
        return secrets.randbits(31)
    if not is_whole(seed, 0):
        raise SettingError(
            f"seed={seed!r} must be a whole number of at least 0. Give such as seed=0, or None "
            "to have one drawn."
        )
    return int(seed)


def read_limits(
    max_trials: int | None,
    time_limit: str | float | None,
    cpu_limit: str | float | None,
    target: float | None,
) -> Limits:
    """The limits of a study, with times in words."""
    return Limits(
        max_trials=max_trials,
        wall_s=seconds(time_limit, "time_limit"),
        cpu_s=seconds(cpu_limit, "cpu_limit"),
        target=target,
    )
