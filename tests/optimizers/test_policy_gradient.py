import numpy as np
import pytest

from octavo.errors import SettingError
from octavo.optimizers.policy_gradient import PolicyGradient
from octavo.optimizers.random_search import RandomSearch
from octavo.problem import Constraint, Fidelity, Problem
from octavo.spaces import Categorical, Float, space
from octavo.testing import live
from octavo.trial import Origin, Proposal, Status, Trial

FAMILIES = Problem(
    space(
        family=Categorical(["a", "b", "c"]),
        u=Float(0, 1).when(family="a"),
        v=Float(0, 1).when(family="a"),
        w=Float(0, 1).when(family="b"),
        z=Float(0, 1).when(family="c"),
    )
)
"""Family a reaches 0 where u and v are near 0.8 and 0.3; b reaches 0.3, c 0.5."""


def families(problem, proposal) -> Trial:
    c = proposal.config
    if c["family"] == "a":
        cost = abs(c["u"] - 0.8) + abs(c["v"] - 0.3)
    elif c["family"] == "b":
        cost = 0.3 + abs(c["w"] - 0.5)
    else:
        cost = 0.5 + abs(c["z"] - 0.5)
    return Trial(proposal, Status.SUCCESS, (cost,))


def run(recipe, seed: int, n: int, respond=families, problem=FAMILIES) -> tuple[Trial, ...]:
    return list(live(recipe.start(problem, seed), problem, n=n + 1, respond=respond))[-1].told


def share(trials, family: str) -> float:
    return float(np.mean([trial.config["family"] == family for trial in trials]))


def test_it_beats_random_search_on_a_conditional_space() -> None:
    # Were the two equal, winning at least 9 of 10 paired runs would have a chance of 1e-2.
    wins = 0
    for seed in range(10):
        ours, theirs = run(PolicyGradient(), seed, 300), run(RandomSearch(), seed, 300)
        wins += min(t.costs[0] for t in ours) < min(t.costs[0] for t in theirs)
    assert wins >= 9


def told(configs_and_costs, status=Status.SUCCESS, constraints=(), **kwargs):
    return [
        Trial(Proposal(i, config, **kwargs), status, (cost,), constraints)
        for i, (config, cost) in enumerate(configs_and_costs)
    ]


def chance(optimizer, config, name: str) -> np.ndarray:
    space_ = FAMILIES.space
    return optimizer.policy.probabilities(space_.encode([config]), name)


def random_history(n: int, seed: int = 0) -> list[Trial]:
    where, rng = FAMILIES.space, np.random.default_rng(seed)
    configs = where.decode(where.sample(n, rng))
    return [families(FAMILIES, Proposal(i, config)) for i, config in enumerate(configs)]


def test_the_probability_of_the_good_choices_rises() -> None:
    config = {"family": "a", "u": 0.8, "v": 0.3}
    before = [chance(PolicyGradient().start(FAMILIES, 0), config, name) for name in ("family", "u")]
    np.testing.assert_allclose(before[0], 1 / 3)
    np.testing.assert_allclose(before[1], 1 / 32)
    optimizer = PolicyGradient().start(FAMILIES, 0)
    optimizer.tell(run(PolicyGradient(), 0, 300))
    assert chance(optimizer, config, "family")[0] > 0.6
    u = chance(optimizer, config, "u")
    assert u[20:31].sum() > 0.6  # from 0.63 to 0.97; at first it was a third


def test_only_active_choices_take_part_in_the_gradient() -> None:
    optimizer = PolicyGradient().start(FAMILIES, 0)
    only_b = [({"family": "b", "w": x / 20}, abs(x / 20 - 0.5)) for x in range(20)]
    optimizer.tell(told(only_b))
    np.testing.assert_allclose(chance(optimizer, {"family": "c", "z": 0.5}, "z"), 1 / 32)
    w = chance(optimizer, {"family": "b", "w": 0.5}, "w")
    assert w.max() > 1.5 / 32


def test_wrong_early_luck_is_recovered_from() -> None:
    def lucky(problem, proposal):  # the first 30 trials of family c seem to be the best of all
        trial = families(problem, proposal)
        if proposal.index < 30 and proposal.config["family"] == "c":
            return Trial(proposal, Status.SUCCESS, (-1.0,))
        return trial

    late = [run(PolicyGradient(), seed, 400, respond=lucky) for seed in range(5)]
    early = np.mean([share(trials[20:40], "c") for trials in late])
    assert early > 0.45  # it fell for it
    assert np.mean([share(trials[-100:], "c") for trials in late]) < 0.2


