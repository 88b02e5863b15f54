"""The systems that the tabular benchmark compares: each a function from training data to a model.

The plain ones get the least preprocessing with which they run on every table, and otherwise
their library's defaults. Each uses two threads.
"""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd

THREADS = 2
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


@dataclass(frozen=True)
class Job:
    """What a system is asked for."""

    task: str
    seconds: float  # budget; the plain systems have none and ignore it
    seed: int

    @property
    def metric(self) -> str:
        """The metric that the system is judged by, and may optimize."""
        return METRICS[self.task]


@dataclass(frozen=True)
class System:
    """A row of `SYSTEMS`.

    Parameters
    ----------
    fit
        Imports what it needs and returns a fitted model with `predict` and, for classes,
        `predict_proba` and `classes_`.
    version
        Of what was measured.
    timed
        Whether it searches for a given number of seconds.
    size
        Bytes of what has to be kept in order to predict.
    """

    fit: Callable[[pd.DataFrame, pd.Series, Job], Any]
    version: Callable[[], str]
    timed: bool = False
    size: Callable[[Any], int] = lambda model: len(pickle.dumps(model))


def _strings(X: pd.DataFrame) -> list[str]:
    return [name for name in X.columns if X[name].dtype == object or X[name].dtype == "category"]


def _constant(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
    """Class frequencies, or the mean: what every system must beat."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return (DummyRegressor() if job.task == "regression" else DummyClassifier()).fit(X, y)


def _linear(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
    """Logistic or ridge regression on standardized numbers and one-hot categories.

    Missing numbers become the median with an indicator; categories of fewer than 5 rows share
    one column, and so do unseen ones.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    strings = _strings(X)
    numbers = X.columns.difference(strings, sort=False)
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            numbers,
        ),
        (OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist"), strings),
    )
    # More than the default 100 iterations, with which it would not converge on most tables.
    model = Ridge() if job.task == "regression" else LogisticRegression(max_iter=1_000)
    return make_pipeline(columns, model).fit(X, y)


