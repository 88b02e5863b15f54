"""What the final model promises: intervals, sets, bounds, and ensembles to choose from."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

import octavo
from octavo.ensemble.fairness import fairness_gap
from octavo.errors import DataError, SettingError, StudyError
from octavo.tabular.bounds import BoundWarning
from octavo.tabular.reporting import report_data

QUICK = {"time_limit": None, "max_trials": 2, "random_state": 0, "include": ["linear", "lightgbm"]}


@pytest.fixture(scope="module")
def regressor():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return octavo.AutoRegressor(**QUICK).fit(X.iloc[:300], y[:300]), X.iloc[300:], y[300:]


@pytest.fixture(scope="module")
def classifier():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, y = X.iloc[:, :8], y.map({0: "bad", 1: "good"})
    model = octavo.AutoClassifier(**QUICK)
    model.fit(X.iloc[:400], y[:400], X_test=X.iloc[400:], y_test=y[400:])
    return model, X.iloc[400:], y[400:]


def biased_table(n=900, seed=0):
    """Credit that was given to one group more often than the other, for the same income."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["f", "m"], n)
    income = rng.normal(size=n) + 0.5 * (group == "m")
    hours = rng.normal(size=n) + 0.8 * (group == "m")
    chance = 1 / (1 + np.exp(-(1.5 * income + 0.8 * hours - 0.5)))
    y = np.where(rng.random(n) < chance, "yes", "no")
    X = pd.DataFrame({"income": income, "hours": hours, "noise": rng.normal(size=n), "sex": group})
    return X, y


# Intervals and sets -------------------------------------------------------------------


def test_intervals_hold_most_truths_and_survive_saving(regressor, tmp_path):
    model, X, y = regressor
    ends = model.predict_interval(X, coverage=0.9)
    assert ends.shape == (len(X), 2)
    inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
    assert 0.8 < inside.mean() < 0.99  # 142 rows: two standard errors are 5 points
    middle = model.predict(X)
    assert ((ends[:, 0] < middle) & (middle < ends[:, 1])).all()
    loaded = octavo.load_model(model.save(tmp_path / "model"))
    np.testing.assert_allclose(loaded.predict_interval(X, 0.9), ends)
    assert loaded.predict_interval(X.head(0)).shape == (0, 2)


def test_sets_hold_most_truths_and_survive_saving(classifier, tmp_path):
    model, X, y = classifier
    sets = model.predict_set(X, coverage=0.95)
    assert sets.shape == (len(X), 2) and sets.dtype == bool
    right = sets[np.arange(len(X)), np.searchsorted(model.classes_, y)]
    assert right.mean() > 0.87
    filled = model.predict_set(X, 0.8, allow_empty=False)
    assert (filled.sum(axis=1) >= 1).all()
    loaded = octavo.load_model(model.save(tmp_path / "model"))
    assert (loaded.predict_set(X, 0.95) == sets).all()


def test_the_stored_scores_are_few(classifier, tmp_path):
    folder = classifier[0].save(tmp_path / "model")
    stored = json.loads((folder / "model.json").read_text())["conformal"]["scores"]
    assert 100 < len(stored["levels"]) + len(stored["values"]) <= 2000


def test_the_wrong_kind_of_promise_is_refused(regressor, classifier):
    with pytest.raises(SettingError, match="Use predict_interval"):
        regressor[0].model_.predict_set(regressor[1])
    with pytest.raises(SettingError, match="Use predict_set"):
        classifier[0].model_.predict_interval(classifier[1])
    with pytest.raises(SettingError, match=r"Did you mean 0\.9"):
        regressor[0].predict_interval(regressor[1], coverage=90)
    with pytest.raises(SettingError, match=r"at most 0\.99"):
        regressor[0].predict_interval(regressor[1], coverage=0.9999)


def test_a_model_saved_without_scores_says_what_to_do(classifier, tmp_path):
    folder = classifier[0].save(tmp_path / "model")
    described = json.loads((folder / "model.json").read_text())
    del described["conformal"], described["fair"]
    (folder / "model.json").write_text(json.dumps(described))
    old = octavo.load_model(folder)
    assert (old.predict(classifier[1]) == classifier[0].predict(classifier[1])).all()
    with pytest.raises(SettingError, match="Fit and save it again"):
        old.predict_set(classifier[1])


