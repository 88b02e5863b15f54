"""Ranks and their correlation, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import rankdata, spearmanr

from octavo.numerics.ranks import chance_of_higher_ranks, rank_correlation, ranks

pairs = st.lists(st.tuples(st.integers(-5, 5), st.floats(-1e6, 1e6)), min_size=3, max_size=40)


@given(pairs)
def test_ranks_and_correlation_are_those_of_scipy(rows) -> None:
    a, b = np.array(rows, dtype=float).T
    assert np.array_equal(ranks(a), rankdata(a))
    if np.ptp(a) and np.ptp(b):
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)


def test_chance_is_uniform_without_association() -> None:
    rng = np.random.default_rng(0)
    chances = [chance_of_higher_ranks(rng.random(30), rng.random(30)) for _ in range(500)]
    assert np.mean(chances) == pytest.approx(0.5, abs=0.05)
    assert np.mean(np.array(chances) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_constant_or_empty_values_say_nothing() -> None:
    assert rank_correlation([], []) == 0.0
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0.0
    assert chance_of_higher_ranks([], []) == 0.5
