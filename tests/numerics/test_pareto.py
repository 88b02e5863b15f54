import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from octavo.numerics.pareto import crowding_distance, layers, nondominated

INF = float("inf")
# Few values, so that ties and copies are frequent; and extremes.
values = st.sampled_from([0.0, 1.0, 2.0, 3.0, -1e308, 1e308, INF, -INF])
tables = arrays(
    float, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12), elements=values
).filter(lambda table: table.shape[1] > 0)


def dominates(a, b) -> bool:
    return bool((a <= b).all() and (a < b).any())


@given(tables)
def test_marked_are_those_that_no_other_row_dominates(costs) -> None:
    expected = [not any(dominates(a, b) for a in costs) for b in costs]
    assert nondominated(costs).tolist() == expected


@given(tables)
def test_layers_are_fronts_of_what_earlier_layers_leave(costs) -> None:
    numbers = layers(costs)
    for number in range(numbers.max(initial=-1) + 1):
        left = numbers >= number
        expected = nondominated(costs[left])
        assert expected.any() and (expected == (numbers[left] == number)).all()


@given(tables, st.integers(0, 15))
def test_layers_stop_as_soon_as_enough_rows_have_theirs(costs, enough) -> None:
    full, some = layers(costs), layers(costs, enough)
    if enough == 0 or not len(costs):
        assert (some == 0).all()
        return
    last = np.sort(full)[min(enough, len(full)) - 1]
    assert some.tolist() == np.minimum(full, last + 1).tolist()


@given(tables, st.randoms(use_true_random=False))
def test_layers_do_not_depend_on_the_order_of_rows_and_columns(costs, random) -> None:
    rows = random.sample(range(len(costs)), len(costs))
    columns = random.sample(range(costs.shape[1]), costs.shape[1])
    assert layers(costs[rows][:, columns]).tolist() == layers(costs)[rows].tolist()


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_a_chain_has_one_row_in_each_layer_and_a_front_all_in_one(m) -> None:
    chain = np.repeat(np.arange(50.0)[:, None], m, axis=1)
    assert layers(chain[::-1]).tolist() == list(range(50))[::-1]
    if m > 1:
        front = np.column_stack([np.arange(50.0), -np.arange(50.0), *np.zeros((m - 2, 50))])
        assert layers(front).tolist() == [0] * 50


@pytest.mark.parametrize("m", [2, 3])
def test_rows_with_nan_lie_behind_all_others_and_dominate_nothing(m) -> None:
    costs = np.array([[2.0] * m, [1.0] * m, [float("nan")] + [0.0] * (m - 1)])
    assert layers(costs).tolist() == [1, 0, 2]
    assert nondominated(costs).tolist() == [False, True, False]


def test_the_crowding_of_deb_2002_is_the_perimeter_of_the_neighbours_box() -> None:
    # Both ranges are 10: the sides of the box around (3, 4) are 7 - 1 and 8 - 2.
    costs = np.array([[0.0, 10.0], [1.0, 8.0], [3.0, 4.0], [7.0, 2.0], [10.0, 0.0]])
    expected = [INF, 0.3 + 0.6, 0.6 + 0.6, 0.7 + 0.4, INF]
    assert crowding_distance(costs) == pytest.approx(expected)


@given(seed=st.integers(0, 2**32 - 1))
def test_crowding_depends_neither_on_units_nor_on_the_order_of_rows(seed) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((15, 3))
    order = rng.permutation(15)
    moved = 7.0 + costs * np.array([1e-6, 1.0, 1e9])
    assert crowding_distance(moved[order]) == pytest.approx(crowding_distance(costs)[order])


def test_an_objective_in_which_all_are_equal_crowds_nobody() -> None:
    costs = np.array([[0.0, 5.0], [1.0, 5.0], [4.0, 5.0]])
    assert crowding_distance(costs).tolist() == [INF, 1.0, INF]
    assert crowding_distance(np.ones((3, 2))).tolist() == [0.0, 0.0, 0.0]
