"""What a network reads of a table, which rows each member sees, and the pace of a training."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from octavo.errors import SettingError
from octavo.networks import Architecture, Layout, Pace, Recipe, fit_inputs
from octavo.networks.folds import member_folds

cells = st.one_of(
    st.just(np.nan),
    st.sampled_from([0.0, 1.0]),
    st.floats(-(2.0**99), 2.0**99, width=32),
    st.just(np.inf),
)


@given(arrays(np.float32, (9, 3), elements=cells))
def test_any_numbers_become_small_finite_ones_in_order(X):
    inputs = fit_inputs(X)
    found = inputs.transform(X)
    assert found.numbers.dtype == found.flags.dtype == np.float32
    assert found.numbers.shape == (9, inputs.layout.n_numbers)
    assert found.flags.shape == (9, inputs.layout.n_flags)
    for block in (found.numbers, found.flags):
        assert np.isfinite(block).all()
        assert (np.abs(block) <= 3.0 + 1e-5).all()
    for place, column in enumerate(inputs.numbers):
        known = ~np.isnan(X[:, column])
        order = np.argsort(X[known, column], kind="stable")
        assert (np.diff(found.numbers[known, place][order]) >= 0).all()


def test_two_values_are_a_flag_and_constant_columns_are_left_out():
    X = np.column_stack([np.tile([3, 5], 4), np.full(8, 7), np.full(8, np.nan)]).astype(np.float32)
    inputs = fit_inputs(X)
    assert inputs.layout == Layout(0, 1)
    # The clipping is smooth, so that it moves what lies at 1 a little, too.
    assert np.allclose(np.abs(inputs.transform(X).flags), 1 / math.sqrt(1 + 1 / 9))
    assert np.sign(inputs.transform(X).flags).ravel().tolist() == [-1, 1] * 4


def test_missing_numbers_are_the_middle_and_indicated():
    X = np.array([[1], [2], [3], [np.nan], [10]], dtype=np.float32)
    inputs = fit_inputs(X)
    found = inputs.transform(X)
    assert found.numbers[3] == 0.0
    assert found.flags.ravel().tolist() == [0, 0, 0, 1, 0]


def test_few_levels_are_columns_and_many_are_embedded():
    few, many = np.arange(40) % 3, np.arange(40) % 20
    X = np.column_stack([few, many, few]).astype(np.float32)
    X[0, 2] = np.nan
    inputs = fit_inputs(X, categorical=[0, 1, 2])
    assert inputs.layout == Layout(0, 3 + 4, (20,))
    found = inputs.transform(X)
    assert np.array_equal(found.flags[:, :3], np.eye(3)[few])
    assert np.array_equal(found.flags[0, 3:], [0, 0, 0, 1])
    assert np.array_equal(found.codes[:, 0], many)


@pytest.mark.parametrize("code", [np.nan, -1.0, 77.0, np.inf])
def test_levels_that_training_has_not_seen_are_none_of_the_others(code):
    few, many = np.arange(40) % 3, np.arange(40) % 20
    X = np.column_stack([few, many]).astype(np.float32)
    found = fit_inputs(X, categorical=[0, 1]).transform(np.full((1, 2), code, dtype=np.float32))
    assert found.flags.tolist() == [[0, 0, 0]]
    assert found.codes.tolist() == [[20]]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(2, 8),
    st.integers(0, 2**31 - 1),
)
def test_members_together_leave_out_each_row_once_at_most(counts, members, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    folds = member_folds(y, len(y), members, seed)
    if len(y) < 64:
        assert folds.judging.shape == (members, 0)
        assert np.array_equal(folds.train, np.tile(np.arange(len(y)), (members, 1)))
        return
    left_out = folds.judging.ravel()
    assert len(set(left_out.tolist())) == len(left_out) >= len(y) - members
    for train, judging in zip(folds.train, folds.judging, strict=True):
        assert np.array_equal(np.sort(np.concatenate([train, judging])), np.arange(len(y)))
        # dealt like cards: each fold's share of a class is right to within a row
        shares = np.bincount(y[judging], minlength=len(counts)) - np.array(counts) / members
        assert (np.abs(shares) <= 2).all()


# Pace ---------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def steps_made(pace, clock, step_s):
    progress = [0.0]
    while not pace.is_over:
        clock.now += step_s(pace.n_done)
        pace.advance()
        progress.append(pace.progress)
    return progress


@given(st.integers(1, 500), st.floats(1e-3, 10), st.floats(1, 100))
def test_a_pace_ends_in_time_with_its_schedule_at_the_end(n_steps, step_s, limit):
    clock = Clock()
    pace = Pace(n_steps, limit, clock=clock)
    progress = steps_made(pace, clock, lambda n: step_s)
    assert clock.now <= limit + step_s  # what is begun is ended
    assert all(later > earlier for earlier, later in pairwise(progress))
    if n_steps * step_s < 0.9 * limit:
        assert (pace.n_done, pace.is_shortened) == (n_steps, False)
    if pace.n_done >= 10:
        assert math.isclose(progress[-1], 1.0)


def test_a_machine_that_slows_down_shortens_the_rest():
    clock = Clock()
    pace = Pace(1000, 100.0, clock=clock)
    progress = steps_made(pace, clock, lambda n: 0.05 if n < 500 else 0.5)
    assert pace.is_shortened
    assert 85 < clock.now <= 100.5
    assert progress[500] < 0.51
    assert progress[-1] > 0.8


def test_without_a_deadline_the_clock_is_not_asked():
    def clock():
        clock.n += 1
        return float(clock.n**3)

    clock.n = 0
    pace = Pace(50, math.inf, clock=clock)
    before = clock.n
    while not pace.is_over:
        pace.advance()
    assert (clock.n, pace.n_done) == (before, 50)


# Settings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Architecture(width=0), "width=0"),
        (lambda: Architecture(depth=-1), "depth=-1"),
        (lambda: Architecture(dropout=1.0), "dropout=1.0"),
        (lambda: Architecture(frequency=0.0), "frequency=0.0"),
        (lambda: Recipe(learning_rate=-1.0), "learning_rate=-1.0"),
        (lambda: Recipe(averaging=1.0), "averaging=1.0"),
        (lambda: Recipe(weight_decay=-0.1), "weight_decay=-0.1"),
    ],
)
def test_settings_without_meaning_are_refused(make, words):
    with pytest.raises(SettingError, match=words):
        make()


def test_many_numbers_get_fewer_waves_and_very_many_none():
    waves = [Architecture().waves_for(Layout(n, 0)) for n in (0, 10, 40, 80, 160, 161)]
    assert waves == [0, 16, 16, 8, 4, 0]
