"""Words for what may be bounded of the final model, and how a bound is written.

`constraints={"inference_time": (None, "50us"), "demographic_parity": (None, 0.05)}`: pairs of
(low, high) as everywhere in Octavo, with an open lower side, for less of each of these is better.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from octavo.amounts import megabytes, seconds
from octavo.ensemble.fairness import GAPS
from octavo.errors import SettingError, closest

__all__ = ["RESOURCES", "Bound", "BoundWarning", "read_bounds", "shown_amount"]

RESOURCES: Mapping[str, str] = {
    "inference_time": "seconds per row",
    "model_size": "bytes",
    "training_time": "seconds",
    "memory": "MiB",
}
"""Resources of a model and the unit in which they are counted."""

_EXAMPLES = {
    "inference_time": "'50us'",
    "model_size": "'20MB'",
    "training_time": "'5m'",
    "memory": "'2GB'",
}


class BoundWarning(UserWarning):
    """A bound on the final model could not be kept."""


@dataclass(frozen=True)
class Bound:
    """The most that the final model may have of something.

    Parameters
    ----------
    word
        A resource or a fairness gap.
    high
        In the unit of `RESOURCES`; a gap from 0 to 1.
    """

    word: str
    high: float

    @property
    def kind(self) -> Literal["resource", "gap"]:
        """What is bounded."""
        return "gap" if self.word in GAPS else "resource"


def read_bounds(constraints: Mapping[str, Any] | None) -> tuple[Bound, ...]:
    """The bounds that a user wrote.

    Raises
    ------
    SettingError
        If a word is unknown, a pair is none, or a bound cannot be read.

    Examples
    --------
    >>> read_bounds({"inference_time": (None, "50us")})[0].high
    5e-05
    """
    if constraints is None:
        return ()
    if not isinstance(constraints, Mapping):
        raise SettingError(
            f"constraints={constraints!r} is of type {type(constraints).__name__}, but is a dict "
            "by name. Write constraints={'model_size': (None, '20MB')}."
        )
    return tuple(_bound(word, pair) for word, pair in constraints.items())


def shown_amount(word: str, amount: float) -> str:
    """An amount with its unit, for people.

    Examples
    --------
    >>> shown_amount("inference_time", 5e-5), shown_amount("model_size", 3 * 2**20)
    ('50 µs per row', '3 MiB')
    """
    if word == "inference_time":
        return f"{1e6 * amount:.3g} µs per row"
    if word == "model_size":
        return f"{amount / 2**20:.3g} MiB"
    return {
        "training_time": f"{amount:.3g} s",
        "memory": f"{amount:.0f} MiB",
    }.get(word, f"{amount:.3f}")


def _bound(word: str, pair: Any) -> Bound:
    known = (*GAPS, *RESOURCES)
    if word not in known:
        raise SettingError(
            f"constraints bounds {word!r}, which is not known.{closest(str(word), known)} "
            f"Use one of: {', '.join(known)}."
        )
    example = _EXAMPLES.get(word, "0.05")
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise SettingError(
            f"constraints[{word!r}]={pair!r} is not a pair (low, high). Write "
            f"{{{word!r}: (None, {example})}}."
        )
    low, high = pair
    if low not in (None, 0) or high is None:
        raise SettingError(
            f"constraints[{word!r}]={pair!r}: less of it is always fine, so only the upper side "
            f"can be bounded. Write {{{word!r}: (None, {example})}}."
        )
    if word in GAPS:
        is_number = isinstance(high, int | float) and not isinstance(high, bool)
        if not is_number or not 0 < high < 1:
            raise SettingError(
                f"constraints[{word!r}] has the upper bound {high!r}, but a gap is strictly "
                f"between 0 and 1. Write {{{word!r}: (None, 0.05)}}."
            )
        return Bound(word, float(high))
    name = f"constraints[{word!r}]"
    if word == "inference_time":
        micro = re.fullmatch(r"(\d+(?:\.\d+)?)(us|µs|μs)", str(high).strip().replace(" ", ""))
        value = float(micro[1]) / 1e6 if micro and float(micro[1]) > 0 else seconds(high, name)
    elif word == "training_time":
        value = seconds(high, name)
    else:
        value = megabytes(high, name)
        if value is not None and word == "model_size":
            value *= 2**20
    assert value is not None  # high is not
    return Bound(word, float(value))
