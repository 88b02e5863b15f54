"""Every family on every kind of task, and what only some of them do."""

import math
import pickle
import threading
import time
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from octavo.errors import OutOfTimeError, SettingError
from octavo.spaces import Float, space
from octavo.tabular.models import CATALOG, Shape, estimator_family, is_installed
from octavo.tabular.models.early_stopping import Progress, inner_split
from octavo.tabular.models.linear import _ridge
from octavo.tabular.models.weights import balanced_weights, repeated_by_weight

INSTALLED = [name for name in sorted(CATALOG) if is_installed(CATALOG[name])]


STOPPABLE = [name for name in INSTALLED if CATALOG[name].is_stoppable]
TASKS = ["binary", "multiclass", "regression"]
LOADERS = {"binary": load_breast_cancer, "multiclass": load_wine, "regression": load_diabetes}


def data(task, n=240):
    """Scaled training and test rows of a small real table."""
    X, y = LOADERS[task](return_X_y=True)
    order = np.random.default_rng(1).permutation(len(y))[:n]
    X = StandardScaler().fit_transform(X[order]).astype(np.float32)
    y = y[order] if task != "regression" else (y[order] - y[order].mean()) / y[order].std()
    cut = len(y) * 3 // 4
    return X[:cut], y[:cut], X[cut:], y[cut:]


def shape_for(task, X, y):
    n_classes = 1 if task == "regression" else int(y.max()) + 1
    return Shape(task, n_rows=len(X), n_features=X.shape[1], n_classes=n_classes)


def config_of(family, shape, **wanted):
    choices = family.space(shape)
    for name, value in {**family.defaults(shape)[0], **wanted}.items():
        choices[name] = replace(choices[name], default=value)
    return space(choices).default()


def fitted(name, task, X, y, *, weight=None, deadline=math.inf, seed=0, **wanted):
    family, shape = CATALOG[name], shape_for(task, X, y)
    model = family.build(config_of(family, shape, **wanted), shape, seed=seed, n_threads=1)
    model.fit(X, y, sample_weight=weight, categorical=(), deadline=deadline)
    return model


def loss(task, y, found):
    if task == "regression":
        return np.mean((found - y) ** 2)
    return -np.mean(np.log(np.maximum(found[np.arange(len(y)), y], 1e-6)))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", INSTALLED)
def test_a_family_learns_repeats_itself_and_survives_pickling(name, task):
    X, y, X_test, y_test = data(task)
    model = fitted(name, task, X, y)
    found = model.predict(X_test)
    if task == "regression":
        constant = np.full(len(y_test), y.mean())
    else:
        assert found.shape == (len(y_test), y.max() + 1)
        assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
        constant = np.tile(np.bincount(y) / len(y), (len(y_test), 1))
    assert loss(task, y_test, found) < 0.85 * loss(task, y_test, constant)
    assert np.array_equal(fitted(name, task, X, y).predict(X_test), found)
    again = pickle.loads(pickle.dumps(model))
    assert np.allclose(again.predict(X_test), found, rtol=1e-5, atol=1e-6)
    assert again.size == model.size > 0


@pytest.mark.parametrize("name", INSTALLED)
def test_the_defaults_lie_in_the_space_and_have_a_name_and_a_price(name):
    family = CATALOG[name]
    for task in TASKS:
        for n_rows in (20, 900, 10_000):
            n_classes = {"binary": 2, "multiclass": 7, "regression": 1}[task]
            shape = Shape(task, n_rows, 12, 30, n_classes, has_categories=True)
            prices = []
            for wanted in family.defaults(shape):
                config = config_of(family, shape, **wanted)
                assert config.items() >= wanted.items()
                assert family.describe(config)
                prices.append(family.predicted_seconds(config, shape, 1))
                assert 0 < prices[-1] < 1e5
                assert family.predicted_seconds(config, shape, 2) <= prices[-1]
                assert 0 < family.memory_mb(config, shape) < 1e6
            assert 1 <= len(prices) <= 3


