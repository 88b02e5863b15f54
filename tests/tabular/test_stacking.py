"""A second level: used where it is better out of fold, and then whatever is done with the model."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

import octavo
from octavo import AutoClassifier, AutoRegressor
from octavo.ensemble import Selection
from octavo.errors import SettingError
from octavo.tabular import estimator_family
from octavo.tabular.collect import Candidate
from octavo.tabular.refit import refit_model
from octavo.tabular.reporting import report_data
from octavo.tabular.search import resume_search
from octavo.tabular.settings import SearchSettings
from octavo.tabular.stacked import Scorer, StackedPipeline
from octavo.tabular.stacking import LEAST_ROWS, second_level

SETTINGS = {
    "include": ["linear", "lightgbm"],
    "space_updates": {"lightgbm.learning_rate": 0.3},
    "max_trials": 2,
    "time_limit": None,
    "random_state": 0,
    "portfolio": None,
}


def made_table(n=900, seed=0):
    """A curve over the sum of many columns: a line finds the sum, trees on that the curve."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 9)), columns=list("abcdefghi"))
    X["colour"] = rng.choice(["red", "blue"], n)
    total = X.drop(columns="colour").sum(axis=1) / 3
    curve = np.sin(3 * total) + 2 * total + (X["colour"] == "red")
    return X, curve + rng.normal(0, 0.1, n)


@pytest.fixture(scope="module")
def data():
    return made_table()


@pytest.fixture(scope="module")
def stacked(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stacked") / "run"
    return AutoRegressor(**SETTINGS, output_folder=folder).fit(*data)


@pytest.fixture(scope="module")
def classifier(data):
    X, y = data
    total = X.drop(columns="colour").sum(axis=1) / 3
    chances = np.array([0.02, 0.9, 0.1, 0.98])[np.digitize(total, [-1, 0, 1])]
    labels = np.where(np.random.default_rng(5).random(len(y)) < chances, "yes", "no")
    return AutoClassifier(**SETTINGS, stack=True).fit(X, labels)


# Chosen by what it gains ------------------------------------------------------------------


def test_where_line_and_trees_need_each_other_it_is_used_and_right(stacked, data):
    X_new, y_new = made_table(2000, seed=1)
    plain = AutoRegressor(**SETTINGS, stack=False).fit(*data)
    found = stacked.result_.stacked
    assert found.is_used and found.without - found.with_ > found.standard_error
    assert found.without == plain.result_.path[-1].score
    before, after = (np.mean((m.predict(X_new) - y_new) ** 2) ** 0.5 for m in (plain, stacked))
    assert after < 0.9 * before
    # What was promised out of fold holds on new rows.
    assert after == pytest.approx(found.with_, rel=0.15)


def test_where_a_line_is_all_there_is_it_is_not_used():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=800)
    model = AutoRegressor(**SETTINGS).fit(X, y)
    found = model.result_.stacked
    assert not found.is_used and found.trials
    plain = AutoRegressor(**SETTINGS, stack=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"stack": False}, "stacking is off"),
        ({"ensemble_size": 1}, "the best pipeline alone"),
        ({"resampling": "holdout"}, "a hold-out gives no out-of-fold predictions"),
        ({"resampling": "repeated_cv"}, "validated several times"),
        ({"resampling": "time"}, "never validated"),
        ({"monotone": {"a": "increasing"}}, "directions that monotone promises"),
    ],
)
def test_where_it_cannot_be_it_is_not_and_the_reason_is_told(data, settings, why):
    only_line = {"include": ["linear"], "space_updates": None, "max_trials": 1}
    model = AutoRegressor(**{**SETTINGS, **only_line, **settings})
    model.fit(*data)
    assert why in model.result_.stacked.told and not model.result_.stacked.trials
    assert model.result_.model.info["stacking"]["told"] == model.result_.stacked.told


def test_few_rows_are_only_stacked_if_it_is_asked_for():
    few = made_table(LEAST_ROWS - 50)
    automatic = AutoRegressor(**SETTINGS).fit(*few)
    assert f"{LEAST_ROWS - 50} rows" in automatic.result_.stacked.told
    assert not automatic.result_.stacked.trials
    assert AutoRegressor(**SETTINGS, stack=True).fit(*few).result_.stacked.is_used


def test_what_was_asked_for_and_cannot_be_done_is_refused(data):
    with pytest.raises(SettingError, match=r"stack=True, but a hold-out.*resampling='cv'"):
        AutoRegressor(**SETTINGS, stack=True, resampling="holdout").fit(*data)
    with pytest.raises(SettingError, match="would not keep the directions"):
        AutoRegressor(**SETTINGS, stack=True, monotone={"a": "decreasing"}).fit(*data)


# What is recorded -------------------------------------------------------------------------


def test_the_choice_is_recorded_with_both_estimates(stacked):
    result = stacked.result_
    kept = result.model.info["stacking"]
    assert kept["is_used"] and kept["with"] < kept["without"]
    assert result.path[-1].score == kept["with"] == result.model.info["validation_score"]
    assert result.path[-2].score == kept["without"]
    assert kept["told"] in report_data(result, importance_s=0).stopped


