"""The benchmark of schedules measures what it says: what is spent, and who is best."""

import sys
from importlib import import_module
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from octavo.problem import Fidelity
from octavo.spaces import Float, space

HERE = Path(__file__).parents[2] / "benchmarks" / "multi_fidelity"


@pytest.fixture
def scripts(monkeypatch, hpo_scripts):
    """Its modules can be imported by their bare names, in this test only."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == HERE:
            del sys.modules[name]


class Scripted:
    """A system that asks what it is told to ask."""

    version = "0"

    def __init__(self, asked, asks):
        self._asked, self._asks = asked, iter(asks)
        self.told = []

    def start(self, task, seed, budget):
        return self

    def ask(self):
        x, fidelity = next(self._asks)
        return self._asked({"x": x}, fidelity, None)

    def tell(self, asked, cost):
        self.told.append(cost)


def task_of(scripts, *, resumes):
    def evaluate(config, fidelity):
        return np.nan if config["x"] > 0.9 else config["x"] + (10 - fidelity) / 10

    tasks = scripts("tasks")
    return tasks.Task(
        "line", space(x=Float(0, 1)), Fidelity("f", 1, 10), evaluate, resumes, worst=2.0
    )


ASKS = [(0.5, 1), (0.2, 2), (0.5, 10), (0.95, 10), (0.4, 10), (0.4, 10), (0.3, 10)]


def test_an_evaluation_costs_its_fidelity_or_what_is_new_of_it(scripts):
    spending = scripts("spending")
    for resumes, spent in ((False, (0.1, 0.3, 1.3, 3.3)), (True, (0.1, 0.3, 1.2, 3.2))):
        system = Scripted(spending.Asked, ASKS)
        found = spending.search(task_of(scripts, resumes=resumes), system, seed=0, budget=4)
        costs = [cost for _, cost in found.improvements]
        # A higher fidelity counts more than a lower cost; what counts is the cost in full.
        assert costs[:4] == pytest.approx([0.5, 0.2, 0.5, 0.4])
        assert [at for at, _ in found.improvements][:4] == pytest.approx(spent)
        assert np.isnan(system.told[3]) and found.best(1.0) == pytest.approx(0.2)
        # Asked once more, it costs nothing where it can go on from its end.
        assert found.n_evaluations == (7 if resumes else 6)


def test_what_is_never_found_is_nan(scripts):
    summarize = scripts("spending")
    assert np.isnan(summarize.Search(((2.0, 0.1),), 1, 0.0).best(1.0))


def test_every_variant_is_a_recipe(scripts):
    variants = scripts("variants")
    for name in variants.VARIANTS:
        assert variants.recipe_of(name).eta == 3


CONFIGS = {
    "mlp": {
        "units": 8,
        "layers": 2,
        "activation": "tanh",
        "learning_rate": 0.01,
        "one_minus_beta1": 0.1,
        "batch": 16,
        "l2": 1e-4,
    },
    "lightgbm": {
        "learning_rate": 0.1,
        "num_leaves": 7,
        "min_child_samples": 5,
        "lambda_l1": 1e-3,
        "lambda_l2": 1e-3,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
    },
}


@pytest.fixture
def table(tmp_path):
    """A folder with one table of three classes, numbers, a category and something missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    frame["d"] = pd.Categorical(rng.choice(["x", "y"], 120))
    frame["target"] = np.select([frame["a"] > 0.5, frame["d"] == "x"], ["p", "q"], "r")
    frame.loc[3, "b"] = np.nan
    (tmp_path / "tabular").mkdir()
    frame.to_parquet(tmp_path / "tabular" / "small.parquet")
    return tmp_path


@pytest.mark.parametrize("model", CONFIGS)
def test_live_training_goes_on_where_it_stopped(scripts, table, model):
    live = scripts("live")
    kind = live.MODELS[model]
    config = kind.space.check(CONFIGS[model])
    in_steps, worst = live.curves(model, "small", table)
    at_once, _ = live.curves(model, "small", table)
    costs = [in_steps(config, steps) for steps in (3, 9, 27)]
    assert at_once(config, 27) == costs[-1] < worst / 2  # better than knowing the rates only
    assert [at_once(config, steps) for steps in (3, 9)] == costs[:2]


def test_rounds_of_boosting_are_those_of_lightgbm(scripts, table):
    live = scripts("live")
    X, y, X_judged, y_judged = live._split("small", table)
    settings = {
        **CONFIGS["lightgbm"], "objective": "multiclass", "num_class": 3, "bagging_freq": 1,
        "num_threads": 1, "seed": 0, "verbosity": -1,
    }  # fmt: skip
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), num_boost_round=20)
    cost, _ = live.curves("lightgbm", "small", table)
    assert cost(CONFIGS["lightgbm"], 20) == pytest.approx(
        log_loss(y_judged, booster.predict(X_judged))
    )


def test_training_that_diverges_is_a_failure(scripts, table):
    live = scripts("live")
    cost, _ = live.curves("mlp", "small", table)
    config = CONFIGS["mlp"] | {"learning_rate": 1e200, "activation": "relu"}
    assert np.isnan(cost(config, 27))


def test_half_of_the_recorded_tasks_only_report(scripts):
    names = scripts("tasks").NAMES
    halves = [scripts("halves").half_of(name) for name in names]
    assert halves.count("develop") == halves.count("report") == 14
    assert halves.count("live") == 8
