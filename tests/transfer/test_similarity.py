"""Meta-features, distances, and orders for a new data set."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import DataError, SettingError
from octavo.transfer import Evaluations, Portfolio, build_portfolio
from octavo.transfer.meta_features import landmarks, meta_features
from octavo.transfer.portfolio import Source
from octavo.transfer.similarity import (
    distances,
    learned_weights,
    near_counts_more,
    nearest_first,
)


def table(y, *, is_classification, **more):
    arguments = {"n_rows": len(y), "kinds": {"number": 2}, "missing_share": 0.0, **more}
    return meta_features(y=np.asarray(y), is_classification=is_classification, **arguments)


def test_meta_features_of_a_table_that_is_easily_counted():
    found = table(
        [0] * 90 + [1] * 10, is_classification=True, kinds={"number": 3, "category": 1},
        n_levels=[8], missing_share=0.25,
    )  # fmt: skip
    assert found["log_rows"] == math.log(100)
    assert found["log_rows_per_column"] == math.log(25)
    assert (found["share_number"], found["share_text"]) == (0.75, 0.0)
    assert found["log_imbalance"] == pytest.approx(math.log(9))
    assert found["log_most_levels"] == math.log(8)
    assert found["missing_share"] == 0.25
    assert math.isnan(found["target_skewness"])


def test_moments_of_a_target_do_not_depend_on_its_unit():
    y = np.random.default_rng(0).lognormal(size=500)
    a, b = (table(z, is_classification=False) for z in (y, 1e6 * y - 7))
    assert a == pytest.approx(b, nan_ok=True)
    assert a["target_skewness"] > 1
    assert math.isnan(a["log_classes"])
    flat = table(np.ones(50), is_classification=False)
    assert flat["target_skewness"] == flat["target_kurtosis"] == 0


def test_all_tables_have_the_same_features():
    names = set(table([0, 1], is_classification=True))
    assert names == set(table([0.5, 1.0], is_classification=False))
    unknown = meta_features(
        n_rows=5, kinds={"text": 1}, missing_share=0, y=None, is_classification=True
    )
    assert names == set(unknown)


def test_what_is_no_table_is_refused():
    for kinds in ({}, {"picture": 2}):
        with pytest.raises(DataError, match="kinds are number"):
            table([0, 1], is_classification=True, kinds=kinds)


def test_landmarks_tell_what_a_line_and_what_neighbours_can_do():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, 2))
    rings = (np.square(X).sum(axis=1) > 1.4).astype(int)
    near, line = landmarks(X, rings, is_classification=True)
    assert near > 0.7 > 0.3 > line
    near, line = landmarks(X, (X[:, 0] > 0).astype(int), is_classification=True)
    assert min(near, line) > 0.7
    assert max(landmarks(X, rng.integers(0, 2, 600), is_classification=True)) < 0.3
    X[::7, 0] = np.nan
    assert landmarks(X, X[:, 1], is_classification=False)[1] > 0.95
    assert np.isnan(landmarks(X, np.zeros(600, int), is_classification=True)).all()


features = st.dictionaries(st.sampled_from("abcd"), st.floats(-5, 5) | st.just(math.nan))


@given(known=st.lists(features, min_size=1, max_size=5), new=features)
def test_distances_are_distances(known, new):
    found = distances(known, new)
    assert (found >= 0).all()
    assert not np.isnan(found).any()
    for at, one in enumerate(known):
        itself = distances(known, one)[at]
        assert itself == 0 or np.isinf(itself)


def test_a_feature_counts_in_its_own_spread_and_by_its_weight():
    known = [{"rows": 0.0, "tiny": 1e-6}, {"rows": 10.0, "tiny": 3e-6}, {"rows": 0.0, "same": 1.0}]
    new = {"rows": 0.0, "tiny": 3e-6}
    assert distances(known, new)[0] == pytest.approx(np.sqrt(4 / 2))
    assert distances(known, new, weights={"tiny": 1.0}) == pytest.approx([2.0, 0.0, math.inf])
    assert distances(known, new, weights={"rows": 1.0})[0] == 0
    with pytest.raises(SettingError, match="below 0"):
        distances(known, new, weights={"rows": -1.0})
    with pytest.raises(DataError, match="no data set is known"):
        distances([], new)


def of_two_kinds():
    """On small data sets the first configuration is best, on large ones the last."""
    sizes = [1.0, 1.5, 2.0, 9.0, 9.5, 10.0]
    small = [0.0, 0.5, 0.6, 1.0]
    costs = [small if size < 5 else small[::-1] for size in sizes]
    return Evaluations(
        [f"d{size}" for size in sizes], [{"x": i} for i in range(4)], costs,
        features=[{"log_rows": size, "noise": (7 * i) % 5} for i, size in enumerate(sizes)],
    )  # fmt: skip


def test_near_data_sets_decide_what_comes_first():
    portfolio = build_portfolio(of_two_kinds())
    for order in (nearest_first, near_counts_more):
        for size, best in ((1.2, 0), (9.7, 3)):
            found = order(portfolio, {"log_rows": size})
            assert portfolio.members[found[0]] == {"x": best}
            assert sorted(found) == list(range(len(portfolio)))
    everybody = near_counts_more(portfolio, {"log_rows": 1.2}, reach=math.inf)
    assert everybody == list(range(len(portfolio)))
    with pytest.raises(SettingError, match="reach=0"):
        near_counts_more(portfolio, {"log_rows": 1.2}, reach=0)


def test_a_new_data_set_of_which_nothing_is_known_gets_the_order_for_everybody():
    portfolio = build_portfolio(of_two_kinds())
    assert near_counts_more(portfolio, {}) == list(range(len(portfolio)))
    with pytest.raises(DataError, match="no data set is known"):
        nearest_first(Portfolio(({"x": 1},)), {"log_rows": 1.0})


def test_an_order_for_deadlines_stays_one_for_deadlines():
    sources = [
        Source(f"d{i}", f"d{i}", {"log_rows": float(i)}, (0.0, 0.1), (900.0, 2.0)) for i in (1, 2)
    ]
    members = ({"x": "slow"}, {"x": "quick"})
    by_time = Portfolio(members, sources, {"deadlines_s": [1, 1000]})
    assert near_counts_more(by_time, {"log_rows": 1.0}) == [1, 0]
    assert near_counts_more(Portfolio(members, sources), {"log_rows": 1.0}) == [0, 1]


def test_weights_are_learned_from_how_alike_the_costs_are():
    rng = np.random.default_rng(0)
    size = rng.uniform(0, 1, 14)
    optimum = np.linspace(0, 1, 12)
    costs = np.abs(optimum - size[:, None])
    known = [{"size": s, "noise": n} for s, n in zip(size, rng.uniform(0, 1, 14), strict=True)]
    weights = learned_weights(known, costs)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["size"] > 0.9
    with pytest.raises(DataError, match="only 1 pairs"):
        learned_weights(known[:2], costs[:2])


def test_what_takes_long_on_the_new_data_set_comes_late():
    members = ({"model": "quick"}, {"model": "good"})
    sources = tuple(
        Source(str(k), str(k), {"log_rows": 1.0}, costs=(0.4, 0.1), seconds=(10.0, 20.0))
        for k in range(3)
    )
    portfolio = Portfolio(members, sources, {"deadlines_s": [1.0, 600.0]})
    here = {"log_rows": 1.0}
    assert near_counts_more(portfolio, here) == [1, 0]
    assert near_counts_more(portfolio, here, seconds=[10.0, 300.0]) == [0, 1]
    assert near_counts_more(portfolio, here, seconds=[2.0, 1.0]) == [1, 0]
    # In a minute the good one would not end, so that it helps nowhere.
    assert near_counts_more(portfolio, here, seconds=[50.0, 70.0], deadline=60.0) == [0, 1]
    assert near_counts_more(portfolio, here, seconds=[math.nan, 1.0]) == [1, 0]