def test_the_leaderboard_lists_the_second_level_with_what_it_stands_on(stacked):
    board = stacked.leaderboard().set_index("trial")
    second = board[board.index >= len(stacked.history_)]
    assert second["name"].str.contains("on the predictions of 2 models").all()
    assert (second["weight"] > 0).any() and board["weight"].sum() == pytest.approx(1)
    first = board[board.index < len(stacked.history_)]
    for column in ("fit_s", "predict_s", "row_us", "size_mb"):
        assert (second[column] > first[column].sum()).all()


def test_the_score_is_that_of_the_models_that_are_kept(stacked, classifier):
    """Out-of-fold predictions are what the pipelines of the row's own fold say, to the digit."""
    for model in (stacked, classifier):
        evidence = model.result_.evidence
        assert any(member.is_stacked for member in model.model_.members)
        again = evidence.predict_unseen(model.model_, evidence.sample)
        place = np.argsort(np.argsort(evidence.sample_y, kind="stable"), kind="stable")
        expected = evidence.scores[np.argsort(evidence.y, kind="stable")][place]
        if model is stacked:  # its targets are all different, so that rows can be told by them
            np.testing.assert_allclose(again, expected, rtol=1e-5)
        score = model.result_.prepared.metric.score
        found = score(
            evidence.sample_y,
            again,
            classes=model.model_.target.classes and model.model_.target.labels,
        )
        whole = score(
            evidence.y,
            evidence.scores,
            classes=model.model_.target.classes and model.model_.target.labels,
        )
        assert found == pytest.approx(whole, rel=1e-5)


# Whatever is done with the model ----------------------------------------------------------


def test_parts_add_up_to_the_ensemble(stacked, data):
    X = data[0].head(50)
    parts = stacked.model_.parts()
    assert sum(weight for weight, _ in parts) == pytest.approx(1)
    total = sum(weight * part.predict(X) for weight, part in parts)
    np.testing.assert_allclose(total, stacked.predict(X))


def test_each_pipeline_is_asked_once_however_many_stand_on_it(stacked, data):
    calls = []

    class Counting:
        def __init__(self, inner):
            self.inner = inner

        def predict_scores(self, X):
            calls.append(self.inner)
            return self.inner.predict_scores(X)

    one = next(p for m in stacked.model_.members if m.is_stacked for p in m.pipelines)
    below = [Counting(inner) for inner in one.inputs]
    asked = [one.on(below), one.on(below), *below]
    X = stacked.model_.schema.apply(data[0].head(20))
    score = Scorer(asked, X)
    found = [score(pipeline) for pipeline in asked]
    assert len(calls) == len(below)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], one.predict_scores(X))


def test_it_is_the_same_after_saving_and_pickling(stacked, classifier, data, tmp_path):
    for model, name in ((stacked, "one"), (classifier, "two")):
        expected = model.model_.scores(data[0])
        model.save(tmp_path / name)
        loaded = octavo.load_model(tmp_path / name)
        np.testing.assert_array_equal(loaded.scores(data[0]), expected)
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(model)).model_.scores(data[0]), expected
        )
        # What members share, they share on disk and in memory.
        bottom = [
            {id(p) for p in (one.inputs if isinstance(one, StackedPipeline) else (one,))}
            for member in loaded.members
            for one in member.pipelines
        ]
        assert len(set().union(*bottom)) == 2 * 5
    described = json.loads((tmp_path / "one" / "model.json").read_text())
    assert described["in_one_file"]


def test_a_model_without_it_has_a_file_for_each_member(data, tmp_path):
    AutoRegressor(**SETTINGS, stack=False).fit(*data).save(tmp_path / "plain")
    described = json.loads((tmp_path / "plain" / "model.json").read_text())
    assert not described["in_one_file"]
    n = len(described["members"])
    assert len(list((tmp_path / "plain" / "members").iterdir())) == n


