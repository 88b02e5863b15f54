"""Families whose library is absent or takes long to load, and that networks need none."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from octavo.tabular.costs import TrialCosts
from octavo.tabular.models import CATALOG, Shape
from octavo.tabular.models.network import recipe_of
from octavo.tabular.pipeline import cash_space, make_pipeline, shape_of
from octavo.tabular.schema import infer_schema

BINARY = Shape("binary", n_rows=1000, n_features=10, n_classes=2)
WITHOUT_XGBOOST = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, *rest: None if name == "xgboost" else find(name, *rest)
)
from sklearn.datasets import load_iris
import octavo
from octavo.tabular.models import Shape
from octavo.tabular.pipeline import left_out

X, y = load_iris(return_X_y=True, as_frame=True)
shape = Shape("multiclass", 150, 4, n_classes=3)
print(left_out(shape)["xgboost"])
model = octavo.AutoClassifier(max_trials=2, time_limit=None, random_state=0, n_jobs=1).fit(X, y)
print(model.score(X, y) > 0.9)
try:
    octavo.AutoClassifier(include=["xgboost"], max_trials=1, time_limit=None).fit(X, y)
except ImportError as error:
    print(type(error).__name__, error)
"""


def default(shape):
    family = CATALOG["network"]
    return {name: choice.default for name, choice in family.space(shape).items()}


def test_without_a_library_everything_else_works_and_it_is_said_what_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_XGBOOST],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    absent, works, refused = done.stdout.splitlines()
    assert 'pip install "octavo[tabular]"' in absent
    assert works == "True"
    assert refused.startswith("MissingExtra the family XGBoost")


def test_a_network_is_trained_without_torch():
    """It would cost every worker 120 MiB and more than a second."""
    code = (
        "import sys, numpy as np\n"
        "sys.modules['torch'] = None\n"
        "from octavo.tabular.models import CATALOG, Shape\n"
        "shape = Shape('binary', 90, 9, n_classes=2)\n"
        "space = CATALOG['network'].space(shape)\n"
        "config = {name: choice.default for name, choice in space.items()}\n"
        "model = CATALOG['network'].build(config, shape, seed=0, n_threads=1)\n"
        "X = np.random.default_rng(0).normal(size=(90, 9)).astype(np.float32)\n"
        "y = (X[:, 0] > 0).astype(np.int64)\n"
        "model.fit(X, y, sample_weight=None, categorical=(), deadline=float('inf'))\n"
        "assert model.predict(X).shape == (90, 2)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_a_library_is_priced_until_a_trial_has_been_measured():
    config = {"model": "network"} | {f"network.{k}": v for k, v in default(BINARY).items()}
    slow = {"network": replace(CATALOG["network"], startup_s=2.0)}
    costs = TrialCosts(BINARY, n_fits=3, n_threads=1, families=slow)
    before = costs.guess(config)
    costs.learn(config, before)
    assert costs.guess(config) == pytest.approx(before - 2.0)
    assert costs.predict(config) == pytest.approx(1.3 * (before - 2.0))


def test_more_rows_get_fewer_epochs_and_larger_steps():
    recipes = [recipe_of(default(BINARY), n) for n in (100, 4000, 20_000, 100_000)]
    epochs = [recipe.epochs for recipe in recipes]
    assert epochs == sorted(epochs, reverse=True)
    assert [recipe.batch_rows for recipe in recipes] == [128, 128, 256, 256]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_pipeline_with_a_network_takes_any_row(task):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=150),
            "color": rng.choice(["red", "green", "blue"], 150),
            "city": rng.choice([f"city {i}" for i in range(25)], 150),
            "same": 1.0,
        }
    )
    frame.loc[::9, "size"] = np.nan
    frame.loc[::7, "city"] = None
    y = np.nan_to_num(frame["size"].to_numpy()) + (frame["color"] == "red")
    if task == "binary":
        y = (y > 0.3).astype(np.int64)
    schema = infer_schema(frame)
    X = schema.apply(frame)
    shape = shape_of(schema, X, y, task)
    space = cash_space(schema, shape, include=["network"])
    config = {**space.default(), "network.width": 32}
    weight = rng.random(150) + 0.1
    pipeline = make_pipeline(config, schema, shape, seed=0).fit(X, y, sample_weight=weight)
    strange = pd.DataFrame(
        {"size": [np.nan, 1e300], "color": ["mauve", None], "city": ["Rome", "city 3"], "same": 7.0}
    )
    for rows in (strange, frame, frame.iloc[:0]):
        found = pipeline.predict_scores(schema.apply(rows))
        assert len(found) == len(rows)
        assert np.isfinite(found).all()
    known = pipeline.predict_scores(X)
    if task == "binary":
        assert np.mean(known.argmax(axis=1) == y) > 0.85
    else:
        assert np.corrcoef(known, y)[0, 1] > 0.8
