"""Gaps are what fairlearn says they are; thresholds keep them at the least cost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble.fair_decisions import FairThresholds, fair_thresholds
from octavo.ensemble.fairness import GAPS, Groups, fairness, fairness_gap
from octavo.errors import DataError, SettingError


def decided(seed, n=600, k=2, n_groups=3):
    rng = np.random.default_rng(seed)
    labels = np.array([f"g{a}" for a in rng.integers(n_groups, size=n)])
    return rng.integers(k, size=n), rng.integers(k, size=n), labels, rng.random(n) + 0.1


@given(seed=st.integers(0, 200), weighted=st.booleans())
def test_gaps_are_those_of_their_definition(seed, weighted):
    y, said, labels, weight = decided(seed)
    weight = weight if weighted else np.ones(len(y))
    names = np.unique(labels)

    def spread(among):
        rates = [
            np.average(said[among & (labels == g)], weights=weight[among & (labels == g)])
            for g in names
        ]
        return max(rates) - min(rates)

    groups = Groups.of(labels, least=1)
    found = {name: fairness_gap(name, y, said, groups, sample_weight=weight) for name in GAPS}
    assert found["demographic_parity"] == pytest.approx(spread(y >= 0))
    assert found["equal_opportunity"] == pytest.approx(spread(y == 1))
    assert found["equalized_odds"] == pytest.approx(max(spread(y == 1), spread(y == 0)))


def test_gaps_are_those_of_fairlearn():
    from fairlearn import metrics

    for seed in range(5):
        y, said, labels, weight = decided(seed)
        groups = Groups.of(labels, least=1)
        for name in ("demographic_parity", "equalized_odds"):
            theirs = getattr(metrics, f"{name}_difference")(
                y, said, sensitive_features=labels, sample_weight=weight
            )
            ours = fairness_gap(name, y, said, groups, sample_weight=weight)
            assert ours == pytest.approx(theirs)


def test_of_several_classes_the_worst_counts():
    y, said, labels, _ = decided(3, k=4)
    groups = Groups.of(labels, least=1)
    each = [
        fairness_gap("demographic_parity", y == k, (said == k).astype(int), groups)
        for k in range(4)
    ]
    found = fairness_gap("demographic_parity", y, said, groups, n_classes=4)
    assert found == pytest.approx(max(each))


def test_small_groups_are_put_together_or_left_out():
    labels = ["a"] * 50 + ["b"] * 60 + ["c"] * 20 + ["d"] * 20
    groups = Groups.of(labels)
    assert groups.names == ("a", "b", "(small groups)")
    assert "c (20), d (20)" in groups.notes[0]
    left = Groups.of(labels[:-20])
    assert left.names == ("a", "b")
    assert (left.codes == -1).sum() == 20
    assert "Too few rows" in left.notes[0]
    with pytest.raises(DataError, match="fewer than two groups"):
        Groups.of(["a"] * 50 + ["b"])


def test_a_group_without_positives_has_no_rate_and_no_gap_of_its_own():
    groups = Groups.of(["a"] * 40 + ["b"] * 40)
    y = np.array([0, 1] * 20 + [0] * 40)
    said = np.array([0, 1] * 20 + [0] * 40)
    assert np.isnan(fairness_gap("equal_opportunity", y, said, groups))
    assert fairness_gap("equalized_odds", y, said, groups) == 0.0
    found = fairness("c", y, said, groups)
    assert np.isnan(found.groups[1].true_positive.value)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels = np.repeat(["a", "b"], 300)
        y = rng.integers(2, size=600)
        said = (rng.random(600) < np.repeat([0.3, 0.6], 300)).astype(int)
        found = fairness("c", y, said, Groups.of(labels), repeats=300, seed=seed)
        gap = next(one.gap for one in found.gaps if one.name == "demographic_parity")
        inside += gap.low <= 0.3 <= gap.high
    assert inside >= 51  # 95 % of 60 is 57; fewer than 51 has a probability of 0.2 %


def test_weighted_rows_are_resampled_with_their_weights():
    y, said, labels, _ = decided(0)
    ones = fairness("c", y, said, Groups.of(labels), sample_weight=np.ones(600))
    none = fairness("c", y, said, Groups.of(labels))
    for a, b in zip(ones.gaps, none.gaps, strict=True):
        assert a.gap.value == pytest.approx(b.gap.value)
        assert a.gap.low == pytest.approx(b.gap.low, abs=0.03)
        assert a.gap.high == pytest.approx(b.gap.high, abs=0.03)


def test_an_unknown_gap_is_told():
    with pytest.raises(SettingError, match="Did you mean 'demographic_parity'"):
        fairness_gap(
            "demographic_party", [0], [0], Groups.of(["a", "b"], least=1).take(np.arange(1))
        )


# Decisions ----------------------------------------------------------------------------


def biased(seed, n=4000, n_groups=2):
    """Groups with different base rates, and probabilities that are right."""
    rng = np.random.default_rng(seed)
    group = rng.integers(n_groups, size=n)
    one = rng.beta(1.5 + 1.5 * group, 4 - group)
    y = (rng.random(n) < one).astype(int)
    return np.column_stack([1 - one, one]), y, np.array([f"g{g}" for g in group])


@pytest.mark.parametrize("name", list(GAPS))
@pytest.mark.parametrize("n_groups", [2, 3])
def test_thresholds_by_group_keep_the_bound_on_other_rows_too(name, n_groups):
    p, y, labels = biased(0, 8000, n_groups)
    half = np.arange(8000) < 4000
    groups = Groups.of(labels)
    plain = fairness_gap(name, y, p.argmax(1), groups)
    assert plain > 0.15
    found = fair_thresholds(
        p[half], y[half], groups.take(np.flatnonzero(half)), {name: 0.04}, by_group=True
    )
    assert found.is_met and found.gaps[name] <= 0.04
    other = groups.take(np.flatnonzero(~half))
    labels = found.apply(p[~half], other.codes)
    assert fairness_gap(name, y[~half], labels, other) < 0.12
    right, fair = (p.argmax(1) == y)[~half].mean(), (labels == y[~half]).mean()
    assert right - 0.12 < fair <= right + 0.01


def test_no_pair_of_thresholds_does_better():
    p, y, labels = biased(1, 400)
    groups = Groups.of(labels)
    found = fair_thresholds(p, y, groups, {"demographic_parity": 0.05}, by_group=True)
    best = 0.0
    for a in np.linspace(0, 1, 60):
        for b in np.linspace(0, 1, 60):
            said = (p[:, 1] > np.array([a, b])[groups.codes]).astype(int)
            if 0.01 < said.mean() < 0.99:
                gap = fairness_gap("demographic_parity", y, said, groups)
                best = max(best, (said == y).mean() * (gap <= 0.05))
    assert found.accuracy >= best - 0.01


def test_one_threshold_for_all_does_what_it_can():
    p, y, labels = biased(2)
    groups = Groups.of(labels)
    bound = {"demographic_parity": 0.1}
    alone = fair_thresholds(p, y, groups, bound, by_group=False)
    each = fair_thresholds(p, y, groups, bound, by_group=True)
    assert len(alone.thresholds) == 1 and len(each.thresholds) == 2
    assert each.is_met and each.accuracy > alone.accuracy
    # It does not need to know the groups.
    assert (alone.apply(p) == alone.apply(p, groups.codes)).all()
    with pytest.raises(DataError, match="no groups were given"):
        each.apply(p)


def test_what_cannot_be_kept_is_not_said_to_be():
    """Scores that are the group: every threshold gives a group all or nothing."""
    labels = np.repeat(["a", "b"], 200)
    one = np.repeat([0.2, 0.8], 200)
    y = (np.random.default_rng(0).random(400) < one).astype(int)
    p = np.column_stack([1 - one, one])
    found = fair_thresholds(p, y, Groups.of(labels), {"demographic_parity": 0.05}, by_group=False)
    assert not found.is_met
    assert found.gaps["demographic_parity"] == 1.0
    assert FairThresholds.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_loose_bounds_cost_nothing():
    p, y, labels = biased(3)
    found = fair_thresholds(p, y, Groups.of(labels), {"equalized_odds": 0.99}, by_group=True)
    assert found.accuracy >= (p.argmax(1) == y).mean() - 0.002


def test_unknown_groups_have_the_common_threshold():
    p, y, labels = biased(4)
    groups = Groups.of(labels)
    found = fair_thresholds(p, y, groups, {"demographic_parity": 0.02}, by_group=True)
    said = found.apply(p, np.full(len(y), -1))
    assert (said == (p[:, 1] > found.default)).all()
