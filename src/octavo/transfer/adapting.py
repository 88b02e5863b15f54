"""A configuration of one space made valid in another that is much like it.

Spaces of one kind differ in their details from task to task: a table without text has no
encoding of text to choose, a program's newer version has one flag more. What a configuration
says is kept where the other space has it, numbers are moved to the nearest that it allows, and
the rest takes defaults. One thing is not adapted: a choice on which other hyperparameters
depend, such as which model it is, makes a configuration what it is. Without that choice it has
no counterpart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from octavo.errors import SpaceError
from octavo.spaces import Believed, HyperparameterSpace, Points, Space
from octavo.spaces.domains import Domain, is_number
from octavo.spaces.encoding import Encoding

__all__ = ["adapted"]


def adapted(configs: Sequence[Mapping[str, Any]], space: Space) -> list[dict[str, Any] | None]:
    """Each configuration's counterpart in a space; None where it has none.

    Parameters
    ----------
    configs
        Of any spaces. Hyperparameters that this space does not have are passed over, and so
        are those that are inactive in it.
    space
        Where they are to be used. In spaces other than of hyperparameters (grammars, products)
        a configuration is its own counterpart if it is valid there.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, Integer, space
    >>> here = space(model=Categorical(["tree", "line"]),
    ...              depth=Integer(1, 8, default=4).when(model="tree"),
    ...              slope=Float(0, 1, default=0.5).when(model="line"))
    >>> adapted([{"model": "tree", "depth": 20, "text": "svd"},
    ...          {"model": "line"},
    ...          {"model": "net", "width": 64}], here)
    [{'model': 'tree', 'depth': 8}, {'model': 'line', 'slope': 0.5}, None]
    """
    if isinstance(space, Believed):
        space = space.space
    if not isinstance(space, HyperparameterSpace):
        return [_checked(config, space) for config in configs]
    encoding = Encoding(space.to_json()["space"])
    deciding = _deciding(encoding)
    rows, defaults = [], [domain.default for domain in encoding.domains]
    has_counterpart = []
    for config in configs:
        numbers = list(defaults)
        exists = True
        for place, domain in enumerate(encoding.domains):
            if domain.name in config:
                found = _nearest(domain, config[domain.name])
                if found is None and place in deciding:
                    exists = False
                numbers[place] = defaults[place] if found is None else found
        has_counterpart.append(exists)
        rows.append(numbers)
    if not rows:
        return []
    stored = np.array(rows, dtype=float)
    full = np.column_stack([domain.unit(stored[:, i]) for i, domain in enumerate(encoding.domains)])
    legal = encoding.is_legal(encoding.settle(full)) & has_counterpart
    plain = iter(space.decode(Points(full[legal][:, encoding.free], space.columns)))
    return [next(plain) if ok else None for ok in legal]


def _deciding(encoding: Encoding) -> set[int]:
    """Places of the choices that are always made and on which others depend."""
    parents = {
        place
        for condition in encoding.conditions
        if condition is not None
        for place in condition.places()
    }
    return {
        place
        for place in parents
        if encoding.conditions[place] is None and encoding.domains[place].choices
    }


def _nearest(domain: Domain, value: Any) -> float | None:
    """The stored number that is nearest to a plain value; None if nothing is near."""
    if domain.choices:
        found = domain.store_all([value])
        return None if found is None else float(found[0])
    if not is_number(value) or not np.isfinite(value):
        return None
    number = float(value)
    if domain.scale is not None:
        number = (number - domain.scale.offset) / domain.scale.step
    if domain.kind != "float":
        number = float(np.rint(number))
    return float(np.clip(number, domain.low, domain.high))


def _checked(config: Mapping[str, Any], space: Space) -> dict[str, Any] | None:
    try:
        return space.check(config)
    except SpaceError:
        return None
