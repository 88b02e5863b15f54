"""`TabularClassificationTask` and `TabularRegressionTask`: Auto-PyTorch's call, Octavo's engine.

Zimmer, Lindauer & Hutter (2021), Auto-PyTorch: Multi-Fidelity Meta-Learning for Efficient and
Robust AutoDL, IEEE TPAMI 43(9), 3079-3090. Arguments that have no meaning here are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from octavo.amounts import megabytes, seconds
from octavo.errors import SettingError, StudyError, closest
from octavo.history import History, Improvement
from octavo.tabular.choices import chosen, front_table
from octavo.tabular.leaderboard import leaderboard
from octavo.tabular.model import TabularModel
from octavo.tabular.models import CATALOG, is_installed
from octavo.tabular.portfolio import shipped
from octavo.tabular.prepare import prepare
from octavo.tabular.refit import fit_one, refit_model
from octavo.tabular.search import SearchResult, search_table
from octavo.tabular.settings import SearchSettings, as_folder, refuse_unknown

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

__all__ = ["TabularClassificationTask", "TabularRegressionTask"]

Floats = NDArray[np.float64]

OPTIONS = (
    "n_threads", "ensemble_thrift", "refit_full", "stack", "sampling", "calibrate",
    "tune_decision", "monotone",
)  # fmt: skip
NEURAL = ("mlp", "network")  # what is left when traditional pipelines are not wanted


class _TabularTask:
    """What both tasks share."""

    _task: ClassVar[str]

    def __init__(
        self,
        *,
        seed: int = 1,
        n_jobs: int = 1,
        n_threads: int = 1,
        ensemble_size: int = 50,
        ensemble_nbest: int = 50,
        max_models_on_disc: int = 50,
        temporary_directory: str | Path | None = None,
        output_directory: str | Path | None = None,
        include_components: Sequence[str] | None = None,
        exclude_components: Sequence[str] | None = None,
        resampling_strategy: Any = "holdout_validation",
        resampling_strategy_args: Mapping[str, Any] | None = None,
        search_space_updates: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = SearchSettings(
            task=self._task,
            max_trials=1,  # a placeholder: the limits are given to search
            seed=seed,
            n_jobs=n_jobs,
            n_threads=n_threads,
            ensemble_size=ensemble_size,
            ensemble_nbest=ensemble_nbest,
            max_models=max_models_on_disc,
            include=include_components,
            exclude=exclude_components,
            resampling=resampling_strategy,
            resampling_args={} if resampling_strategy_args is None else resampling_strategy_args,
            space_updates={} if search_space_updates is None else search_space_updates,
            portfolio=shipped(),
            folder=as_folder(output_directory, "output_directory"),
            scratch=as_folder(temporary_directory, "temporary_directory"),
        )
        self._result: SearchResult | None = None
        self._model: TabularModel | None = None
        self._offered: SearchResult | None = None  # the search as it ended, to choose from
        self._dataset_name = ""

    # Searching -----------------------------------------------------------------------

    def search(
        self,
        optimize_metric: str | Callable[..., float],
        X_train: Any = None,
        y_train: Any = None,
        X_test: Any = None,
        y_test: Any = None,
        dataset_name: str | None = None,
        feat_types: Sequence[str | None] | Mapping[str, str] | None = None,
        budget_type: str | None = None,
        min_budget: float | None = None,
        max_budget: float | None = None,
        total_walltime_limit: float = 100,
        func_eval_time_limit_secs: float | None = None,
        enable_traditional_pipeline: bool = True,
        memory_limit: float | None = 4096,
        **unknown: Any,
    ) -> Self:
        """Search for the best ensemble of pipelines.

        Parameters
        ----------
        optimize_metric
            A name such as "accuracy" or "rmse", a scikit-learn scorer, or any callable.
        X_train, y_train
            The training table and its target.
        X_test, y_test
            Scored for the record only; predictions are the same without them.
        dataset_name
            For people.
        feat_types
            "numerical", "categorical" or "string" per column, where detection is to be
            overruled; Octavo's own names of kinds work too.
        budget_type, min_budget, max_budget
            "runtime" makes `max_budget` the seconds of one pipeline, as
            `func_eval_time_limit_secs` does. Other budgets are refused.
        total_walltime_limit
            Seconds from the call to its return.
        func_eval_time_limit_secs
            Seconds that one pipeline may take.
        enable_traditional_pipeline
            False searches over neural networks only.
        memory_limit
            MiB that one pipeline may use.

        Raises
        ------
        DataError, SettingError
            With what to do about it.
        """
        began = time.monotonic()
        refuse_unknown(unknown, _SEARCH_ARGUMENTS, f"{type(self).__name__}.search")
        if X_train is None or y_train is None:
            missing = "X_train" if X_train is None else "y_train"
            raise SettingError(
                f"search got no {missing}. Pass both X_train (a table) and y_train (its target)."
            )
        settings = replace(
            self._settings,
            metric=optimize_metric,
            max_trials=None,
            time_limit_s=seconds(total_walltime_limit, "total_walltime_limit"),
            trial_time_s=_pipeline_seconds(
                budget_type, min_budget, max_budget, func_eval_time_limit_secs
            ),
            trial_memory_mb=megabytes(memory_limit, "memory_limit"),
            kinds=_kinds(feat_types),
            include=self._settings.include
            if enable_traditional_pipeline
            else _neural(self._settings.include),
        )
        self._dataset_name = dataset_name or "table"
        self._result = search_table(
            X_train,
            y_train,
            settings,
            X_test=X_test,
            y_test=y_test,
            began=began,
            who=type(self).__name__,
        )
        self._model = self._result.model
        self._offered = self._result
        return self

    def _found(self) -> SearchResult:
        if self._result is None:
            raise StudyError(
                f"this {type(self).__name__} has not searched yet. Call search(...) first."
            )
        return self._result

    @property
    def _fitted(self) -> TabularModel:
        self._found()
        assert self._model is not None
        return self._model

    # Predicting ----------------------------------------------------------------------

    def predict(self, X_test: Any) -> NDArray[Any]:
        """Predicted labels or values, shape (n,)."""
        return self._fitted.predict(X_test)

    def score(self, y_pred: Any, y_test: Any) -> dict[str, float]:
        """The metric of the search for some predictions.

        Parameters
        ----------
        y_pred
            What `predict` returned; or what `predict_proba` returned, which metrics of
            probabilities need.
        y_test : shape (n,)
            The truth.
        """
        result = self._found()
        metric, target = result.prepared.metric, result.prepared.target
        truth = target.encode(y_test)
        given = np.asarray(y_pred)
        if target.classes is None:
            return {metric.name: float(metric.score(truth, given.astype(float).ravel()))}
        if given.ndim == 2 and given.shape[1] == len(target.classes):
            return {metric.name: float(metric.score(truth, given, classes=target.classes))}
        if metric.kind != "labels":
            raise SettingError(
                f"{metric.name!r} looks at probabilities, but y_pred has shape {given.shape}. "
                "Pass what predict_proba returned."
            )
        certain = np.eye(len(target.classes))[target.encode(given.ravel())]
        return {metric.name: float(metric.score(truth, certain, classes=target.classes))}

    def refit(self, X_train: Any, y_train: Any, sample_weight: Any = None) -> Self:
        """Fit the pipelines of the ensemble anew on all of a table, without validation.

        Raises
        ------
        DataError
            If the table lacks the columns of the search.
        """
        self._model = refit_model(
            self._found(), self._fitted, X_train, y_train, sample_weight=sample_weight
        )
        return self

    def fit_pipeline(
        self,
        configuration: Mapping[str, Any] | None = None,
        *,
        X_train: Any,
        y_train: Any,
        optimize_metric: str | None = None,
        feat_types: Sequence[str | None] | Mapping[str, str] | None = None,
    ) -> TabularModel:
        """Fit one pipeline on all of a table: a model that predicts from tables like it.

        Parameters
        ----------
        configuration
            From `get_search_space`; the first of the opening by default.
        X_train, y_train
            The table and its target.
        optimize_metric
            What the pipeline is for.
        feat_types
            As in `search`.
        """
        settings = replace(self._settings, metric=optimize_metric, kinds=_kinds(feat_types))
        return fit_one(configuration, X_train, y_train, settings)

    # Looking -------------------------------------------------------------------------

    def show_models(self) -> str:
        """The pipelines of the ensemble with their weights, as a table for people."""
        found = leaderboard(self._found().history, self._fitted, stacked=self._found().stacked)
        shown = found[found["weight"] > 0].sort_values("weight", ascending=False)
        return str(shown.drop(columns=["status", "cause"]).to_string(index=False))

    def get_models_with_weights(self) -> list[tuple[float, TabularModel]]:
        """(weight, model) of all fitted pipelines in the ensemble; weights sum to 1.

        Each predicts from tables by itself, without the ensemble's calibration and decision
        rule.
        """
        return self._fitted.parts()

    def sprint_statistics(self) -> str:
        """A summary of the search, in lines of text."""
        result = self._found()
        history = result.history
        by_status: dict[str, int] = {}
        for status in history.status:
            by_status[status.value] = by_status.get(status.value, 0) + 1
        metric = result.prepared.metric.name
        best = history.problem.objectives[0].value(history.incumbent_cost)
        lines = [
            "Octavo results:",
            f"\tDataset name: {self._dataset_name}",
            f"\tOptimisation metric: {metric}",
            f"\tBest validation score of one pipeline: {best:.6g}",
            f"\tValidation score of the ensemble: {result.path[-1].score:.6g}",
            f"\tNumber of pipelines: {len(history)}",
            *(f"\t\t{name}: {count}" for name, count in sorted(by_status.items())),
            f"\tStopped because: {result.stopped_because}",
        ]
        return "\n".join(lines) + "\n"

    def get_incumbent_results(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The best pipeline's configuration, and what was found of it."""
        result = self._found()
        best = result.history.incumbent
        assert best is not None
        objective = result.history.problem.objectives[0]
        return dict(best.config), {objective.name: objective.value(best.costs[0]), **best.extra}

    def front(self) -> pd.DataFrame:
        """Ensembles to choose from, none better than another in everything."""
        return front_table(self._offered or self._found())

    def choose(self, number: int) -> Self:
        """Predict with the ensemble in this row of `front` from now on."""
        self._result = chosen(self._offered or self._found(), number)
        self._model = self._result.model
        return self

    def get_search_results(self) -> pd.DataFrame:
        """All pipelines that were tried, failed ones included, best first."""
        found = self._found()
        return leaderboard(found.history, self._fitted, all_trials=True, stacked=found.stacked)

    def get_search_space(
        self, X_train: Any = None, y_train: Any = None, feat_types: Any = None
    ) -> Any:
        """The ConfigSpace `ConfigurationSpace` of the search, or of one on another table."""
        if X_train is None:
            return self._found().prepared.space.configspace  # type: ignore[attr-defined]
        settings = replace(self._settings, kinds=_kinds(feat_types))
        prepared = prepare(X_train, y_train, settings, seed=settings.seed or 0, n_jobs=1)
        return prepared.space.configspace  # type: ignore[attr-defined]

    def set_pipeline_options(self, **options: Any) -> None:
        """Set what holds for all pipelines.

        These are n_threads, ensemble_thrift, refit_full, stack, sampling, calibrate,
        tune_decision and monotone.
        """
        refuse_unknown(options, OPTIONS, "set_pipeline_options")
        self._settings = replace(self._settings, **options)

    def get_pipeline_options(self) -> dict[str, Any]:
        """What holds for all pipelines."""
        return {name: getattr(self._settings, name) for name in OPTIONS}

    def plot_perf_over_time(self, metric_name: str | None = None) -> go.Figure:
        """Score of the best pipeline and of the ensemble over the search, as a plotly figure.

        Parameters
        ----------
        metric_name
            Only the metric of the search was measured; another name is refused.
        """
        import plotly.graph_objects as go

        result = self._found()
        metric = result.prepared.metric.name
        if metric_name not in (None, metric):
            raise SettingError(
                f"metric_name={metric_name!r} was not measured over time; only {metric!r} was."
                + closest(str(metric_name), [metric])
            )
        at = [step.at_s for step in result.path]
        figure = go.Figure()
        lines: dict[str, list[float | None]] = {
            "best pipeline (validation)": [step.best_single for step in result.path],
            "ensemble (validation)": [step.score for step in result.path],
            "ensemble (test)": [step.test_score for step in result.path],
        }
        for name, values in lines.items():
            if any(value is not None for value in values):
                figure.add_scatter(x=at, y=values, name=name, mode="lines", line_shape="hv")
        figure.update_layout(xaxis_title="seconds", yaxis_title=metric, template="simple_white")
        return figure

    @property
    def run_history(self) -> History:
        """All trials."""
        return self._found().history

    @property
    def trajectory(self) -> list[Improvement]:
        """Each pipeline that became the best one."""
        return self._found().history.trajectory()

    @property
    def ensemble_performance_history(self) -> list[dict[str, Any]]:
        """The ensemble's scores over time: at_s, n_trials, and the metric's values."""
        metric = self._found().prepared.metric.name
        return [
            {
                "at_s": step.at_s,
                "n_trials": step.n_trials,
                f"validation_{metric}": step.score,
                f"single_best_{metric}": step.best_single,
                f"test_{metric}": step.test_score,
            }
            for step in self._found().path
        ]


