"""Which pipelines are stopped on their first folds."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.errors import SettingError
from octavo.history import History
from octavo.problem import Objective, Problem
from octavo.schedulers.stopping import Running
from octavo.spaces import Float, space
from octavo.tabular.fold_race import FoldRace
from octavo.trial import Proposal, Report, Status, Trial

FOLDS = np.array([0.0, 0.3, -0.2, 0.1, -0.2])  # some folds are easier than others


def _reports(costs, sign=1.0):
    return tuple(Report(float(at), {"loss": sign * cost}, 0.0) for at, cost in enumerate(costs))


def _problem(maximize=False):
    return Problem(space(x=Float(0, 1)), objectives=[Objective("loss", maximize=maximize)])


def _history(means, *, maximize=False, noise=0.01):
    rng = np.random.default_rng(0)
    sign = -1.0 if maximize else 1.0
    trials = []
    for index, mean in enumerate(means):
        costs = mean + FOLDS + rng.normal(0, noise, 5)
        trials.append(
            Trial(
                Proposal(index, {"x": 0.5}, seed=1), Status.SUCCESS, (float(costs.mean()),),
                reports=_reports(costs, sign),
            )
        )  # fmt: skip
    return History(_problem(maximize), trials)


def _running(costs, sign=1.0):
    return Running(Proposal(99, {"x": 0.1}, seed=1), _reports(costs, sign), 1.0)


MEANS = np.linspace(1.0, 2.0, 16)


def test_who_is_far_behind_on_the_first_fold_is_stopped_and_who_is_ahead_goes_on():
    race, history = FoldRace(5), _history(MEANS)
    assert race.decide([_running([3.0 + FOLDS[0]])], history) == {99: "stop"}
    assert race.decide([_running([0.9 + FOLDS[0]])], history) == {}


def test_a_hard_fold_is_no_reason_to_stop():
    # Its second fold costs 0.3 more for everybody.
    race, history = FoldRace(5), _history(MEANS)
    good = 1.1 + FOLDS[:2]
    assert race.decide([_running(good)], history) == {}


@pytest.mark.parametrize("noise", [0.001, 0.2])
def test_noisy_folds_make_it_careful(noise):
    race = FoldRace(5)
    history = _history(np.full(16, 1.0) + np.linspace(0, 0.01, 16), noise=noise)
    behind = 1.15 + FOLDS[:1]
    assert bool(race.decide([_running(behind)], history)) == (noise == 0.001)


def test_scores_that_are_maximized_count_the_other_way_round():
    race, history = FoldRace(5), _history(MEANS, maximize=True)
    assert race.decide([_running([3.0 + FOLDS[0]], -1.0)], history) == {99: "stop"}
    assert race.decide([_running([0.9 + FOLDS[0]], -1.0)], history) == {}


def test_nobody_is_judged_before_enough_are_complete_nor_after_the_last_fold():
    assert FoldRace(5).decide([_running([9.0])], _history(MEANS[:11])) == {}
    assert FoldRace(5).decide([_running(9.0 + FOLDS)], _history(MEANS)) == {}
    assert FoldRace(5).decide([_running([])], _history(MEANS)) == {}


def test_what_diverged_is_stopped():
    assert FoldRace(5).decide([_running([np.nan])], _history(MEANS)) == {99: "stop"}


@pytest.mark.parametrize("wrong", [{"n_folds": 0}, {"n_best": 0}, {"n_complete": 2}, {"luck": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        FoldRace(**{"n_folds": 5, **wrong})
