"""Ensembles within budgets are within them; a front holds only what is worth choosing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble import get_metric, select
from octavo.ensemble.budgets import MOST_POINTS, front, select_within
from octavo.errors import DataError, SettingError

RMSE = get_metric("rmse", "regression")
LOSS = get_metric("log_loss", "binary")


def library(seed, m=8, n=200):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    noise = rng.uniform(0.3, 1.5, m)
    return [y + rng.normal(size=n) * s for s in noise], y, 1.0 / noise + rng.random(m)


@given(seed=st.integers(0, 300), share=st.floats(0.15, 1.0))
def test_the_budget_is_kept_and_more_of_it_is_no_worse(seed, share):
    models, y, seconds = library(seed)
    amounts = {"seconds": seconds}
    budget = max(share * seconds.sum(), seconds.min())
    found = select_within(models, y, RMSE, amounts=amounts, budgets={"seconds": budget})
    assert seconds[found.weights > 0].sum() <= budget * (1 + 1e-9)
    assert found.weights.sum() == pytest.approx(1)
    affordable = seconds <= budget
    singles = [RMSE.score(y, one) for one, fits in zip(models, affordable, strict=True) if fits]
    assert found.score <= min(singles) + 1e-9


def test_without_budgets_it_is_the_plain_greedy_selection():
    models, y, seconds = library(1)
    plain = select(models, y, RMSE, size=40)
    found = select_within(models, y, RMSE, amounts={"seconds": seconds}, budgets={})
    np.testing.assert_allclose(found.weights, plain.weights)


def test_several_cheap_ones_beat_one_dear_one():
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    cheap = [y + rng.normal(size=2000) for _ in range(4)]
    dear = y + 0.9 * rng.normal(size=2000)
    seconds = {"seconds": np.array([4.0, 1.0, 1.0, 1.0, 1.0])}
    found = select_within([dear, *cheap], y, RMSE, amounts=seconds, budgets={"seconds": 4.0})
    assert found.weights[0] == 0
    assert (found.weights > 0).sum() == 4


def test_of_too_dear_models_the_cheapest_is_taken():
    models, y, seconds = library(2)
    found = select_within(models, y, RMSE, amounts={"seconds": seconds}, budgets={"seconds": 1e-6})
    assert found.indices == (int(seconds.argmin()),)


def test_a_penalty_moves_weights():
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], 500)
    y = rng.integers(2, size=1000)
    chance = np.where(y == 1, 0.75, 0.25)
    uneven = np.clip(chance + np.where(group == 1, 0.2, -0.2), 0.02, 0.98)
    even = np.clip(0.5 + (chance - 0.5) * 0.6, 0.02, 0.98)
    stack = np.stack([np.column_stack([1 - p, p]) for p in (uneven, even, (uneven + even) / 2)])
    cuts = np.stack([stack[:, group == g, 1].mean(1) for g in (0, 1)], axis=1)

    def gap(strength):
        penalty = (cuts, lambda mixed: strength * np.ptp(mixed, axis=1))
        found = select_within(stack, y, LOSS, amounts={}, budgets={}, penalty=penalty)
        return float(np.ptp(found.weights @ cuts))

    assert gap(10.0) < 0.01
    assert gap(0.0) >= gap(0.3) >= gap(10.0)


def test_a_budget_that_nobody_measured_is_refused():
    models, y, _ = library(0)
    with pytest.raises(SettingError, match="known are: none"):
        select_within(models, y, RMSE, amounts={}, budgets={"seconds": 1.0})
    with pytest.raises(DataError, match="one number >= 0 for each of 8 models"):
        front(models, y, RMSE, amounts={"seconds": np.ones(3)})


@given(seed=st.integers(0, 100))
def test_no_point_of_a_front_beats_another_in_everything(seed):
    models, y, seconds = library(seed)
    size = np.random.default_rng(seed).random(8)
    points = front(models, y, RMSE, amounts={"seconds": seconds, "bytes": size})
    assert 1 <= len(points) <= MOST_POINTS
    rows = np.array([[p.score, p.amounts["seconds"], p.amounts["bytes"]] for p in points])
    for a in rows:
        others = rows[(rows != a).any(1)]
        assert not ((others <= a).all(1)).any()
    assert (np.diff(rows[:, 0]) >= 0).all()  # best score first
    assert rows[:, 1].min() == pytest.approx(seconds.min())
    for point in points:
        members = np.array(point.weights) > 0
        assert point.amounts["seconds"] == pytest.approx(seconds[members].sum())
        mixture = np.tensordot(point.weights, np.array(models), axes=1)
        assert point.score == pytest.approx(RMSE.score(y, mixture))


def test_what_is_measured_of_mixtures_counts_too():
    models, y, _ = library(5)
    points = front(
        models, y, RMSE, amounts={}, measures={"bias": lambda mixed: abs(float((mixed - y).mean()))}
    )
    bias = [point.amounts["bias"] for point in points]
    assert bias == sorted(bias, reverse=True)
