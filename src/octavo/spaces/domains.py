"""One hyperparameter's set of values: between plain values, stored numbers and the unit interval.

Each value is seen in three ways. Its *plain* form is what users and objectives see. Its
*stored* form is the number that ConfigSpace's language speaks of: the value of a float or an
integer, the position of a choice, and for a hyperparameter with a `step` the whole number `k`
behind `offset + step * k`. Its *unit* form is its place in [0, 1] (see `spaces.protocol`).
All three are vectorized; NaN stands for inactive in the last two.

A decoded float is rounded to 1e-12 of its range (on a log scale, to twelve digits). That is
far below anything that an objective can tell apart, and it makes encoding and decoding exact
inverses, so that a configuration never drifts while it travels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError, closest
from octavo.spaces.protocol import Column

__all__ = ["Domain", "Scale", "is_number"]

Floats = NDArray[np.float64]

MOST_VALUES = 10**12
"""More values than this cannot be told apart in the unit interval by a float."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the whole number `k` of a stepped hyperparameter becomes its value.

    Parameters
    ----------
    step, offset
        The value is `offset + step * k`.
    whole
        Whether the values are integers.
    """

    step: float
    offset: float = 0.0
    whole: bool = False

    @property
    def decimals(self) -> int:
        """How many decimals the values have, so that 3 * 0.1 is shown as 0.3."""
        exponents = [Decimal(repr(x)).as_tuple().exponent for x in (self.step, self.offset)]
        return min(15, max(0, *(-int(e) for e in exponents)))

    def value(self, stored: Floats) -> Floats:
        """The values of whole numbers."""
        return np.round(self.offset + self.step * np.asarray(stored, float), self.decimals)


@dataclass(frozen=True)
class Domain:
    """The values of one hyperparameter.

    Parameters
    ----------
    name
        Of the hyperparameter.
    kind
        Like a column's, or "constant".
    low, high
        Bounds of the stored number; both belong to the range.
    log
        Whether equal steps in the unit interval are equal ratios.
    choices
        Of a categorical, ordinal or constant.
    scale
        Of a stepped hyperparameter.
    default
        Stored number of the value to start from.
    belief
        A JSON-able belief about good values (see `octavo.spaces.beliefs`), or None.
    """

    name: str
    kind: Literal["float", "integer", "ordinal", "categorical", "constant"]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    scale: Scale | None = None
    default: float = 0.0
    belief: Mapping[str, Any] | None = field(default=None, compare=False)

    # What it is ------------------------------------------------------------------------

    @cached_property
    def n_values(self) -> int | None:
        """How many values there are; None if continuous."""
        return None if self.kind == "float" else int(self.high - self.low) + 1

    @cached_property
    def is_fixed(self) -> bool:
        """Whether there is a single value, so that no column is needed."""
        return self.n_values == 1

    @cached_property
    def column(self) -> Column:
        """What the column of this hyperparameter means. Only if it is not fixed."""
        kind = "categorical" if self.kind == "constant" else self.kind
        if self.scale is not None and not self.scale.whole:
            kind = "float"  # a stepped float is a float with finitely many values
        return Column(self.name, kind, self.n_values)

    @cached_property
    def _log_range(self) -> tuple[float, float]:
        half = 0.0 if self.kind == "float" else 0.5  # an integer stands for its cell
        return math.log(self.low - half), math.log(self.high + half)

    # Unit and stored --------------------------------------------------------------------

    def stored(self, u: Floats) -> Floats:
        """Shape (n,): the stored numbers at places in the unit interval."""
        if self.log:
            low, high = self._log_range
            raw = np.exp(low + u * (high - low))
        elif self.kind == "float":
            raw = self.low + u * (self.high - self.low)
        else:
            n = self.high - self.low + 1
            return np.clip(self.low + np.floor(u * n), self.low, self.high)
        if self.kind != "float":
            return np.clip(np.floor(raw + 0.5), self.low, self.high)
        rounded = _significant(raw) if self.log else np.round(raw, self._decimals)
        rounded = np.where(u <= 1e-13, self.low, np.where(u >= 1 - 1e-13, self.high, rounded))
        return np.where(np.isnan(u), np.nan, np.clip(rounded, self.low, self.high))

    @cached_property
    def _decimals(self) -> int:
        return 12 - math.ceil(math.log10(self.high - self.low))

    def unit(self, stored: Floats) -> Floats:
        """Shape (n,): the places of stored numbers in the unit interval."""
        if self.kind == "float":
            if not self.log:
                return (stored - self.low) / (self.high - self.low)
            low, high = self._log_range
            # log(bound) need not hit the end exactly, so that the clip is needed
            return np.clip((np.log(stored) - low) / (high - low), 0.0, 1.0)
        left, right = self.edges(stored)
        return (left + right) / 2

    def edges(self, stored: Floats) -> tuple[Floats, Floats]:
        """The two ends of the cells of discrete stored numbers in the unit interval."""
        if not self.log:
            n = self.n_values
            assert n is not None
            return (stored - self.low) / n, (stored - self.low + 1) / n
        low, high = self._log_range
        left = (np.log(stored - 0.5) - low) / (high - low)
        right = (np.log(stored + 0.5) - low) / (high - low)
        return left, right

    def centred(self, u: Floats) -> Floats:
        """Shape (n,): each place moved to where its value sits."""
        return self.unit(self.stored(u))

    # Stored and plain -------------------------------------------------------------------

    def plain(self, stored: Floats) -> list[Any]:
        """The plain values of stored numbers (none may be NaN)."""
        if self.choices:
            return [self.choices[k] for k in stored.astype(np.int64).tolist()]
        values = stored if self.scale is None else self.scale.value(stored)
        whole = self.kind == "integer" if self.scale is None else self.scale.whole
        result: list[Any] = (values.astype(np.int64) if whole else values).tolist()
        return result

    @cached_property
    def comparable(self) -> NDArray[Any] | None:
        """The choices as an array that can be compared; None where stored numbers can be."""
        if not self.choices:
            return None
        if all(is_number(choice) for choice in self.choices):
            return np.array(self.choices, dtype=float)
        array = np.empty(len(self.choices), dtype=object)
        array[:] = self.choices
        return array

    @cached_property
    def _position(self) -> dict[Any, int]:
        return {choice: k for k, choice in enumerate(self.choices)}

    def store_all(self, values: Sequence[Any]) -> Floats | None:
        """Shape (n,): the stored numbers of plain values; None if any may not be right.

        The quick way for many; `store` finds out what is wrong.
        """
        if self.choices:
            try:
                return np.array([self._position[value] for value in values], dtype=float)
            except (KeyError, TypeError):
                return None
        if not {type(value) for value in values} <= {int, float, np.int64, np.float64}:
            return None
        array = np.array(values, dtype=float)
        if self.scale is not None:
            stored = np.rint((array - self.scale.offset) / self.scale.step)
            near = np.abs(self.scale.value(stored) - array) <= 1e-9 * self.scale.step
        else:
            stored = array if self.kind == "float" else np.rint(array)
            near = stored == array
        right = near & (stored >= self.low) & (stored <= self.high)
        return stored if bool(right.all()) else None

    def store(self, value: Any) -> float:
        """The stored number of one plain value, or a `SpaceError` that says what is wrong."""
        if self.choices:
            return self._store_choice(value)
        value = value.item() if isinstance(value, np.generic) else value
        if not is_number(value):
            raise SpaceError(
                f"{self.name!r} is {value!r}, of type {type(value).__name__}, which is not a "
                f"number. Give {self.expected}."
            )
        slack = 1e-12 * (self.high - self.low) * (1.0 if self.scale is None else self.scale.step)
        low, high = self.bounds
        if not low - slack <= value <= high + slack:
            raise SpaceError(
                f"{self.name!r} is {value!r}, outside of its range. Give {self.expected}."
            )
        if self.scale is not None:
            stored = float(np.rint((value - self.scale.offset) / self.scale.step))
            on_step = float(self.scale.value(np.array(stored)))
            if abs(on_step - value) > 1e-9 * self.scale.step:
                raise SpaceError(
                    f"{self.name!r} is {value!r}, which is not on its step of "
                    f"{_short(self.scale.step)}. Give {self.expected}; the nearest is "
                    f"{self.plain(np.array([np.clip(stored, self.low, self.high)]))[0]!r}."
                )
            return stored
        if self.kind == "integer":
            if value != int(value):
                raise SpaceError(
                    f"{self.name!r} is {value!r}, which has a fraction, but it is an integer. "
                    f"Give {self.expected}; the nearest is {round(value)}."
                )
            return float(int(value))
        return min(max(float(value), self.low), self.high)

    def _store_choice(self, value: Any) -> float:
        try:
            return float(self._position[value])
        except KeyError:
            hint = closest(value, self.choices) if isinstance(value, str) else ""
        except TypeError:  # unhashable
            hint = ""
        if self.kind == "constant":
            raise SpaceError(
                f"{self.name!r} is {value!r}, but it is a constant. "
                f"Give {self.choices[0]!r}, or leave it out."
            )
        raise SpaceError(
            f"{self.name!r} is {value!r}, which is not among its choices. "
            f"Give {self.expected}.{hint}"
        )

    # For messages -----------------------------------------------------------------------

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The smallest and largest plain value of a number."""
        low, high = self.plain(np.array([self.low, self.high]))
        return low, high

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            shown = [repr(choice) for choice in self.choices[:12]]
            more = f" or {len(self.choices) - 12} more" if len(self.choices) > 12 else ""
            return f"one of {', '.join(shown)}{more}"
        low, high = self.bounds
        what = "an integer" if isinstance(low, int) else "a number"
        by = "" if self.scale is None else f" in steps of {_short(self.scale.step)}"
        return f"{what} from {low!r} to {high!r}{by}"


def _significant(values: Floats) -> Floats:
    """Positive numbers rounded to twelve significant digits."""
    with np.errstate(invalid="ignore", divide="ignore"):
        places = 11 - np.floor(np.log10(values))
        up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
        rounded: Floats = np.rint(values * up / down) / up * down
    return rounded


def is_number(value: object) -> bool:
    """A real number, and finite or not; booleans are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _short(number: float) -> str:
    """A number for people: 16 rather than 16.0."""
    return repr(int(number)) if number == int(number) else repr(number)
