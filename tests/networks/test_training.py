"""Training: it learns, repeats itself, ends in time, keeps the best; and predicts with NumPy."""

import math
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine

from octavo.errors import OutOfTimeError
from octavo.networks import (
    Architecture,
    FittedNetwork,
    Recipe,
    TabularNetwork,
    fit_network,
    train,
)

pytestmark = pytest.mark.torch

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
    network = torch.nn.Linear(1, 1)
    x = torch.linspace(-1, 1, 64)[:, None]
    done = train(
        network,
        batches=lambda rng: np.array_split(rng.permutation(64), 2),
        loss=lambda rows: ((network(x[rows]) - 2 * x[rows]) ** 2).mean(),
        judge=None if judge is None else lambda: judge(network),
        recipe=Recipe(learning_rate=0.1, weight_decay=0.0, epochs=epochs, patience=patience),
        seed=0,
    )
    return network, done


def test_the_loop_finds_a_line():
    network, done = trained_line(epochs=100)
    assert network.weight.item() == pytest.approx(2.0, abs=0.02)
    assert network.bias.item() == pytest.approx(0.0, abs=0.02)
    assert (done.n_steps, done.losses, done.is_shortened) == (200, (), False)


def test_the_best_weights_are_kept_and_patience_ends_training():
    losses = iter([3.0, 1.0, math.nan, 2.0, 2.0, 2.0, 0.0])
    judged = []

    def judge(network):
        judged.append(network.weight.item())
        return next(losses)

    network, done = trained_line(epochs=50, judge=judge, patience=4)
    assert (done.best_epoch, len(done.losses)) == (2, 6)
    assert network.weight.item() == judged[1] != judged[2]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_same_seed_gives_the_same_network(n_threads):
    X, y = mixed()
    one, same = (fitted(X, y, categorical=[2, 3], seed=3, n_threads=n_threads) for _ in range(2))
    other = fitted(X, y, categorical=[2, 3], seed=4, n_threads=n_threads)
    assert np.array_equal(one.predict(X), same.predict(X))
    assert not np.array_equal(one.predict(X), other.predict(X))


def test_torch_is_left_as_it_was():
    X, y = mixed(80)
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fitted(X, y, n_threads=threads + 1)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("n_classes", [None, 3])
def test_numpy_predicts_what_torch_does(n_classes):
    X, y = mixed()
    if n_classes:
        y = np.digitize(y, [-0.5, 0.5])
    found = fitted(X, y, n_classes=n_classes, categorical=[2, 3])
    network = TabularNetwork(SMALL, found.inputs.layout, n_classes or 1).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(found.weights[name].astype(np.float32)))
        parts = [torch.from_numpy(part) for part in found.inputs.transform(X)]
        expected = network(*(part.expand(4, *part.shape) for part in parts)).numpy()
    assert np.allclose(found.outputs(X), expected, atol=1e-5)
    if n_classes:
        shares = torch.softmax(torch.from_numpy(expected), dim=2).mean(dim=0).numpy()
        assert np.allclose(found.predict(X), shares, atol=1e-5)
    else:
        assert np.allclose(
            found.predict(X), np.clip(expected[..., 0], y.min(), y.max()).mean(axis=0), atol=1e-5
        )


def test_rows_are_predicted_alike_in_any_company(monkeypatch):
    X, y = mixed()
    found = fitted(X, y, categorical=[2, 3])
    together = found.predict(X)
    monkeypatch.setattr("octavo.networks.fitted._CELLS_AT_ONCE", 1000)
    assert np.allclose(found.predict(X), together, atol=1e-5)
    assert np.allclose(found.predict(X[:1]), together[:1], atol=1e-5)


def test_a_trained_network_is_small_and_predicts_without_torch(tmp_path):
    X, y = wine()
    found = fitted(X, y, n_classes=3)
    dumped = pickle.dumps(found)
    assert len(dumped) < 2 * found.size + 6000
    (tmp_path / "network.pkl").write_bytes(dumped)
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, pickle, pathlib, numpy as np\n"
        "sys.modules['torch'] = None\n"
        "network = pickle.loads(pathlib.Path('network.pkl').read_bytes())\n"
        "np.save('y.npy', network.predict(np.load('X.npy')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "y.npy"), found.predict(X))


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
    assert np.mean((found.predict(X) - y) ** 2) < 0.1


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
