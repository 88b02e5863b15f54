"""The box of a search in many dimensions."""

import math

import numpy as np
from hypothesis import given, strategies as st

from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.trust_region import Box, side_length
from octavo.optimizers.turbo import TuRBO
from octavo.problem import Limits, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.testing import live
from octavo.trial import Proposal, Status, Trial


def test_it_grows_with_success_and_shrinks_without() -> None:
    improving = [-float(k) for k in range(20)]
    assert side_length(improving[:4], patience=5) == 1.6
    assert side_length(improving, patience=5) == 1.6  # and no wider
    assert side_length([*improving[:4], *[0.0] * 5], patience=5) == 0.8
    assert side_length([*improving[:4], *[0.0] * 10], patience=5) == 0.4


def test_a_tiny_box_begins_anew() -> None:
    sides = [side_length([1.0] * n, patience=1) for n in range(1, 10)]
    assert sides[:7] == [0.8 / 2**k for k in range(7)]
    assert sides[7] == 0.8


def test_what_cannot_be_best_is_a_failure() -> None:
    assert side_length([1.0, math.nan, math.inf, math.nan], patience=3) == 0.4
    assert side_length([math.inf, math.nan, 1.0, 0.9, 0.8], patience=9) == 1.6


@given(seed=st.integers(0, 10**6), side=st.floats(0.01, 1.6))
def test_draws_lie_in_the_box_and_differ_from_its_centre(seed: int, side: float) -> None:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 60))
    columns = np.flatnonzero(rng.random(d) < 0.7)
    centre = rng.random(d)
    if not len(columns):
        return
    box = Box.around(centre, columns, rng.uniform(0.1, 3.0, len(columns)), side)
    draws = box.draw(rng.random((50, d)), rng)
    assert (draws[:, columns] >= box.low[columns]).all()
    assert (draws[:, columns] <= box.high[columns]).all()
    assert (box.low[columns] <= centre[columns]).all()
    assert (centre[columns] <= box.high[columns]).all()
    assert (draws != centre).any(axis=1).all()


def test_what_is_inactive_at_the_centre_may_be_anything() -> None:
    box = Box.around(np.array([0.5, np.nan]), np.array([0, 1]), np.ones(2), 0.2)
    np.testing.assert_allclose(box.low, [0.4, 0.0])
    np.testing.assert_allclose(box.high, [0.6, 1.0])


def test_a_search_in_a_box_stays_near_its_best() -> None:
    numbers = {f"x{i}": Float(0, 1) for i in range(8)}
    mixed = space(**numbers, k=Integer(1, 9), kind=Categorical(["a", "b"]))
    problem = Problem(mixed, limits=Limits(max_trials=60))

    def respond(_: Problem, proposal: Proposal) -> Trial:
        config = proposal.config
        cost = sum((config[f"x{i}"] - 0.3) ** 2 for i in range(8)) + (config["kind"] == "a")
        return Trial(proposal, Status.SUCCESS, (cost,))

    def spread(recipe: GaussianProcessBO | TuRBO) -> tuple[float, float]:
        """How far the last proposals lie from the best before them, and the best cost."""
        moments = list(live(recipe.start(problem, seed=1), problem, n=60, respond=respond))
        told = moments[-1].told
        best = min(told[:40], key=lambda trial: trial.costs[0])
        away = [
            max(abs(trial.config[name] - best.config[name]) for name in numbers)
            for trial in told[40:]
        ]
        return float(np.median(away)), min(trial.costs[0] for trial in told)

    whole, in_box = spread(GaussianProcessBO()), spread(TuRBO())
    assert in_box[0] < whole[0]
    assert in_box[1] < 0.1
