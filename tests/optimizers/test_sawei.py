from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from octavo.errors import SettingError
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.sawei import SAWEI
from octavo.problem import Constraint, Limits, Objective, Problem
from octavo.spaces import Float, space
from octavo.testing import live
from octavo.trial import Status, Trial

SQUARE = space(x=Float(0, 1), y=Float(0, 1))
PROBLEM = Problem(SQUARE, limits=Limits(max_trials=60))


def cost(config) -> float:
    """Two valleys, the lower one 0 deep at (0.8, 0.3)."""
    x, y = config["x"], config["y"]
    near, far = (x - 0.8) ** 2 + (y - 0.3) ** 2, (x - 0.2) ** 2 + (y - 0.7) ** 2
    return min(near, 0.05 + far / 2)


def respond(problem, proposal) -> Trial:
    return Trial(proposal, Status.SUCCESS, (cost(proposal.config),))


def run(recipe, problem=PROBLEM, seed=0, n=40, respond=respond, workers=1):
    optimizer = recipe.start(problem, seed)
    moments = list(live(optimizer, problem, n=n, respond=respond, workers=workers, seed=seed))
    return moments[-1].told


@cache
def searched(n=30, seed=0):
    """The trials of a search."""
    return run(SAWEI(), n=n, seed=seed)


def remembered(trial_or_proposal):
    return getattr(trial_or_proposal, "proposal", trial_or_proposal).origin.data.get("sawei")


def asked_after(memory, n=1, *, step=0.1, told=None):
    """What is proposed after a search whose latest proposal remembered something else."""
    told = told or searched()
    last = told[-1]
    data = {"sawei": {**remembered(last), **memory}}
    proposal = replace(last.proposal, origin=replace(last.proposal.origin, data=data))
    optimizer = SAWEI(step=step).start(PROBLEM, 0)
    optimizer.tell([*told[:-1], replace(last, proposal=proposal)])
    return optimizer.ask(n)


def steepest(value: float):
    """The curves of both scales, with another steepest slope and a window that is filled."""
    curves = remembered(searched()[-1])["regret"]
    return {name: {**curve, "steepest": value, "n": 20} for name, curve in curves.items()}


EXPLORED, EXPLOITED = [0.1, 0.3], [0.3, 0.1]


@pytest.mark.parametrize(
    ("slope", "weight", "summands", "then"),
    [
        (1e9, 0.5, EXPLORED, 0.6),  # beside such a slope any other is flat
        (1e9, 0.5, EXPLOITED, 0.4),
        (1e9, 0.95, EXPLORED, 1.0),
        (1e9, 0.0, EXPLOITED, 0.0),
        (0.0, 0.5, EXPLORED, 0.5),  # the slope is itself the steepest
    ],
)
def test_the_weight_moves_against_the_attitude_once_regret_stands_still(
    slope, weight, summands, then
) -> None:
    memory = {"weight": weight, "summands": summands, "regret": steepest(slope)}
    (proposal,) = asked_after(memory)
    assert remembered(proposal)["weight"] == then
    assert proposal.origin.by == "sawei"
    assert proposal.origin.intent == "weighted expected improvement"


def test_a_step_of_zero_keeps_the_weight() -> None:
    memory = {"weight": 0.5, "summands": EXPLORED, "regret": steepest(1e9)}
    (proposal,) = asked_after(memory, step=0.0)
    assert remembered(proposal)["weight"] == 0.5


def test_nothing_moves_while_no_trial_comes_back() -> None:
    memory = {"summands": EXPLORED, "regret": steepest(1e9)}
    batch = [remembered(proposal) for proposal in asked_after(memory, n=8)]
    # The first proposal of each scale sees that the curve stands still; the others see no more.
    assert [its["weight"] for its in batch[1:]] == [batch[1]["weight"]] * 7
    assert all(its["regret"] == batch[1]["regret"] for its in batch[1:])


