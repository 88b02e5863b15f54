"""Every family's derivatives, and fits that find the curve that made the points."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.surrogates.learning_curves.batch import MOST_POINTS, batch_of
from octavo.surrogates.learning_curves.families import CONSTANT, FAMILIES, Family
from octavo.surrogates.learning_curves.fitting import fit_family

by_name = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])


def phi_of(family: Family, spot: float) -> np.ndarray:
    """Parameters some prior deviations from the centre, shape (1, q)."""
    return np.array([family.centre]) + spot * np.array([family.spread])


@by_name
@pytest.mark.parametrize("spot", [-2.0, -0.4, 0.0, 1.3])
def test_derivatives_are_those_of_the_shape(family, spot):
    x, reach, phi = np.array([[1.0, 2.0, 7.0, 30.0]]), np.array([[10.0]]), phi_of(family, spot)
    _, slopes = family.shape(x, phi, reach)
    for place in range(phi.shape[1]):
        step = np.zeros_like(phi)
        step[0, place] = 1e-6
        numeric = (
            family.shape(x, phi + step, reach)[0] - family.shape(x, phi - step, reach)[0]
        ) / 2e-6
        np.testing.assert_allclose(slopes[..., place], numeric, rtol=1e-5, atol=1e-7)


@by_name
@given(spot=st.floats(-6, 6), reach=st.floats(1, 1e5), factor=st.floats(1, 1e4))
def test_shapes_stay_finite_within_six_deviations(family, spot, reach, factor):
    x = np.array([[1.0, reach, reach * factor]])
    values, slopes = family.shape(x, phi_of(family, spot), np.array([[reach]]))
    assert np.isfinite(values).all() and np.isfinite(slopes).all()


@by_name
def test_a_fit_finds_the_curve_that_made_the_points(family):
    steps = np.arange(1.0, 41.0)
    x, reach = steps[None], np.array([[40.0]])
    g, _ = family.shape(x, phi_of(family, 0.3), reach)
    columns = family.columns(x, reach, g)
    linear = np.array([0.5, 0.3, 0.2])[: family.n_linear]
    costs = (columns @ linear)[0]
    batch = batch_of([(steps, costs)])
    fit = fit_family(family, batch)
    end, _ = fit.at(batch, np.array([0]), batch.reach)
    beginning, _ = fit.at(batch, np.array([0]), np.array([1.0]))
    found = batch.last + batch.range * np.r_[beginning, end]
    np.testing.assert_allclose(found, costs[[0, -1]], atol=0.01 * np.ptp(costs))


def test_fits_in_a_batch_are_those_of_each_curve_alone():
    rng = np.random.default_rng(0)
    curves = []
    for n in (3, 8, 20):
        steps = np.arange(1.0, n + 1)
        curves.append((steps, rng.uniform(0.2, 0.5) + steps**-0.6 + 0.01 * rng.normal(size=n)))
    together = batch_of(curves)
    for family in FAMILIES:
        many = fit_family(family, together)
        for row, curve in enumerate(curves):
            one = fit_family(family, batch_of([curve]))
            np.testing.assert_allclose(many.theta[row], one.theta[0], rtol=1e-6, atol=1e-8)
            assert many.log_evidence[row] == pytest.approx(one.log_evidence[0])


def test_the_evidence_prefers_what_made_the_points():
    steps = np.arange(1.0, 31.0)
    noise = 0.002 * np.random.default_rng(1).normal(size=30)
    falling = batch_of([(steps, 0.2 + np.exp(-steps / 6) + noise)])
    flat = batch_of([(steps, 0.2 + noise)])
    evidence = {
        family.name: [fit_family(family, batch).log_evidence[0] for batch in (falling, flat)]
        for family in (*FAMILIES, CONSTANT)
    }
    assert evidence["exp3"][0] > evidence["pow3"][0] > evidence["constant"][0]
    assert evidence["constant"][1] > evidence["exp3"][1]


def test_long_curves_are_averaged_without_moving():
    steps = np.arange(1.0, 5001.0)
    batch = batch_of([(steps, 0.2 + steps**-0.5)])
    assert batch.x.shape == (1, MOST_POINTS)
    assert batch.weight.sum() == 5000
    assert batch.reach[0] == 5000
    assert batch.last[0] == pytest.approx(0.2 + 5000**-0.5)
