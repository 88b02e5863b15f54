"""Where the good configurations of many tasks lie: a smaller space to search on the next one.

Of tasks that share a space, the smallest box that holds the best configurations of each: a range
for each number, a set for each choice. Searching it needs no model of the tasks and no weights,
and helps every optimizer, random search too. A task whose best lies far from all others blows
the box up, so that a share of the tasks may be left outside (the paper's slack).

Perrone, Shen, Seeger, Archambeau & Jenatton (2019), Learning search spaces for Bayesian
optimization: Another view of hyperparameter transfer learning, NeurIPS 32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError, SettingError, SpaceError
from octavo.spaces import Believed, HyperparameterSpace, Points, Space
from octavo.spaces.domains import Domain
from octavo.transfer.narrowing import narrowed_language

__all__ = ["Ranges", "learned_ranges", "narrowed"]

Floats = NDArray[np.float64]
Ranges = Mapping[str, tuple[Any, Any] | list[Any]]
"""By name: (lowest, highest) of a number, or the choices that are left. As `space_updates` of
tabular searches."""


def learned_ranges(
    tasks: Sequence[Sequence[Mapping[str, Any]]],
    space: Space,
    *,
    share: float = 1.0,
    margin: float = 0.05,
) -> dict[str, tuple[Any, Any] | list[Any]]:
    """The smallest ranges and sets that hold the best configurations of the tasks.

    Parameters
    ----------
    tasks
        For each task its best configurations, at least one: see
        `octavo.transfer.histories.best_configs`.
    space
        That all of them are of.
    share
        Of the tasks, so many have to be inside, in (0, 1]; the others are those without which
        the box is smallest, found one after the other.
    margin
        Added at both ends of a range, as a share of the whole range on the hyperparameter's
        scale: the best of few tasks seldom are at the ends.

    Returns
    -------
    dict
        What is narrower than in the space. Where none of the best configurations has a
        hyperparameter active, nothing is known and nothing narrowed.

    Raises
    ------
    DataError
        Without tasks, or if a task has no configuration.
    SettingError
        If a setting is out of its range.
    SpaceError
        If a configuration is not in the space, or the space is none of hyperparameters.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> here = space(rate=Float(1e-4, 1.0, log=True), kind=Categorical(["a", "b", "c"]))
    >>> learned_ranges([[{"rate": 0.01, "kind": "a"}], [{"rate": 0.1, "kind": "b"}]], here,
    ...                margin=0)
    {'rate': (0.01, 0.1), 'kind': ['a', 'b']}
    """
    space = _of_hyperparameters(space)
    if not 0 < share <= 1:
        raise SettingError(f"share={share!r} must be above 0 and at most 1: of the tasks.")
    if not 0 <= margin < 1:
        raise SettingError(f"margin={margin!r} must be at least 0 and below 1: of a whole range.")
    if not len(tasks) or not all(len(task) for task in tasks):
        raise DataError(
            f"{len(tasks)} tasks were given, of which {sum(not len(t) for t in tasks)} have no "
            "configuration. Give at least one task, and of each at least its best configuration."
        )
    points = [space.encode(list(task)) for task in tasks]
    kept = _kept(points, int(np.ceil(share * len(points) - 1e-9)))
    values = np.concatenate([points[i].values for i in kept])
    by_name = {domain.name: domain for domain in space.domains}
    found: dict[str, tuple[Any, Any] | list[Any]] = {}
    for column, place in zip(space.columns, values.T, strict=True):
        domain, active = by_name[column.name], place[~np.isnan(place)]
        if len(active):
            narrower = _range(domain, active, margin)
            if narrower is not None:
                found[column.name] = narrower
    return found


def narrowed(space: Space, ranges: Ranges) -> HyperparameterSpace:
    """A space with narrower ranges.

    What can no longer be active is gone. Beliefs about a hyperparameter that is narrowed are
    dropped: they speak of the whole range. A number on which conditions or forbidden
    combinations depend keeps its range.

    Parameters
    ----------
    space
        Of hyperparameters.
    ranges
        As `learned_ranges` finds them.

    Raises
    ------
    SpaceError
        If a range is none of the space's, or the space is none of hyperparameters.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, Integer, space
    >>> here = space(model=Categorical(["tree", "line"]),
    ...              depth=Integer(1, 8).when(model="tree"), slope=Float(0, 1).when(model="line"))
    >>> narrowed(here, {"model": ["tree"], "depth": (2, 4)}).names
    ('model', 'depth')
    """
    space = _of_hyperparameters(space)
    language = narrowed_language(space.to_json()["space"], _stored(space, ranges))
    return HyperparameterSpace(language)


def _stored(space: HyperparameterSpace, ranges: Ranges) -> dict[str, list[float]]:
    """The numbers by which the space's language speaks of the ranges; checks them."""
    by_name = {domain.name: domain for domain in space.domains}
    found = {}
    for name, wanted in ranges.items():
        if name not in by_name:
            raise SpaceError(
                f"the ranges name {name!r}, which is no hyperparameter of this space. It has "
                f"{', '.join(by_name)}."
            )
        domain = by_name[name]
        numbers = [domain.store(value) for value in wanted]
        if not numbers or (not domain.choices and (len(numbers) != 2 or numbers[0] > numbers[1])):
            raise SpaceError(
                f"the range of {name!r} is {wanted!r}. Give (lowest, highest) of a number, or a "
                "list of at least one choice."
            )
        found[name] = numbers
    return found


def _range(domain: Domain, active: Floats, margin: float) -> Any:
    """The narrower range of one hyperparameter; None if it is not narrower."""
    if domain.kind == "categorical":
        used = np.unique(domain.stored(active))
        return None if len(used) == domain.n_values else domain.plain(used)
    if domain.kind == "ordinal":
        ends = domain.stored(np.array([active.min(), active.max()]))
        left = np.arange(ends[0], ends[1] + 1)
        return None if len(left) == domain.n_values else domain.plain(left)
    box = np.clip([active.min() - margin, active.max() + margin], 0.0, 1.0)
    low, high = domain.stored(box)
    if low <= domain.low and high >= domain.high:
        return None
    return tuple(domain.plain(np.array([low, high])))


def _kept(points: Sequence[Points], n: int) -> list[int]:
    """Which tasks' configurations the box has to hold."""
    kept = list(range(len(points)))
    while len(kept) > n:
        sizes = [_size([points[i] for i in kept if i != without]) for without in kept]
        kept.pop(int(np.argmin(sizes)))
    return kept


def _size(points: Sequence[Points]) -> float:
    """The sum of a box's sides: share of the range, or of the choices."""
    joined = Points.join(list(points))
    total = 0.0
    for column, place in zip(joined.columns, joined.values.T, strict=True):
        active = place[~np.isnan(place)]
        if not len(active):
            continue
        if column.is_ordered:
            total += float(active.max() - active.min())
        else:
            total += len(np.unique(active)) / (column.n_values or 1)
    return total


def _of_hyperparameters(space: Space) -> HyperparameterSpace:
    if isinstance(space, Believed):
        space = space.space
    if not isinstance(space, HyperparameterSpace):
        raise SpaceError(
            f"a {type(space).__name__} has no ranges to narrow. Give a space of hyperparameters, "
            "as octavo.space(...) makes it."
        )
    return space
