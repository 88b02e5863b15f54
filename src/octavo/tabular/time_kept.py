"""How much of a time limit is kept for what follows the search: ending, a second level, last fits.

Where trials are long, it is kept from the beginning. Where they are quick, the search goes on
until the ensemble that there is needs what is left: kept from the beginning, it would often be
kept in vain.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from octavo.callbacks import Completed, Event
from octavo.ensemble.selection import Selection
from octavo.errors import OutOfTimeError
from octavo.tabular.cash import family_of
from octavo.tabular.collect import Collector
from octavo.tabular.costs import TrialCosts
from octavo.tabular.last_fits import SAFETY, expected_s, objection as not_refitted
from octavo.tabular.prepare import Prepared
from octavo.tabular.settings import SearchSettings
from octavo.tabular.stacking import affordable_inputs, objection as not_stacked

__all__ = ["RoomToFit", "keep_time", "last_fits_s", "reserve_s"]

STACKING_SHARE, REFITTING_SHARE = 0.1, 0.15  # of a time limit, at most
STACKING_LEAST, STACKING_MOST = 4.0, 10.0  # of a usual trial's time
USUAL = 10  # of the opening, whose middle one is a usual trial
MEMBERS = 4  # of a usual ensemble, that take long to fit
NEARLY_ALL = 0.8
"""Of the rows: fitting a pipeline of a hold-out on the rest too gains little, and no speed."""
QUICK = 0.03
"""Of a time limit: trials that take less are quick."""


def keep_time(
    prepared: Prepared,
    settings: SearchSettings,
    costs: TrialCosts,
    collector: Collector,
    *,
    limit_s: float,
    began: float,
    n_threads: int,
    trial_threads: int,
) -> tuple[float, Sequence[RoomToFit]]:
    """Seconds kept from the beginning, and callbacks that keep more once it is needed.

    Parameters
    ----------
    prepared, settings, costs, collector
        Of the search.
    limit_s, began
        Its time limit, and `time.monotonic()` from which it counts.
    n_threads, trial_threads
        Of each fit after the search, and during it.
    """
    kept_s = reserve_s(limit_s)
    stack_s = 0.0
    if not_stacked(prepared, settings) is None:
        stack_s = stacking_s(limit_s, costs, prepared)
    if not _are_quick(limit_s, costs, prepared):
        return kept_s + stack_s + refitting_s(limit_s, costs, prepared, settings), ()
    room = RoomToFit(
        prepared,
        settings,
        collector,
        n_threads=n_threads,
        trial_threads=trial_threads,
        ends=began + limit_s - kept_s,
        margin_s=QUICK * limit_s,
        stack_s=stack_s,
    )
    return kept_s, (room,)


def reserve_s(limit_s: float) -> float:
    """Seconds of a time limit kept for ending trials, the last selection, and saving."""
    return min(0.5 + 0.03 * limit_s, 0.2 * limit_s, 10.0)


def stacking_s(limit_s: float, costs: TrialCosts, prepared: Prepared) -> float:
    """Seconds of a time limit kept for a second level; none where they would not suffice."""
    one = float(np.median([costs.guess(config) for config in prepared.first[:USUAL]]))
    share = STACKING_SHARE * limit_s
    # A member is fitted again for each pair of folds, in half of the time at most.
    return 0.0 if STACKING_LEAST * one > share else min(STACKING_MOST * one, share)


def refitting_s(
    limit_s: float, costs: TrialCosts, prepared: Prepared, settings: SearchSettings
) -> float:
    """Seconds of a time limit kept for fitting members on all rows."""
    if not_refitted(prepared, settings) is not None or _is_nearly_all(prepared):
        return 0.0
    # Those of the opening that take longest are often those of which the ensemble is made.
    guesses = sorted((costs.guess(config) for config in prepared.first), reverse=True)
    startup_s = max(family_of(c, prepared.families).startup_s for c in prepared.first)
    fits_s = sum(guesses[:MEMBERS]) * _rows_share(prepared)
    return min(SAFETY * fits_s + startup_s, REFITTING_SHARE * limit_s)


def _are_quick(limit_s: float, costs: TrialCosts, prepared: Prepared) -> bool:
    """Whether trials end so often that there is always one soon at whose end to stop."""
    usual_s = float(np.median([costs.guess(config) for config in prepared.first]))
    return usual_s < QUICK * limit_s


def last_fits_s(
    prepared: Prepared,
    settings: SearchSettings,
    collector: Collector,
    *,
    n_threads: int,
    trial_threads: int,
) -> float:
    """Seconds that fitting the present ensemble's members on all rows will take."""
    selection = collector.selection
    if selection is None or not_refitted(prepared, settings) is not None:
        return 0.0
    candidates = collector.candidates
    trials = [candidates[at].trial for at in selection.indices]
    families = [family_of(one.config, prepared.families) for one in trials]
    startups = {family.name: family.startup_s for family in families}
    fits = [expected_s(prepared, one, n_threads, trial_threads) for one in trials]
    return SAFETY * sum(fits) + sum(startups.values())


class RoomToFit:
    """A callback that ends a search of quick trials when its time is needed for what follows.

    Time for a second level and for fits on all rows that was kept from the beginning would often
    be kept in vain: what they take depends on the ensemble, which is known only in the end.

    Parameters
    ----------
    prepared, settings
        Of the search.
    collector
        With the present ensemble.
    n_threads, trial_threads
        Of each fit on all rows, and of those of the search.
    ends
        `time.monotonic()` when all must be done.
    margin_s
        What trials that still run may take.
    stack_s
        What a second level may take, if members of the ensemble can be fitted again in it.
    """

    def __init__(
        self,
        prepared: Prepared,
        settings: SearchSettings,
        collector: Collector,
        *,
        n_threads: int,
        trial_threads: int,
        ends: float,
        margin_s: float,
        stack_s: float,
    ) -> None:
        self._prepared = prepared
        self._settings = settings
        self._collector = collector
        self._threads = {"n_threads": n_threads, "trial_threads": trial_threads}
        self._ends = ends
        self._margin_s = margin_s
        self._stack_s = stack_s

    def __call__(self, event: Event) -> str | None:
        """A sentence once there is just enough time left."""
        selection = self._collector.selection
        if not isinstance(event, Completed) or selection is None:
            return None
        needed_s = self._needed_s(selection)
        if not needed_s or self._ends - time.monotonic() - self._margin_s > needed_s:
            return None
        return "the time that is left is needed for the last fits of the ensemble"

    def _needed_s(self, selection: Selection) -> float:
        needed_s = last_fits_s(self._prepared, self._settings, self._collector, **self._threads)
        if self._stack_s:
            try:
                candidates = self._collector.candidates
                affordable_inputs(self._prepared, candidates, selection, self._stack_s)
                needed_s += self._stack_s
            except OutOfTimeError:
                pass
        return needed_s


def _is_nearly_all(prepared: Prepared) -> bool:
    """Whether each trial fits a single pipeline on nearly all rows already."""
    folds = prepared.resampling.folds
    return len(folds) == 1 and len(folds[0][0]) >= NEARLY_ALL * len(prepared.table)


def _rows_share(prepared: Prepared) -> float:
    """Rows of the table for each row that a trial was fitted on."""
    fitted = sum(len(train) for train, _ in prepared.resampling.folds)
    return len(prepared.table) / max(fitted, 1)
