import math
from collections import defaultdict

import numpy as np
import pytest

from octavo.history import History
from octavo.optimizers.auto import Auto
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.repeats import Repeats
from octavo.problem import Problem
from octavo.spaces import Categorical, Float, space
from octavo.testing import live
from octavo.trial import Status, Trial

LINE = space(x=Float(0, 1))


def noisy(problem, proposal) -> Trial:
    """Cost x with noise of its own for each configuration and seed."""
    rng = np.random.default_rng([proposal.seed, int(1e9 * proposal.config["x"])])
    return Trial(proposal, Status.SUCCESS, (proposal.config["x"] + 0.5 * rng.standard_normal(),))


def told(recipe, problem, seed=0, n=120, respond=noisy, workers=1):
    optimizer = recipe.start(problem, seed)
    return list(live(optimizer, problem, n=n, workers=workers, respond=respond))[-1].told


def by_config(trials):
    groups = defaultdict(list)
    for trial in trials:
        groups[trial.config["x"]].append(trial)
    return groups


@pytest.mark.parametrize("workers", [1, 8])
def test_every_configuration_gets_the_same_seeds_in_the_same_order(workers) -> None:
    problem = Problem(LINE, repeats=5)
    groups = by_config(told(Repeats(RandomSearch()), problem, workers=workers))
    asked = {
        x: [t.proposal.seed for t in sorted(g, key=lambda t: t.index)] for x, g in groups.items()
    }
    longest = max(asked.values(), key=len)
    assert len(longest) == 5 and len(set(longest)) == 5
    assert all(seeds == longest[: len(seeds)] for seeds in asked.values())


def test_most_are_dropped_early_and_the_good_are_proven() -> None:
    groups = by_config(told(Repeats(RandomSearch()), Problem(LINE, repeats=5)))
    counts = {x: len(g) for x, g in groups.items()}
    assert sum(n == 1 for n in counts.values()) > len(counts) / 3
    proven = [x for x, n in counts.items() if n == 5]
    assert proven and np.mean(proven) < np.mean(list(counts)) - 0.1


def test_at_least_half_of_the_evaluations_go_to_new_configurations() -> None:
    trials = told(Repeats(RandomSearch()), Problem(LINE, repeats=50), n=200)
    assert len(by_config(trials)) >= 90


def test_incumbents_that_survive_are_better_than_lucky_ones() -> None:
    # True cost of the final incumbent, over 60 runs. Without repeats the winner is the
    # luckiest of 120 draws with noise as large as the differences.
    survived, lucky = [], []
    for seed in range(60):
        repeated, single = Problem(LINE, repeats=8), Problem(LINE)
        a = History(repeated, told(Repeats(RandomSearch()), repeated, seed)).incumbent
        b = History(single, told(RandomSearch(), single, seed)).incumbent
        assert a is not None and b is not None
        survived.append(a.config["x"])
        lucky.append(b.config["x"])
    difference = np.array(lucky) - np.array(survived)
    standard_error = difference.std(ddof=1) / math.sqrt(60)
    assert difference.mean() > 2.5 * standard_error


def test_a_lucky_first_seed_does_not_rule_for_ever() -> None:
    # One configuration is far the best on the first seed and the worst on all others.
    problem = Problem(space(c=Categorical(list("abcdef"))), repeats=4)
    first_seed = Repeats(RandomSearch()).start(problem, 0).ask(1)[0].seed

    def respond(problem, proposal) -> Trial:
        value = "abcdef".index(proposal.config["c"]) / 10
        if proposal.config["c"] == "f":
            value = -5.0 if proposal.seed == first_seed else 8.0
        return Trial(proposal, Status.SUCCESS, (value,))

    trials = told(Repeats(RandomSearch()), problem, n=40, respond=respond)
    incumbent = History(problem, trials).incumbent
    assert incumbent is not None and incumbent.config["c"] == "a"


def test_paired_seeds_cancel_what_a_seed_does_to_all() -> None:
    # The seed's own effect is twenty times the differences: unpaired it would hide them.
    problem = Problem(space(c=Categorical(list("abcdef"))), repeats=4)

    def respond(problem, proposal) -> Trial:
        effect = 2.0 * np.random.default_rng(proposal.seed).standard_normal()
        return Trial(
            proposal, Status.SUCCESS, (effect + "abcdef".index(proposal.config["c"]) / 10,)
        )

    for seed in range(5):
        trials = told(Repeats(RandomSearch()), problem, seed, n=40, respond=respond)
        incumbent = History(problem, trials).incumbent
        assert incumbent is not None and incumbent.config["c"] == "a"


def test_a_configuration_that_failed_is_not_evaluated_again_but_a_cancelled_seed_is() -> None:
    problem = Problem(space(c=Categorical(["bad", "good"])), repeats=3)
    cancelled = []

    def respond(problem, proposal) -> Trial:
        if proposal.config["c"] == "bad":
            return Trial(proposal, Status.CRASHED, (math.nan,))
        if proposal.origin.intent == "re-evaluation" and not cancelled:
            cancelled.append(proposal.seed)
            return Trial(proposal, Status.CANCELLED, (math.nan,))
        return Trial(proposal, Status.SUCCESS, (1.0,))

    trials = told(Repeats(RandomSearch()), problem, n=20, respond=respond)
    assert sum(t.config["c"] == "bad" for t in trials) == 1
    good = [t.proposal.seed for t in trials if t.config["c"] == "good" and t.succeeded]
    assert len(good) == 3 and cancelled[0] in good


def test_an_exhausted_space_ends_once_the_best_is_proven() -> None:
    problem = Problem(space(c=Categorical([1, 2, 3])), repeats=4)

    def respond(problem, proposal) -> Trial:
        return Trial(proposal, Status.SUCCESS, (float(proposal.config["c"]),))

    trials = told(Repeats(RandomSearch()), problem, n=100, respond=respond)
    counts = {c: sum(t.config["c"] == c for t in trials) for c in (1, 2, 3)}
    assert counts[1] == 4 and 1 <= counts[2] <= 3 and 1 <= counts[3] <= 3


def test_auto_inside_does_not_repeat_once_more() -> None:
    problem = Problem(LINE, repeats=3)
    asked = Repeats(Auto()).start(problem, 0).ask(5)
    assert asked == Repeats(Auto().choose(Problem(LINE))[0]).start(problem, 0).ask(5)


def test_one_evaluation_each_is_the_inner_optimizer_alone() -> None:
    problem = Problem(LINE)
    inner = RandomSearch().start(problem, 0).ask(5)
    assert Repeats(RandomSearch()).start(problem, 0).ask(5) == inner
