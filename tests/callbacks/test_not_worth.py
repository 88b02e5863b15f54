"""A study ends when what it may still find is not worth its energy, and says why."""

from dataclasses import replace

import numpy as np
import pytest

import octavo
from octavo.callbacks import Completed, Started, StopWhenNotWorth
from octavo.errors import SettingError
from octavo.history import History
from octavo.problem import Fidelity, Limits, Problem
from octavo.spaces import Float, space
from octavo.study import minimize
from octavo.trial import Proposal, Resources, Status, Trial

SPACE = space(x=Float(0, 1), y=Float(0, 1))


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


def trials(n, energy_kwh=0.01, cost=bowl, fidelity=None):
    configs = SPACE.decode(SPACE.sample(n, np.random.default_rng(0)))
    return [
        Trial(
            Proposal(i, config, fidelity=fidelity),
            Status.SUCCESS,
            (cost(config),),
            resources=Resources(wall_s=1.0, cpu_s=2.0, energy_kwh=energy_kwh),
        )
        for i, config in enumerate(configs)
    ]


def watched(stop, trials, limits, problem=None):
    """Let a callback hear of trials one by one; after how many it stopped, and its sentence."""
    history = History(problem or Problem(SPACE))
    stop(Started(history, limits, 1))
    for n, trial in enumerate(trials, start=1):
        history.append(trial)
        sentence = stop(Completed(trial, history))
        if sentence:
            return n, sentence
    return None, ""


def search(price, seed=0, **arguments):
    stop = StopWhenNotWorth(gain=1.0, price_per_kwh=price)
    energy = octavo.Energy("estimate", watts_per_core=1e6)
    study = minimize(
        bowl, SPACE, max_trials=80, seed=seed, energy=energy, callbacks=[stop], **arguments
    )
    return study, stop


def test_a_study_stops_and_its_sentence_has_the_bound():
    study, stop = search(price=10.0)
    last = stop.appraisals[-1]
    assert len(study.history) == last.n_trials < 80
    assert study.stopped_because.startswith("going on is not worth its energy: the best cost")
    assert f"within {last.regret_bound:.3g} of the best possible" in study.stopped_because
    assert not last.is_worth_it and not stop.appraisals[-2].is_worth_it
    assert study.best_value <= last.regret_bound + 1e-12  # the best possible is 0


def test_dear_energy_stops_sooner_than_cheap():
    ends = [watched(StopWhenNotWorth(1.0, price_per_kwh=price), trials(60), Limits(60))[0] or 61
            for price in (1e-4, 1e-1, 1e2)]  # fmt: skip
    assert ends[0] > ends[1] >= ends[2] == 11  # of 10 trials at least, two looks


def test_the_worth_is_in_the_settings_currency():
    few = trials(20)
    one, other = StopWhenNotWorth(1.0, price_per_kwh=1.0), StopWhenNotWorth(7.0, price_per_kwh=3.0)
    for stop in (one, other):
        watched(stop, few[:12], Limits(20))
    a, b = one.appraisals[0], other.appraisals[0]
    assert (a.regret_bound, a.improvement) == (b.regret_bound, b.improvement)
    assert b.worth == pytest.approx(7 * a.worth) and b.price == pytest.approx(3 * a.price)


def test_both_directions_are_alike():
    problem = Problem(SPACE, (octavo.Objective("score", maximize=True),))
    limits = Limits(60)
    up, down = (StopWhenNotWorth(1.0, price_per_kwh=0.1) for _ in range(2))
    assert watched(up, trials(60), limits, problem)[0] == watched(down, trials(60), limits)[0]
    assert up.appraisals[-1].incumbent == -down.appraisals[-1].incumbent


@pytest.mark.parametrize(
    ("limits", "left"),
    [(Limits(max_trials=50), 39), (Limits(cpu_s=60.0), 19), (Limits(), 11)],
)
def test_what_the_limits_leave(limits, left):
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e-9, n_least=11)
    watched(stop, trials(11), limits)
    assert stop.appraisals[0].n_left == pytest.approx(left)


