import sys
import types

import numpy as np
import pytest

import octavo
from octavo.errors import SpaceError
from octavo.spaces import BelievedBy, Categorical, Float, from_json, space

INNER = space(x=Float(0, 1), y=Float(0, 1), kind=Categorical(["a", "b"]))


def near_the_diagonal(config) -> float:
    return float(np.exp(-5 * (config["x"] - config["y"]) ** 2))


def test_the_belief_is_a_density() -> None:
    believed = BelievedBy(INNER, near_the_diagonal)
    points = believed.sample(20_000, np.random.default_rng(1))
    density = np.exp(believed.log_belief(points))
    assert abs(density.mean() - 1) < 0.1  # its scale is from a thousand others


def test_only_ratios_count() -> None:
    points = INNER.sample(100, np.random.default_rng(2))
    one = BelievedBy(INNER, near_the_diagonal)
    many = BelievedBy(INNER, lambda config: 1e6 * near_the_diagonal(config))
    np.testing.assert_allclose(one.log_belief(points), many.log_belief(points), atol=1e-9)


def test_it_begins_where_the_belief_is_highest() -> None:
    first = BelievedBy(INNER, near_the_diagonal).default()
    assert abs(first["x"] - first["y"]) < 0.05


def test_beliefs_about_single_hyperparameters_count_as_well() -> None:
    inner = space(x=Float(0, 1, prior=(0.8, 0.1)), y=Float(0, 1))
    points = inner.sample(50, np.random.default_rng(3))
    both, plain = BelievedBy(inner, near_the_diagonal), inner.log_belief(points)
    rest = both.log_belief(points) - plain
    np.testing.assert_allclose(
        rest - rest[0],
        [
            np.log(max(near_the_diagonal(config), 1e-300))
            - np.log(near_the_diagonal(inner.decode(points[:1])[0]))
            for config in inner.decode(points)
        ],
        atol=1e-6,
    )


def test_a_function_with_a_name_survives_being_stored(monkeypatch) -> None:
    module = types.ModuleType("somebodys_beliefs")
    module.near_the_diagonal = near_the_diagonal
    monkeypatch.setitem(sys.modules, "somebodys_beliefs", module)
    monkeypatch.setattr(near_the_diagonal, "__module__", "somebodys_beliefs")
    believed = BelievedBy(INNER, near_the_diagonal)
    again = from_json(believed.to_json())
    assert again == believed
    points = INNER.sample(10, np.random.default_rng(4))
    np.testing.assert_array_equal(again.log_belief(points), believed.log_belief(points))


def test_a_stored_function_that_is_gone_is_named_when_it_is_needed() -> None:
    stored = BelievedBy(INNER, lambda config: 1.0).to_json()
    again = from_json(stored)  # a history can be read without the belief
    again.check({"x": 0.1, "y": 0.2, "kind": "a"})
    with pytest.raises(SpaceError, match=r"<lambda>.*cannot be imported.*module"):
        again.log_belief(INNER.sample(1, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("belief", "message"),
    [
        (lambda config: 0.0, "is 0 in 1000 random"),
        (lambda config: -1.0, r"is -1.0 for \{.*at least 0"),
        (lambda config: float("nan"), "is nan for"),
        (lambda config: None, "is None for"),
        (lambda config: 1e308, "too large"),
    ],
)
def test_what_is_no_belief_is_refused(belief, message) -> None:
    with pytest.raises(SpaceError, match=message):
        BelievedBy(INNER, belief)


@pytest.mark.parametrize("optimizer", ["gaussian-process", "random-forest", "tpe"])
def test_a_good_belief_leads_and_a_wrong_one_is_recovered_from(optimizer) -> None:
    def cost(config) -> float:
        return (config["x"] - 0.3) ** 2 + (config["y"] - 0.3) ** 2 + 0.1 * (config["kind"] == "b")

    def right(config) -> float:
        return float(np.exp(-((config["x"] - 0.3) ** 2 + (config["y"] - 0.3) ** 2) / 0.02))

    def wrong(config) -> float:
        return float(np.exp(-((config["x"] - 0.9) ** 2 + (config["y"] - 0.9) ** 2) / 0.02))

    def best(n, priors) -> float:
        return float(
            np.median(
                [
                    octavo.minimize(
                        cost, INNER, max_trials=n, priors=priors, optimizer=optimizer, seed=seed
                    ).best_value
                    for seed in range(3)
                ]
            )
        )

    assert best(4, right) < best(4, None)
    assert best(60, wrong) < 0.05
