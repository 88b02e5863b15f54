"""Costs taken apart, against closed forms and a known truth."""

import numpy as np
import pytest

from octavo.spaces import Float, space
from octavo.surrogates.cholesky import CONSTANT, JITTER
from octavo.surrogates.gaussian_process import GaussianProcess
from octavo.surrogates.kernel import Layout, Scales, covariance
from octavo.surrogates.parameters import Parameters
from octavo.surrogates.repeated import taken_apart

LINE = space(x=Float(0, 1))


def on_a_line(n: int):
    points = LINE.encode([{"x": (i + 0.5) / n} for i in range(n)])
    layout = Layout(points.columns, points.values)
    return layout.features(points.values)


def parameters(noise: float, length: float = 0.3) -> Parameters:
    return Parameters(Scales(np.array([length]), np.empty(0)), scale=1.0, noise=noise)


def test_without_repetition_it_is_the_gaussian_process() -> None:
    features, y = on_a_line(20), np.random.default_rng(0).normal(size=20)
    parts = taken_apart(features, y, parameters(0.3), np.arange(20), np.arange(20))
    process = GaussianProcess(features, y, parameters(0.3))
    mean, deviation = process.predict(features)
    assert np.allclose(parts.mean, mean) and np.allclose(parts.deviation, deviation)
    assert not parts.by_seed.any() and parts.noise == 0.3 and parts.seed_variance == 0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_repetition_tells_what_is_a_configurations_own_from_noise(share) -> None:
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        configuration = np.repeat(np.arange(40), 3)
        own = np.sqrt(0.5 * share) * rng.normal(size=40)
        y = own[configuration] + np.sqrt(0.5 * (1 - share)) * rng.normal(size=120)
        features = on_a_line(40)[configuration]
        parts = taken_apart(features, y, parameters(0.5), configuration, np.arange(120))
        found.append(1 - parts.noise / 0.5)
        if share == 1:
            assert np.allclose(parts.mean, y, atol=1e-3)
    assert np.mean(found) == pytest.approx(share, abs=0.1)


def test_effects_of_seeds_are_found_and_their_mean_belongs_to_the_costs() -> None:
    rng = np.random.default_rng(0)
    effects = np.array([-3.0, 1.0, 2.0])
    configuration, seed = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    truth = np.sin(6 * (np.arange(30) + 0.5) / 30)
    y = truth[configuration] + effects[seed] + 0.1 * rng.normal(size=90)
    parts = taken_apart(on_a_line(30)[configuration], y, parameters(0.01), configuration, seed)
    differences = np.diff(parts.by_seed[:3])
    assert np.allclose(differences, np.diff(effects), atol=0.15)
    assert np.abs(parts.mean - truth[configuration]).max() < 0.25


def test_the_mean_is_the_solution_of_the_normal_equations() -> None:
    # Two configurations far apart, one evaluated twice: 3 by 3, by hand.
    features = on_a_line(2)[np.array([0, 0, 1])]
    y, its = np.array([1.0, 2.0, -1.0]), parameters(0.4, length=0.01)
    parts = taken_apart(features, y, its, np.array([0, 0, 1]), np.array([0, 1, 2]))
    kernel = covariance(features, features, its.scales) + CONSTANT
    share = 1 - parts.noise / its.noise
    same = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    real = kernel + share * its.noise * same
    mean = real @ np.linalg.solve(real + (parts.noise + JITTER) * np.eye(3), y)
    assert np.allclose(parts.mean, mean, atol=1e-6)
