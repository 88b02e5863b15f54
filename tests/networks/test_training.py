"""Training: it learns, repeats itself, ends in time, and keeps the best."""

import math
import pickle
import time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine

from octavo.errors import OutOfTimeError
from octavo.networks import (
    Architecture,
    FittedNetwork,
    Recipe,
    fit_network,
    train,
)

SMALL = Architecture(width=16, depth=1, members=4, waves=4)
QUICK = Recipe(epochs=8, batch_rows=64)


def wine():
    X, y = load_wine(return_X_y=True)
    return X.astype(np.float32), y


def mixed(n=300, seed=0):
    """Numbers with holes, a category of few and one of many levels, and a target of all."""
    rng = np.random.default_rng(seed)
    few, many = rng.integers(0, 3, n), rng.integers(0, 30, n)
    numbers = rng.normal(size=(n, 2))
    y = numbers[:, 0] + (few == 1) + np.sin(many)
    X = np.column_stack([numbers, few, many]).astype(np.float32)
    X[rng.random(n) < 0.1, 1] = np.nan
    X[rng.random(n) < 0.05, 3] = np.nan
    return X, (y - y.mean()) / y.std()


def fitted(X, y, *, n_classes=None, architecture=SMALL, recipe=QUICK, **settings):
    return fit_network(
        X, y, architecture=architecture, recipe=recipe, n_classes=n_classes, **settings
    )


def trained_line(*, epochs, judge=None, patience=16):
    """A line fitted to a line by the loop itself: two steps for each epoch."""
    line = np.array([-0.5, 0.5], dtype=np.float32)  # slope and height
    x = np.column_stack([np.linspace(-1, 1, 64), np.ones(64)])

    def gradient(rows):
        error = x[rows] @ line - 2 * x[rows, 0]
        return (2 * x[rows].T @ error / len(rows)).astype(np.float32)

    done = train(
        line,
        batches=lambda rng: np.array_split(rng.permutation(64), 2),
        gradient=gradient,
        judge=None if judge is None else lambda: judge(line),
        recipe=Recipe(learning_rate=0.1, weight_decay=0.0, epochs=epochs, patience=patience),
        seed=0,
    )
    return line, done


def test_the_loop_finds_a_line():
    line, done = trained_line(epochs=100)
    assert line == pytest.approx([2.0, 0.0], abs=0.02)
    assert (done.n_steps, done.losses, done.is_shortened) == (200, (), False)


def test_the_best_weights_are_kept_and_patience_ends_training():
    losses = iter([3.0, 1.0, math.nan, 2.0, 2.0, 2.0, 0.0])
    judged = []

    def judge(line):
        judged.append(line.copy())
        return next(losses)

    line, done = trained_line(epochs=50, judge=judge, patience=4)
    assert (done.best_epoch, len(done.losses)) == (2, 6)
    assert np.array_equal(line, judged[1])
    assert not np.array_equal(line, judged[2])


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_the_same_seed_gives_the_same_network_with_any_number_of_threads(n_threads):
    X, y = mixed()
    one = fitted(X, y, categorical=[2, 3], seed=3)
    same = fitted(X, y, categorical=[2, 3], seed=3, n_threads=n_threads)
    other = fitted(X, y, categorical=[2, 3], seed=4, n_threads=n_threads)
    assert np.array_equal(one.predict(X), same.predict(X))
    assert not np.array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("n_classes", [None, 3])
def test_what_predicts_is_the_mean_of_the_members(n_classes):
    X, y = mixed()
    if n_classes:
        y = np.digitize(y, [-0.5, 0.5])
    found = fitted(X, y, n_classes=n_classes, categorical=[2, 3])
    outputs = found.outputs(X).astype(float)
    assert outputs.shape == (4, len(X), n_classes or 1)
    if n_classes:
        odds = np.exp(outputs)
        expected = (odds / odds.sum(axis=2, keepdims=True)).mean(axis=0)
    else:
        expected = np.clip(outputs[..., 0], y.min(), y.max()).mean(axis=0)
    assert np.allclose(found.predict(X), expected, atol=1e-6)


