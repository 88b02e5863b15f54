"""The last fits of an ensemble: what is fitted on all rows, and what keeps its folds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from octavo import AutoClassifier, AutoRegressor
from octavo.errors import SettingError
from octavo.tabular import estimator_family
from octavo.tabular.artefact import member_needs, model_needs
from octavo.tabular.collect import Candidate
from octavo.tabular.last_fits import refit_members
from octavo.tabular.pipeline import make_pipeline
from octavo.tabular.reporting import report_data
from octavo.tabular.runs import load_result
from octavo.tabular.settings import SearchSettings

N = 300
SETTINGS = {
    "include": ["linear", "lightgbm"],
    "max_trials": 4,
    "time_limit": None,
    "random_state": 0,
    "resampling": "cv",
}


def made_table(n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    X["colour"] = rng.choice(["red", "blue"], n)
    y = 2 * X["a"] + np.sin(4 * X["b"]) + (X["colour"] == "red") + rng.normal(0, 0.3, n)
    return X, y


@pytest.fixture(scope="module")
def data():
    return made_table()


@pytest.fixture(scope="module")
def once(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("last_fits") / "run"
    return AutoRegressor(**SETTINGS, output_folder=folder).fit(*data)


@pytest.fixture(scope="module")
def folds(data):
    return AutoRegressor(**SETTINGS, refit_full=False).fit(*data)


def test_each_member_is_the_pipeline_of_its_trial_fitted_on_all_rows(once, data):
    X, y = data
    model, result = once.model_, once.result_
    table, codes = model.schema.apply(X), model.target.encode(y)
    for member in model.members:
        (pipeline,) = member.pipelines
        trial = once.history_[member.trial]
        shape = result.prepared.shape
        assert shape.n_rows < N
        again = make_pipeline(
            trial.config, model.schema, replace(shape, n_rows=N), seed=trial.proposal.seed
        ).fit(table, codes)
        np.testing.assert_allclose(pipeline.predict_scores(table), again.predict_scores(table))
    assert set(result.refitted.trials) == {member.trial for member in model.members}


def test_what_vouches_for_it_stands_on_the_folds(once, folds):
    """Score, evidence and intervals are those of the same search without; and so is importance."""
    ours, theirs = once.result_, folds.result_
    assert [(m.trial, m.weight) for m in ours.model.members] == [
        (m.trial, m.weight) for m in theirs.model.members
    ]
    np.testing.assert_array_equal(ours.evidence.scores, theirs.evidence.scores)
    np.testing.assert_array_equal(
        ours.evidence.predict_unseen(ours.validated, ours.evidence.sample),
        theirs.evidence.predict_unseen(theirs.validated, theirs.evidence.sample),
    )
    assert theirs.validated is theirs.model and ours.validated is not ours.model
    shown, plain = (report_data(one, importance_s=5) for one in (ours, theirs))
    assert {(one.name, one.mean) for one in shown.importance} == {
        (one.name, one.mean) for one in plain.importance
    }


def test_it_is_as_good_on_new_rows_quicker_and_smaller(once, folds, data):
    X_new, y_new = made_table(2000, seed=1)
    errors = [np.mean((m.predict(X_new) - y_new) ** 2) ** 0.5 for m in (once, folds)]
    assert errors[0] < 1.1 * errors[1]
    ours, theirs = once.result_, folds.result_
    needs = [
        model_needs(one.model, one.member_trials, one.prepared.resampling) for one in (ours, theirs)
    ]
    whole = member_needs(theirs.member_trials, theirs.prepared.resampling)
    for name in ("inference_time", "model_size"):
        np.testing.assert_allclose(needs[1][name], whole[name])
    n_folds = len(ours.prepared.resampling.folds)
    np.testing.assert_allclose(
        needs[0]["model_size"],
        member_needs(ours.member_trials, ours.prepared.resampling)["model_size"] / n_folds,
    )
    sizes = [sum(p.size for m in one.model_.members for p in m.pipelines) for one in (once, folds)]
    assert sizes[0] < 0.5 * sizes[1]


def test_intervals_cover_new_rows(once):
    X_new, y_new = made_table(2000, seed=2)
    low, high = once.predict_interval(X_new, coverage=0.9).T
    assert np.mean((low <= y_new) & (y_new <= high)) > 0.86


def test_a_run_on_disk_keeps_both(once, data, tmp_path):
    found = load_result(once.output_folder)
    np.testing.assert_array_equal(found.model.predict(data[0]), once.predict(data[0]))
    unseen = once.result_.evidence.sample
    np.testing.assert_array_equal(
        found.evidence.predict_unseen(found.validated, unseen),
        once.result_.evidence.predict_unseen(once.result_.validated, unseen),
    )
    assert found.refitted == once.result_.refitted
    assert found.model.info["refitted"]["trials"] == list(found.refitted.trials)


def test_what_is_chosen_from_the_front_keeps_both(data):
    model = AutoRegressor(**SETTINGS, ensemble_thrift=0).fit(*data)
    front = model.front()
    model.choose(len(front) - 1)
    result = model.result_
    assert [m.trial for m in result.validated.members] == [m.trial for m in result.model.members]
    assert all(len(m.pipelines) == 1 for m in result.model.members)
    assert all(len(m.pipelines) > 1 for m in result.validated.members)


def test_of_classes_too_and_the_report_says_so():
    X, y = made_table(400)
    model = AutoClassifier(**SETTINGS).fit(X, y > 0)
    told = "Each member of the ensemble was fitted once more, on all rows."
    assert model.result_.refitted.told == model.model_.info["refitted"]["told"] == told
    assert all(len(member.pipelines) == 1 for member in model.model_.members)
    assert told in report_data(model.result_, importance_s=0).stopped


class TooMany(LinearRegression):
    """It fails on more rows than a fold has."""

    def fit(self, X, y, sample_weight=None):
        if len(X) == N:
            raise MemoryError("so many rows")
        return super().fit(X, y)


class Wrong(LinearRegression):
    """It goes wrong without a word."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y)
        if len(X) == N:
            self.intercept_ += 10
        return self


