"""A portfolio in front of a tabular search, and runs that become one."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.naive_bayes import GaussianNB

import octavo
from octavo.errors import DataError, SettingError, StorageError
from octavo.tabular import estimator_family
from octavo.tabular.cash import cash_space, first_configurations, shape_of
from octavo.tabular.earlier import earlier_run
from octavo.tabular.pipeline import predicted_seconds
from octavo.tabular.portfolio import as_portfolio, opening, shipped, table_features
from octavo.tabular.schema import infer_schema
from octavo.transfer import KnownTask, Portfolio, build_portfolio, from_histories
from octavo.transfer.portfolio import Source

ROOT = Path(__file__).parents[2]
MEMBERS = Portfolio((
    {"model": "lightgbm", "lightgbm.num_leaves": 7, "lightgbm.learning_rate": 0.2,
     "lightgbm.prep.text": "word-svd", "lightgbm.no_such": 3},
    {"model": "gaussian_process"},
    {"model": "a_model_of_somebody_else", "a_model_of_somebody_else.depth": 3},
    {"model": "linear", "linear.penalty": "fixed", "linear.strength": 1e9},
))  # fmt: skip


def iris():
    frame = load_iris(as_frame=True)
    schema = infer_schema(frame.data, frame.target)
    y = frame.target.to_numpy()
    return schema, schema.apply(frame.data), y


def iris_space(**chosen):
    schema, table, y = iris()
    shape = shape_of(schema, table, y, "multiclass")
    return cash_space(schema, shape, **chosen), first_configurations(schema, shape, **chosen)


def test_members_are_completed_and_those_of_absent_families_left_out():
    space, then = iris_space(include=["lightgbm", "linear"])
    found = opening(MEMBERS, space, then=then)
    assert [config["model"] for config in found[:2]] == ["lightgbm", "linear"]
    assert found[0]["lightgbm.num_leaves"] == 7
    assert "lightgbm.prep.text" not in found[0]
    assert {name for name in found[0] if name.startswith("lightgbm.")} > {"lightgbm.num_leaves"}
    assert found[1]["linear.strength"] < 1e9
    for config in found:
        assert space.check(config) == config
    assert [config for config in then if config not in found] == []
    keys = space.encode(found).keys()
    assert len(set(keys)) == len(keys)


def test_a_default_that_is_a_member_is_not_tried_twice():
    space, then = iris_space(include=["lightgbm", "linear"])
    found = opening(Portfolio((then[2],)), space, then=then)
    assert found == [then[2], then[0], then[1], *then[3:]]


def test_narrower_choices_of_the_user_hold_for_members_too():
    space, _ = iris_space(include=["lightgbm"], updates={"lightgbm.learning_rate": 0.05})
    (found,) = opening(MEMBERS, space)
    assert found["lightgbm.learning_rate"] == 0.05


def test_similar_tables_decide_what_comes_first_if_features_are_given():
    schema, table, y = iris()
    space, _ = iris_space(include=["lightgbm", "linear"])
    here = table_features(schema, y, "multiclass", table=table)
    large = {**here, "log_rows": 14.0}
    members = (
        {"model": "lightgbm"}, {"model": "linear", "linear.penalty": "path"}
    )  # fmt: skip
    sources = [Source("large", "large", large, (0.0, 1.0), (1.0, 1.0)),
               Source("large, too", "large, too", large, (0.0, 1.0), (1.0, 1.0)),
               Source("small", "small", here, (1.0, 0.0), (1.0, 1.0))]  # fmt: skip
    portfolio = Portfolio(members, sources)
    assert [c["model"] for c in opening(portfolio, space)] == ["lightgbm", "linear"]
    near = opening(portfolio, space, features=here)
    assert [c["model"] for c in near] == ["linear", "lightgbm"]


def test_features_of_a_table():
    n = 200
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["u", "v", "w"], n)})
    table["c"] = np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n))
    y = (table["a"] > 0).astype(int).to_numpy()
    schema = infer_schema(table, y)
    found = table_features(schema, y, "binary", table=schema.apply(table))
    assert found["log_rows"] == pytest.approx(math.log(n))
    assert found["share_category"] == pytest.approx(1 / 3)
    assert found["missing_share"] == pytest.approx(table.isna().to_numpy().mean())
    assert found["log_most_levels"] == pytest.approx(math.log(3))
    assert found["landmark_line"] > 0.5
    without = table_features(schema, None, "binary")
    assert math.isnan(without["log_classes"])
    assert "landmark_line" not in without


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two searches that lie in folders: one on classes, one on numbers."""
    home = tmp_path_factory.mktemp("runs")
    settings = {"time_limit": None, "max_trials": 4, "include": ["linear", "nearest_neighbors"],
                "resampling": "holdout", "random_state": 0}  # fmt: skip
    X, y = load_iris(return_X_y=True, as_frame=True)
    octavo.AutoClassifier(output_folder=home / "iris", **settings).fit(X, y)
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    octavo.AutoRegressor(output_folder=home / "sugar", **settings).fit(X, y)
    return home


