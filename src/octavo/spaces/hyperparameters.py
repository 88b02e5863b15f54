"""The short form: `space(learning_rate=Float(1e-5, 1e-1, log=True), ...)`.

It writes ConfigSpace's JSON, the language behind every `HyperparameterSpace`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from octavo.errors import SpaceError
from octavo.spaces.clauses import AnyOf, condition_json, forbidden_json, in_language
from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.language import (
    DECIMALS,
    finish,
    read_bounds,
    read_choices,
    stepped_number,
)

__all__ = ["Categorical", "Constant", "Float", "Hyperparameter", "Integer", "Ordinal", "space"]


@dataclass(frozen=True)
class Hyperparameter:
    """What all hyperparameters of the short form have in common: `when`."""

    conditions: tuple[Mapping[str, Any] | AnyOf, ...] = field(default=(), kw_only=True, repr=False)

    def when(self, condition: Mapping[str, Any] | AnyOf | None = None, /, **parents: Any) -> Self:
        """The same hyperparameter, active only under a condition.

        Parameters
        ----------
        condition
            A mapping from parents to values, for names that cannot be keywords, or
            `any_of(...)`.
        **parents
            For each parent the value at which this one is active, a list of such values, or a
            comparison such as `greater_than(3)`.

        Returns
        -------
        A new hyperparameter. All parents, and those of earlier `when`, must agree. One whose
        parent is itself inactive is inactive.

        Examples
        --------
        >>> Float(0, 1).when(optimizer="sgd").when(nesterov=[True])
        Float(low=0, high=1, log=False, prior=None, default=None, step=None)
        """
        added = [part for part in (condition, parents) if part]
        if not added:
            raise SpaceError(
                "when() was called without a condition. Name at least one parent and its value, "
                'such as .when(optimizer="sgd").'
            )
        return replace(self, conditions=(*self.conditions, *added))

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        raise NotImplementedError


@dataclass(frozen=True)
class Float(Hyperparameter):
    """A real number from `low` to `high`.

    Parameters
    ----------
    low, high
        Bounds; both belong to the range. Kept to 13 decimals.
    log
        Whether equal steps are equal ratios; needs low > 0.
    prior
        A belief about good values: a value; a pair (value, spread), the spread a standard
        deviation in the unit of the value or, with `log`, a factor above 1; or a frozen
        distribution of `scipy.stats` over the values. Without a spread, a quarter of the
        range is assumed. It never changes how the space is sampled.
    default
        Where to start; otherwise the most probable value, otherwise the middle.
    step
        Only the values low, low + step, ..., high; it must divide the range.

    Examples
    --------
    >>> space(rate=Float(1e-4, 1.0, log=True, prior=(0.01, 3))).default()
    {'rate': 0.01}
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    prior: Any = field(default=None, kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    step: float | None = field(default=None, kw_only=True)

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        low, high = read_bounds(name, self.low, self.high, self.log)
        if self.step is not None:
            return stepped_number(name, self, low, high, whole=False)
        rounded = round(float(low), DECIMALS), round(float(high), DECIMALS)
        if rounded[0] >= rounded[1] or (self.log and rounded[0] <= 0):
            raise SpaceError(
                f"{name!r} goes from {low!r} to {high!r}, but bounds are kept to {DECIMALS} "
                "decimals, which leaves nothing of it. Measure it in a smaller unit."
            )
        item = {"type": "uniform_float", "name": name, "lower": rounded[0], "upper": rounded[1]}
        return finish(item, self, log=self.log)


@dataclass(frozen=True)
class Integer(Hyperparameter):
    """A whole number from `low` to `high`.

    Parameters
    ----------
    low, high
        Bounds; both belong to the range.
    step
        Only the values low, low + step, ..., high; it must divide the range.
    log
        Whether equal steps are equal ratios; needs low > 0.
    prior
        A belief about good values, as for `Float`.
    default
        Where to start; otherwise the most probable value, otherwise the middle.

    Examples
    --------
    >>> [config["batch"] for config in space(batch=Integer(16, 64, step=16)).grid(10)]
    [16, 32, 48, 64]
    """

    low: int
    high: int
    step: int | None = field(default=None, kw_only=True)
    log: bool = field(default=False, kw_only=True)
    prior: Any = field(default=None, kw_only=True)
    default: int | None = field(default=None, kw_only=True)

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        low, high = read_bounds(name, self.low, self.high, self.log)
        for word, bound in (("low", low), ("high", high)):
            if bound != int(bound):
                raise SpaceError(
                    f"{name!r} is an Integer with {word}={bound!r}, which has a fraction. "
                    f"Use {word}={math.floor(bound)}, or a Float."
                )
        if self.step is not None:
            return stepped_number(name, self, low, high, whole=True)
        item = {"type": "uniform_int", "name": name, "lower": int(low), "upper": int(high)}
        return finish(item, self, log=self.log)


@dataclass(frozen=True)
class Categorical(Hyperparameter):
    """One of several choices that have no order.

    Parameters
    ----------
    choices
        Different values: str, int, float, bool or None. Their types are kept.
    prior
        A belief about good choices: one choice (as many times likelier than each other as
        there are choices), weights in the order of the choices, or a mapping from choices to
        weights (those left out weigh nothing).
    default
        Where to start; otherwise the most probable choice, otherwise the first.

    Examples
    --------
    >>> space(solver=Categorical(["lbfgs", "saga"], prior={"saga": 3, "lbfgs": 1})).default()
    {'solver': 'saga'}
    """

    choices: Sequence[Any]
    prior: Any = field(default=None, kw_only=True)
    default: Any = field(default=None, kw_only=True)

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        choices = read_choices(name, self.choices, "choices")
        item = {"type": "categorical", "name": name, "choices": choices, "weights": None}
        return finish(item | {"default_value": choices[0]}, self)


@dataclass(frozen=True)
class Ordinal(Hyperparameter):
    """One of several values that are in order, from the least to the most.

    Parameters
    ----------
    values
        Different values, in order: str, int, float, bool or None. Their types are kept.
    prior
        A belief about good values: one value; a pair (value, spread), the spread a standard
        deviation in places; a list of weights; or a mapping from values to weights.
    default
        Where to start; otherwise the most probable value, otherwise the middle.

    Examples
    --------
    >>> space(size=Ordinal(["small", "medium", "large"])).default()
    {'size': 'medium'}
    """

    values: Sequence[Any]
    prior: Any = field(default=None, kw_only=True)
    default: Any = field(default=None, kw_only=True)

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        values = read_choices(name, self.values, "values")
        item = {"type": "ordinal", "name": name, "sequence": values}
        return finish(item | {"default_value": values[(len(values) - 1) // 2]}, self)


@dataclass(frozen=True)
class Constant(Hyperparameter):
    """A single value that appears in every configuration (where its condition holds).

    Parameters
    ----------
    value
        str, int, float, bool or None.

    Examples
    --------
    >>> space(x=Integer(1, 3), seed=Constant(7)).default()
    {'x': 2, 'seed': 7}
    """

    value: Any

    def to_language(self, name: str) -> dict[str, Any]:
        """ConfigSpace's JSON for it, or a `SpaceError` naming what is wrong."""
        return {
            "type": "constant",
            "name": name,
            "value": read_choices(name, [self.value], "value")[0],
        }


def space(
    hyperparameters: Mapping[str, Hyperparameter] | None = None,
    /,
    *,
    forbid: Sequence[Mapping[str, Any] | str] = (),
    **named: Hyperparameter,
) -> HyperparameterSpace:
    """A space of hyperparameters, in the order given.

    Parameters
    ----------
    hyperparameters
        By name; for names that cannot be keywords, such as "svm.C" or "forbid".
    forbid
        Combinations that must not occur: a mapping from hyperparameters to values, lists of
        values or comparisons, of which all must hold; or a relation between two numbers such
        as "min_samples > max_samples". One with an inactive member does not occur.
    **named
        More hyperparameters, by name.

    Returns
    -------
    HyperparameterSpace

    Raises
    ------
    SpaceError
        Naming the hyperparameter, the value, what was expected and what to do.

    Examples
    --------
    >>> s = space(
    ...     optimizer=Categorical(["adam", "sgd"]),
    ...     momentum=Float(0.0, 0.99).when(optimizer="sgd"),
    ... )
    >>> s.default()
    {'optimizer': 'adam'}
    """
    if hyperparameters is not None and not isinstance(hyperparameters, Mapping):
        raise SpaceError(
            f"space() got {hyperparameters!r:.200}, of type {type(hyperparameters).__name__}, but "
            "hyperparameters have names. Write space(x=Float(0, 1)) or space({'x': Float(0, 1)})."
        )
    everything: dict[str, Hyperparameter] = dict(hyperparameters or {})
    for name, hyperparameter in named.items():
        if name in everything:
            raise SpaceError(
                f"{name!r} is given twice, in the mapping and as a keyword. Leave one of them out."
            )
        everything[name] = hyperparameter
    for name, hyperparameter in everything.items():
        if not isinstance(name, str) or not name:
            raise SpaceError(
                f"{name!r} cannot be the name of a hyperparameter. Use a string that is not empty."
            )
        if not isinstance(hyperparameter, Hyperparameter):
            raise SpaceError(
                f"{name!r} is {hyperparameter!r}, of type {type(hyperparameter).__name__}, which "
                "is no hyperparameter. Use Float(low, high), Integer(low, high), "
                "Categorical([...]), Ordinal([...]) or Constant(value)."
            )
    items = [hyperparameter.to_language(name) for name, hyperparameter in everything.items()]
    language: dict[str, Any] = {
        "name": None,
        "hyperparameters": items,
        "conditions": [],
        "forbiddens": [],
        "format_version": 0.4,
    }
    domains = {domain.name: domain for domain in HyperparameterSpace(language).domains}
    for name, hyperparameter in everything.items():
        if hyperparameter.conditions:
            language["conditions"].append(condition_json(name, hyperparameter.conditions, domains))
    if isinstance(forbid, Mapping | str):
        forbid = [forbid]
    if not isinstance(forbid, Sequence):
        raise SpaceError(
            f"forbid={forbid!r} is of type {type(forbid).__name__}, but is a list of what may not "
            'occur together. Write such as forbid=[{"kernel": "poly", "batch": 64}, "x > y"].'
        )
    language["forbiddens"] = [forbidden_json(clause, domains) for clause in forbid]
    made = HyperparameterSpace(language)
    if not forbid:
        return made
    explicit = {n for n, h in everything.items() if getattr(h, "default", None) is not None}
    return _with_legal_default(made, language, explicit)


def _with_legal_default(
    made: HyperparameterSpace, language: dict[str, Any], explicit: set[str]
) -> HyperparameterSpace:
    """The space with a default that is not forbidden, as near to the wished one as can be."""
    clause = made.forbids(made.default())
    if clause is None:
        return made
    involved = {made.domains[i].name for i in clause.places()}
    if involved <= explicit:
        raise SpaceError(
            f"the defaults of {', '.join(sorted(involved))} together are forbidden: {clause}. "
            "Change one of these defaults, or leave one out."
        )
    chosen = made.nearest_legal(made.default(), keep=explicit)
    for item in language["hyperparameters"]:
        if item["name"] in chosen and item["type"] != "constant":
            domain = made.domains[made.names.index(item["name"])]
            item["default_value"] = in_language(domain, domain.store(chosen[item["name"]]))
    return HyperparameterSpace(language)
