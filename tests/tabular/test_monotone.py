"""Columns with which predictions may only rise or fall: families, ensembles, what is refused."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import octavo
from octavo.errors import SettingError
from octavo.tabular.cash import not_tried
from octavo.tabular.models import CATALOG, Shape, is_installed
from octavo.tabular.monotone import largest_reversal, with_directions
from octavo.tabular.pipeline import cash_space, first_configurations, make_pipeline, shape_of
from octavo.tabular.reporting import report_data
from octavo.tabular.runs import load_result
from octavo.tabular.schema import Schema, infer_schema

KEEPING = [
    name for name, family in CATALOG.items() if family.keeps_directions and is_installed(family)
]
DIRECTIONS = {"age": 1, "price": -1}
WORDS = {"age": "increasing", "price": "decreasing"}
QUICK = {"time_limit": None, "max_trials": 3, "random_state": 0}
TASKS = ("regression", "binary")


def goods(n=300, seed=0):
    """A table whose target goes up and down with both columns, which is tempting to follow."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "age": rng.normal(40, 10, n),
            "town": rng.choice(list("abcdefghijklmn"), n),
            "price": rng.lognormal(3, 1, n),
            "share": rng.random(n),
        }
    )
    raw = 2 * np.sin(X["age"] / 6) + X["age"] / 20 + 2 * np.cos(3 * np.log(X["price"]))
    raw = raw - np.log(X["price"]) + 2 * X["share"] * X["town"].isin(list("abc"))
    X.loc[rng.random(n) < 0.1, "age"] = np.nan
    return X, (raw + rng.normal(size=n)).to_numpy()


def target(task, raw):
    return raw if task == "regression" else np.where(raw > np.median(raw), "yes", "no")


def paths(predict, X, name, n_rows=30, seed=0):
    """Predictions of rows while one column grows, from below what was seen to above it."""
    rng = np.random.default_rng(seed)
    known = X[name].dropna().to_numpy()
    reach = np.ptp(known) / 10
    values = np.sort(
        np.append(rng.uniform(known.min() - reach, known.max() + reach, 30), rng.choice(known, 20))
    )
    rows = X.sample(n_rows, random_state=seed)
    tried = rows.loc[rows.index.repeat(len(values))].reset_index(drop=True)
    tried[name] = np.tile(values, n_rows)
    found = predict(tried)
    return (found[:, 1] if found.ndim == 2 else found).reshape(n_rows, -1)


def assert_monotone(predict, X, directions=DIRECTIONS):
    for name, direction in directions.items():
        found = paths(predict, X, name)
        steps = direction * np.diff(found, axis=1)
        assert steps.min() > -1e-9 * np.abs(found).max(), name


def question(task, n=300):
    X, raw = goods(n)
    schema = with_directions(infer_schema(X), DIRECTIONS)
    y = raw if task == "regression" else (raw > np.median(raw)).astype(int)
    table = schema.apply(X)
    return X, y, schema, table, shape_of(schema, table, y, task)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", KEEPING)
def test_families_keep_their_promise_whatever_their_settings(name, task):
    X, y, schema, table, shape = question(task)
    space = cash_space(schema, shape, include=[name])
    drawn = space.decode(space.sample(3, np.random.default_rng(0)))
    for config in [*first_configurations(schema, shape, include=[name])[:2], *drawn]:
        pipeline = make_pipeline(config, schema, shape, seed=0).fit(table, y)
        assert_monotone(lambda rows, p=pipeline: p.predict_scores(schema.apply(rows)), X)
        assert np.ptp(pipeline.predict_scores(table)) > 0.1, "a constant keeps any promise"


def test_without_the_promise_it_would_be_broken():
    X, y, schema, table, shape = question("regression")
    free = with_directions(schema, {})
    shape = replace(shape, directions=())
    (config, *_) = first_configurations(free, shape, include=["lightgbm"])
    pipeline = make_pipeline(config, free, shape, seed=0).fit(table, y)
    with pytest.raises(AssertionError):
        assert_monotone(lambda rows: pipeline.predict_scores(free.apply(rows)), X)


@pytest.mark.parametrize("task", TASKS)
def test_the_ensemble_keeps_it_as_do_its_copies(task, tmp_path):
    X, raw = goods()
    kind = octavo.AutoRegressor if task == "regression" else octavo.AutoClassifier
    model = kind(**QUICK, monotone=WORDS, output_folder=tmp_path / "run").fit(X, target(task, raw))
    predict = model.predict if task == "regression" else model.predict_proba
    assert_monotone(predict, X)
    loaded = octavo.load_model(model.save(tmp_path / "model"))
    assert_monotone(loaded.scores, X)
    assert {one.name: one.direction for one in loaded.schema.features if one.direction} == (
        DIRECTIONS
    )
    found = report_data(load_result(tmp_path / "run"), importance_s=0)
    sheets = {sheet.title: sheet for sheet in found.trust}
    rows = sheets["Monotone columns"].rows
    assert [row[:2] for row in rows] == [("age", "rise"), ("price", "fall")]
    assert not sheets["Monotone columns"].alerts


def test_a_resumed_search_and_a_refit_keep_it(tmp_path):
    from octavo.tabular.refit import refit_model
    from octavo.tabular.search import resume_search

    X, raw = goods()
    X = X.drop(columns="town")
    folder = tmp_path / "run"
    include = ["linear", "lightgbm"]
    octavo.AutoRegressor(**QUICK, monotone=WORDS, include=include, output_folder=folder).fit(X, raw)
    result = resume_search(folder, max_trials=5)
    assert len(result.history) == 5
    assert_monotone(result.model.predict, X)
    assert_monotone(refit_model(result, result.model, X, raw).predict, X)


