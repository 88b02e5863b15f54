"""The final ensemble made lighter: fewer members, and one pipeline of each instead of one per fold.

Cross-validation leaves a pipeline per fold. Kept, they predict together (bagging); but one that is
fitted once on all rows has seen a quarter more of them (of five folds), is a fifth of the size and
five times as quick. Alone, such a pipeline is 2 to 5 % worse than the mean over folds (boosting,
networks and support vector machines; CatBoost and tabular networks are not). In ensembles nothing
of that is left: on 23 tables of 130 to 15,000 rows the loss on new rows was lower on 10, and 0.1 %
higher in the median.

What vouches for the model (score, calibration, intervals, importance of columns) stands on the
pipelines of the folds, as no row is unseen by one that was fitted on all.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.callbacks import Completed, Event
from octavo.ensemble.intervals import plain_baseline
from octavo.ensemble.selection import Selection
from octavo.ensemble.thrift import thrifty
from octavo.errors import OutOfTimeError
from octavo.tabular.artefact import member_needs
from octavo.tabular.cash import family_of
from octavo.tabular.collect import Candidate, Collector
from octavo.tabular.costs import TrialCosts
from octavo.tabular.model import Member, TabularModel
from octavo.tabular.pipeline import Pipeline, make_pipeline, predicted_seconds
from octavo.tabular.prepare import Prepared
from octavo.tabular.settings import SearchSettings
from octavo.tabular.stacked import StackedPipeline
from octavo.tabular.stacking import affordable_inputs
from octavo.trial import Trial

__all__ = [
    "NOT_LIGHTER",
    "QUICK",
    "Lighter",
    "RoomToFit",
    "are_quick",
    "fewer_members",
    "fitted_once",
    "refitting_s",
]

logger = logging.getLogger(__name__)

SHARE = 0.15  # of a time limit, at most
USUAL_MEMBERS = 4
SAFETY = 1.3
"""A member that is left as it is costs less than one whose new fit cannot finish."""
QUICK = 0.03
"""Of a time limit: trials that take less are quick."""
CUT = 0.9
"""A fit that took more of its time than this may have been stopped by its deadline."""
CHECKED_ROWS = 2000


@dataclass(frozen=True)
class Lighter:
    """What came of fitting the members on all rows.

    Parameters
    ----------
    told
        A sentence for people.
    trials
        Of the members that now have a single pipeline.
    """

    told: str
    trials: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is kept with the model."""
        return {"told": self.told, "trials": list(self.trials)}


NOT_LIGHTER = Lighter("Models were not fitted anew on all rows: an earlier version made this run.")


def fewer_members(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    selection: Selection,
    settings: SearchSettings,
    *,
    time_limit_s: float | None,
) -> Selection:
    """The selection without members that cost much and help little.

    Parameters
    ----------
    prepared, candidates, selection, settings
        Of the search.
    time_limit_s
        Nothing is left out after so many seconds.
    """
    if settings.ensemble_thrift == 0:
        return selection
    members = list(selection.indices)
    needs = member_needs([candidates[at].trial for at in members], prepared.resampling)
    prices = np.full(len(candidates), np.inf)
    prices[members] = _shares(needs["inference_time"]) + _shares(needs["model_size"])
    rows = prepared.resampling.validated
    return thrifty(
        selection,
        [candidate.oof for candidate in candidates],
        prepared.y[rows],
        prepared.metric,
        prices=prices,
        given_up=settings.ensemble_thrift,
        size=settings.ensemble_size,
        sample_weight=None if prepared.weights is None else prepared.weights[rows],
        classes=prepared.target.labels if prepared.target.is_classification else None,
        time_limit_s=time_limit_s,
    )


