"""The Gaussian process against closed forms, finite differences and a second implementation."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from octavo.spaces import Categorical, Float, Integer, space
from octavo.surrogates.cholesky import Growing
from octavo.surrogates.fitting import fit_parameters, log_density
from octavo.surrogates.gaussian_process import GaussianProcess
from octavo.surrogates.kernel import Layout, Scales, factors
from octavo.surrogates.parameters import Parameters, prior_mode, unpacked

CONDITIONAL = space(
    model=Categorical(["tree", "net", "line"]),
    rate=Float(1e-5, 1e-1, log=True),
    depth=Integer(1, 12).when(model="tree"),
    width=Integer(8, 1024, log=True).when(model="net"),
    layers=Integer(1, 6).when(model="net"),
    scale=Categorical(["none", "standard"]),
)
NUMBERS = space(a=Float(0, 1), b=Float(0, 1), c=Float(0, 1))


def known(where, n: int, seed: int, *, is_warped: bool = False):
    """Layout, features and standard normal costs of n random configurations."""
    rng = np.random.default_rng(seed)
    points = where.sample(n, rng)
    layout = Layout(points.columns, points.values, is_warped=is_warped)
    return layout, layout.features(points.values), rng.normal(size=n), rng


def shaken(layout: Layout, rng: np.random.Generator, by: float = 0.5) -> np.ndarray:
    """Logarithms of parameters near the prior's mode."""
    mode = prior_mode(layout).packed()
    return mode + by * rng.normal(size=len(mode))


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_the_kernel_is_positive_definite(seed: int, n: int) -> None:
    layout, features, _, rng = known(CONDITIONAL, n, seed)
    parameters = unpacked(shaken(layout, rng, by=1.5), layout)
    kernel, slope = factors(features, features, parameters.scales)
    assert np.allclose(kernel, kernel.T) and (slope >= 0).all()
    assert np.allclose(np.diag(kernel), 1.0, atol=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-9 * n


def test_what_is_inactive_is_one_place_whatever_else_differs() -> None:
    """Between configurations without a hyperparameter, its length scale means nothing."""
    layout, features, _, _ = known(CONDITIONAL, 60, 0)
    no_net = np.flatnonzero(features.one_hot[:, 1] == 0)
    mode = prior_mode(layout)
    length = mode.scales.length.copy()
    length[layout.number_names.index("width")] = 1e-2
    one, _ = factors(features[no_net], features[no_net], mode.scales)
    other, _ = factors(features[no_net], features[no_net], Scales(length, mode.scales.weight))
    assert np.allclose(one, other)
    everything, _ = factors(features, features, Scales(length, mode.scales.weight))
    assert not np.allclose(everything, factors(features, features, mode.scales)[0])


def test_hyperparameters_that_come_and_go_together_share_an_activity() -> None:
    layout, _, _, _ = known(CONDITIONAL, 60, 0)
    active = [name for name in layout.number_names if name.endswith("is active")]
    assert "depth is active" in active and len(active) == 2


@given(st.integers(0, 10_000), st.sampled_from([CONDITIONAL, NUMBERS]), st.booleans())
def test_the_gradient_of_the_density_is_its_derivative(seed: int, where, is_warped) -> None:
    layout, features, y, rng = known(where, 25, seed, is_warped=is_warped)
    x = shaken(layout, rng)
    error = check_grad(
        lambda x: log_density(x, layout, features, y)[0],
        lambda x: log_density(x, layout, features, y)[1],
        x,
        epsilon=1e-6,
    )
    assert error < 1e-4 * max(1.0, np.abs(log_density(x, layout, features, y)[1]).max())


@given(st.integers(0, 10_000))
def test_the_posterior_is_that_of_scikit_learn(seed: int) -> None:
    layout, features, y, rng = known(NUMBERS, 30, seed)
    x = shaken(layout, rng)
    ours = unpacked(x, layout)
    theirs = GaussianProcessRegressor(
        ConstantKernel(ours.scale) * Matern(ours.scales.length, nu=2.5) + ConstantKernel(1.0),
        alpha=ours.noise + 1e-8,
        optimizer=None,
    ).fit(features.numbers, y)
    asked = layout.features(NUMBERS.sample(20, rng).values)
    mean, deviation = GaussianProcess(features, y, ours).predict(asked)
    expected, spread = theirs.predict(asked.numbers, return_std=True)
    assert np.allclose(mean, expected, atol=1e-6)
    assert np.allclose(deviation, spread, atol=1e-5)


def test_the_evidence_is_that_of_scikit_learn() -> None:
    layout, features, y, rng = known(NUMBERS, 30, 1)
    first, second = shaken(layout, rng), shaken(layout, rng)
    mode = prior_mode(layout).packed()
    spread = np.array([np.sqrt(3.0)] * 3 + [1.0, 2.5])

    def evidence(x: np.ndarray) -> float:
        ours = unpacked(x, layout)
        kernel = (
            ConstantKernel(ours.scale) * Matern(ours.scales.length, nu=2.5)
            + ConstantKernel(1.0)
            + WhiteKernel(ours.noise + 1e-8)
        )
        theirs = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
        theirs.fit(features.numbers, y)
        prior = -0.5 * float((((x - mode) / spread) ** 2).sum())
        return float(theirs.log_marginal_likelihood(kernel.theta)) + prior

    difference = (
        log_density(first, layout, features, y)[0] - log_density(second, layout, features, y)[0]
    )
    assert difference == pytest.approx(evidence(first) - evidence(second), rel=1e-6)


@given(st.integers(0, 10_000), st.booleans())
def test_gradients_of_the_prediction_are_its_derivatives(seed: int, is_warped: bool) -> None:
    layout, features, y, rng = known(CONDITIONAL, 30, seed, is_warped=is_warped)
    process = GaussianProcess(features, y, unpacked(shaken(layout, rng), layout))
    asked = layout.features(CONDITIONAL.sample(4, rng).values)
    mean, deviation, by_mean, by_deviation = process.moving(asked).predict(asked.numbers)
    assert np.allclose(mean, process.predict(asked)[0])
    assert np.allclose(deviation, process.predict(asked)[1], atol=1e-7)
    h = 1e-5
    for j in range(asked.numbers.shape[1]):
        sides = []
        for step in (h, -h):
            moved = layout.features(CONDITIONAL.sample(4, rng).values)
            moved.numbers, moved.one_hot = asked.numbers.copy(), asked.one_hot
            moved.numbers[:, j] += step
            sides.append(process.predict(moved))
        for at, derivative in ((0, by_mean), (1, by_deviation)):
            slope = (sides[0][at] - sides[1][at]) / (2 * h)
            assert np.allclose(slope, derivative[:, j], rtol=1e-4, atol=1e-4)


def test_without_noise_it_goes_through_the_data_and_far_away_knows_nothing() -> None:
    layout, features, y, _ = known(NUMBERS, 12, 3)
    sharp = Parameters(Scales(np.full(3, 0.1), np.empty(0)), 1.0, 1e-7)
    process = GaussianProcess(features, y, sharp)
    mean, deviation = process.predict(features)
    assert np.allclose(mean, y, atol=1e-4) and (deviation < 1e-2).all()
    assert np.allclose(process.fitted, y, atol=1e-4)
    far = layout.features(np.full((1, 3), 50.0))
    assert process.predict(far)[1][0] > 1.0


def test_fitting_finds_the_scale_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    points = NUMBERS.sample(150, rng)
    layout = Layout(points.columns, points.values)
    features = layout.features(points.values)
    truth = Parameters(Scales(np.array([0.15, 0.6, 50.0]), np.empty(0)), 1.0, 1e-4)
    kernel, _ = factors(features, features, truth.scales)
    y = rng.multivariate_normal(np.zeros(150), kernel + 1e-4 * np.eye(150))
    found = fit_parameters(layout, features, y, prior_mode(layout))
    a, b, c = found.scales.length
    assert 0.09 < a < 0.25 and 0.3 < b < 1.2 and c > 3.0
    assert found.noise < 0.01


def test_parameters_survive_json_and_new_columns() -> None:
    layout, features, y, rng = known(CONDITIONAL, 40, 2)
    found = fit_parameters(layout, features, y, prior_mode(layout), n_steps=5)
    again = Parameters.from_json(found.to_json(layout), layout)
    assert (again.packed() == found.packed()).all()
    other = Layout(NUMBERS.columns, NUMBERS.sample(3, rng).values)
    begun = Parameters.from_json(found.to_json(layout), other)
    assert (begun.scales.length == prior_mode(other).scales.length).all()
    assert begun.noise == found.noise


def test_equal_rows_are_no_obstacle() -> None:
    layout, features, _, _ = known(CONDITIONAL, 8, 5)
    rows = np.zeros(30, dtype=np.int64)
    y = np.linspace(-1, 1, 30)
    found = fit_parameters(layout, features[rows], y, prior_mode(layout))
    mean, deviation = GaussianProcess(features[rows], y, found).predict(features)
    assert np.isfinite(mean).all() and np.isfinite(deviation).all()
    tight = Parameters(found.scales, 1.0, 1e-12)
    assert np.isfinite(GaussianProcess(features[rows], y, tight).predict(features)[0]).all()


@pytest.mark.parametrize("n", [5, 64, 150])
def test_a_factor_that_grew_gives_the_same_posterior(n: int) -> None:
    layout, features, y, rng = known(CONDITIONAL, n, 2)
    parameters = unpacked(shaken(layout, rng), layout)
    asked = layout.features(CONDITIONAL.sample(20, rng).values)
    at_once = GaussianProcess(features, y, parameters)
    growing = Growing()
    for m in (*range(1, n, 7), n):
        factor = growing.factor(features[:m], parameters)
    grown = GaussianProcess(features, y, parameters, factor)
    extended = GaussianProcess(features[:3], y[:3], parameters).extended(features[3:], y[3:])
    for other in (grown, extended, at_once.near(asked, n)):
        for one, two in zip(at_once.predict(asked), other.predict(asked), strict=True):
            assert np.allclose(one, two, atol=1e-8)


def test_how_rows_came_changes_not_even_the_last_bit() -> None:
    layout, features, _, rng = known(CONDITIONAL, 200, 3)
    parameters = unpacked(shaken(layout, rng), layout)
    one_by_one = Growing()
    for m in range(1, 201):
        stepwise = one_by_one.factor(features[:m], parameters)
    at_once = Growing().factor(features, parameters)
    assert np.array_equal(stepwise.lower, at_once.lower)
    # Other parameters, or rows that changed, are noticed.
    other = unpacked(shaken(layout, rng), layout)
    assert np.array_equal(
        one_by_one.factor(features, other).lower, Growing().factor(features, other).lower
    )
    assert np.array_equal(
        one_by_one.factor(features[100:], other).lower,
        Growing().factor(features[100:], other).lower,
    )


def test_equal_rows_without_noise_are_survived() -> None:
    _, features, y, _ = known(NUMBERS, 8, 4)
    twice = features[np.repeat(np.arange(8), 20)]
    sharp = Parameters(Scales(np.full(3, 30.0), np.empty(0)), 50.0, 1e-9)
    growing = Growing().factor(twice, sharp)
    process = GaussianProcess(twice, np.repeat(y, 20), sharp, growing)
    mean, deviation = process.extended(features, y).predict(features)
    assert np.isfinite(mean).all() and np.isfinite(deviation).all()


def test_the_nearest_rows_say_nearly_what_all_of_them_say() -> None:
    layout, features, _, rng = known(NUMBERS, 600, 5)
    y = np.sin(6 * features.numbers).sum(axis=1)
    parameters = Parameters(Scales(np.full(3, 0.4), np.empty(0)), 1.0, 1e-4)
    asked = layout.features(NUMBERS.sample(3, rng).values)
    whole = GaussianProcess(features, y, parameters)
    assert np.allclose(whole.predict(asked)[0], whole.near(asked, 200).predict(asked)[0], atol=0.05)
