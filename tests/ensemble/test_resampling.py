"""Laws of resampling: who is validated, who is trained on, and what is kept apart."""

from __future__ import annotations

import enum

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from octavo.ensemble import plan
from octavo.ensemble.resampling import STRATEGIES
from octavo.errors import DataError, SettingError

seeds = st.integers(0, 2**32 - 1)


@st.composite
def tables(draw, most_rows=120):
    """A task and a target: classes of any size down to one row, or numbers with ties."""
    rng = np.random.default_rng(draw(seeds))
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    n = draw(st.integers(6, most_rows))
    if task == "regression":
        return task, rng.choice(rng.normal(size=draw(st.integers(2, 200))), n)
    n_classes = 2 if task == "binary" else draw(st.integers(3, 6))
    y = rng.choice(n_classes, n, p=rng.dirichlet(np.full(n_classes, 0.5)))
    y[:2] = 0  # at least one class can be validated
    y[2:4] = 1
    return task, np.unique(y, return_inverse=True)[1]


def check_pairs(resampling, n_rows):
    assert resampling.folds
    assert resampling.why.endswith(".")
    for train, valid in resampling.folds:
        assert len(train)
        assert len(valid)
        assert not np.intersect1d(train, valid).size
        for rows in (train, valid):
            assert np.array_equal(rows, np.unique(rows))
            assert rows[0] >= 0
            assert rows[-1] < n_rows


@pytest.mark.parametrize("name", [n for n in STRATEGIES if "time" not in n])
@given(table=tables(), seed=seeds)
def test_every_class_stays_in_training(name, table, seed):
    task, y = table
    found = plan(len(y), task, y, strategy=name, seed=seed)
    check_pairs(found, len(y))
    if task != "regression":
        for train, _ in found.folds:
            assert set(y[train]) == set(y)


@given(table=tables(), seed=seeds, num_splits=st.integers(2, 6))
def test_cross_validation_validates_each_row_once(table, seed, num_splits):
    task, y = table
    found = plan(len(y), task, y, strategy="cv", args={"num_splits": num_splits}, seed=seed)
    times = np.bincount(np.concatenate([v for _, v in found.folds]), minlength=len(y))
    alone = np.zeros(len(y), dtype=bool)
    if task != "regression":  # the only row of its class is always trained on
        alone = np.bincount(y)[y] == 1
    assert (times[alone] == 0).all()
    assert (times[~alone] == 1).all()
    sizes = [len(valid) for _, valid in found.folds]
    assert max(sizes) - min(sizes) <= 1
    for train, valid in found.folds:
        assert len(train) + len(valid) == len(y)


@given(seed=seeds, n=st.integers(40, 200), num_splits=st.integers(2, 5))
def test_folds_have_each_class_in_proportion(seed, n, num_splits):
    y = np.random.default_rng(seed).choice(3, n, p=[0.6, 0.3, 0.1])
    found = plan(n, "multiclass", y, strategy="cv", args={"num_splits": num_splits}, seed=seed)
    counts = np.array([np.bincount(y[valid], minlength=3) for _, valid in found.folds])
    assert (counts.max(0) - counts.min(0) <= 1).all()


