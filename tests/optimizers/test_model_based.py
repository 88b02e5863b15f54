import os

import numpy as np
import pytest

from octavo.errors import SettingError
from octavo.optimizers.beliefs import FadingBelief
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.portfolio import Portfolio
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.told import Told
from octavo.optimizers.tpe import TPE
from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.testing import check_optimizer, live
from octavo.trial import Proposal, Status, Trial

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))

MIXED = space(
    algorithm=Categorical(["svm", "forest", "linear"]),
    gamma=Float(1e-4, 10.0, log=True).when(algorithm="svm"),
    trees=Integer(10, 500, log=True).when(algorithm="forest"),
    x=Float(-1, 1),
    c=Categorical(list("abcd")),
)


def cost(config) -> float:
    """Best: the SVM with gamma 0.1, x = 0.5 and c = "b"; there it is 0."""
    base = {"svm": 0.0, "forest": 0.5, "linear": 0.7}[config["algorithm"]]
    tuned = 0.2 * abs(np.log10(config.get("gamma", 1.0)) + 1) if "gamma" in config else 0.0
    return base + tuned + (config["x"] - 0.5) ** 2 + 0.3 * (config["c"] != "b")


def respond(problem, proposal) -> Trial:
    return Trial(proposal, Status.SUCCESS, (cost(proposal.config),))


def run(recipe, problem, seed=0, n=60, respond=respond, workers=1):
    optimizer = recipe.start(problem, seed)
    moments = list(live(optimizer, problem, n=n, respond=respond, workers=workers, seed=seed))
    return moments[-1].told


MODELS = [RandomForestBO(), GaussianProcessBO(), TPE(), Portfolio()]
NAMES = ["forest", "process", "densities", "portfolio"]
every_model = pytest.mark.parametrize("recipe", MODELS, ids=NAMES)


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("ours", MODELS, ids=NAMES)
def test_it_beats_random_search_on_a_conditional_space(ours, workers) -> None:
    # Were the two equal, winning 9 or 10 of 10 paired runs would have a chance of 0.011.
    problem = Problem(MIXED, limits=Limits(max_trials=60))
    wins = 0
    for seed in range(10):
        best, rival = (
            min(t.costs[0] for t in run(recipe, problem, seed, workers=workers))
            for recipe in (ours, RandomSearch())
        )
        wins += best < rival
    assert wins >= 9


@every_model
def test_it_stays_away_from_where_trials_fail(recipe) -> None:
    def fails(problem, proposal) -> Trial:
        if proposal.config["x"] > 0:
            return Trial(proposal, Status.MEMORY, (float("nan"),))
        return respond(problem, proposal)

    told = run(recipe, Problem(MIXED), n=60, respond=fails)
    failed = [trial.status is Status.MEMORY for trial in told]
    assert sum(failed[:10]) >= 2  # the design, which cannot know
    # The optimum lies beyond the border of failures, so some attempts near it are fair.
    assert sum(failed[20:]) / len(failed[20:]) < 0.35


@pytest.mark.parametrize(
    ("recipe", "reached"),
    list(zip(MODELS, [-0.48, -0.4999, -0.46, -0.499], strict=True)),
    ids=NAMES,
)
def test_constraints_are_learned(recipe, reached) -> None:
    problem = Problem(
        space(x=Float(0, 1), y=Float(0, 1)), constraints=(Constraint("size", high=0.5),)
    )

    def tempting(problem, proposal) -> Trial:
        x, y = proposal.config["x"], proposal.config["y"]
        return Trial(proposal, Status.SUCCESS, (-x + (y - 0.3) ** 2,), (x,))

    told = run(recipe, problem, n=60, respond=tempting)
    feasible = [trial for trial in told if trial.config["x"] <= 0.5]
    assert min(trial.costs[0] for trial in feasible) < reached  # the best feasible cost is -0.5
    # The optimum lies on the border, so some attempts just beyond it are fair; the tempting
    # far end, where half of a random search would go, is not.
    assert sum(trial.config["x"] > 0.6 for trial in told[20:]) < 0.25 * len(told[20:])


@every_model
def test_several_objectives_spread_along_the_front(recipe) -> None:
    problem = Problem(
        space(x=Float(0, 1), y=Float(0, 1)), objectives=(Objective("f"), Objective("g"))
    )

    def both(problem, proposal) -> Trial:
        x, y = proposal.config["x"], proposal.config["y"]
        return Trial(proposal, Status.SUCCESS, (x + y**2, 1 - x + y**2))

    def good(of):
        told = run(of, problem, n=60, respond=both)
        return [trial.config["x"] for trial in told[20:] if trial.config["y"] < 0.1]

    near = good(recipe)
    assert len(near) > 2 * len(good(RandomSearch()))
    assert min(near) < 0.25 and max(near) > 0.75