def test_it_is_exported_without_octavo(stacked, data, tmp_path):
    X = data[0].head(30)
    folder = stacked.export(tmp_path / "export")
    X.to_csv(tmp_path / "new.csv", index=False)
    code = (
        "import sys, runpy\n"
        "sys.modules['octavo'] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder / "predict.py"), str(tmp_path / "new.csv")],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [float(line) for line in done.stdout.split()[1:]]
    np.testing.assert_allclose(found, stacked.predict(X), rtol=1e-6)


def test_onnx_refuses_it_by_name(stacked, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(SettingError, match=r"on the predictions of 2 models.*stack=False"):
        stacked.export_onnx(tmp_path / "model.onnx")


def test_refitted_it_stands_on_one_pipeline_for_each_member(stacked, data):
    """What stands on them stays as it learned from pipelines that had not seen the rows."""
    refitted = refit_model(stacked.result_, stacked.model_, *data)
    members = [member for member in refitted.members if member.is_stacked]
    inputs = {id(p) for member in members for one in member.pipelines for p in one.inputs}
    assert members and len(inputs) == 2
    for before, after in zip(stacked.model_.members, refitted.members, strict=True):
        if before.is_stacked:
            assert [one.top for one in after.pipelines] == [one.top for one in before.pipelines]
    X_new, y_new = made_table(1000, seed=2)
    error = np.mean((refitted.predict(X_new) - y_new) ** 2) ** 0.5
    assert error < 1.3 * stacked.result_.stacked.with_


def test_intervals_hold_what_they_promise(stacked):
    X_new, y_new = made_table(1500, seed=3)
    low, high = stacked.predict_interval(X_new, 0.9).T
    # At 0.9 with 1,500 rows five standard errors are 0.04.
    assert 0.86 <= np.mean((low <= y_new) & (y_new <= high)) <= 0.97


def test_one_can_choose_from_its_front(stacked, data):
    front = stacked.front()
    assert len(front) >= 2
    chosen = pickle.loads(pickle.dumps(stacked)).choose(len(front) - 1)
    assert np.isfinite(chosen.predict(data[0].head(5))).all()
    assert chosen.predict_interval(data[0].head(5)).shape == (5, 2)


def test_a_bound_on_the_size_counts_what_it_stands_on(data):
    needed = AutoRegressor(**SETTINGS).fit(*data)
    sizes = {
        trial.extra["size_bytes"]: trial.index
        for trial in (*needed.history_, *needed.result_.stacked.trials)
    }
    bound = (min(sizes) + sorted(sizes)[1]) / 2 / 2**20
    model = AutoRegressor(**SETTINGS, constraints={"model_size": (None, f"{bound}MB")}).fit(*data)
    assert [member.trial for member in model.model_.members] == [sizes[min(sizes)]]


def test_the_same_seed_gives_the_same_model_and_resuming_builds_it_again(stacked, data):
    again = AutoRegressor(**SETTINGS).fit(*data)
    np.testing.assert_array_equal(again.predict(data[0]), stacked.predict(data[0]))
    with warnings.catch_warnings():  # a data frame is not the same as before, bit by bit
        warnings.simplefilter("ignore")
        resumed = resume_search(stacked.output_folder, max_trials=2)
    np.testing.assert_array_equal(resumed.model.predict(data[0]), stacked.predict(data[0]))
    assert resumed.stacked.is_used


def test_a_test_table_is_scored_with_it_too(stacked, data):
    X_new, y_new = made_table(300, seed=4)
    model = AutoRegressor(**SETTINGS).fit(*data, X_test=X_new, y_test=y_new)
    np.testing.assert_array_equal(model.predict(data[0]), stacked.predict(data[0]))
    error = np.mean((model.predict(X_new) - y_new) ** 2) ** 0.5
    assert model.result_.path[-1].test_score == pytest.approx(error, rel=1e-5)


# Limits -----------------------------------------------------------------------------------


FEWER = 600  # rows: a pipeline of one fold has 720, one without two folds 540


class Interrupted(DummyRegressor):
    """Somebody presses Ctrl-C while it is fitted without two folds."""

    def fit(self, X, y, sample_weight=None):
        if len(X) < FEWER:
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_an_interrupt_leaves_the_ensemble_without_it(data):
    mean = estimator_family("mean", lambda config: Interrupted(), space={})
    settings = {**SETTINGS, "include": ["mean"], "space_updates": None, "max_trials": 1}
    model = AutoRegressor(**settings, families=[mean]).fit(*data)
    assert "interrupted" in model.result_.stacked.told
    assert model.predict(data[0]) == pytest.approx(data[1].mean(), rel=0.2)


class Broken(LinearRegression):
    """It cannot be fitted without two folds."""

    def fit(self, X, y, sample_weight=None):
        if len(X) < FEWER:
            raise ValueError("so few rows")
        return super().fit(X, y)


def test_a_member_that_fails_is_not_stood_upon(data):
    broken = estimator_family("broken", lambda config: Broken(), space={})
    settings = {**SETTINGS, "include": ["lightgbm", "broken"]}
    model = AutoRegressor(**settings, families=[broken]).fit(*data)
    second = model.result_.stacked.trials
    assert second
    (below,) = {number for trial in second for number in trial.proposal.origin.parents}
    assert model.history_[below].config["model"] == "lightgbm"


def test_without_time_nothing_is_begun(stacked):
    """Given a hundredth of a second, it says so at once."""
    prepared = replace(stacked.result_.prepared, table=made_table()[0])
    candidates = [Candidate(trial, np.zeros(900, np.float32)) for trial in stacked.history_]
    ensemble = SimpleNamespace(
        candidates=candidates, selection=Selection(np.array([0.5, 0.5]), 1.0, (1.0,), "rmse", 900)
    )
    settings = SearchSettings(max_trials=1)
    limits = {"n_trials": 2, "seed": 0, "n_threads": 1, "left_s": 0.01}
    found = second_level(prepared, ensemble, settings, **limits)
    assert "Give more time" in found.told and not found.trials


def test_a_search_with_a_second_level_keeps_its_time(data):
    model = AutoRegressor(**{**SETTINGS, "max_trials": None, "time_limit": 10}).fit(*data)
    assert model.result_.wall_s < 10
    assert model.result_.stacked.trials
