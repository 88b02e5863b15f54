"""A saved model: complete, independent of the search, and careful with what it is given."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import octavo
from octavo.errors import DataError, StorageError
from octavo.tabular.model import FORMAT
from octavo.tabular.table import DataWarning


@pytest.fixture(scope="module")
def table():
    iris = load_iris(as_frame=True)
    frame = iris.data.rename(columns=lambda name: name.split(" (")[0].replace(" ", "_"))
    frame["colour"] = np.where(np.arange(150) % 3, "blue", "white")
    return frame, iris.target.map({0: "setosa", 1: "versicolor", 2: "virginica"})


@pytest.fixture(scope="module")
def saved(table, tmp_path_factory):
    X, y = table
    model = octavo.AutoClassifier(
        include=["linear", "lightgbm"], max_trials=2, time_limit=None, random_state=0
    ).fit(X, y)
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save(folder)
    return model, folder


def test_it_predicts_what_the_estimator_predicts(saved, table):
    model, folder = saved
    loaded = octavo.load_model(folder)
    np.testing.assert_array_equal(loaded.predict_proba(table[0]), model.predict_proba(table[0]))
    assert list(loaded.predict(table[0])) == list(model.predict(table[0]))


def test_loading_and_predicting_imports_none_of_the_search(saved, table, tmp_path):
    table[0].to_csv(tmp_path / "new.csv", index=False)
    code = (
        "import sys, pandas as pd, octavo\n"
        "model = octavo.load_model(sys.argv[1])\n"
        "assert len(model.predict(pd.read_csv(sys.argv[2]))) == 150\n"
        "unwanted = ['octavo.study', 'octavo.optimizers', 'octavo.executors', 'octavo.storage',\n"
        "            'sqlalchemy', 'ConfigSpace', 'pebble', 'plotly', 'octavo.report']\n"
        "print([name for name in unwanted if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved[1]), str(tmp_path / "new.csv")],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_order_of_rows_and_columns_does_not_matter(saved, table):
    loaded = octavo.load_model(saved[1])
    X = table[0]
    order = np.random.default_rng(0).permutation(len(X))
    turned = X.iloc[order][list(X.columns[::-1])].assign(extra=1)
    np.testing.assert_allclose(
        loaded.predict_proba(turned), loaded.predict_proba(X)[order], atol=1e-12
    )


def test_holes_and_news_are_fine(saved, table):
    loaded = octavo.load_model(saved[1])
    X = table[0].head(4).astype({"sepal_length": object})
    X.loc[0, "sepal_length"] = None
    X.loc[1, "sepal_length"] = "5,1"
    X.loc[2, "colour"] = "never seen"
    with pytest.warns(DataWarning, match=r"1 of 4 rows hold .* as a number, such as '5,1'"):
        probabilities = loaded.predict_proba(X)
    assert probabilities.shape == (4, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert loaded.predict(X.iloc[[0, 2]]).shape == (2,)
    assert loaded.predict(X.head(0)).shape == (0,)
    assert loaded.predict_proba(X.head(0)).shape == (0, 3)


def test_a_missing_column_warns_and_all_missing_refuse(saved, table):
    loaded = octavo.load_model(saved[1])
    with pytest.warns(DataWarning, match="petal_width"):
        loaded.predict(table[0].drop(columns="petal_width"))
    with pytest.raises(DataError, match="None of the 5 columns"):
        loaded.predict(pd.DataFrame({"a": [1.0]}))


def test_other_versions_warn(saved, tmp_path):
    saved[0].save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    described = json.loads(path.read_text())
    described["versions"]["scikit-learn"] = "0.1"
    path.write_text(json.dumps(described))
    with pytest.warns(UserWarning, match=r"trained with scikit-learn 0\.1"):
        octavo.load_model(tmp_path / "m")


STORED = Path(__file__).parent / "stored"


@pytest.mark.parametrize("folder", sorted(STORED.glob("format_*/")), ids=lambda path: path.name)
def test_models_of_earlier_formats_still_predict_what_they_did(folder):
    """Never store these anew: a later version must read what an earlier one wrote."""
    expected = json.loads(folder.with_name(f"{folder.name}_expected.json").read_text())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the model was trained with")
        model = octavo.load_model(folder)
    rows = pd.DataFrame(expected["rows"])
    np.testing.assert_allclose(model.scores(rows), expected["scores"], rtol=0, atol=1e-9)
    assert model.predict(rows).tolist() == expected["labels"]


def test_the_present_format_is_stored():
    assert (STORED / f"format_{FORMAT}" / "model.json").exists()


def test_a_pickle_whose_classes_are_gone_says_what_to_do(saved, tmp_path):
    saved[0].save(tmp_path / "m")
    member = tmp_path / "m" / "members" / "0.pkl.gz"
    held = gzip.decompress(member.read_bytes())
    renamed = held.replace(b"octavo.tabular.pipeline", b"octavo.tabular.pipelinf")
    member.write_bytes(gzip.compress(renamed))
    with pytest.raises(StorageError, match="install the versions that"):
        octavo.load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: (folder / "model.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "model.json").unlink(), "no saved model"),
        (lambda folder: (folder / "members" / "0.pkl.gz").unlink(), "incomplete"),
        (lambda folder: (folder / "members" / "0.pkl.gz").write_bytes(b"not a pickle"), "0.pkl.gz"),
    ],
)
def test_a_damaged_model_says_so(saved, tmp_path, harm, says):
    saved[0].save(tmp_path / "m")
    harm(tmp_path / "m")
    with pytest.raises(StorageError, match=says):
        octavo.load_model(tmp_path / "m")


def test_saving_replaces_a_model_and_nothing_else(saved, tmp_path, table):
    saved[0].save(tmp_path / "m")
    saved[0].save(tmp_path / "m")
    assert len(octavo.load_model(tmp_path / "m").predict(table[0])) == 150
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match="not a saved model"):
        saved[0].save(tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "other"]