@pytest.mark.parametrize("name", INSTALLED)
@given(st.integers(6000, 9000), st.integers(1, 200), st.floats(1.1, 2))
def test_more_rows_never_cost_less(name, n_rows, n_features, factor):
    family = CATALOG[name]
    small = Shape("binary", n_rows, n_features, n_classes=2)
    large = replace(small, n_rows=int(n_rows * factor))
    config = config_of(family, small)
    before = family.predicted_seconds(config, small)
    assert family.predicted_seconds(config, large) >= before * (1 - 1e-9)


@pytest.mark.parametrize("name", INSTALLED)
def test_weights_are_heeded(name):
    """Rows that contradict each other are believed in proportion to their weights."""
    X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    X, y = np.repeat(X, 2, axis=0), np.tile([0, 1], 80)
    weight = np.where(y == 1, 1.8, 0.2)
    found = fitted(name, "binary", X, y, weight=weight).predict(X)
    assert 0.8 < found[:, 1].mean() < 0.98
    y = y.astype(float) - 0.5
    found = fitted(name, "regression", X, y, weight=weight).predict(X)
    assert 0.3 < found.mean() < 0.48


@pytest.mark.parametrize("name", INSTALLED)
def test_a_deadline_in_the_past_is_refused_or_gives_a_usable_model(name):
    X, y, X_test, _ = data("binary", 120)
    try:
        model = fitted(name, "binary", X, y, deadline=time.monotonic() - 1.0)
    except OutOfTimeError as error:
        assert "Give it more time" in str(error)
    else:
        assert np.isfinite(model.predict(X_test)).all()


@pytest.mark.parametrize("name", STOPPABLE)
def test_a_deadline_stops_a_long_fit_with_something_usable(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 40)).astype(np.float32)
    y = np.argmax(X[:, :8] + X[:, 8:16] * X[:, 16:24] + rng.normal(size=(20_000, 8)), axis=1)
    if CATALOG[name].package is not None:
        import_module(CATALOG[name].package)  # its time counts once in a process, not here
    # In CPU time, because others may be using this machine: what was spent when the
    # deadline came, and what was spent in the end.
    spent = []
    timer = threading.Timer(1.0, lambda: spent.append(time.process_time()))
    timer.start()
    began = time.process_time()
    try:
        model = fitted(name, "multiclass", X, y, deadline=time.monotonic() + 1.0)
    except OutOfTimeError:
        timer.join()
        assert spent[0] - began < 0.5, "it was given time enough"
        return  # the machine was too busy with others
    timer.join()
    assert time.process_time() - spent[0] < 0.3
    found = model.predict(X[:2000])
    assert loss("multiclass", y[:2000], found) < math.log(8)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost", "histogram_boosting"])
