import time

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.numerics.hypervolume import (
    hypervolume,
    hypervolume_gains,
    nondominated_boxes,
)

seeds = st.integers(0, 2**32 - 1)
objectives = st.integers(1, 5)


def draw(seed: int, m: int, n: int = 12):
    """Points, some of them beyond the reference, dominated, or tied; and the reference."""
    rng = np.random.default_rng(seed)
    costs = rng.random((n, m)) * 1.2
    if seed % 2:
        costs = np.floor(costs * 5) / 5
        costs[-1] = costs[0]
    return costs, np.ones(m), rng


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_the_staircase_has_its_closed_form(n) -> None:
    steps = np.arange(n, dtype=float)
    costs, reference = np.column_stack([steps, n - 1 - steps]), np.array([n, n])
    assert hypervolume(costs, reference) == n**2 - n * (n - 1) / 2
    lower, _ = nondominated_boxes(costs, reference)
    assert len(lower) == n + 1


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_the_corners_of_a_simplex_have_their_closed_form(m) -> None:
    # Corner i is 0 in objective i and 1 elsewhere, the reference 2: a point of the cube
    # [0, 2]^m is dominated if at most one of its coordinates is below 1.
    costs = np.ones((m, m)) - np.eye(m)
    assert hypervolume(costs, np.full(m, 2.0)) == pytest.approx(1 + m)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_volumes_agree_with_monte_carlo(m) -> None:
    # With 40,000 draws six standard deviations are at most 0.015: false alarm about 1e-9.
    for seed in range(4):
        costs, reference, rng = draw(seed, m)
        drawn = rng.random((40_000, m))
        dominated = np.array([(costs <= point).all(axis=1).any() for point in drawn])
        assert abs(hypervolume(costs, reference) - dominated.mean()) < 0.015


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
@given(seed=seeds)
def test_boxes_fill_what_is_not_dominated_exactly_once(m, seed) -> None:
    costs, reference, rng = draw(seed, m)
    lower, upper = nondominated_boxes(costs, reference)
    for point in rng.random((200, m)):
        inside = ((lower < point) & (point < upper)).all(axis=1).sum()
        assert inside == (0 if (costs <= point).all(axis=1).any() else 1)


@given(seed=seeds, m=objectives)
def test_boxes_and_hypervolume_add_up_to_the_whole(seed, m) -> None:
    costs, reference, _ = draw(seed, m)
    lower, upper = nondominated_boxes(costs, reference)
    free = np.prod(np.maximum(upper - np.maximum(lower, 0.0), 0.0), axis=1).sum()
    assert free + hypervolume(costs, reference) == pytest.approx(1.0)


@given(seed=seeds, m=objectives)
def test_the_order_of_points_and_objectives_does_not_matter(seed, m) -> None:
    costs, reference, rng = draw(seed, m)
    turned = costs[rng.permutation(len(costs))][:, rng.permutation(m)]
    assert hypervolume(turned, reference) == pytest.approx(hypervolume(costs, reference))


@given(seed=seeds, m=objectives)
def test_another_point_never_lowers_it_and_a_dominated_one_changes_nothing(seed, m) -> None:
    costs, reference, rng = draw(seed, m)
    before = hypervolume(costs, reference)
    more = np.vstack([costs, rng.random((1, m))])
    assert hypervolume(more, reference) >= before - 1e-12
    same = np.vstack([costs, costs[:3] + rng.random((3, m)), costs[:1]])
    assert hypervolume(same, reference) == pytest.approx(before)


@given(seed=seeds, m=objectives)
def test_it_scales_with_the_units_and_does_not_mind_where_zero_is(seed, m) -> None:
    costs, reference, rng = draw(seed, m)
    units, zero = rng.uniform(0.1, 10, m), rng.uniform(-3, 3, m)
    scaled = hypervolume(costs * units + zero, reference * units + zero)
    assert scaled == pytest.approx(hypervolume(costs, reference) * units.prod())


@given(seed=seeds, m=objectives)
def test_gains_are_the_differences_of_growing_sets(seed, m) -> None:
    costs, reference, _ = draw(seed, m)
    curve = [hypervolume(costs[: i + 1], reference) for i in range(len(costs))]
    gains = hypervolume_gains(costs, reference)
    assert (gains >= 0).all()
    assert np.cumsum(gains) == pytest.approx(np.array(curve))


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_points_beyond_the_reference_and_with_nan_add_nothing(m) -> None:
    beyond = np.full((3, m), 0.5)
    beyond[0, 0], beyond[1, -1], beyond[2, 0] = 1.0, 2.0, np.nan
    reference = np.ones(m)
    assert hypervolume(beyond, reference) == 0.0
    assert hypervolume_gains(beyond, reference).tolist() == [0.0] * 3
    assert hypervolume(np.empty((0, m)), reference) == 0.0
    lower, upper = nondominated_boxes(beyond, reference)
    assert np.isneginf(lower).all() and upper.tolist() == [[1.0] * m]


def test_tiny_fronts_far_from_zero_keep_their_digits() -> None:
    steps = np.arange(10.0)
    costs = 1e6 + 2.0**-20 * np.column_stack([steps, 9 - steps, steps])
    small = hypervolume(costs, np.full(3, 1e6 + 2.0**-20 * 10))
    assert small == pytest.approx(
        2.0**-60 * hypervolume(np.column_stack([steps, 9 - steps, steps]), np.full(3, 10.0))
    )


@pytest.mark.parametrize(
    ("costs", "reference", "message"),
    [
        ([[0.0, 1.0]], [1.0, np.inf], r"reference=\[1.0, inf\] must be one finite number"),
        ([[0.0, 1.0]], [1.0], r"costs have shape \(1, 2\).*\(n, 1\) is expected"),
        ([0.0, 1.0], [1.0, 1.0], r"costs have shape \(2,\)"),
        ([[0.0, -np.inf]], [1.0, 1.0], r"a cost is -inf"),
    ],
)
def test_what_has_no_volume_is_refused(costs, reference, message) -> None:
    with pytest.raises(ValueError, match=message):
        hypervolume(np.array(costs), np.array(reference))


@pytest.mark.parametrize(("m", "limit_s"), [(2, 0.05), (3, 0.1), (4, 2.0)])
def test_a_thousand_points_on_a_sphere_are_fast(m, limit_s) -> None:
    # About 0.2, 1 and 70 ms; the limits leave room for slow machines.
    points = np.abs(np.random.default_rng(0).normal(size=(1000, m)))
    costs = 1 - points / np.linalg.norm(points, axis=1, keepdims=True)
    began = time.process_time()
    assert 0 < hypervolume(costs, np.ones(m)) < 1
    assert time.process_time() - began < limit_s
