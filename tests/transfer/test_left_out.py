"""Leaving data sets out: whole groups, and no credit for what nobody knows."""

from functools import partial

import numpy as np
import pytest

from octavo.errors import DataError
from octavo.transfer import Evaluations
from octavo.transfer.left_out import (
    GreedyStrategy,
    RandomOrders,
    SimilarFirst,
    leave_one_out,
)
from octavo.transfer.similarity import nearest_first

NAN = np.nan


def alike(n=10, m=30, seed=0):
    """Data sets on which mostly the same configurations are good."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(0, 1, m)
    costs = quality + rng.normal(0, 0.15, (n, m))
    seconds = np.exp(rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (1, m)))
    return Evaluations(
        [f"d{i}" for i in range(n)], [{"x": i} for i in range(m)], costs, seconds=seconds,
        features=[{"log_rows": float(i)} for i in range(n)],
    )  # fmt: skip


@pytest.mark.parametrize(
    "kind", [GreedyStrategy, SimilarFirst, partial(SimilarFirst, reorder=nearest_first)]
)
def test_what_was_learned_elsewhere_beats_a_random_order(kind):
    seen = alike()
    for deadlines in (None, (0.1, 100)):
        learned = leave_one_out(seen, kind(8, deadlines), size=8, deadlines=(0.1, 100))
        random = leave_one_out(seen, RandomOrders(20), size=8, deadlines=(0.1, 100))
        assert learned.mean_costs[1] < random.mean_costs[1]
        assert learned.mean_costs[4] < random.mean_costs[4]
        assert learned.mean_area < random.mean_area
        assert learned.costs.shape == (10, 9)


def test_the_whole_group_is_left_out():
    asked = []

    def spy(known, dataset, features):
        asked.append((dataset, known.datasets))
        return [[0]]

    costs = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    seen = Evaluations(["a", "b", "c"], [{}, {"x": 1}], costs, groups=["g", "g", "h"])
    leave_one_out(seen, spy, size=1)
    assert asked == [("a", ("c",)), ("b", ("c",)), ("c", ("a", "b"))]
    with pytest.raises(DataError, match="all 2 data sets are of the group 'g'"):
        leave_one_out(seen.rows([0, 1]), spy, size=1)


def test_the_curve_is_that_of_the_data_set_that_was_left_out():
    costs = [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]
    seen = Evaluations(["a", "b"], [{"x": i} for i in range(3)], costs)
    found = leave_one_out(seen, GreedyStrategy(3), size=3)
    assert found.costs.tolist() == [[1.0, 1.0, 1.0, 1.0]] * 2
    assert np.isnan(found.mean_area)


def test_what_is_unknown_there_is_passed_over_and_counted():
    costs = [[NAN, 0.5, 2.0], [0.0, 0.5, 2.0], [0.0, 2.0, 1.0]]
    seen = Evaluations(["a", "b", "c"], [{"x": i} for i in range(3)], costs)

    def fixed(known, dataset, features):
        return [[0, 1]]

    found = leave_one_out(seen, fixed, size=1)
    assert found.costs[0].tolist() == [1.0, 0.0]
    assert found.share_passed_over.tolist() == [0.5, 0.0, 0.0]


def test_a_group_counts_once_in_the_mean():
    costs = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    seen = Evaluations(["a", "b", "c"], [{}, {"x": 1}], costs, groups=["g", "g", "h"])
    found = leave_one_out(seen, lambda *_: [[0]], size=1)
    assert found.mean_costs.tolist() == [1.0, 0.5]
