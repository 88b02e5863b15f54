"""Checks that the recipes' settings share."""

from __future__ import annotations

from typing import Any

from octavo.errors import SettingError

__all__ = ["IGNORE_BELIEFS", "check_at_least", "check_share"]

IGNORE_BELIEFS = "Use 0 to ignore beliefs, or leave it out for a tenth of max_trials."


def check_at_least(recipe: Any, lowest: float, *names: str, hint: str = "") -> None:
    """Refuse a setting below `lowest`; None stands for a default and passes.

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
        if value is not None and not value >= lowest:
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
        if not 0 <= value <= 1:
            raise SettingError(f"{name}={value!r} must lie between 0 and 1: {meaning}.")
