import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.numerics.scalarization import chebyshev, random_weights, unit_costs, unit_costs_of_front


@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 6))
def test_weights_lie_on_the_simplex(seed, m) -> None:
    weights = random_weights(m, np.random.default_rng(seed))
    assert weights.shape == (m,) and (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0)


def test_weights_are_uniform_on_the_simplex() -> None:
    # The mean of a uniform point is 1/3 in each part, the variance 1/18; with 2,000 draws six
    # standard errors are 0.032: a false alarm once in 10^8.
    rng = np.random.default_rng(0)
    drawn = np.array([random_weights(3, rng) for _ in range(2000)])
    assert np.abs(drawn.mean(axis=0) - 1 / 3).max() < 0.032
    assert drawn.var(axis=0) == pytest.approx(np.full(3, 1 / 18), rel=0.2)


@given(seed=st.integers(0, 2**32 - 1))
def test_a_dominated_point_is_never_the_best(seed) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.random((20, 3))
    costs[7] = costs[3] + 0.01
    scalar = chebyshev(costs, random_weights(3, rng))
    assert scalar[7] > scalar[3]


def test_a_point_in_a_dent_of_the_front_wins_under_some_weights() -> None:
    # (0.6, 0.6) is on a non-convex front: no weighted sum prefers it to both ends.
    costs = np.array([[0.0, 1.0], [0.6, 0.6], [1.0, 0.0]])
    rng = np.random.default_rng(0)
    winners = {int(chebyshev(costs, random_weights(2, rng)).argmin()) for _ in range(200)}
    assert winners == {0, 1, 2}


def test_unit_costs_of_extremes() -> None:
    scaled = unit_costs(np.array([[1e308, 1.0], [-1e308, 1.0], [0.0, np.nan]]))
    assert scaled[:, 0] == pytest.approx([1.0, 0.0, 0.5])
    assert scaled[:2, 1].tolist() == [0.0, 0.0] and np.isnan(scaled[2, 1])


def test_very_bad_costs_do_not_press_the_front_into_a_corner() -> None:
    costs = np.array([[0.0, 1.0], [0.5, 0.4], [1.0, 0.0], [0.5, 1e300], [np.nan, np.nan]])
    front = np.array([True, True, True, False, False])
    scaled = unit_costs_of_front(costs[[0, 1, 2, 4]], front[[0, 1, 2, 4]])
    assert scaled[:3] == pytest.approx(costs[:3]) and np.isnan(scaled[3]).all()
    scaled = unit_costs_of_front(costs, front)
    assert scaled[:3, 0] == pytest.approx(costs[:3, 0])
    assert np.isfinite(scaled[:4]).all() and scaled[3, 1] == pytest.approx(1000.0)


def test_a_front_of_one_point_is_weighed_on_the_range_of_all() -> None:
    costs = np.array([[1.0, 1.0], [3.0, 5.0], [2.0, 3.0]])
    scaled = unit_costs_of_front(costs, np.array([True, False, False]))
    assert scaled.tolist() == unit_costs(costs).tolist()
    assert unit_costs_of_front(costs, np.zeros(3, dtype=bool)).tolist() == scaled.tolist()
