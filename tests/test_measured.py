"""What Octavo measures is filled in, and numbers of different methods are never compared."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from octavo.errors import ObjectiveError
from octavo.history import History
from octavo.measured import FIELDS, RETURNED, filled, measured_names, methods_of
from octavo.optimizers.recommendation import recommend
from octavo.problem import MEASURED, Constraint, Objective, Problem
from octavo.spaces import Float, space
from octavo.trial import Proposal, Resources, Status, Trial

X = space(x=Float(0, 1))
GREEN = Problem(X, (Objective("loss"), Objective("energy")), (Constraint("wall_time", high=9),))
NAN = float("nan")
numbers = st.floats(1e-9, 1e9)


def trial(index=0, costs=(0.5, NAN), constraints=(NAN,), how="meter", **resources):
    measured = {"energy_kwh": 2.0, "wall_s": 3.0} | resources
    return Trial(
        Proposal(index, {"x": 0.1 * index}),
        Status.SUCCESS,
        costs,
        constraints,
        resources=Resources(**measured, how={"energy_kwh": how, "wall_s": "clock"}),
    )


@given(value=numbers, maximize=st.booleans(), name=st.sampled_from(sorted(MEASURED)))
def test_what_is_missing_is_taken_from_the_resources(value, maximize, name):
    problem = Problem(X, (Objective(name, maximize=maximize),))
    costs, constraints, extra = problem.read(None)
    assert math.isnan(costs[0]) and constraints == () and extra == {}
    resources = Resources(**{FIELDS[name]: value})
    found = filled(problem, Trial(Proposal(0, {}), Status.SUCCESS, costs, resources=resources), {})
    assert found.succeeded
    assert problem.objectives[0].value(found.costs[0]) == value
    assert problem.objectives[0].unit == MEASURED[name]


def test_objectives_and_constraints_are_filled_side_by_side():
    found = filled(GREEN, trial(), {})
    assert (found.costs, found.constraints) == ((0.5, 2.0), (3.0,))
    assert methods_of(GREEN, [found]) == {"energy": "meter", "wall_time": "clock"}


@pytest.mark.parametrize(
    ("result", "costs", "constraints"),
    [
        (0.5, (0.5, NAN), (NAN,)),
        ({"loss": 0.5}, (0.5, NAN), (NAN,)),
        ({"loss": 0.5, "energy": 7}, (0.5, 7.0), (NAN,)),
        ({"loss": 0.5, "wall_time": 1.0}, (0.5, NAN), (1.0,)),
    ],
)
def test_what_the_objective_returns_stands(result, costs, constraints):
    read = GREEN.read(result)
    assert read[0] == pytest.approx(costs, nan_ok=True)
    assert read[1] == pytest.approx(constraints, nan_ok=True)
    found = filled(GREEN, trial(costs=read[0], constraints=read[1]), {})
    assert found.costs == (0.5, 7.0 if "energy" in str(result) else 2.0)
    assert (found.resources.how.get("energy") == RETURNED) == ("energy" in str(result))


def test_what_octavo_cannot_measure_must_be_returned():
    with pytest.raises(ObjectiveError, match="without 'loss'"):
        GREEN.read({"energy": 1.0})
    with pytest.raises(ObjectiveError, match="NoneType None for 'loss'"):
        GREEN.read(None)
    two = Problem(X, (Objective("energy"), Objective("co2")))
    with pytest.raises(ObjectiveError, match=r"2 quantities.*\['energy', 'co2'\]"):
        two.read(1.0)
    with pytest.raises(ObjectiveError, match="returned inf for 'energy'"):
        two.read({"energy": math.inf})


def test_a_quantity_that_nobody_measured_is_a_crash_that_keeps_the_rest():
    found = filled(GREEN, trial(energy_kwh=None), {})
    assert found.status is Status.CRASHED
    assert found.cause == "'energy' was neither returned by the objective nor measured (meter)."
    assert all(map(math.isnan, found.costs))
    assert found.resources.wall_s == 3.0


def test_another_method_than_before_is_a_crash_that_says_both():
    methods = methods_of(GREEN, [filled(GREEN, trial(), {})])
    assert filled(GREEN, trial(1), methods).succeeded
    found = filled(GREEN, trial(1, how="estimate"), methods)
    assert found.status is Status.CRASHED
    assert "another way (estimate)" in found.cause and "(meter)" in found.cause
    assert filled(GREEN, trial(1, costs=(0.5, 1.0)), methods).status is Status.CRASHED


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.SUCCESS])
def test_what_did_not_succeed_gets_no_costs_and_keeps_what_it_consumed(status):
    failed = replace(trial(costs=(NAN, NAN), constraints=()), status=status)
    assert filled(GREEN, failed, {}) is failed


def test_co2_is_no_more_alike_than_the_energy_it_follows_from():
    problem = Problem(X, (Objective("co2"),))

    def emitted(index, how):
        what = Resources(co2_kg=1.0, how={"co2_kg": "energy x 475 g/kWh", "energy_kwh": how})
        return Trial(Proposal(index, {"x": 0.5}), Status.SUCCESS, (NAN,), resources=what)

    methods = methods_of(problem, [emitted(0, "counters")])
    assert filled(problem, emitted(1, "counters"), methods).succeeded
    assert not filled(problem, emitted(1, "estimate"), methods).succeeded


def of_two_methods():
    """Three trials by a meter; two better ones by an estimate."""
    trials = [filled(GREEN, trial(i, costs=(0.5 - 0.1 * i, NAN)), {}) for i in range(3)]
    trials += [filled(GREEN, trial(i, (0.0, NAN), how="guess", energy_kwh=0.1), {}) for i in (3, 4)]
    return trials


def test_a_history_separates_the_trials_of_another_method():
    mixed, alone = History(GREEN, of_two_methods()), History(GREEN, of_two_methods()[:3])
    with pytest.warns(UserWarning, match="2 of 5 trials are left out of comparisons"):
        assert mixed.incumbent == alone.incumbent
    assert mixed.comparable.tolist() == [True] * 3 + [False] * 2
    assert mixed.pareto_front == alone.pareto_front
    assert [step.index for step in mixed.trajectory()] == [0, 1, 2]
    assert mixed.hypervolume()[-1] == alone.hypervolume()[-1]
    assert recommend(mixed).trial == recommend(alone).trial
    assert len(mixed) == 5 and mixed.succeeded.all()  # they are kept


def test_a_history_grows_without_looking_again(recwarn):
    history = History(GREEN, of_two_methods()[:1])
    assert history.incumbent.index == 0
    history.extend(of_two_methods()[1:3])
    assert history.incumbent.index == 2
    assert history.comparable.all() and not recwarn.list


def test_a_problem_without_such_names_compares_everything():
    problem = Problem(X, (Objective("loss"),))
    assert measured_names(problem) == ()
    plain = [replace(t, costs=t.costs[:1], constraints=()) for t in of_two_methods()]
    history = History(problem, plain)
    assert history.comparable.all() and history.incumbent.index == 3


@pytest.mark.parametrize("name", ["cpu_tme", "walltime", "memory_mb", "energy_kwh"])
def test_a_misspelt_name_gets_a_hint(name):
    problem = Problem(X, (Objective("loss"), Objective(name)))
    for returned in (0.5, {"loss": 0.5}):
        with pytest.raises(ObjectiveError, match="which Octavo measures"):
            problem.read(returned)
    plain = Problem(X, (Objective("loss"), Objective("size")))
    with pytest.raises(ObjectiveError) as refused:
        plain.read(0.5)
    assert "Octavo measures" not in str(refused.value)