def test_what_fails_is_avoided() -> None:
    statuses = [Status.CRASHED, Status.TIMEOUT, Status.MEMORY]

    def failing(problem, proposal):
        if proposal.config["family"] == "a":
            return Trial(proposal, statuses[proposal.index % 3], (float("nan"),))
        return families(problem, proposal)

    late = [run(PolicyGradient(), seed, 200, respond=failing)[-60:] for seed in range(5)]
    assert np.mean([share(trials, "a") for trials in late]) < 0.2  # uniform draws: a third


def test_what_violates_a_constraint_ranks_below_what_does_not() -> None:
    problem = Problem(FAMILIES.space, constraints=(Constraint("size", high=1.0),))

    def bounded(problem, proposal):
        size = 2.0 if proposal.config["family"] == "a" else 0.5
        return Trial(proposal, Status.SUCCESS, families(problem, proposal).costs, (size,))

    late = [run(PolicyGradient(), s, 200, bounded, problem)[-60:] for s in range(5)]
    assert np.mean([share(trials, "a") for trials in late]) < 0.2


def test_cancelled_trials_say_nothing() -> None:
    optimizer = PolicyGradient().start(FAMILIES, 0)
    optimizer.tell(random_history(20))
    before = optimizer.policy.logits.copy()
    optimizer.tell(told([({"family": "c", "z": 0.5}, float("nan"))] * 5, Status.CANCELLED))
    np.testing.assert_array_equal(optimizer.policy.logits, before)


def test_costs_enter_by_rank_alone() -> None:
    history = random_history(60)
    warped = [
        Trial(t.proposal, t.status, (float(np.sinh(50 * t.costs[0])) * 1e200,)) for t in history
    ]
    plain, other = PolicyGradient().start(FAMILIES, 0), PolicyGradient().start(FAMILIES, 0)
    plain.tell(history)
    other.tell(warped)
    np.testing.assert_array_equal(plain.policy.logits, other.policy.logits)


def test_trials_are_ranked_among_those_at_the_same_fidelity() -> None:
    problem = Problem(FAMILIES.space, fidelity=Fidelity("epochs", 1, 9))
    optimizer = PolicyGradient().start(problem, 0)
    # Cheap trials of c cost far less than full ones of b, but do not compare with them.
    for i, x in enumerate(np.linspace(0, 1, 20)):
        for family, name, fidelity, cost in (("c", "z", 1.0, 0.1), ("b", "w", 9.0, 5.0)):
            config = {"family": family, name: float(x)}
            proposal = Proposal(2 * i, config, fidelity=fidelity)
            optimizer.tell([Trial(proposal, Status.SUCCESS, (cost,))])
    p = chance(optimizer, {"family": "b", "w": 0.5}, "family")
    assert p[1] == pytest.approx(p[2], abs=0.05)


def test_a_trial_from_an_older_policy_counts_by_how_likely_it_is_now() -> None:
    config = {"family": "a", "u": 0.8, "v": 0.3}

    def moved_by(log_density: float) -> float:
        optimizer = PolicyGradient().start(FAMILIES, 0)
        optimizer.tell(random_history(30))
        before = optimizer.policy.log_density(FAMILIES.space.encode([config]))[0]
        origin = Origin(by="policy-gradient", data={"log_density": before + log_density})
        proposal = Proposal(30, config, origin=origin)
        optimizer.tell([Trial(proposal, Status.SUCCESS, (0.0,))])
        return optimizer.policy.log_density(FAMILIES.space.encode([config]))[0] - before

    # Twice as likely now as when it was proposed: a larger step; clipped from both sides.
    assert moved_by(-0.5) > moved_by(0.0) > moved_by(0.5) > 0
    assert moved_by(-9.0) == moved_by(-99.0) and moved_by(9.0) == moved_by(99.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be"),
        ({"random_share": 2.0}, "random_share=2.0 must lie between 0 and 1"),
        ({"entropy_weight": -1.0}, "entropy_weight=-1.0 must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message) -> None:
    with pytest.raises(SettingError, match=message):
        PolicyGradient(**settings)
