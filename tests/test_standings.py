"""Over instances, only configurations that were run on the same ones are compared."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import ProblemError
from octavo.history import History
from octavo.problem import Constraint, Objective, Problem
from octavo.spaces import Categorical, space
from octavo.standings import RACE, Outcome, Standings, outcome
from octavo.trial import Origin, Proposal, Status, Trial

LETTERS = space(c=Categorical(list("abcdefgh")))
NAMES = ("easy", "medium", "hard")
PROBLEM = Problem(LETTERS, instances=NAMES)


def run(index, letter, instance, *costs, status=Status.SUCCESS, problem=PROBLEM, **more):
    costs = costs or (math.nan,) * problem.n_objectives
    values = more.pop("constraints", ())
    proposal = Proposal(index, {"c": letter}, instance=instance, **more)
    return Trial(proposal, status, costs, values)


def test_who_was_only_run_on_the_easy_instance_is_not_the_incumbent():
    history = History(PROBLEM)
    for instance, cost in zip(NAMES, (1.0, 10.0, 100.0), strict=True):
        history.append(run(len(history), "a", instance, cost))
    history.append(run(3, "b", "easy", 0.5))
    assert history.incumbent is not None and history.incumbent.config["c"] == "a"
    assert history.incumbent_cost == pytest.approx(37.0)
    history.append(run(4, "b", "medium", 9.0))
    assert history.incumbent.config["c"] == "a"
    history.append(run(5, "b", "hard", 99.0))
    assert history.incumbent.config["c"] == "b"
    assert [step.index for step in history.trajectory()] == [0, 3]


def test_an_incumbent_that_goes_wrong_later_gives_way_to_who_waited():
    history = History(PROBLEM, [run(0, "a", "easy", 1.0), run(1, "b", "easy", 2.0)])
    history.extend([run(2, "b", "hard", 2.0)])
    assert history.incumbent.config["c"] == "a"
    history.append(run(3, "a", "hard", 50.0))
    assert history.incumbent.config["c"] == "b"


def test_a_failure_counts_its_penalty_and_without_one_more_than_any_cost():
    late = Origin(data={RACE: {"failure_cost": 50.0}})
    history = History(PROBLEM, [run(0, "a", "easy", 30.0), run(1, "a", "hard", 30.0)])
    history.append(run(2, "b", "easy", 1.0))
    history.append(run(3, "b", "hard", status=Status.TIMEOUT, origin=late))
    assert history.incumbent.config["c"] == "b"
    assert history.incumbent_cost == 25.5
    history.extend([run(4, "d", "easy", 0.0), run(5, "d", "hard", status=Status.CRASHED)])
    assert history.incumbent.config["c"] == "b"


def test_where_one_instance_fails_for_all_the_others_decide():
    history = History(PROBLEM)
    for letter, cost in (("a", 3.0), ("b", 2.0)):
        history.append(run(len(history), letter, "hard", status=Status.CRASHED))
        history.append(run(len(history), letter, "easy", cost))
    assert history.incumbent.config["c"] == "b" and history.incumbent_cost == math.inf


def test_a_capped_run_says_only_that_its_configuration_lost():
    capped = Origin(data={RACE: {"failure_cost": 50.0, "capped": True}})
    trial = run(1, "b", "easy", status=Status.TIMEOUT, origin=capped, cutoff_s=0.2)
    assert outcome(PROBLEM, trial) == Outcome(0.2, is_success=False, is_capped=True)
    history = History(PROBLEM, [run(0, "a", "easy", 1.0), trial])
    assert history.incumbent.config["c"] == "a"
    assert [row.is_complete for row in history.standings()] == [True, False]
    # One that finished within its bound counts as it is.
    done = run(2, "d", "easy", 0.1, origin=capped, cutoff_s=0.2)
    history.append(done)
    assert history.incumbent.config["c"] == "d"


def test_a_run_that_came_back_beyond_an_unenforced_cutoff_counts_as_late():
    problem = Problem(LETTERS, objectives=(Objective("cpu_time"),), instances=NAMES)
    race = Origin(data={RACE: {"failure_cost": 50.0}})
    late = run(0, "a", "easy", 7.0, origin=race, cutoff_s=5.0)
    assert outcome(problem, late) == Outcome(50.0, is_success=False)
    assert outcome(PROBLEM, late) == Outcome(7.0)  # its objective is no time


def test_what_was_cancelled_or_run_on_a_strange_instance_does_not_count():
    for trial in (run(0, "a", "easy", status=Status.CANCELLED), run(1, "a", "other", 0.0)):
        assert outcome(PROBLEM, trial) is None
    assert History(PROBLEM, [run(1, "a", "other", 0.0)]).incumbent is None


def test_violating_a_constraint_anywhere_loses():
    problem = Problem(LETTERS, instances=NAMES, constraints=(Constraint("size", high=1.0),))
    history = History(problem)
    for letter, cost, size in (("a", 2.0, 0.5), ("b", 1.0, 1.5)):
        for name in NAMES:
            values = (size if name == "hard" else 0.1,)
            history.append(run(len(history), letter, name, cost, constraints=values))
    assert history.incumbent.config["c"] == "a"


def test_the_front_compares_means_over_what_the_incumbent_was_run_on():
    problem = Problem(LETTERS, objectives=(Objective("time"), Objective("size")), instances=NAMES)
    history = History(problem)
    means = {"a": (1.0, 3.0), "b": (2.0, 1.0), "d": (3.0, 3.0)}
    for letter, (time, size) in means.items():
        for name, hard in zip(NAMES, (-0.5, 0.0, 0.5), strict=True):
            costs = time + hard, size - hard
            history.append(run(len(history), letter, name, *costs, problem=problem))
    history.append(run(20, "e", "easy", 0.0, 0.0, problem=problem))  # cheap on the easy one only
    assert sorted(trial.config["c"] for trial in history.pareto_front) == ["a", "b"]
    with pytest.raises(ProblemError, match="3 instances"):
        history.hypervolume()


def test_standings_are_for_problems_with_instances():
    with pytest.raises(ProblemError, match="has none"):
        History(Problem(LETTERS)).standings()


runs = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(NAMES), st.integers(0, 4)), max_size=40
)


@given(runs=runs)
def test_nobody_who_was_run_on_as_much_is_better_than_the_champion(runs):
    standings = Standings()
    for row, (letter, instance, cost) in enumerate(runs):
        result = Outcome(50.0 if cost == 4 else float(cost), is_success=cost != 4)
        standings.add(row, letter.encode(), (instance, 0), result)
        champion = standings.runs[standings.champion]
        for key in standings.runs:
            if standings.is_complete(key):
                mine = standings.runs[key].mean(champion.costs)
                assert champion.mean(champion.costs) <= mine


@given(runs=runs)
def test_a_history_read_at_once_has_the_incumbent_of_one_that_grew(runs):
    trials = [run(i, c, name, float(cost)) for i, (c, name, cost) in enumerate(runs)]
    grown = History(PROBLEM)
    for trial in trials:
        grown.append(trial)
        grown.incumbent
    whole = History(PROBLEM, trials)
    assert grown.incumbent == whole.incumbent
    assert np.array_equal(grown.incumbent_cost, whole.incumbent_cost, equal_nan=True)
    paths = [
        [(step.n_trials, step.index, step.cost) for step in history.trajectory()]
        for history in (grown, whole)
    ]
    assert paths[0] == paths[1]


def test_repeated_runs_of_a_pair_count_by_their_mean():
    history = History(PROBLEM, [run(0, "a", "easy", 1.0), run(1, "a", "easy", 4.0)])
    history.append(run(2, "b", "easy", 2.0))
    assert history.incumbent.config["c"] == "b"
