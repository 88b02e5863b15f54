"""How much of a study's budget is spent, in the unit of whichever limit it has."""

from __future__ import annotations

import math

from octavo.problem import Limits
from octavo.trial import Trial

__all__ = ["Meter"]

_GUESS = 0.25  # of the cutoff: what a run takes, before there are any


class Meter:
    """Adds up what trials took: their number, their CPU time, or the time since the first one.

    Parameters
    ----------
    limits
        Of the study: the first of `max_trials`, `cpu_s` and `wall_s` that is set counts.
    cutoff_s
        Seconds after which a run is killed; None if unknown.

    Attributes
    ----------
    used
        In trials or seconds.
    """

    def __init__(self, limits: Limits, cutoff_s: float | None = None) -> None:
        self._limits = limits
        self._guess = 1.0
        if limits.max_trials is None and cutoff_s is not None:
            self._guess = _GUESS * cutoff_s
        self._n = 0
        self._first = math.inf
        self.used = 0.0

    def add(self, trial: Trial) -> None:
        """One more completed trial."""
        self._n += 1
        if self._limits.max_trials is not None:
            self.used += 1.0
        elif self._limits.cpu_s is not None:
            self.used += trial.resources.cpu_s or 0.0
        elif trial.started is not None and trial.ended is not None:
            self._first = min(self._first, trial.started)
            self.used = max(self.used, trial.ended - self._first)

    @property
    def total(self) -> float:
        """What there is to spend; inf without a limit."""
        for limit in (self._limits.max_trials, self._limits.cpu_s, self._limits.wall_s):
            if limit is not None:
                return float(limit)
        return math.inf

    @property
    def left(self) -> float:
        """What is left; inf once all is spent, for whoever goes on has more than was planned."""
        rest = self.total - self.used
        return rest if rest > 0 else math.inf

    @property
    def per_run(self) -> float:
        """What a run takes on average; a guess before there are any."""
        return self.used / self._n if self.used > 0 else self._guess
