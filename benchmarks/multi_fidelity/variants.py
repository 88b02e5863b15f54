"""Recipes that have no name in the catalog, to compare with those that have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octavo.optimizers import GaussianProcessBO, Portfolio, Recipe, recipe
from octavo.schedulers.asha import ASHA
from octavo.schedulers.hyperband import Hyperband
from octavo.schedulers.multi_fidelity import MultiFidelityBO
from octavo.schedulers.successive_halving import SuccessiveHalving

__all__ = ["VARIANTS", "recipe_of"]

VARIANTS: Mapping[str, Callable[[], Recipe]] = {
    "hyperband/gaussian-process": lambda: Hyperband(GaussianProcessBO()),
    "hyperband/portfolio": lambda: Hyperband(Portfolio()),
    "asha/gaussian-process": lambda: ASHA(GaussianProcessBO()),
    "hyperband/eager": lambda: Hyperband(Portfolio(patience=0)),
    "asha/eager": lambda: ASHA(Portfolio(patience=0)),
    "hedge/eager": lambda: ASHA(Portfolio(patience=0), hedge=True),
    "hedge/tpe": lambda: ASHA(recipe("tpe"), hedge=True),
    "hedge/random-forest": lambda: ASHA(recipe("random-forest"), hedge=True),
    "hedge/thirds": lambda: ASHA(Portfolio(turns=(0, 1, 2), patience=0), hedge=True),
    "hyperband/thirds": lambda: Hyperband(Portfolio(turns=(0, 1, 2), patience=0)),
    "asha/thirds": lambda: ASHA(Portfolio(turns=(0, 1, 2), patience=0)),
    "multi-fidelity/all-new": lambda: MultiFidelityBO(new_share=1.0),
    "asha/tpe": lambda: ASHA(recipe("tpe")),
    "asha/random-forest": lambda: ASHA(recipe("random-forest")),
    "successive-halving/gaussian-process": lambda: SuccessiveHalving(GaussianProcessBO()),
}


def recipe_of(name: str) -> Recipe:
    """A variant, or the recipe of the catalog."""
    return VARIANTS[name]() if name in VARIANTS else recipe(name)
