"""A folder that predicts without Octavo, as the model here does, with few libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from deliverable import fitted, table, target, with_made_columns
from sklearn.datasets import load_diabetes
from sklearn.tree import DecisionTreeRegressor

import octavo
from octavo.ensemble.calibration import Calibration
from octavo.ensemble.thresholds import DecisionRule
from octavo.errors import StorageError
from octavo.tabular import estimator_family
from octavo.tabular.model import Member
from octavo.tabular.models import CATALOG
from octavo.tabular.refit import fit_one
from octavo.tabular.settings import SearchSettings

WITHOUT_OCTAVO = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "octavo":
            raise ImportError("Octavo is not installed")

sys.meta_path.insert(0, Absent())
"""
PREDICT_ALL = (
    WITHOUT_OCTAVO
    + """
import importlib.util, pathlib, warnings
import numpy as np, pandas as pd

warnings.simplefilter("error")
new = pd.read_pickle(sys.argv[1])
for folder in map(pathlib.Path, sys.argv[2:]):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.load()
    np.save(folder / "scores.npy", model.scores(new))
    np.save(folder / "labels.npy", module.predict(new).astype("U"))
    if model.is_classifier:
        assert np.array_equal(module.predict_proba(new), model.scores(new))
assert not any(name.partition(".")[0] == "octavo" for name in sys.modules)
"""
)


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def predict_script(folder, *arguments):
    code = WITHOUT_OCTAVO + (
        "import runpy\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder / "predict.py"), *map(str, arguments)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def new_rows():
    """Rows of which some hold what training did not."""
    X = table(60, seed=5).astype({"size": object, "colour": object})
    X.loc[0, "size"] = " 3.5 "
    X.loc[1, "colour"] = "never seen"
    X.loc[2, "sold"] = None
    return X


@pytest.mark.parametrize(("kind", "texts"), [("multiclass", True), ("regression", False)])
def test_every_family_predicts_the_same_without_octavo(tmp_path, new_rows, kind, texts):
    models = {name: fitted(name, kind, texts=texts) for name in CATALOG}
    folders = [model.export(tmp_path / name) for name, model in models.items()]
    new_rows.to_pickle(tmp_path / "new.pkl")
    run(PREDICT_ALL, tmp_path / "new.pkl", *folders)
    for name, model in models.items():
        there = np.load(tmp_path / name / "scores.npy")
        np.testing.assert_allclose(there, model.scores(new_rows), rtol=0, atol=1e-12, err_msg=name)
        labels = np.load(tmp_path / name / "labels.npy")
        assert labels.tolist() == model.predict(new_rows).astype("U").tolist(), name


def test_columns_with_a_direction_keep_it_without_octavo(tmp_path):
    X = table(texts=False)
    words = {"size": "increasing", "weight": "decreasing"}
    names = ["linear", "extra_trees", "lightgbm"]
    folders = []
    for name in names:
        settings = SearchSettings(
            task="regression", include=[name], seed=0, max_trials=1, monotone=words
        )
        model = fit_one(None, X, target(X, "regression"), settings)
        folders.append(model.export(tmp_path / name))
    new = X.head(1).drop(columns="size").merge(pd.DataFrame({"size": np.arange(20.0)}), "cross")
    new.to_pickle(tmp_path / "new.pkl")
    run(PREDICT_ALL, tmp_path / "new.pkl", *folders)
    for name in names:
        there = np.load(tmp_path / name / "scores.npy")
        assert (np.diff(there) >= -1e-12).all() and there[-1] > there[0], name


def test_columns_made_of_others_are_made_without_octavo_too(tmp_path):
    model, X = with_made_columns()
    X[:50].to_pickle(tmp_path / "new.pkl")
    folder = model.export(tmp_path / "m")
    run(PREDICT_ALL, tmp_path / "new.pkl", folder)
    there = np.load(folder / "scores.npy")
    np.testing.assert_allclose(there, model.scores(X[:50]), rtol=0, atol=1e-12)
    code = (folder / "runtime" / "tabular" / "generated_features.py").read_text()
    assert "GeneratedFeatures" in code and "def fit_generated" not in code


def test_an_ensemble_with_calibration_and_rule_too(tmp_path, new_rows):
    parts = [
        fitted(name, "binary", texts=False) for name in ("linear", "lightgbm", "random_forest")
    ]
    model = replace(
        parts[0],
        members=tuple(
            Member(part.members[0].name, None, weight, part.members[0].pipelines)
            for part, weight in zip(parts, (0.5, 0.3, 0.2), strict=True)
        ),
        calibration=Calibration("temperature and bias", 1.7, (0.2, -0.1)),
        rule=DecisionRule.at(0.3),
    )
    new_rows.to_pickle(tmp_path / "new.pkl")
    run(PREDICT_ALL, tmp_path / "new.pkl", model.export(tmp_path / "e"))
    there = np.load(tmp_path / "e" / "scores.npy")
    np.testing.assert_allclose(there, model.scores(new_rows), rtol=0, atol=1e-12)
    assert np.load(tmp_path / "e" / "labels.npy").tolist() == model.predict(new_rows).tolist()


@pytest.mark.parametrize(
    ("family", "libraries"),
    [
        ("linear", {"numpy", "pandas", "scipy"}),
        ("lightgbm", {"numpy", "pandas", "scipy", "lightgbm"}),
        ("catboost", {"numpy", "pandas", "scipy", "catboost"}),
        ("xgboost", {"numpy", "pandas", "scipy", "xgboost-cpu"}),
        ("random_forest", {"numpy", "pandas", "scipy", "scikit-learn"}),
    ],
)
def test_only_the_libraries_of_its_members_are_required(tmp_path, family, libraries):
    folder = fitted(family, "binary", texts=False).export(tmp_path / "m")
    lines = (folder / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in lines} == libraries
    assert all(line.partition("==")[2] for line in lines)
    described = json.loads((folder / "model" / "model.json").read_text())
    assert [f"{name}=={version}" for name, version in described["versions"].items()] == lines
    code = "\n".join(path.read_text() for path in folder.glob("runtime/**/*.py"))
    assert not re.search(r"^\s*(import|from) octavo", code, re.MULTILINE)
    assert "ConfigSpace" not in code and ".fit(" not in code


def test_the_script_writes_predictions_and_refuses_in_a_sentence(tmp_path):
    model = fitted("linear", "binary", texts=False)
    folder = model.export(tmp_path / "m")
    X = table(9, texts=False, seed=3)
    X.to_csv(tmp_path / "new.csv", index=False)
    done = predict_script(folder, tmp_path / "new.csv", "--proba")
    (tmp_path / "found.csv").write_text(done.stdout)
    found = pd.read_csv(tmp_path / "found.csv")
    assert list(found.columns) == ["grade", "probability_bad", "probability_good"]
    assert found["grade"].tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(found["probability_good"], model.predict_proba(X)[:, 1], atol=1e-12)

    X.drop(columns="town").to_csv(tmp_path / "new.csv", index=False)
    done = predict_script(folder, tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert done.returncode == 0 and "Warning: 1 of 5 columns are not in this" in done.stderr
    assert done.stdout == "" and len(pd.read_csv(tmp_path / "p.csv")) == 9

    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_csv(tmp_path / "new.csv", index=False)
    done = predict_script(folder, tmp_path / "new.csv")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("Error: None of the 5 columns of the training table")
    assert len(done.stderr.splitlines()) == 1
    done = predict_script(folder, tmp_path / "absent.csv")
    assert done.returncode == 2 and "There is no file 'absent.csv'" in done.stderr


def test_an_export_is_replaced_but_nothing_else_is(tmp_path):
    model = fitted("linear", "binary", texts=False)
    folder = model.export(tmp_path / "m")
    assert model.export(folder) == folder
    loaded = octavo.load_model(folder)  # Octavo reads it as well
    X = table(texts=False)
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match="not a model that was exported"):
        model.export(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "notes.txt"]


def test_the_readme_names_the_columns(tmp_path):
    readme = (fitted("lightgbm", "multiclass").export(tmp_path / "m") / "README.md").read_text()
    assert "| colour | category | blue, green, red |" in readme
    assert "and 2 more |" in readme  # of the 14 towns
    assert "one of high, low, mid" in readme and "LightGBM" in readme


def test_the_users_own_estimator_brings_its_library(tmp_path):
    family = estimator_family(
        "tree",
        lambda config: DecisionTreeRegressor(max_depth=config["depth"]),
        space={"depth": octavo.Integer(2, 12)},
        tasks=("regression",),
    )
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = octavo.AutoRegressor(
        families=[family], include=["tree"], max_trials=1, time_limit=None, random_state=0
    ).fit(X, y)
    folder = model.export(tmp_path / "m")
    assert "scikit-learn==" in (folder / "requirements.txt").read_text()
    X.to_pickle(tmp_path / "new.pkl")
    run(PREDICT_ALL, tmp_path / "new.pkl", folder)
    np.testing.assert_allclose(np.load(folder / "scores.npy"), model.predict(X), atol=1e-12)


def test_the_models_that_are_delivered_have_learned_something():
    X = table(texts=False)
    assert (
        fitted("lightgbm", "binary", texts=False).predict(X) == target(X, "binary")
    ).mean() > 0.8
