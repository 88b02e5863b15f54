"""What is asked: `Problem` = space + objectives + constraints + fidelity + limits.

Costs are always minimized inside Octavo; the user's direction lives in `Objective` and is
restored at the edges (`Objective.value`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

from octavo.amounts import is_number, is_whole
from octavo.errors import ObjectiveError, ProblemError, closest

if TYPE_CHECKING:
    # Each trial's keeper, a process of its own, needs problems and no space: it is half as large.
    from octavo.spaces.protocol import Space

__all__ = [
    "MEASURED",
    "Constraint",
    "Fidelity",
    "Limits",
    "Objective",
    "Problem",
    "TrialLimits",
]

MEASURED: Mapping[str, str] = {
    "wall_time": "s",
    "cpu_time": "s",
    "memory": "MiB",
    "energy": "kWh",
    "co2": "kg",
}
"""Names of what Octavo measures by itself where an objective does not return it, and its units;
see `octavo.measured`."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One quantity to optimize.

    Parameters
    ----------
    name
        Key under which the objective function returns it; what is named as in `MEASURED` it
        need not return.
    maximize
        Whether larger is better.
    unit
        For people: "s", "MiB", "kWh"; known of what is measured.
    """

    name: str = "cost"
    maximize: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ProblemError(
                f"an objective is named {self.name!r}, but its name is the key under which the "
                "objective function returns it. Use a string that is not empty, such as 'loss'."
            )
        if not isinstance(self.maximize, bool):
            raise ProblemError(
                f"objective {self.name!r} has maximize={self.maximize!r}, of type "
                f"{type(self.maximize).__name__}. Say True if larger is better, else False."
            )
        if not self.unit:
            object.__setattr__(self, "unit", MEASURED.get(self.name, ""))

    def cost(self, value: float) -> float:
        """The user's value as a cost: smaller is better."""
        return -value if self.maximize else value

    def value(self, cost: float) -> float:
        """A cost as the user's value again."""
        return -cost if self.maximize else cost


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a quantity that the objective function returns beside its costs.

    Parameters
    ----------
    name
        Key under which the objective function returns the quantity.
    low, high
        The quantity must lie in [low, high]; None leaves a side open.
    """

    name: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for word, bound in (("low", self.low), ("high", self.high)):
            if bound is not None and not is_number(bound):
                raise ProblemError(
                    f"constraint {self.name!r} has {word}={bound!r}, which is not a number. "
                    f"Give a number, or None for an open side."
                )
        if self.low is None and self.high is None:
            raise ProblemError(
                f"constraint {self.name!r} has neither a lower nor an upper bound. "
                f"Give at least one, such as constraints={{{self.name!r}: (None, 0.1)}}."
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ProblemError(
                f"constraint {self.name!r} has low={self.low} above high={self.high}, so no "
                "trial can meet it. Swap the two bounds."
            )

    def is_met(self, value: float) -> bool:
        """Whether a measured value lies within the bounds; NaN does not."""
        above = self.low is None or value >= self.low
        below = self.high is None or value <= self.high
        return above and below and not math.isnan(value)


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How much of the full budget a trial spends, so that cheap trials can stand for dear ones.

    Parameters
    ----------
    name
        What it counts: "epochs", "rows", "folds".
    low, high
        The cheapest sensible and the full budget. Optimizers without a multi-fidelity
        scheduler evaluate everything at `high`.
    log
        Whether equal steps are equal ratios.
    integer
        Whether only whole numbers make sense; by default, whether both bounds are whole. From 0
        to 1 is a share, of which parts make sense.

    Raises
    ------
    ProblemError
        Unless 0 <= low < high are finite (0 < low on a log scale), and whole where only whole
        numbers make sense.

    Examples
    --------
    >>> Fidelity("epochs", 1, 81).integer, Fidelity("share", 0, 1, log=False).integer
    (True, False)
    """

    name: str
    low: float
    high: float
    log: bool = True
    integer: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ProblemError(
                f"a fidelity is named {self.name!r}, but its name says what it counts. Give name, "
                "low and high, in this order: octavo.Fidelity('epochs', 1, 81)."
            )
        for word, bound in (("low", self.low), ("high", self.high)):
            if not is_number(bound) or math.isinf(bound):
                raise ProblemError(
                    f"fidelity {self.name!r} has {word}={bound!r}, which is not a finite number. "
                    "Give two numbers, such as octavo.Fidelity('epochs', 1, 81)."
                )
        if not self.low < self.high:
            raise ProblemError(
                f"fidelity {self.name!r} needs low < high, got low={self.low}, high={self.high}. "
                "low is the cheapest budget that still tells something, high the full one"
                + (": swap them." if self.low > self.high else ".")
            )
        if self.low < 0:
            raise ProblemError(
                f"fidelity {self.name!r} has low={self.low}, but no trial spends less than "
                "nothing. Count from 0 (with log=False) or more."
            )
        for word, flag in (("log", self.log), ("integer", self.integer)):
            if not isinstance(flag, bool) and (word, flag) != ("integer", None):
                raise ProblemError(
                    f"fidelity {self.name!r} has {word}={flag!r} of type {type(flag).__name__}. "
                    "Say True or False, or leave it out."
                )
        if self.log and self.low == 0:
            positive = 1 if self.high > 1 else self.high / 27
            raise ProblemError(
                f"fidelity {self.name!r} has log=True but low={self.low}. A log scale needs "
                f"low > 0; try low={positive:.2g}, or log=False."
            )
        is_whole_range = float(self.low).is_integer() and float(self.high).is_integer()
        if self.integer and not is_whole_range:
            raise ProblemError(
                f"fidelity {self.name!r} has integer=True, but goes from {self.low} to "
                f"{self.high}. Give whole bounds, or leave integer out."
            )
        if self.integer is None:
            is_share = (self.low, self.high) == (0, 1)
            object.__setattr__(self, "integer", is_whole_range and not is_share)


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What one trial may consume before it is killed; None: no limit.

    Parameters
    ----------
    wall_s
        Wall-clock seconds.
    memory_mb
        Resident memory minus shared mapped pages of the whole process tree, in MiB.
    cpu_s
        CPU seconds of the whole process tree.
    """

    wall_s: float | None = None
    memory_mb: float | None = None
    cpu_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("wall_s", "memory_mb", "cpu_s"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and value > 0):
                raise ProblemError(
                    f"trial limit {name}={value!r} must be greater than 0. "
                    "Give a positive number (of seconds, of MiB), or None for no limit."
                )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a whole study may consume; None: no limit. Optimizers plan with it.

    Parameters
    ----------
    max_trials
        Number of completed trials, whatever their status.
    wall_s, cpu_s
        Seconds of wall clock, and of CPU time summed over trials.
    target
        Stop as soon as the first objective is at least this good, in the user's direction.
    """

    max_trials: int | None = None
    wall_s: float | None = None
    cpu_s: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if self.max_trials is not None and not is_whole(self.max_trials, 1):
            raise ProblemError(
                f"max_trials={self.max_trials!r} must be a whole number of at least 1. "
                "Use None for no limit on the number of trials."
            )
        for name, value in (("time_limit", self.wall_s), ("cpu_limit", self.cpu_s)):
            if value is not None and not (is_number(value) and value > 0):
                raise ProblemError(
                    f"{name}={value!r} must be more than 0 seconds. "
                    "Write it as '10m', '90s' or a number of seconds, or None for no limit."
                )
        if self.target is not None and not is_number(self.target):
            raise ProblemError(
                f"target={self.target!r} must be a number: the value of the first objective that "
                "is good enough to stop. Give such as target=0.01, or None."
            )