class Slightly(LinearRegression):
    """It goes a little wrong, which is still worse than rows that were seen should be."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y)
        if len(X) == N:
            self.intercept_ += np.std(y - self.predict(X))
        return self


class Stopped(LinearRegression):
    """Somebody presses Ctrl-C."""

    def fit(self, X, y, sample_weight=None):
        if len(X) == N:
            raise KeyboardInterrupt
        return super().fit(X, y)


@pytest.mark.parametrize("estimator", [TooMany, Wrong, Slightly, Stopped])
def test_a_fit_that_goes_wrong_leaves_the_folds(estimator, data):
    family = estimator_family("mine", lambda config: estimator(), space={})
    settings = {**SETTINGS, "include": ["mine"], "max_trials": 1}
    model = AutoRegressor(**settings, families=[family]).fit(*data)
    assert model.result_.refitted.trials == ()
    assert "could be fitted" in model.result_.refitted.told
    assert all(len(member.pipelines) > 1 for member in model.model_.members)
    X_new, y_new = made_table(500, seed=3)
    assert np.mean((model.predict(X_new) - y_new) ** 2) < 1.5


def test_without_time_nothing_is_begun(folds, data):
    result = folds.result_
    X, y = data
    schema = result.model.schema
    prepared = replace(result.prepared, table=schema.apply(X), y=y.to_numpy())
    rows = prepared.resampling.validated
    candidates = [Candidate(trial, np.zeros(len(rows))) for trial in folds.history_]
    settings = SearchSettings(max_trials=1)
    same, found = refit_members(
        result.model,
        prepared=prepared,
        candidates=candidates,
        settings=settings,
        n_threads=1,
        trial_threads=1,
        ends=time.monotonic() + 1e-3,
    )
    assert same.members == result.model.members and not found.trials
    assert found.told == "No member of the ensemble could be fitted once more on all rows in time."


def test_the_time_limit_is_kept(data):
    settings = {**SETTINGS, "max_trials": None, "time_limit": 8}
    model = AutoRegressor(**settings).fit(*data)
    assert model.result_.wall_s < 8.5
    assert model.result_.refitted.trials


def test_a_search_with_nothing_to_follow_uses_all_its_time(data):
    settings = {**SETTINGS, "include": ["linear"], "max_trials": None, "time_limit": 5}
    model = AutoRegressor(**settings, refit_full=False, stack=False).fit(*data)
    assert "last fits" not in model.result_.stopped_because
    assert model.result_.refitted.told.endswith("refit_full is off.")


def test_what_stands_on_others_keeps_its_folds():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(900, 9)))
    total = X.sum(axis=1) / 3
    y = np.sin(3 * total) + 2 * total + rng.normal(0, 0.1, 900)
    settings = {**SETTINGS, "max_trials": 2, "space_updates": {"lightgbm.learning_rate": 0.3}}
    model = AutoRegressor(**settings, stack=True).fit(X, y)
    assert model.result_.stacked.is_used
    assert all(len(m.pipelines) > 1 for m in model.model_.members if m.is_stacked)
    below = {t for m in model.model_.members if m.is_stacked for t in m.pipelines[0].trials}
    assert not below & set(model.result_.refitted.trials)


def test_thrift_leaves_out_members(data):
    plain = AutoRegressor(**{**SETTINGS, "max_trials": 8}, ensemble_thrift=0).fit(*data)
    thrifty = AutoRegressor(**{**SETTINGS, "max_trials": 8}, ensemble_thrift=1.0).fit(*data)
    assert len(thrifty.model_.members) < len(plain.model_.members)
    kept = {m.trial for m in thrifty.model_.members}
    assert kept <= {m.trial for m in plain.model_.members}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ensemble_thrift", -0.1),
        ("ensemble_thrift", 1.5),
        ("ensemble_thrift", "much"),
        ("refit_full", "auto"),
        ("refit_full", 3),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, value, data):
    with pytest.raises(SettingError, match=f"{setting}={value!r} must be"):
        AutoRegressor(**SETTINGS, **{setting: value}).fit(*data)


def test_from_the_command_line(data, tmp_path):
    X, y = data
    X.assign(y=y).to_csv(tmp_path / "train.csv", index=False)
    command = [sys.executable, "-m", "octavo", "fit", "train.csv", "--target", "y", "--json"]
    limits = ["--trials", "2", "--seed", "0", "--include", "linear", "--workers", "1"]
    for option, is_on in ([], True), (["--no-refit-full"], False):
        done = subprocess.run(
            [*command, *limits, *option, "--out", f"run {is_on}"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert bool(json.loads(done.stdout)["refitted"]["trials"]) == is_on
