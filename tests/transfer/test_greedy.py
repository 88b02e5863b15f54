"""The greedy orders: known mathematics on matrices small enough to try everything."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from octavo.errors import SettingError
from octavo.transfer.greedy import (
    anytime_area,
    anytime_order,
    cost_after,
    greedy_order,
    mean_costs,
)

unit = st.floats(0, 1).map(lambda x: round(x, 3))
matrices = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(float, shape, elements=unit)
)


@given(costs=matrices, size=st.integers(1, 6))
def test_the_first_k_reach_the_share_of_the_best_set_that_submodularity_promises(costs, size):
    order = greedy_order(costs, size)
    reached = mean_costs(costs, order)
    for k in range(1, len(order) + 1):
        best = min(
            costs[:, list(chosen)].min(axis=1).mean()
            for chosen in combinations(range(costs.shape[1]), k)
        )
        assert 1 - reached[k] >= (1 - 1 / np.e) * (1 - best) - 1e-9


@given(costs=matrices)
def test_each_member_helps_until_none_can_and_none_comes_twice(costs):
    order = greedy_order(costs, costs.shape[1])
    assert len(set(order)) == len(order)
    steps = np.diff(mean_costs(costs, order))
    n_helping = int((steps < -1e-9).sum())
    assert (steps[:n_helping] < -1e-9).all()
    assert cost_after(costs, order)[:, n_helping] == pytest.approx(costs.min(axis=1))
    left_out = set(range(costs.shape[1])) - set(order)
    assert (costs[:, list(left_out)] == 1).all()


def test_when_nothing_helps_any_more_a_second_choice_for_all_begins():
    costs = np.array([[0.0, 0.5, 0.1, 0.2], [0.5, 0.0, 0.1, 0.2]])
    assert greedy_order(costs[:, [0, 1, 3]], 3) == [2, 0, 1]
    costs[:, 2] = 0.0  # the best of all everywhere
    assert greedy_order(costs, 4) == [2, 3, 0, 1]
    seconds = np.ones((2, 4))
    assert anytime_order(costs, seconds, 4, deadlines=(1, 100)) == [2, 3, 0, 1]


def test_the_first_member_is_the_best_on_average_and_ends_in_the_first_k_for_every_k():
    costs = np.random.default_rng(0).random((7, 20))
    order = greedy_order(costs, 10)
    assert order[0] == costs.mean(axis=0).argmin()
    assert [greedy_order(costs, k) for k in range(1, 11)] == [order[:k] for k in range(1, 11)]


def test_unknown_costs_earn_no_credit():
    costs = np.array([[np.nan, 0.4], [0.0, 0.4]])
    assert mean_costs(costs, [0]).tolist() == [1.0, 0.5]
    assert greedy_order(costs, 1) == [1]


def test_weights_say_which_data_sets_count():
    costs = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.1]])
    assert greedy_order(costs, 1) == [1]
    assert greedy_order(costs, 1, weights=np.array([0.8, 0.1, 0.1])) == [0]


def test_the_area_is_that_of_the_curve_over_the_logarithm_of_time():
    costs, seconds = np.array([[0.6, 0.2, 0.0]]), np.array([[2.0, 6.0, 1000.0]])
    area = anytime_area(costs, seconds, [0, 1, 2], deadlines=(1, 100))[0]
    t = np.exp(np.linspace(0, np.log(100), 200_001))
    curve = np.where(t < 2, 1.0, np.where(t < 8, 0.6, 0.2))  # the third ends too late
    assert area == pytest.approx(curve.mean(), abs=1e-4)


def test_anytime_order_comes_near_the_best_of_all_orders():
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(10):
        costs = rng.beta(1, 2, (6, 5))
        seconds = np.exp(rng.normal(0, 1, (6, 1)) + rng.normal(1, 1.5, (1, 5)))
        areas = {
            order: anytime_area(costs, seconds, order, deadlines=(1, 100)).mean()
            for order in permutations(range(5))
        }
        found = tuple(anytime_order(costs, seconds, 5, deadlines=(1, 100)))
        found_area = anytime_area(costs, seconds, found, deadlines=(1, 100)).mean()
        ratios.append(found_area / min(areas.values()))
        assert found_area < np.mean(list(areas.values()))
    assert np.mean(ratios) < 1.05


def test_what_never_ends_in_time_is_no_member():
    costs = np.array([[0.0, 0.5]])
    assert anytime_order(costs, np.array([[500.0, 5.0]]), 2, deadlines=(1, 100)) == [1]


@pytest.mark.parametrize("deadlines", [(0, 10), (10, 1), (5, 5), (1, float("inf")), 7, ("a", 2)])
def test_deadlines_that_make_no_sense_are_refused(deadlines):
    with pytest.raises(SettingError, match=r"deadlines=.*smaller one first"):
        anytime_order(np.ones((1, 1)), np.ones((1, 1)), 1, deadlines=deadlines)
