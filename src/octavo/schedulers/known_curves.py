"""The curves of a history, read once: what all stoppers look at."""

from __future__ import annotations

from collections.abc import Sequence

from octavo.history import History
from octavo.problem import Problem
from octavo.schedulers.curves import Curve, whole_curve
from octavo.schedulers.stopping import Running
from octavo.trial import Status, Trial

__all__ = ["KnownCurves"]


class KnownCurves:
    """Curves of completed trials, in order of completion.

    Reading a history again costs what was added to it. All that is kept follows from the
    history, so a stopper that starts anew decides the same.

    Attributes
    ----------
    curves
        Of the trials with reports that succeeded or were ended by a stopper, from their very
        beginning; a trial that was continued stands only in its latest curve.
    ran_to_the_end
        For each of them, whether the trial succeeded.
    """

    def __init__(self) -> None:
        self._history: History | None = None
        self._forget()

    def _forget(self) -> None:
        self._n_read = 0
        self._trials: dict[int, Trial] = {}
        self._by_index: dict[int, tuple[Curve, bool]] = {}
        self.curves: Sequence[Curve] = []
        self.ran_to_the_end: Sequence[bool] = []

    def read(self, history: History) -> None:
        """Take note of what is new."""
        if history is not self._history or len(history) < self._n_read:
            self._history = history
            self._forget()
        if len(history) == self._n_read:
            return
        for trial in history[self._n_read :]:
            self._trials[trial.index] = trial
            if trial.status not in (Status.SUCCESS, Status.STOPPED) or not trial.reports:
                continue
            curve = whole_curve(history.problem, trial.proposal, trial.reports, self._trials.get)
            if len(curve[0]):
                if trial.proposal.resume_from is not None:
                    self._by_index.pop(trial.proposal.resume_from, None)
                self._by_index[trial.index] = curve, trial.succeeded
        self._n_read = len(history)
        self.curves = [curve for curve, _ in self._by_index.values()]
        self.ran_to_the_end = [ended for _, ended in self._by_index.values()]

    def of_running(self, trial: Running) -> Curve:
        """The curve of a running trial so far, with what it goes on from."""
        assert self._history is not None, "read a history first"
        problem: Problem = self._history.problem
        return whole_curve(problem, trial.proposal, trial.reports, self._trials.get)