def test_time_limits_leave_what_fits():
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e-9, n_least=11)
    watched(stop, trials(11), Limits(wall_s=1e4))
    assert stop.appraisals[0].n_left > 1000  # these took microseconds


def test_without_energies_nobody_can_tell():
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e9)
    assert watched(stop, trials(30, energy_kwh=None), Limits(40)) == (None, "")
    assert stop.appraisals == []


def test_cheap_fidelities_say_nothing_of_the_incumbent():
    problem = Problem(SPACE, fidelity=Fidelity("epochs", 1, 9))
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e9)
    assert watched(stop, trials(30, fidelity=1.0), Limits(40), problem) == (None, "")
    assert watched(stop, trials(30, fidelity=9.0), Limits(40), problem)[0] is not None


def test_failures_cost_energy_and_teach_nothing():
    failing = [
        Trial(t.proposal, Status.CRASHED, (float("nan"),), resources=t.resources)
        for t in trials(30)
    ]
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e9)
    assert watched(stop, failing, Limits(40)) == (None, "")


def test_several_objectives_are_refused_before_the_first_trial():
    with pytest.raises(SettingError, match=r"2: \['a', 'b'\].*constrain the others"):
        minimize(
            lambda config: {"a": 1, "b": 2}, SPACE, objectives=["a", "b"], max_trials=3,
            callbacks=[StopWhenNotWorth(1.0, price_per_kwh=1.0)],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gain": 0}, "gain=0 must be"),
        ({"gain": float("nan")}, "gain=nan must be"),
        ({"gain": "much"}, "gain='much' must be"),
        ({"price_per_kwh": -1}, "price_per_kwh=-1 must be"),
        ({"price_per_kwh": True}, "price_per_kwh=True must be"),
        ({"n_least": 1}, "n_least=1 must be a whole number of at least 2"),
        ({"n_least": 2.5}, "n_least=2.5 must be a whole number"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(SettingError, match=message):
        StopWhenNotWorth(**{"gain": 1.0, "price_per_kwh": 1.0, **arguments})


def constrained(n, low):
    """Trials of the bowl that are feasible where x is at least so much."""
    problem = Problem(SPACE, constraints=(octavo.Constraint("x", low=low),))
    return problem, [replace(t, constraints=(t.config["x"],)) for t in trials(n)]


def test_the_incumbent_and_the_bound_are_those_of_what_is_feasible():
    problem, some = constrained(60, low=0.8)
    stop = StopWhenNotWorth(1.0, price_per_kwh=10.0)
    assert watched(stop, some, Limits(60), problem)[0] is not None
    last = stop.appraisals[-1]
    best = min(t.costs[0] for t in some[: last.n_trials] if t.config["x"] >= 0.8)
    assert last.incumbent == best
    assert best - 0.25 <= last.regret_bound < 0.2  # 0.25 is the best possible at x >= 0.8


def test_before_anything_is_feasible_nobody_can_tell():
    problem, some = constrained(30, low=1.5)
    stop = StopWhenNotWorth(1.0, price_per_kwh=1e9)
    assert watched(stop, some, Limits(40), problem) == (None, "")


def test_over_instances_configurations_are_compared_on_what_both_were_run_on():
    problem = Problem(SPACE, instances=("easy", "hard"))
    runs = [
        replace(
            trial,
            proposal=replace(trial.proposal, index=2 * i + n, instance=instance),
            costs=(trial.costs[0] + 100 * n,),
        )
        for i, trial in enumerate(trials(20))
        for n, instance in enumerate(("easy", "hard"))
        if n == 0 or i % 2 == 0  # every other one was run on the easy instance only
    ]
    stop = StopWhenNotWorth(1.0, price_per_kwh=0.1)
    watched(stop, runs, Limits(60), problem)
    last = stop.appraisals[-1]
    history = History(problem)
    history.extend(runs[: last.n_trials])
    assert last.incumbent == history.incumbent_cost > 49
    assert last.regret_bound < 2  # the instances' hundred is no cost of a configuration
