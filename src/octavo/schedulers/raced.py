"""Recipes for problems with instances: what is no race is raced, and races learn their cutoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from octavo.optimizers.protocol import Recipe
from octavo.optimizers.warmed import Warmed
from octavo.problem import Problem
from octavo.schedulers.iterated_racing import IteratedRacing
from octavo.schedulers.race import Rules
from octavo.schedulers.racing import Racing
from octavo.schedulers.run_all import RunAll
from octavo.standings import is_timed

__all__ = ["is_race", "raced", "rules_of", "with_cutoff"]

_RACES = (Racing, IteratedRacing, RunAll)


def is_race(recipe: Recipe) -> bool:
    """Whether a recipe runs configurations over instances by itself."""
    return isinstance(recipe, _RACES)


def raced(recipe: Recipe, first: Sequence[Mapping[str, Any]]) -> Recipe:
    """A race whose new configurations come from the recipe, or the recipe if it is a race.

    Parameters
    ----------
    recipe
        Any.
    first
        Configurations that take part first.

    Examples
    --------
    >>> from octavo.optimizers.random_search import RandomSearch
    >>> raced(RandomSearch(), []) == Racing(inner=RandomSearch())
    True
    """
    if not is_race(recipe):
        recipe = Racing(inner=recipe)
    if not first:
        return recipe
    if isinstance(recipe, Racing):
        return replace(recipe, inner=Warmed(first=tuple(first), inner=recipe.inner))
    if isinstance(recipe, IteratedRacing):
        return replace(recipe, first=(*first, *recipe.first))
    assert isinstance(recipe, RunAll)
    return replace(recipe, configs=(*first, *recipe.configs))


def with_cutoff(recipe: Recipe, problem: Problem, trial_limits: Mapping[str, Any]) -> Recipe:
    """The race with the limit on each trial as its cutoff, where it has none of its own.

    Parameters
    ----------
    recipe
        Any; what is no race comes back unchanged.
    problem
        Says which limit counts: CPU time if the first objective is "cpu_time", wall clock if it
        is "wall_time".
    trial_limits
        `TrialLimits` as a mapping.
    """
    if not isinstance(recipe, _RACES) or recipe.cutoff_s is not None or not is_timed(problem):
        return recipe
    name = "cpu_s" if problem.objectives[0].name == "cpu_time" else "wall_s"
    limit = trial_limits.get(name)
    return recipe if limit is None else replace(recipe, cutoff_s=float(limit))


def rules_of(recipe: Recipe) -> Rules:
    """What ends the runs of a race, and what failures count."""
    return recipe.rules if isinstance(recipe, _RACES) else Rules()
