import numpy as np
import pytest

from octavo.numerics.acquisition import log_expected_improvement, log_probability_below
from octavo.numerics.weighted_improvement import log_weighted_improvement
from octavo.optimizers.utilities import (
    FrontImprovement,
    Improvement,
    LowerBound,
    PlainImprovement,
    WeightedImprovement,
)

MEAN = np.array([[0.3, -1.0, 2.0], [0.5, -0.5, 4.0]])
STD = np.array([[0.5, 0.2, 1.5], [1.0, 0.3, 0.7]])


def test_it_is_the_improvement_times_the_probability_that_bounds_hold() -> None:
    found = Improvement(-0.2).log_value(MEAN, STD)
    parts = log_expected_improvement(MEAN[0], STD[0], -0.2) + log_probability_below(
        MEAN[1], STD[1], 0.0
    )
    assert np.allclose(found, parts)


def test_while_nothing_is_feasible_only_the_probability_counts() -> None:
    found = Improvement(None).log_value(MEAN, STD)
    assert np.allclose(found, log_probability_below(MEAN[1], STD[1], 0.0))


def test_the_front_is_improved_beyond_its_own_points_only() -> None:
    front = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    sure = np.full((2, 3), 1e-6)
    # Dominated, on the front, and between its two points but better than both together.
    value = FrontImprovement(front, 2).log_value(np.array([[1.5, 0.0, 0.4], [1.5, 1.0, 0.4]]), sure)
    assert value[0] < -1e3 and value[1] < -10
    # What 0.4, 0.4 adds to the corner (1.1, 1.1) beyond the front: 0.7^2 less the two strips.
    assert np.exp(value[2]) == pytest.approx(0.7**2 - 2 * 0.1 * 0.7 + 0.1**2, abs=0.05)


def test_the_unit_of_an_objective_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    front, unit = rng.random((9, 2)), np.array([1.0, 100.0])
    one = FrontImprovement(front, 2).log_value(MEAN, STD)
    other = FrontImprovement(front * unit, 2).log_value(MEAN * unit[:, None], STD * unit[:, None])
    assert np.allclose(other - one, np.log(100.0))


def test_climbing_the_improvement_itself_ranks_alike_but_is_flat_in_the_tail() -> None:
    for best in (None, -0.2):
        plain, logarithm = PlainImprovement(best), Improvement(best)
        assert np.allclose(plain.log_value(MEAN, STD), logarithm.log_value(MEAN, STD))
        assert np.allclose(plain.climbed(MEAN, STD)[0], np.exp(logarithm.climbed(MEAN, STD)[0]))
    far = np.array([[50.0], [0.5]]), np.ones((2, 1))
    assert PlainImprovement(-0.2).log_value(*far) == -np.inf
    assert all((part == 0).all() for part in PlainImprovement(-0.2).climbed(*far))
    value, by_mean, _ = Improvement(-0.2).climbed(*far)
    assert np.isfinite(value).all() and by_mean[0, 0] < -40


def test_the_weighted_improvement_counts_times_the_probability_that_bounds_hold() -> None:
    found = WeightedImprovement(-0.2, 0.3).log_value(MEAN, STD)
    parts = log_weighted_improvement(MEAN[0], STD[0], -0.2, 0.3) + log_probability_below(
        MEAN[1], STD[1], 0.0
    )
    assert np.allclose(found, parts)


def test_the_lowest_bound_is_the_best_one() -> None:
    bounds = MEAN[0] - 2.0 * STD[0]
    assert np.allclose(LowerBound(2.0).log_value(MEAN, STD), -bounds)


UTILITIES = [
    Improvement(None),
    Improvement(-0.2),
    PlainImprovement(None),
    PlainImprovement(-0.2),
    WeightedImprovement(-0.2, 0.0),
    WeightedImprovement(-0.2, 0.3),
    WeightedImprovement(-0.2, 0.9),
    LowerBound(2.0),
    FrontImprovement(None, 1),
    FrontImprovement(np.array([[0.1], [0.2]]), 1),
    FrontImprovement(np.array([[-0.5, 0.8], [0.4, -0.3]]), 2),
]


@pytest.mark.parametrize("utility", UTILITIES)
def test_what_is_climbed_comes_with_its_derivatives(utility) -> None:
    def value(mean, deviation):
        return utility.climbed(mean, deviation)[0]

    h = 1e-6
    climbed, by_mean, by_deviation = utility.climbed(MEAN, STD)
    assert (np.argsort(climbed) == np.argsort(utility.log_value(MEAN, STD))).all()
    for k in range(2):
        step = np.zeros_like(MEAN)
        step[k] = h
        slope = (value(MEAN + step, STD) - value(MEAN - step, STD)) / 2 / h
        assert np.allclose(slope, by_mean[k], atol=1e-5)
        slope = (value(MEAN, STD + step) - value(MEAN, STD - step)) / 2 / h
        assert np.allclose(slope, by_deviation[k], atol=1e-5)
