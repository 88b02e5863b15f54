"""Pipelines over whole tables, and the joint space that they come from."""

import pickle
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.naive_bayes import GaussianNB

from octavo.errors import DataError, MissingExtra, OutOfTimeError, SettingError, SpaceError
from octavo.spaces import Categorical, Float, Integer
from octavo.tabular.models import CATALOG, Shape, estimator_family, is_installed
from octavo.tabular.pipeline import (
    cash_space,
    first_configurations,
    left_out,
    make_pipeline,
    predicted_memory_mb,
    predicted_seconds,
    shape_of,
)
from octavo.tabular.schema import infer_schema
from octavo.tabular.target_scale import fit_target_scale, is_skewed

INSTALLED = [name for name in sorted(CATALOG) if is_installed(CATALOG[name])]
QUICK = ["linear", "lightgbm", "nearest_neighbors", "extra_trees"]
TASKS = ["binary", "multiclass", "regression"]


class Table:
    """A canonical table with its schema, encoded target and shape."""

    def __init__(self, frame, y, task):
        self.y = np.asarray(y)
        self.schema = infer_schema(frame)
        self.X = self.schema.apply(frame)
        self.shape = shape_of(self.schema, self.X, self.y, task)

    def config(self, name, **wanted):
        config = first_configurations(self.schema, self.shape, include=[name])[0]
        return config | {f"{name}.{key}": value for key, value in wanted.items()}

    def fitted(self, name, rows=slice(None), *, seed=0, families=None, **options):
        config = name if isinstance(name, dict) else self.config(name)
        pipeline = make_pipeline(config, self.schema, self.shape, seed=seed, families=families)
        return pipeline.fit(self.X.iloc[rows], self.y[rows], **options)

    def scores(self, name, rows=slice(None), **options):
        return self.fitted(name, rows, **options).predict_scores(self.X)


