"""`AutoClassifier` and `AutoRegressor`: the search as scikit-learn estimators."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from octavo.amounts import is_whole, megabytes, seconds
from octavo.errors import DataError, SettingError
from octavo.tabular.choices import chosen, front_table
from octavo.tabular.leaderboard import leaderboard
from octavo.tabular.model import TabularModel
from octavo.tabular.portfolio import as_portfolio
from octavo.tabular.search import SearchResult, search_table
from octavo.tabular.settings import SearchSettings, as_folder
from octavo.tabular.trust import fairness_table, robustness_table

if TYPE_CHECKING:
    import pandas as pd

    from octavo.history import History
    from octavo.tabular.effects import Effect
    from octavo.tabular.explaining import Explanation
    from octavo.tabular.models.family import Family
    from octavo.transfer import Portfolio

__all__ = ["AutoClassifier", "AutoRegressor"]

Floats = NDArray[np.float64]


class _AutoEstimator(BaseEstimator):
    """What both estimators share: the search, and what is shown of it."""

    _task: ClassVar[str]

    def __init__(
        self,
        *,
        time_limit: str | float | None = "5m",
        max_trials: int | None = None,
        metric: str | Callable[..., float] | None = None,
        memory_limit: str | float | None = None,
        trial_time_limit: str | float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        feature_types: Mapping[str, str] | Sequence[str | None] | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        families: Sequence[Family] = (),
        space_updates: Mapping[str, Any] | None = None,
        resampling: Any = "auto",
        resampling_args: Mapping[str, Any] | None = None,
        ensemble_size: int = 40,
        ensemble_thrift: float = 0.05,
        refit_full: bool = True,
        stack: bool | str = "auto",
        sampling: bool | str = "auto",
        portfolio: Portfolio | str | Path | None = "auto",
        sensitive: str | Sequence[str] | None = None,
        sensitive_at_predict: bool = False,
        constraints: Mapping[str, Any] | None = None,
        monotone: Mapping[str, str] | None = None,
        optimizer: Any = "random-forest",
        output_folder: str | Path | None = None,
        progress: bool | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.max_trials = max_trials
        self.metric = metric
        self.memory_limit = memory_limit
        self.trial_time_limit = trial_time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.feature_types = feature_types
        self.include = include
        self.exclude = exclude
        self.families = families
        self.space_updates = space_updates
        self.resampling = resampling
        self.resampling_args = resampling_args
        self.ensemble_size = ensemble_size
        self.ensemble_thrift = ensemble_thrift
        self.refit_full = refit_full
        self.stack = stack
        self.sampling = sampling
        self.portfolio = portfolio
        self.sensitive = sensitive
        self.sensitive_at_predict = sensitive_at_predict
        self.constraints = constraints
        self.monotone = monotone
        self.optimizer = optimizer
        self.output_folder = output_folder
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        time_column: Any = None,
        X_test: Any = None,
        y_test: Any = None,
    ) -> Self:
        """Search for the best ensemble of pipelines.

        Parameters
        ----------
        X : shape (n, p)
            A DataFrame with columns of any kind, or an array.
        y : shape (n,)
            The target.
        sample_weight : shape (n,)
            How much each row counts, in fitting and in validation.
        groups : shape (n,)
            Rows of one group are never split between training and validation.
        time_column
            Name of a column, or one moment per row: validation rows then come later than
            training rows.
        X_test, y_test
            Scored for the record only; predictions are the same without them.

        Raises
        ------
        DataError, SettingError
            With what to do about it.
        """
        began = time.monotonic()
        if y is None:
            # The words that scikit-learn's checks look for.
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. "
                "Pass one value per row."
            )
        result = search_table(
            X,
            y,
            self._settings(),
            sample_weight=sample_weight,
            groups=groups,
            time_column=time_column,
            X_test=X_test,
            y_test=y_test,
            began=began,
            who=type(self).__name__,
        )
        self._keep(result)
        self._offered = result
        return self

    def _settings(self) -> SearchSettings:
        return SearchSettings(
            task=self._task,
            metric=self.metric,
            time_limit_s=seconds(self.time_limit, "time_limit"),
            max_trials=self.max_trials,
            trial_time_s=seconds(self.trial_time_limit, "trial_time_limit"),
            trial_memory_mb=megabytes(self.memory_limit, "memory_limit"),
            n_jobs=self.n_jobs,
            seed=_seed(self.random_state),
            resampling=self.resampling,
            resampling_args={} if self.resampling_args is None else self.resampling_args,
            include=self.include,
            exclude=self.exclude,
            families=self.families,
            space_updates={} if self.space_updates is None else self.space_updates,
            kinds=self.feature_types,
            ensemble_size=self.ensemble_size,
            ensemble_thrift=self.ensemble_thrift,
            refit_full=self.refit_full,
            stack=self.stack,
            sampling=self.sampling,
            portfolio=as_portfolio(self.portfolio, "portfolio"),
            sensitive=self.sensitive,
            sensitive_at_predict=self.sensitive_at_predict,
            constraints={} if self.constraints is None else self.constraints,
            monotone=self.monotone,
            optimizer=self.optimizer,
            folder=as_folder(self.output_folder, "output_folder"),
            progress=self.progress,
        )

    def _keep(self, result: SearchResult) -> None:
        self.model_: TabularModel = replace(result.model, who=type(self).__name__)
        self.history_: History = result.history
        self.result_: SearchResult = result
        self.n_features_in_: int = len(result.model.schema.columns)
        if result.model.schema.is_named:
            self.feature_names_in_ = np.array(result.model.schema.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        if result.model.is_classifier:
            self.classes_ = result.model.target.labels

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted labels or values, shape (n,).

        Columns are found by name; unknown categories and missing values are fine.
        """
        check_is_fitted(self)
        return self.model_.predict(X)

    def leaderboard(self, *, all_trials: bool = False) -> pd.DataFrame:
        """The pipelines that were tried, best first; see `octavo.tabular.leaderboard`."""
        check_is_fitted(self)
        return leaderboard(
            self.history_,
            self.model_,
            all_trials=all_trials,
            resampling=self.result_.prepared.resampling,
            stacked=self.result_.stacked,
        )

    def front(self) -> pd.DataFrame:
        """Ensembles to choose from, none better than another in everything.

        Made of the members of the ensemble that was found; see `octavo.tabular.choices`.
        """
        check_is_fitted(self)
        return front_table(self._offered)

    def choose(self, number: int) -> Self:
        """Predict with the ensemble in this row of `front` from now on."""
        check_is_fitted(self)
        self._keep(chosen(self._offered, number))
        return self

    def robustness(self, *, seed: int = 0) -> pd.DataFrame:
        """The score with noise, missing cells and shifted categories in the columns."""
        check_is_fitted(self)
        return robustness_table(self.result_, seed=seed)

    def explain(self, X: Any = None, *, background: Any = None, **how: Any) -> Explanation:
        """What each column contributes to the predictions of some rows: Shapley values.

        Parameters
        ----------
        X
            A table as in training; None explains 200 of the validated rows.
        background
            Usual rows; None takes validated rows of the training table.
        how
            `method`, `rounds`, `max_rows` and `seed`; see `TabularModel.explain`.
        """
        check_is_fitted(self)
        from octavo.tabular.explaining import explain

        def canonical(table: Any) -> pd.DataFrame:
            if table is None:
                return self.result_.evidence.sample
            return self.model_.schema.apply(table, who=type(self).__name__)

        return explain(self.model_, canonical(X), canonical(background), **how)

    def partial_dependence(self, columns: str | Sequence[str], X: Any = None, **how: Any) -> Effect:
        """How predictions change with one column or two, all others as they are in the rows.

        Parameters
        ----------
        columns
            A name or two.
        X
            A table as in training; None takes validated rows.
        how
            `grid_size`, `max_rows` and `seed`; see `TabularModel.partial_dependence`.
        """
        check_is_fitted(self)
        from octavo.tabular.effects import effect

        sample = self.result_.evidence.sample
        who = type(self).__name__
        rows = sample if X is None else self.model_.schema.apply(X, who=who)
        return effect(self.model_, rows, columns, **how)

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs no network; returns its path."""
        check_is_fitted(self)
        from octavo.tabular.reporting import write_report

        return write_report(self.result_, Path(path))

    def save(self, folder: str | Path) -> Path:
        """Save the model for `octavo.load_model`, without the search."""
        check_is_fitted(self)
        return self.model_.save(folder)

    def export(self, folder: str | Path) -> Path:
        """Write a folder that predicts without Octavo: model, requirements, `predict.py`."""
        check_is_fitted(self)
        return self.model_.export(folder)

    def export_onnx(self, path: str | Path) -> Path:
        """Write the model as an ONNX file, if all of its members can be said in ONNX."""
        check_is_fitted(self)
        return self.model_.export_onnx(path)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        # A search that is limited by time finds more on a faster machine.
        tags.non_deterministic = self.time_limit is not None
        return tags


class AutoClassifier(ClassifierMixin, _AutoEstimator):
    """Finds, tunes and ensembles classification pipelines for a table.

    Parameters
    ----------
    time_limit
        Wall clock from the call of `fit` to its return: "90s", "5m", "1h" or seconds. None:
        only `max_trials` limits the search, and the result is reproducible.
    max_trials
        Number of pipelines to evaluate; None for no limit.
    metric
        A name (`octavo.metric_names()`), a scikit-learn scorer, or any callable.
    memory_limit
        What one pipeline may use while it is fitted, such as "2GB"; by default a share of
        the free memory.
    trial_time_limit
        What one pipeline may take.
    n_jobs
        Pipelines fitted at the same time. None: one per core with a time limit, else one.
    random_state
        Seed.
    feature_types
        The kind ("number", "category", "text", "date", "boolean", "drop") of columns whose
        detection is to be overruled, by name or in order.
    include, exclude
        Names of model families to use, or to leave out.
    families
        Your own model families; see `octavo.tabular.Family`.
    space_updates
        Hyperparameters to fix or narrow: `{"lightgbm.learning_rate": 0.05}`.
    resampling, resampling_args
        How pipelines are validated: "auto", "cv", "holdout", a scikit-learn splitter, ...
    ensemble_size
        Steps of greedy ensemble selection; 1 for the best pipeline alone.
    ensemble_thrift
        Share of the ensemble's gain over the best pipeline that may go in order to leave out
        members that cost much time and space and help little; 0 keeps them all.
    refit_full
        Whether the members are fitted once more on all rows in the end, in place of their
        pipelines of the folds, which makes the model smaller and quicker; as far as the time
        limit allows.
    stack
        Whether models may stand on the predictions of others: "auto" where there are rows and
        time enough and the ensemble is better for it out of fold, True wherever it is better at
        all, False never.
    sampling
        Whether most pipelines are fitted on samples of the training rows, and the best on all:
        "auto" where the time limit is too short for all rows, True, False never.
    portfolio
        Pipelines to begin with, before the families' defaults: "auto" those that did best on
        many tables (`benchmarks/portfolio/`), an `octavo.transfer.Portfolio` or the path of its
        file yours, None no others than the defaults.
    sensitive
        Columns whose groups are to be treated alike: a name, or a list of names.
    sensitive_at_predict
        Whether these columns are there when the model predicts. True: it learns from them, and
        may decide by group to keep a bound. False: it never sees them.
    constraints
        Bounds on the final model: `{"demographic_parity": (None, 0.05)}` or one of
        "equalized_odds", "equal_opportunity", "inference_time" ("50us" per row), "model_size"
        ("20MB"), "training_time" ("1m"), "memory" ("2GB").
    monotone
        Columns with which predictions may only rise or fall while all others stay as they are:
        `{"age": "increasing", "price": "decreasing"}`. Of classes it is the probability of the
        second of two.
    optimizer
        What proposes pipelines after the opening: a name from the catalog or a recipe.
    output_folder
        Where to keep the run (history, models), to be resumed or looked at later.
    progress
        Whether to show progress; None: if somebody watches.

    Attributes
    ----------
    classes_ : shape (n_classes,)
        The labels, in the order of `predict_proba`'s columns.
    model_ : TabularModel
        The ensemble alone.
    history_ : History
        All trials.

    References
    ----------
    Feurer et al. (2015), Efficient and Robust Automated Machine Learning, NeurIPS 28.
    Caruana et al. (2004), Ensemble Selection from Libraries of Models, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = AutoClassifier(max_trials=2, time_limit=None, random_state=0).fit(X, y)
    >>> model.predict_proba(X.head(2)).shape
    (2, 3)
    """

    _task: ClassVar[str] = "classification"

    def predict_proba(self, X: Any) -> Floats:
        """Probability of each class, shape (n, n_classes), columns in order of `classes_`."""
        check_is_fitted(self)
        return self.model_.predict_proba(X)

    def predict_set(
        self, X: Any, coverage: float = 0.9, *, allow_empty: bool = True
    ) -> NDArray[np.bool_]:
        """Which classes may be true: with probability `coverage`, the true one is among them.

        Returns
        -------
        shape (n, n_classes)
            Columns in order of `classes_`. A row may be empty where the model is right more
            often than asked for; `allow_empty=False` then names the likeliest class.
        """
        check_is_fitted(self)
        return self.model_.predict_set(X, coverage, allow_empty=allow_empty)

    def fairness(self, X: Any = None, y: Any = None) -> pd.DataFrame:
        """Rates and gaps of each group of the sensitive columns, with 95 % intervals.

        Parameters
        ----------
        X, y
            A table that holds the sensitive columns, and its target; without them, validated
            rows of the training table.
        """
        check_is_fitted(self)
        return fairness_table(self.result_, X, y)


class AutoRegressor(RegressorMixin, _AutoEstimator):
    """Finds, tunes and ensembles regression pipelines for a table.

    The parameters are those of `AutoClassifier`.

    Attributes
    ----------
    model_ : TabularModel
        The ensemble alone.
    history_ : History
        All trials.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = AutoRegressor(max_trials=2, time_limit=None, random_state=0).fit(X, y)
    >>> model.predict(X.head(2)).shape
    (2,)
    """

    _task: ClassVar[str] = "regression"

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Floats:
        """Between which values the truth lies with probability `coverage`, shape (n, 2)."""
        check_is_fitted(self)
        return self.model_.predict_interval(X, coverage)


def _seed(random_state: Any) -> int | None:
    """scikit-learn's random_state as the one seed of a search."""
    if random_state is None:
        return None
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if not is_whole(random_state, 0):
        raise SettingError(
            f"random_state={random_state!r} must be a whole number of at least 0, "
            "a RandomState, a Generator, or None. Give such as 0, or None to have one drawn."
        )
    return int(random_state)
