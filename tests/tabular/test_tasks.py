"""Auto-PyTorch's call: every method works, every argument is read or refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

import octavo
from octavo.errors import SettingError, StudyError

FEW = {"include_components": ["linear", "lightgbm", "nearest_neighbors"]}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return train_test_split(X, y.map({0: "a", 1: "b", 2: "c"}), random_state=0, stratify=y)


@pytest.fixture(scope="module")
def searched(wine, tmp_path_factory):
    X_train, X_test, y_train, y_test = wine
    folder = tmp_path_factory.mktemp("task") / "run"
    task = octavo.TabularClassificationTask(seed=3, n_jobs=2, output_directory=folder, **FEW)
    returned = task.search(
        optimize_metric="accuracy",
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
        dataset_name="wine",
        budget_type="runtime",
        max_budget=6,
        total_walltime_limit=10,
        func_eval_time_limit_secs=7,
        memory_limit=3000,
    )
    assert returned is task
    return task, folder


def test_sets_and_a_front_come_with_a_task(searched, wine):
    task, _ = searched
    sets = task.predict_set(wine[1], coverage=0.8)
    assert sets.shape == (len(wine[1]), 3)
    assert len(task.front()) >= 1


def test_it_predicts_and_scores(searched, wine):
    task, _ = searched
    _, X_test, _, y_test = wine
    predicted = task.predict(X_test)
    assert task.score(predicted, y_test) == {"accuracy": accuracy_score(y_test, predicted)}
    assert task.score(task.predict_proba(X_test), y_test)["accuracy"] > 0.8


def test_limits_reach_the_trials(searched):
    task, folder = searched
    with octavo.open_study(folder, write=False) as study:
        limits = study.settings["run"]["trial_limits"]
        assert limits == {"wall_s": 6.0, "cpu_s": None, "memory_mb": 3000.0}
        assert study.seed == 3
    assert {trial.config["model"] for trial in task.run_history} <= set(FEW["include_components"])


def test_what_was_found_can_be_looked_at(searched):
    task, _ = searched
    weights = [weight for weight, _ in task.get_models_with_weights()]
    assert sum(weights) == pytest.approx(1)
    assert "weight" in task.show_models()
    assert "Dataset name: wine" in task.sprint_statistics()
    config, found = task.get_incumbent_results()
    assert config["model"] in FEW["include_components"]
    best = max(-t.costs[0] for t in task.run_history if t.succeeded)
    assert found["accuracy"] == best
    assert len(task.get_search_results()) == len(task.run_history)
    assert task.trajectory[-1].cost == -best
    assert set(task.get_search_space()["model"].choices) == set(FEW["include_components"])
    steps = task.ensemble_performance_history
    assert steps[-1]["validation_accuracy"] >= steps[-1]["single_best_accuracy"] - 1e-9
    assert 0 <= steps[-1]["test_accuracy"] <= 1


def test_performance_over_time_is_drawn(searched):
    task, _ = searched
    figure = task.plot_perf_over_time()
    steps = task.ensemble_performance_history
    drawn = {line.name: line.y for line in figure.data}
    assert list(drawn["ensemble (validation)"]) == [s["validation_accuracy"] for s in steps]
    with pytest.raises(SettingError, match=r"'roc_auc' was not measured.*'accuracy'"):
        task.plot_perf_over_time("roc_auc")


def test_refitting_uses_all_rows_and_one_pipeline_per_member(wine):
    X_train, X_test, y_train, y_test = wine
    task = octavo.TabularClassificationTask(
        seed=1, resampling_strategy="k_fold_cross_validation",
        resampling_strategy_args={"num_splits": 3}, **FEW,
    )  # fmt: skip
    task.set_pipeline_options(refit_full=False)
    task.search("log_loss", X_train, y_train, total_walltime_limit=15)
    before = len(task.get_models_with_weights())
    task.refit(X_train, y_train)
    after = task.get_models_with_weights()
    assert 3 * len(after) == before
    assert accuracy_score(y_test, task.predict(X_test)) > 0.8
    with pytest.raises(SettingError, match=r"log_loss.*predict_proba"):
        task.score(task.predict(X_test), y_test)


def test_one_pipeline_can_be_fitted(wine):
    X_train, _, y_train, _ = wine
    task = octavo.TabularClassificationTask(**FEW)
    pipeline = task.fit_pipeline(X_train=X_train, y_train=y_train)
    assert "inear" in pipeline.describe()
    space = task.get_search_space(X_train, y_train)
    config = dict(space.sample_configuration())
    assert task.fit_pipeline(config, X_train=X_train, y_train=y_train).describe()


def test_regression_has_no_probabilities():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    task = octavo.TabularRegressionTask(
        seed=0, ensemble_size=1, resampling_strategy="k_fold_cross_validation",
        resampling_strategy_args={"num_splits": 3},
        search_space_updates={"lightgbm.num_leaves": 8},
        include_components=["linear", "lightgbm"],
    )  # fmt: skip
    task.search("rmse", X, y, total_walltime_limit=15)
    assert len(task.get_models_with_weights()) == 1  # one member, fitted on all rows
    assert task.score(task.predict(X), y)["rmse"] < np.std(y)
    assert not hasattr(task, "predict_proba")
    leaves = {
        t.config["lightgbm.leaves"] for t in task.run_history if "lightgbm.leaves" in t.config
    }
    assert leaves <= set(range(4, 9))


def test_pipeline_options_are_read_and_unknown_ones_refused():
    task = octavo.TabularClassificationTask()
    task.set_pipeline_options(n_threads=2, calibrate=False)
    assert task.get_pipeline_options() == {
        "n_threads": 2, "ensemble_thrift": 0.05, "refit_full": True, "stack": "auto",
        "sampling": "auto", "calibrate": False,
        "tune_decision": True, "monotone": None,
    }  # fmt: skip
    with pytest.raises(SettingError, match=r"'epochs'.*calibrate"):
        task.set_pipeline_options(epochs=5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"budget_type": "epochs"}, "budget_type='epochs' is not available"),
        ({"min_budget": 5}, "min_budget=5 means nothing without budget_type"),
        ({"budget_type": "runtime", "min_budget": 5}, "min_budget=5 would be read by no one"),
        ({"tae_func": print}, "'tae_func'"),
        ({"total_walltime": 5}, "Did you mean 'total_walltime_limit'"),
    ],
)
def test_arguments_without_meaning_are_refused(wine, arguments, says):
    with pytest.raises(SettingError, match=says):
        octavo.TabularClassificationTask().search("accuracy", wine[0], wine[2], **arguments)


def test_before_a_search_there_is_nothing_to_show():
    with pytest.raises(StudyError, match="has not searched yet"):
        octavo.TabularRegressionTask().show_models()


def test_every_pipeline_of_the_ensemble_predicts_by_itself(searched, wine):
    task, _ = searched
    _, X_test, _, _ = wine
    mixed = sum(
        weight * one.predict_proba(X_test) for weight, one in task.get_models_with_weights()
    )
    # accuracy looks at labels: nothing stands between the mixture and what is reported
    # but its calibration, which keeps the order of the classes
    found = task.predict_proba(X_test)
    np.testing.assert_array_equal(mixed.argmax(axis=1), found.argmax(axis=1))
    _, one = task.get_models_with_weights()[0]
    assert set(one.predict(X_test)) <= {"a", "b", "c"}


def test_one_fitted_pipeline_is_a_model(wine, tmp_path):
    X_train, X_test, y_train, y_test = wine
    task = octavo.TabularClassificationTask(seed=4)
    model = task.fit_pipeline(
        {"model": "nearest_neighbors"} | neighbours(task, X_train, y_train),
        X_train=X_train,
        y_train=y_train,
        optimize_metric="accuracy",
        feat_types={"hue": "categorical"},
    )
    assert model.metric == "accuracy"
    assert model.describe().startswith("100% Nearest neighbours")
    assert {one.name: one.kind for one in model.schema.features}["hue"] == "category"
    assert accuracy_score(y_test, model.predict(X_test)) > 0.8
    model.save(tmp_path / "one")
    loaded = octavo.load_model(tmp_path / "one")
    assert (loaded.predict(X_test) == model.predict(X_test)).all()


def neighbours(task, X, y):
    """Some configuration of the nearest neighbours, from the space itself."""
    while True:
        config = dict(task.get_search_space(X, y, {"hue": "categorical"}).sample_configuration())
        if config["model"] == "nearest_neighbors":
            return config


def test_a_task_keeps_what_it_is_told_to_keep(wine, tmp_path):
    X_train, _, y_train, _ = wine
    (tmp_path / "scratch").mkdir()
    task = octavo.TabularClassificationTask(
        seed=2,
        n_jobs=2,
        exclude_components=["catboost", "mlp"],
        ensemble_size=30,
        ensemble_nbest=3,
        max_models_on_disc=2,
        temporary_directory=tmp_path / "scratch",
        output_directory=tmp_path / "run",
    )
    task.search("log_loss", X_train, y_train, feat_types=["numerical"] * 12 + ["categorical"],
                total_walltime_limit=8)  # fmt: skip
    kept = list((tmp_path / "run" / "trials").glob("*/models.pkl"))
    assert 1 <= len(kept) <= 2
    assert len({w for w in task.get_search_results()["weight"] if w > 0}) <= 2
    assert not {t.config["model"] for t in task.run_history} & {"catboost", "mlp"}
    kinds = [one.kind for one in octavo.load_model(tmp_path / "run").schema.features]
    assert kinds == ["number"] * 12 + ["category"]
    assert not list((tmp_path / "scratch").iterdir())


def test_only_neural_networks_where_traditional_pipelines_are_not_wanted(wine):
    X_train, _, y_train, _ = wine
    task = octavo.TabularClassificationTask(
        seed=0,
        resampling_strategy="holdout_validation",
        resampling_strategy_args={"val_share": 0.3},
    )
    task.search("accuracy", X_train, y_train, total_walltime_limit=9,
                enable_traditional_pipeline=False)  # fmt: skip
    models = {trial.config["model"] for trial in task.run_history}
    assert "mlp" in models and models <= {"mlp", "network"}
    ((train, valid),) = task._found().prepared.resampling.folds
    assert len(valid) / (len(train) + len(valid)) == pytest.approx(0.3, abs=0.02)
    task = octavo.TabularClassificationTask(include_components=["linear"])
    with pytest.raises(SettingError, match=r"\['linear'\].*leave nothing to search"):
        task.search("accuracy", X_train, y_train, enable_traditional_pipeline=False)


def test_a_temporary_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"temporary folder.*does not exist"):
        octavo.TabularClassificationTask(temporary_directory=tmp_path / "no")
