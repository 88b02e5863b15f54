"""The matrix: what failed, what is unknown, and what a row's scale is."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from octavo.errors import DataError
from octavo.transfer import Evaluations
from octavo.transfer.evaluations import filled_seconds, normalized

INF, NAN = np.inf, np.nan


@given(
    costs=arrays(float, (3, 6), elements=st.floats(-100, 100).map(lambda x: round(x, 3))),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-50, 50),
)
def test_normalized_costs_do_not_depend_on_the_unit_of_a_data_set(costs, scale, shift):
    once = normalized(costs)
    assert ((once >= 0) & (once <= 1)).all()
    assert (once.min(axis=1) == 0).all()
    assert normalized(costs * scale + shift) == pytest.approx(once, abs=1e-6)


def test_failures_count_as_the_reference_and_holes_stay_holes():
    found = normalized(np.array([[1.0, 2.0, 3.0, INF, NAN]]))
    assert found.tolist()[0][:4] == [0.0, 1.0, 1.0, 1.0]
    assert np.isnan(found[0, 4])


def test_one_very_bad_configuration_does_not_change_the_scale():
    assert normalized(np.array([[1.0, 1.1, 1.2, 1.3, 1e9]]))[0, 1] == pytest.approx(0.5)


def test_a_constant_guess_better_than_the_median_is_the_reference():
    costs = np.array([[0.0, 4.0, 8.0, 9.0, 10.0]])
    assert normalized(costs)[0, 1] == pytest.approx(0.5)
    assert normalized(costs, np.array([5.0]))[0, 1] == pytest.approx(0.8)
    assert normalized(costs, np.array([NAN]))[0, 1] == pytest.approx(0.5)


def test_where_all_are_equal_no_success_is_better_than_another():
    assert normalized(np.array([[3.0, 3.0, INF]])).tolist() == [[0.0, 0.0, 1.0]]


def test_seconds_of_a_product_are_completed_exactly():
    seconds = np.outer([1.0, 5.0, 20.0], [0.1, 1.0, 7.0, 30.0])
    holed = seconds.copy()
    holed[0, 3] = holed[2, 1] = NAN
    assert filled_seconds(holed) == pytest.approx(seconds, rel=1e-3)


def test_a_data_set_without_any_time_gets_a_typical_one():
    filled = filled_seconds(np.array([[1.0, 100.0], [NAN, NAN]]))
    assert filled[1] == pytest.approx([1.0, 100.0], rel=1e-6)


def test_a_group_counts_as_one_data_set():
    seen = Evaluations(["a", "b", "c"], [{}], [[1.0], [1.0], [1.0]], groups=["x", "x", "y"])
    assert seen.weights.tolist() == [0.25, 0.25, 0.5]
    assert seen.rows([0, 2]).weights.tolist() == [0.5, 0.5]
    assert seen.rows(np.array([False, False, True])).datasets == ("c",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"costs": [[1.0, 2.0]]}, r"costs has shape \(1, 2\).*one row per data set"),
        ({"costs": [[1.0, 2.0], [INF, NAN]]}, "no configuration has a cost on the data set 'b'"),
        ({"datasets": ["a", "a"]}, "two data sets are named 'a'"),
        ({"groups": ["x"]}, "groups has 1 entries for 2 data sets"),
        ({"configs": [], "costs": np.empty((2, 0))}, "0 configurations to learn from"),
        ({"predicted": np.zeros((1, 1))}, "predicted has shape"),
        ({"seconds": np.ones((2, 3))}, "seconds has shape"),
    ],
)
def test_a_matrix_that_makes_no_sense_is_refused(arguments, sentence):
    right = {"datasets": ["a", "b"], "configs": [{"x": 1}, {"x": 2}], "costs": np.ones((2, 2))}
    Evaluations(**right)
    with pytest.raises(DataError, match=sentence):
        Evaluations(**{**right, **arguments})


def test_without_times_there_is_no_order_by_time():
    with pytest.raises(DataError, match="have no seconds"):
        Evaluations(["a"], [{}], [[1.0]]).filled_seconds()