def test_calibration_and_thresholds_keep_the_order():
    X, raw = goods(400)
    y = target("binary", raw)
    y[:40] = "yes"  # probabilities that are too sure of themselves
    settings = {"metric": "accuracy", "include": ["random_forest", "lightgbm"]}
    model = octavo.AutoClassifier(**QUICK, **settings, monotone=WORDS).fit(X, y)
    assert_monotone(model.predict_proba, X)
    assert_monotone(lambda rows: (model.predict(rows) == "yes").astype(float), X)


def test_what_cannot_keep_it_is_left_out_with_a_sentence():
    _, _, schema, _, shape = question("binary")
    space = cash_space(schema, shape)
    assert set(space.domains[0].choices) == set(KEEPING)
    (sentence,) = [one for one in not_tried(shape) if "monotone" in one]
    assert "Support vector machine" in sentence and sentence.endswith("are left out.")
    assert "LightGBM" not in sentence
    assert not any("monotone" in one for one in not_tried(replace(shape, directions=())))
    names = [domain.name for domain in space.domains]
    assert "random_forest.prep.generated" not in names  # divisions by zero would be missing
    assert "lightgbm.prep.generated" in names
    assert not any(name.endswith((".loss", ".norm")) for name in names)
    with pytest.raises(SettingError, match="cannot keep monotone constraints"):
        cash_space(schema, shape, include=["nearest_neighbors"])


def test_no_column_is_made_of_one_with_a_direction():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.lognormal(size=(2000, 4)), columns=["a", "b", "age", "price"])
    y = (X["a"] / X["b"] - X["price"] / X["age"]).to_numpy()
    free = infer_schema(X)
    made = {}
    for schema in (free, with_directions(free, DIRECTIONS)):
        shape = shape_of(schema, X, y, "regression")
        (config,) = [
            one for one in first_configurations(schema, shape, include=["lightgbm"])
            if one["lightgbm.prep.generated"]
        ]  # fmt: skip
        pipeline = make_pipeline(config, schema, shape, seed=0)
        matrix = pipeline._preprocessor.fit_transform(schema.apply(X), y)
        names = pipeline._preprocessor.get_feature_names_out()[4:].tolist()
        made[schema is free] = {word for name in names for word in name.split() if len(word) > 1}
    assert "age" in made[True]
    assert not made[False] & {"age", "price"}
    assert pipeline._preprocessor.directions_[:4] == (0, 0, 1, -1)
    assert len(pipeline._preprocessor.directions_) == matrix.shape[1] > 4


def test_linear_models_are_the_same_where_signs_are_as_wished():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["age", "price"])
    y = (3 * X["age"] - 2 * X["price"]).to_numpy() + rng.normal(size=300)
    found = []
    for schema in (infer_schema(X), with_directions(infer_schema(X), DIRECTIONS)):
        shape = shape_of(schema, X, y, "regression")
        config = {"model": "linear", "linear.penalty": "fixed", "linear.strength": 1e-3}
        found.append(make_pipeline(config, schema, shape, seed=0).fit(X, y).predict_scores(X))
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)


def test_the_largest_step_the_wrong_way_is_found():
    X, _ = goods(50)
    squares = lambda rows: (rows["age"] - 40).to_numpy() ** 2  # noqa: E731
    assert largest_reversal(squares, X, "age", 1) > 1 < largest_reversal(squares, X, "age", -1)
    assert largest_reversal(lambda rows: rows["price"].to_numpy(), X, "price", 1) == 0
    assert largest_reversal(squares, X.assign(age=np.nan), "age", 1) == 0


def test_schemas_of_before_have_no_direction():
    described = infer_schema({"age": [1.0, 2.0, 3.5]}).to_json()
    del described["features"][0]["direction"]
    assert Schema.from_json(described).features[0].direction == 0


def test_shapes_of_before_are_free():
    shape = Shape("binary", n_rows=10, n_features=1)
    *before, _ = shape.__getstate__()
    restored = Shape.__new__(Shape)
    restored.__setstate__(before)
    assert restored == shape and not restored.is_monotone


def test_columns_that_models_do_not_see_keep_any_direction():
    X, raw = goods()
    X["always"] = 3.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = octavo.AutoRegressor(
            **{**QUICK, "max_trials": 1}, monotone={"always": "increasing"}, include=["linear"]
        ).fit(X, raw)
    assert len({model.predict(X.head(1).assign(always=value))[0] for value in (1, 9)}) == 1


def test_tasks_take_it_as_an_option_of_their_pipelines():
    X, raw = goods()
    task = octavo.TabularRegressionTask(include_components=["linear"])
    task.set_pipeline_options(monotone=WORDS)
    assert task.get_pipeline_options()["monotone"] == WORDS
    model = task.fit_pipeline(X_train=X, y_train=raw)
    assert_monotone(model.predict, X)


def test_the_command_line(tmp_path, capsys):
    from octavo.cli import main

    X, raw = goods()
    X.assign(sold=target("binary", raw)).to_csv(tmp_path / "goods.csv", index=False)
    arguments = ["fit", tmp_path / "goods.csv", "--target", "sold", "--trials", "1", "--seed", "0"]
    arguments += ["--include", "linear", "--include", "svm", "--out", tmp_path / "run", "--json"]
    arguments += ["--monotone", "age=increasing", "--monotone", "price=decreasing"]
    with pytest.raises(SystemExit) as stop:
        main([str(one) for one in arguments])
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["monotone"] == WORDS
    assert any("cannot keep monotone constraints" in one for one in said["not_tried"])
    assert "Monotone columns" in (tmp_path / "run" / "report.html").read_text()
    assert_monotone(octavo.load_model(tmp_path / "run").scores, X)
