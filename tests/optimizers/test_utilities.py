import numpy as np
import pytest

from octavo.numerics.acquisition import log_expected_improvement, log_probability_below
from octavo.optimizers.utilities import Improvement

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


@pytest.mark.parametrize("best", [None, -0.2])
def test_gradients_are_the_derivatives(best) -> None:
    utility, h = Improvement(best), 1e-6
    by_mean, by_deviation = utility.gradient(MEAN, STD)
    for k in range(2):
        step = np.zeros_like(MEAN)
        step[k] = h
        slope = (utility.log_value(MEAN + step, STD) - utility.log_value(MEAN - step, STD)) / 2 / h
        assert np.allclose(slope, by_mean[k], atol=1e-5)
        slope = (utility.log_value(MEAN, STD + step) - utility.log_value(MEAN, STD - step)) / 2 / h
        assert np.allclose(slope, by_deviation[k], atol=1e-5)
