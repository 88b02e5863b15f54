"""One level of stacking: models that see what the ensemble's members predict, if that is better.

Wolpert (1992), Stacked Generalization, Neural Networks 5, 241-259; van der Laan, Polley & Hubbard
(2007), Super Learner, Stat. Appl. Genet. Mol. Biol. 6; Erickson et al. (2020), AutoGluon-Tabular
(skip connections: the second level sees the table's own columns too).

A model of the second level is fitted on the folds of the first: that of fold k on the rows outside
of k, with the members' predictions as columns, and it predicts the rows of k. The usual columns,
out-of-fold predictions, come from models that were fitted on k, whose targets shine through: on a
table where a line says all (800 rows, y = x1 + 2 x2 + 3 x3 + noise), a line over columns and
predictions scored 1 to 2 % better out of fold, two to three standard errors, and no better on new
rows. So the members are fitted again for each pair of folds without both, which predict the rows
of one for the second level of the other: no model of fold k has seen a target of k in any way, and
the score is as honest as that of any pipeline. A second level is admitted where the ensemble with
it is better by more than two standard errors of the difference, as it is the best of several.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.intervals import score_gain
from octavo.ensemble.selection import Selection
from octavo.errors import OutOfTimeError, SettingError
from octavo.tabular.artefact import row_seconds
from octavo.tabular.collect import Candidate, Collector, SecondLevel
from octavo.tabular.models.family import Shape
from octavo.tabular.monotone import directions_of
from octavo.tabular.pipeline import Pipeline, first_configurations, make_pipeline, predicted_seconds
from octavo.tabular.prepare import Prepared
from octavo.tabular.schema import Feature, Schema
from octavo.tabular.settings import SearchSettings
from octavo.tabular.stacked import level_one_names, with_level_one
from octavo.trial import Origin, Proposal, Resources, Status, Trial

__all__ = ["EARLIER", "Stacked", "check_stackable", "objection", "second_level"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

LEAST_ROWS = 750
"""On fewer rows, out-of-fold predictions are too noisy to learn from."""
MOST_FOLDS = 10
"""With more, there are too many pairs of them."""
MOST_INPUTS = 4
MOST_COLUMNS = 100
"""So many members, heaviest first, are stood upon; and of many classes fewer."""
MOST_AGAIN = 2
"""So many families are fitted again, with the members' predictions beside the table."""
MARGIN = 2.0
"""Standard errors by which an ensemble with a second level must be better."""
SAFETY = 1.3
"""A model that is left out wrongly costs less than one that cannot finish."""


@dataclass(frozen=True)
class Stacked:
    """What came of the second level.

    Parameters
    ----------
    told
        A sentence for people.
    is_used
        Whether the ensemble stands on it.
    trials
        What was fitted, with scores, whether it is used or not.
    without, with_
        Score of the ensemble without and with it; NaN if there is none.
    standard_error
        Of their difference.
    """

    told: str
    is_used: bool = False
    trials: tuple[Trial, ...] = ()
    without: float = math.nan
    with_: float = math.nan
    standard_error: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """What is kept with the model."""
        known = {
            "without": self.without,
            "with": self.with_,
            "standard_error": self.standard_error,
        }
        return {
            "told": self.told,
            "is_used": self.is_used,
            **{name: value for name, value in known.items() if math.isfinite(value)},
        }


EARLIER = Stacked("No stacking: an earlier version made this run.")


def objection(prepared: Prepared, settings: SearchSettings) -> str | None:
    """Why there is no second level for a question; None if there may be one.

    Parameters
    ----------
    prepared, settings
        Of the search.
    """
    if not settings.stacks:
        return "stacking is off"
    if settings.ensemble_size == 1:
        return "the best pipeline alone was asked for"
    if prepared.rows is not None:
        return "models are fitted on samples of the rows, so there is no time to fit them again"
    n_rows = len(prepared.table)
    if n_rows < LEAST_ROWS and settings.stack == "auto":
        return f"{n_rows} rows are fewer than the {LEAST_ROWS} from which on it is tried"
    return _impossible(prepared)


