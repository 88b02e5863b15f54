"""What a process expects of more trials agrees with what more trials would find."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.spaces import Categorical, Float, Integer, space
from octavo.surrogates.regret import outlook

BOX = space(x=Float(0, 1), y=Float(0, 1))
MIXED = space(
    kind=Categorical(["a", "b"]),
    n=Integer(1, 9),
    rate=Float(1e-4, 1, log=True).when(kind="a"),
)


def bowl(points):
    return ((points.values - 0.37) ** 2).sum(axis=1)


def looked_at(space, n, seed=0):
    return space.sample(n, np.random.default_rng(seed))


def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("seed", range(3))
def test_more_trials_leave_less_to_gain(seed):
    found = [
        outlook(BOX, points, bowl(points), rng())
        for points in (looked_at(BOX, n, seed) for n in (5, 20, 80))
    ]
    assert found[0].regret_bound > found[1].regret_bound > found[2].regret_bound > 0
    assert found[0].improvement > found[2].improvement


@pytest.mark.parametrize("seed", range(5))
def test_the_regret_bound_holds_where_the_model_fits(seed):
    points = looked_at(BOX, 25, seed)
    costs = bowl(points)
    its = outlook(BOX, points, costs, rng())
    assert costs.min() - 0.0 <= its.regret_bound  # the best possible is 0
    assert its.improvement <= its.regret_bound < np.ptp(costs)


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 100))
def test_the_unit_is_that_of_the_costs(scale, shift, seed):
    points = looked_at(BOX, 12, seed)
    costs = bowl(points)
    one = outlook(BOX, points, costs, rng())
    other = outlook(BOX, points, scale * (costs + shift), rng())
    # Rounding of shifted costs moves the fit a little.
    assert other.regret_bound == pytest.approx(scale * one.regret_bound, rel=0.05)
    assert other.improvement == pytest.approx(scale * one.improvement, rel=0.1, abs=1e-3 * scale)


def test_conditional_spaces_and_long_histories_are_fine():
    points = looked_at(MIXED, 400)
    costs = np.nan_to_num(points.values, nan=0.5).sum(axis=1)
    its = outlook(MIXED, points, costs, rng())
    assert 0 <= its.improvement <= its.regret_bound < 0.5 * np.ptp(costs)


@pytest.mark.parametrize("n", [1, 6])
def test_equal_costs_promise_nothing(n):
    its = outlook(BOX, looked_at(BOX, n), np.full(n, 3.0), rng())
    assert (its.best, its.improvement, its.regret_bound) == (3.0, 0.0, 0.0)


def test_noise_is_no_promise():
    points = looked_at(BOX, 120)
    costs = 1.0 + np.random.default_rng(0).normal(0, 1, len(points))
    its = outlook(BOX, points, costs, rng())
    assert its.improvement < 0.2  # although the lowest lies more than two below the mean


def test_what_breaks_the_constraints_is_no_gain():
    points = looked_at(BOX, 80)
    costs = points.values[:, 0]
    feasible = costs >= 0.5  # so the best possible is 0.5, not 0
    its = outlook(BOX, points, costs, rng(), excess=0.5 - costs[:, None])
    assert its.best == pytest.approx(costs[feasible].min(), abs=0.02)
    assert its.regret_bound == pytest.approx(costs[feasible].min() - 0.5, abs=0.005)
    assert its.improvement <= its.regret_bound


def test_constraints_that_all_meet_change_nothing():
    points = looked_at(BOX, 30)
    one = outlook(BOX, points, bowl(points), rng())
    assert one == outlook(BOX, points, bowl(points), rng(), excess=np.full((30, 2), -1.0))


def test_as_long_as_nothing_is_feasible_everything_is_expected():
    points = looked_at(BOX, 10)
    its = outlook(BOX, points, bowl(points), rng(), excess=np.ones((10, 1)))
    assert its.improvement == its.regret_bound == np.inf
