"""What users write as conditions and forbidden combinations, as ConfigSpace's JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from octavo.errors import SpaceError, closest
from octavo.spaces.domains import Domain, is_number

__all__ = [
    "AnyOf",
    "Compare",
    "any_of",
    "at_least",
    "at_most",
    "condition_json",
    "forbidden_json",
    "greater_than",
    "less_than",
    "other_than",
]


@dataclass(frozen=True)
class Compare:
    """A comparison with a value: made by `greater_than` and its siblings."""

    symbol: str
    value: Any


@dataclass(frozen=True)
class AnyOf:
    """Several conditions of which one suffices: made by `any_of`."""

    parts: tuple[Mapping[str, Any] | AnyOf, ...]


def greater_than(value: Any) -> Compare:
    """For `when` and `forbid`: more than a value of a number or an ordinal.

    Examples
    --------
    >>> from octavo.spaces import Float, Integer, space
    >>> s = space(depth=Integer(1, 9), dropout=Float(0, 1).when(depth=greater_than(3)))
    >>> s.check({"depth": 3})
    {'depth': 3}
    """
    return Compare(">", value)


def less_than(value: Any) -> Compare:
    """For `when` and `forbid`: less than a value of a number or an ordinal."""
    return Compare("<", value)


def at_least(value: Any) -> Compare:
    """For `when` and `forbid`: a value or more, of a number or an ordinal."""
    return Compare(">=", value)


def at_most(value: Any) -> Compare:
    """For `when` and `forbid`: a value or less, of a number or an ordinal."""
    return Compare("<=", value)


def other_than(value: Any) -> Compare:
    """For `when` and `forbid`: any other value (and active)."""
    return Compare("!=", value)


def any_of(*conditions: Mapping[str, Any] | AnyOf) -> AnyOf:
    """For `when`: a condition that holds if any of these holds.

    Parameters
    ----------
    *conditions
        Mappings from parents to values, or further `any_of`. Within one mapping, all
        parents must agree.

    Examples
    --------
    >>> from octavo.spaces import Categorical, Float, space
    >>> s = space(
    ...     kernel=Categorical(["linear", "rbf", "poly"]),
    ...     scale=Categorical([True, False]),
    ...     gamma=Float(0, 1).when(any_of({"kernel": "rbf"}, {"kernel": "poly", "scale": True})),
    ... )
    >>> s.check({"kernel": "poly", "scale": False})
    {'kernel': 'poly', 'scale': False}
    """
    if not conditions:
        raise SpaceError(
            "any_of() was called without a condition, which would never hold. "
            'Give at least one, such as any_of({"kernel": "rbf"}, {"kernel": "poly"}).'
        )
    return AnyOf(conditions)


# Conditions --------------------------------------------------------------------------------


def condition_json(
    child: str, conditions: Sequence[Mapping[str, Any] | AnyOf], domains: Mapping[str, Domain]
) -> dict[str, Any]:
    """All conditions of one hyperparameter, together, as ConfigSpace's JSON."""
    return _together("AND", child, [_condition(child, part, domains) for part in conditions])


def _condition(
    child: str, condition: Mapping[str, Any] | AnyOf, domains: Mapping[str, Domain]
) -> dict[str, Any]:
    if isinstance(condition, AnyOf):
        return _together("OR", child, [_condition(child, p, domains) for p in condition.parts])
    if not isinstance(condition, Mapping):
        raise SpaceError(
            f"a condition of {child!r} is {condition!r}, of type {type(condition).__name__}. "
            'Write it as .when(parent=value), .when({"parent": value}) or .when(any_of(...)).'
        )
    parts = []
    for parent, wanted in condition.items():
        if parent == child:
            raise SpaceError(
                f"{child!r} has a condition on itself. Name another hyperparameter as its parent."
            )
        if parent not in domains:
            others = [name for name in domains if name != child]
            known = f"Name one of {', '.join(map(repr, others))}" if others else "Add it"
            raise SpaceError(
                f"{child!r} is conditional on {parent!r}, which this space does not have."
                f"{closest(parent, others)} {known}, or remove the condition."
            )
        parts.append(_test(child, domains[parent], wanted))
    return _together("AND", child, parts)


