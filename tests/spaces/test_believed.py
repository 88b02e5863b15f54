import numpy as np
import pytest

import octavo
from octavo.errors import SpaceError
from octavo.spaces import Believed, Categorical, Float, Grammar, Integer, from_json, space

INNER = space(
    kind=Categorical(["net", "tree"]),
    rate=Float(1e-4, 1.0, log=True).when(kind="net"),
    depth=Integer(1, 20).when(kind="tree"),
    x=Float(0, 1),
)
GOOD = [{"kind": "net", "rate": 1e-2, "x": 0.8}, {"kind": "tree", "depth": 3, "x": 0.1}]


@pytest.mark.parametrize("spread", [0.1, 0.25, 0.9])
def test_the_belief_is_a_density(spread) -> None:
    numbers = space(x=Float(0, 1), kind=Categorical(["a", "b", "c"]))
    believed = Believed(numbers, [{"x": 0.1, "kind": "c"}, {"x": 0.7, "kind": "a"}], spread)
    points = believed.sample(100_000, np.random.default_rng(0))
    density = np.exp(believed.log_belief(points))
    assert abs(density.mean() - 1) < 5 * density.std() / np.sqrt(len(density))


def test_it_is_highest_at_what_is_believed_and_knows_what_goes_together() -> None:
    believed = Believed(INNER, GOOD)
    points = believed.sample(2000, np.random.default_rng(1))
    at_good = believed.log_belief(believed.encode(GOOD))
    assert at_good.min() > np.quantile(believed.log_belief(points), 0.9)
    crossed = [{"kind": "net", "rate": 1e-2, "x": 0.1}, {"kind": "tree", "depth": 3, "x": 0.8}]
    assert believed.log_belief(believed.encode(crossed)).max() < at_good.min()
    assert believed.default() == GOOD[0]


def test_all_else_is_the_inner_space() -> None:
    believed = Believed(INNER, GOOD)
    one, two = (s.sample(20, np.random.default_rng(2)) for s in (INNER, believed))
    assert one.keys() == two.keys()
    assert from_json(believed.to_json()) == believed != Believed(INNER, GOOD[:1])
    assert hash(from_json(believed.to_json())) == hash(believed)


def test_beliefs_about_single_hyperparameters_count_as_well() -> None:
    inner = space(x=Float(0, 1, prior=0.9))
    both = Believed(inner, [{"x": 0.9}])
    points = both.encode([{"x": 0.9}, {"x": 0.1}])
    assert np.diff(both.log_belief(points))[0] < np.diff(inner.log_belief(points))[0]


def test_trees_can_be_believed_in() -> None:
    trees = Grammar({"e": [["add", "e", "e"], ["x"], ["y"]]}, start="e")
    good = trees.decode(trees.sample(1, np.random.default_rng(3)))
    believed = Believed(trees, good)
    belief = believed.log_belief(trees.sample(50, np.random.default_rng(4)))
    assert np.isfinite(belief).all()


@pytest.mark.parametrize(
    ("good", "spread", "message"),
    [
        ([], 0.2, "at least one"),
        ({"x": 0.5}, 0.2, "Give a list"),
        ([{"x": 7.0, "kind": "net", "rate": 0.1}], 0.2, "x"),
        (GOOD, 0, "spread=0 must be a number between 0 and 1"),
        (GOOD, "wide", "spread='wide'"),
    ],
)
def test_what_cannot_be_believed_is_refused(good, spread, message) -> None:
    with pytest.raises(SpaceError, match=message):
        Believed(INNER, good, spread)


def test_a_study_begins_near_its_priors_and_keeps_them(tmp_path) -> None:
    def cost(config):
        return (config["x"] - 0.83) ** 2 + (config["kind"] != "net")

    study = octavo.minimize(
        cost, INNER, max_trials=12, priors=[GOOD[0]], seed=0, storage=tmp_path / "run"
    )
    assert study.history[0].config == GOOD[0]
    near = [t.config["kind"] == "net" and abs(t.config["x"] - 0.8) < 0.3 for t in study.history]
    assert sum(near) >= 8  # by chance, a quarter
    study.close()
    with octavo.open_study(tmp_path / "run") as again:
        assert again.problem.space == Believed(INNER, [GOOD[0]])
