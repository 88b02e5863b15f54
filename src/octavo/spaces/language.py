"""From the short form's arguments to ConfigSpace's JSON, each checked on its way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from octavo.errors import SpaceError
from octavo.spaces.beliefs import most_probable
from octavo.spaces.clauses import in_language
from octavo.spaces.domains import is_number
from octavo.spaces.encoding import read_domain
from octavo.spaces.priors import number_belief, weights_belief

__all__ = ["DECIMALS", "finish", "read_bounds", "read_choices", "stepped_number"]

DECIMALS = 13
"""ConfigSpace rounds the bounds of floats to so many decimals."""


def read_bounds(name: str, low: Any, high: Any, log: bool) -> tuple[float, float]:
    """The bounds of a number, checked."""
    for word, bound in (("low", low), ("high", high)):
        if not is_number(bound):
            raise SpaceError(
                f"{name!r} has {word}={bound!r}, of type {type(bound).__name__}, where a number "
                f"is needed. Give a number, or use Categorical for choices."
            )
        if not math.isfinite(bound):
            raise SpaceError(
                f"{name!r} has {word}={bound!r}, and a space needs finite bounds. Give the "
                f"{'smallest' if word == 'low' else 'largest'} value worth trying, such as "
                f"{word}={'1e-6' if word == 'low' else '1e6'}."
            )
    if not isinstance(log, bool):
        raise SpaceError(
            f"{name!r} has log={log!r}, of type {type(log).__name__}. Say True for a log scale, "
            "else False."
        )
    if low >= high:
        raise SpaceError(
            f"{name!r} has low={low!r} and high={high!r}, but low must be smaller. "
            + (f"For a single value use Constant({low!r})." if low == high else "Swap the two.")
        )
    if log and low <= 0:
        raise SpaceError(
            f"{name!r} has log=True but low={low!r}. A log scale needs low > 0; "
            f"try low={min(1e-6, high / 10):g}, or log=False."
        )
    low = low.item() if isinstance(low, np.generic) else low
    high = high.item() if isinstance(high, np.generic) else high
    return low, high


def stepped_number(
    name: str, given: Any, low: float, high: float, *, whole: bool
) -> dict[str, Any]:
    """A stepped number as ConfigSpace's integer, its scale in `meta`."""
    step = given.step
    if not is_number(step) or not math.isfinite(step) or step <= 0:
        raise SpaceError(
            f"{name!r} has step={step!r}, but a step must be a positive number. "
            "Give one that divides the range, or leave it out."
        )
    if whole and step != int(step):
        raise SpaceError(
            f"{name!r} is an Integer with step={step!r}, which has a fraction. "
            "Use a whole step, or a Float."
        )
    steps = (high - low) / step
    if abs(steps - round(steps)) > 1e-9 * max(1.0, steps) or round(steps) < 1:
        fits = low + step * max(1, math.floor(steps + 1e-9))
        shown = int(fits) if whole else round(fits, 12)
        raise SpaceError(
            f"{name!r} has step={step!r}, which does not divide its range from {low!r} to "
            f"{high!r}. Use high={shown!r}, or another step."
        )
    # Where low is a multiple of the step, the whole number is the value over the step:
    # that serves log scales, and relations between hyperparameters of one step.
    ratio = low / step
    is_multiple = abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))
    if given.log and not is_multiple:
        raise SpaceError(
            f"{name!r} has log=True and step={step!r}, but low={low!r} is no multiple of the "
            f"step. Use low={step!r}, leave out the step, or use log=False."
        )
    first = round(ratio) if is_multiple else 0
    scale = {
        "step": float(step), "offset": 0.0 if is_multiple else float(low), "whole": whole
    }  # fmt: skip
    item: dict[str, Any] = {"type": "uniform_int", "name": name}
    item |= {"lower": first, "upper": first + round(steps), "meta": {"octavo": {"scale": scale}}}
    return finish(item, given, log=given.log)


def read_choices(name: str, values: Any, word: str) -> list[Any]:
    """The values of a categorical, ordinal or constant, checked; `word` is their argument."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | range):
        raise SpaceError(
            f"{name!r} has {word}={values!r}, of type {type(values).__name__}. Give a list, whose "
            f"order is kept, such as [{'values' if word == 'values' else 'first'!r}, ...]."
        )
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    if not plain:
        raise SpaceError(f"{name!r} has no {word}. Give at least one, or leave {name!r} out.")
    for value in plain:
        if value is not None and not isinstance(value, str | int | float | bool):
            raise SpaceError(
                f"{name!r} has the value {value!r}, of type {type(value).__name__}. Values must "
                "be str, int, float, bool or None, so that they survive JSON; name it by a "
                "string and translate inside of the objective."
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise SpaceError(
                f"{name!r} has the value {value!r}, which JSON cannot hold and which may not "
                f"equal itself. Use the string {str(value)!r}, or None."
            )
        if plain.count(value) > 1:
            same = [other for other in plain if other == value]
            raise SpaceError(
                f"{name!r} has equal {word}: {', '.join(map(repr, same))} (Python holds True, 1 "
                "and 1.0 for equal). Each may appear once; remove the others."
            )
    return plain


def finish(item: dict[str, Any], given: Any, **more: Any) -> dict[str, Any]:
    """Add belief and default to a hyperparameter of ConfigSpace's JSON."""
    item |= more
    if "default_value" not in item:
        item["default_value"] = item["lower"]  # until the domain can tell the middle
        bare = read_domain(item)
        item["default_value"] = in_language(bare, bare.stored(np.array([0.5]))[0])
        bare = read_domain(item)
    else:
        bare = read_domain(item)
    if given.prior is not None:
        number = bare.kind in ("float", "integer")
        belief = (number_belief if number else weights_belief)(bare, given.prior)
        meta = item.setdefault("meta", {}).setdefault("octavo", {})
        meta["belief"] = belief
        item["default_value"] = in_language(bare, most_probable(replace(bare, belief=belief)))
    if given.default is not None:
        try:
            item["default_value"] = in_language(bare, bare.store(given.default))
        except SpaceError as error:
            raise SpaceError(f"the default of {error}") from None
    item.setdefault("meta", None)
    return item