class TabularClassificationTask(_TabularTask):
    """Classification of the rows of a table, with Auto-PyTorch's call.

    Parameters
    ----------
    seed
        Of everything random.
    n_jobs, n_threads
        Pipelines fitted at the same time, and threads of each.
    ensemble_size, ensemble_nbest
        Steps of greedy ensemble selection, over so many of the best pipelines.
    max_models_on_disc
        How many fitted pipelines are kept.
    temporary_directory
        Where the run lies while it lasts, if it is not kept.
    output_directory
        Where the run is kept: history, pipelines, model.
    include_components, exclude_components
        Names of model families to use, or to leave out.
    resampling_strategy, resampling_strategy_args
        How pipelines are validated.
    search_space_updates
        Hyperparameters to fix or narrow: `{"lightgbm.learning_rate": 0.05}`.
    """

    _task = "classification"

    def predict_proba(self, X_test: Any) -> Floats:
        """Probability of each class, shape (n, classes), in sorted order of the labels."""
        return self._fitted.predict_proba(X_test)

    def predict_set(
        self, X_test: Any, coverage: float = 0.9, *, allow_empty: bool = True
    ) -> NDArray[np.bool_]:
        """Classes of which the true one is one with this probability, shape (n, classes)."""
        return self._fitted.predict_set(X_test, coverage, allow_empty=allow_empty)