def check_stackable(prepared: Prepared, settings: SearchSettings) -> None:
    """Refuse to stack where it was asked for and cannot be done.

    Raises
    ------
    SettingError
        With what to do about it.
    """
    missing = _impossible(prepared)
    if settings.stacks and settings.stack != "auto" and missing is not None:
        raise SettingError(
            f"stack={settings.stack!r}, but {missing}. Use cross-validation (resampling='cv', or "
            "more time where a short limit led to a hold-out) without monotone, or stack='auto'."
        )


def _impossible(prepared: Prepared) -> str | None:
    """Why a second level could not keep a promise, or learn; None if it may be."""
    if directions_of(prepared.schema):
        return "a second level would not keep the directions that monotone promises"
    valid = [rows for _, rows in prepared.resampling.folds]
    if len(valid) < 2:
        return "a hold-out gives no out-of-fold predictions of training rows"
    if sum(map(len, valid)) > len(prepared.resampling.validated):
        return "some rows are validated several times"
    if prepared.resampling.kind == "time":
        return "the first rows in time are never validated"
    if len(valid) > MOST_FOLDS:
        return f"{len(valid)} folds have too many pairs, for each of which members are fitted again"
    return None


def second_level(
    prepared: Prepared,
    collector: Collector,
    settings: SearchSettings,
    *,
    n_trials: int,
    seed: int,
    n_threads: int,
    left_s: float | None,
) -> Stacked:
    """Fit a second level, and admit it to the collector's ensemble if it is better.

    Parameters
    ----------
    prepared, settings
        Of the search.
    collector
        With an ensemble of the first level.
    n_trials
        Of the history; what is fitted here is numbered from there on.
    seed
        Of the models and the bootstrap.
    n_threads
        Of each fit.
    left_s
        Seconds for all of it; None without a limit.
    """
    ends = math.inf if left_s is None else time.monotonic() + left_s
    first = collector.selection
    assert first is not None
    why = objection(prepared, settings)
    if why is not None:
        return Stacked(f"No stacking: {why}.")
    found: list[Candidate] = []
    try:
        inputs = affordable_inputs(prepared, collector.candidates, first, left_s)
        level = _Level.of(prepared, collector.candidates, inputs, n_threads, ends)
        for candidate in level.fitted(n_trials, seed, n_threads, ends):
            found.append(candidate)
        if not found:
            return Stacked("No stacking: there was no time for a model of the second level.")
        return _judged(prepared, collector, settings, first, found, n_trials, seed, ends)
    except OutOfTimeError as error:
        return Stacked(f"No stacking: {error}")
    except KeyboardInterrupt:  # what is there without it is the best so far
        trials = tuple(candidate.trial for candidate in found)
        return Stacked("No stacking: it was interrupted.", trials=trials)
    except Exception as error:  # as a crashed trial, it costs nothing but itself
        logger.warning("Stacking failed, so the model is without: %r", error)
        return Stacked(f"No stacking: it failed with {type(error).__name__}: {error}")


def _judged(
    prepared: Prepared,
    collector: Collector,
    settings: SearchSettings,
    first: Selection,
    found: Sequence[Candidate],
    n_trials: int,
    seed: int,
    ends: float,
) -> Stacked:
    """Compare the ensembles with and without the second level."""
    own = collector.candidates
    both = [*own, *found]
    left_s = None if ends == math.inf else max(ends - time.monotonic(), 0.05)
    second = collector.selected(both, time_limit_s=None if left_s is None else left_s / 2)
    rows = prepared.resampling.validated
    gained = score_gain(
        prepared.metric,
        prepared.y[rows],
        first.combine([one.oof for one in own]),
        second.combine([one.oof for one in both]),
        sample_weight=None if prepared.weights is None else prepared.weights[rows],
        classes=prepared.target.labels if prepared.target.is_classification else None,
        time_limit_s=None if left_s is None else left_s / 2,
        seed=seed,
    )
    gain, error = gained if gained is not None else (math.nan, math.nan)
    is_taken = any(at >= len(own) for at in second.indices)
    margin = MARGIN if settings.stack == "auto" else 0.0
    is_used = is_taken and gain > margin * error
    if is_used:
        seen = _with_test(prepared, collector, found, second.indices, len(own), ends)
        collector.admit(seen, second, n_trials)
    name = prepared.metric.name
    told = (
        f"Stacking: {name} {second.score:.5g} out of fold with models on the members' "
        f"predictions, {first.score:.5g} without them (standard error of the difference "
        f"{error:.2g}): {'they are used' if is_used else 'not enough better to be used'}."
    )
    return Stacked(
        told, is_used, tuple(one.trial for one in found), first.score, second.score, error
    )


