"""The energy counters of the machine's processors, read through codecarbon; countries' carbon.

codecarbon knows the processors' counters (RAPL) in all their variants: several packages,
counters that mirror one another, counters that wrap around. Its trackers are not used: they follow
one process for its life, add a constant for memory, and one of them asks a server where it
is. What is used here reads files and never a network.

Processes have no counters of their own. `Counters` divides the joules of all packages among
everything that ran, in proportion to CPU time.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from octavo.errors import MissingExtra, SettingError, closest

__all__ = ["POWERCAP", "Counters", "country_grams", "unreadable_because"]

POWERCAP = Path("/sys/class/powercap/intel-rapl/subsystem")
"""Where Linux shows the counters, of AMD's processors too."""

_EVERY_S = 1.0  # also, so that a counter does not wrap around twice unseen
_LEAST_BUSY_S = 0.5  # CPU seconds of the machine, which are counted in hundredths
_FIRST_BUSY_S = 0.05
_JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class _Reading:
    """Totals since we began: joules of all packages, and busy seconds of all cores."""

    joules: float
    busy_s: float


class Counters:
    """Watts per busy core of this machine while trials run; see `octavo.executors.energy.Watts`.

    Parameters
    ----------
    folder
        Where the counters are.

    Raises
    ------
    MissingExtra
        If codecarbon is not installed.
    SettingError
        If there is nothing to read.
    """

    how = (
        "counters: joules of this machine's processors (RAPL, through codecarbon) per busy core "
        "second while it ran x CPU time"
    )

    def __init__(self, folder: Path = POWERCAP) -> None:
        with _quiet_codecarbon():
            self._rapl: Any = _codecarbon("core.cpu").IntelRAPL(rapl_dir=str(folder))
            self._rapl.start()
        self._seconds: Any = _codecarbon("core.units").Time.from_seconds
        if not self._joules_since(1.0):
            raise SettingError(
                f"codecarbon finds no counter of a whole processor in {folder}. Estimate instead: "
                "octavo.Energy(method='estimate', watts_per_core=12)."
            )
        self._lock = threading.Lock()
        self._read_at = time.perf_counter()
        self._busy_from = _busy_s()
        self._joules = 0.0
        self._begun: dict[int, _Reading] = {}
        self._recent: deque[_Reading] = deque([_Reading(0.0, 0.0)], maxlen=32)
        while _busy_s() - self._busy_from < _FIRST_BUSY_S:
            pass  # so that the first trial, however short, has something to be compared with
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="octavo-energy", daemon=True)
        self._thread.start()

    def begin(self, index: int) -> None:
        """A trial begins."""
        self._begun[index] = self._read()

    def end(self, index: int) -> float | None:
        """Watts per busy core since the trial began; None if the counters stand still.

        Over the last seconds, if the trial was too short for a reading of its own.
        """
        now = self._read()
        since = self._begun.pop(index, now)
        with self._lock:
            earlier = list(self._recent)
        for reading in reversed(earlier):
            if now.busy_s - since.busy_s >= _LEAST_BUSY_S:
                break
            if reading.busy_s < since.busy_s:
                since = reading
        joules, busy_s = now.joules - since.joules, now.busy_s - since.busy_s
        return joules / busy_s if joules > 0 and busy_s > 0 else None

    def close(self) -> None:
        """Stop the thread that keeps reading."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            reading = self._read()
            with self._lock:
                self._recent.append(reading)

    def _read(self) -> _Reading:
        with self._lock:
            now = time.perf_counter()
            took_s, self._read_at = max(now - self._read_at, 1e-6), now
            self._joules += sum(self._joules_since(took_s))
            return _Reading(self._joules, _busy_s() - self._busy_from)

    def _joules_since(self, seconds: float) -> list[float]:
        """Of each processor, since this was last asked, so many seconds ago."""
        deltas = self._rapl.get_cpu_details(self._seconds(seconds))
        # In kWh; watts stand beside them.
        return [_JOULES_PER_KWH * kwh for name, kwh in deltas.items() if "Energy Delta" in name]


def unreadable_because(folder: Path = POWERCAP) -> str:
    """In words, why the counters cannot be read; empty if they can."""
    if sys.platform != "linux":
        return f"only Linux shows them to programs, this is {sys.platform}"
    files = sorted(folder.glob("*/energy_uj"))
    if not files:
        return (
            f"there are none in {folder}; virtual machines, many containers and processors "
            "other than Intel's and AMD's have none"
        )
    if not any(os.access(file, os.R_OK) for file in files):
        return (
            f"{files[0]} may only be read by its owner; an administrator can change that with "
            "chmod -R a+r /sys/class/powercap/*"
        )
    return ""


@cache
def country_grams(country: str) -> float:
    """Average grams of CO2 equivalent per kWh of electricity of a country.

    Parameters
    ----------
    country
        Three letters, ISO 3166.

    Raises
    ------
    SettingError
        If the table does not have it.
    MissingExtra
        If codecarbon, with which the table comes, is not installed.
    """
    table = _codecarbon("input").DataSource().get_global_energy_mix_data()
    code = country.upper() if isinstance(country, str) else ""
    if code not in table:
        names = {row["country_name"].lower(): known for known, row in table.items()}
        hint = names.get(str(country).lower())
        raise SettingError(
            f"country={country!r} is not in the table. Give the three letters of ISO 3166, such "
            "as country='DEU', or the number itself: grams_per_kwh=380."
            + (f" Did you mean {hint!r}?" if hint else closest(code, table))
        )
    return float(table[code]["carbon_intensity"])


def _busy_s() -> float:
    """CPU seconds of the whole machine, in all processes, since it started."""
    import psutil

    times = psutil.cpu_times()
    # Guests' time is part of user and nice; waiting for disks is idle.
    idle = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))
    return float(sum(times) - idle)


def _codecarbon(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"codecarbon.{module}")
    except ImportError as error:
        raise MissingExtra("reading energy and carbon through codecarbon", "green") from error


class _quiet_codecarbon:  # noqa: N801  a context manager
    """It tells at length which counters it found."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("codecarbon")
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
