"""A space's description compiled for whole matrices: which cells are active, which rows legal.

ConfigSpace's JSON is compiled once into one `Domain` per hyperparameter, one condition or
none for each, and forbidden expressions. From then on everything works on matrices with one
column per hyperparameter, constants included ("full" matrices); `Points` leave those out
that have a single value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SpaceError, closest
from octavo.spaces.domains import MOST_VALUES, Domain, Scale
from octavo.spaces.logic import Expression, compile_expression
from octavo.spaces.protocol import Column, Points

__all__ = ["Encoding"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Encoding:
    """A description of hyperparameters, compiled.

    Parameters
    ----------
    language
        ConfigSpace's JSON: "hyperparameters", "conditions", "forbiddens".

    Raises
    ------
    SpaceError
        If it is empty, a name is used twice or is unknown, or conditions form a cycle.
    """

    def __init__(self, language: Mapping[str, Any]) -> None:
        self.domains = tuple(read_domain(item) for item in language["hyperparameters"])
        if not self.domains:
            raise SpaceError(
                "the space has 0 hyperparameters, so there is nothing to choose. Give at least "
                "one, such as space(learning_rate=Float(1e-5, 1e-1, log=True))."
            )
        self.names = tuple(domain.name for domain in self.domains)
        self.place: dict[str, int] = {}
        for i, name in enumerate(self.names):
            if name in self.place:
                raise SpaceError(f"two hyperparameters are named {name!r}. Rename one of them.")
            self.place[name] = i
        self.conditions: list[Expression | None] = [None] * len(self.domains)
        for item in language.get("conditions", ()):
            child = self.place[item["child"] if "child" in item else item["conditions"][0]["child"]]
            self.conditions[child] = compile_expression(item, self.domains, self.place)
        self.forbidden = tuple(
            compile_expression(item, self.domains, self.place)
            for item in language.get("forbiddens", ())
        )
        self.order = self._topological()
        self.free = np.array(
            [i for i, domain in enumerate(self.domains) if not domain.is_fixed], dtype=np.intp
        )
        self.columns: tuple[Column, ...] = tuple(self.domains[i].column for i in self.free)

    def _topological(self) -> tuple[int, ...]:
        """Parents before children, otherwise in the order of declaration."""
        order: list[int] = []
        open_: list[int] = []  # the chain of children whose parents are being visited

        def visit(i: int) -> None:
            if i in order:
                return
            if i in open_:
                names = [self.names[k] for k in [*open_[open_.index(i) :], i]]
                raise SpaceError(
                    f"the conditions go in a circle: {' needs '.join(map(repr, names))}. "
                    "Remove one of these conditions."
                )
            open_.append(i)
            condition = self.conditions[i]
            for parent in condition.places() if condition is not None else ():
                visit(parent)
            open_.pop()
            order.append(i)

        for i in range(len(self.domains)):
            visit(i)
        return tuple(order)

    # Full matrices ----------------------------------------------------------------------

    def spread(self, values: Floats) -> Floats:
        """The values of columns as a full matrix, fixed hyperparameters in the middle."""
        full = np.full((len(values), len(self.domains)), 0.5)
        full[:, self.free] = values
        return full

    def settle(self, full: Floats) -> list[Floats]:
        """Decide what is active, in place: inactive cells become NaN, others their value's place.

        Returns the stored numbers, one array per hyperparameter.
        """
        stored: list[Floats] = [np.empty(0)] * len(self.domains)
        for i in self.order:
            domain, condition = self.domains[i], self.conditions[i]
            numbers = domain.stored(full[:, i])
            if condition is not None:
                numbers[~condition.holds(stored)] = np.nan
            stored[i] = numbers
            full[:, i] = domain.unit(numbers)
        return stored

    def is_legal(self, stored: Sequence[Floats]) -> Bools:
        """Shape (n,): which settled rows have no forbidden combination."""
        legal = np.ones(len(stored[0]), dtype=bool)
        for clause in self.forbidden:
            legal &= ~clause.holds(stored)
        return legal

    def from_unit(self, u: Floats) -> tuple[Floats, Bools]:
        """Shape (legal rows, columns): cells of the unit cube as rows; and which were legal."""
        full = self.spread(u)
        legal = self.is_legal(self.settle(full))
        return full[legal][:, self.free], legal

    def active(self, stored: Sequence[Floats], i: int) -> Bools:
        """Shape (n,): where hyperparameter `i` should be active, given all stored numbers."""
        condition = self.conditions[i]
        return np.ones(len(stored[0]), dtype=bool) if condition is None else condition.holds(stored)

    # Plain configurations ---------------------------------------------------------------

    def decode(self, points: Points) -> list[dict[str, Any]]:
        """Rows as plain dicts of the active hyperparameters."""
        values = points.aligned(self.columns).values
        stored: list[Floats] = [np.empty(0)] * len(self.domains)
        for column, i in enumerate(self.free):
            stored[i] = self.domains[i].stored(values[:, column])
        for i in self.order:  # fixed ones have no column: they follow from the others
            if self.domains[i].is_fixed:
                at = self.domains[i].low
                stored[i] = np.where(self.active_or_true(stored, i, len(values)), at, np.nan)
        configs: list[dict[str, Any]] = [{} for _ in range(len(values))]
        for domain, numbers in zip(self.domains, stored, strict=True):
            active = ~np.isnan(numbers)
            if active.all():
                for config, value in zip(configs, domain.plain(numbers), strict=True):
                    config[domain.name] = value
            else:
                rows = np.flatnonzero(active)
                for row, value in zip(rows.tolist(), domain.plain(numbers[rows]), strict=True):
                    configs[row][domain.name] = value
        return configs

    def active_or_true(self, stored: Sequence[Floats], i: int, n: int) -> Bools:
        """Like `active`, where the first stored array may not be known yet."""
        condition = self.conditions[i]
        return np.ones(n, dtype=bool) if condition is None else condition.holds(stored)

    def encode(self, configs: Sequence[Mapping[str, Any]]) -> Floats:
        """Shape (n, columns): configurations as rows. Raises `SpaceError` for a wrong one."""
        if not len(configs):
            return np.empty((0, len(self.columns)))
        if not all(type(config) is dict for config in configs):
            configs = [dict(c) if isinstance(c, Mapping) else c for c in configs]
        quick = self._encode_quickly(configs)
        if quick is not None:
            return quick
        rows = [self.check(config)[1] for config in configs]  # finds out which, and says why
        return self._to_columns([np.array(column) for column in zip(*rows, strict=True)])

    def _encode_quickly(self, configs: Sequence[Mapping[str, Any]]) -> Floats | None:
        """Like `encode`, or None if there may be something wrong or unusual."""
        if not all(isinstance(config, dict) for config in configs):
            return None
        n_given = 0
        stored: list[Floats] = []
        for domain in self.domains:
            name = domain.name
            given = [config[name] for config in configs if name in config]
            n_given += len(given)
            numbers = domain.store_all(given)
            if numbers is None:
                return None
            if len(given) < len(configs):
                column = np.full(len(configs), np.nan)
                column[[name in config for config in configs]] = numbers
                numbers = column
            stored.append(numbers)
        if n_given != sum(map(len, configs)):
            return None
        for i, numbers in enumerate(stored):
            if not np.array_equal(~np.isnan(numbers), self.active(stored, i)):
                return None
        return self._to_columns(stored) if self.is_legal(stored).all() else None

    def _to_columns(self, stored: Sequence[Floats]) -> Floats:
        # Centred, so that a float with more digits than a decoded one has the same key.
        columns = [self.domains[i].centred(self.domains[i].unit(stored[i])) for i in self.free]
        return np.column_stack(columns) if columns else np.empty((len(stored[0]), 0))

    def check(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[float]]:
        """The configuration with plain values, and its stored numbers.

        Raises
        ------
        SpaceError
            Naming what is wrong, what was expected, and what to do.
        """
        if not isinstance(config, Mapping):
            raise SpaceError(
                f"a configuration must be a dict, got {type(config).__name__} {config!r:.60}. "
                f"Give the values by name, such as {{{self.names[0]!r}: ...}}."
            )
        for name in config:
            if name not in self.place:
                raise SpaceError(
                    f"{name!r} is no hyperparameter of this space, which has "
                    f"{', '.join(self.names)}.{closest(str(name), self.names)} "
                    "Rename it or leave it out."
                )
        stored = [np.array([np.nan])] * len(self.domains)
        for i in self.order:
            domain, active = self.domains[i], bool(self.active(stored, i)[0])
            if domain.name in config:
                number = domain.store(config[domain.name])
                if not active:
                    raise SpaceError(
                        f"{domain.name!r} is given ({config[domain.name]!r}) but inactive: it only "
                        f"counts when {self.conditions[i]}. Leave it out, or change what it "
                        "depends on."
                    )
                stored[i] = np.array([number])
            elif active:
                if domain.kind == "constant":
                    stored[i] = np.array([domain.low])
                    continue
                why = "" if self.conditions[i] is None else f" (since {self.conditions[i]})"
                raise SpaceError(
                    f"{domain.name!r} is missing, but it is active{why}. Give {domain.expected}."
                )
        for clause in self.forbidden:
            if clause.holds(stored)[0]:
                raise SpaceError(
                    f"the combination {clause} is forbidden, but the configuration has it: "
                    f"{ {self.names[i]: config.get(self.names[i]) for i in clause.places()} }. "
                    "Change one of these values."
                )
        plain = {
            domain.name: domain.plain(number)[0]
            for domain, number in zip(self.domains, stored, strict=True)
            if not np.isnan(number[0])
        }
        return plain, [float(number[0]) for number in stored]

    def unchecked(self, config: Mapping[str, Any]) -> Floats:
        """Shape (1, columns): one configuration, whose conditions and clauses are not checked."""
        return self._to_columns(self._numbers(config))

    def first_forbidden(self, config: Mapping[str, Any]) -> Expression | None:
        """The first forbidden combination that a configuration has."""
        stored = self._numbers(config)
        return next((clause for clause in self.forbidden if clause.holds(stored)[0]), None)

    def _numbers(self, config: Mapping[str, Any]) -> list[Floats]:
        return [
            np.array([domain.store(config[domain.name]) if domain.name in config else np.nan])
            for domain in self.domains
        ]

    @cached_property
    def is_finite(self) -> bool:
        """Whether there is a finite number of configurations."""
        return all(domain.n_values is not None for domain in self.domains)


_NUMBERS = {
    "uniform_float": "float", "normal_float": "float", "beta_float": "float",
    "uniform_int": "integer", "normal_int": "integer", "beta_int": "integer",
}  # fmt: skip


def read_domain(item: Mapping[str, Any]) -> Domain:
    """One hyperparameter of ConfigSpace's JSON."""
    name, kind = item["name"], item["type"]
    ours = (item.get("meta") or {}).get("octavo", {})
    belief = ours.get("belief")
    if kind in _NUMBERS:
        scale = Scale(**ours["scale"]) if "scale" in ours else None
        low, high = float(item["lower"]), float(item["upper"])
        if kind.startswith("normal"):
            belief = belief or _normal_belief(item)
        if kind.startswith("beta"):
            belief = belief or {"kind": "beta", "a": float(item["alpha"]), "b": float(item["beta"])}
        if _NUMBERS[kind] == "integer" and max(high - low, abs(low), abs(high)) >= MOST_VALUES:
            raise SpaceError(
                f"{name!r} has integers from {low:.0f} to {high:.0f}, and at most "
                f"{MOST_VALUES:.0e} can be told apart. Use a smaller range, a step, or a Float."
            )
        return Domain(
            name,
            "float" if _NUMBERS[kind] == "float" else "integer",
            low,
            high,
            log=bool(item.get("log", False)),
            scale=scale,
            default=float(item["default_value"]),
            belief=belief,
        )
    if kind not in ("constant", "categorical", "ordinal"):
        raise SpaceError(
            f"{name!r} is described as of type {kind!r}, which is no type of hyperparameter."
            f"{closest(str(kind), _NUMBERS)} Use one of {', '.join(_NUMBERS)}, categorical, "
            "ordinal, constant."
        )
    if kind == "constant":
        return Domain(name, "constant", choices=(_plain(name, item["value"]),))
    choices = tuple(
        _plain(name, c) for c in item["choices" if kind == "categorical" else "sequence"]
    )
    if kind == "categorical" and item.get("weights") and belief is None:
        belief = {"kind": "weights", "weights": [float(w) for w in item["weights"]]}
    default = choices.index(_plain(name, item["default_value"]))
    return Domain(
        name,
        "categorical" if kind == "categorical" else "ordinal",
        high=float(len(choices) - 1),
        choices=choices,
        default=float(default),
        belief=belief,
    )


def _plain(name: str, value: Any) -> Any:
    """A choice as a plain Python value."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is not None and not isinstance(value, str | int | float | bool):
        raise SpaceError(
            f"{name!r} has the choice {value!r}, of type {type(value).__name__}. Choices must be "
            "str, int, float, bool or None, so that they survive JSON; name it by a string and "
            "translate inside of the objective."
        )
    return value


def _normal_belief(item: Mapping[str, Any]) -> dict[str, Any]:
    """What ConfigSpace's normal hyperparameters would sample from, on the unit scale."""
    low, high, mu, sigma = (float(item[key]) for key in ("lower", "upper", "mu", "sigma"))
    if item.get("log"):
        span = np.log(high) - np.log(low)
        at, spread = (np.log(mu) - np.log(low)) / span, abs(np.log(low + sigma) / span)
    else:
        at, spread = (mu - low) / (high - low), sigma / (high - low)
    return {"kind": "normal", "at": float(at), "spread": float(spread)}
