"""The public estimator: calibrated, equivariant, robust, and better with training curves."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import SettingError
from octavo.surrogates.learning_curves import LearningCurves, Prediction

STEPS = np.arange(1.0, 51.0)


def problem(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Curves of one problem: power laws and plateaus with noise; one in eight diverges."""
    rng = np.random.default_rng(seed)
    curves = []
    for number in range(n):
        end, rate = rng.uniform(0.1, 0.5), rng.uniform(0.3, 1.5)
        costs = end + (1 - end) * STEPS**-rate + 0.01 * rng.normal(size=len(STEPS))
        if number % 8 == 7:
            costs[int(rng.integers(5, 50)) :] = np.nan
        curves.append((STEPS, costs))
    return curves


def beginnings(curves, n):
    return [(steps[:n], costs[:n]) for steps, costs in curves]


@pytest.fixture(scope="module")
def trained() -> LearningCurves:
    return LearningCurves().fit(problem(60, seed=0))


def test_training_beats_the_last_value_and_is_calibrated(trained):
    curves = [curve for curve in problem(160, seed=1) if np.isfinite(curve[1]).all()]
    truth = np.array([costs[-1] for _, costs in curves])
    last = np.array([costs[9] for _, costs in curves])
    ends = trained.predict_many(beginnings(curves, 10), 50)
    assert np.abs(ends.median - truth).mean() < 0.6 * np.abs(last - truth).mean()
    below = ends.below(truth)
    # 140 curves: six standard deviations of a share of 0.8 are 0.2.
    assert np.mean((below > 0.1) & (below < 0.9)) == pytest.approx(0.8, abs=0.2)
    assert ends.log_density(truth).mean() > np.mean(
        -0.5 * np.log(2 * np.pi * np.var(truth - last)) - 0.5
    )


def test_without_training_it_is_sane():
    for steps, costs in problem(6, seed=2)[:6]:
        end = LearningCurves().predict(steps[:15], costs[:15], 50)
        assert end.quantile(0.02) < costs[-1] < end.quantile(0.98)
        assert abs(end.median - costs[-1]) < np.ptp(costs[:15]) / 4


def test_more_steps_make_it_surer(trained):
    steps, costs = problem(1, seed=3)[0]
    widths = [
        float(end.quantile(0.9) - end.quantile(0.1))
        for end in (trained.predict(steps[:n], costs[:n], 50) for n in (4, 15, 45))
    ]
    assert widths[0] > widths[1] > widths[2]


@given(shift=st.floats(-100, 100), scale=st.floats(1e-3, 1e3))
def test_predictions_follow_a_change_of_unit_and_zero(shift, scale):
    curves = problem(8, seed=4)
    model = LearningCurves()
    with_offset = next(curve for curve in curves if np.isfinite(curve[1]).all())
    plain = model.predict(with_offset[0][:12], with_offset[1][:12], 50)
    moved = model.predict(with_offset[0][:12], scale * with_offset[1][:12], 50)
    assert moved.mean == pytest.approx(scale * plain.mean, rel=1e-3)
    assert moved.std == pytest.approx(scale * plain.std, rel=1e-3)
    # Families without an offset know where zero is; a shift moves the rest along.
    shifted = model.predict(with_offset[0][:12], shift + with_offset[1][:12], 50)
    assert abs(shifted.median - shift - plain.median) < np.ptp(with_offset[1][:12])


def test_maximizing_is_minimizing_the_negative(trained):
    curves = problem(20, seed=5)
    upwards = LearningCurves(maximize=True).fit((steps, -costs) for steps, costs in curves)
    downwards = LearningCurves().fit(curves)
    begun = beginnings(curves[:7], 12)
    up = upwards.predict_many([(steps, -costs) for steps, costs in begun], 50)
    down = downwards.predict_many(begun, 50)
    np.testing.assert_allclose(up.mean, -down.mean)
    np.testing.assert_allclose(up.below(-0.3), 1 - down.below(0.3))


