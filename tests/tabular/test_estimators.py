"""The estimators keep scikit-learn's contract, and their promises on tables of any kind."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from octavo import AutoClassifier, AutoRegressor
from octavo.errors import SettingError

QUICK = {"time_limit": None, "random_state": 0, "include": ["linear", "lightgbm"]}

# Scikit-learn's contract ---------------------------------------------------------------

RESAMPLING = (
    "a row of weight 2 lies on one side of a split, two copies of it may lie on both; and "
    "a table with other rows is split otherwise"
)


def may_fail(estimator):
    """The checks that cannot hold for a search, with the reason."""
    return dict.fromkeys(
        (
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weight_equivalence_on_sparse_data",
        ),
        RESAMPLING,
    )


def every_check():
    """All of scikit-learn's checks but the one that needs a process of its own, see below."""
    mark = parametrize_with_checks(
        [
            AutoClassifier(max_trials=2, time_limit=None),
            AutoRegressor(max_trials=2, time_limit=None),
        ],
        expected_failed_checks=may_fail,
    )
    names, checks = mark.args

    def is_of_arrays(one):
        check = getattr(one, "values", one)[1]
        return getattr(check, "func", check).__name__ == "check_array_api_input"

    return pytest.mark.parametrize(
        names, [one for one in checks if not is_of_arrays(one)], **mark.kwargs
    )


@every_check()
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


ARRAY_API = """
from sklearn.utils import estimator_checks
from octavo import AutoClassifier, AutoRegressor

for estimator in (AutoClassifier, AutoRegressor):
    for one, check in estimator_checks.estimator_checks_generator(
        estimator(max_trials=2, time_limit=None)
    ):
        if getattr(check, "func", check).__name__ == "check_array_api_input":
            check(one)
print("fine")
"""


