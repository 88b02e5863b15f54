"""Expected improvement against independent integrals, in the middle and in the far tail."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.integrate import quad

from octavo.numerics.acquisition import (
    expected_improvement,
    log_expected_improvement,
    log_hypervolume_improvement,
    log_improvement_with_gradient,
    log_probability_below,
    log_probability_gradient,
)
from octavo.numerics.hypervolume import hypervolume, nondominated_boxes


def log_h_by_integral(z: float) -> float:
    """log E[max(0, z - N(0, 1))] for z <= 0 = log phi(z) + log of the integral over s > 0 of
    s exp(-s^2/2 - |z| s); with s = t / max(1, |z|) the integrand is of order one anywhere."""
    scale = max(1.0, abs(z))
    integral, _ = quad(
        lambda t: t * np.exp(-0.5 * (t / scale) ** 2 - abs(z) / scale * t),
        0, np.inf, epsabs=0, epsrel=1e-12,
    )  # fmt: skip
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.log(integral) - 2 * np.log(scale)


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


@pytest.mark.parametrize(
    "z", [0.0, -0.3, -0.999, -1.0, -1.001, -3, -10, -38, -100, -999, -1001, -1e5]
)
def test_log_expected_improvement_equals_its_integral(z: float) -> None:
    computed = log_expected_improvement(one(-z), one(1.0), 0.0)[0]
    assert computed == pytest.approx(log_h_by_integral(z), rel=1e-9, abs=1e-9)


def test_known_values() -> None:
    # At mean == best, EI = std * phi(0); three deviations above the mean it is nearly the gain.
    assert expected_improvement(one(1.0), one(2.0), 1.0)[0] == pytest.approx(2 / np.sqrt(2 * np.pi))
    assert expected_improvement(one(0.0), one(1.0), 10.0)[0] == pytest.approx(10.0)
    # Jones (1998), with phi and Phi at 1: 1 * Phi(1) + phi(1).
    assert expected_improvement(one(0.0), one(1.0), 1.0)[0] == pytest.approx(1.0833154706)
    assert log_probability_below(one(0.0), one(1.0), -40.0)[0] == pytest.approx(
        -804.608442, rel=1e-8
    )


@given(
    mean=st.floats(-30, 30), std=st.floats(1e-3, 100), best=st.floats(-30, 30)
)  # fmt: skip
def test_the_logarithm_is_the_logarithm(mean: float, std: float, best: float) -> None:
    plain = expected_improvement(one(mean), one(std), best)[0]
    logarithm = log_expected_improvement(one(mean), one(std), best)[0]
    # The plain one loses digits by cancellation where it is small against the deviation.
    if plain > 1e-8 * std:
        assert logarithm == pytest.approx(np.log(plain), abs=1e-6)
    else:
        assert logarithm < np.log(1e-7 * std)


@given(z=st.floats(-1e8, 1e8), step=st.floats(1e-6, 10))
def test_more_promising_means_more_improvement_also_in_the_tail(z: float, step: float) -> None:
    step = max(step, 1e-6 * abs(z))
    worse, better = log_expected_improvement(np.array([-z, -z - step]), np.ones(2), 0.0)
    assert worse <= better
    if z < -5:
        assert worse < better


@given(mean=st.floats(-1e6, 1e6), std=st.floats(0, 1e3), best=st.floats(-1e6, 1e6))
def test_it_is_finite_and_never_negative(mean: float, std: float, best: float) -> None:
    assert expected_improvement(one(mean), one(std), best)[0] >= 0
    assert np.isfinite(log_expected_improvement(one(mean), one(std), best)[0])


def test_a_certain_gain_is_the_gain() -> None:
    assert expected_improvement(one(1.0), one(0.0), 3.0)[0] == pytest.approx(2.0)
    assert log_expected_improvement(one(1.0), one(0.0), 3.0)[0] == pytest.approx(np.log(2.0))


@pytest.mark.parametrize(
    "function", [expected_improvement, log_expected_improvement, log_probability_below]
)
def test_a_negative_deviation_is_refused(function) -> None:
    with pytest.raises(ValueError, match=r"std must be >= 0, got a minimum of -1.*variances"):
        function(np.zeros(2), np.array([1.0, -1.0]), 0.0)


def _improvement_slopes(mean: np.ndarray, std: np.ndarray, best: float):
    value, by_mean, by_std = log_improvement_with_gradient(mean, std, best)
    np.testing.assert_array_equal(value, log_expected_improvement(mean, std, best))
    return by_mean, by_std


@given(st.floats(-30, 30), st.floats(1e-3, 10), st.floats(-3, 3))
def test_gradients_are_the_derivatives(mean: float, std: float, bound: float) -> None:
    pairs = (
        (log_expected_improvement, _improvement_slopes),
        (log_probability_below, log_probability_gradient),
    )
    h = 1e-5 * std
    m, s = np.array([mean]), np.array([std])
    for value, gradient in pairs:
        by_mean, by_std = gradient(m, s, bound)
        slope = (value(m + h, s, bound) - value(m - h, s, bound)) / (2 * h)
        assert np.allclose(by_mean, slope, rtol=1e-4, atol=1e-6 / std)
        slope = (value(m, s + h, bound) - value(m, s - h, bound)) / (2 * h)
        assert np.allclose(by_std, slope, rtol=1e-4, atol=1e-6 / std)


@pytest.mark.parametrize("z", [-40.0, -1e3, -1e5])
def test_gradients_stay_exact_in_the_far_tail(z: float) -> None:
    """There log EI and log Phi are both about -z^2 / 2: their derivatives, about -z and z^2."""
    for gradient in (_improvement_slopes, log_probability_gradient):
        by_mean, by_std = gradient(np.array([-z]), np.ones(1), 0.0)
        assert by_mean == pytest.approx(z, rel=5e-3)
        assert by_std == pytest.approx(z * z, rel=5e-3)


def front_of(m: int, rng: np.random.Generator):
    points = rng.random((12, m))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    reference = np.full(m, 1.2)
    return points, reference, nondominated_boxes(points, reference)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_expected_hypervolume_improvement_by_monte_carlo(m: int) -> None:
    rng = np.random.default_rng(m)
    points, reference, (lower, upper) = front_of(m, rng)
    mean, std = rng.random((m, 5)), rng.uniform(0.1, 0.5, (m, 5))
    value, _, _ = log_hypervolume_improvement(mean, std, lower, upper)
    before = hypervolume(points, reference)
    for at in range(5):
        draws = rng.normal(mean[:, at], std[:, at], (4000, m))
        gains = [hypervolume(np.vstack([points, draw]), reference) - before for draw in draws]
        error = np.std(gains) / np.sqrt(len(gains))
        assert abs(np.exp(value[at]) - np.mean(gains)) < 5 * error


@given(st.integers(0, 1000), st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 3.0, 30.0]))
def test_gradients_of_hypervolume_improvement(seed: int, m: int, away: float) -> None:
    """Also far behind the front, where the volume itself is zero in floating point."""
    rng = np.random.default_rng(seed)
    _, _, boxes = front_of(m, rng)
    mean, std, h = away + rng.random((m, 3)), rng.uniform(0.1, 0.5, (m, 3)), 1e-6
    value, by_mean, by_std = log_hypervolume_improvement(mean, std, *boxes)
    assert np.isfinite(value).all()
    for k in range(m):
        step = np.zeros_like(mean)
        step[k] = h
        for gradient, more, less in (
            (by_mean, (mean + step, std), (mean - step, std)),
            (by_std, (mean, std + step), (mean, std - step)),
        ):
            up = log_hypervolume_improvement(*more, *boxes)[0]
            down = log_hypervolume_improvement(*less, *boxes)[0]
            assert np.allclose((up - down) / (2 * h), gradient[k], rtol=1e-3, atol=1e-3)