def _shares(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each in what all known ones need; infinite where unknown."""
    known = amounts[np.isfinite(amounts)].sum()
    return amounts / known if known > 0 else amounts


# Fitting once on all rows ------------------------------------------------------------------


def objection(prepared: Prepared, settings: SearchSettings) -> str | None:
    """Why members are not fitted on all rows; None if they are, as far as there is time."""
    if not settings.refit_full:
        return "refit_full is off"
    if prepared.rows is not None:
        return "there was no time for all rows during the search"
    return None


def refitting_s(
    limit_s: float, costs: TrialCosts, prepared: Prepared, settings: SearchSettings
) -> float:
    """Seconds of a time limit kept for it."""
    if objection(prepared, settings) is not None:
        return 0.0
    # Those of the opening that take longest are often those of which the ensemble is made.
    guesses = sorted((costs.guess(config) for config in prepared.first), reverse=True)
    startup_s = max(family_of(c, prepared.families).startup_s for c in prepared.first)
    fits_s = sum(guesses[:USUAL_MEMBERS]) * _once_share(prepared)
    return min(SAFETY * fits_s + startup_s, SHARE * limit_s)


def are_quick(limit_s: float, costs: TrialCosts, prepared: Prepared) -> bool:
    """Whether trials end so often that there is always one soon at whose end to stop."""
    usual_s = float(np.median([costs.guess(config) for config in prepared.first]))
    return usual_s < QUICK * limit_s


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
        self._collector = collector
        self._threads = n_threads, trial_threads
        self._ends = ends
        self._margin_s = margin_s
        self._stack_s = stack_s
        self._refits = objection(prepared, settings) is None

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
        candidates = self._collector.candidates
        needed_s = 0.0
        if self._refits:
            trials = [candidates[at].trial for at in selection.indices]
            families = [family_of(one.config, self._prepared.families) for one in trials]
            startups = {family.name: family.startup_s for family in families}
            fits = [_expected_s(self._prepared, one, *self._threads) for one in trials]
            needed_s += SAFETY * sum(fits) + sum(startups.values())
        if self._stack_s:
            try:
                affordable_inputs(self._prepared, candidates, selection, self._stack_s)
                needed_s += self._stack_s
            except OutOfTimeError:
                pass
        return needed_s


def fitted_once(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    model: TabularModel,
    settings: SearchSettings,
    *,
    n_threads: int,
    trial_threads: int,
    left_s: float | None,
) -> tuple[TabularModel, Lighter]:
    """The model with members that were fitted once on all rows, as far as time allows.

    Members keep their pipelines of the folds if they stand on others or others on them (a second
    level learned from out-of-fold predictions), if there is no time, or if the new fit fails.

    Parameters
    ----------
    prepared, candidates, settings
        Of the search.
    model
        With a pipeline per fold of each member.
    n_threads
        Of each fit.
    trial_threads
        That each fit had during the search.
    left_s
        Seconds for all of it; None without a limit.
    """
    why = objection(prepared, settings)
    if why is not None:
        return model, Lighter(f"Models were not fitted anew on all rows: {why}.")
    ends = math.inf if left_s is None else time.monotonic() + left_s
    known = {candidate.trial.index: candidate for candidate in candidates}
    stood_upon = {
        trial
        for member in model.members
        for pipeline in member.pipelines
        if isinstance(pipeline, StackedPipeline)
        for trial in pipeline.trials
    }
    fresh: dict[int, Pipeline] = {}
    loaded: set[str] = set()
    try:
        for member in sorted(model.members, key=lambda one: -_worth(one, known)):
            if member.is_stacked or member.trial is None or member.trial in stood_upon:
                continue
            candidate = known[member.trial]
            family = family_of(candidate.trial.config, prepared.families)
            expected_s = _expected_s(prepared, candidate.trial, n_threads, trial_threads)
            if family.name not in loaded:  # only the search's own processes have its library
                expected_s += family.startup_s
            pipeline = _on_all_rows(prepared, candidate, n_threads, ends, expected_s)
            if pipeline is not None:
                fresh[member.trial] = pipeline
                loaded.add(family.name)
    except KeyboardInterrupt:  # those of the folds are as good
        logger.info("Fitting on all rows was interrupted.")
    return _with(model, fresh), Lighter(_told(len(fresh), len(model.members)), tuple(fresh))


def _with(model: TabularModel, fresh: Mapping[int, Pipeline]) -> TabularModel:
    """The model with these pipelines in place of those of the folds."""
    members = tuple(
        member
        if member.trial is None or member.trial not in fresh
        else replace(member, pipelines=(fresh[member.trial],))
        for member in model.members
    )
    return replace(model, members=members)


def _told(n_fresh: int, n_members: int) -> str:
    if n_fresh == n_members:
        return "Each member of the ensemble was fitted once more, on all rows."
    if not n_fresh:
        return "No member of the ensemble could be fitted once more on all rows in time."
    return (
        f"{n_fresh} of the {n_members} members of the ensemble were fitted once more, on all "
        "rows; the others are means over the folds."
    )


def _once_share(prepared: Prepared) -> float:
    """Rows of the table for each row that a trial was fitted on."""
    fitted = sum(len(train) for train, _ in prepared.resampling.folds)
    return len(prepared.table) / max(fitted, 1)


def _worth(member: Member, known: Mapping[int, Candidate]) -> float:
    """Seconds per prediction that are saved for each second of fitting."""
    if member.trial is None or member.trial not in known:
        return 0.0
    extra: Mapping[str, Any] = known[member.trial].trial.extra
    return float(extra["predict_s"]) / max(float(extra["fit_s"]), 1e-3)


def _expected_s(prepared: Prepared, trial: Trial, n_threads: int, trial_threads: int) -> float:
    """Seconds of a fit on all rows: what one of a fold took, as its cost model grows."""
    n_folds = len(prepared.resampling.folds)
    whole = replace(prepared.shape, n_rows=len(prepared.table))
    now, before = (
        predicted_seconds(trial.config, shape, n_threads=threads, families=prepared.families)
        for shape, threads in ((whole, n_threads), (prepared.shape, trial_threads))
    )
    return float(trial.extra["fit_s"]) / n_folds * now / max(before, 1e-6)


def _on_all_rows(
    prepared: Prepared, candidate: Candidate, n_threads: int, ends: float, expected_s: float
) -> Pipeline | None:
    """The candidate's pipeline fitted on all rows; None if time or the fit do not allow it."""
    trial = candidate.trial
    name = trial.extra["name"]
    left_s = ends - time.monotonic()
    if SAFETY * expected_s > left_s:
        logger.info("No time to fit %s once more on all rows.", name)
        return None
    began = time.monotonic()
    try:
        pipeline = make_pipeline(
            trial.config,
            prepared.schema,
            replace(prepared.shape, n_rows=len(prepared.table)),
            seed=trial.proposal.seed,
            families=prepared.families,
        )
        pipeline.fit(
            prepared.table,
            prepared.y,
            sample_weight=prepared.weights,
            deadline=None if ends == math.inf else ends,
            n_threads=n_threads,
        )
        if time.monotonic() - began > CUT * left_s:
            logger.info("%s was stopped by the time limit on all rows.", name)
            return None
        if _is_worse(prepared, candidate, pipeline):
            logger.info("%s is worse where it was fitted on all rows.", name)
            return None
    except Exception as error:  # as a crashed trial, it costs nothing but itself
        logger.info("%s could not be fitted on all rows: %r", name, error)
        return None
    return pipeline


def _is_worse(prepared: Prepared, candidate: Candidate, pipeline: Pipeline) -> bool:
    """Whether a fit went wrong: on rows that it has seen, it loses half of what its twins gained
    over a plain guess on rows that they had not seen.
    """
    rows = prepared.resampling.validated
    chosen = np.arange(len(rows))
    if len(rows) > CHECKED_ROWS:
        chosen = np.random.default_rng([candidate.trial.index, 61]).permutation(len(rows))
        chosen = np.sort(chosen[:CHECKED_ROWS])
    at = rows[chosen]
    metric, target = prepared.metric, prepared.target
    how: dict[str, Any] = {
        "sample_weight": None if prepared.weights is None else prepared.weights[at],
        "classes": target.labels if target.is_classification else None,
    }
    plain, _ = plain_baseline(
        metric, target.kind, prepared.y[at], n_classes=len(target.classes or ()) or None, **how
    )
    seen = pipeline.predict_scores(prepared.table.iloc[at])
    now = metric.to_cost(metric.score(prepared.y[at], seen, **how))
    before = metric.to_cost(metric.score(prepared.y[at], candidate.oof[chosen], **how))
    gain = metric.to_cost(plain) - before
    return bool(not np.isfinite(now) or now > before + 0.5 * max(gain, 0.0))
