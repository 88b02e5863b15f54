"""From whatever the user handed over to what the search works on: `Prepared`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.metrics import Metric, default_metric, get_metric
from octavo.ensemble.resampling import Resampling, plan
from octavo.errors import SettingError
from octavo.problem import Fidelity
from octavo.spaces import Space
from octavo.tabular.checks import check_fit_inputs, check_lengths
from octavo.tabular.models.family import Family, Shape
from octavo.tabular.monotone import with_directions
from octavo.tabular.pipeline import (
    cash_space,
    first_configurations,
    not_tried,
    predicted_seconds,
    shape_of,
)
from octavo.tabular.portfolio import SIMILAR_FIRST, opening, table_features
from octavo.tabular.schema import Schema, infer_schema
from octavo.tabular.sensitive import Sensitive, read_sensitive
from octavo.tabular.settings import SearchSettings
from octavo.tabular.target import Target, infer_target
from octavo.transfer import Portfolio

__all__ = ["Prepared", "prepare"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prepared:
    """A question about a table, ready to be searched.

    Parameters
    ----------
    schema, target
        What the columns and the target are.
    table
        The canonical training table.
    y : shape (n,)
        Codes or values.
    weights : shape (n,)
        Or None.
    metric
        What is optimized.
    resampling
        How pipelines are validated, and why so.
    shape
        The table within one fold.
    space, first
        The search space, and the configurations to begin with.
    families
        The user's own families by name.
    warnings
        Sentences that the user should read.
    not_tried
        Which families are absent because a package is, and what to install, or because they
        cannot keep a monotone constraint; in a sentence each.
    test_table, test_y
        Scored for the record only; None without.
    sensitive
        The groups of each sensitive column that the user named.
    rows
        From how few to how many training rows pipelines are fitted; None: always on all.
    """

    schema: Schema
    target: Target
    table: pd.DataFrame
    y: NDArray[Any]
    weights: Floats | None
    metric: Metric
    resampling: Resampling
    shape: Shape
    space: Space
    first: tuple[Mapping[str, Any], ...]
    families: Mapping[str, Family]
    warnings: tuple[str, ...]
    test_table: pd.DataFrame | None = None
    test_y: NDArray[Any] | None = None
    not_tried: tuple[str, ...] = ()
    sensitive: tuple[Sensitive, ...] = ()
    rows: Fidelity | None = None

    def without_tables(self) -> Prepared:
        """The same question without its rows: small enough to keep."""
        return replace(
            self,
            table=self.table.iloc[:0],
            y=self.y[:0],
            weights=None,
            test_table=None,
            test_y=None,
        )


def prepare(
    X: Any,
    y: Any,
    settings: SearchSettings,
    *,
    seed: int,
    n_jobs: int,
    sample_weight: Any = None,
    groups: Any = None,
    time: Any = None,
    X_test: Any = None,
    y_test: Any = None,
    who: str = "fit",
) -> Prepared:
    """Detect types, choose metric and validation, lay out the search space.

    Parameters
    ----------
    X, y
        The training table and its target.
    settings
        What the user set.
    seed, n_jobs
        Of the search.
    sample_weight, groups, time : shape (n,)
        Importance of the rows, what must not be split, and what comes later.
    X_test, y_test
        Scored for the record only.
    who
        Name of the caller for messages.

    Raises
    ------
    DataError, SettingError
        With what to do about it.
    """
    if X_test is None and y_test is not None:
        raise SettingError(
            f"y_test was given (of type {type(y_test).__name__}) without X_test, so no one would "
            "read it. Pass the rows that it belongs to, X_test, or leave it out."
        )
    given = check_fit_inputs(X, y, sample_weight=sample_weight, groups=groups, time=time, who=who)
    target = infer_target(given.y, settings.task)
    encoded = target.encode(given.y)
    if settings.sensitive_names and not target.is_classification:
        raise SettingError(
            f"sensitive={settings.sensitive!r} is for classes, but {target.name!r} is a number "
            "here: gaps between groups are measured on decisions. Leave it out."
        )
    sensitive = read_sensitive(given.X, settings.sensitive_names)
    kinds = settings.kinds
    if sensitive and not settings.sensitive_at_predict:
        kinds = _unseen(kinds, [one.column.name for one in sensitive], list(given.X.columns))
    if settings.directions and target.kind == "multiclass":
        raise SettingError(
            f"monotone={settings.monotone!r} is for numbers and two classes, but {target.name!r} "
            f"has {len(target.labels)}: the probabilities of more than two cannot all rise. Leave "
            "it out, or predict one class against the rest."
        )
    schema = with_directions(infer_schema(given.X, given.y, kinds=kinds), settings.directions)
    metric = (
        default_metric(target.kind)
        if settings.metric is None
        else get_metric(settings.metric, target.kind)
    )
    table = schema.apply(given.X, who=who)
    resampling = plan(
        len(table),
        target.kind,
        encoded,
        groups=given.groups,
        time=given.time,
        strategy=settings.resampling,
        args=settings.resampling_args,
        time_limit_s=None if settings.time_limit_s is None else settings.time_limit_s * n_jobs,
        seed=seed,
    )
    families = {family.name: family for family in settings.families}
    n_fold_rows = max(len(train) for train, _ in resampling.folds)
    shape = shape_of(schema, table, encoded, target.kind, n_rows=n_fold_rows)
    names = tuple(settings.include) if settings.include is not None else None
    chosen: dict[str, Any] = {
        "include": names,
        "exclude": tuple(settings.exclude or ()),
        "families": families,
    }
    updates = settings.space_updates
    space = cash_space(schema, shape, updates=updates, **chosen)
    first = first_configurations(schema, shape, updates=updates, **chosen)
    if settings.portfolio is not None:
        limit_s = settings.time_limit_s
        first = _led_by(
            settings.portfolio,
            space,
            first,
            features=lambda: table_features(schema, encoded, target.kind, table=table),
            seconds_of=lambda config: (
                len(resampling.folds) * predicted_seconds(config, shape, families=families)
            ),
            budget_s=None if limit_s is None else limit_s * n_jobs,
        )
    absent = not_tried(shape, **chosen)
    prepared = Prepared(
        schema=schema,
        target=target,
        table=table,
        y=encoded,
        weights=given.weights,
        metric=metric,
        resampling=resampling,
        shape=shape,
        space=space,
        first=tuple(first),
        families=families,
        warnings=(*given.warnings, *target.warnings, *schema.warnings),
        not_tried=absent,
        sensitive=sensitive,
    )
    if X_test is None:
        return prepared
    test_table = schema.apply(X_test, who=who)
    check_lengths(len(test_table), y_test=y_test)
    test_y = None if y_test is None else target.encode(y_test)
    return replace(prepared, test_table=test_table, test_y=test_y)


def _led_by(
    portfolio: Portfolio,
    space: Space,
    then: Sequence[Mapping[str, Any]],
    *,
    features: Callable[[], Mapping[str, float]],
    seconds_of: Callable[[Mapping[str, Any]], float],
    budget_s: float | None,
) -> list[dict[str, Any]]:
    """The portfolio's configurations, then others.

    Where it was found to be better, those that did well on similar tables come first, but the very
    first is the first of the others: the linear model, so that there is soon one to be better than.
    """
    if not portfolio.origin.get(SIMILAR_FIRST, False):
        return opening(portfolio, space, then=then)
    found = opening(
        portfolio, space, then=then, features=features(), seconds_of=seconds_of, budget_s=budget_s
    )
    lead = dict(then[0])
    return [lead, *(config for config in found if config != lead)]


def _unseen(kinds: Any, names: Sequence[str], columns: Sequence[str]) -> Any:
    """The user's kinds, with some columns left out for models."""
    if kinds is None or isinstance(kinds, Mapping):
        return {**(kinds or {}), **dict.fromkeys(names, "drop")}
    return [
        "drop" if at < len(columns) and columns[at] in names else k for at, k in enumerate(kinds)
    ]