@given(seed=seeds)
def test_folds_of_a_regression_have_alike_targets(seed):
    y = np.random.default_rng(seed).lognormal(0, 2, 100)
    found = plan(100, "regression", y, strategy="cv", seed=seed)
    order = np.argsort(y)
    for _, valid in found.folds:
        # One of the five largest, one of the next five, and so on.
        assert sorted(np.flatnonzero(np.isin(order, valid)) // 5) == list(range(20))


@given(table=tables(), seed=seeds, share=st.floats(0.1, 0.6))
def test_a_hold_out_has_the_size_asked_for(table, seed, share):
    task, y = table
    found = plan(len(y), task, y, strategy="holdout", args={"val_share": share}, seed=seed)
    [(train, valid)] = found.folds
    assert len(train) + len(valid) == len(y)
    if task == "regression":
        assert len(valid) == min(max(round(share * len(y)), 1), len(y) - 1)
    else:
        classes = np.bincount(y)
        assert abs(len(valid) - share * len(y)) <= 1 + 2 * len(classes)
        for label in np.flatnonzero(classes >= 2):
            assert (y[valid] == label).any()


@pytest.mark.parametrize("strategy", ["cv", "holdout", "shuffle_split", "repeated_k_fold"])
@given(table=tables(), seed=seeds, n_groups=st.integers(2, 15))
def test_groups_stay_on_one_side(strategy, table, seed, n_groups):
    task, y = table
    groups = np.random.default_rng(seed).integers(n_groups, size=len(y))
    groups[:2] = [0, 1]
    found = plan(len(y), task, y, groups=groups, strategy=strategy, seed=seed)
    check_pairs(found, len(y))
    for train, valid in found.folds:
        assert not set(groups[train]) & set(groups[valid])
        assert len(train) + len(valid) == len(y)
    if strategy == "cv":
        assert sorted(np.concatenate([v for _, v in found.folds])) == list(range(len(y)))


def test_groups_of_any_type_and_with_gaps():
    groups = np.array(["a", None, "b", "a", None, "b"], dtype=object)
    found = plan(6, "regression", np.arange(6.0), groups=groups, strategy="cv")
    assert len(found.folds) == 3


def test_groups_are_dealt_so_that_classes_stay_in_training():
    # A rare class sits in two of twelve groups; a careless split could put both together.
    groups = np.repeat(np.arange(12), 10)
    y = np.zeros(120, dtype=int)
    y[[3, 47]] = 1
    for seed in range(20):
        found = plan(120, "binary", y, groups=groups, strategy="cv", seed=seed)
        assert all((y[train] == 1).any() for train, _ in found.folds)


@given(table=tables(), seed=seeds, moments=st.integers(2, 200), num_splits=st.integers(2, 6))
def test_the_past_predicts_the_future(table, seed, moments, num_splits):
    task, y = table
    time = np.random.default_rng(seed).integers(moments, size=len(y)) * 3600.0
    time[:2] = [0.0, 3600.0]
    found = plan(len(y), task, y, time=time, args={"num_splits": num_splits}, seed=seed)
    check_pairs(found, len(y))
    assert found.kind == "time"
    assert len(found.folds) <= num_splits
    ends = []
    for train, valid in found.folds:
        assert time[train].max() < time[valid].min()
        assert set(np.flatnonzero(time <= time[train].max())) == set(train)
        ends.append(time[valid].max())
    assert ends == sorted(ends)
    assert ends[-1] == time.max()


def test_time_may_be_dates_and_a_hold_out():
    time = np.datetime64("2024-01-01") + np.arange(30)[::-1]
    [(train, valid)] = plan(
        30, "regression", np.arange(30.0), time=time, strategy="holdout", args={"val_share": 0.2}
    ).folds
    assert valid.tolist() == list(range(6))
    assert len(train) == 24


def test_without_a_time_column_the_order_of_rows_is_time():
    found = plan(60, "regression", np.arange(60.0), strategy="time_series_cross_validation")
    for (train, valid), (their_train, their_valid) in zip(
        found.folds, TimeSeriesSplit(5).split(np.zeros(60)), strict=True
    ):
        assert np.array_equal(train, their_train)
        assert np.array_equal(valid, their_valid)


@pytest.mark.parametrize(
    ("n_rows", "time_limit_s", "kind"),
    [
        (150, None, "repeated_cv"),
        (3_000, 60.0, "cv"),
        (50_000, 60.0, "holdout"),
        (50_000, 600.0, "cv"),
        (200_000, None, "holdout"),
    ],
)
def test_auto_looks_at_size_and_time(n_rows, time_limit_s, kind):
    y = np.arange(n_rows) % 2
    found = plan(n_rows, "binary", y, time_limit_s=time_limit_s)
    assert found.kind == kind
    assert f"{n_rows:,}" in found.why


@given(table=tables(), seed=seeds)
def test_same_seed_same_folds_other_seed_others(table, seed):
    task, y = table
    one, same = (plan(len(y), task, y, seed=seed) for _ in range(2))
    for (a, b), (c, d) in zip(one.folds, same.folds, strict=True):
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)


def test_seeds_matter():
    y = np.arange(500) % 2
    folds = {plan(500, "binary", y, seed=seed).folds[0][1].tobytes() for seed in range(5)}
    assert len(folds) == 5


