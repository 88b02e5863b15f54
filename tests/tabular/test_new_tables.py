"""Tables at prediction time that are not as the training table was."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deliverable import fitted, table

from octavo.errors import DataError
from octavo.tabular import model as model_module
from octavo.tabular.table import DataWarning


@pytest.fixture(scope="module")
def model():
    return fitted("lightgbm", "binary")


def same(model, X, expected):
    np.testing.assert_array_equal(model.scores(X), model.scores(expected))


def test_numbers_and_dates_written_as_text_are_read(model):
    X = table(30, seed=8)
    texts = X.assign(
        size=X["size"].map(lambda x: None if np.isnan(x) else f" {x} ").astype(object),
        weight=X["weight"].map(repr).astype(object),
        sold=X["sold"].dt.strftime("%Y-%m-%d").astype(object),
        remark=X["remark"].astype("category"),
    )
    same(model, texts, X)
    same(model, X.astype({"weight": "Float64", "colour": "category", "town": "string"}), X)
    same(model, X.assign(**{"is new": X["is new"].str.upper()}), X)


def test_order_and_extra_columns_do_not_matter_and_rows_keep_theirs(model):
    X = table(30, seed=8)
    same(model, X[X.columns[::-1]].assign(grade="good", other=1), X)
    rows = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(model.scores(X.iloc[rows]), model.scores(X)[rows])


def test_a_repeated_name_is_said_and_the_first_of_it_counts(model):
    X = table(5, seed=8)
    doubled = pd.concat([X, pd.DataFrame({"size": [1e9] * 5})], axis=1)
    with pytest.warns(DataWarning, match="Several columns are named 'size'"):
        found = model.scores(doubled)
    np.testing.assert_array_equal(found, model.scores(X))


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("weight", "heavy", r"1 of 5 rows hold something in 'weight' .* a number, such as 'heavy'"),
        ("weight", np.inf, "1 of 5 rows hold something in 'weight' .* a number, such as inf"),
        ("weight", "-inf", "'weight' .* a number, such as '-inf'"),
        ("weight", pd.Timestamp("2024-01-01"), "'weight' .* a number"),
        ("sold", "soon", "'sold' .* a date, such as 'soon'"),
        ("is new", "perhaps", "'is new' .* a boolean, such as 'perhaps'"),
        ("weight", [1, 2], "'weight' .* a number"),
    ],
)
def test_what_cannot_be_read_is_missing_and_said(model, column, cell, says):
    X = table(5, seed=8).astype({column: object})
    X.at[2, column] = cell
    with pytest.warns(DataWarning, match=says):
        found = model.scores(X)
    X.at[2, column] = None
    np.testing.assert_array_equal(found, model.scores(X))


def test_unknown_categories_are_missing_and_said_only_where_none_is_known(model):
    X = table(30, seed=8)
    some = X.assign(colour=X["colour"].where(np.arange(30) > 3, "pink"))
    same(model, some, X.assign(colour=X["colour"].where(np.arange(30) > 3, None)))
    with pytest.warns(DataWarning, match="No cell of 'town' holds a category .* such as 7"):
        found = model.scores(X.assign(town=7))
    np.testing.assert_array_equal(found, model.scores(X.assign(town=None)))
    assert model.predict(X.head(1).assign(town="elsewhere")).shape == (1,)  # one row: no alarm


def test_words_for_missing_are_no_news(model):
    X = table(30, seed=8).astype({"size": object})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(model, X.assign(size="?", town="NA"), X.assign(size=None, town=None))


def test_no_rows_give_no_predictions(model):
    for empty in (table(5).head(0), pd.DataFrame({"size": [], "colour": []})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            assert model.scores(empty).shape == (0, 2)
            assert model.predict(empty).shape == (0,)


def test_arrays_are_read_by_position_and_refused_by_width(model):
    with pytest.raises(DataError, match="X has 3 features, but the model is expecting 7"):
        model.predict(np.zeros((2, 3)))


def test_parts_of_a_table_give_what_the_whole_gives(model, monkeypatch):
    X = table(50, seed=8).astype({"size": object})
    X.loc[3, "size"] = "much"
    X.loc[44, "size"] = "little"
    with pytest.warns(DataWarning):
        whole = model.scores(X)
    monkeypatch.setattr(model_module, "CHUNK_ROWS", 7)
    with pytest.warns(DataWarning, match=r"2 of 50 rows hold .* such as 'much'") as caught:
        parts = model.scores(X)
    assert len(caught) == 1
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


def test_a_million_rows_need_little_more_than_themselves():
    # In a process of its own, because a peak cannot be forgotten.
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_new_tables\nprint(*test_new_tables.predict_a_million())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True
    )
    grown_mb, n = map(float, done.stdout.split())
    assert n == 1_000_000
    # The predictions take 16 MB, a part of 100,000 rows about 50 MB with all that is made of it;
    # the canonical form of the whole table would take 300 MB, its matrices twice that.
    assert grown_mb < 250


def predict_a_million():
    import resource

    X = table(1000, texts=False)
    small = fitted("linear", "binary", texts=False)
    small.scores(X)  # what is loaded at first use is loaded
    many = pd.DataFrame({name: np.tile(X[name].to_numpy(), 1000) for name in X})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scores = small.scores(many)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, len(scores)
