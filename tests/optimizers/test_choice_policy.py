"""Choices in order, and the distribution over them."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.optimizers.choice_policy import ChoicePolicy
from octavo.optimizers.choice_tree import ChoiceTree
from octavo.spaces import Categorical, Float, Grammar, Integer, Ordinal, Product, space
from octavo.spaces.protocol import Points
from octavo.testing import KINDS

SEEDS = st.integers(0, 2**32 - 1)

CONDITIONAL = space(
    x=Float(0, 1).when(family="a"),  # declared before the choice that it depends on
    family=Categorical(["a", "b", "c"]),
    deep=Ordinal([1, 2, 3]).when(kind="p"),
    kind=Categorical(["p", "q"]).when(family=["b", "c"]),
    k=Integer(0, 4),
)
FINITE = space(
    family=Categorical(["a", "b", "c"]),
    kind=Categorical(["p", "q"]).when(family=["b", "c"]),
    deep=Ordinal([1, 2, 3]).when(kind="p"),
    k=Integer(0, 4).when(family="a"),
)
TREES = Grammar({"S": [["seq", "S", "S"], ["conv"], ["pool"]]}, start="S", max_depth=3)
ENDLESS = Grammar({"S": [["add", "S", "S"], ["x"], ["y"], ["z"]]}, start="S")
BOTH = Product({"data": FINITE, "net": TREES})
SPACES = {"conditional": CONDITIONAL, "finite": FINITE, "endless": ENDLESS, "product": BOTH}


def trained(where, seed: int, n: int = 40) -> ChoicePolicy:
    """A policy that took random steps."""
    rng = np.random.default_rng(seed)
    policy = ChoicePolicy(where)
    for decisions in policy.decisions(where.sample(n, rng)):
        _, p = policy.look(decisions)
        policy.ascend(decisions, p, float(rng.normal(scale=0.1)), 0.001)
    return policy


# The tree --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", SPACES.values(), ids=SPACES)
def test_choices_made_in_the_order_in_which_they_are_ready_stay_and_stay_active(where) -> None:
    rng = np.random.default_rng(0)
    tree = ChoiceTree(where)
    for _ in range(10):
        made: dict[str, np.ndarray] = {}
        kept: dict[str, float] = {}
        while True:
            points = tree.complete(made, 1, rng)
            row = dict(zip([c.name for c in points.columns], points.values[0], strict=True))
            assert {name: row[name] for name in kept} == kept
            ready = tree.ready(points, made)
            if not ready:
                break
            made[ready[0]] = np.array([row[ready[0]]])
            kept[ready[0]] = row[ready[0]]
        assert {name for name, value in row.items() if not np.isnan(value)} == set(made)


def test_parents_come_first_and_independent_choices_are_ready_together() -> None:
    tree, rng = ChoiceTree(CONDITIONAL), np.random.default_rng(0)
    assert tree.ready(tree.complete({}, 1, rng), {}) == ["family", "k"]
    made = {"family": np.array([0.5]), "k": np.array([0.1])}  # family b
    assert tree.ready(tree.complete(made, 1, rng), made) == ["kind"]


def test_a_part_of_a_tree_depends_on_the_choice_above_it() -> None:
    points = ENDLESS.encode([{"S": ["add", ["add", ["x"], ["y"]], ["z"]]}])
    known = {column.name for column in points.columns}
    tree = ChoiceTree(ENDLESS)
    assert tree.parents("S", known) == ()
    assert tree.parents("S.1:S.2:S", known) == ("S.1:S",)


# The policy ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_before_anything_is_learned_densities_are_those_of_uniform_draws(kind: str) -> None:
    rng = np.random.default_rng(0)
    where = KINDS[kind](rng).space
    policy = ChoicePolicy(where)
    np.testing.assert_allclose(policy.log_density(where.sample(20, rng)), 0.0, atol=1e-12)


@given(seed=SEEDS)
@pytest.mark.parametrize("where", [FINITE, TREES], ids=["hyperparameters", "trees"])
def test_the_probabilities_of_all_configurations_sum_to_one(where, seed: int) -> None:
    policy = trained(where, seed)
    everything = where.encode(list(where.grid(10)))
    found = list(policy.decisions(everything))
    log_p = [policy.look(decisions)[0] + decisions.log_uniform for decisions in found]
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("where", [FINITE, TREES], ids=["hyperparameters", "trees"])
def test_draws_follow_the_density(where, repeats: int) -> None:
    policy, n = trained(where, 1), 2000 * repeats
    everything = where.encode(list(where.grid(10)))
    place = {key: i for i, key in enumerate(everything.keys())}
    rng = np.random.default_rng(0)
    drawn = Points.join([policy.draw(rng) for _ in range(n)])
    keys = drawn.keys()
    counts = np.bincount([place[key] for key in keys], minlength=len(place))
    found = list(policy.decisions(everything))
    p = np.exp([policy.look(decisions)[0] + decisions.log_uniform for decisions in found])
    # 6 standard deviations; over some 40 configurations, a false alarm in about 1e7.
    assert (np.abs(counts - n * p) < 6 * np.sqrt(n * p * (1 - p)) + 6).all()


def test_numbers_are_drawn_from_the_density_too() -> None:
    where = space(x=Float(-1, 1))
    policy = trained(where, 3, n=200)
    rng = np.random.default_rng(0)
    drawn = np.array([policy.draw(rng).values[0, 0] for _ in range(2000)])
    point = where.sample(1, rng)
    expected = policy.probabilities(point, "x")
    counts = np.bincount((drawn * 32).astype(int), minlength=32)
    assert expected.sum() == pytest.approx(1.0)
    assert (np.abs(counts - 2000 * expected) < 6 * np.sqrt(2000 * expected) + 6).all()


@given(seed=SEEDS)
@pytest.mark.parametrize("where", SPACES.values(), ids=SPACES)
def test_steps_follow_the_gradients_of_density_and_entropy(where, seed: int) -> None:
    policy = trained(where, seed)
    (decisions,) = policy.decisions(where.sample(1, np.random.default_rng(seed)))
    before = policy.logits.copy()

    def at(logits, what):
        policy.logits = logits
        density, p = policy.look(decisions)
        return density if what == "density" else -float((p * np.log(p)).sum())

    for what, steps in (("density", (0.1, 0.0)), ("entropy", (0.0, 0.1))):
        policy.logits = before.copy()
        policy.ascend(decisions, policy.look(decisions)[1], *steps)
        moved = policy.logits - before
        for cell in decisions.cells[:8]:
            nudge = np.zeros(len(before))
            nudge[cell] = 1e-6
            slope = (at(before + nudge, what) - at(before - nudge, what)) / 2e-6
            assert moved[cell] == pytest.approx(0.1 * slope, abs=1e-6)


@given(seed=SEEDS)
@pytest.mark.parametrize("where", SPACES.values(), ids=SPACES)
def test_rows_decide_the_same_alone_and_together(where, seed: int) -> None:
    points = where.sample(6, np.random.default_rng(seed))
    together, alone = trained(where, 0), trained(where, 0)
    at_once = list(together.decisions(points))
    for row, expected in enumerate(at_once):
        config = where.decode(points[[row]])
        (single,) = alone.decisions(where.encode(config))  # its columns alone, in its own order
        assert together.look(expected)[0] == alone.look(single)[0]  # to the last bit


def test_what_stands_below_is_told_apart_by_the_choice_above() -> None:
    policy = ChoicePolicy(FINITE)
    b = FINITE.encode([{"family": "b", "kind": "q"}])
    c = FINITE.encode([{"family": "c", "kind": "q"}])
    for _ in range(20):
        (decisions,) = policy.decisions(b)
        policy.ascend(decisions, policy.look(decisions)[1], 1.0, 0.0)
    assert policy.probabilities(b, "kind")[1] > 0.9
    assert policy.probabilities(c, "kind")[1] == pytest.approx(0.5)
