"""ConfigSpace's JSON with fewer values: ranges cut, choices removed, and what follows from that.

Removing a choice makes whatever depended on it unreachable; its conditions and the forbidden
combinations that name it go with it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["narrowed_language"]

_PLAIN = ("EQ", "IN", "EQUALS", "AND", "OR")


def narrowed_language(
    language: Mapping[str, Any], ranges: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The description of a narrower space.

    Parameters
    ----------
    language
        ConfigSpace's JSON.
    ranges
        By name, in stored numbers (`octavo.spaces.domains`): lowest and highest of a number,
        positions of the choices that stay.
    """
    result = copy.deepcopy(dict(language))
    fixed = _compared(result)
    choices: dict[str, list[Any]] = {}  # by name, what each may still be
    for item in result["hyperparameters"]:
        word = next((w for w in ("choices", "sequence") if w in item), None)
        if item["name"] in ranges and item["name"] not in fixed:
            if word is None:
                _cut(item, *ranges[item["name"]])
            else:
                _pick(item, word, [int(number) for number in ranges[item["name"]]])
        if word is not None:
            choices[item["name"]] = item[word]
    result["conditions"] = list(result.get("conditions", ()))
    while True:
        simpler = [_possible(condition, choices) for condition in result["conditions"]]
        gone = {
            _child(condition)
            for condition, left in zip(result["conditions"], simpler, strict=True)
            if left is None
        }
        result["conditions"] = [left for left in simpler if left and _child(left) not in gone]
        if not gone:
            break
        for name in gone:
            choices[name] = []  # nothing that depends on it can be active
        result["hyperparameters"] = [h for h in result["hyperparameters"] if h["name"] not in gone]
    names = {item["name"] for item in result["hyperparameters"]}
    clauses = (
        _possible(clause, choices)
        for clause in result.get("forbiddens", ())
        if set(_names(clause)) <= names
    )
    result["forbiddens"] = [clause for clause in clauses if clause is not None]
    return result


def _cut(item: dict[str, Any], low: float, high: float) -> None:
    whole = item["type"].endswith("int")
    low, high = (int(low), int(high)) if whole else (low, high)
    meta = (item.get("meta") or {}).get("octavo", {})
    scale = meta.get("scale")
    if low == high:
        value = low if scale is None else scale["offset"] + scale["step"] * low
        plain = int(value) if (whole and (scale is None or scale["whole"])) else value
        name = item["name"]
        item.clear()
        item |= {"type": "constant", "name": name, "value": plain, "meta": None}
        return
    default = min(max(item["default_value"], low), high)
    item["type"] = "uniform_int" if whole else "uniform_float"
    for word in ("mu", "sigma", "alpha", "beta"):
        item.pop(word, None)
    item |= {"lower": low, "upper": high, "default_value": default}
    item["meta"] = {"octavo": {"scale": scale}} if scale is not None else None


def _pick(item: dict[str, Any], word: str, kept: Collection[int]) -> None:
    left = [value for place, value in enumerate(item[word]) if place in kept]
    if item["default_value"] not in left:
        item["default_value"] = left[0]
    item[word], item["meta"] = left, None
    if "weights" in item:
        item["weights"] = None


def _possible(expression: dict[str, Any], choices: Mapping[str, list[Any]]) -> Any:
    """The expression with the values that are left; None if it can never hold."""
    kind = expression["type"]
    if kind in ("AND", "OR"):
        word = "conditions" if "conditions" in expression else "clauses"
        parts = [_possible(part, choices) for part in expression[word]]
        left = [part for part in parts if part is not None]
        if not left or (kind == "AND" and len(left) < len(parts)):
            return None
        return left[0] if len(left) == 1 else {**expression, word: left}
    name = str(expression.get("parent", expression.get("name")))
    if name not in choices:
        return expression
    if kind == "IN":
        values = [value for value in expression["values"] if value in choices[name]]
        return {**expression, "values": values} if values else None
    if kind in ("EQ", "EQUALS"):
        return expression if expression["value"] in choices[name] else None
    return expression if choices[name] else None


def _compared(language: Mapping[str, Any]) -> set[str]:
    """Hyperparameters that are compared by size, or with a number: cut, they would not fit."""
    numbers = {h["name"] for h in language["hyperparameters"] if "lower" in h}
    found = set()
    for expression in (*language.get("conditions", ()), *language.get("forbiddens", ())):
        for part in _parts(expression):
            names = {part[key] for key in ("parent", "name", "left", "right") if key in part}
            found |= names if part["type"] not in _PLAIN else names & numbers
    return found


def _parts(expression: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inner = expression.get("conditions", expression.get("clauses"))
    if inner is None:
        yield expression
    for part in inner or ():
        yield from _parts(part)


def _names(expression: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(expression):
        yield from (part[key] for key in ("parent", "name", "left", "right") if key in part)


def _child(condition: Mapping[str, Any]) -> Any:
    return condition["child"] if "child" in condition else condition["conditions"][0]["child"]
