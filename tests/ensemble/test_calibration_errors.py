"""Calibration errors: what they are by definition, and that they see what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble import get_metric
from octavo.ensemble.calibration_errors import N_BINS

NAMES = ("calibration_error", "adaptive_calibration_error", "classwise_calibration_error")


def drawn(seed, n, k):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 1.0), n)
    return p, (p.cumsum(1) > rng.random(n)[:, None]).argmax(1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [2, 5])
def test_true_probabilities_have_an_error_of_noise_only(name, k):
    p, y = drawn(0, 20_000, k)
    metric = get_metric(name, "binary" if k == 2 else "multiclass")
    assert metric.score(y, p) < 0.015
    sharp = p**3 / (p**3).sum(1, keepdims=True)
    assert metric.score(y, sharp) > (0.03 if name.startswith("classwise") else 0.1)


def test_it_is_the_sum_over_bins_by_hand():
    p, y = drawn(1, 700, 3)
    said, right = p.max(1), p.argmax(1) == y
    total = 0.0
    for k in range(N_BINS):
        rows = (said >= k / N_BINS) & (said < (k + 1) / N_BINS)
        if rows.any():
            total += rows.mean() * abs(said[rows].mean() - right[rows].mean())
    assert get_metric("ece", "multiclass").score(y, p) == pytest.approx(total)


@given(seed=st.integers(0, 100), name=st.sampled_from(NAMES))
def test_it_lies_between_zero_and_one_and_weights_are_counts(seed, name):
    p, y = drawn(seed, 60, 3)
    metric = get_metric(name, "multiclass")
    value = metric.score(y, p)
    assert 0 <= value <= 1
    counts = np.random.default_rng(seed).integers(0, 3, 60)
    counts[0] = 1
    weighted = metric.score(y, p, sample_weight=counts)
    assert weighted == pytest.approx(metric.score(np.repeat(y, counts), p.repeat(counts, 0)))


def test_sure_and_right_is_perfect():
    y = np.array([0, 1, 2, 1])
    for name in NAMES:
        assert get_metric(name, "multiclass").score(y, np.eye(3)[y]) == 0
        wrong = np.eye(3)[(y + 1) % 3]
        assert get_metric(name, "multiclass").score(y, wrong) > 0.5
