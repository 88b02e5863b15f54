"""The tests by which races drop configurations, against textbooks and SciPy."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from octavo.numerics.paired_tests import ranks, worse_by_means, worse_by_ranks

# Conover (1999), section 5.8, example 1: twelve home owners rank four grasses.
GRASSES = np.array(
    [
        [4, 3, 2, 1], [4, 2, 3, 1], [3, 1.5, 1.5, 4], [3, 1, 2, 4], [4, 2, 1, 3], [2, 2, 2, 4],
        [1, 3, 2, 4], [2, 4, 1, 3], [3.5, 1, 2, 3.5], [4, 1, 3, 2], [4, 2, 3, 1], [3.5, 1, 2, 3.5],
    ]
)  # fmt: skip


def test_the_example_of_the_textbook():
    # Sums of ranks 38, 23.5, 24.5 and 34; two differ where they are more than 11.48 apart.
    assert ranks(GRASSES).sum(axis=0).tolist() == [38, 23.5, 24.5, 34]
    assert worse_by_ranks(GRASSES, 0.95).tolist() == [True, False, False, False]
    # At 90 % the least difference is 9.55, and the fourth is worse too.
    assert worse_by_ranks(GRASSES, 0.90).tolist() == [True, False, False, True]
    # The test of any difference has p = 0.044: nothing is worse at 96 %.
    assert not worse_by_ranks(GRASSES, 0.96).any()


@given(seed=st.integers(0, 10**6), n=st.integers(4, 20), k=st.integers(3, 8))
def test_nobody_is_dropped_where_friedman_sees_no_difference(seed, n, k):
    rng = np.random.default_rng(seed)
    costs = rng.integers(0, 6, size=(n, k)) + rng.random(k)
    worse = worse_by_ranks(costs)
    if stats.friedmanchisquare(*costs.T).pvalue > 0.05:
        assert not worse.any()
    assert not worse[ranks(costs).sum(axis=0).argmin()]


@given(seed=st.integers(0, 10**6), n=st.integers(6, 30), shift=st.floats(-2, 2))
def test_two_are_compared_by_signed_ranks(seed, n, shift):
    rng = np.random.default_rng(seed)
    a = np.round(rng.normal(size=n), 1)
    b = np.round(rng.normal(size=n) + shift, 1)
    if not (a != b).any():
        return
    p = stats.wilcoxon(a, b, correction=True, method="asymptotic").pvalue
    worse = worse_by_ranks(np.column_stack([a, b]))
    assert worse.any() == (p < 0.05)
    if worse.any():
        below = ranks(np.column_stack([a, b])).sum(axis=0)
        assert worse[below.argmax()] or np.median(b - a) != 0


@given(seed=st.integers(0, 10**6), n=st.integers(3, 20), k=st.integers(2, 6))
def test_means_are_compared_by_paired_t_tests(seed, n, k):
    rng = np.random.default_rng(seed)
    costs = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, k)) + rng.random(k)
    best = costs.mean(axis=0).argmin()
    expected = [
        j != best and stats.ttest_rel(costs[:, j], costs[:, best]).pvalue < 0.05 for j in range(k)
    ]
    assert worse_by_means(costs).tolist() == expected


def test_pairing_sees_small_differences_between_very_different_instances():
    instances = np.array([0.01, 0.3, 2.0, 9.0, 40.0, 100.0])[:, None]
    costs = instances + np.array([0.0, 0.5]) + 1e-3 * np.arange(12).reshape(6, 2) % 2e-3
    assert worse_by_means(costs).tolist() == [False, True]


@pytest.mark.parametrize("test", [worse_by_ranks, worse_by_means])
def test_failures_lose_and_ties_stay(test):
    fails = np.column_stack([np.arange(9.0), np.arange(9.0) + 0.01, np.full(9, np.inf)])
    assert test(fails)[2] and not test(fails)[0]
    assert not test(np.ones((9, 4))).any()
    assert not test(np.full((9, 4), np.inf)).any()
    assert not test(np.arange(4.0)[None, :]).any()
