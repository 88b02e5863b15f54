"""Intervals and sets keep their promise, on average over draws and for any model."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble.conformal import MOST, Scores, check_coverage
from octavo.ensemble.conformal_intervals import (
    Intervals,
    fit_intervals,
    interval_coverage,
    interval_score,
    interval_width,
)
from octavo.ensemble.conformal_sets import PredictionSets, fit_sets, set_coverage, set_size
from octavo.errors import DataError, SettingError

# Scores -------------------------------------------------------------------------------


@given(n=st.integers(20, 400), coverage=st.floats(0.05, 0.95))
def test_the_quantile_is_the_rank_of_the_textbook(n, coverage):
    scores = np.random.default_rng(n).permutation(n).astype(float)
    rank = math.ceil((n + 1) * coverage - 1e-9)
    assert Scores.of(scores).quantile(coverage) == rank - 1


@given(n=st.integers(MOST + 1, 20_000), coverage=st.floats(0.05, 0.99))
def test_thinning_never_loses_coverage_and_adds_little(n, coverage):
    kept = Scores.of(np.arange(n, dtype=float))
    assert len(kept.values) <= MOST
    exact = math.ceil((n + 1) * coverage - 1e-9) - 1
    assert exact <= kept.quantile(coverage) <= exact + 2.0 * n / MOST + 1


def test_a_row_of_weight_two_counts_as_two():
    rng = np.random.default_rng(0)
    scores, counts = rng.random(200), rng.integers(0, 3, 200)
    weighted = Scores.of(scores, sample_weight=counts)
    repeated = Scores.of(np.repeat(scores, counts))
    for coverage in (0.5, 0.8, 0.9):
        near = np.searchsorted(np.sort(np.repeat(scores, counts)), repeated.quantile(coverage))
        at = np.searchsorted(np.sort(np.repeat(scores, counts)), weighted.quantile(coverage))
        assert abs(near - at) <= 2  # a new row of average weight, or of weight one


def test_too_few_rows_for_a_coverage_are_told():
    with pytest.raises(SettingError, match=r"0\.99 cannot be promised from 50 .* 0\.9804"):
        Scores.of(np.arange(50)).quantile(0.99)
    with pytest.raises(DataError, match="no validated row"):
        Scores.of([np.nan, 1.0], sample_weight=[1.0, 0.0])


@pytest.mark.parametrize(("wrong", "hint"), [(90, r"0\.9\?"), (1.0, "strictly"), ("a", "strictly")])
def test_a_coverage_is_a_share(wrong, hint):
    with pytest.raises(SettingError, match=hint):
        check_coverage(wrong)


# Intervals ----------------------------------------------------------------------------


def noisy(rng, n):
    """A model of a number whose error grows with it."""
    size = rng.uniform(1, 9, n)
    return size + rng.normal(0, size), size


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_intervals_cover_as_promised(coverage, repeats):
    covered = []
    for seed in range(20 * repeats):
        rng = np.random.default_rng(seed)
        y, size = noisy(rng, 600)
        found = fit_intervals(y[:300], size[:300], seed=seed)
        covered.append(interval_coverage(y[300:], found.apply(size[300:], coverage)))
    # 20 draws of 300 + 300 rows: the mean has a standard error below 0.8 points.
    assert coverage - 0.03 < np.mean(covered) < coverage + 0.035


def test_a_useless_model_is_covered_too():
    rng = np.random.default_rng(3)
    y, wrong = rng.exponential(size=4000), rng.normal(size=4000) * 100
    found = fit_intervals(y[:2000], wrong[:2000])
    assert interval_coverage(y[2000:], found.apply(wrong[2000:], 0.9)) == pytest.approx(
        0.9, abs=0.025
    )


def test_width_follows_the_prediction_where_errors_do():
    y, size = noisy(np.random.default_rng(0), 6000)
    found = fit_intervals(y[:3000], size[:3000])
    assert found.signal == "prediction"
    assert found.gain > 0.05
    ends = found.apply(size[3000:], 0.9)
    plain = fit_intervals(y[:3000], size[:3000] * 0 + 5)
    constant = plain.apply(np.full(3000, 5.0), 0.9)
    assert interval_score(y[3000:], ends, 0.9) < interval_score(y[3000:], constant, 0.9)
    low, high = size[3000:] < 3, size[3000:] > 7
    for rows in (low, high):  # not only on average
        assert interval_coverage(y[3000:][rows], ends[rows]) == pytest.approx(0.9, abs=0.05)


def test_width_follows_the_disagreement_where_it_tells_more():
    rng = np.random.default_rng(1)
    unsure = rng.uniform(0.1, 3, 5000)
    middle = rng.normal(size=5000)
    y = middle + rng.normal(size=5000) * unsure
    found = fit_intervals(y, middle, disagreement=unsure)
    assert found.signal == "disagreement"
    narrow, wide = found.apply([0.0, 0.0], 0.9, disagreement=[0.2, 2.9])
    assert (narrow[1] - narrow[0]) * 4 < wide[1] - wide[0]
    with pytest.raises(DataError, match="no disagreement was given"):
        found.apply([0.0], 0.9)


def test_even_errors_get_even_intervals():
    rng = np.random.default_rng(2)
    middle = rng.normal(size=2000)
    found = fit_intervals(middle + rng.normal(size=2000), middle, disagreement=rng.random(2000))
    assert (found.signal, found.lower, found.gain) == ("nothing", None, 0.0)
    assert found.describe() == "Intervals are equally wide everywhere."


def test_skewed_errors_get_two_sides():
    rng = np.random.default_rng(4)
    y = rng.exponential(size=6000)
    found = fit_intervals(y[:3000], np.zeros(3000))
    assert found.lower is not None
    ends = found.apply(np.zeros(3000), 0.9)
    assert interval_coverage(y[3000:], ends) == pytest.approx(0.9, abs=0.02)
    assert ends[0] == pytest.approx([-np.log(0.95), -np.log(0.05)], abs=0.25)


@given(coverage=st.floats(0.1, 0.9), seed=st.integers(0, 100))
def test_more_coverage_is_never_narrower(coverage, seed):
    y, size = noisy(np.random.default_rng(seed), 300)
    found = fit_intervals(y, size)
    inner, outer = found.apply(size, coverage), found.apply(size, coverage + 0.05)
    assert (outer[:, 0] <= inner[:, 0]).all() and (inner[:, 1] <= outer[:, 1]).all()


def test_intervals_survive_json():
    y, size = noisy(np.random.default_rng(0), 3000)
    found = fit_intervals(y, size)
    again = Intervals.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found


def test_rows_without_weight_do_not_count():
    y, size = noisy(np.random.default_rng(0), 800)
    weight = np.repeat([1.0, 0.0], 400)
    wild = np.where(weight == 0, 1e6, y)
    assert fit_intervals(wild, size, sample_weight=weight) == fit_intervals(y[:400], size[:400])


def test_wrong_shapes_are_refused():
    with pytest.raises(DataError, match=r"prediction of shape \(3,\)"):
        fit_intervals([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="none of the 2 rows"):
        fit_intervals([np.nan, 1.0], [1.0, np.inf])


def test_measures():
    ends = [[0.0, 2.0], [1.0, 2.0]]
    assert interval_width(ends) == 1.5
    assert interval_coverage([2.0, 0.0], ends, sample_weight=[3.0, 1.0]) == 0.75
    # Width, and 2 / (1 - 0.9) times the distance to the interval.
    assert interval_score([2.0, 0.9], ends, 0.9) == pytest.approx((2 + 1 + 20 * 0.1) / 2)


# Sets ---------------------------------------------------------------------------------


def drawn(seed, n, k, concentration=0.4):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, concentration), n)
    return p, (p.cumsum(1) > rng.random(n)[:, None]).argmax(1)


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
@pytest.mark.parametrize("k", [2, 6])
def test_sets_cover_as_promised(method, k, repeats):
    covered = []
    for seed in range(10 * repeats):
        p, y = drawn(seed, 1000, k)
        found = fit_sets(p[:500], y[:500], method=method)
        covered.append(set_coverage(y[500:], found.apply(p[500:], 0.85)))
    assert np.mean(covered) == pytest.approx(0.85, abs=0.025)


def test_probabilities_that_lie_are_covered_too():
    p, y = drawn(5, 4000, 4)
    lying = np.roll(p, 1, axis=1)
    found = fit_sets(lying[:2000], y[:2000])
    assert set_coverage(y[2000:], found.apply(lying[2000:], 0.9)) == pytest.approx(0.9, abs=0.03)


def test_lac_has_the_smallest_sets():
    p, y = drawn(6, 4000, 8)
    sizes = {
        method: set_size(fit_sets(p[:2000], y[:2000], method=method).apply(p[2000:], 0.9))
        for method in ("lac", "aps", "raps")
    }
    assert min(sizes, key=sizes.get) == "lac"


def test_two_classes_take_lac_and_hard_rows_may_change_that():
    p, y = drawn(0, 2000, 2)
    assert fit_sets(p, y).method == "lac"
    rng = np.random.default_rng(1)
    # Half the rows are certain, half are guesses among ten classes: "lac" leaves the latter out.
    n, k = 6000, 10
    easy = rng.random(n) < 0.85
    p = np.where(easy[:, None], 0.001, 0.1) * np.ones((n, k))
    sure = rng.integers(k, size=n)
    p[easy, sure[easy]] = 1 - 0.001 * (k - 1)
    p[~easy] += rng.uniform(0, 1e-3, (int((~easy).sum()), k))
    p /= p.sum(1, keepdims=True)
    y = np.where(easy, sure, rng.integers(k, size=n))
    found = fit_sets(p[:3000], y[:3000])
    plain = fit_sets(p[:3000], y[:3000], method="lac")
    hard = ~easy[3000:]
    y = y[3000:]
    assert set_coverage(y[hard], plain.apply(p[3000:], 0.9)[hard]) < 0.6
    if found.method != "lac":
        assert "hardest third" in found.why
        assert set_size(found.apply(p[3000:], 0.9)) <= 1.4 * set_size(plain.apply(p[3000:], 0.9))


def test_empty_sets_can_be_filled():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=1000)
    p = np.full((1000, 3), 0.02) + rng.uniform(0, 0.02, (1000, 3))
    p[np.arange(1000), y] = 1 - p.sum(1) + p[np.arange(1000), y]
    found = fit_sets(p, y)
    empty = found.apply(p, 0.9).sum(1) == 0
    assert 0.05 < empty.mean() < 0.15  # a model that is always right covers 90 % only so
    filled = found.apply(p, 0.9, allow_empty=False)
    assert (filled.sum(1) == 1).all()
    assert set_coverage(y, filled) == 1.0


@given(seed=st.integers(0, 50), k=st.integers(2, 7), coverage=st.floats(0.1, 0.9))
def test_a_row_keeps_its_set_whatever_is_around_it(seed, k, coverage):
    p, y = drawn(seed, 200, k)
    found = fit_sets(p, y, method="aps")
    order = np.random.default_rng(seed).permutation(200)
    assert (found.apply(p[order], coverage) == found.apply(p, coverage)[order]).all()
    assert found.apply(p[:0], coverage).shape == (0, k)


def test_sets_survive_json_and_refuse_nonsense():
    p, y = drawn(0, 500, 5)
    found = fit_sets(p, y)
    assert PredictionSets.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(SettingError, match="Did you mean 'raps'"):
        fit_sets(p, y, method="rap")
    with pytest.raises(DataError, match="expected"):
        fit_sets(p, y[:-1])
