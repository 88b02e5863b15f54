"""Fitting known configurations on a whole table: no search, no validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from octavo.tabular.checks import check_lengths, check_weights
from octavo.tabular.model import Member, TabularModel, versions
from octavo.tabular.pipeline import Pipeline, make_pipeline
from octavo.tabular.prepare import prepare
from octavo.tabular.settings import SearchSettings
from octavo.tabular.stacked import Scores, StackedPipeline
from octavo.trial import Trial

if TYPE_CHECKING:
    from octavo.tabular.search import SearchResult

__all__ = ["fit_one", "refit_model"]


def refit_model(
    result: SearchResult,
    model: TabularModel,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    n_threads: int = 1,
) -> TabularModel:
    """Fit each pipeline of an ensemble once on all rows of a table.

    Weights, calibration and decision rule stay as they were found by validation, and so does what
    stands on the predictions of others: it learned from out-of-fold predictions, which pipelines
    of all rows cannot give. What comes out is smaller and quicker (one pipeline per member instead
    of one per fold).

    Parameters
    ----------
    result
        The search that found the configurations.
    model
        Its ensemble.
    X, y, sample_weight
        The table; its columns are those of the search.
    n_threads
        Of each fit.
    """
    table = model.schema.apply(X, who="refit")
    check_lengths(len(table), y=y)
    weights = check_weights(sample_weight, len(table))
    codes = model.target.encode(y)
    trials = {trial.index: trial for trial in result.history}
    first_like: dict[Any, int] = {}
    for trial in result.history:
        first_like.setdefault(_identity(trial), trial.index)
    shape = replace(result.prepared.shape, n_rows=len(table))

    @cache
    def fitted(number: int) -> Pipeline:
        trial = trials[number]
        twin = first_like[_identity(trial)]
        if twin != number:
            return fitted(twin)
        pipeline = make_pipeline(
            trial.config,
            model.schema,
            shape,
            seed=trial.proposal.seed,
            families=result.prepared.families,
        )
        return pipeline.fit(table, codes, sample_weight=weights, deadline=None, n_threads=n_threads)

    members = tuple(
        replace(member, pipelines=_refitted(member, fitted)) for member in model.members
    )
    if "sampling" in model.info:
        members = _merged(members)
    return replace(model, members=members, info={**model.info, "refitted_on": len(table)})


def _refitted(member: Member, fitted: Callable[[int], Pipeline]) -> tuple[Scores, ...]:
    """The pipelines of a member, in which those of trials are fitted anew."""
    stacked = [one for one in member.pipelines if isinstance(one, StackedPipeline)]
    if stacked:
        return tuple(one.on([fitted(number) for number in one.trials]) for one in stacked)
    assert member.trial is not None  # it comes from the search
    return (fitted(member.trial),)


def _identity(trial: Trial) -> tuple[int, frozenset[tuple[str, Any]]]:
    """The same for the trials of one configuration on samples of several sizes."""
    return trial.proposal.seed, frozenset(trial.config.items())


def _merged(members: Sequence[Member]) -> tuple[Member, ...]:
    """Members that were the same pipeline on samples of several sizes are one on all rows."""
    merged: dict[int, Member] = {}
    for member in members:
        pipeline = member.pipelines[0]
        earlier = merged.get(id(pipeline))
        weight = member.weight + (0.0 if earlier is None else earlier.weight)
        merged[id(pipeline)] = replace(earlier or member, name=pipeline.describe(), weight=weight)
    return tuple(merged.values())


def fit_one(
    configuration: Mapping[str, Any] | None, X: Any, y: Any, settings: SearchSettings
) -> TabularModel:
    """Fit one configuration on all rows of a table; see `TabularClassificationTask`."""
    seed = settings.seed or 0
    prepared = prepare(X, y, settings, seed=seed, n_jobs=1, who="fit_pipeline")
    config = prepared.space.check(prepared.first[0] if configuration is None else configuration)
    shape = replace(prepared.shape, n_rows=len(prepared.table))
    pipeline = make_pipeline(config, prepared.schema, shape, seed=seed, families=prepared.families)
    pipeline.fit(
        prepared.table,
        prepared.y,
        sample_weight=prepared.weights,
        deadline=None,
        n_threads=settings.n_threads or 1,
    )
    return TabularModel(
        schema=prepared.schema,
        target=prepared.target,
        members=(Member(pipeline.describe(), None, 1.0, (pipeline,)),),
        metric=prepared.metric.name,
        info={"n_rows": len(prepared.table), "versions": versions()},
    )