def mixed(task, n=150, seed=0):
    """A real small table, to which categories, missing cells, dates and words are added."""
    loader = {"binary": load_breast_cancer, "multiclass": load_wine, "regression": load_diabetes}
    X, y = loader[task](return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[:n]
    frame = pd.DataFrame(X[rows][:, :6], columns=[f"x{i}" for i in range(6)])
    frame["level"] = pd.qcut(frame["x0"], 4, labels=["a", "b", "c", "d"]).astype(object)
    frame["code"] = [f"k{i}" for i in rng.integers(0, 30, n)]
    frame["day"] = pd.date_range("2024-01-01", periods=n, freq="37h")
    frame["words"] = [" ".join(rng.choice(["red", "old", "new", "big"], 5)) for _ in range(n)]
    frame = frame.mask(rng.random(frame.shape) < 0.08)
    y = y[rows] if task != "regression" else y[rows].astype(float)
    return Table(frame, y, task)


def numbers(n=60, task="binary", seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    signal = frame["a"] + 0.3 * rng.normal(size=n)
    y = signal.to_numpy() if task == "regression" else (signal > 0).to_numpy().astype(int)
    return Table(frame, y, task)


# Pipelines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_random_configurations_all_fit(task, repeats):
    table = mixed(task, 90)
    space = cash_space(table.schema, table.shape)
    rng = np.random.default_rng(5)
    for config in space.decode(space.sample(10 * repeats, rng)):
        pipeline = table.fitted(config, deadline=time.monotonic() + 5)
        again = pickle.loads(pickle.dumps(pipeline))
        scores = again.predict_scores(table.X)
        assert np.isfinite(scores).all(), config
        assert np.allclose(scores, pipeline.predict_scores(table.X), rtol=1e-4, atol=1e-5), config
        if task != "regression":
            assert scores.shape == (90, table.shape.n_classes)
            assert np.allclose(scores.sum(axis=1), 1)
        assert pipeline.describe().startswith(CATALOG[config["model"]].title)
        assert pipeline.size > 0


@pytest.mark.parametrize("name", QUICK)
def test_equal_seeds_give_equal_pipelines(name):
    table = mixed("multiclass")
    one, two = table.scores(name, seed=3), table.scores(name, seed=3)
    assert np.array_equal(one, two)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("factor", [2.0**40, 2.0**-30])  # exact, so that no tie breaks otherwise
def test_the_unit_of_a_target_does_not_matter(name, factor):
    table = numbers(60, "regression")
    small = table.scores(name)
    table.y = table.y * factor
    assert np.allclose(table.scores(name) / factor, small, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_fold_may_lack_classes(name):
    table = mixed("multiclass", 120)
    rows = np.flatnonzero(table.y != 1)
    scores = table.scores(name, rows)
    assert scores.shape == (120, 3)
    assert (scores[:, 1] == 0).all()
    assert np.mean(scores[rows].argmax(axis=1) == table.y[rows]) > 0.8
    alone = table.scores(name, np.flatnonzero(table.y == 2))
    assert np.array_equal(alone, np.tile([0.0, 0.0, 1.0], (120, 1)))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", INSTALLED)
def test_ten_rows_suffice(name, task):
    table = mixed(task, 10, seed=1)
    assert np.isfinite(table.scores(name)).all()


@pytest.mark.parametrize("name", INSTALLED)
def test_one_column_suffices(name):
    x = np.linspace(0, 1, 60)
    table = Table(pd.DataFrame({"x": x}), (x > 0.5).astype(int), "binary")
    assert np.mean(table.scores(name).argmax(axis=1) == table.y) > 0.9


@pytest.mark.parametrize("name", ["linear", "extra_trees", "nearest_neighbors", "lightgbm", "svm"])
def test_a_hundred_classes(name):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(100), 4)
    frame = pd.DataFrame(rng.normal(size=(400, 3)) * 0.05 + np.array([y % 10, y // 10, y]).T / 10)
    if name == "svm":
        assert "svm" in left_out(Table(frame, y, "multiclass").shape)
        return
    scores = Table(frame, y, "multiclass").scores(name)
    assert scores.shape == (400, 100)
    assert np.mean(scores.argmax(axis=1) == y) > 0.5


@pytest.mark.parametrize("name", QUICK)
def test_a_constant_target_or_table_gives_the_usual(name):
    table = numbers(40, "regression")
    table.y = np.full(40, 7.5)
    assert np.allclose(table.scores(name), 7.5)
    table = numbers(40)
    table.X.loc[:, :] = 1.0
    assert np.allclose(table.scores(name), np.bincount(table.y) / 40)
    table.X.loc[:, :] = np.nan
    assert np.allclose(table.scores(name), np.bincount(table.y) / 40)


@pytest.mark.parametrize("name", QUICK)
def test_rows_without_weight_are_not_seen(name):
    table = numbers(80)
    weight = np.ones(80)
    weight[::3] = 0
    seen = np.flatnonzero(weight)
    alone = table.scores(name, seen)
    table.y[::3] = 1 - table.y[::3]
    assert np.array_equal(table.scores(name, sample_weight=weight), alone)


@pytest.mark.parametrize("name", QUICK)
def test_equal_weights_are_no_weights(name):
    table = numbers(80)
    assert np.array_equal(table.scores(name, sample_weight=np.full(80, 3.0)), table.scores(name))


def test_balancing_finds_more_of_a_rare_class():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 3)), columns=list("abc"))
    y = (frame["a"] + rng.normal(size=600) > 2.1).to_numpy().astype(int)
    table = Table(frame, y, "binary")
    assert table.shape.imbalance > 5
    found = {}
    for balance in ("none", "balanced"):
        scores = table.scores(table.config("linear", balance=balance))
        found[balance] = scores[y == 1].argmax(axis=1).mean()
    assert found["balanced"] > found["none"] + 0.2


def test_the_logarithm_helps_a_skewed_target():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    y = np.exp(2 * frame["a"] + 0.1 * rng.normal(size=400)).to_numpy()
    table = Table(frame, y, "regression")
    assert table.shape.is_skewed
    error = {
        kind: np.mean(np.abs(table.scores(table.config("linear", target=kind)) - y))
        for kind in ("none", "log", "quantile")
    }
    assert max(error["log"], error["quantile"]) < 0.3 * error["none"]


def test_no_rows_give_no_scores():
    table = numbers(40)
    assert table.fitted("linear").predict_scores(table.X.iloc[:0]).shape == (0, 2)
    table = numbers(40, "regression")
    assert table.fitted("linear").predict_scores(table.X.iloc[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(40), "all of sample_weight is 0"),
        (np.full(40, -1.0), "holds -1"),
        (np.full(40, np.nan), "holds nan"),
        (np.ones(39), r"shape \(39,\)"),
    ],
)
def test_weights_without_meaning_are_refused(weight, words):
    with pytest.raises(DataError, match=words):
        numbers(40).fitted("linear", sample_weight=weight)


def test_rows_and_targets_must_agree():
    table = numbers(40)
    table.y = table.y[:30]
    with pytest.raises(DataError, match="40 rows, but y has 30"):
        table.fitted("linear")
    with pytest.raises(DataError, match="no rows"):
        numbers(40).fitted("linear", slice(0, 0))


def test_a_pipeline_is_fitted_once():
    table = numbers(40)
    with pytest.raises(DataError, match="fitted already"):
        table.fitted("linear").fit(table.X, table.y)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_deadline_in_the_past_is_refused(name):
    with pytest.raises(OutOfTimeError, match="Give it more time"):
        numbers(40).fitted(name, deadline=time.monotonic() - 0.5)


def test_what_cannot_stop_and_would_overrun_is_not_begun():
    slow = estimator_family("slow", lambda config: GaussianNB(), space={}, seconds=lambda *_: 100)
    with pytest.raises(OutOfTimeError, match=r"would take about 100 s and there are [0-9.]+ s"):
        numbers().fitted({"model": "slow"}, families={"slow": slow}, deadline=time.monotonic() + 20)


# The space ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_the_opening_is_legal_and_begins_with_what_is_cheap(task):
    table = mixed(task)
    space = cash_space(table.schema, table.shape)
    opening = first_configurations(table.schema, table.shape)
    for config in opening:
        assert space.check(config) == config
        assert 0 < predicted_seconds(config, table.shape) < 600
        assert 0 < predicted_memory_mb(config, table.shape) < 4000
    models = [config["model"] for config in opening]
    assert models[:2] == ["linear", "lightgbm"]
    n_families = len(CATALOG) - len(left_out(table.shape))
    assert len(set(models[:n_families])) == n_families  # each once before any twice
    assert len({repr(sorted(config.items())) for config in opening}) == len(opening)


def test_dear_families_come_after_cheap_ones_and_hopeless_ones_not_at_all():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 50)))
    table = Table(frame, np.arange(60) % 2, "binary")
    large = Shape("binary", n_rows=50_000, n_features=50, n_classes=2)
    assert {"gaussian_process", "svm"} <= set(left_out(large))
    opening = first_configurations(table.schema, large)
    costs = [predicted_seconds(config, large) for config in opening[2:8]]
    assert costs[0] < 4 * min(costs)
    assert "gaussian_process" not in {config["model"] for config in opening}


