"""Input warping: what it does to numbers, and that it is learned where it is needed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from octavo.spaces import Float, space
from octavo.surrogates.fitting import fit_parameters
from octavo.surrogates.gaussian_process import GaussianProcess
from octavo.surrogates.kernel import Layout
from octavo.surrogates.parameters import Parameters, prior_mode
from octavo.surrogates.warping import bent, bent_with_slopes

shapes = st.floats(0.2, 5.0)


@given(shapes, shapes)
def test_the_interval_is_bent_onto_itself_in_order(a: float, b: float) -> None:
    numbers = np.linspace(-0.5, 0.5, 101)[:, None]
    moved = bent(numbers, np.array([[a], [b]]))[:, 0]
    assert moved[0] == -0.5 and moved[-1] == 0.5
    assert (np.diff(moved) >= 0).all()
    assert np.allclose(bent_with_slopes(numbers, np.array([[a], [b]]))[0][:, 0], moved, atol=1e-6)


def test_shapes_of_one_change_nothing_and_other_columns_stay() -> None:
    numbers = np.random.default_rng(0).random((20, 3)) - 0.5
    assert np.allclose(bent(numbers, np.ones((2, 2))), numbers)
    assert np.array_equal(bent(numbers, np.full((2, 2), 3.0))[:, 2], numbers[:, 2])


@given(shapes, shapes, st.floats(-0.45, 0.45))
def test_slopes_are_derivatives(a: float, b: float, number: float) -> None:
    def at(a: float, b: float, number: float) -> float:
        return float(bent(np.array([[number]]), np.array([[a], [b]]))[0, 0])

    _, *slopes = bent_with_slopes(np.array([[number]]), np.array([[a], [b]]))
    h = 1e-6
    differences = [
        (at(a, b, number + h) - at(a, b, number - h)) / (2 * h),
        (at(a * np.exp(h), b, number) - at(a * np.exp(-h), b, number)) / (2 * h),
        (at(a, b * np.exp(h), number) - at(a, b * np.exp(-h), number)) / (2 * h),
    ]
    assert np.allclose([slope.item() for slope in slopes], differences, atol=1e-4, rtol=1e-3)


def test_a_function_that_lives_at_one_end_is_predicted_better() -> None:
    def wave(u: np.ndarray) -> np.ndarray:
        return np.sin(8 * np.clip(u, 1e-6, 1) ** 0.2 * np.pi)

    where = space(x=Float(0, 1))
    rng = np.random.default_rng(0)
    x, asked = where.sample(40, rng), where.sample(200, rng)
    errors = {}
    for is_warped in (False, True):
        layout = Layout(x.columns, x.values, is_warped=is_warped)
        y = wave(x.values[:, 0])
        fitted = fit_parameters(layout, layout.features(x.values), y, prior_mode(layout))
        process = GaussianProcess(layout.features(x.values), y, fitted)
        errors[is_warped] = np.abs(
            process.predict(layout.features(asked.values))[0] - wave(asked.values[:, 0])
        ).mean()
    assert errors[True] < 0.5 * errors[False]


def test_fitted_shapes_survive_json() -> None:
    where = space(x=Float(0, 1), y=Float(0, 1))
    points = where.sample(30, np.random.default_rng(0))
    layout = Layout(points.columns, points.values, is_warped=True)
    y = np.sin(20 * points.values[:, 0] ** 3)
    fitted = fit_parameters(layout, layout.features(points.values), y, prior_mode(layout))
    assert not np.allclose(fitted.scales.warps, 1.0)
    assert Parameters.from_json(fitted.to_json(layout), layout).equals(fitted)
