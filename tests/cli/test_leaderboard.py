"""What stands on top of a leaderboard could be the incumbent; what is measured says how."""

import json
import math

import pytest

import octavo
from octavo.cli import main
from octavo.cli.looking import trials_frame
from octavo.history import History
from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.trial import Proposal, Resources, Status, Trial

SPACE = octavo.space(x=octavo.Float(0, 1))


def trial(index, cost, constraints=(), *, fidelity=None, how=None, status=Status.SUCCESS):
    proposal = Proposal(index, {"x": 0.5}, fidelity=fidelity)
    resources = Resources(how=how or {})
    return Trial(proposal, status, (cost,), constraints, resources=resources)


def indices(problem, trials, *, every=False):
    history = History(problem)
    history.extend(trials)
    return list(trials_frame(history, every=every)["trial"])


def test_what_breaks_a_constraint_stands_below_what_meets_it():
    problem = Problem(SPACE, constraints=(Constraint("size", high=1.0),))
    trials = [trial(0, 0.3, (0.5,)), trial(1, 0.1, (2.0,)), trial(2, 0.2, (0.9,))]
    assert indices(problem, trials) == [2, 0, 1]
    frame = trials_frame(History(problem, trials), every=False)
    assert list(frame["size"]) == [0.9, 0.5, 2.0]


def test_cheap_trials_stand_below_full_ones():
    problem = Problem(SPACE, fidelity=Fidelity("epochs", 1, 9))
    trials = [trial(0, 0.1, fidelity=1.0), trial(1, 0.3, fidelity=9.0), trial(2, 0.2)]
    assert indices(problem, trials) == [2, 1, 0]


def test_the_direction_is_the_users():
    problem = Problem(SPACE, (Objective("score", maximize=True),))
    frame = trials_frame(History(problem, [trial(0, -0.1), trial(1, -0.9)]), every=False)
    assert list(frame["score"]) == [0.9, 0.1]


def test_failures_stand_at_the_end_where_all_are_asked_for():
    problem = Problem(SPACE)
    trials = [trial(0, math.nan, status=Status.CRASHED), trial(1, 0.5)]
    assert indices(problem, trials) == [1]
    assert indices(problem, trials, every=True) == [1, 0]


@pytest.mark.filterwarnings("ignore:1 of 3 trials are left out")
def test_methods_are_not_mixed():
    problem = Problem(SPACE, (Objective("energy"),))
    meter, guess = {"energy_kwh": "a meter"}, {"energy_kwh": "a guess"}
    trials = [trial(0, 0.3, how=meter), trial(1, 0.1, how=guess), trial(2, 0.2, how=meter)]
    assert indices(problem, trials) == [2, 0]
    assert indices(problem, trials, every=True) == [2, 0, 1]


def test_how_it_was_measured_stands_beside_the_numbers(tmp_path, capsys):
    octavo.minimize(
        lambda config: config["x"], SPACE, objectives=["loss", "energy"], max_trials=3, seed=0,
        energy=octavo.Energy("estimate", watts_per_core=7), storage=tmp_path / "run",
    )  # fmt: skip
    how = "estimate: CPU time x 7 W per busy core"
    with pytest.raises(SystemExit) as end:
        main(["leaderboard", str(tmp_path / "run")])
    assert end.value.code == 0
    assert f"energy in kWh: {how}" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        main(["leaderboard", str(tmp_path / "run"), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["measured"] for row in rows] == [{"energy": how}] * 3
    with pytest.raises(SystemExit):
        main(["watch", str(tmp_path / "run"), "--once", "--json"])
    assert json.loads(capsys.readouterr().out)["measured"] == {"energy": how}