def test_only_settings_of_the_model_are_active():
    table = mixed("binary")
    space = cash_space(table.schema, table.shape)
    rng = np.random.default_rng(0)
    seen = set()
    for config in space.decode(space.sample(200, rng)):
        assert all(k == "model" or k.startswith(f"{config['model']}.") for k in config)
        seen.add(config["model"])
    assert seen == set(INSTALLED)


def test_families_are_included_and_excluded_by_name():
    table = numbers()
    only = cash_space(table.schema, table.shape, include=["svm", "linear"])
    assert {c["model"] for c in only.decode(only.sample(30, np.random.default_rng(0)))} == {
        "svm",
        "linear",
    }
    opening = first_configurations(table.schema, table.shape, exclude=["linear"])
    assert opening[0]["model"] == "lightgbm"
    with pytest.raises(SettingError, match="Did you mean 'lightgbm'"):
        cash_space(table.schema, table.shape, include=["lightgmb"])
    with pytest.raises(SettingError, match="no family of models is left"):
        cash_space(table.schema, table.shape, exclude=list(CATALOG))


def test_updates_narrow_the_space():
    table = numbers()
    updates = {
        "lightgbm.learning_rate": 0.05,
        "lightgbm.num_leaves": (8, 16),
        "linear.penalty": "path",
        "svm.kernel": ["rbf"],
        "svm.C": Float(1.0, 2.0),
    }
    options = {"include": ["lightgbm", "linear", "svm"], "updates": updates}
    space = cash_space(table.schema, table.shape, **options)
    opening = first_configurations(table.schema, table.shape, **options)
    sampled = space.decode(space.sample(60, np.random.default_rng(0)))
    for config in [*sampled, *opening]:
        assert space.check(config) == config
        assert "linear.strength" not in config  # only for a fixed penalty
        if config["model"] == "lightgbm":
            assert config["lightgbm.learning_rate"] == 0.05
            assert 8 <= config["lightgbm.num_leaves"] <= 16
        if config["model"] == "svm":
            assert 1 <= config["svm.C"] <= 2