class TabularRegressionTask(_TabularTask):
    """Regression on the rows of a table, with Auto-PyTorch's call.

    The parameters are those of `TabularClassificationTask`.
    """

    _task = "regression"

    def predict_interval(self, X_test: Any, coverage: float = 0.9) -> Floats:
        """Between which values the truth lies with this probability, shape (n, 2)."""
        return self._fitted.predict_interval(X_test, coverage)


_SEARCH_ARGUMENTS = (
    "optimize_metric", "X_train", "y_train", "X_test", "y_test", "dataset_name", "feat_types",
    "budget_type", "min_budget", "max_budget", "total_walltime_limit",
    "func_eval_time_limit_secs", "enable_traditional_pipeline", "memory_limit",
)  # fmt: skip


def _neural(include: Sequence[str] | None) -> Sequence[str]:
    """What of the wanted components is a neural network."""
    left = [name for name in NEURAL if include is None or name in include]
    if include is None:  # what is asked for by name and not installed is refused later on
        left = [name for name in left if is_installed(CATALOG[name])]
    if not left:
        raise SettingError(
            f"include_components={list(include or ())!r} and enable_traditional_pipeline=False "
            f"leave nothing to search: of all components, only {' and '.join(NEURAL)} are neural "
            "networks. Leave out one of the two."
        )
    return left