def _forest(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
    """scikit-learn's random forest; categories become integers, missing values stay."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, _strings(X)), remainder="passthrough")
    forest = RandomForestRegressor if job.task == "regression" else RandomForestClassifier
    return make_pipeline(columns, forest(n_jobs=THREADS, random_state=job.seed)).fit(X, y)


class _Categories:
    """A model that gets strings as categories, the way LightGBM wants them."""

    def __init__(self, model: Any, X: pd.DataFrame, y: pd.Series) -> None:
        self.levels = {name: pd.Index(X[name].dropna().unique()) for name in _strings(X)}
        self.model = model.fit(self.convert(X), y)
        self.classes_ = getattr(model, "classes_", None)

    def convert(self, X: pd.DataFrame) -> pd.DataFrame:
        known = {
            name: pd.Categorical(X[name].where(X[name].isin(levels)), categories=levels)
            for name, levels in self.levels.items()
        }
        return X.assign(**known)

    def predict(self, X: pd.DataFrame) -> Any:
        return self.model.predict(self.convert(X))

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return self.model.predict_proba(self.convert(X))


def _lightgbm(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
    """LightGBM with its own handling of categories and missing values."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    boosting = LGBMRegressor if job.task == "regression" else LGBMClassifier
    return _Categories(boosting(n_jobs=THREADS, random_state=job.seed, verbose=-1), X, y)


def _flaml(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
    """FLAML with its defaults."""
    from flaml import AutoML

    model = AutoML()
    model.fit(
        X,
        y,
        task="regression" if job.task == "regression" else "classification",
        metric=job.metric,
        time_budget=job.seconds,
        n_jobs=THREADS,
        seed=job.seed,
        verbose=0,
        log_file_name="",
    )
    return model


class _Predictor:
    """AutoGluon's predictor with the methods of scikit-learn."""

    def __init__(self, predictor: Any, is_classifier: bool) -> None:
        self.predictor = predictor
        if is_classifier:
            self.classes_ = predictor.class_labels

    def predict(self, X: pd.DataFrame) -> Any:
        return self.predictor.predict(X).to_numpy()

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return self.predictor.predict_proba(X)[self.classes_].to_numpy()


def _autogluon(preset: str) -> Callable[[pd.DataFrame, pd.Series, Job], Any]:
    """AutoGluon with one of its presets; all else as it comes."""

    def fit(X: pd.DataFrame, y: pd.Series, job: Job) -> Any:
        from autogluon.tabular import TabularPredictor

        metric = {"rmse": "root_mean_squared_error"}.get(job.metric, job.metric)
        predictor = TabularPredictor(
            "target",
            problem_type=job.task,
            eval_metric=metric,
            path=mkdtemp(dir="."),
            verbosity=0,
        )
        predictor.fit(
            X.assign(target=y), time_limit=job.seconds, presets=preset, num_cpus=THREADS, num_gpus=0
        )
        return _Predictor(predictor, job.task != "regression")

    return fit


def _autogluon_size(model: Any) -> int:
    """What `clone_for_deployment` keeps: the models that the best one needs."""
    folder = model.predictor.clone_for_deployment(mkdtemp(dir=".") + "/deployed")
    return _bytes_in(Path(folder))


def _octavo_size(model: Any) -> int:
    folder = Path(mkdtemp(dir=".")) / "model"
    model.save(folder)
    return _bytes_in(folder)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _octavo(X: pd.DataFrame, y: pd.Series, job: Job, **settings: Any) -> Any:
    """Octavo with its defaults, but for the settings given."""
    import octavo

    face = octavo.AutoRegressor if job.task == "regression" else octavo.AutoClassifier
    return face(
        time_limit=job.seconds,
        n_jobs=THREADS,
        metric=job.metric,
        random_state=job.seed,
        **settings,
    ).fit(X, y)


def _without_features() -> dict[str, Any]:
    """Takes the columns that are made of others out of the space."""
    import octavo.tabular.preprocessing as preprocessing

    preprocessing.MOST_GENERATING = 0
    return {}


ABLATIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "portfolio": lambda: {"portfolio": None},
    "bagging": lambda: {"resampling": "holdout"},
    "stacking": lambda: {"stack": False},
    "ensemble": lambda: {"ensemble_size": 1},
    "features": _without_features,
    "network": lambda: {"exclude": ["network", "mlp"]},
    "optimizer": lambda: {"optimizer": "random"},
    "thrift": lambda: {"ensemble_thrift": 0.0},
    "refit": lambda: {"refit_full": False},
}
"""Octavo without one of its parts each: what that part adds."""


def _ablated(part: str) -> Callable[[pd.DataFrame, pd.Series, Job], Any]:
    return lambda X, y, job: _octavo(X, y, job, **ABLATIONS[part]())


def _of(package: str) -> Callable[[], str]:
    return lambda: version(package)


def _octavo_version() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return f"{version('octavo')}+{commit}"


SYSTEMS = {
    "constant": System(_constant, _of("scikit-learn")),
    "linear": System(_linear, _of("scikit-learn")),
    "forest": System(_forest, _of("scikit-learn")),
    "lightgbm": System(_lightgbm, _of("lightgbm")),
    "flaml": System(_flaml, _of("flaml"), timed=True),
    "autogluon:medium": System(
        _autogluon("medium_quality"), _of("autogluon.tabular"), timed=True, size=_autogluon_size
    ),
    "autogluon:best": System(
        _autogluon("best_quality"), _of("autogluon.tabular"), timed=True, size=_autogluon_size
    ),
    "octavo": System(_octavo, _octavo_version, timed=True, size=_octavo_size),
} | {
    f"octavo-{part}": System(_ablated(part), _octavo_version, timed=True, size=_octavo_size)
    for part in ABLATIONS
}