@pytest.mark.parametrize(
    ("updates", "error", "words"),
    [
        ({"lightgbm.num_leafs": 4}, SettingError, "Did you mean 'lightgbm.num_leaves'"),
        ({"lightgbm.num_leaves": 1_000_000}, SpaceError, "outside of its range"),
        ({"svm.kernel": "linear"}, SpaceError, "not among its choices"),
        ({"svm.kernel": []}, SettingError, "is empty"),
    ],
)
def test_updates_without_meaning_are_refused(updates, error, words):
    table = numbers()
    with pytest.raises(error, match=words):
        cash_space(table.schema, table.shape, updates=updates)


def test_a_missing_library_is_named():
    table = numbers()
    absent = estimator_family("absent", GaussianNB, space={})
    object.__setattr__(absent, "package", "surely_not_installed")
    object.__setattr__(absent, "extra", "deep")
    families = {"absent": absent}
    assert 'pip install "octavo[deep]"' in left_out(table.shape, families=families)["absent"]
    space = cash_space(table.schema, table.shape, families=families)
    sampled = space.decode(space.sample(100, np.random.default_rng(0)))
    assert "absent" not in {config["model"] for config in sampled}
    with pytest.raises(MissingExtra, match="absent"):
        cash_space(table.schema, table.shape, include=["absent"], families=families)


def test_an_estimator_of_ones_own_is_searched_beside_the_others():
    def make(config):
        return GaussianNB(var_smoothing=config["smoothing"] if config["smooth"] else 1e-12)

    family = estimator_family(
        "bayes",
        make,
        space={
            "smooth": Categorical([True, False]),
            "smoothing": Float(1e-9, 1e-1, log=True).when(smooth=True),
        },
        defaults=[{"smooth": False}, {"smoothing": 1e-3}],
        tasks=["binary", "multiclass"],
    )
    table = mixed("multiclass")
    families = {"bayes": family}
    space = cash_space(table.schema, table.shape, families=families)
    opening = first_configurations(table.schema, table.shape, families=families)
    own = [config for config in opening if config["model"] == "bayes"]
    assert [space.check(config) for config in own] == own
    assert "bayes.smoothing" not in own[0]
    assert own[1]["bayes.smoothing"] == 1e-3
    pipeline = table.fitted(own[1], families=families)
    pipeline = pickle.loads(pickle.dumps(pipeline))
    assert np.mean(pipeline.predict_scores(table.X).argmax(axis=1) == table.y) > 0.8
    numeric = numbers(task="regression")
    assert "bayes" in left_out(numeric.shape, families=families)


def test_names_that_the_pipeline_keeps_are_refused():
    table = numbers()
    family = estimator_family("mine", GaussianNB, space={"balance": Integer(0, 3)})
    with pytest.raises(SpaceError, match="'balance'"):
        cash_space(table.schema, table.shape, families={"mine": family})


# Scales of targets ------------------------------------------------------------------------------

positive = st.lists(st.floats(1e-3, 1e6), min_size=5, max_size=60, unique=True)


@given(positive, st.sampled_from(["none", "log"]))
def test_a_scale_can_be_undone(values, kind):
    y = np.array(values)
    scale = fit_target_scale(y, kind, None)
    if scale is None:
        assert np.ptp(y) < 1e-6 * np.abs(y).max()
        return
    scaled = scale.scaled(y)
    assert abs(scaled.mean()) < 1e-6
    assert abs(scaled.std() - 1) < 1e-6
    assert np.allclose(scale.original(scaled), y, rtol=1e-6)


@given(positive, st.sampled_from(["none", "log", "quantile"]), st.floats(-1e6, 1e6))
def test_a_wild_prediction_stays_near_the_targets(values, kind, wild):
    y = np.array(values)
    scale = fit_target_scale(y, kind, None)
    if scale is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = scale.original(np.array([wild]))[0]
        spread = np.log(y.max() / y.min()) if kind == "log" else np.ptp(y)
        center = np.log(y) if kind == "log" else y
        value = np.log(found) if kind == "log" else found
        assert center.min() - 1.01 * spread - 1e-9 <= value <= center.max() + 1.01 * spread + 1e-9


def test_counts_with_zeros_have_a_logarithm_too():
    y = np.concatenate([np.zeros(30), np.random.default_rng(0).lognormal(3, 1.5, 70)])
    assert is_skewed(y)
    scale = fit_target_scale(y, "log", None)
    assert np.allclose(scale.original(scale.scaled(y)), y, atol=1e-9)
    assert not is_skewed(np.random.default_rng(0).normal(size=100))
