import json
import math
import time

import numpy as np
import pytest

import octavo
from octavo.errors import SettingError, SpaceError
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
        (lambda config: 1.0, 0.2, "is a function, which says that itself"),
        (lambda config: math.nan, None, "is nan at {'kind'"),
        (lambda config: -0.5 if config["kind"] == "net" else 1, None, r"is -0.5 at {'kind': 'net'"),
        (lambda config: math.inf, None, "is inf at"),
        (lambda config: "much", None, "is 'much' at"),
        (lambda config: config["rate"], None, r"failed at .* with KeyError: 'rate'.*config.get"),
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


# Functions -----------------------------------------------------------------------------


def near_the_diagonal(config) -> float:
    return math.exp(-0.5 * ((config["x"] - config["y"]) / 0.1) ** 2)


SQUARE = space(x=Float(0, 1), y=Float(0, 1))


def test_a_function_is_a_density_up_to_a_factor() -> None:
    one, other = (
        Believed(SQUARE, lambda config, by=by: by * near_the_diagonal(config))
        for by in (1.0, 1e-30)
    )
    points = SQUARE.sample(20_000, np.random.default_rng(0))
    assert np.allclose(one.log_belief(points), other.log_belief(points))
    density = np.exp(one.log_belief(points))
    assert density.mean() == pytest.approx(1.0, abs=0.3)  # by 256 draws
    on, off = one.log_belief(SQUARE.encode([{"x": 0.7, "y": 0.7}, {"x": 0.7, "y": 0.6}]))
    assert on - off == pytest.approx(0.5)
    assert abs(one.default()["x"] - one.default()["y"]) < 0.1


def test_what_is_believed_impossible_stays_reachable() -> None:
    believed = Believed(SQUARE, lambda config: config["x"] > 0.5)
    low, high = believed.log_belief(SQUARE.encode([{"x": 0.1, "y": 0.5}, {"x": 0.9, "y": 0.5}]))
    assert math.isfinite(low) and low < -20 and high == pytest.approx(math.log(2), abs=0.2)
    nowhere = Believed(SQUARE, lambda config: 0.0)
    assert np.isfinite(nowhere.log_belief(SQUARE.encode([{"x": 0.1, "y": 0.5}]))).all()


def test_beliefs_of_the_space_and_a_function_count_together() -> None:
    inner = space(x=Float(0, 1, prior=0.9), y=Float(0, 1))
    points = inner.encode([{"x": 0.9, "y": 0.9}, {"x": 0.1, "y": 0.1}])
    both = Believed(inner, near_the_diagonal).log_belief(points)
    assert both[0] - both[1] == pytest.approx(np.diff(inner.log_belief(points)[::-1])[0])


def test_a_function_is_asked_once_about_each_configuration() -> None:
    asked = []

    def weigh(config) -> float:
        asked.append(tuple(config.values()))
        return 1.0

    believed = Believed(SQUARE, weigh)
    points = SQUARE.sample(100, np.random.default_rng(1))
    for _ in range(3):
        believed.log_belief(points)
    assert len(asked) == len(set(asked)) <= 357
    began = time.process_time()
    believed.log_belief(SQUARE.sample(5000, np.random.default_rng(2)))
    assert time.process_time() - began < 1.0  # about 0.05 s


def test_only_the_name_of_a_function_is_stored() -> None:
    believed = Believed(SQUARE, near_the_diagonal)
    stored = json.loads(json.dumps(believed.to_json()))
    assert stored["function"] == f"{__name__}:near_the_diagonal"
    back = from_json(stored)
    assert back.forgotten == stored["function"] and believed.forgotten is None
    assert back.to_json() == stored and back.default() == SQUARE.default()
    with pytest.warns(UserWarning, match=r"without the belief '.*near_the_diagonal'.*priors="):
        assert not back.log_belief(SQUARE.sample(5, np.random.default_rng(0))).any()


def test_a_study_looks_where_a_function_says_and_is_given_it_again(tmp_path) -> None:
    def cost(config) -> float:
        return (config["x"] - 0.8) ** 2 + (config["y"] - 0.8) ** 2

    def make(**more):
        return octavo.Study(SQUARE, priors=near_the_diagonal, seed=0, **more)

    whole = make()
    for _ in range(14):
        trial = whole.ask()
        whole.tell(trial, cost(trial.config))
    near = [abs(t.config["x"] - t.config["y"]) < 0.2 for t in whole.history]
    assert sum(near) >= 10  # by chance, a third
    with make(storage=tmp_path / "run") as study:
        for _ in range(7):
            trial = study.ask()
            study.tell(trial, cost(trial.config))
    with octavo.open_study(tmp_path / "run", priors=near_the_diagonal) as study:
        for _ in range(7):
            trial = study.ask()
            study.tell(trial, cost(trial.config))
        assert [t.config for t in study.history] == [t.config for t in whole.history]
    with (
        octavo.open_study(tmp_path / "run") as study,
        pytest.warns(UserWarning, match="without the belief"),
    ):
        study.ask()
    with pytest.raises(SettingError, match="Pass that function"):
        octavo.open_study(tmp_path / "run", priors=[{"x": 0.5, "y": 0.5}])
    octavo.Study(SQUARE, seed=0, storage=tmp_path / "plain").close()
    with pytest.raises(SettingError, match="not made with a function"):
        octavo.open_study(tmp_path / "plain", priors=near_the_diagonal)


def test_workers_run_with_a_function_as_belief(tmp_path) -> None:
    study = octavo.minimize(
        near_the_diagonal,
        SQUARE,
        priors=lambda config: config["x"],
        max_trials=4,
        workers=2,
        seed=0,
        storage=tmp_path / "run",
    )
    assert len(study.history) == 4 and study.history.succeeded.all()
    study.close()
