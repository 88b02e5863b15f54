"""What optimizers without an acquisition do with beliefs: right ones, wrong ones, none."""

import math
import os

import numpy as np
import pytest

from octavo.optimizers import recipe
from octavo.optimizers.believed_draws import BelievedDraws
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.told import Told
from octavo.problem import Limits, Problem
from octavo.spaces import Believed, Categorical, Float, Grammar, space
from octavo.testing import live
from octavo.trial import Status, Trial

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))
SEEDS = 6 * REPEATS
INNER = space(
    a=Float(0, 1), b=Float(0, 1), c=Float(0, 1), d=Float(0, 1), kind=Categorical(["p", "q", "r"])
)
NUMBERS = ("a", "b", "c", "d")
DRAWN = [
    "random", "sobol", "regularized-evolution", "differential-evolution", "nsga2",
    "policy-gradient", "tree-search", "cma-es",
]  # fmt: skip


def cost(config) -> float:
    return sum((config[n] - 0.8) ** 2 for n in NUMBERS) + 0.3 * (config["kind"] != "q")


def around(centre: float, kind: str):
    def belief(config) -> float:
        far = sum(((config[n] - centre) / 0.15) ** 2 for n in NUMBERS)
        return math.exp(-0.5 * far) * (3 if config["kind"] == kind else 1)

    return belief


def best(name, where, n: int) -> float:
    """The mean over seeds of the lowest cost of n trials."""
    problem = Problem(where, limits=Limits(max_trials=n))

    def respond(problem, proposal):
        return Trial(proposal, Status.SUCCESS, (cost(proposal.config),))

    found = []
    for seed in range(SEEDS):
        optimizer = recipe(name).start(problem, seed)
        moments = list(live(optimizer, problem, n=n, respond=respond))
        found.append(min(trial.costs[0] for trial in moments[-1].told))
    return float(np.mean(found))


@pytest.mark.parametrize("name", DRAWN)
def test_a_right_belief_helps_at_once_and_a_wrong_one_is_recovered_from(name) -> None:
    right = Believed(INNER, around(0.75, "q"))
    wrong = Believed(INNER, around(0.15, "p"))
    assert best(name, right, 12) < 0.6 * best(name, INNER, 12)
    # 200 trials that begin where nothing is good find what 35 without belief do.
    assert best(name, wrong, 200) < best(name, INNER, 35)


def test_draws_follow_the_belief() -> None:
    where = space(x=Float(0, 1), y=Float(0, 1))
    believed = Believed(where, lambda config: config["x"] * (config["y"] > 0.5))
    draws, seen = BelievedDraws(believed), Told(Problem(believed)).seen(())
    rng = np.random.default_rng(0)
    x, y = np.concatenate([draws.draw(seen, rng).values for _ in range(2000)]).T
    # Of the density 2x: mean 2/3, variance 1/18.
    assert abs(x.mean() - 2 / 3) < 5 * math.sqrt(1 / 18 / 2000)
    assert y.min() > 0.5


def test_without_beliefs_nothing_is_drawn_and_randomness_is_left_alone() -> None:
    trees = Grammar({"e": [["add", "e", "e"], ["x"]]}, start="e")
    for where in (INNER, trees, Believed(INNER, lambda config: 2.0)):
        draws, rng = BelievedDraws(where), np.random.default_rng(0)
        assert not draws.has_any
        assert draws.draw(Told(Problem(where)).seen(()), rng) is None
        assert rng.random() == np.random.default_rng(0).random()


def test_the_share_of_draws_by_belief_is_the_users() -> None:
    where = space(x=Float(0, 1, prior=(0.2, 0.05)))
    near = {}
    for share in (0.0, 0.5, 1.0):
        optimizer = RandomSearch(belief_share=share).start(Problem(where), seed=0)
        near[share] = np.mean([abs(p.config["x"] - 0.2) < 0.15 for p in optimizer.ask(200)])
    assert near[0.0] < 0.45 and near[1.0] > 0.95 and 0.5 < near[0.5] < 0.8


def test_trees_can_be_drawn_by_belief() -> None:
    trees = Grammar({"e": [["add", "e", "e"], ["x"], ["y"]]}, start="e")
    believed = Believed(trees, lambda config: 50.0 if "y" in str(config) else 1.0)
    asked = RandomSearch().start(Problem(believed), seed=0).ask(40)
    plain = RandomSearch(belief_share=0.0).start(Problem(believed), seed=0).ask(40)
    assert sum("y" in str(p.config) for p in asked) > sum("y" in str(p.config) for p in plain)
