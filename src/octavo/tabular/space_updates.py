"""Narrowing a space by the user's word: a fixed value, fewer choices, tighter bounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from octavo.errors import SettingError, closest
from octavo.spaces import Categorical, Constant, Float, Hyperparameter, Integer, Ordinal, space

__all__ = ["updated"]


def updated(
    hyperparameters: Mapping[str, Hyperparameter],
    updates: Mapping[str, Any],
    *,
    known: Collection[str],
) -> dict[str, Hyperparameter]:
    """Hyperparameters with the updates applied; what can no longer be active is gone.

    Parameters
    ----------
    hyperparameters
        By full name.
    updates
        By full name: a value, a list of choices, a pair of bounds, or a hyperparameter.
        Those of families that are not searched here are passed over.
    known
        Names of all families.

    Raises
    ------
    SettingError
        If a name is unknown or an update makes no sense.

    Examples
    --------
    >>> parts = {"svm.kernel": Categorical(["rbf", "poly"]),
    ...          "svm.degree": Integer(2, 5).when({"svm.kernel": "poly"})}
    >>> list(updated(parts, {"svm.kernel": "rbf"}, known=["svm"]))
    ['svm.kernel']
    """
    present = {name.partition(".")[0] for name in hyperparameters}
    found = dict(hyperparameters)
    for name, update in updates.items():
        if name not in found:
            family = name.partition(".")[0]
            if family in known and family not in present:
                continue
            raise SettingError(
                f"the search space has no {name!r} to update."
                f"{closest(name, found)} Names look like 'lightgbm.num_leaves'; which models are "
                "searched is set by include and exclude."
            )
        found[name] = _narrowed(name, found[name], update)
    return _without_unreachable(found)


def _narrowed(name: str, old: Hyperparameter, update: Any) -> Hyperparameter:
    if isinstance(update, Hyperparameter):
        return replace(update, conditions=old.conditions)
    if isinstance(update, tuple) and len(update) == 2 and isinstance(old, Float | Integer):
        low, high = update
        new: Hyperparameter = replace(old, low=low, high=high, default=None, prior=None)
        if isinstance(old, Float | Integer) and old.default is not None:
            new = replace(new, default=min(max(old.default, low), high))  # type: ignore[call-arg]
    elif isinstance(update, list | tuple):
        if not update:
            raise SettingError(f"the update of {name!r} is empty. Name at least one value.")
        new = Categorical(list(update), conditions=old.conditions)
    else:
        new = Constant(update, conditions=old.conditions)
    bare = space({name: replace(old, conditions=())})
    asked = list(update) if isinstance(update, list | tuple) else [update]
    for value in asked:
        bare.check({name: value})  # refuses what lies outside, naming value and range
    return new


def _without_unreachable(found: dict[str, Hyperparameter]) -> dict[str, Hyperparameter]:
    """Without those whose parents can no longer take the values under which they are active."""
    while True:
        kept: dict[str, Hyperparameter] = {}
        for name, choice in found.items():
            conditions = []
            for condition in choice.conditions:
                narrowed = _possible(condition, found)
                if narrowed is None:
                    break
                if narrowed:
                    conditions.append(narrowed)
            else:
                kept[name] = replace(choice, conditions=tuple(conditions))
        if len(kept) == len(found):
            return kept
        found = kept


def _possible(condition: Any, found: Mapping[str, Hyperparameter]) -> Any:
    """The condition with the values that its parents still have; None if none are left."""
    if not isinstance(condition, Mapping):
        return condition
    narrowed = {}
    for parent, wanted in condition.items():
        if parent not in found:
            return None
        values = _values(found[parent])
        if values is None or not isinstance(wanted, str | int | float | bool | list):
            narrowed[parent] = wanted
            continue
        left = [v for v in (wanted if isinstance(wanted, list) else [wanted]) if v in values]
        if not left:
            return None
        narrowed[parent] = left
    return narrowed


def _values(choice: Hyperparameter) -> list[Any] | None:
    if isinstance(choice, Constant):
        return [choice.value]
    if isinstance(choice, Categorical):
        return list(choice.choices)
    if isinstance(choice, Ordinal):
        return list(choice.values)
    return None
