"""Stoppers on recorded curves: whom they end, when, and what that costs."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

import octavo
from octavo.errors import SettingError
from octavo.history import History
from octavo.problem import Objective, Problem
from octavo.schedulers import ASHAStopper, CurveStopper, MedianRule, Running, Stopper
from octavo.schedulers.curves import whole_curve
from octavo.study.stopping import stoppers_from_json, stoppers_to_json
from octavo.trial import Proposal, Report, Status, Trial

PROBLEM = Problem(octavo.space(x=octavo.Float(0, 1)), (Objective("loss"),))
STOPPERS = [MedianRule(), ASHAStopper(), CurveStopper()]


def reports(values: Sequence[float], name: str = "loss") -> tuple[Report, ...]:
    return tuple(Report(step, {name: value}) for step, value in enumerate(values, 1))


def ended(
    index: int, values: Sequence[float], status: Status = Status.SUCCESS, name: str = "loss"
) -> Trial:
    cost = values[-1] if name == "loss" else -values[-1]
    return Trial(Proposal(index, {"x": 0.5}), status, (cost,), reports=reports(values, name))


def under_way(index: int, values: Sequence[float], name: str = "loss") -> Running:
    return Running(Proposal(index, {"x": 0.5}), reports(values, name), float(len(values)))


def falling(end: float, n: int = 30) -> list[float]:
    return [end + (1 - end) * step**-0.8 for step in range(1, n + 1)]


@pytest.mark.parametrize("stopper", STOPPERS, ids=lambda stopper: type(stopper).__name__)
def test_all_are_stoppers_and_let_go_what_nothing_is_known_of(stopper: Stopper) -> None:
    assert isinstance(stopper, Stopper)
    assert not stopper.decide([], History(PROBLEM))
    assert not stopper.decide([under_way(0, [])], History(PROBLEM))
    assert not stopper.decide([under_way(0, [0.5, 0.4])], History(PROBLEM))


@pytest.mark.parametrize("stopper", STOPPERS, ids=lambda stopper: type(stopper).__name__)
def test_the_hopeless_end_and_the_best_goes_on(stopper: Stopper) -> None:
    history = History(PROBLEM, [ended(i, falling(0.1 + 0.05 * i)) for i in range(8)])
    running = [
        under_way(8, falling(0.05)[:12]),
        under_way(9, [0.99 - 0.001 * i for i in range(12)]),
    ]
    assert stopper.decide(running, history) == {9: "stop"}


@pytest.mark.parametrize("make", [MedianRule, ASHAStopper, CurveStopper])
def test_a_verdict_may_be_to_pause(make: Callable[..., Stopper]) -> None:
    history = History(PROBLEM, [ended(i, falling(0.1 + 0.05 * i)) for i in range(8)])
    running = [under_way(9, [0.99] * 12)]
    assert make(verdict="pause").decide(running, history) == {9: "pause"}
    with pytest.raises(SettingError, match="neither 'stop'"):
        make(verdict="kill")


@pytest.mark.parametrize("make", [MedianRule, ASHAStopper, CurveStopper])
def test_larger_may_be_better(make: Callable[..., Stopper]) -> None:
    problem = Problem(PROBLEM.space, (Objective("accuracy", maximize=True),))
    history = History(
        problem,
        [ended(i, [1 - v for v in falling(0.1 + 0.05 * i)], name="accuracy") for i in range(8)],
    )
    running = [
        under_way(8, [1 - v for v in falling(0.05)[:12]], "accuracy"),
        under_way(9, [0.01] * 12, "accuracy"),
    ]
    assert make().decide(running, history) == {9: "stop"}


@pytest.mark.parametrize("make", [MedianRule, ASHAStopper, CurveStopper])
def test_who_diverged_is_stopped(make: Callable[..., Stopper]) -> None:
    history = History(PROBLEM, [ended(i, falling(0.1 + 0.05 * i)) for i in range(8)])
    values = [*falling(0.3)[:3], *[float("nan")] * 9]
    assert make(first_step=10).decide([under_way(9, values)], history) == {9: "stop"}


@pytest.mark.parametrize("make", [MedianRule, ASHAStopper, CurveStopper])
@given(data=st.data())
def test_a_stopper_that_starts_anew_decides_the_same(
    make: Callable[..., Stopper], data: st.DataObject
) -> None:
    ends = data.draw(st.lists(st.floats(0, 0.9), min_size=8, max_size=14))
    live, history = make(), History(PROBLEM)
    for index, end in enumerate(ends):
        history.append(ended(index, falling(end)))
        running = [under_way(100 + k, falling(0.1 * k)[: 3 + k]) for k in range(3)]
        decisions = live.decide(running, history)
    assert decisions == make().decide(running, history)


def test_the_median_rule_is_that_of_the_paper() -> None:
    # Averages up to step 3 are 2, 3 and 4: the median is 3.
    history = History(PROBLEM, [ended(i, [v + 1, v, v - 1, 0]) for i, v in enumerate([2, 3, 4])])
    rule = MedianRule(n_trials=3)
    assert not rule.decide([under_way(5, [9.0, 9.0, 3.0])], history)
    assert rule.decide([under_way(5, [9.0, 9.0, 3.01])], history) == {5: "stop"}
    assert not MedianRule(n_trials=4).decide([under_way(5, [9.0, 9.0, 9.0])], history)
    assert not MedianRule(n_trials=3, first_step=4).decide([under_way(5, [9.0] * 3)], history)


def test_asha_lets_one_in_eta_pass_each_rung() -> None:
    stopper = ASHAStopper(first_step=1, eta=3)
    assert [stopper.rung(step) for step in (0.5, 1, 2.9, 3, 26, 27)] == [None, 1, 1, 3, 9, 27]
    running = [under_way(index, [index / 10]) for index in range(9)]
    decisions = stopper.decide(running, History(PROBLEM))
    assert decisions == dict.fromkeys(range(3, 9), "stop")
    # At the rung of step 3 only the cost there counts.
    running = [under_way(k, [k / 10, 1.0, 1 - k / 10]) for k in range(3)]
    assert stopper.decide(running, History(PROBLEM)) == {0: "stop", 1: "stop"}


def test_a_resumed_trial_is_judged_by_its_whole_curve() -> None:
    first = ended(0, [0.9, 0.8, 0.7], Status.STOPPED)
    later = tuple(Report(step, {"loss": 0.6}) for step in (4, 5))
    proposal = Proposal(1, {"x": 0.5}, resume_from=0)
    steps, costs = whole_curve(PROBLEM, proposal, later, {0: first}.get)
    assert steps.tolist() == [1, 2, 3, 4, 5]
    assert costs.tolist() == [0.9, 0.8, 0.7, 0.6, 0.6]
    around = Proposal(0, {"x": 0.5}, resume_from=1)
    circle = Trial(around, Status.STOPPED, (0.5,), reports=first.reports)
    assert len(whole_curve(PROBLEM, proposal, later, {0: circle}.get)[0]) == 5


def test_curves_end_trials_of_a_real_study() -> None:
    def train(config, report):
        value = 1.0
        for epoch in range(1, 26):
            value = config["x"] + (1 - config["x"]) * epoch**-0.8
            report(epoch, value)
        return value

    study = octavo.minimize(
        train,
        {"x": octavo.Float(0, 1)},
        max_trials=25,
        optimizer="random",
        seed=1,
        stoppers=[CurveStopper(first_step=3)],
    )
    status = study.history.status
    stopped = [trial for trial in study.history if trial.status is Status.STOPPED]
    assert status.count(Status.STOPPED) >= 10
    # Whoever ended early was really worse: costs at the end are x + (1 - x) * 0.076.
    best = study.best.config["x"]
    assert all(trial.config["x"] > best for trial in stopped)
    spent = sum(len(trial.reports) for trial in study.history)
    assert spent < 0.6 * 25 * 25
    assert np.isfinite(study.history.incumbent_cost)


@pytest.mark.parametrize("stopper", STOPPERS, ids=lambda stopper: type(stopper).__name__)
def test_a_study_can_remember_them(stopper: Stopper) -> None:
    written = json.loads(json.dumps(stoppers_to_json([stopper])))
    assert list(stoppers_from_json(written)) == [stopper]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MedianRule(n_trials=0), "n_trials=0"),
        (lambda: ASHAStopper(eta=1), "eta=1"),
        (lambda: ASHAStopper(first_step=0), "first_step=0"),
        (lambda: CurveStopper(probability=2), "probability=2"),
        (lambda: CurveStopper(n_trials=0), "n_trials=0"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Stopper], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()