def test_rows_are_predicted_alike_in_any_company(monkeypatch):
    X, y = mixed()
    found = fitted(X, y, categorical=[2, 3])
    together = found.predict(X)
    monkeypatch.setattr("octavo.networks.fitted._ROWS_AT_ONCE", 7)
    assert np.allclose(found.predict(X), together, atol=1e-5)
    assert np.allclose(found.predict(X[:1]), together[:1], atol=1e-5)


def test_a_trained_network_is_small():
    X, y = wine()
    found = fitted(X, y, n_classes=3)
    dumped = pickle.dumps(found)
    assert len(dumped) < 2 * found.size + 6000
    assert np.array_equal(pickle.loads(dumped).predict(X), found.predict(X))


def test_what_is_left_out_judges_well_enough_to_stop():
    """Targets of chance: the longer a network learns, the worse it gets; so it stops early."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10)).astype(np.float32)
    y = rng.integers(0, 2, 200)
    recipe = Recipe(epochs=150, batch_rows=32, patience=10, learning_rate=0.02)
    found = fitted(X, y, n_classes=2, recipe=recipe)
    assert np.abs(found.predict(X) - 0.5).max() < 0.4


def test_networks_learn_waves_that_lines_cannot():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 1)).astype(np.float32)
    y = np.sin(8 * X[:, 0]) * np.sqrt(2)
    found = fitted(X, y, recipe=Recipe(epochs=40, batch_rows=32))
    line = np.polynomial.Polynomial.fit(X[:, 0], y, 1)(X[:, 0])
    assert np.mean((line - y) ** 2) > 0.9
    assert np.mean((found.predict(X) - y) ** 2) < 0.3


def test_a_regression_stays_within_what_it_has_seen():
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    found = fitted(X.astype(np.float32), y)
    far = found.predict((X * 1e6).astype(np.float32))
    assert far.min() >= y.min()
    assert far.max() <= y.max()


@pytest.mark.parametrize("n_rows", [2, 5, 63, 65])
def test_few_rows_are_enough(n_rows):
    X, y = mixed(n_rows)
    assert np.isfinite(fitted(X, y, categorical=[2, 3]).predict(X)).all()
    found = fitted(X, np.arange(n_rows) % 2, n_classes=2, categorical=[2, 3]).predict(X)
    assert np.allclose(found.sum(axis=1), 1)


def test_columns_that_say_nothing_and_rows_that_lack_everything_are_fine():
    X, y = wine()
    X = np.column_stack([X[:, :2], np.full(len(X), 3.0), np.full(len(X), np.nan)])
    found = fitted(X.astype(np.float32), y, n_classes=3, categorical=[3])
    assert np.isfinite(found.predict(np.full((2, 4), np.nan, dtype=np.float32))).all()
    assert found.predict(np.empty((0, 4), dtype=np.float32)).shape == (0, 3)


def test_a_deadline_shortens_training_and_one_that_has_passed_is_refused():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 10)).astype(np.float32)
    y = X[:, 0] + 0.1 * rng.normal(size=4000)
    recipe = Recipe(epochs=10_000, patience=10_000)
    fitted(X[:100], y[:100])  # what loading takes is not meant here
    found = fitted(X, y, recipe=recipe, deadline=time.monotonic() + 1.0)
    assert isinstance(found, FittedNetwork)
    assert np.isfinite(found.predict(X)).all()
    with pytest.raises(OutOfTimeError, match="Give it more time"):
        fitted(X, y, deadline=time.monotonic() - 1.0)


def test_what_weighs_nothing_is_not_learned_from():
    X, y = mixed(200)
    counts = np.arange(200) < 100
    weight = np.where(counts, 2.0, 0.0)
    one = fitted(X, y, sample_weight=weight)
    same = fitted(X, np.where(counts, y, -5.0), sample_weight=weight)
    assert np.array_equal(one.outputs(X), same.outputs(X))
    assert not np.allclose(one.outputs(X), fitted(X, y).outputs(X), atol=0.1)
