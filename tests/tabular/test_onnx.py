"""Models as ONNX files: which can be, and that onnxruntime predicts what the model does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from deliverable import fitted, table, target, with_made_columns
from scipy.special import ndtri

from octavo.ensemble.calibration import Calibration
from octavo.ensemble.thresholds import DecisionRule
from octavo.errors import SettingError, StorageError
from octavo.tabular.delivery.onnx_file import onnx_inputs
from octavo.tabular.delivery.onnx_graph import Graph
from octavo.tabular.delivery.onnx_members import original_numbers
from octavo.tabular.delivery.onnx_normal import interpolated, normal_scores
from octavo.tabular.model import Member
from octavo.tabular.models import CATALOG
from octavo.tabular.refit import fit_one
from octavo.tabular.settings import SearchSettings
from octavo.tabular.target_scale import fit_target_scale

ALWAYS = ("linear", "lightgbm", "xgboost", "random_forest", "extra_trees", "mlp")
WITHOUT_CATEGORIES = ("catboost", "histogram_boosting")
NEVER = ("nearest_neighbors", "svm", "gaussian_process", "network")
NUMBERS = ["size", "weight"]


def test_each_family_is_named():
    assert {*ALWAYS, *WITHOUT_CATEGORIES, *NEVER} == set(CATALOG)


def new_rows(columns=None):
    X = table(80, texts=False, seed=6)
    X.loc[3, "colour"] = "never seen"
    X.loc[4, "weight"] = np.nan
    return X if columns is None else X[columns]


def check(model, path, X, *, exact=1.0):
    """Both predict the same; a row on the edge of a split may differ."""
    session = onnxruntime.InferenceSession(model.export_onnx(path))
    inputs = onnx_inputs(model.schema, X)
    prediction = session.run(["prediction"], inputs)[0]
    scores = model.scores(X)
    if not model.is_classifier:
        near = np.isclose(prediction[:, 0], scores, rtol=1e-5, atol=1e-5)
        assert near.mean() >= exact
        return
    probabilities = session.run(["probabilities"], inputs)[0]
    near = np.isclose(probabilities, scores, rtol=0, atol=2e-6).all(axis=1)
    assert near.mean() >= exact
    sure = np.abs(np.sort(scores)[:, -1] - np.sort(scores)[:, -2]) > 1e-4
    if model.rule is None:
        assert prediction[sure & near].tolist() == model.predict(X)[sure & near].tolist()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", ALWAYS)
def test_families_that_can_predict_the_same(tmp_path, family, kind):
    check(fitted(family, kind, texts=False), tmp_path / "m.onnx", new_rows())


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
def test_columns_made_of_others_are_made_there_too(tmp_path, family):
    model, X = with_made_columns(family)
    (pipeline,) = model.members[0].pipelines
    made = {one.how for one in pipeline._preprocessor._generated.made}
    assert {"/", "target"} <= made and {"mean", "deviation", "count"} & made
    new = new_rows()
    new.loc[5, "weight"] = 0.0  # nothing can be divided by it
    check(model, tmp_path / "m.onnx", pd.concat([X[:200], new], ignore_index=True))


def on_numbers(family, kind, **more):
    X = table(200, texts=False)
    settings = SearchSettings(
        task="regression" if kind == "regression" else "classification",
        include=[family], seed=0, max_trials=1,
    )  # fmt: skip
    config = None
    if more:
        from octavo.tabular.prepare import prepare

        first = prepare(X[NUMBERS], target(X, kind), settings, seed=0, n_jobs=1).first[0]
        config = {**first, **more}
    return fit_one(config, X[NUMBERS], target(X, kind), settings)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", WITHOUT_CATEGORIES)
def test_some_can_without_categories(tmp_path, family, kind):
    check(on_numbers(family, kind), tmp_path / "m.onnx", new_rows(NUMBERS))


@pytest.mark.parametrize("family", [*WITHOUT_CATEGORIES, *NEVER])
def test_the_others_say_which_member_cannot_and_what_to_do(tmp_path, family):
    model = fitted(family, "binary", texts=False)
    with pytest.raises(SettingError, match=r"cannot be written in ONNX.*exclude=.*export\(\)") as e:
        model.export_onnx(tmp_path / "m.onnx")
    assert repr(model.members[0].name) in str(e.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("family", ALWAYS[:5])
def test_models_with_directions_are_as_others(tmp_path, family):
    X = table(200, texts=False)
    words = {"size": "increasing", "weight": "decreasing"}
    for kind in ("binary", "regression"):
        settings = SearchSettings(include=[family], seed=0, max_trials=1, monotone=words)
        model = fit_one(None, X, target(X, kind), settings)
        check(model, tmp_path / f"{kind}.onnx", new_rows(), exact=0.97)


def test_texts_and_dates_are_refused_by_name(tmp_path):
    with pytest.raises(SettingError, match=r"column 'sold' is a date.*'drop'"):
        fitted("linear", "binary").export_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("numbers", ["robust", "quantile"])
@pytest.mark.parametrize("missing", ["mean", "median"])
def test_every_scaling_of_numbers(tmp_path, numbers, missing):
    more = {"linear.prep:numbers": numbers, "linear.prep:missing": missing}
    X = new_rows(NUMBERS)
    check(on_numbers("linear", "binary", **prefixed(more)), tmp_path / "m.onnx", X)


def prefixed(more):
    from octavo.tabular.cash import PREP

    return {name.replace("prep:", PREP): value for name, value in more.items()}


@pytest.mark.parametrize("kind", ["none", "log", "quantile"])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_every_scale_of_the_target(kind, shift):
    y = np.append(np.random.default_rng(0).lognormal(3, 1, 200), 0.0) + shift
    scale = fit_target_scale(y, kind, None)
    values = np.linspace(scale.low - 1, scale.high + 1, 77)
    found = column(lambda graph, x: original_numbers(graph, x, scale), values)
    np.testing.assert_allclose(found, scale.original(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("temperature", 1.7),
        Calibration("temperature and bias", 0.8, (0.3, -0.2)),
        Calibration("isotonic", knots=((0.1, 0.02), (0.4, 0.5), (0.4, 0.6), (0.9, 0.97))),
    ],
)
def test_an_ensemble_with_calibration_and_rule(tmp_path, calibration):
    parts = [fitted(name, "binary", texts=False) for name in ("linear", "lightgbm", "extra_trees")]
    members = tuple(
        Member(part.members[0].name, None, weight, part.members[0].pipelines * 2)
        for part, weight in zip(parts, (0.5, 0.3, 0.2), strict=True)
    )
    model = replace(parts[0], members=members, calibration=calibration, rule=DecisionRule.at(0.3))
    X = new_rows()
    check(model, tmp_path / "m.onnx", X)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    labels = session.run(["prediction"], onnx_inputs(model.schema, X))[0]
    sure = np.abs(model.scores(X)[:, 1] - 0.3) > 1e-4
    assert labels[sure].tolist() == model.predict(X)[sure].tolist()


def test_labels_keep_their_type_and_no_rows_are_fine(tmp_path):
    X = table(100, texts=False)
    settings = SearchSettings(task="classification", include=["linear"], seed=0, max_trials=1)
    for y in ((X["weight"] > 20).astype(int), X["weight"] > 20):
        model = fit_one(None, X, y.rename("y"), settings)
        session = onnxruntime.InferenceSession(model.export_onnx(tmp_path / "m.onnx"))
        found = session.run(["prediction"], onnx_inputs(model.schema, X))[0]
        assert found.dtype == y.dtype and found.tolist() == model.predict(X).tolist()
        nothing = session.run(["prediction"], onnx_inputs(model.schema, X.head(0)))[0]
        assert nothing.shape == (0,)


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(StorageError, match="Give the path of a file"):
        fitted("linear", "binary", texts=False).export_onnx(tmp_path / "notes" / "m.onnx")


def column(make, values):
    graph = Graph()
    graph.output("y", make(graph, graph.input("x", np.float64)), np.float64, ["rows", 1])
    session = onnxruntime.InferenceSession(graph.model("test", {}).SerializeToString())
    return session.run(["y"], {"x": np.asarray(values, np.float64)[:, np.newaxis]})[0][:, 0]


def test_normal_scores_are_those_of_scipy():
    grid = np.linspace(0.0, 1.0, 256)
    values = np.concatenate([np.random.default_rng(0).uniform(-0.1, 1.1, 500), [0, 1, 0.5, np.nan]])
    found = column(lambda graph, x: normal_scores(graph, x, grid), values)
    np.testing.assert_allclose(
        found, ndtri(np.clip(values, 1e-4, 1 - 1e-4)), rtol=1e-12, atol=1e-12
    )


def test_interpolation_is_that_of_numpy_and_half_way_up_at_a_step():
    knots, heights = np.array([0.0, 1.0, 1.0, 3.0]), np.array([0.0, 1.0, 2.0, 2.5])
    values = np.array([-1.0, 0.25, 0.999, 1.001, 2.0, 9.0])
    found = column(lambda graph, x: interpolated(graph, x, knots, heights), values)
    np.testing.assert_allclose(found, np.interp(values, knots, heights), atol=1e-12)
    assert column(lambda graph, x: interpolated(graph, x, knots, heights), [1.0]) == [1.5]


def test_the_schema_goes_along(tmp_path):
    path = fitted("linear", "binary", texts=False).export_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(path)
    assert '"colour"' in session.get_modelmeta().custom_metadata_map["schema"]
    assert [entry.name for entry in session.get_inputs()] == list(table(texts=False).columns)