def _together(word: str, child: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Several conditions as one.

    ConfigSpace 1.2 takes two conjunctions for the same condition if they are equally long and
    each part of one occurs in the other, be they AND or OR. So no part stands twice in vain,
    an AND has an even number of parts and an OR an odd one, the last repeated if need be.
    """
    unique = [part for k, part in enumerate(parts) if part not in parts[:k]]
    if len(unique) == 1:
        return unique[0]
    if (len(unique) % 2 == 0) != (word == "AND"):
        unique.append(deepcopy(unique[-1]))
    return {"type": word, "child": child, "conditions": unique}


def _test(child: str, parent: Domain, wanted: Any) -> dict[str, Any]:
    """One parent's part of a condition."""
    who = f"the condition of {child!r}"
    about = {"child": child, "parent": parent.name}
    if not isinstance(wanted, Compare):
        values = _values(who, parent, wanted)
        if len(values) == 1:
            return {"type": "EQ", **about, "value": values[0]}
        return {"type": "IN", **about, "values": values}
    if wanted.symbol == "!=":
        return {"type": "IN", **about, "values": _others(who, parent, wanted.value)}
    kept = _kept(who, parent, wanted)
    if kept is not None:
        return {"type": "IN" if len(kept) > 1 else "EQ", **about} | (
            {"values": kept} if len(kept) > 1 else {"value": kept[0]}
        )
    value, strict = _threshold(who, parent, wanted)
    test = {"type": "GT" if ">" in wanted.symbol else "LT", **about, "value": value}
    if strict:
        return test
    return _together("OR", child, [test, {"type": "EQ", **about, "value": value}])


def _values(who: str, domain: Domain, wanted: Any) -> list[Any]:
    """One or several values, checked, as ConfigSpace's JSON has them."""
    several = isinstance(wanted, list | tuple | set | frozenset | range | np.ndarray)
    values = list(wanted) if several else [wanted]
    if isinstance(wanted, set | frozenset):
        values.sort(key=repr)  # sets have no order that lasts from one process to the next
    if not values:
        raise SpaceError(
            f"{who} lists no value of {domain.name!r}, so that it can never hold. "
            f"Give at least one: {domain.expected}."
        )
    result = []
    for value in values:
        try:
            stored = domain.store(value)
        except SpaceError as error:
            raise SpaceError(f"in {who}, {error}") from None
        result.append(in_language(domain, stored))
    return result


def in_language(domain: Domain, stored: float) -> Any:
    """A stored number as ConfigSpace's JSON has it."""
    if domain.scale is not None:
        return int(stored)
    return domain.plain(np.array([stored]))[0]


def _others(who: str, domain: Domain, value: Any) -> list[Any]:
    """All values but one."""
    n = domain.n_values
    if n is None or n > 10_000:
        raise SpaceError(
            f"{who} asks for {domain.name!r} to be other than {value!r}, but it has "
            f"{'infinitely' if n is None else 'too'} many values to list the others. "
            "Use less_than or greater_than."
        )
    excluded = _values(who, domain, value)
    every = [in_language(domain, k) for k in np.arange(domain.low, domain.high + 1)]
    kept = [v for v in every if v not in excluded]
    if not kept:
        raise SpaceError(
            f"{who} excludes every value of {domain.name!r}, so that it can never hold. "
            "Keep at least one."
        )
    return kept


def _kept(who: str, domain: Domain, wanted: Compare) -> list[Any] | None:
    """Of an ordinal, the values that meet a comparison; None for a number."""
    if domain.kind == "categorical" or domain.kind == "constant":
        raise SpaceError(
            f"{who} compares {domain.name!r} by {wanted.symbol} {wanted.value!r}, but its values "
            "have no order. List the values that count, or make it an Ordinal."
        )
    if domain.kind != "ordinal":
        return None
    (value,) = _values(who, domain, wanted.value)
    at = domain.choices.index(value)
    kept = {
        ">": domain.choices[at + 1 :],
        ">=": domain.choices[at:],
        "<": domain.choices[:at],
        "<=": domain.choices[: at + 1],
    }[wanted.symbol]
    if not kept or len(kept) == len(domain.choices):
        raise SpaceError(
            f"{who} asks for {domain.name} {wanted.symbol} {value!r}, which holds "
            f"{'always' if kept else 'never'}: its values are {domain.expected}. "
            "Compare with another value, or leave it out."
        )
    return list(kept)


def _threshold(who: str, domain: Domain, wanted: Compare) -> tuple[Any, bool]:
    """A number's threshold in ConfigSpace's JSON; and whether it excludes its value."""
    value = wanted.value
    if not is_number(value) or not math.isfinite(value):
        raise SpaceError(
            f"{who} compares {domain.name!r} with {value!r}, which is not a finite number. "
            f"Compare it with {domain.expected}."
        )
    low, high = domain.bounds
    always = {
        ">": value < low, ">=": value <= low, "<": value > high, "<=": value >= high
    }[wanted.symbol]  # fmt: skip
    never = {
        ">": value >= high, ">=": value > high, "<": value <= low, "<=": value < low
    }[wanted.symbol]  # fmt: skip
    if always or never:
        raise SpaceError(
            f"{who} asks for {domain.name} {wanted.symbol} {value!r}, which holds "
            f"{'always' if always else 'never'}: {domain.name!r} is {domain.expected}. "
            "Compare with another value, or leave it out."
        )
    if domain.kind == "float":
        return float(value), "=" not in wanted.symbol
    scale = domain.scale
    place = float(value) if scale is None else (value - scale.offset) / scale.step
    whole = round(place) if abs(place - round(place)) < 1e-9 else None
    if whole is not None:
        return whole, "=" not in wanted.symbol
    # Between two values, "more than" and "at least" are the same.
    return (math.floor(place) if ">" in wanted.symbol else math.ceil(place)), True


# Forbidden combinations ----------------------------------------------------------------------

_CLAUSES = {">": "CLAUSE_GT", ">=": "CLAUSE_GE", "<": "CLAUSE_LT", "<=": "CLAUSE_LE"}
_RELATIONS = {
    ">": "RELATION_GT", ">=": "RELATION_GE", "<": "RELATION_LT", "<=": "RELATION_LE",
    "==": "RELATION_EQ",
}  # fmt: skip


def forbidden_json(
    clause: Mapping[str, Any] | str, domains: Mapping[str, Domain]
) -> dict[str, Any]:
    """One forbidden combination as ConfigSpace's JSON."""
    if isinstance(clause, str):
        return _relation(clause, domains)
    if not isinstance(clause, Mapping):
        raise SpaceError(
            f"a forbidden combination is {clause!r}, of type {type(clause).__name__}. Give a dict "
            'such as {"solver": "lbfgs", "penalty": "l1"}, or a relation such as "a > b".'
        )
    if not clause:
        raise SpaceError(
            "a forbidden combination is empty, which would forbid everything. Name the values "
            "that must not meet, or leave it out."
        )
    parts = []
    for name, wanted in clause.items():
        domain = _known(name, clause, domains)
        who = f"the forbidden combination {dict(clause)!r}"
        about: dict[str, Any] = {"name": name}
        if isinstance(wanted, Compare) and wanted.symbol != "!=":
            kept = _kept(who, domain, wanted)
            if kept is None:
                value, strict = _threshold(who, domain, wanted)
                symbol = wanted.symbol[0] + ("" if strict else "=")
                parts.append({"type": _CLAUSES[symbol], **about, "value": value})
                continue
        elif isinstance(wanted, Compare):
            kept = _others(who, domain, wanted.value)
        else:
            kept = _values(who, domain, wanted)
        if len(kept) == 1:
            parts.append({"type": "EQUALS", **about, "value": kept[0]})
        else:
            parts.append({"type": "IN", **about, "values": kept})
    return parts[0] if len(parts) == 1 else {"type": "AND", "clauses": parts}


def _known(name: str, clause: Any, domains: Mapping[str, Domain]) -> Domain:
    if name not in domains:
        raise SpaceError(
            f"the forbidden combination {clause!r} names {name!r}, which this space does not "
            f"have.{closest(str(name), domains)} Name one of {', '.join(map(repr, domains))}."
        )
    return domains[name]


def _relation(text: str, domains: Mapping[str, Domain]) -> dict[str, Any]:
    """A relation between two hyperparameters, such as "a > b"."""
    match = re.fullmatch(r"\s*(\S+)\s*(<=|>=|==|<|>)\s*(\S+)\s*", text)
    if match is None:
        raise SpaceError(
            f"the forbidden relation {text!r} cannot be read. Write two hyperparameters and one "
            'of <, <=, ==, >=, > between them, such as "min_samples > max_samples".'
        )
    left, right = _known(match[1], text, domains), _known(match[3], text, domains)
    if left.name == right.name:
        raise SpaceError(
            f"the forbidden relation {text!r} compares {left.name!r} with itself. "
            "Name two hyperparameters."
        )
    for domain in (left, right):
        if domain.choices and match[2] != "==" and not all(map(is_number, domain.choices)):
            raise SpaceError(
                f"the forbidden relation {text!r} compares {domain.name!r}, whose values are not "
                "numbers. List the forbidden combinations as dicts instead."
            )
    if left.scale != right.scale:
        raise SpaceError(
            f"the forbidden relation {text!r} compares hyperparameters with different steps, "
            "which ConfigSpace cannot. Give both the same step, with bounds that are multiples "
            "of it, or none."
        )
    return {"type": _RELATIONS[match[2]], "left": left.name, "right": right.name}