def test_boosting_splits_sets_of_categories_and_takes_missing_ones(name):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 12, 400)
    y = np.isin(codes, [1, 4, 5, 10]).astype(np.int64)
    X = np.column_stack([codes, rng.normal(size=400)]).astype(np.float32)
    X[:20, 0] = np.nan
    family, shape = CATALOG[name], Shape("binary", 400, 2, n_classes=2, has_categories=True)
    model = family.build(config_of(family, shape), shape, seed=0, n_threads=1)
    model.fit(X, y, sample_weight=None, categorical=[0], deadline=math.inf)
    found = model.predict(X[20:])
    assert np.mean(found.argmax(axis=1) == y[20:]) > 0.97
    unseen = np.array([[np.nan, 0.0], [17.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    assert np.isfinite(model.predict(unseen)).all()


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
@pytest.mark.parametrize("task", TASKS)
def test_packed_forests_are_small_and_predict_as_before(name, task):
    X, y, X_test, _ = data(task)
    X[::7, 0] = np.nan
    X_test[::3, 0] = np.nan
    model = fitted(name, task, X, y)
    dumped = pickle.dumps(model)
    assert len(dumped) < len(pickle.dumps(model.forest_)) / 3
    found = pickle.loads(dumped).predict(X_test)
    assert np.allclose(found, model.predict(X_test), rtol=1e-5, atol=1e-6)


def test_a_forest_cut_short_is_the_beginning_of_the_whole_one():
    X, y, X_test, _ = data("regression")
    whole = fitted("random_forest", "regression", X, y, n_trees=300).forest_
    cut = fitted("random_forest", "regression", X, y, n_trees=50).forest_
    for early, late in zip(cut.estimators_, whole.estimators_, strict=False):
        assert np.array_equal(early.predict(X_test), late.predict(X_test))


@pytest.mark.parametrize("d", [5, 90])
@pytest.mark.parametrize("strength", [1e-3, 0.3])
def test_ridge_agrees_with_scikit_learn(d, strength):
    rng = np.random.default_rng(d)
    X, y = rng.normal(size=(60, d)), rng.normal(size=60)
    reference = Ridge(alpha=strength * 60, fit_intercept=False).fit(X, y).coef_
    assert np.allclose(_ridge(X, y, strength), reference, atol=1e-8)


@pytest.mark.parametrize("d", [4, 80])
def test_the_open_strength_has_the_least_leave_one_out_error(d):
    """Against leaving each row out for real, intercept and all, for every strength."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, d))
    X -= X.mean(axis=0)
    y = X[:, 0] + 0.7 * rng.normal(size=40)
    y -= y.mean()
    chosen = _ridge(X, y, None)
    strengths = 10.0 ** np.arange(2.0, -6.1, -0.5)
    errors = []
    for strength in strengths:
        outside = []
        for i in range(40):
            rest = np.delete(np.arange(40), i)
            model = Ridge(alpha=strength * 40, tol=1e-10).fit(X[rest], y[rest])
            outside.append(model.predict(X[[i]])[0] - y[i])
        errors.append(np.mean(np.square(outside)))
    at = [np.allclose(chosen, _ridge(X, y, s), atol=1e-9) for s in strengths].index(True)
    assert errors[at] <= 1.02 * min(errors)


def test_the_path_of_logistic_regression_finds_a_good_strength():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 30)).astype(np.float32)
    y = (rng.random(900) < 1 / (1 + np.exp(-2.0 * X[:, 0]))).astype(np.int64)
    test = rng.normal(size=(4000, 30)).astype(np.float32)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-2.0 * test[:, 0]))).astype(np.int64)
    found = loss("binary", truth, fitted("linear", "binary", X, y).predict(test))
    fixed = [
        loss(
            "binary",
            truth,
            fitted("linear", "binary", X, y, penalty="fixed", strength=s).predict(test),
        )
        for s in 10.0 ** np.arange(-6, 1.0)
    ]
    assert found < 1.03 * min(fixed) < max(fixed)


# What they share --------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.integers(0, 2**31 - 1))
def test_an_inner_split_keeps_every_class_in_training(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    split = inner_split(y, is_classification=True, seed=seed)
    if split is None:
        assert len(y) < 120
        return
    train, decides = split
    assert np.array_equal(np.sort(np.concatenate([train, decides])), np.arange(len(y)))
    assert set(y[train]) == set(y)
    assert abs(len(decides) - 0.15 * len(y)) <= 1 + len(counts)


def test_progress_stops_when_the_loss_has_stopped_falling():
    progress = Progress(patience=5, deadline=math.inf)
    losses = [1.0, 0.5, 0.4, 0.3, *[0.35] * 20]
    steps = next(i for i, value in enumerate(losses, 1) if progress.is_over(value))
    assert (steps, progress.keep, progress.is_cut) == (9, 4, False)


def test_progress_does_not_wait_for_ever_smaller_improvements():
    progress = Progress(patience=10, deadline=math.inf)
    steps = next(i for i in range(1, 10_000) if progress.is_over(1.0 / i**2))
    assert steps < 200
    assert progress.keep == steps  # the last is the best of those there are


def test_progress_ends_at_the_deadline():
    progress = Progress(patience=5, deadline=time.monotonic() - 1)
    assert progress.is_over(None)
    assert progress.is_cut
    assert progress.keep == 1


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=40), st.integers(0, 1000))
def test_rows_are_repeated_as_often_as_they_weigh(weights, seed):
    weight = np.array(weights) * len(weights) / sum(weights)
    counts = np.bincount(repeated_by_weight(weight, seed), minlength=len(weight))
    assert counts.sum() == len(weight)
    assert (counts >= np.floor(weight - 1e-9)).all()
    assert (counts <= np.ceil(weight + 1e-9)).all()


@given(st.lists(st.integers(0, 3), min_size=4, max_size=50))
def test_balanced_classes_weigh_the_same(labels):
    y = np.unique(labels, return_inverse=True)[1]
    sums = np.bincount(y, balanced_weights(y, None))
    assert np.allclose(sums, sums[0])
    assert np.isclose(sums.sum(), len(y))


# The user's own ---------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [GaussianNB, LinearSVC, KNeighborsClassifier])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_estimator_becomes_a_family(estimator, weighted):
    """With probabilities, with decision values only, and without weights."""
    family = estimator_family("mine", lambda config: estimator(), space={})
    X, y, X_test, y_test = data("multiclass")
    model = family.build({}, shape_for("multiclass", X, y), seed=0, n_threads=1)
    weight = np.where(y == 0, 0.5, 1.2) if weighted else None
    model.fit(X, y, sample_weight=weight, categorical=(), deadline=math.inf)
    found = pickle.loads(pickle.dumps(model)).predict(X_test)
    assert np.mean(found.argmax(axis=1) == y_test) > 0.9
    assert np.allclose(found.sum(axis=1), 1)


def test_own_settings_of_an_estimator_are_kept():
    family = estimator_family(
        "mine", lambda config: RandomForestClassifier(random_state=7), space={}
    )
    model = family.build({}, Shape("binary", 10, 2, n_classes=2), seed=3, n_threads=2)
    assert (model.estimator.random_state, model.estimator.n_jobs) == (7, 2)


def test_a_family_of_no_task_or_an_odd_name_is_refused():
    with pytest.raises(SettingError, match=r"tasks=\['ranking'\]"):
        estimator_family("mine", GaussianNB, space={}, tasks=["ranking"])
    with pytest.raises(SettingError, match="'my model'"):
        estimator_family("my model", GaussianNB, space={"x": Float(0, 1)})
    with pytest.raises(SettingError, match="preprocessing='raw'"):
        estimator_family("mine", GaussianNB, space={}, preprocessing="raw")


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_forests_say_what_scikit_learns_own_say_in_any_number_of_threads(task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4)).astype(np.float32)
    X[rng.random(X.shape) < 0.05] = np.nan
    y = np.nan_to_num(X[:, 0]) + rng.normal(size=3000)
    codes = y if task == "regression" else np.digitize(y, [-1, 1])
    n_classes = 3 if task == "multiclass" else 0
    shape = Shape(task, n_rows=3000, n_features=4, n_classes=n_classes)
    family = CATALOG["random_forest"]
    config = {**space(family.space(shape)).default(), "n_trees": 20}
    said = []
    for n_threads in (1, 3):
        model = family.build(config, shape, seed=0, n_threads=n_threads)
        model.fit(X, codes, sample_weight=None, categorical=(), deadline=math.inf)
        forest = model.forest_
        expected = forest.predict(X) if task == "regression" else forest.predict_proba(X)
        if task == "multiclass":
            expected = (expected * 20 + 1 / 3) / 21
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
        said.append(model.predict(X))
    np.testing.assert_array_equal(*said)