def _with_test(
    prepared: Prepared,
    collector: Collector,
    found: Sequence[Candidate],
    members: Sequence[int],
    n_own: int,
    ends: float,
) -> list[Candidate]:
    """The candidates, the members among them with predictions for the test table if time allows."""
    table = prepared.test_table
    if table is None:
        return list(found)
    inputs = {number: collector.pipelines(number) for number in _inputs_of(found)}
    seen = list(found)
    for at in members:
        if at < n_own:
            continue
        one = found[at - n_own]
        assert one.second is not None
        expected = row_seconds(one.trial, prepared.resampling) * len(table)
        if SAFETY * expected < ends - time.monotonic():
            scores = [pipeline.predict_scores(table) for pipeline in one.second.on(inputs)]
            seen[at - n_own] = replace(one, test=np.mean(scores, axis=0))
    return seen


def _inputs_of(found: Sequence[Candidate]) -> set[int]:
    return {number for one in found if one.second is not None for number in one.second.trials}


# What the second level learns from ---------------------------------------------------------


def affordable_inputs(
    prepared: Prepared, candidates: Sequence[Candidate], first: Selection, left_s: float | None
) -> list[Candidate]:
    """The heaviest members that can be fitted again in half of the time.

    Raises
    ------
    OutOfTimeError
        If there are none.
    """
    n_classes = len(prepared.target.classes or ())
    most = max(2, min(MOST_INPUTS, MOST_COLUMNS // max(n_classes, 1)))
    again = _pairs_share(prepared)
    found: list[Candidate] = []
    expected = 0.0
    for at in first.indices[:most]:
        expected += SAFETY * again * _seconds_of(candidates[at].trial)
        if left_s is not None and expected > left_s / 2:
            break
        found.append(candidates[at])
    if not found:
        name = candidates[first.indices[0]].trial.extra["name"]
        raise OutOfTimeError(
            f"fitting {name} again for each pair of folds would take about {expected:.1f} s, and "
            f"there is {max(left_s or 0, 0) / 2:.1f} s for it. Give more time, or stack=False."
        )
    return found


def _pairs_share(prepared: Prepared) -> float:
    """Rows to fit on in all pairs of folds, for each row that a trial was fitted on."""
    folds = prepared.resampling.folds
    n = len(folds)
    rows = sum(len(train) for train, _ in folds)
    without = sum(len(valid) for _, valid in folds)
    return max((n - 1) / 2 * (rows - without) / max(rows, 1), 0.1)


def _seconds_of(trial: Trial) -> float:
    return float(trial.extra["fit_s"]) + float(trial.extra["predict_s"])


def _honest(
    prepared: Prepared, candidate: Candidate, n_threads: int, ends: float
) -> NDArray[np.float32]:
    """A member's predictions for the second level of each fold, shape (folds, rows[, K]).

    Those for the rows of the fold are its out-of-fold predictions; those for the rows of another
    fold are of a pipeline that was fitted without both.
    """
    folds, place = prepared.resampling.folds, _places(prepared)
    given = np.repeat(candidate.oof[np.newaxis], len(folds), axis=0)
    pairs = list(combinations(range(len(folds)), 2))
    for done, (j, k) in enumerate(pairs):
        rows = np.intersect1d(folds[j][0], folds[k][0])
        pipeline = make_pipeline(
            candidate.trial.config,
            prepared.schema,
            prepared.shape,
            seed=candidate.trial.proposal.seed,
            families=prepared.families,
        )
        _fit(
            pipeline, prepared, prepared.table.iloc[rows], rows, n_threads, ends, len(pairs) - done
        )
        for fold, other in ((j, k), (k, j)):
            valid = folds[other][1]
            found = pipeline.predict_scores(prepared.table.iloc[valid])
            given[fold, place[valid]] = found
    return given


def _fit(
    pipeline: Pipeline,
    prepared: Prepared,
    table: pd.DataFrame,
    rows: Rows,
    n_threads: int,
    ends: float,
    n_left: int,
) -> None:
    """Fit a pipeline in its share of the time that is left for so many."""
    now = time.monotonic()
    pipeline.fit(
        table,
        prepared.y[rows],
        sample_weight=None if prepared.weights is None else prepared.weights[rows],
        deadline=None if ends == math.inf else now + (ends - now) / n_left,
        n_threads=n_threads,
    )


def _places(prepared: Prepared) -> Rows:
    """Of each row of the table its place among the validated ones, or -1."""
    rows = prepared.resampling.validated
    place = np.full(len(prepared.y), -1)
    place[rows] = np.arange(len(rows))
    return place


# Fitting -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recipe:
    """What is fitted on the second level."""

    config: Mapping[str, Any]
    seed: int
    schema: Schema
    shape: Shape
    sees_table: bool
    expected_s: float


@dataclass(frozen=True)
class _Level:
    """What models of the second level are fitted on."""

    prepared: Prepared
    candidates: Sequence[Candidate]
    inputs: tuple[Candidate, ...]
    below: Sequence[NDArray[np.float32]]  # of each input, shape (folds, validated rows[, K])
    columns: tuple[str, ...]

    @staticmethod
    def of(
        prepared: Prepared,
        candidates: Sequence[Candidate],
        inputs: Sequence[Candidate],
        n_threads: int,
        ends: float,
    ) -> _Level:
        """Fit the inputs again; one that fails is left out.

        Raises
        ------
        OutOfTimeError
            If time is over, or none is left.
        """
        fitted: list[tuple[Candidate, NDArray[np.float32]]] = []
        for one in inputs:
            try:
                fitted.append((one, _honest(prepared, one, n_threads, ends)))
            except OutOfTimeError:
                raise
            except Exception as error:
                logger.info("%s could not be fitted again: %s", one.trial.extra["name"], error)
        if not fitted:
            raise OutOfTimeError("no member of the ensemble could be fitted again for it.")
        inputs, below = (tuple(part) for part in zip(*fitted, strict=True))
        numbers = [one.trial.index for one in inputs]
        n_classes = len(prepared.target.classes or ())
        names = level_one_names(numbers, n_classes, prepared.schema.names)
        return _Level(prepared, candidates, inputs, below, tuple(names))

    @property
    def trials(self) -> tuple[int, ...]:
        return tuple(one.trial.index for one in self.inputs)

    def fitted(self, number: int, seed: int, n_threads: int, ends: float) -> Iterator[Candidate]:
        """What can be fitted in time, numbered from `number` on."""
        for recipe in self._recipes(seed, n_threads):
            if recipe.expected_s > ends - time.monotonic():
                continue
            try:
                candidate = self._candidate(recipe, number, n_threads, ends)
            except Exception as error:  # as a crashed trial, it costs nothing but itself
                logger.info("On the second level, %s: %s", recipe.config["model"], error)
                continue
            yield candidate
            number += 1

    def _recipes(self, seed: int, n_threads: int) -> Iterator[_Recipe]:
        """A linear model of the predictions alone; the best families again, with the table."""
        schema, shape = self.prepared.schema, self.prepared.shape
        given = tuple(
            Feature(name, "number", 0, shape.n_rows, note="predicted by the first level")
            for name in self.columns
        )
        alone = replace(schema, features=given)
        small = replace(shape, n_features=len(given), n_onehot=0, n_texts=0, has_categories=False)
        n_folds = len(self.prepared.resampling.folds)
        linear = first_configurations(alone, small, include=["linear"])[0]
        expected = predicted_seconds(linear, small, n_threads=n_threads) * n_folds
        yield _Recipe(linear, seed % 2**31, alone, small, False, SAFETY * expected)
        wide = replace(schema, features=(*schema.features, *given))
        large = replace(shape, n_features=shape.n_features + len(given))
        grown = large.n_features / shape.n_features
        for trial in self._best_of_families()[:MOST_AGAIN]:
            config = dict(trial.config)
            generated = f"{config['model']}.prep.generated"
            if generated in config:
                config[generated] = False  # products of predictions are no new columns
            yield _Recipe(
                config, trial.proposal.seed, wide, large, True, SAFETY * _seconds_of(trial) * grown
            )

    def _best_of_families(self) -> list[Trial]:
        found: dict[str, Trial] = {}
        for one in self.candidates:
            if one.second is None:
                found.setdefault(str(one.trial.config["model"]), one.trial)
        return list(found.values())

    def _candidate(self, recipe: _Recipe, number: int, n_threads: int, ends: float) -> Candidate:
        """Fit one recipe on each fold."""
        prepared = self.prepared
        rows = prepared.resampling.validated
        place = _places(prepared)
        folds = prepared.resampling.folds
        oof = np.full((len(rows), *self.inputs[0].oof.shape[1:]), np.nan)
        tops: list[Pipeline] = []
        began, predict_s = time.monotonic(), 0.0
        for fold, (train, valid) in enumerate(folds):
            known = train[place[train] >= 0]  # a class with a single row is never validated
            top = make_pipeline(
                recipe.config,
                recipe.schema,
                recipe.shape,
                seed=recipe.seed,
                families=prepared.families,
            )
            seen = self._seen(recipe, fold, known, place)
            _fit(top, prepared, seen, known, n_threads, ends, len(folds) - fold)
            asked = time.monotonic()
            oof[place[valid]] = top.predict_scores(self._seen(recipe, fold, valid, place))
            predict_s += time.monotonic() - asked
            tops.append(top)
        fit_s = time.monotonic() - began - predict_s
        second = SecondLevel(tuple(tops), self.trials, self.columns, recipe.sees_table)
        trial = self._trial(recipe, number, second, oof, fit_s=fit_s, predict_s=predict_s)
        return Candidate(trial, oof.astype(np.float32), second)

    def _seen(self, recipe: _Recipe, fold: int, rows: Rows, place: Rows) -> pd.DataFrame:
        given = [one[fold, place[rows]] for one in self.below]
        table = self.prepared.table.iloc[rows]
        return with_level_one(table, given, self.columns, sees_table=recipe.sees_table)

    def _trial(
        self,
        recipe: _Recipe,
        number: int,
        second: SecondLevel,
        oof: Floats,
        *,
        fit_s: float,
        predict_s: float,
    ) -> Trial:
        """What was found, in the form of all trials; what it stands on counts as its own."""
        metric, prepared = self.prepared.metric, self.prepared
        rows = prepared.resampling.validated
        score = metric.score(
            prepared.y[rows],
            oof,
            sample_weight=None if prepared.weights is None else prepared.weights[rows],
            classes=prepared.target.labels if prepared.target.is_classification else None,
        )
        below = [one.trial for one in self.inputs]
        extras = [trial.extra for trial in below]
        memory = [trial.resources.memory_mb for trial in below]
        known = [mb for mb in memory if mb is not None]
        return Trial(
            Proposal(
                number,
                recipe.config,
                recipe.seed,
                origin=Origin("stacking", "on the ensemble's members", self.trials),
            ),
            Status.SUCCESS,
            (float(metric.to_cost(score)),),
            resources=Resources(wall_s=fit_s + predict_s, memory_mb=max(known, default=None)),
            extra={
                "name": f"{second.tops[0].describe()}, on the predictions of {len(below)} models",
                "fit_s": fit_s + sum(float(extra["fit_s"]) for extra in extras),
                "predict_s": predict_s + sum(float(extra["predict_s"]) for extra in extras),
                "size_bytes": len(cloudpickle.dumps(second.tops))
                + sum(int(extra["size_bytes"]) for extra in extras),
            },
        )