def test_each_scale_of_cost_has_a_curve_of_the_latest_bounds() -> None:
    curves = remembered(run(SAWEI(), n=40)[-1])["regret"]
    assert set(curves) == {"cost, logarithmic", "cost, winsorized"}
    for curve in curves.values():
        assert len(curve["bounds"]) == 8 and min(curve["bounds"]) > 0
        assert curve["steepest"] > 0


def test_the_bound_falls_and_the_weight_moves_within_its_limits() -> None:
    told = run(SAWEI(), n=60)
    states = [remembered(trial) for trial in told if remembered(trial)]
    weights = [state["weight"] for state in states]
    assert len(weights) > 45 and min(weights) >= 0 and max(weights) <= 1
    assert len(set(weights)) > 2
    assert {round(abs(b - a), 9) for a, b in pairwise(weights)} == {0, 0.1}
    bounds = [state["regret"]["cost, winsorized"]["bounds"][-1] for state in states[1:]]
    assert bounds[-1] < 0.5 * bounds[0]


@pytest.mark.parametrize("seed", range(3))
def test_exploitation_proposes_near_to_what_was_tried_and_exploration_does_not(seed) -> None:
    told = searched(20, seed)
    tried = np.array([list(trial.config.values()) for trial in told])

    def distance(weight: float) -> float:
        (proposal,) = asked_after({"weight": weight}, step=0.0, told=told)
        return np.linalg.norm(tried - list(proposal.config.values()), axis=1).min()

    assert distance(1.0) < 0.01 and distance(0.0) > 10 * distance(1.0)


@pytest.mark.parametrize("workers", [1, 4])
def test_it_beats_random_search(workers) -> None:
    # Were the two equal, winning 9 or 10 of 10 paired runs would have a chance of 0.011.
    ours, random = (
        [min(t.costs[0] for t in run(recipe, seed=s, workers=workers)) for s in range(10)]
        for recipe in (SAWEI(), RandomSearch())
    )
    assert sum(a < b for a, b in zip(ours, random, strict=True)) >= 9
    assert np.median(ours) < 1e-4 < np.median(random)


def test_without_anything_feasible_it_only_looks_for_that() -> None:
    problem = Problem(SQUARE, constraints=(Constraint("size", high=0.05),))

    def tight(problem, proposal) -> Trial:
        config = proposal.config
        return Trial(proposal, Status.SUCCESS, (cost(config),), (abs(config["x"] - 0.9),))

    told = run(SAWEI(), problem, respond=tight, n=40)
    feasible = [trial.config["x"] >= 0.85 and trial.config["x"] <= 0.95 for trial in told]
    first = feasible.index(True)
    weighed = ["weight" in (remembered(trial) or {}) for trial in told]
    assert not any(weighed[: first + 1]) and all(weighed[max(first + 1, 10) :])
    assert min(trial.costs[0] for trial in np.array(told)[feasible]) < 0.01  # 0.0025 is possible


def test_several_objectives_are_left_to_the_processes() -> None:
    problem = Problem(SQUARE, objectives=(Objective("f"), Objective("g")))

    def both(problem, proposal) -> Trial:
        x, y = proposal.config.values()
        return Trial(proposal, Status.SUCCESS, (x + y**2, 1 - x + y**2))

    ours, theirs = (run(r, problem, respond=both, n=20) for r in (SAWEI(), GaussianProcessBO()))
    assert ours == theirs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SAWEI(step=1.5), r"step=1.5 must lie between 0 and 1"),
        (lambda: SAWEI(tolerance=-0.1), r"tolerance=-0.1 must lie between 0 and 1"),
        (lambda: SAWEI(window=0), r"window=0 must be at least 1.*Leave it out"),
        (
            lambda: SAWEI(process=GaussianProcessBO(acquisition="ei")),
            r"process.acquisition='ei' has no meaning here.*Leave it out",
        ),
        (
            lambda: GaussianProcessBO(acquisition="pi"),
            r"acquisition='pi' is not known. Use one of 'log-ei', 'ei'",
        ),
    ],
)
def test_bad_settings_are_refused(make, message) -> None:
    with pytest.raises(SettingError, match=message):
        make()
