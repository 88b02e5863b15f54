"""Reading what users give as `prior=` into a belief (see `octavo.spaces.beliefs`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from octavo.errors import SpaceError, closest
from octavo.spaces.beliefs import ASSUMED_SPREAD, mass_within
from octavo.spaces.domains import Domain, is_number

__all__ = ["number_belief", "weights_belief"]


def number_belief(domain: Domain, prior: Any) -> dict[str, Any]:
    """The belief about a number: a value, a pair (value, spread), or a distribution."""
    if hasattr(prior, "dist") and hasattr(prior, "args") and hasattr(prior, "kwds"):
        return _distribution(domain, prior)
    if isinstance(prior, tuple | list):
        if len(prior) != 2:
            raise SpaceError(
                f"the prior of {domain.name!r} is {prior!r}, with {len(prior)} entries. "
                "Give a value, a pair (value, spread), or a frozen scipy.stats distribution."
            )
        return _normal(domain, prior[0], _spread(domain, prior[1]))
    if not is_number(prior):
        raise SpaceError(
            f"the prior of {domain.name!r} is {prior!r}, of type {type(prior).__name__}. "
            "Give a value, a pair (value, spread), or a frozen distribution such as "
            "scipy.stats.norm(0.3, 0.1)."
        )
    return _normal(domain, prior, ASSUMED_SPREAD)


def _normal(domain: Domain, value: Any, spread: float) -> dict[str, Any]:
    try:
        at = domain.unit(np.array([domain.store(value)]))[0]
    except SpaceError as error:
        raise SpaceError(f"the prior of {error}") from None
    return {"kind": "normal", "at": float(at), "spread": spread}


def _spread(domain: Domain, spread: Any) -> float:
    """A spread in the user's terms as a share of the unit interval."""
    if not is_number(spread) or not math.isfinite(spread) or spread <= 0:
        raise SpaceError(
            f"the prior of {domain.name!r} has the spread {spread!r}, but a spread must be a "
            "positive number. Give about how far good values lie from the one you name."
        )
    if domain.choices:
        return float(spread) / len(domain.choices)
    if domain.log:
        if spread <= 1:
            raise SpaceError(
                f"the prior of {domain.name!r} has the spread {spread!r}, but on a log scale the "
                "spread is a factor above 1: 3 means 'give or take a factor of 3'."
            )
        low, high = domain.bounds
        return float(math.log(spread) / math.log(high / low))
    low, high = domain.bounds
    return float(spread) / float(high - low)


def _distribution(domain: Domain, prior: Any) -> dict[str, Any]:
    from scipy import stats

    name = prior.dist.name
    if not isinstance(getattr(stats, name, None), stats.rv_continuous | stats.rv_discrete):
        raise SpaceError(
            f"the prior of {domain.name!r} is a distribution named {name!r} that scipy.stats does "
            "not have, so that it could not be stored. Use one of scipy.stats."
        )
    try:
        args = [float(a) for a in prior.args]
        kwds = {key: float(a) for key, a in prior.kwds.items()}
    except (TypeError, ValueError):
        raise SpaceError(
            f"the prior of {domain.name!r} is {name} with parameters that are not single numbers "
            f"({prior.args!r}, {prior.kwds!r}). Freeze it with plain numbers."
        ) from None
    if domain.kind == "float" and isinstance(prior.dist, stats.rv_discrete):
        raise SpaceError(
            f"the prior of {domain.name!r} is {name}, a distribution over whole numbers, but "
            "it is a Float. Use a continuous distribution, or an Integer."
        )
    belief = {"kind": "scipy", "name": name, "args": args, "kwds": kwds}
    mass = mass_within(replace(domain, belief=belief))
    if not mass > 1e-6:
        low, high = domain.bounds
        raise SpaceError(
            f"the prior of {domain.name!r}, {name}{tuple(args)}, has only {mass:.1e} of its "
            f"probability between {low!r} and {high!r}. Move the bounds or the distribution."
        )
    return belief


def weights_belief(domain: Domain, prior: Any) -> dict[str, Any]:
    """The belief about choices: one of them, weights, or for ordinals (value, spread)."""
    choices = domain.choices
    if isinstance(prior, Mapping):
        for choice in prior:
            if choice not in choices:
                raise SpaceError(
                    f"the prior of {domain.name!r} weighs {choice!r}, which is not among its "
                    f"choices. Give weights for {domain.expected}."
                    + closest(str(choice), map(str, choices))
                )
        return _weights(domain, [prior.get(choice, 0.0) for choice in choices])
    if domain.kind == "ordinal" and isinstance(prior, tuple) and len(prior) == 2:
        return _normal(domain, prior[0], _spread(domain, prior[1]))
    if isinstance(prior, Sequence | np.ndarray) and not isinstance(prior, str):
        return _weights(domain, list(prior))
    if domain.kind == "ordinal":
        return _normal(domain, prior, ASSUMED_SPREAD)
    try:
        favourite = int(domain.store(prior))
    except SpaceError as error:
        raise SpaceError(f"the prior of {error}") from None
    weights = [1.0] * len(choices)
    weights[favourite] = float(len(choices))
    return _weights(domain, weights)


def _weights(domain: Domain, weights: list[Any]) -> dict[str, Any]:
    if len(weights) != len(domain.choices):
        raise SpaceError(
            f"the prior of {domain.name!r} has {len(weights)} weights for {len(domain.choices)} "
            f"choices. Give one for each, or a mapping such as {{{domain.choices[0]!r}: 2}}."
        )
    for weight in weights:
        if not is_number(weight) or not math.isfinite(weight) or weight < 0:
            raise SpaceError(
                f"the prior of {domain.name!r} has the weight {weight!r}. Weights must be "
                "numbers of at least 0."
            )
    if not any(weight > 0 for weight in weights):
        raise SpaceError(
            f"the prior of {domain.name!r} has only weights of 0, so that nothing is good. "
            "Make at least one positive."
        )
    return {"kind": "weights", "weights": [float(weight) for weight in weights]}