def test_weights_count():
    """Rows of weight zero with wild targets change nothing about the width."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    weight = np.repeat([1.0, 0.0], [300, 142])
    wild = y + 10_000 * (weight == 0) * np.where(np.arange(442) % 2, 1, -1)
    model = octavo.AutoRegressor(**{**QUICK, "max_trials": 1}).fit(X, wild, sample_weight=weight)
    ends = model.predict_interval(X[:300], 0.9)
    assert np.median(ends[:, 1] - ends[:, 0]) < 400


# Ensembles to choose from -------------------------------------------------------------


def test_the_front_offers_less_time_for_a_worse_score(classifier):
    model, X, _ = classifier
    table = model.front()
    assert (np.diff(table["roc_auc"]) <= 1e-12).all()  # best first
    assert {"members", "row_us", "size_mb", "ensemble"} <= set(table)
    assert model.result_.model is not None
    before = model.predict_proba(X)
    for number in range(len(table)):
        model.choose(number)
        assert len(model.model_.members) == table["members"][number]
        assert sum(member.weight for member in model.model_.members) == pytest.approx(1)
        assert model.predict_set(X).shape == (len(X), 2)
    pd.testing.assert_frame_equal(model.front(), table)  # still the whole offer
    with pytest.raises(SettingError, match=rf"rows 0 to {len(table) - 1}"):
        model.choose(len(table))
    model.choose(0)
    assert np.abs(model.predict_proba(X) - before).max() < 0.3


def test_leaderboard_tells_the_time_per_row(classifier):
    board = classifier[0].leaderboard()
    assert (board["row_us"] > 0).all()
    assert (board["size_mb"] > 0).all()


# Bounds -------------------------------------------------------------------------------


def test_a_model_within_its_size(classifier):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    sizes = classifier[0].leaderboard().set_index("trial")["size_mb"]
    bound = (sizes.min() + sizes.sum()) / 2  # one of the two fits, both do not
    model = octavo.AutoClassifier(**QUICK, constraints={"model_size": (None, f"{bound}MB")})
    model.fit(X.iloc[:400, :8], y[:400])
    used = model.leaderboard().query("weight > 0")["size_mb"].sum()
    assert used <= bound
    (told,) = model.model_.info["bounds"]
    assert told["is_met"] and told["value"] <= bound * 2**20
    assert "is kept" in told["told"]


def test_a_bound_that_cannot_be_kept_is_told():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = octavo.AutoRegressor(
        **{**QUICK, "max_trials": 1}, constraints={"inference_time": (None, "0.001us")}
    )
    with pytest.warns(BoundWarning, match="could not be kept: the best that was found is"):
        model.fit(X, y)
    assert any("could not be kept" in one for one in report_data(model.result_).warnings)


@pytest.mark.parametrize("by_group", [True, False])
def test_decisions_keep_a_gap_within_its_bound(by_group, tmp_path):
    X, y = biased_table()
    free = octavo.AutoClassifier(**QUICK, metric="accuracy", sensitive="sex").fit(X, y)
    gaps = free.fairness().query("group == '' and measure == 'demographic_parity'")
    assert gaps["low"].item() > 0.1
    model = octavo.AutoClassifier(
        **QUICK,
        metric="accuracy",
        sensitive="sex",
        sensitive_at_predict=by_group,
        constraints={"demographic_parity": (None, 0.08)},
    ).fit(X, y)
    (told,) = model.model_.info["bounds"]
    assert told["is_met"] and told["value"] <= 0.08
    cost = model.model_.info["cost_of_bounds"]
    assert cost["low"] <= cost["lost"] <= cost["high"]
    assert 0 < cost["lost"] < 0.4
    new, truth = biased_table(2000, seed=9)
    table = model.fairness(new, truth)
    gap = table.query("group == '' and measure == 'demographic_parity'").iloc[0]
    assert gap["low"] <= 0.08 or gap["value"] < 0.12
    loaded = octavo.load_model(model.save(tmp_path / "model"))
    assert (loaded.predict(new) == model.predict(new)).all()
    assert (model.model_.fair is not None) == by_group
    if by_group:
        with pytest.raises(DataError, match="'sex' is not in this table"):  # before it is scored
            loaded.predict(new.drop(columns="sex"))
    else:  # it never needs the column
        assert (loaded.predict(new.drop(columns="sex")) == model.predict(new)).all()


def test_the_gap_of_an_estimator_is_that_of_its_decisions():
    X, y = biased_table(600, seed=3)
    model = octavo.AutoClassifier(**QUICK, sensitive=["sex"]).fit(X, y)
    new, truth = biased_table(500, seed=4)
    table = model.fairness(new, truth)
    from octavo.ensemble.fairness import Groups

    said = (model.predict(new) == "yes").astype(int)
    gap = fairness_gap(
        "equalized_odds", (truth == "yes").astype(int), said, Groups.of(new["sex"].to_numpy())
    )
    found = table.query("group == '' and measure == 'equalized_odds'")["value"].item()
    assert found == pytest.approx(gap)
    assert {"demographic_parity", "equalized_odds"} <= set(model.front())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"constraints": {"demographic_parity": (None, 0.1)}}, "no sensitive column is named"),
        ({"constraints": {"model_sise": (None, 1)}}, "Did you mean 'model_size'"),
        ({"constraints": {"model_size": "20MB"}}, r"not a pair \(low, high\)"),
        ({"constraints": {"model_size": ("1MB", None)}}, "only the upper side"),
        ({"constraints": {"inference_time": (None, "fast")}}, "cannot be read as a time"),
        (
            {"sensitive": "sex", "constraints": {"equalized_odds": (None, 5)}},
            "strictly between 0 and 1",
        ),
        ({"sensitive": "sexx"}, "Did you mean 'sex'"),
        ({"sensitive": 3}, "name of a column"),
    ],
)
def test_bounds_that_mean_nothing_are_refused(settings, says):
    X, y = biased_table(60)
    with pytest.raises((SettingError, ValueError), match=says):
        octavo.AutoClassifier(**QUICK, **settings).fit(X, y)


def test_numbers_have_no_gaps_and_few_groups_no_comparison():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    with pytest.raises(SettingError, match="is for classes"):
        octavo.AutoRegressor(**QUICK, sensitive="sex").fit(X, y)
    X, y = biased_table(60)
    with pytest.raises(SettingError, match="one group only"):
        octavo.AutoClassifier(**QUICK, sensitive="sex").fit(X.assign(sex="f"), y)
    model = octavo.AutoClassifier(**{**QUICK, "max_trials": 1}).fit(X, y)
    with pytest.raises(SettingError, match="no sensitive column was named"):
        model.fairness()


# The report ---------------------------------------------------------------------------


def test_the_report_vouches(classifier, tmp_path):
    model = classifier[0]
    titles = [sheet.title for sheet in report_data(model.result_, importance_s=0).trust]
    assert titles == ["Calibration", "Prediction sets", "Drift of the test rows"]
    found = report_data(model.result_, importance_s=600)
    assert {"Time per row", "Robustness"} <= {sheet.title for sheet in found.trust}
    assert len(found.effects) == 6 and found.swarm is not None
    assert found.effects[0].column == found.importance[0].name
    hurried = report_data(model.result_, importance_s=0)
    assert not hurried.effects and hurried.swarm is None and not hurried.importance
    assert hurried.stopped.endswith("octavo report RUN, or report() in Python.")
    assert "no time" not in found.stopped
    page = model.report(tmp_path / "report.html").read_text()
    assert "How predictions change with a column" in page
    assert "What vouches for it" in page and "expected calibration error" in page
    card = model.report(tmp_path / "card.md").read_text()
    assert card.startswith("# Predicting target")
    assert "## Contributions" in card and card.count("### Effect of ") == 6
    assert "## Prediction sets" in card and "<" not in card.replace("&#60;", "")


def test_an_estimator_explains_the_rows_that_it_kept(classifier):
    model, X, _ = classifier
    found = model.explain(max_rows=10, rounds=2)
    assert found.values.shape == (10, 8, 2) and found.classes == ("bad", "good")
    scores = model.model_.canonical_scores(found.rows)
    np.testing.assert_allclose(found.predictions, scores, atol=1e-6)
    new = model.explain(X.head(3), rounds=2)
    np.testing.assert_allclose(new.predictions, model.predict_proba(X.head(3)), atol=1e-6)
    effect = model.partial_dependence("mean radius", grid_size=5)
    assert effect.classes == ("bad", "good") and effect.found.mean.shape == (5, 2)


def test_robustness_is_a_table(regressor):
    table = regressor[0].robustness()
    assert {"noise", "missing"} == set(table["kind"])
    worse = table.query("kind == 'missing'").sort_values("strength")["change"]
    assert worse.iloc[-1] > 0  # an error grows


def test_a_front_needs_the_members_predictions(regressor):
    from dataclasses import replace

    from octavo.tabular.choices import front_points

    result = regressor[0].result_
    old = replace(result, evidence=replace(result.evidence, members=None, member_rows=None))
    with pytest.raises(StudyError, match="Search again"):
        front_points(old)
