"""What decides what to try next: recipes, by name in one catalog.

Each row is one idea in one file. The catalog feeds `octavo.minimize(optimizer="...")`, the
command line, the documentation and the law suite in `octavo.testing`. Modules load on
first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from octavo.errors import SettingError, closest
from octavo.maturity import Maturity
from octavo.optimizers.protocol import Optimizer, Recipe

if TYPE_CHECKING:
    from octavo.optimizers.auto import Auto
    from octavo.optimizers.cmaes import CMAES
    from octavo.optimizers.differential_evolution import DifferentialEvolution
    from octavo.optimizers.gaussian_process import GaussianProcessBO
    from octavo.optimizers.grid import Grid
    from octavo.optimizers.nsga2 import NSGA2
    from octavo.optimizers.parego import ParEGO
    from octavo.optimizers.policy_gradient import PolicyGradient
    from octavo.optimizers.portfolio import Portfolio
    from octavo.optimizers.random_forest import RandomForestBO
    from octavo.optimizers.random_search import RandomSearch
    from octavo.optimizers.regularized_evolution import RegularizedEvolution
    from octavo.optimizers.repeats import Repeats
    from octavo.optimizers.sawei import SAWEI
    from octavo.optimizers.sobol import Sobol
    from octavo.optimizers.tpe import TPE
    from octavo.optimizers.tree_search import TreeSearch
    from octavo.optimizers.turbo import TuRBO
    from octavo.optimizers.warmed import Warmed

__all__ = [
    "CATALOG",
    "CMAES",
    "MATURITY",
    "NSGA2",
    "SAWEI",
    "TPE",
    "WHERE",
    "Auto",
    "DifferentialEvolution",
    "GaussianProcessBO",
    "Grid",
    "Optimizer",
    "ParEGO",
    "PolicyGradient",
    "Portfolio",
    "RandomForestBO",
    "RandomSearch",
    "Recipe",
    "RegularizedEvolution",
    "Repeats",
    "Sobol",
    "TreeSearch",
    "TuRBO",
    "Warmed",
    "recipe",
]

_ROWS: Mapping[str, tuple[str, str, Maturity]] = {
    "auto": ("octavo.optimizers.auto", "Auto", "stable"),
    "random": ("octavo.optimizers.random_search", "RandomSearch", "stable"),
    "grid": ("octavo.optimizers.grid", "Grid", "stable"),
    "sobol": ("octavo.optimizers.sobol", "Sobol", "stable"),
    "gaussian-process": ("octavo.optimizers.gaussian_process", "GaussianProcessBO", "stable"),
    "sawei": ("octavo.optimizers.sawei", "SAWEI", "contrib"),
    "turbo": ("octavo.optimizers.turbo", "TuRBO", "contrib"),
    "random-forest": ("octavo.optimizers.random_forest", "RandomForestBO", "stable"),
    "portfolio": ("octavo.optimizers.portfolio", "Portfolio", "stable"),
    "tpe": ("octavo.optimizers.tpe", "TPE", "stable"),
    "regularized-evolution": (
        "octavo.optimizers.regularized_evolution",
        "RegularizedEvolution",
        "stable",
    ),
    "nsga2": ("octavo.optimizers.nsga2", "NSGA2", "beta"),
    "parego": ("octavo.optimizers.parego", "ParEGO", "beta"),
    "differential-evolution": (
        "octavo.optimizers.differential_evolution",
        "DifferentialEvolution",
        "beta",
    ),
    "cma-es": ("octavo.optimizers.cmaes", "CMAES", "beta"),
    "policy-gradient": ("octavo.optimizers.policy_gradient", "PolicyGradient", "beta"),
    "tree-search": ("octavo.optimizers.tree_search", "TreeSearch", "beta"),
    "warmed": ("octavo.optimizers.warmed", "Warmed", "stable"),
    "repeats": ("octavo.optimizers.repeats", "Repeats", "stable"),
    "freeze-thaw": ("octavo.schedulers.freeze_thaw", "FreezeThaw", "contrib"),
    "successive-halving": ("octavo.schedulers.successive_halving", "SuccessiveHalving", "beta"),
    "hyperband": ("octavo.schedulers.hyperband", "Hyperband", "beta"),
    "asha": ("octavo.schedulers.asha", "ASHA", "beta"),
    "bohb": ("octavo.schedulers.hyperband", "BOHB", "beta"),
    "dehb": ("octavo.schedulers.dehb", "DEHB", "beta"),
    "multi-fidelity": ("octavo.schedulers.multi_fidelity", "MultiFidelityBO", "beta"),
    "priorband": ("octavo.schedulers.priorband", "PriorBand", "beta"),
    "smac-mf": ("octavo.schedulers.hyperband", "SMACMultiFidelity", "beta"),
    "racing": ("octavo.schedulers.racing", "Racing", "beta"),
    "irace": ("octavo.schedulers.iterated_racing", "IteratedRacing", "beta"),
}
"""One row for each recipe: its name, the module and class where it is, and its maturity."""

WHERE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {name: (module, attribute) for name, (module, attribute, _) in _ROWS.items()}
)
"""Name of each recipe, and the module and class where it is."""

MATURITY: Mapping[str, Maturity] = MappingProxyType(
    {name: maturity for name, (_, _, maturity) in _ROWS.items()}
)
"""Name of each recipe, and how far it can be trusted; see `octavo.maturity`."""


class _Catalog(Mapping[str, type[Recipe]]):
    """Name of each recipe to its class, imported when looked up."""

    def __getitem__(self, name: str) -> type[Recipe]:
        module, attribute = WHERE[name]
        found: type[Recipe] = getattr(import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(WHERE)

    def __len__(self) -> int:
        return len(WHERE)


CATALOG: Mapping[str, type[Recipe]] = _Catalog()
"""Every optimizer by its name, as a recipe class with defaults for all settings."""


def recipe(name_or_recipe: str | Recipe) -> Recipe:
    """The recipe of this name with its default settings; a recipe is returned as it is.

    Parameters
    ----------
    name_or_recipe
        A name in the catalog, or a recipe such as `RandomForestBO(n_initial=5)`.

    Raises
    ------
    SettingError
        If there is no such name, or it is neither a name nor a recipe.

    Examples
    --------
    >>> recipe("random")
    RandomSearch(belief_share=0.5)
    """
    if isinstance(name_or_recipe, str):
        if name_or_recipe not in WHERE:
            raise SettingError(
                f"there is no optimizer called {name_or_recipe!r}. "
                f"The catalog has {', '.join(WHERE)}." + closest(name_or_recipe, WHERE)
            )
        return CATALOG[name_or_recipe]()
    if isinstance(name_or_recipe, type):
        raise SettingError(
            f"optimizer={name_or_recipe.__name__} is a class. Make a recipe of it by calling "
            f"it: {name_or_recipe.__name__}()."
        )
    if not isinstance(name_or_recipe, Recipe):
        raise SettingError(
            f"optimizer={name_or_recipe!r} is neither a name nor a recipe. Use a name such as "
            "'random-forest', or an object with a method start(problem, seed)."
        )
    return name_or_recipe


def __getattr__(name: str) -> Any:
    """The recipe classes, loaded on first use."""
    for module, attribute in WHERE.values():
        if attribute == name:
            return getattr(import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