def test_runs_become_a_portfolio_that_another_search_begins_with(runs, tmp_path):
    tasks = [earlier_run(runs / name) for name in ("iris", "sugar")]
    assert [task.name for task in tasks] == ["iris", "sugar"]
    assert tasks[0].features["log_classes"] == pytest.approx(math.log(3))
    assert tasks[0].features["landmark_nearest"] > 0.8
    assert "petal" not in tasks[0].group  # a portfolio is passed on, names of columns are not
    portfolio = build_portfolio(from_histories(tasks), size=4)
    file = portfolio.save(tmp_path / "portfolio.json")
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = octavo.AutoClassifier(
        max_trials=2, time_limit=None, random_state=1, portfolio=file, include=["linear"],
        resampling="holdout",
    )  # fmt: skip
    model.fit(X, y)
    expected = [member for member in portfolio.members if member["model"] == "linear"]
    tried = [trial.config for trial in model.history_]
    assert expected
    for member, config in zip(expected, tried, strict=False):
        assert {name: config.get(name) for name in member} == member
    assert clone(model).get_params()["portfolio"] == file


def test_a_run_whose_data_is_gone_still_tells_its_trials(runs, tmp_path):
    shutil.copytree(runs / "iris", tmp_path / "iris")
    shutil.rmtree(tmp_path / "iris" / "data")
    task = earlier_run(tmp_path / "iris")
    assert len(task.history) == 4
    assert math.isnan(task.features["log_classes"])
    assert task.features["log_rows"] == pytest.approx(math.log(150))


def test_other_studies_are_tasks_too(tmp_path):
    space = octavo.space(x=octavo.Float(0, 1))
    octavo.minimize(
        lambda c: c["x"], space, max_trials=3, seed=0, storage=tmp_path / "mlp"
    ).close()  # fmt: skip
    task = earlier_run(tmp_path / "mlp")
    assert (task.name, len(task.history), dict(task.features)) == ("mlp", 3, {})
    assert isinstance(task, KnownTask)
    with pytest.raises(StorageError, match="no study in"):
        earlier_run(tmp_path / "nothing")


def test_what_is_no_portfolio_is_refused(tmp_path):
    assert as_portfolio(None, "portfolio") is None
    assert as_portfolio(MEMBERS, "portfolio") is MEMBERS
    X, y = load_iris(return_X_y=True)
    for given in (3, "", ["linear"]):
        with pytest.raises(SettingError, match=r"portfolio=.* of type .*portfolio\.json"):
            octavo.AutoClassifier(portfolio=given, time_limit=None, max_trials=1).fit(X, y)
    with pytest.raises(DataError, match="cannot be read"):
        as_portfolio(tmp_path / "none.json", "portfolio")


# The portfolio that Octavo brings ----------------------------------------------------------


def test_octavos_own_is_learned_on_many_tables_but_none_of_those_it_is_judged_on():
    judged = pd.read_csv(ROOT / "benchmarks" / "tabular" / "results.csv")["dataset"].unique()
    sources = {source.name for source in shipped().sources}
    assert len(sources) >= 50 and len(judged) == 20
    assert not sources & set(judged)
    assert len({member["model"] for member in shipped().members}) >= 6


def test_octavos_own_follows_the_linear_model_unless_it_is_turned_off():
    """In the order of similar tables and of what each will take here."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    limits = {"max_trials": 6, "time_limit": None, "random_state": 0, "resampling": "holdout"}
    own = octavo.AutoClassifier(**limits).fit(X, y)
    schema, table, codes = iris()
    features = table_features(schema, codes, "multiclass", table=table)
    prepared = own.result_.prepared
    expected = opening(
        shipped(),
        prepared.space,
        features=features,
        seconds_of=lambda config: predicted_seconds(config, prepared.shape),
    )
    tried = [dict(trial.config) for trial in own.history_]
    assert tried[0]["model"] == "linear"
    assert tried[1:] == [config for config in expected if config != tried[0]][:5]
    off = octavo.AutoClassifier(**limits, portfolio=None).fit(X, y)
    assert [dict(trial.config) for trial in off.history_] != tried


def test_a_familys_own_defaults_still_come_where_octavos_own_has_none():
    X, y = load_iris(return_X_y=True, as_frame=True)
    mine = estimator_family("mine", lambda config: GaussianNB(), space={})
    model = octavo.AutoClassifier(
        max_trials=2, time_limit=None, random_state=0, include=["mine"], families=[mine]
    ).fit(X, y)
    assert model.history_[0].config["model"] == "mine"
