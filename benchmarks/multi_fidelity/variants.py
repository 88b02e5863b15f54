"""Recipes that have no name in the catalog, to compare with those that have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octavo.optimizers import GaussianProcessBO, Portfolio, Recipe, recipe
from octavo.schedulers.asha import ASHA
from octavo.schedulers.hyperband import Hyperband
from octavo.schedulers.successive_halving import SuccessiveHalving

__all__ = ["VARIANTS", "recipe_of"]

VARIANTS: Mapping[str, Callable[[], Recipe]] = {
    "hyperband/gaussian-process": lambda: Hyperband(GaussianProcessBO()),
    "hyperband/portfolio": lambda: Hyperband(Portfolio()),
    "asha/gaussian-process": lambda: ASHA(GaussianProcessBO()),
    "asha/tpe": lambda: ASHA(recipe("tpe")),
    "asha/random-forest": lambda: ASHA(recipe("random-forest")),
    "successive-halving/gaussian-process": lambda: SuccessiveHalving(GaussianProcessBO()),
}


def recipe_of(name: str) -> Recipe:
    """A variant, or the recipe of the catalog."""
    return VARIANTS[name]() if name in VARIANTS else recipe(name)