def _pipeline_seconds(
    budget_type: str | None,
    min_budget: float | None,
    max_budget: float | None,
    func_eval_time_limit_secs: float | None,
) -> float | None:
    if budget_type is None:
        for name, value in (("min_budget", min_budget), ("max_budget", max_budget)):
            if value is not None:
                raise SettingError(
                    f"{name}={value!r} means nothing without budget_type. "
                    'Give budget_type="runtime" too, or leave it out.'
                )
        return seconds(func_eval_time_limit_secs, "func_eval_time_limit_secs")
    if budget_type != "runtime":
        raise SettingError(
            f"budget_type={budget_type!r} is not available: pipelines are evaluated in full. "
            'Leave it out, or use budget_type="runtime" with max_budget in seconds.'
        )
    if min_budget is not None:
        raise SettingError(
            f"min_budget={min_budget!r} would be read by no one: pipelines are evaluated in "
            "full. Leave it out; max_budget limits the seconds of one pipeline."
        )
    given = (
        seconds(max_budget, "max_budget"),
        seconds(func_eval_time_limit_secs, "func_eval_time_limit_secs"),
    )
    return min((value for value in given if value is not None), default=None)


_KIND_NAMES = {"numerical": "number", "categorical": "category", "string": "text"}


def _kinds(feat_types: Sequence[str | None] | Mapping[str, str] | None) -> Any:
    """Octavo's kinds for Auto-PyTorch's words."""

    def kind(word: Any) -> Any:
        return _KIND_NAMES.get(str(word).lower(), word) if word is not None else None

    if feat_types is None:
        return None
    if isinstance(feat_types, Mapping):
        return {name: kind(word) for name, word in feat_types.items()}
    return [kind(word) for word in feat_types]