def test_without_shuffling_folds_are_runs_of_rows():
    found = plan(
        10, "regression", np.zeros(10), strategy="k_fold", args={"num_splits": 2, "shuffle": False}
    )
    assert [valid.tolist() for _, valid in found.folds] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_out_of_fold_averages_repeats_and_marks_the_rest():
    y = np.arange(20) % 2
    found = plan(20, "binary", y, strategy="repeated_k_fold", args={"num_repeats": 3})
    assert len(found.folds) == 15
    predictions = [np.full((len(v), 2), float(k)) for k, (_, v) in enumerate(found.folds)]
    mixed = found.out_of_fold(predictions)
    expected = np.zeros(20)
    for k, (_, valid) in enumerate(found.folds):
        expected[valid] += k / 3
    assert np.allclose(mixed, expected[:, None])
    held = plan(20, "binary", y, strategy="holdout")
    mixed = held.out_of_fold([np.ones(len(held.folds[0][1]))])
    assert np.array_equal(np.flatnonzero(np.isfinite(mixed)), held.validated)
    with pytest.raises(DataError, match="of 2 folds"):
        held.out_of_fold([np.ones(3), np.ones(3)])


def test_the_users_own_splitters():
    y = np.arange(12.0)
    from_sklearn = plan(12, "regression", y, strategy=KFold(3))
    assert from_sklearn.folds[0][1].tolist() == [0, 1, 2, 3]
    halves = [(range(6), range(6, 12))]
    assert plan(12, "regression", y, strategy=halves).folds[0][1].tolist() == list(range(6, 12))

    def by_parity(n_rows, target):
        yield np.flatnonzero(target % 2 == 0), np.flatnonzero(target % 2 == 1)

    found = plan(12, "regression", y, strategy=by_parity)
    assert found.folds[0][0].tolist() == [0, 2, 4, 6, 8, 10]
    assert "by_parity" in found.why


def test_members_of_an_enum_are_names():
    class HoldoutValTypes(enum.Enum):
        stratified_holdout_validation = 1

    found = plan(
        100, "binary", np.arange(100) % 2, strategy=HoldoutValTypes.stratified_holdout_validation
    )
    assert found.kind == "holdout"


Y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"strategy": "holdot"}, SettingError, "Did you mean 'holdout'"),
        ({"strategy": "no_resampling"}, SettingError, "no rows to judge"),
        ({"args": {"num_split": 3}}, SettingError, "Did you mean 'num_splits'"),
        ({"args": {"num_splits": 1}}, SettingError, "num_splits=1"),
        ({"args": {"val_share": 1.5}}, SettingError, "between 0 and 1"),
        ({"args": {"stratify": True, "shuffle": False}}, SettingError, "contradict"),
        ({"groups": np.zeros(20)}, DataError, "one group"),
        ({"groups": np.zeros(3)}, DataError, r"groups has shape \(3,\)"),
        ({"time": np.zeros(20)}, DataError, "same time"),
        ({"time": Y, "groups": Y}, SettingError, "only one"),
        ({"strategy": KFold(3), "args": {"shuffle": True}}, SettingError, "splitter itself"),
        ({"strategy": 3}, SettingError, "is of type int"),
        ({"strategy": []}, SettingError, "no folds"),
        ({"strategy": [(range(5), range(4, 9))]}, SettingError, "row 4"),
        ({"strategy": [(range(5), [20])]}, SettingError, "0 to 19"),
        ({"strategy": [5]}, SettingError, "expected a pair"),
    ],
)
def test_bad_settings_are_refused_with_words(arguments, error, words):
    with pytest.raises(error, match=words):
        plan(20, "binary", Y, **arguments)


def test_rows_that_cannot_be_split_are_refused():
    with pytest.raises(DataError, match="at least 2 rows"):
        plan(1, "binary", [0])
    with pytest.raises(DataError, match="only one of its class"):
        plan(4, "multiclass", np.arange(4), strategy="holdout")


def test_rows_of_many_classes_take_longer_and_get_a_hold_out_sooner():
    rng = np.random.default_rng(0)
    few, many = rng.integers(0, 3, 20_000), rng.integers(0, 18, 20_000)
    assert len(plan(20_000, "multiclass", few, time_limit_s=120.0).folds) == 5
    found = plan(20_000, "multiclass", many, time_limit_s=120.0)
    assert len(found.folds) == 1
    assert found.why.startswith("Hold-out: 120 s are too short") and "of 18 classes" in found.why
    assert len(plan(20_000, "multiclass", many, time_limit_s=600.0).folds) == 5