@every_model
def test_belief_leads_at_first_and_evidence_later(recipe) -> None:
    def far(problem, proposal) -> Trial:  # the belief, 0.1, is wrong: the optimum is at 0.8
        return Trial(proposal, Status.SUCCESS, (abs(proposal.config["x"] - 0.8),))

    where = space(x=Float(0, 1, prior=(0.1, 0.15)), y=Float(0, 1))
    believed = Problem(where, limits=Limits(max_trials=60))
    told = run(recipe, believed, n=60, respond=far)
    assert told[0].config["x"] == pytest.approx(0.1, abs=0.02)
    start = [trial.config["x"] for trial in told[:5]]
    end = [trial.config["x"] for trial in told[-20:]]
    assert np.sum(np.array(start) < 0.25) >= 3  # the default, and half of the rest
    assert abs(np.median(end) - 0.8) < 0.1


@every_model
def test_low_fidelity_trials_inform_the_model(recipe) -> None:
    problem = Problem(
        space(x=Float(0, 1), c=Categorical(list("abcdefgh"))), fidelity=Fidelity("epochs", 1, 81)
    )
    rng = np.random.default_rng(0)
    points = problem.space.decode(problem.space.sample(80, rng))
    history = [
        Trial(
            Proposal(i, config, fidelity=3.0),
            Status.SUCCESS,
            (0.5 + abs(config["x"] - 0.7) + (config["c"] != "f"),),
        )
        for i, config in enumerate(points)
    ]
    optimizer = recipe.start(problem, seed=0)
    optimizer.tell(history)
    asked = optimizer.ask(8)
    assert {p.fidelity for p in asked} == {81}
    assert sum(p.config["c"] == "f" for p in asked) >= 4  # by chance: 0.01
    assert np.median([abs(p.config["x"] - 0.7) for p in asked]) < 0.25


@every_model
def test_pending_trials_push_proposals_apart(recipe) -> None:
    problem = Problem(space(x=Float(0, 1), y=Float(0, 1)))
    optimizer = recipe.start(problem, seed=0)
    optimizer.tell(run(recipe, problem, n=30, respond=lambda _, p: Trial(
        p, Status.SUCCESS, ((p.config["x"] - 0.5) ** 2 + (p.config["y"] - 0.5) ** 2,)
    )))  # fmt: skip
    batch = [tuple(p.config.values()) for p in optimizer.ask(8)]
    assert len(set(batch)) == 8


def test_a_share_of_proposals_is_random() -> None:
    told = run(RandomForestBO(n_initial=5, random_share=0.3), Problem(MIXED), n=205)
    share = np.mean([t.proposal.origin.intent == "interleaved random draw" for t in told[5:]])
    assert abs(share - 0.3) < 0.195  # six standard errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_initial": 0}, r"n_initial=0 must be at least 1.*Leave it out"),
        ({"random_share": 1.5}, r"random_share=1.5 must lie between 0 and 1"),
        ({"n_trees": 1}, r"n_trees=1 must be at least 2"),
        ({"belief_strength": -1}, r"belief_strength=-1 must be at least 0.*Use 0 to ignore"),
    ],
)
def test_bad_settings_are_refused(settings, message) -> None:
    with pytest.raises(SettingError, match=message):
        RandomForestBO(**settings)


def test_beliefs_are_dropped_as_far_as_trials_speak_against_them() -> None:
    def credible(optimum: float, n: int) -> float:
        problem = Problem(space(x=Float(0, 1, prior=(0.1, 0.15)), y=Float(0, 1)))
        told = Told(problem)
        rng = np.random.default_rng(0)
        for index, config in enumerate(problem.space.decode(problem.space.sample(n, rng))):
            cost = abs(config["x"] - optimum) + 0.1 * config["y"]
            told.extend([Trial(Proposal(index, config), Status.SUCCESS, (cost,))])
        return FadingBelief(problem, None, 5).credibility(told)

    assert credible(optimum=0.1, n=30) == 1.0
    assert credible(optimum=0.9, n=0) == 1.0
    assert credible(optimum=0.9, n=30) < 0.01 < credible(optimum=0.9, n=4) <= 1.0


def test_the_laws_hold_with_warped_inputs() -> None:
    recipe = GaussianProcessBO(n_initial=4, input_warping=True)
    assert check_optimizer(recipe, n_problems=5 * REPEATS, laws_per_problem=2)
