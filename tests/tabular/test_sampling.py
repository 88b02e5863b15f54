"""Large tables: the search runs on samples of the training rows, and the best pipelines get all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from octavo import AutoClassifier, AutoRegressor
from octavo.ensemble.resampling import plan
from octavo.problem import Fidelity
from octavo.tabular.costs import TrialCosts
from octavo.tabular.models.family import Shape
from octavo.tabular.prepare import prepare
from octavo.tabular.refit import refit_model
from octavo.tabular.reporting import report_data, write_report
from octavo.tabular.sampling import row_fidelity, sample, sampling_order
from octavo.tabular.search import resume_search
from octavo.tabular.settings import SearchSettings

LARGE = Shape("binary", n_rows=600_000, n_features=50, n_classes=2)
FIRST = {"model": "linear", "linear.penalty": "l2"}
SETTINGS = {
    "include": ["linear", "lightgbm"],
    "space_updates": {"lightgbm.learning_rate": 0.3},
    "resampling": "holdout",
    "resampling_args": {"val_share": 0.2},
    "sampling": True,
    "max_trials": 6,
    "time_limit": None,
    "random_state": 0,
}


def made_table(n=20_000, seed=0):
    """A product of columns, that trees find, and a column of its own, that lines do, too."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 10)), columns=list("abcdefghij"))
    score = 2 * X["a"] * X["b"] + X["c"] + rng.normal(size=n)
    return X, np.where(score > 0, "up", "down")


@pytest.fixture(scope="module")
def data():
    return made_table()


