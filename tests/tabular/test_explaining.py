"""Explanations of whole ensembles: they add up, and name the columns that matter."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest

from octavo.ensemble.calibration import Calibration
from octavo.errors import DataError, SettingError
from octavo.tabular.cash import family_of
from octavo.tabular.model import Member, TabularModel
from octavo.tabular.models import CATALOG, is_installed
from octavo.tabular.pipeline import first_configurations, make_pipeline, shape_of
from octavo.tabular.schema import infer_schema
from octavo.tabular.target import infer_target

TREES = [
    name
    for name in (
        "lightgbm", "xgboost", "catboost", "histogram_boosting", "random_forest", "extra_trees",
    )
    if is_installed(CATALOG[name])
]  # fmt: skip
N = 150


def table():
    """Numbers, a truth, categories, a date and words, of which `noise` says nothing."""
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a", "b", "noise"])
    found["level"] = rng.choice(["low", "mid", "high"], N)
    found["truth"] = rng.choice(["no", "yes"], N)
    found["day"] = pd.date_range("2024-01-01", periods=N, freq="37h")
    found["words"] = [" ".join(rng.choice(["red", "old", "new", "big"], 5)) for _ in range(N)]
    found.loc[rng.random(N) < 0.1, "a"] = np.nan
    return found


def signal(X):
    return np.nan_to_num(X["a"]) * 3 + 2.0 * (X["level"] == "high") + (X["truth"] == "yes")


def target(task):
    y = signal(table()).to_numpy()
    if task == "regression":
        return y
    n_classes = 2 if task == "binary" else 3
    return np.array(["bad", "fair", "good"])[
        np.digitize(y, np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1]))
    ]


@cache
def model(task, *names, folds=1, calibration=None, **wanted):
    """An ensemble without a search, each fold's pipelines fitted on other rows."""
    X = table()
    schema, goal = infer_schema(X), infer_target(target(task))
    canonical, y = schema.apply(X), goal.encode(target(task))
    shape = shape_of(schema, canonical, y, goal.kind)
    members = []
    for name in names:
        config = first_configurations(schema, shape, include=[name])[0] | {
            key: value for key, value in wanted.items() if key.startswith(f"{name}.")
        }
        assert family_of(config).name == name
        pipelines = []
        for fold in range(folds):
            rows = np.arange(N) % (folds + 1) != fold
            pipeline = make_pipeline(config, schema, shape, seed=fold)
            pipelines.append(pipeline.fit(canonical[rows], y[rows]))
        members.append(Member(CATALOG[name].title, None, 1 / len(names), tuple(pipelines)))
    return TabularModel(schema, goal, tuple(members), "log_loss", calibration=calibration)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", TREES)
def test_values_of_trees_add_up_to_the_prediction(name, task):
    made = model(task, name, folds=2)
    found = made.explain(table().head(20))
    np.testing.assert_allclose(found.predictions, made.scores(table().head(20)), atol=2e-5)
    assert found.exact == 1 and not found.error.any() and not found.notes
    assert found.columns == made.schema.names
    assert found.values.shape[:2] == (20, 7)
    # Not against `words`: forests that look at few columns use its thirty axes.
    assert found.importance()["noise"] < 0.5 * found.importance()["a"]


def test_members_without_trees_are_sampled_and_named():
    made = model("binary", "lightgbm", "linear")
    found = made.explain(table().head(6), background=table(), rounds=4)
    np.testing.assert_allclose(found.predictions, made.scores(table().head(6)), atol=1e-6)
    assert found.exact == 0.5 and found.error.max() > 0
    assert "50% of the ensemble's weight is made of trees" in found.notes[0]
    assert "Linear model" in found.notes[0]


def test_trees_alone_leave_the_others_out_and_say_so():
    made, alone = model("binary", "lightgbm", "linear"), model("binary", "lightgbm")
    found = made.explain(table().head(6), method="trees")
    np.testing.assert_allclose(found.predictions, alone.scores(table().head(6)), atol=1e-6)
    (note,) = found.notes
    assert note.startswith("Left out, as they are not made of trees: Linear model.")
    assert "other 50% of the ensemble's weight" in note


@pytest.mark.parametrize(
    ("task", "calibration"),
    [
        ("binary", Calibration("temperature and bias", 1.7, (0.2, -0.2))),
        ("binary", Calibration("isotonic", knots=((0.0, 0.1), (0.4, 0.5), (1.0, 0.9)))),
        ("multiclass", Calibration("temperature and bias", 1.7, (0.2, -0.2, 0.1))),
    ],
)
def test_values_add_up_behind_calibration(task, calibration):
    made = model(task, "lightgbm", calibration=calibration)
    found = made.explain(table().head(20))
    np.testing.assert_allclose(found.predictions, made.scores(table().head(20)), atol=1e-6)
    np.testing.assert_allclose(found.values.sum(axis=2), 0, atol=1e-6)


