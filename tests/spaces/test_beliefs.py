"""Beliefs: densities relative to uniform, which never change how a space is sampled."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from octavo.spaces import Categorical, Float, Integer, Ordinal, Points, from_json, space
from octavo.spaces.beliefs import ASSUMED_SPREAD, LEAST

WITH_PRIORS = [
    Float(-1, 3, prior=0.5),
    Float(-1, 3, prior=(2.5, 0.2)),
    Float(1e-4, 1.0, log=True, prior=(1e-3, 3)),
    Float(1e-2, 10.0, log=True, prior=stats.lognorm(1.0, scale=0.1)),
    Float(0, 1, prior=stats.beta(2, 5)),
    Float(0, 2, prior=stats.expon(scale=0.3)),
    Float(0, 1, step=0.1, prior=(0.2, 0.1)),
    Integer(0, 20, prior=stats.poisson(4)),
    Integer(0, 20, prior=stats.norm(4, 2)),
    Integer(1, 1000, log=True, prior=30),
    Integer(1, 1000, log=True, prior=stats.gamma(2, scale=30)),
    Integer(16, 160, step=16, prior=stats.norm(64, 20)),
    Categorical(["a", "b", "c"], prior=[1, 2, 5]),
    Categorical(["a", "b", "c"], prior={"b": 3, "c": 1}),
    Categorical([True, False], prior=False),
    Ordinal(["s", "m", "l", "xl"], prior="l"),
    Ordinal(["s", "m", "l", "xl"], prior=("l", 0.7)),
    Ordinal(["s", "m", "l"], prior=[1, 0, 1]),
]


@pytest.mark.parametrize("hyperparameter", WITH_PRIORS)
def test_a_belief_is_a_density_over_the_unit_interval(hyperparameter):
    """Its mean over a fine grid of the unit interval is 1."""
    made = space(h=hyperparameter)
    u = (np.arange(200_000) + 0.5) / 200_000
    points, _ = made.from_unit(u[:, None])
    assert np.exp(made.log_belief(points)).mean() == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize("hyperparameter", WITH_PRIORS)
def test_beliefs_survive_json(hyperparameter):
    made = space(h=hyperparameter)
    again = from_json(json.loads(json.dumps(made.to_json())))
    points = made.sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(again.log_belief(points), made.log_belief(points))
    assert again.default() == made.default()


@pytest.mark.parametrize("hyperparameter", WITH_PRIORS)
def test_the_default_is_the_most_probable_value(hyperparameter):
    made = space(h=hyperparameter)
    best = made.log_belief(made.encode([made.default()]))[0]
    grid = made.encode(list(made.grid(997)))
    assert best >= made.log_belief(grid).max() - 1e-4


@pytest.mark.parametrize("hyperparameter", WITH_PRIORS)
def test_beliefs_do_not_change_sampling(hyperparameter):
    from dataclasses import replace

    one, two = space(h=hyperparameter), space(h=replace(hyperparameter, prior=None))
    rows = [s.sample(50, np.random.default_rng(1)).values for s in (one, two)]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_known_densities():
    def density(hyperparameter, value):
        made = space(h=hyperparameter)
        return np.exp(made.log_belief(made.encode([{"h": value}])))[0]

    # a normal distribution cut at the bounds of [0, 2], per half of the range
    z = stats.norm(0.5, 0.3)
    cut = z.cdf(2) - z.cdf(0)
    assert density(Float(0, 2, prior=(0.5, 0.3)), 0.8) == pytest.approx(2 * z.pdf(0.8) / cut)
    assert density(Float(0, 2, prior=z), 0.8) == pytest.approx(2 * z.pdf(0.8) / cut)
    # without a spread: a quarter of the unit interval
    u = stats.norm(0.5, ASSUMED_SPREAD)
    assert density(Float(1e-4, 1, log=True, prior=1e-2), 1.0) == pytest.approx(
        u.pdf(1) / (u.cdf(1) - u.cdf(0))
    )
    # a factor of 10 is a quarter of four decades
    assert density(Float(1e-4, 1, log=True, prior=(1e-2, 10)), 0.3) == pytest.approx(
        density(Float(1e-4, 1, log=True, prior=1e-2), 0.3)
    )
    assert density(Categorical(["a", "b", "c"], prior=[1, 2, 5]), "c") == pytest.approx(15 / 8)
    assert density(Categorical(["a", "b", "c"], prior="b"), "b") == pytest.approx(3 * 3 / 5)
    p = stats.poisson(4)
    assert density(Integer(0, 9, prior=p), 3) == pytest.approx(10 * p.pmf(3) / p.cdf(9))
    assert density(Categorical(["a", "b"], prior={"a": 1}), "b") == pytest.approx(LEAST)


def test_beliefs_add_up_over_active_hyperparameters_only():
    made = space(
        a=Categorical([0, 1], prior=[3, 1]),
        b=Categorical([0, 1], prior=[1, 3]).when(a=1),
        c=Float(0, 1),
    )
    belief = np.exp(made.log_belief(made.encode([{"a": 0, "c": 0}, {"a": 1, "b": 1, "c": 0.1}])))
    np.testing.assert_allclose(belief, [1.5, 0.5 * 1.5])
    without = space(c=Float(0, 1))
    assert not without.log_belief(without.sample(5, np.random.default_rng(0))).any()


@given(st.lists(st.sampled_from(WITH_PRIORS), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_beliefs_are_finite_and_independent(hyperparameters, seed):
    made = space({f"h{i}": h for i, h in enumerate(hyperparameters)})
    points = made.sample(10, np.random.default_rng(seed))
    total = made.log_belief(points)
    assert np.isfinite(total).all()
    parts = [
        space({c.name: h}).log_belief(Points(points.values[:, [i]], (c,)))
        for i, (c, h) in enumerate(zip(made.columns, hyperparameters, strict=True))
    ]
    np.testing.assert_allclose(total, np.sum(parts, axis=0), rtol=1e-12)
