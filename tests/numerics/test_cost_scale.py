import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from octavo.numerics.cost_scale import log_scaled, signed_log_scaled, winsorized

costs = arrays(float, st.integers(1, 40), elements=st.floats(-1e308, 1e308) | st.floats(-10, 10))
scales = pytest.mark.parametrize("scale", [log_scaled, winsorized])


@scales
@given(costs=costs)
def test_the_order_is_kept_at_any_size(scale, costs) -> None:
    scaled = scale(costs)
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled[np.argsort(costs)]) >= -1e-12).all()
    assert scaled[costs.argmin()] == scaled.min()


@scales
def test_constant_costs_are_all_the_same(scale) -> None:
    for constant in (0.0, -7.0, 1e300):
        assert (scale(np.full(5, constant)) == 0).all()


@scales
@given(shift=st.floats(-100, 100), factor=st.floats(0.01, 100))
def test_unit_and_origin_do_not_matter(scale, shift, factor) -> None:
    costs = np.array([1.0, 2.0, 4.0, 3.5, 9.0, 100.0])
    assert scale(shift + factor * costs) == pytest.approx(scale(costs), abs=1e-6)


def test_one_huge_cost_does_not_hide_the_differences_of_the_others() -> None:
    costs = np.append(np.linspace(0, 1, 20), 1e12)
    scaled = winsorized(costs)
    assert scaled[19] - scaled[0] > 1.0


@given(arrays(float, st.integers(1, 20), elements=st.floats(-1e6, 1e6)))
def test_a_bound_stays_where_it_is(excess) -> None:
    scaled = signed_log_scaled(excess)
    assert np.isfinite(scaled).all()
    assert (np.sign(scaled) == np.sign(excess))[np.abs(excess) > 1e-9 * np.abs(excess).max()].all()
    order = np.argsort(excess, kind="stable")
    assert (np.diff(scaled[order]) >= 0).all()
