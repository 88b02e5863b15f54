"""Weighted expected improvement against 80 digits, in the middle and in the far tail."""

from decimal import MIN_EMIN, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from octavo.numerics.acquisition import expected_improvement, log_expected_improvement
from octavo.numerics.weighted_improvement import (
    log_weighted_improvement,
    log_weighted_improvement_gradient,
    summands,
)

WEIGHTS = [0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0]
LEAST = Decimal("1e-6")


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def arctan_of_inverse(x: int) -> Decimal:
    total, power, k = Decimal(0), Decimal(1) / x, 0
    while abs(power) > Decimal(10) ** -78:
        total += power / (2 * k + 1) * (-1) ** k
        power, k = power / (x * x), k + 1
    return total


def exact(z: float, weight: float) -> float:
    """The logarithm of weight z Phi(z) + (1 - weight) phi(z), or of a millionth of EI.

    Phi by its continued fraction in the tail and by its series elsewhere, with 80 digits.
    """
    with localcontext() as context:
        context.prec, context.Emin = 80, MIN_EMIN
        pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))  # Machin
        z_, w = Decimal(z), Decimal(weight)
        density = (-z_ * z_ / 2).exp() / (2 * pi).sqrt()
        x = abs(z_)
        if x > 6:  # the tail: phi / (x + 1 / (x + 2 / (x + 3 / ...)))
            fraction = x
            for k in range(4000, 0, -1):
                fraction = x + k / fraction
            tail = density / fraction
        else:  # 1/2 - phi (x + x^3 / 3 + x^5 / 15 + ...)
            term, total, k = x, Decimal(0), 1
            while term > Decimal(10) ** -75:
                total += term
                k += 2
                term *= x * x / k
            tail = Decimal("0.5") - density * total
        distribution = tail if z <= 0 else 1 - tail
        weighted = w * z_ * distribution + (1 - w) * density
        improvement = z_ * distribution + density
        if weight <= 0.5:
            return float(weighted.ln())
        return float(max(weighted, LEAST * improvement).ln())


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("z", [-1e4, -100, -38, -10, -3, -1, -0.5, -0.01, 0.0, 0.5, 2, 10, 40])
def test_it_equals_what_many_digits_give(z: float, weight: float) -> None:
    found = log_weighted_improvement(one(-z), one(1.0), 0.0, weight)[0]
    assert found == pytest.approx(exact(z, weight), rel=1e-9, abs=1e-9)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 10), st.floats(-3, 3))
def test_a_weight_of_one_half_is_half_of_the_expected_improvement(mean, std, best) -> None:
    found = log_weighted_improvement(one(mean), one(std), best, 0.5)
    assert found == pytest.approx(log_expected_improvement(one(mean), one(std), best) - np.log(2))


@given(st.floats(-8, 8), st.floats(1e-2, 10), st.floats(-3, 3), st.sampled_from(WEIGHTS))
def test_it_weighs_its_summands(mean, std, best, weight) -> None:
    exploits, explores = summands(mean, std, best)
    plain = expected_improvement(one(mean), one(std), best)[0]
    assert exploits + explores == pytest.approx(plain, abs=1e-12)
    weighed = weight * exploits + (1 - weight) * explores
    found = np.exp(log_weighted_improvement(one(mean), one(std), best, weight)[0])
    if weight > 0.5:
        assert found >= 0.999e-6 * plain
    if weighed > 2e-6 * plain and plain > 1e-6 * std:  # else it is the least, or lacks digits
        assert found == pytest.approx(weighed, rel=1e-6)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e3), st.floats(-1e6, 1e6), st.floats(0, 1))
def test_it_is_finite(mean, std, best, weight) -> None:
    found = (
        log_weighted_improvement(one(mean), one(std), best, weight),
        *log_weighted_improvement_gradient(one(mean), one(std), best, weight),
    )
    assert np.isfinite(found).all()


@given(st.floats(-30, 30), st.floats(1e-3, 10), st.floats(-3, 3), st.sampled_from(WEIGHTS))
def test_gradients_are_the_derivatives(mean, std, best, weight) -> None:
    def value(mean, std):
        return log_weighted_improvement(one(mean), one(std), best, weight)[0]

    def share(mean, std):
        return np.exp(value(mean, std) - log_expected_improvement(one(mean), one(std), best)[0])

    h = 1e-5 * std
    if weight > 0.5:  # not where it begins to exceed the least, and its logarithm bends sharply
        near = [share(mean + dm, std + ds) for dm, ds in ((h, 0), (-h, 0), (0, h), (0, -h))]
        assume(max(near) < 1.001e-6 or min(near) > 1e-3)
    by_mean, by_std = log_weighted_improvement_gradient(one(mean), one(std), best, weight)
    slope = (value(mean + h, std) - value(mean - h, std)) / (2 * h)
    assert by_mean[0] == pytest.approx(slope, rel=1e-4, abs=1e-5 / std)
    slope = (value(mean, std + h) - value(mean, std - h)) / (2 * h)
    assert by_std[0] == pytest.approx(slope, rel=1e-4, abs=1e-5 / std)


def test_more_weight_on_exploitation_prefers_the_surer_of_two_candidates() -> None:
    mean, std = np.array([-0.2, 0.2]), np.array([0.05, 1.0])
    for weight, preferred in ((0.0, 1), (0.3, 1), (0.9, 0), (1.0, 0)):
        assert log_weighted_improvement(mean, std, 0.0, weight).argmax() == preferred


@given(st.floats(-50, -1e-3), st.floats(1e-3, 10), st.floats(0.51, 1.0))
def test_the_more_hopeless_is_never_preferred(z, step, weight) -> None:
    """Though the weighted improvement itself, negative there, rises again."""
    worse, better = log_weighted_improvement(np.array([step - z, -z]), np.ones(2), 0.0, weight)
    assert worse <= better


def test_a_negative_deviation_is_refused() -> None:
    with pytest.raises(ValueError, match="std must be >= 0, got a minimum of -1"):
        log_weighted_improvement(np.zeros(2), np.array([1.0, -1.0]), 0.0, 0.5)
