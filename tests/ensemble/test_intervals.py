"""Intervals cover, baselines are what a guess scores."""

from __future__ import annotations

import os

import numpy as np
import pytest

from octavo.ensemble import get_metric, plain_baseline, score_gain, score_interval
from octavo.errors import SettingError

ACCURACY = get_metric("accuracy", "binary")
REPEATS = 60 * int(os.environ.get("OCTAVO_REPEATS", "1"))


def test_the_interval_covers_the_true_accuracy_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(REPEATS):
        y = rng.integers(0, 2, 300)
        right = rng.random(300) < 0.8
        p = np.eye(2)[np.where(right, y, 1 - y)]
        low, high = score_interval(ACCURACY, y, p, repeats=100, seed=seed)
        covered += low <= 0.8 <= high
    # Of 60 binomial draws at 0.92 fewer than 45 have odds below 1e-4.
    assert covered >= 0.75 * REPEATS


def test_seeds_decide_and_weights_count():
    y = np.arange(100) % 2
    p = np.eye(2)[np.where(np.arange(100) < 20, 1 - y, y)]
    one = score_interval(ACCURACY, y, p, seed=1)
    assert one == score_interval(ACCURACY, y, p, seed=1)
    low, _ = score_interval(ACCURACY, y, p, sample_weight=np.where(np.arange(100) < 20, 1e-9, 1))
    assert low > 0.99


def test_without_time_or_definition_there_is_none():
    y = np.arange(100) % 2
    p = np.eye(2)[y]
    assert score_interval(ACCURACY, y, p, time_limit_s=0.0) is None
    # log errors are undefined for negative targets, on every resample that holds one
    assert score_interval(get_metric("rmsle", "regression"), -np.ones(5), np.ones(5)) is None
    with pytest.raises(SettingError, match="level=95"):
        score_interval(ACCURACY, y, p, level=95)


@pytest.mark.parametrize(
    ("name", "task", "y", "score", "words"),
    [
        ("log_loss", "binary", [0, 1], np.log(2), "class frequencies"),
        ("roc_auc", "binary", [0, 1, 1], 0.5, "class frequencies"),
        ("balanced_accuracy", "multiclass", [0, 1, 2, 2], 1 / 3, "most frequent class"),
        ("rmse", "regression", [0.0, 2.0], 1.0, "mean"),
        ("mae", "regression", [0.0, 0.0, 9.0], 3.0, "median"),
        ("r2", "regression", [0.0, 1.0, 5.0], 0.0, "mean"),
    ],
)
def test_baselines_known_by_hand(name, task, y, score, words):
    found, said = plain_baseline(get_metric(name, task), task, y)
    assert found == pytest.approx(score)
    assert said.endswith(words)


def test_a_gain_is_the_difference_of_scores_and_its_error_that_of_a_mean():
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    before, after = y + rng.normal(size=2000), y + 0.5 * rng.normal(size=2000)
    gain, error = score_gain(get_metric("mae", "regression"), y, before, after)
    differences = np.abs(before - y) - np.abs(after - y)
    assert gain == pytest.approx(differences.mean())
    # Of 200 resamples the standard deviation is off by 5 %; four times that is allowed.
    assert error == pytest.approx(differences.std() / 2000**0.5, rel=0.2)
    worse, same = score_gain(get_metric("mae", "regression"), y, after, before)
    assert (worse, same) == (pytest.approx(-gain), pytest.approx(error))
    accurate = np.eye(2)[np.arange(100) % 2]
    found = score_gain(ACCURACY, np.arange(100) % 2, accurate[::-1], accurate)
    assert found is not None and found[0] == 1.0
    assert score_gain(ACCURACY, np.arange(100) % 2, accurate, accurate, time_limit_s=0.0) is None
