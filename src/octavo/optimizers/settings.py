"""Checks that the recipes' settings share."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral, Real
from typing import Any

from octavo.errors import SettingError
from octavo.optimizers.protocol import Recipe

__all__ = ["IGNORE_BELIEFS", "check_at_least", "check_recipe", "check_share"]

IGNORE_BELIEFS = "Use 0 to ignore beliefs, or leave it out for a tenth of max_trials."


def check_at_least(recipe: Any, lowest: float, *names: str, hint: str = "") -> None:
    """Refuse a setting below `lowest`, or that is no number, whole where it is declared as int.

    None stands for a default and passes.

    Parameters
    ----------
    recipe
        The frozen dataclass.
    lowest
        Least value allowed.
    names
        Fields of the recipe.
    hint
        What to do instead; by default, to leave the setting out.

    Raises
    ------
    SettingError
        Naming the setting and its value.
    """
    for name in names:
        value = getattr(recipe, name)
        if value is None:
            continue
        _check_number(recipe, name, value)
        if not value >= lowest:
            raise SettingError(
                f"{name}={value!r} must be at least {lowest}. "
                + (hint or "Leave it out for the default.")
            )


def check_share(recipe: Any, *names: str, meaning: str) -> None:
    """Refuse a setting outside [0, 1].

    Raises
    ------
    SettingError
        Naming the setting and its value.
    """
    for name in names:
        value = getattr(recipe, name)
        _check_number(recipe, name, value)
        if not 0 <= value <= 1:
            raise SettingError(f"{name}={value!r} must lie between 0 and 1: {meaning}.")


def check_recipe(wrapper: Any, name: str = "inner") -> None:
    """Refuse what a wrapper could not start.

    Parameters
    ----------
    wrapper
        The frozen dataclass.
    name
        The field that holds a recipe.

    Raises
    ------
    SettingError
        Naming the setting and its value.
    """
    value = getattr(wrapper, name)
    if isinstance(value, type):
        raise SettingError(
            f"{name}={value.__name__} is a class. Make a recipe of it by calling it: "
            f"{name}={value.__name__}()."
        )
    if not isinstance(value, Recipe):
        called = f"octavo.optimizers.recipe({value!r})" if isinstance(value, str) else "TPE()"
        raise SettingError(
            f"{name}={value!r:.100} is of type {type(value).__name__}, but is a recipe, which "
            f"has a method start(problem, seed). Write such as {name}={called}."
        )


def _check_number(recipe: Any, name: str, value: object) -> None:
    declared = next(str(field.type) for field in fields(recipe) if field.name == name)
    is_int = declared.removeprefix("<class '").startswith("int")
    if isinstance(value, bool) or not isinstance(value, Real):
        raise SettingError(
            f"{name}={value!r:.100} is of type {type(value).__name__}, but is a "
            f"{'whole ' if is_int else ''}number."
        )
    if is_int and not isinstance(value, Integral):
        raise SettingError(
            f"{name}={value!r} is a whole number. Write it without a point, such as {name}=5."
        )
