"""What trials cost in energy and CO2: `Energy` says how to find out, a `Meter` does it.

One formula for both methods: the CPU seconds of a trial's process tree, times the watts of a
busy core. With "counters" the watts are those that the processor's own counters (RAPL) showed
while the trial ran: joules of the machine's processors per busy core second. Each trial
so bears its share of what ran beside it and of what idle cores took. With "estimate" the
watts are a setting. Neither counts graphics cards, memory, disks, fans or the power supply.

Lannelongue, Grealey & Inouye (2021), Green Algorithms: Quantifying the Carbon Footprint of
Computation, Advanced Science 8: the default of 12 W per core. Khan et al. (2018), RAPL in
Action, ACM TOMPECS 3: how far counters may be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal, Protocol

from octavo.errors import MissingExtra, SettingError, closest
from octavo.trial import Resources, Trial

__all__ = ["Energy", "Meter", "Watts", "meter"]

WATTS_PER_CORE = 12.0
GRAMS_PER_KWH = 475.0
"""World average of 2018 (International Energy Agency 2019, Global Energy & CO2 Status Report)."""

_METHODS = ("auto", "counters", "estimate")
_JOULES_PER_KWH = 3.6e6
_NO_CPU = "no CPU time of the trial is known, from which energy follows"


@dataclass(frozen=True, slots=True)
class Energy:
    """How a study's energy and CO2 are found.

    Parameters
    ----------
    method
        "counters" reads the processor's energy counters through codecarbon (the extra
        "green"), which takes Linux and the right to read them; "estimate" multiplies CPU time by
        `watts_per_core`; "auto" reads counters where it can, and estimates elsewhere.
        Numbers of different methods are never compared with each other: choose "estimate"
        to compare trials of several machines.
    watts_per_core
        Power of one busy core in watts, for estimates.
    grams_per_kwh
        Carbon intensity of the electricity, in grams of CO2 equivalent per kWh; None takes
        that of the country, or without one the world average of 475.
    country
        Three letters (ISO 3166, such as "DEU"): takes the country's average out of the
        table that comes with codecarbon. Nothing is asked over a network.

    Raises
    ------
    SettingError
        If a setting is out of range, the country is unknown, both country and grams are given,
        or there are no counters to be read.
    MissingExtra
        If a country or "counters" is asked for without codecarbon.

    Examples
    --------
    >>> Energy(watts_per_core=7.5, grams_per_kwh=30).watts_per_core
    7.5
    """

    method: Literal["auto", "counters", "estimate"] = "auto"
    watts_per_core: float = WATTS_PER_CORE
    grams_per_kwh: float | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise SettingError(
                f"method={self.method!r} is no way to find energy. Use one of "
                f"{', '.join(map(repr, _METHODS))}." + closest(str(self.method), _METHODS)
            )
        _check("watts_per_core", self.watts_per_core, least=0.0, example="12")
        if self.grams_per_kwh is not None:
            _check("grams_per_kwh", self.grams_per_kwh, least=-1.0, example="475")
            if self.country is not None:
                raise SettingError(
                    f"grams_per_kwh={self.grams_per_kwh!r} and country={self.country!r} are both "
                    "given, but a country only stands for a number of grams. Leave one out."
                )
        if self.country is not None:
            from octavo.executors.counters import country_grams

            country_grams(self.country)
        if self.method == "counters":
            from octavo.executors.counters import unreadable_because

            _refuse_unreadable(unreadable_because())

    @property
    def grams(self) -> float:
        """Grams of CO2 equivalent per kWh."""
        if self.grams_per_kwh is not None:
            return float(self.grams_per_kwh)
        if self.country is None:
            return GRAMS_PER_KWH
        from octavo.executors.counters import country_grams

        return country_grams(self.country)

    @property
    def intensity(self) -> str:
        """What `grams` is, in words."""
        where = "as set"
        if self.country is not None:
            where = f"average of {self.country.upper()}"
        elif self.grams_per_kwh is None:
            where = "world average"
        return f"{self.grams:g} g/kWh, {where}"


class Watts(Protocol):
    """Says how much a busy core took while a trial ran."""

    @property
    def how(self) -> str:
        """The method and its parameters, the same for all trials that it measures."""
        ...

    def begin(self, index: int) -> None:
        """A trial begins."""
        ...

    def end(self, index: int) -> float | None:
        """Watts per busy core since the trial began; None if unknown."""
        ...

    def close(self) -> None:
        """Nothing more will be measured."""
        ...


@dataclass(frozen=True, slots=True)
class _Stated:
    """Always the same watts."""

    watts: float

    @property
    def how(self) -> str:
        return f"estimate: CPU time x {self.watts:g} W per busy core"

    def begin(self, index: int) -> None:
        """Nothing to look at."""

    def end(self, index: int) -> float:
        return self.watts

    def close(self) -> None:
        """Nothing to stop."""


class Meter:
    """Adds energy and CO2 to what trials consumed.

    Parameters
    ----------
    energy
        The settings.
    watts
        Of a busy core.
    """

    def __init__(self, energy: Energy, watts: Watts) -> None:
        self._watts, self._grams = watts, energy.grams
        self.how: Mapping[str, str] = {
            "energy_kwh": watts.how,
            "co2_kg": f"energy x {energy.intensity}",
        }

    def begin(self, index: int) -> None:
        """The trial of this number is about to run."""
        self._watts.begin(index)

    def read(self, trial: Trial) -> Trial:
        """The trial with its energy and CO2; one whose executor measured them stays as it is."""
        watts = self._watts.end(trial.index)
        its = trial.resources
        if its.energy_kwh is None:
            its = self._with_energy(its, watts)
        if its.co2_kg is None and its.energy_kwh is not None:
            its = replace(
                its,
                co2_kg=its.energy_kwh * self._grams / 1000.0,
                how={**its.how, "co2_kg": self.how["co2_kg"]},
            )
        return replace(trial, resources=its)

    def _with_energy(self, its: Resources, watts: float | None) -> Resources:
        if its.cpu_s is None:
            return replace(its, how={**its.how, "energy_kwh": _NO_CPU, "co2_kg": _NO_CPU})
        if watts is None:
            unread = "the energy counters could not be read while it ran"
            return replace(its, how={**its.how, "energy_kwh": unread, "co2_kg": unread})
        return replace(
            its,
            energy_kwh=its.cpu_s * watts / _JOULES_PER_KWH,
            how={**its.how, "energy_kwh": self.how["energy_kwh"]},
        )

    def close(self) -> None:
        """Stop looking."""
        self._watts.close()


def meter(energy: Energy, *, is_local: bool = True) -> Meter:
    """What reads energy for a study.

    Parameters
    ----------
    energy
        The settings.
    is_local
        Whether trials run on this machine: its counters say nothing about another.

    Raises
    ------
    SettingError
        If counters are asked for and cannot be read, saying why.
    MissingExtra
        If counters are asked for without codecarbon.
    """
    if energy.method != "estimate":
        from octavo.executors.counters import Counters, unreadable_because

        why = unreadable_because() if is_local else "trials run on other machines"
        if not why:
            try:
                return Meter(energy, Counters())
            except (MissingExtra, SettingError):
                if energy.method == "counters":
                    raise
        elif energy.method == "counters":
            _refuse_unreadable(why)
    return Meter(energy, _Stated(float(energy.watts_per_core)))


def _refuse_unreadable(why: str) -> None:
    if why:
        raise SettingError(
            f"method='counters' cannot read the processor's energy counters: {why}. Estimate, "
            "and say what a core takes: octavo.Energy(method='estimate', watts_per_core=12)."
        )


def _check(name: str, value: object, *, least: float, example: str) -> None:
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (good and float(value) > least):  # type: ignore[arg-type]
        bound = "more than 0" if least == 0 else "0 or more"
        raise SettingError(
            f"{name}={value!r} must be a finite number of {bound}, such as {name}={example}."
        )
