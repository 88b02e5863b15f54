"""End a study whose objective is broken."""

from __future__ import annotations

from octavo.callbacks.events import Completed, Event, Started
from octavo.errors import SettingError
from octavo.trial import Status, Trial

__all__ = ["StopWhenHopeless"]


class StopWhenHopeless:
    """Stop a study in which every trial crashes for the same reason.

    A misspelt column or a missing package makes each trial fail at once; without a limit on
    trials the study would go on with that until its time is over. Every study has one of
    these with the default number; give another one to be more or less patient.

    Parameters
    ----------
    n_trials
        How many crashes with one and the same cause, and nothing else, are enough. Where only
        a part of the space crashes, as with hidden constraints, the first success ends the
        watch. Default 50.

    Raises
    ------
    SettingError
        If `n_trials` is not a positive whole number.

    Examples
    --------
    >>> from octavo import Float, minimize
    >>> from octavo.callbacks import StopWhenHopeless
    >>> study = minimize(
    ...     lambda config: 1 / 0, {"x": Float(0, 1)}, time_limit=60,
    ...     callbacks=[StopWhenHopeless(n_trials=3)],
    ... )
    >>> len(study.history)
    3
    """

    def __init__(self, n_trials: int = 50) -> None:
        if not isinstance(n_trials, int) or n_trials < 1:
            raise SettingError(
                f"n_trials is {n_trials!r}, but must be a positive whole number. "
                "Leave it out for 50."
            )
        self.n_trials = n_trials
        self._cause = ""
        self._n_crashed = 0
        self._hopeful = False

    def __call__(self, event: Event) -> str | None:
        """Count crashes; the sentence that stops the study once there are enough."""
        if isinstance(event, Started):
            self._cause, self._n_crashed, self._hopeful = "", 0, False
            for trial in event.history:
                self._count(trial)
        elif isinstance(event, Completed):
            self._count(event.trial)
            if not self._hopeful and self._n_crashed >= self.n_trials:
                return f"all {self._n_crashed} trials crashed for the same reason: {self._cause}"
        return None

    def _count(self, trial: Trial) -> None:
        if self._hopeful or trial.status is Status.CANCELLED:
            return
        cause = trial.cause.partition("\n")[0]  # below may stand what it printed
        self._cause = self._cause or cause
        self._hopeful = trial.status is not Status.CRASHED or cause != self._cause
        self._n_crashed += 1