@pytest.fixture(scope="module")
def sampled(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled") / "run"
    return AutoClassifier(**SETTINGS, output_folder=folder).fit(*data)


# Samples -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classes():
    """Three classes, the last of which has 30 rows among 20,000."""
    y = np.zeros(20_000, dtype=np.int64)
    y[12_000:] = 1
    y[-30:] = 2
    return np.random.default_rng(3).permutation(y)


def test_samples_are_nested_and_have_all_classes_in_their_shares(classes):
    train = np.flatnonzero(np.arange(20_000) % 4 > 0)
    order = sampling_order(train, classes, is_classification=True, seed=5)
    assert np.array_equal(np.sort(order), train)
    shares = np.bincount(classes[train]) / len(train)
    for small, large in ((500, 1500), (1500, 5000), (5000, 15_000)):
        inner, outer = sample(order, small), sample(order, large)
        assert len(inner) == small and np.isin(inner, outer).all()
        assert np.array_equal(inner, np.sort(inner))
        counts = np.bincount(classes[inner])
        assert counts[2] >= 2
        np.testing.assert_allclose(counts[:2], small * shares[:2], atol=3)


def test_samples_are_drawn_by_the_seed(classes):
    train = np.arange(20_000)
    one, again, other = (
        sampling_order(train, classes, is_classification=True, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one[:1000], other[:1000])
    free = sampling_order(train, classes, is_classification=False, seed=1)
    assert np.isin(free[:1000], train).all() and free[:1000].mean() == pytest.approx(1e4, rel=0.1)


def test_of_rows_in_time_the_most_recent_ones_are_taken(classes):
    moments = np.random.default_rng(0).permutation(20_000)
    resampling = plan(20_000, "multiclass", classes, time=moments)
    for train, valid in resampling.folds:
        order = sampling_order(
            train, classes, is_classification=True, seed=0, in_time=resampling.in_time
        )
        latest = sample(order, 1000)
        assert moments[latest].min() == np.sort(moments[train])[-1000]
        assert moments[latest].max() < moments[valid].min()


# When ----------------------------------------------------------------------------------


def chosen(table, *, time_limit_s, n_jobs=1, **more):
    """The fidelity that a search over this table would have."""
    settings = SearchSettings(time_limit_s=time_limit_s, max_trials=5, seed=0, **more)
    prepared = prepare(*table, settings, seed=0, n_jobs=n_jobs)
    shape = prepared.shape
    costs = TrialCosts(shape, n_fits=len(prepared.resampling.folds), n_threads=1, families={})
    return row_fidelity(prepared, settings, costs, n_jobs=n_jobs)


def test_samples_are_taken_where_the_opening_takes_longer_than_there_is():
    table = made_table(60_000)
    short = chosen(table, time_limit_s=5)
    assert 5000 <= short.low < short.high == 54_000  # of a hold-out
    assert chosen(table, time_limit_s=5, sampling=False) is None
    assert chosen(table, time_limit_s=3600) is None
    assert chosen(table, time_limit_s=None) is None
    assert chosen(table, time_limit_s=5, n_jobs=200) is None
    assert chosen(made_table(10_000), time_limit_s=1) is None
    # with more time the smallest samples are larger
    longer = chosen(table, time_limit_s=600, sampling=True)
    assert short.low < longer.low


def test_fewer_rows_are_predicted_to_take_less_time():
    costs = TrialCosts(LARGE, n_fits=1, n_threads=1, families={})
    sizes = (7_000, 60_000, 600_000)
    few, some, most = (costs.predict(FIRST, rows) for rows in sizes)
    assert few < some < most
    assert costs.predict(FIRST) == most

    # A fit on few rows took twice as long as guessed, and validation 3 s: so will one on all rows.
    costs.learn(FIRST, 2 * costs.guess(FIRST, 7_000) + 3, n_rows=7_000, rest_s=3)
    for rows in sizes:
        expected = 1.3 * (2 * costs.guess(FIRST, rows) + 3)
        assert costs.predict(FIRST, rows) == pytest.approx(expected)


# Searches ------------------------------------------------------------------------------


def test_a_search_runs_on_samples_and_the_best_gets_all_rows(data, sampled):
    rows = [trial.proposal.fidelity for trial in sampled.history_]
    assert min(rows) == 5333 and max(rows) == 16_000
    best = sampled.history_.incumbent
    assert best.proposal.fidelity == 16_000
    assert not best.extra["name"].endswith("rows")
    small = [t for t in sampled.history_ if t.proposal.fidelity == 5333]
    assert all(t.extra["name"].endswith("on 5,333 of 16,000 rows") for t in small)

    X, y = made_table(seed=1)
    assert roc_auc_score(y == "up", sampled.predict_proba(X)[:, 1]) > 0.85


def test_it_is_said_on_how_many_rows(sampled, tmp_path):
    board = sampled.leaderboard()
    assert set(board["rows"]) == {5333, 16_000}
    told = sampled.model_.info["sampling"]["told"]
    assert told.startswith("Pipelines were compared on samples from 5,333 of 16,000 training rows")
    assert "stacking: models are fitted on samples" in sampled.result_.stacked.told
    assert told in report_data(sampled.result_, importance_s=0).stopped
    card = write_report(sampled.result_, tmp_path / "card.md", importance_s=0).read_text()
    assert "5,333 of 16,000" in card
    plain = AutoClassifier(**{**SETTINGS, "sampling": "auto", "max_trials": 1})
    plain.fit(*made_table(300))
    assert "rows" not in plain.leaderboard()


def test_the_same_seed_gives_the_same_search(data, sampled):
    again = AutoClassifier(**SETTINGS).fit(*data)
    assert [(t.config, t.proposal.fidelity, t.costs) for t in again.history_] == [
        (t.config, t.proposal.fidelity, t.costs) for t in sampled.history_
    ]
    np.testing.assert_array_equal(again.predict_proba(data[0]), sampled.predict_proba(data[0]))


def test_a_search_on_samples_is_resumed_where_it_stopped(data, sampled, tmp_path):
    settings = {**SETTINGS, "max_trials": 4}
    AutoClassifier(**settings, output_folder=tmp_path / "run").fit(*data)
    resumed = resume_search(tmp_path / "run", max_trials=6)
    assert len(resumed.history) == 6
    assert {t.proposal.fidelity for t in resumed.history} <= {5333, 16_000}
    assert resumed.prepared.rows == Fidelity("rows", 5333, 16_000)
    costs = [t.costs for t in resumed.history]
    assert costs[:2] == [t.costs for t in sampled.history_][:2]


def test_refitting_takes_all_rows_and_says_so(data, sampled):
    X, y = made_table(n=2000)
    refitted = refit_model(sampled.result_, sampled.model_, X, y)
    assert not [member.name for member in refitted.members if member.name.endswith("rows")]
    assert all(len(member.pipelines) == 1 for member in refitted.members)
    # what was one pipeline on samples of two sizes is one member now
    configs = [frozenset(member.pipelines[0].config.items()) for member in refitted.members]
    assert len(set(configs)) == len(configs)
    assert sum(member.weight for member in refitted.members) == pytest.approx(1)
    assert (refitted.predict(X) == y).mean() > 0.75


def test_rows_in_time_weights_and_groups_are_kept_to():
    X, y = made_table()
    target = X["a"] * X["b"] + X["c"]
    cheap = {**SETTINGS, "include": ["linear"], "max_trials": 2}
    X["day"] = np.arange(len(X)) % 365 + np.arange(len(X)) / 1e6
    weights = np.where(np.arange(len(X)) % 2, 2.0, 1.0)
    late = AutoRegressor(**cheap).fit(X, target, sample_weight=weights, time_column="day")
    assert late.result_.prepared.resampling.kind == "time"
    assert {t.proposal.fidelity for t in late.history_} == {5333, 16_000}
    groups = np.arange(len(X)) // 10
    whole = AutoClassifier(**cheap).fit(X, y, groups=groups)
    (train, valid), *_ = whole.result_.prepared.resampling.folds
    assert not set(groups[train]) & set(groups[valid])
    assert min(t.proposal.fidelity for t in whole.history_) < len(train)
