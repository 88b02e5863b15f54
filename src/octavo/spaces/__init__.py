"""Everything that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from octavo.errors import SpaceError, closest
from octavo.spaces.believed import Believed
from octavo.spaces.clauses import any_of, at_least, at_most, greater_than, less_than, other_than
from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.grammar import Grammar
from octavo.spaces.hyperparameters import (
    Categorical,
    Constant,
    Float,
    Hyperparameter,
    Integer,
    Ordinal,
    space,
)
from octavo.spaces.product import Product
from octavo.spaces.protocol import Column, Config, Points, Space

__all__ = [
    "Believed",
    "Categorical",
    "Column",
    "Config",
    "Constant",
    "Float",
    "Grammar",
    "Hyperparameter",
    "HyperparameterSpace",
    "Integer",
    "Ordinal",
    "Points",
    "Product",
    "Space",
    "any_of",
    "as_space",
    "at_least",
    "at_most",
    "from_json",
    "greater_than",
    "less_than",
    "other_than",
    "space",
]


_THEIRS = "ConfigSpace.configuration_space.ConfigurationSpace"


def from_json(data: Mapping[str, Any]) -> Space:
    """The space that some space's `to_json` described, or a ConfigSpace in its own JSON.

    Raises
    ------
    SpaceError
        If the kind of space is unknown, or something is missing in the description.
    """
    if not isinstance(data, Mapping):
        raise SpaceError(
            f"the description of a space is {data!r:.80}, of type {type(data).__name__}, where a "
            "dict is needed. Pass what space.to_json() or ConfigurationSpace.to_json wrote."
        )
    kinds: dict[str, Any] = {
        "hyperparameters": HyperparameterSpace,
        "grammar": Grammar,
        "product": Product,
        "believed": Believed,
    }
    kind = data.get("kind")
    if kind is None and "hyperparameters" in data:  # as ConfigSpace itself writes it
        kind, data = "hyperparameters", {"space": data}
    if kind not in kinds:
        raise SpaceError(
            f"the description of a space has kind={kind!r}, which this version of Octavo does "
            f"not know.{closest(str(kind), kinds)} It knows {', '.join(map(repr, kinds))}; "
            "update Octavo, or mend the description."
        )
    try:
        made: Space = kinds[str(kind)].from_json(data)
    except SpaceError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        lacks = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise SpaceError(
            f"the description of a space of kind={kind!r} is incomplete or malformed: {lacks}. "
            "Write it again with space.to_json(), or mend it."
        ) from error
    return made


def as_space(thing: Any) -> Space:
    """A space from whatever may stand for one.

    Parameters
    ----------
    thing
        A space, a ConfigSpace `ConfigurationSpace`, or a dict of hyperparameters.

    Raises
    ------
    SpaceError
        If it is something else.
    """
    if isinstance(thing, Space):
        return thing
    # Told by its name, so that ConfigSpace is not imported just to ask.
    if any(f"{c.__module__}.{c.__name__}" == _THEIRS for c in type(thing).__mro__):
        return HyperparameterSpace.from_configspace(thing)
    if isinstance(thing, Mapping):
        return space(thing)
    raise SpaceError(
        f"{thing!r:.80} is of type {type(thing).__name__}, which is no space. Write one with "
        "octavo.space(x=octavo.Float(0, 1), ...), or pass a ConfigurationSpace or a dict of "
        "hyperparameters."
    )
