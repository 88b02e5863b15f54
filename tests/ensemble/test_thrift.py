"""Members that cost much and help little go; what stays is nearly as good."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from libraries import libraries

from octavo.ensemble import get_metric, select
from octavo.ensemble.thrift import thrifty

shares = st.floats(0, 1)


@given(library=libraries(), given_up=shares, seed=st.integers(0, 2**32 - 1))
def test_at_most_the_share_of_the_gain_is_given_up(library, given_up, seed):
    metric, predictions, y, weight = library
    whole = select(predictions, y, metric, size=8, sample_weight=weight)
    prices = np.random.default_rng(seed).uniform(0, 3, len(predictions))
    found = thrifty(
        whole, predictions, y, metric, prices=prices, given_up=given_up, sample_weight=weight
    )
    assert found.weights.sum() == pytest.approx(1.0)
    assert (found.weights >= 0).all()
    assert set(found.indices) <= set(whole.indices)
    mixed = found.combine(list(predictions))
    assert metric.score(y, mixed, sample_weight=weight) == pytest.approx(found.score, abs=1e-9)
    if whole.guide == metric.name:
        best = metric.to_cost(whole.path[0])
        before = metric.to_cost(whole.score)
        assert metric.to_cost(found.score) <= before + given_up * max(best - before, 0.0) + 1e-9


def members(n=400, seed=0):
    """Two that need each other, one that adds a little, one that adds nothing."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    one, two, small = rng.normal(size=(3, n))
    return y, [y + one, y - one + 0.2 * two, y + 0.9 * small, y + 3 * rng.normal(size=n)]


def test_the_dear_one_goes_and_the_cheap_one_stays():
    rmse = get_metric("rmse", "regression")
    y, predictions = members()
    whole = select(predictions, y, rmse, size=40)
    assert whole.weights[2] > 0
    dear = thrifty(whole, predictions, y, rmse, prices=[1, 1, 50, 1], given_up=0.2)
    assert dear.weights[2] == 0 and dear.weights[0] > 0 and dear.weights[1] > 0
    nothing = thrifty(whole, predictions, y, rmse, prices=[1, 1, 50, 1], given_up=0.0)
    assert nothing.score <= whole.score + 1e-12
    everything = thrifty(whole, predictions, y, rmse, prices=[1, 1, 50, 1], given_up=1.0)
    assert everything.score <= whole.path[0] + 1e-12


def test_unknown_prices_count_as_the_dearest():
    rmse = get_metric("rmse", "regression")
    y, predictions = members()
    whole = select(predictions, y, rmse, size=40)
    known = thrifty(whole, predictions, y, rmse, prices=[1, 1, 9, 9], given_up=0.2)
    unknown = thrifty(whole, predictions, y, rmse, prices=[1, 1, np.inf, 9], given_up=0.2)
    assert np.array_equal(known.weights, unknown.weights)


def test_without_time_all_stay():
    rmse = get_metric("rmse", "regression")
    y, predictions = members()
    whole = select(predictions, y, rmse, size=40)
    hurried = thrifty(
        whole, predictions, y, rmse, prices=[1, 1, 50, 1], given_up=1.0, time_limit_s=0.0
    )
    assert hurried is whole


def test_rows_that_nobody_validated_do_not_matter():
    rmse = get_metric("rmse", "regression")
    y, predictions = members()
    holes = [np.where(np.arange(len(y)) < 50, np.nan, one) for one in predictions]
    whole = select(holes, y, rmse, size=40)
    found = thrifty(whole, holes, y, rmse, prices=[1, 1, 50, 1], given_up=0.2)
    plain = select([one[50:] for one in predictions], y[50:], rmse, size=40)
    same = thrifty(
        plain, [one[50:] for one in predictions], y[50:], rmse, prices=[1, 1, 50, 1], given_up=0.2
    )
    assert np.array_equal(found.weights, same.weights)
