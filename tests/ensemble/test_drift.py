"""Drift is found where it is, and rarely where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble.drift import column_drift, domain_auc, holm
from octavo.errors import DataError


def table(seed, n=800, shift=0.0, flip=0.0, lost=0.0):
    rng = np.random.default_rng(seed)
    colours = np.where(rng.random(n) < flip, "red", rng.choice(["red", "green", "blue"], n))
    size = rng.normal(size=n) + shift
    size[rng.random(n) < lost] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "other": rng.normal(size=n),
            "colour": pd.Categorical(colours, categories=["blue", "green", "red"]),
            "yes": (rng.random(n) < 0.5).astype(float),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(1000, size=n), "h"),
            "note": pd.Series(["x" * int(k) for k in rng.integers(1, 9, n)], dtype=object),
        }
    )


def test_tables_alike_are_seldom_said_to_differ():
    wrong = sum(
        any(one.has_drifted for one in column_drift(table(seed), table(seed + 1000)))
        for seed in range(40)
    )
    assert wrong <= 6  # at most 5 % of 40 in expectation; more than 6 has a probability of 0.3 %


@pytest.mark.parametrize(
    ("column", "how"),
    [("size", {"shift": 0.4}), ("colour", {"flip": 0.3}), ("size", {"lost": 0.1})],
)
def test_the_column_that_moved_is_named(column, how):
    found = column_drift(table(0), table(1, **how))
    assert [one.name for one in found if one.has_drifted] == [column]
    assert found[0].psi > max(one.psi for one in found[1:])


def test_the_stability_index_by_hand():
    a = pd.DataFrame({"c": pd.Categorical(["x"] * 500 + ["y"] * 500)})
    b = pd.DataFrame({"c": pd.Categorical(["x"] * 800 + ["y"] * 200, categories=["x", "y"])})
    p, q = np.array([500.5, 500.5]) / 1001, np.array([800.5, 200.5]) / 1001
    assert column_drift(a, b)[0].psi == pytest.approx(((p - q) * np.log(p / q)).sum())


def test_tables_are_told_apart_if_they_differ():
    same, (low, high) = domain_auc(table(0), table(1))
    assert low <= 0.5 <= high or abs(same - 0.5) < 0.05
    moved, (low, _) = domain_auc(table(0), table(1, shift=1.5))
    assert moved > 0.75 and low > 0.7


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_none_and_bonferroni(p):
    found = holm(p)
    assert (found >= np.array(p) - 1e-12).all()
    assert (found <= np.minimum(len(p) * np.array(p), 1) + 1e-12).all() or len(p) > 1
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="different columns"):
        column_drift(table(0), table(0)[["size"]])
    with pytest.raises(DataError, match="10 rows"):
        column_drift(table(0), table(0, n=10))