def test_the_contract_with_array_api_dispatch():
    """SciPy reads this variable only while it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", ARRAY_API],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr


def test_settings_are_stored_as_given_and_cloned():
    model = AutoClassifier(time_limit="7s", max_trials=4, metric="f1", include=["linear"])
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    twin.set_params(metric="roc_auc", max_trials=5)
    assert (twin.metric, twin.max_trials, twin.time_limit) == ("roc_auc", 5, "7s")
    assert model.metric == "f1"
    with pytest.raises(ValueError, match="no_such"):
        twin.set_params(no_such=1)


def test_it_works_within_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    model = AutoClassifier(max_trials=1, **QUICK)
    chained = make_pipeline(StandardScaler(), model)
    assert chained.fit(X, y).score(X, y) > 0.9

    scores = cross_val_score(chained, X, y, cv=2)
    assert scores.shape == (2,) and scores.min() > 0.85

    grid = GridSearchCV(model, {"include": [["linear"], ["lightgbm"]]}, cv=2).fit(X, y)
    assert grid.best_params_["include"] in (["linear"], ["lightgbm"])
    assert grid.predict(X).shape == y.shape


def test_a_fitted_estimator_survives_a_pickle():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = AutoClassifier(max_trials=2, **QUICK).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    pd.testing.assert_frame_equal(twin.leaderboard(), model.leaderboard())


# Tables and targets of any kind --------------------------------------------------------


@pytest.fixture(scope="module")
def people():
    """Text, dates, booleans, gaps, mixed types, a constant column, and whether somebody won."""
    rng = np.random.default_rng(0)
    n = 200
    words = np.array(["quiet", "street", "roof", "leaks", "canal", "near", "view", "old", "garden"])
    table = pd.DataFrame(
        {
            "age": np.where(np.arange(n) % 9 == 0, np.nan, rng.normal(40, 10, n).round(1)),
            "town": rng.choice(np.array(["Delft", "Leiden", "Gouda", None], dtype=object), n),
            "member": rng.choice([True, False], n),
            "joined": pd.date_range("2020-01-01", periods=n).strftime("%d.%m.%Y"),
            "remark": [" ".join(rng.choice(words, 5)) for _ in range(n)],
            "mixed": [("a" if i % 7 == 0 else i % 13 if i % 2 else str(i % 5)) for i in range(n)],
            "always": 1,
        }
    )
    return table, (table["age"].fillna(40) > 40).to_numpy() ^ (table["town"] == "Delft").to_numpy()


def labelled(won):
    """The same truth as labels of other types."""
    words = np.where(won, "yes", "no")
    return {
        "words": (words, np.dtype(object)),
        "truths": (won, np.dtype(bool)),
        "integers": (np.where(won, 7, -4).astype(np.int32), np.dtype(np.int32)),
        "floats": (won.astype(float), np.dtype(float)),
        "categories": (pd.Categorical(words, ["yes", "maybe", "no"]), np.dtype(object)),
        "strings": (pd.Series(words, dtype="string", name="won"), np.dtype(object)),
    }


@pytest.mark.parametrize("kind", sorted(labelled(np.array([True, False]))))
def test_labels_come_back_as_they_were_given(people, kind):
    table, won = people
    given, dtype = labelled(won)[kind]
    model = AutoClassifier(max_trials=1, time_limit=None, random_state=0, include=["linear"])
    predicted = model.fit(table, given).predict(table)
    assert predicted.dtype == model.classes_.dtype == dtype
    assert list(model.classes_) == sorted(set(np.asarray(given).tolist()))
    assert set(predicted.tolist()) <= set(np.asarray(given).tolist())
    assert (predicted == np.asarray(given)).mean() > 0.6  # a line cannot tell much of it
    assert model.score(table, np.asarray(given)) == (predicted == np.asarray(given)).mean()


def test_every_kind_of_column_is_found_and_used(people):
    table, won = people
    model = AutoClassifier(max_trials=2, **QUICK).fit(table, won)
    schema = model.model_.schema
    assert {one.name: one.kind for one in schema.features} == {
        "age": "number",
        "town": "category",
        "member": "boolean",
        "joined": "date",
        "remark": "text",
        "mixed": "category",
    }
    assert [one.name for one in schema.dropped] == ["always"]
    assert any("'mixed' mixes" in warning for warning in model.result_.prepared.warnings)
    probabilities = model.predict_proba(table)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert list(model.feature_names_in_) == list(table.columns)
    assert model.n_features_in_ == 7


def test_kinds_can_be_overruled(people):
    table, won = people
    model = AutoClassifier(
        max_trials=1, feature_types={"joined": "category", "remark": "drop"}, **QUICK
    ).fit(table, won)
    kinds = {one.name: one.kind for one in model.model_.schema.features}
    assert kinds["joined"] == "category" and "remark" not in kinds

    listed = [None, None, "category", None, "drop", None, None]
    model = AutoClassifier(max_trials=1, feature_types=listed, **QUICK).fit(table, won)
    kinds = {one.name: one.kind for one in model.model_.schema.features}
    assert kinds["member"] == "category" and "remark" not in kinds


def test_numbers_are_predicted_from_mixed_columns(people):
    table, _ = people
    y = 100 * table["member"].to_numpy() + table["age"].fillna(20).to_numpy()
    model = AutoRegressor(max_trials=2, metric="rmse", **QUICK).fit(table, y)
    assert model.predict(table).dtype == np.float64
    assert model.score(table, y) > 0.8  # R2
    assert not hasattr(model, "classes_") and not hasattr(model, "predict_proba")


def test_whole_numbers_are_numbers_to_a_regressor():
    X, _ = load_diabetes(return_X_y=True)
    stars = np.arange(len(X)) % 5
    model = AutoRegressor(max_trials=1, **QUICK).fit(X, stars)
    assert model.model_.target.kind == "regression"
    assert len(np.unique(model.predict(X))) > 5


@pytest.mark.parametrize("value", ["many", -1, 1.5, True])
def test_a_random_state_that_is_none_is_refused(value):
    with pytest.raises(SettingError, match=r"random_state=.*must be a whole number"):
        AutoClassifier(max_trials=1, time_limit=None, random_state=value).fit([[1], [2]], [0, 1])


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_seeds(make):
    X, y = load_iris(return_X_y=True)
    X = X[::3]
    y = y[::3]
    seeds = [
        AutoClassifier(max_trials=1, time_limit=None, include=["linear"], random_state=make(seed))
        .fit(X, y)
        .result_.seed
        for seed in (5, 5, 6)
    ]
    assert seeds[0] == seeds[1] != seeds[2]