@dataclass(frozen=True, slots=True)
class Problem:
    """A question to be answered by trials.

    Parameters
    ----------
    space
        What can be chosen.
    objectives
        What is optimized; at least one.
    constraints
        Bounds on further measured quantities.
    fidelity
        The budget that a trial may spend less of.
    repeats
        With how many seeds a configuration must have been evaluated before it may
        be the incumbent; 1 for deterministic objectives.
    limits
        The budget that the study was planned with.
    instances
        Names of the problem instances over which a configuration is to be good on average;
        each proposal names one of them. Empty without instances.
    instance_features
        What is known of each instance: as many numbers for each. Empty if nothing is.

    Raises
    ------
    ProblemError
        If any of it makes no sense; the message says what to write instead.
    """

    space: Space
    objectives: tuple[Objective, ...] = (Objective(),)
    constraints: tuple[Constraint, ...] = ()
    fidelity: Fidelity | None = None
    repeats: int = 1
    limits: Limits = field(default_factory=Limits)
    instances: tuple[str, ...] = ()
    instance_features: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "instances", _read_instances(self.instances))
        features = _read_features(self.instance_features, self.instances)
        object.__setattr__(self, "instance_features", features)
        if not self.objectives:
            raise ProblemError(
                "objectives is empty, so there is nothing to optimize. "
                "Leave it out for a single cost, or name at least one, such as ['loss']."
            )
        names = [o.name for o in self.objectives] + [c.name for c in self.constraints]
        for name in names:
            if names.count(name) > 1:
                raise ProblemError(
                    f"{name!r} is named {names.count(name)} times among objectives and "
                    "constraints. Each quantity may appear once; rename or remove the others."
                )
        if self.fidelity is not None and not isinstance(self.fidelity, Fidelity):
            raise ProblemError(
                f"fidelity={self.fidelity!r} is of type {type(self.fidelity).__name__}. Say what "
                "it counts and from where to where: octavo.Fidelity('epochs', 1, 81)."
            )
        if not isinstance(self.limits, Limits):
            raise ProblemError(
                f"limits={self.limits!r} is of type {type(self.limits).__name__}. Pass "
                "octavo.problem.Limits(max_trials=100), or give the limits to run()."
            )
        if not is_whole(self.repeats, 1):
            raise ProblemError(
                f"repeats={self.repeats!r} must be a whole number of at least 1: with how many "
                "seeds a configuration is evaluated before it may be the incumbent. Use 3 or more "
                "if the objective is noisy, else leave it out."
            )

    @property
    def n_objectives(self) -> int:
        """How many costs each trial has."""
        return len(self.objectives)

    def read(self, result: object) -> tuple[tuple[float, ...], tuple[float, ...], dict[str, Any]]:
        """Split what an objective function returned into costs, constraint values and the rest.

        Parameters
        ----------
        result
            A number (only where a single quantity is to be returned), or a mapping with one
            number per objective and constraint; further keys are kept as extra data. What
            Octavo measures (`MEASURED`) may be left out; None where all of it is.

        Returns
        -------
        costs, constraints, extra
            Costs are minimized, whatever the user's direction; NaN for what is yet to be
            filled in from what was measured.

        Raises
        ------
        ObjectiveError
            If a number is missing, is not a number, or an objective is not finite.
        """
        names = [o.name for o in self.objectives] + [c.name for c in self.constraints]
        expected = [name for name in names if name not in MEASURED]
        if not isinstance(result, Mapping):
            result = _named(result, names, expected)
        given = {**dict.fromkeys(MEASURED, math.nan), **result}
        for name in expected:
            if name not in result:
                raise ObjectiveError(
                    f"the objective returned a dict without {name!r} (its keys are "
                    f"{sorted(map(str, result))}). Return a number for each of {expected}."
                    + (closest(name, map(str, result)) or _misspelt([name]))
                )
        costs = tuple(
            o.cost(_finite(given[o.name], o.name) if o.name in result else math.nan)
            for o in self.objectives
        )
        constraints = tuple(_number(given[c.name], c.name) for c in self.constraints)
        extra = {str(k): v for k, v in result.items() if k not in names}
        return costs, constraints, extra

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description from which `Problem.from_json` builds it again."""
        return {
            "space": self.space.to_json(),
            "objectives": [asdict(objective) for objective in self.objectives],
            "constraints": [asdict(constraint) for constraint in self.constraints],
            "fidelity": None if self.fidelity is None else asdict(self.fidelity),
            "repeats": self.repeats,
            "limits": asdict(self.limits),
            "instances": list(self.instances),
            "instance_features": {n: list(row) for n, row in self.instance_features.items()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Problem:
        """The problem that `to_json` described."""
        from octavo.spaces import from_json

        return Problem(
            space=from_json(data["space"]),
            objectives=tuple(Objective(**objective) for objective in data["objectives"]),
            constraints=tuple(Constraint(**constraint) for constraint in data["constraints"]),
            fidelity=None if data["fidelity"] is None else Fidelity(**data["fidelity"]),
            repeats=data["repeats"],
            limits=Limits(**data["limits"]),
            instances=tuple(data.get("instances", ())),  # younger than the first studies
            instance_features=data.get("instance_features", {}),
        )

    def is_feasible(self, constraints: Sequence[float]) -> bool:
        """Whether measured constraint values meet all constraints."""
        return all(c.is_met(v) for c, v in zip(self.constraints, constraints, strict=True))


def _named(result: object, names: list[str], expected: list[str]) -> Mapping[str, object]:
    """A bare result under its name; nothing is as good as any where all of it is measured."""
    if result is None and not expected:
        return {}
    candidates = expected or names
    if len(candidates) > 1:
        raise ObjectiveError(
            f"the objective returned {_shown(result)}, but {len(candidates)} quantities "
            f"are expected. Return a dict with the keys {candidates}." + _misspelt(candidates)
        )
    return {candidates[0]: result}


def _misspelt(names: list[str]) -> str:
    """A hint for the first name that looks like one that Octavo measures; mostly nothing."""
    hints = [closest(name, MEASURED) for name in names]
    return next((f"{hint[:-1]}, which Octavo measures?" for hint in hints if hint), "")


def _read_instances(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ProblemError(
            f"instances={names!r} is of type {type(names).__name__}, but is a list of names. "
            "Write instances=['easy.cnf', 'hard.cnf'], also for a single one."
        )
    if isinstance(names, list) and not names:  # the default is a tuple
        raise ProblemError(
            "instances is empty, so there is nothing to run on. If it comes from a pattern of "
            "files, that matched none; for a problem without instances, leave it out."
        )
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name:
            raise ProblemError(
                f"instances contains {name!r} of type {type(name).__name__}, but an instance is "
                "named by a text that is not empty. Name it, such as 'easy.cnf'."
            )
        if name in seen:
            raise ProblemError(
                f"instances names {name!r} more than once. Name each instance once; to run it "
                "with several seeds, set repeats=5."
            )
        seen.add(name)
    return tuple(names)


def _read_features(features: object, instances: Sequence[str]) -> dict[str, tuple[float, ...]]:
    if not isinstance(features, Mapping):
        raise ProblemError(
            f"instance_features={features!r:.200} is of type {type(features).__name__}, but maps "
            "each instance to its numbers. Write {'easy.cnf': (12, 0.5), 'hard.cnf': (90, 0.1)}."
        )
    if not features:
        return {}
    for name in features:
        if name not in instances:
            raise ProblemError(
                f"instance_features describes {name!r}, which is not one of the {len(instances)} "
                f"instances. Add it to instances, or leave it out.{closest(name, instances)}"
            )
    read: dict[str, tuple[float, ...]] = {}
    for name in instances:
        if name not in features:
            raise ProblemError(
                f"instance_features has nothing for {name!r}, but describes others. Give numbers "
                "for every instance, or leave instance_features out."
            )
        read[name] = _read_row(name, features[name])
        if len(read[name]) != len(read[instances[0]]):
            raise ProblemError(
                f"instance_features has {len(read[name])} numbers for {name!r} and "
                f"{len(read[instances[0]])} for {instances[0]!r}. Give as many for each instance."
            )
    return read


def _read_row(name: str, row: Any) -> tuple[float, ...]:
    numbers = row.tolist() if hasattr(row, "tolist") else row  # NumPy arrays
    if isinstance(numbers, Sequence) and not isinstance(numbers, str):
        wrong = [n for n in numbers if not (is_number(n) and math.isfinite(n))]
        if numbers and not wrong:
            return tuple(float(number) for number in numbers)
        numbers = wrong[0] if wrong else numbers
    raise ProblemError(
        f"instance_features has {_shown(numbers)} for {name!r}, but needs a list of finite "
        "numbers. Write such as (12, 0.5), and impute what is unknown."
    )


def _number(value: object, name: str) -> float:
    """A plain float from whatever number the user's function returned."""
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()  # NumPy scalars, zero-dimensional arrays and torch tensors
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ObjectiveError(
            f"the objective returned {_shown(value)} for {name!r}, which is not a number. "
            "Return a float (or a dict of floats)."
        )
    return float(value)


def _finite(value: object, name: str) -> float:
    number = _number(value, name)
    if not math.isfinite(number):
        raise ObjectiveError(
            f"the objective returned {number} for {name!r}. A cost must be finite; raise an "
            "exception, or return a large number if the configuration is merely very bad."
        )
    return number


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
