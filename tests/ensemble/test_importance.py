"""Permutation importance finds what a model uses, within its time."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from octavo.ensemble import get_metric, permutation_importance
from octavo.errors import DataError, SettingError

MSE = get_metric("mse", "regression")


def linear(table):
    values = np.asarray(table, dtype=float)
    return 3.0 * values[:, 0] + values[:, 1]


def test_the_importance_of_a_linear_model_has_a_closed_form():
    # Shuffling x adds twice its variance times the squared coefficient to the squared error.
    X = np.random.default_rng(0).normal(size=(2000, 3))
    found = permutation_importance(linear, X, linear(X), MSE, repeats=10)
    assert found.baseline == 0.0
    assert found.mean == pytest.approx((18.0, 2.0, 0.0), rel=0.15)
    assert found.mean[2] == 0.0
    assert found.ranked() == [0, 1, 2]
    assert found.n_repeats == (10, 10, 10)
    for mean, low, high in zip(found.mean, found.low, found.high, strict=True):
        assert low <= mean <= high


def test_scores_that_rise_are_turned_around():
    X = np.random.default_rng(0).normal(size=(500, 2))
    y = (X[:, 0] > 0).astype(int)

    def predict(table):
        one = 1 / (1 + np.exp(-5 * np.asarray(table)[:, 0]))
        return np.column_stack([1 - one, one])

    found = permutation_importance(predict, X, y, get_metric("accuracy", "binary"))
    assert found.baseline == 1.0
    assert found.mean[0] == pytest.approx(0.5, abs=0.1)
    assert found.mean[1] == 0.0


def test_tables_keep_their_types_and_may_have_a_name_twice():
    n = 300
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "color": pd.Categorical(rng.choice(["red", "blue"], n)),
            "size": pd.array(rng.integers(1, 9, n), dtype="Int64"),
            "when": pd.date_range("2024-01-01", periods=n),
        },
        index=rng.permutation(n) + 1000,
    )
    table = pd.concat([table, table[["size"]]], axis=1)
    dtypes = list(table.dtypes)
    before = table.copy()

    def predict(given):
        assert list(given.dtypes) == dtypes
        assert list(given.columns) == ["color", "size", "when", "size"]
        return given.iloc[:, 3].to_numpy(float) + 5.0 * (given["color"] == "red").to_numpy()

    found = permutation_importance(predict, table, predict(table), MSE)
    assert found.columns == ("color", "size", "when", "size")
    assert found.mean[0] > 0
    assert found.mean[3] > 0
    assert found.mean[1] == found.mean[2] == 0.0
    pd.testing.assert_frame_equal(table, before)


def test_time_is_kept_and_said():
    def slow(table):
        time.sleep(0.02)
        return linear(table)

    X = np.random.default_rng(0).normal(size=(50, 30))
    began = time.monotonic()
    found = permutation_importance(slow, X, linear(X), MSE, repeats=3, time_limit_s=0.3)
    assert time.monotonic() - began < 1.0
    assert 0 < sum(n > 0 for n in found.n_repeats) < 30
    assert np.isnan(found.mean[29])
    assert 29 not in found.ranked()
    assert np.isnan(found.low[0])  # one repeat tells no spread


def test_where_a_round_would_not_fit_fewer_rows_are_taken(monkeypatch):
    """Each row takes 0.1 ms on a clock that only predictions move."""
    now = 0.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("octavo.ensemble.importance.time", clock)
    X = np.random.default_rng(0).normal(size=(2000, 40))
    sizes = []

    def slow(table):
        nonlocal now
        sizes.append(len(table))
        now += 1e-4 * len(table)
        return linear(table)

    found = permutation_importance(slow, X, linear(X), MSE, repeats=1, time_limit_s=2.0)
    # 1.6 s are left when 0.2 s have been spent and as much is kept, for 40 predictions: a fifth.
    assert sizes == [2000] + [400] * 41
    assert found.n_repeats == (1,) * 40
    assert found.ranked()[:2] == [0, 1]


def test_rows_are_sampled_and_seeds_decide():
    X = np.random.default_rng(0).normal(size=(5000, 2))
    seen = []

    def predict(table):
        seen.append(len(table))
        return linear(table)

    runs = [
        permutation_importance(predict, X, linear(X), MSE, repeats=2, max_rows=100, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert set(seen) == {100}
    assert runs[0] == runs[1]
    assert runs[0].mean != runs[2].mean


def test_bad_input_is_refused_with_words():
    with pytest.raises(SettingError, match="repeats=0"):
        permutation_importance(linear, np.ones((3, 2)), np.ones(3), MSE, repeats=0)
    with pytest.raises(DataError, match="4 true values"):
        permutation_importance(linear, np.ones((3, 2)), np.ones(4), MSE)
