"""Calibration repairs what is broken, and leaves alone what is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble import Calibration, calibrate, get_metric
from octavo.errors import DataError

LOG_LOSS = get_metric("log_loss", "multiclass")


def drawn(seed: int, n_rows: int, n_classes: int):
    """Probabilities that are exactly right: the labels are drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(n_classes, 1.5), n_rows)
    y = (p.cumsum(1) > rng.random(n_rows)[:, None]).argmax(1)
    return p, y


def sharpened(p, power):
    q = p**power
    return q / q.sum(1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_temperature_that_was_lost_is_found(n_classes, temperature):
    p, y = drawn(1, 6000, n_classes)
    found = calibrate(sharpened(p, temperature), y)
    assert found.method.startswith("temperature")
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    after = found.apply(sharpened(p, temperature))
    assert np.abs(after - p).mean() < 0.02
    assert found.gain > 0


def test_a_shifted_class_gets_a_bias():
    p, y = drawn(2, 6000, 3)
    shifted = p * [1.0, 1.0, 5.0]
    shifted /= shifted.sum(1, keepdims=True)
    found = calibrate(shifted, y)
    assert found.method == "temperature and bias"
    assert np.abs(found.apply(shifted) - p).mean() < 0.02


def test_a_bent_scale_is_straightened_by_isotonic_regression():
    p, y = drawn(3, 20_000, 2)
    # Monotone, but no temperature and bias undoes a cube root of the log odds.
    bent = 1 / (1 + np.exp(-3 * np.cbrt(np.log(p[:, 1] / p[:, 0]))))
    found = calibrate(np.column_stack([1 - bent, bent]), y)
    assert found.method == "isotonic"
    grid = np.linspace(0.0, 1.0, 101)
    mapped = found.apply(np.column_stack([1 - grid, grid]))[:, 1]
    assert (np.diff(mapped) >= 0).all()
    assert np.abs(found.apply(np.column_stack([1 - bent, bent]))[:, 1] - p[:, 1]).mean() < 0.03


def test_what_is_right_is_left_alone():
    """The standard error keeps lucky fits out: of 30 calibrated sets few are touched."""
    touched = 0
    for seed in range(30):
        p, y = drawn(seed, 300, 3)
        touched += calibrate(p, y).method != "none"
    # A gain above one standard error by chance happens in less than one of six; more than
    # 12 of 30 then has odds below 1e-3.
    assert touched <= 12


@given(
    seed=st.integers(0, 2**32 - 1),
    n_classes=st.integers(2, 4),
    n_rows=st.integers(10, 200),
    power=st.floats(0.2, 5.0),
)
def test_probabilities_stay_probabilities_and_survive_json(seed, n_classes, n_rows, power):
    p, y = drawn(seed, n_rows, n_classes)
    given_p = sharpened(p, power)
    found = calibrate(given_p, y, sample_weight=np.ones(n_rows))
    after = found.apply(given_p)
    assert np.isfinite(after).all()
    assert (after >= 0).all()
    assert after.sum(1) == pytest.approx(np.ones(n_rows))
    again = Calibration.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    if found.method == "temperature":  # the order of classes stays
        assert np.array_equal(after.argmax(1), given_p.argmax(1))


def test_zeros_and_missing_rows_are_survived():
    p, y = drawn(5, 400, 2)
    sure = np.eye(2)[(p[:, 1] > 0.5).astype(int)]
    sure[:10] = np.nan
    found = calibrate(sure, y)
    after = found.apply(sure[10:])
    assert np.isfinite(after).all()
    assert LOG_LOSS.score(y[10:], after) < LOG_LOSS.score(y[10:], sure[10:])


def test_too_little_to_learn_from_changes_nothing():
    assert calibrate(np.full((6, 2), 0.5), [0, 1] * 3) == Calibration()
    p = np.full((50, 2), 0.5)
    assert calibrate(p, np.zeros(50, int)) == Calibration()
    assert np.array_equal(Calibration().apply(p), p)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"\(3,\)"):
        calibrate(np.ones(3), [0, 1, 0])