def test_sampling_and_trees_tell_much_the_same_story():
    made = model("regression", "lightgbm")
    exact = made.explain(table().head(30))
    sampled = made.explain(table().head(30), background=table(), method="sampling", rounds=30)
    assert sampled.exact == 0
    np.testing.assert_allclose(sampled.predictions, made.scores(table().head(30)), atol=1e-6)
    assert np.corrcoef(exact.values.ravel(), sampled.values.ravel())[0, 1] > 0.9


def test_columns_of_the_matrix_belong_to_columns_of_the_table():
    made = model("binary", "extra_trees", **{"extra_trees.prep.generate": 3})
    preprocessor = made.members[0].pipelines[0]._preprocessor
    shares = preprocessor.column_shares()
    names = preprocessor.get_feature_names_out()
    assert shares.shape == (len(names), 7)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    for row, name in zip(shares, names, strict=True):
        assert all(made.schema.names[at] in name for at in np.flatnonzero(row))


def test_forests_of_earlier_versions_are_sampled():
    """They were saved without the rows of their leaves."""
    (member,) = model("regression", "extra_trees").members
    (pipeline,) = pickle.loads(pickle.dumps(member.pipelines))
    assert pipeline.has_contributions
    state = pipeline._model.__getstate__()
    for tree in state["forest_"]["trees"]:
        del tree["cover"]
    pipeline._model.__setstate__(state)
    assert not pipeline.has_contributions


def test_one_class_one_row_and_the_plots():
    found = model("multiclass", "lightgbm").explain(table().head(10))
    good = found.of_class("good")
    assert good.values.shape == (10, 7) and good.classes == ("good",)
    row = found.of_row(3, "good")
    assert row.loc["truth", "value"] in ("no", "yes")
    assert list(row.columns) == ["value", "contribution", "error"]
    assert abs(row["contribution"].sum() + good.base - good.predictions[3]) < 1e-9
    assert (row["contribution"].abs().diff().dropna() <= 1e-12).all()
    assert len(found.plot(label="good").data) == 7
    assert len(found.plot("bar").data[0].x) == 7
    assert found.plot_row(0).data[0].type == "waterfall"


def test_an_effect_of_one_column_and_of_two():
    made = model("regression", "lightgbm")
    found = made.partial_dependence("a", table())
    assert np.corrcoef(found.grid(), found.found.mean[:, 0])[0, 1] > 0.9
    assert list(found.frame().columns) == ["a", "mean", "low", "high"]
    truth = made.partial_dependence("truth", table())
    assert list(truth.grid()) == ["no", "yes"]
    both = made.partial_dependence(["level", "a"], table(), grid_size=4)
    assert both.found.mean.shape == (3, 4, 1) and len(both.frame()) == 12
    assert both.plot().data[0].type == "heatmap" and found.plot().data
    assert truth.plot().data[0].type == "bar"


def test_an_effect_on_classes_is_of_their_probabilities():
    made = model("multiclass", "lightgbm")
    found = made.partial_dependence("a", table(), grid_size=5)
    np.testing.assert_allclose(found.found.mean.sum(axis=1), 1)
    assert found.said("good") == "probability of good"
    mean = found.found.mean[:, found.place("good")]
    assert mean[-1] > mean[0]
    assert list(found.frame()["class"].unique()) == ["bad", "fair", "good"]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda m: m.explain(table().head(0)), DataError, "no rows to explain"),
        (lambda m: m.explain(table(), method="shap"), SettingError, "method='shap' is no way"),
        (lambda m: m.explain(table(), max_rows=0), SettingError, "max_rows=0"),
        (lambda m: m.explain(table().head(2)).of_class("goood"), SettingError, "mean 'good'"),
        (lambda m: m.explain(table().head(2)).of_row(2), SettingError, "row=2 is not among the 2"),
        (lambda m: m.partial_dependence("levle", table()), SettingError, "mean 'level'"),
        (lambda m: m.partial_dependence("words", table()), SettingError, "'words' is text"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, said):
    with pytest.raises(error, match=said):
        call(model("multiclass", "lightgbm"))


def test_what_needs_a_background_or_trees_is_refused_without():
    made = model("binary", "linear")
    with pytest.raises(SettingError, match="background=None"):
        made.explain(table().head(1))
    with pytest.raises(SettingError, match="finds no trees in this ensemble of Linear model"):
        made.explain(table(), method="trees")
    with pytest.raises(SettingError, match="has no classes to choose from"):
        model("regression", "lightgbm").explain(table().head(3)).of_class("good")
