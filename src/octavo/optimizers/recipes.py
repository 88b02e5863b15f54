"""Recipes as JSON: what a study stores of its optimizer, and starts again on resume.

    {"recipe": "random-forest", "settings": {"n_initial": 5, ...}}

Wrappers hold further recipes among their settings. A recipe from outside the catalog is
written as "module:qualname" and imported when it is read; so are the stoppers of a study.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, cast

from octavo.errors import SettingError, closest
from octavo.optimizers import CATALOG, WHERE
from octavo.optimizers.protocol import Recipe

__all__ = ["is_importable", "recipe_from_json", "recipe_to_json"]

_KEYS = {"recipe", "settings"}


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """A JSON-able description from which `recipe_from_json` builds the recipe again.

    Parameters
    ----------
    recipe
        A frozen dataclass of numbers, texts, sequences, mappings and further recipes.

    Raises
    ------
    SettingError
        If the recipe is not a dataclass, its class cannot be imported by name, or a setting
        has no JSON.

    Examples
    --------
    >>> from octavo.optimizers.grid import Grid
    >>> recipe_to_json(Grid(resolution=3))
    {'recipe': 'grid', 'settings': {'resolution': 3}}
    """
    kind: type[Any] = type(recipe)
    if not is_dataclass(kind):
        raise SettingError(
            f"{kind.__qualname__} is not a dataclass, so its settings cannot be stored. "
            "Write the recipe as a frozen dataclass whose fields are its settings."
        )
    where = (kind.__module__, kind.__qualname__)
    name = next((name for name, place in WHERE.items() if place == where), None)
    if name is None:
        name = ":".join(where)
        if not is_importable(kind):
            raise SettingError(
                f"{kind.__qualname__} from {kind.__module__!r} cannot be imported by another "
                "process. Define the recipe's class at the top level of a module."
            )
    settings = {
        field.name: _to_json(getattr(recipe, field.name), f"{kind.__name__}.{field.name}")
        for field in fields(kind)
    }
    return {"recipe": name, "settings": settings}


def recipe_from_json(data: Mapping[str, Any]) -> Recipe:
    """The recipe that `recipe_to_json` described.

    Raises
    ------
    SettingError
        If the class is unknown or cannot be imported, or does not take these settings.

    Examples
    --------
    >>> recipe_from_json({"recipe": "grid", "settings": {"resolution": 3}})
    Grid(resolution=3)
    """
    if not isinstance(data, Mapping) or set(data) != _KEYS:
        raise SettingError(
            f"{data!r} does not describe a recipe. Expected a mapping with the keys 'recipe' "
            "and 'settings', as recipe_to_json writes it."
        )
    kind = _find(data["recipe"])
    settings = {name: _from_json(value) for name, value in data["settings"].items()}
    try:
        return kind(**settings)
    except TypeError as error:
        raise SettingError(
            f"{data['recipe']!r} does not take the settings {sorted(settings)}: {error}. It may "
            "be from another version; start it anew with today's settings."
        ) from error


def is_importable(kind: type) -> bool:
    """Whether another process finds this class under its module and name.

    Examples
    --------
    >>> from octavo.optimizers.grid import Grid
    >>> is_importable(Grid), is_importable(type("Grid", (), {}))
    (True, False)
    """
    if kind.__module__ == "__main__":
        return False
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def _find(name: str) -> type[Recipe]:
    if name in WHERE:
        return CATALOG[name]
    module, _, path = str(name).partition(":")
    if not path:
        raise SettingError(
            f"there is no optimizer called {name!r}. The catalog has {', '.join(WHERE)}; a class "
            "from elsewhere is written 'module:Class'." + closest(name, WHERE)
        )
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"the optimizer {name!r} cannot be imported: {error}. Install or repair the module "
            f"{module!r}, or pass the recipe itself."
        ) from error
    does_something = hasattr(found, "start") or hasattr(found, "decide")
    if not (isinstance(found, type) and is_dataclass(found) and does_something):
        raise SettingError(
            f"{name!r} is not a recipe. A recipe is a dataclass with a method "
            "start(problem, seed), or decide(running, history) for a stopper; check the name."
        )
    return cast(type[Recipe], found)


def _to_json(value: Any, place: str) -> Any:
    if isinstance(value, str | bool | int | float | None):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()  # a NumPy scalar
    if isinstance(value, Mapping):
        return {str(key): _to_json(inner, f"{place}[{key!r}]") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner, f"{place}[{i}]") for i, inner in enumerate(value)]
    if isinstance(value, Recipe):
        return recipe_to_json(value)
    raise SettingError(
        f"{place}={value!r} has no JSON. Settings of a recipe are numbers, texts, sequences, "
        "mappings and further recipes."
    )


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == _KEYS:
            return recipe_from_json(value)
        return {key: _from_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_from_json(inner) for inner in value)  # settings are frozen
    return value
