"""The curves of completed trials, read once: what stoppers and freeze-thaw look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from octavo.history import History
from octavo.problem import Problem
from octavo.schedulers.curves import Curve, whole_curve
from octavo.schedulers.stopping import Running
from octavo.trial import Status, Trial

__all__ = ["KnownCurves", "Reader"]


class KnownCurves:
    """Curves of completed trials, in order of completion.

    All that is kept follows from the trials, so whoever starts anew decides the same.

    Parameters
    ----------
    problem
        What the trials answer.

    Attributes
    ----------
    all
        Of the trials with reports that succeeded or were ended by a stopper, from their very
        beginning. Nothing leaves the list, so what was learned from its first n holds.
    complete
        Of those that succeeded.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.all: list[Curve] = []
        self.complete: list[Curve] = []
        self._trials: dict[int, Trial] = {}
        self._latest: dict[int, Curve] = {}

    def extend(self, trials: Iterable[Trial]) -> None:
        """Take note of completed trials."""
        for trial in trials:
            self._trials[trial.index] = trial
            if trial.status not in (Status.SUCCESS, Status.STOPPED) or not trial.reports:
                continue
            curve = whole_curve(self.problem, trial.proposal, trial.reports, self._trials.get)
            if not len(curve[0]):
                continue
            if trial.proposal.resume_from is not None:
                self._latest.pop(trial.proposal.resume_from, None)
            self._latest[trial.index] = curve
            self.all.append(curve)
            if trial.succeeded:
                self.complete.append(curve)

    @property
    def latest(self) -> Sequence[Curve]:
        """Of each run the longest curve: what was continued counts only with its continuation."""
        return list(self._latest.values())

    def of_trial(self, trial: Trial) -> Curve:
        """The curve of a completed trial."""
        return whole_curve(self.problem, trial.proposal, trial.reports, self._trials.get)

    def of_running(self, trial: Running) -> Curve:
        """The curve of a running trial so far, with what it goes on from."""
        return whole_curve(self.problem, trial.proposal, trial.reports, self._trials.get)


class Reader:
    """Keeps the curves of a history; reading it again costs what was added to it."""

    def __init__(self) -> None:
        self._history: History | None = None
        self._n_read = 0
        self._known: KnownCurves | None = None

    def read(self, history: History) -> KnownCurves:
        """The curves of a history."""
        if self._known is None or history is not self._history or len(history) < self._n_read:
            self._known, self._history, self._n_read = KnownCurves(history.problem), history, 0
        self._known.extend(history[self._n_read :])
        self._n_read = len(history)
        return self._known