@given(
    costs=st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=1, max_size=12
    ),
    at=st.floats(0, 1e6),
)
def test_whatever_was_reported_the_answer_is_a_distribution(costs, at):
    steps = np.arange(len(costs))
    if not np.isfinite(costs).any():
        with pytest.raises(SettingError, match="no finite value"):
            LearningCurves().predict(steps, costs, at)
        return
    end = LearningCurves().predict(steps, costs, at)
    if np.nanmax(np.abs(np.where(np.isfinite(costs), costs, 0))) < 1e150:
        assert np.isfinite(end.mean) and end.std >= 0
        assert 0 <= end.below(0.0) <= 1
    assert end.weights.sum() == pytest.approx(1.0)


def test_diverged_curves_are_expected_to_be_bad(trained):
    steps, costs = STEPS[:12], np.r_[1 - 0.05 * np.arange(8), [np.nan] * 4]
    end = trained.predict(steps, costs, 50)
    assert end.below(0.5) < 0.05
    assert np.isfinite(end.mean)


def test_overfitting_is_not_extrapolated_downwards():
    steps = np.arange(1.0, 31.0)
    costs = 0.3 + steps**-0.8 + 0.012 * steps
    end = LearningCurves().predict(steps, costs, 60)
    assert end.median > costs[-1]


def test_orders_and_repetitions_of_reports_do_not_matter(trained):
    steps, costs = problem(1, seed=6)[0]
    plain = trained.predict(steps[:10], costs[:10], 50)
    order = np.r_[4, np.arange(10)[::-1]]
    messy = trained.predict(steps[order], np.r_[99.0, costs[order[1:]]], 50)
    assert messy.mean == pytest.approx(float(plain.mean))


def test_several_steps_of_one_curve_give_an_array():
    path = LearningCurves().predict([1, 2, 3, 4], [1.0, 0.7, 0.6, 0.55], at=[[4, 8], [16, 32]])
    assert path.mean.shape == path.std.shape == path.quantile(0.1).shape == (2, 2)
    assert path.std[0, 0] < path.std[1, 1]


def test_few_or_early_ended_curves_teach_what_they_can():
    short = [(steps[:n], costs[:n]) for n, (steps, costs) in enumerate(problem(12, seed=7), 3)]
    end = LearningCurves().fit(short).predict(*beginnings(problem(1, seed=8), 6)[0], 50)
    assert np.isfinite(end.mean)
    assert LearningCurves().fit([]).predict([1, 2], [0.5, 0.4], 9).mean < 0.5


@pytest.mark.parametrize(
    ("steps", "values", "message"),
    [
        ([1, 2], [0.5], "same length"),
        ([], [], "one number at least"),
        ([1, float("nan")], [0.5, 0.4], "Steps are finite"),
        ([1, 2], [0.5, "low"], "not all numbers"),
    ],
)
def test_what_is_no_curve_is_refused(steps, values, message):
    with pytest.raises(SettingError, match=message):
        LearningCurves().predict(steps, values, 10)


def test_a_mixture_of_one_part_is_that_part():
    one = Prediction(np.array([1.0]), np.array([2.0]), np.array([3.0]))
    assert (one.mean, one.std) == (2.0, 3.0)
    assert one.quantile(0.975) == pytest.approx(2 + 3 * 1.959964)
    assert one.log_density(2.0) == pytest.approx(-np.log(3 * np.sqrt(2 * np.pi)))
    with pytest.raises(SettingError, match="between 0 and 1"):
        one.quantile(1.0)


def test_quantiles_invert_the_distribution(trained):
    ends = trained.predict_many(beginnings(problem(10, seed=9), 10), 50)
    for probability in (0.05, 0.5, 0.9):
        np.testing.assert_allclose(ends.below(ends.quantile(probability)), probability, atol=1e-6)
