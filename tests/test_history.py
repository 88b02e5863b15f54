"""The front over time. How histories are stored and read is tested in tests/storage."""

import time

import numpy as np
import pytest

from octavo.errors import ProblemError
from octavo.history import History
from octavo.numerics.hypervolume import hypervolume
from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.spaces import Float, space
from octavo.trial import Proposal, Status, Trial

X = space(x=Float(0, 1))
LOSS_AND_ACCURACY = (Objective("loss"), Objective("accuracy", maximize=True))


def trials(costs, fidelity=None, constraints=None):
    return [
        Trial(
            Proposal(i, {"x": 0.5}, fidelity=None if fidelity is None else fidelity[i]),
            Status.SUCCESS if np.isfinite(cost).all() else Status.CRASHED,
            tuple(cost),
            () if constraints is None else (constraints[i],),
        )
        for i, cost in enumerate(costs)
    ]


def test_the_curve_is_the_hypervolume_of_each_prefix() -> None:
    rng = np.random.default_rng(0)
    costs = rng.random((60, 3))
    costs[rng.random(60) < 0.2] = np.nan  # failures
    problem = Problem(X, tuple(Objective(name) for name in "abc"))
    curve = History(problem, trials(costs)).hypervolume(dict.fromkeys("abc", 0.9))
    expected = [hypervolume(costs[: i + 1], np.full(3, 0.9)) for i in range(60)]
    assert curve == pytest.approx(np.array(expected))


def test_the_reference_is_in_the_users_direction() -> None:
    history = History(Problem(X, LOSS_AND_ACCURACY), trials([(0.2, -0.9), (0.1, -0.8)]))
    curve = history.hypervolume({"accuracy": 0.5, "loss": 1.0})
    assert curve == pytest.approx(np.array([0.8 * 0.4, 0.8 * 0.4 + 0.1 * 0.3]))


def test_the_default_reference_is_a_tenth_of_the_range_beyond_the_worst() -> None:
    history = History(Problem(X, LOSS_AND_ACCURACY), trials([(0.0, 0.0), (10.0, -20.0)]))
    assert history.hypervolume() == pytest.approx(np.array([11 * 2, 11 * 2 + 1 * 20]))
    history.append(trials([(10.0, 0.0), (float("nan"),) * 2])[1])  # a failure moves nothing
    assert history.hypervolume() == pytest.approx(np.array([22, 42, 42]))


def test_an_objective_in_which_all_are_equal_counts_as_one() -> None:
    history = History(Problem(X, LOSS_AND_ACCURACY), trials([(0.0, 5.0), (2.0, 5.0)]))
    assert history.hypervolume() == pytest.approx(np.array([2.2, 2.2]))
    assert History(Problem(X), trials([(3.0,)])).hypervolume().tolist() == [1.0]


def test_only_feasible_trials_count() -> None:
    problem = Problem(X, LOSS_AND_ACCURACY, constraints=(Constraint("size", high=1),))
    history = History(
        problem, trials([(0.0, 0.0), (1.0, -1.0), (5.0, -9.0)], constraints=[2, 1, 3])
    )
    reference = {"loss": 2.0, "accuracy": 0.0}
    assert history.hypervolume(reference).tolist() == [0.0, 1.0, 1.0]
    assert history.hypervolume().tolist() == [0.0, 1.0, 1.0]


def test_only_the_highest_fidelity_counts() -> None:
    problem = Problem(X, LOSS_AND_ACCURACY, fidelity=Fidelity("epochs", 1, 9))
    history = History(problem, trials([(0.0, -9.0), (1.0, -1.0)], fidelity=[3, 9]))
    assert history.hypervolume({"loss": 2.0, "accuracy": 0.0}).tolist() == [0.0, 1.0]


def test_before_anything_counts_the_curve_is_flat() -> None:
    problem = Problem(X, LOSS_AND_ACCURACY)
    assert History(problem).hypervolume().shape == (0,)
    assert History(problem, trials([(float("nan"),) * 2])).hypervolume().tolist() == [0.0]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"loss": 1.0}, r"\{'loss': 1.0\} must have a value for each.*\['loss', 'accuracy'\]"),
        ({"loss": 1.0, "accuracy": 0.0, "time": 1.0}, r"and for nothing else"),
        ({"loss": 1.0, "accuracy": float("-inf")}, r"must be finite.*leave it out"),
        ({"loss": 1.0, "accuracy": "low"}, r"must be finite.*leave it out"),
        ((1.0, 0.0), r"\(1.0, 0.0\) must have a value for each.*\['loss', 'accuracy'\]"),
    ],
)
def test_a_reference_that_is_none_is_refused(reference, message) -> None:
    history = History(Problem(X, LOSS_AND_ACCURACY), trials([(0.0, 0.0)]))
    with pytest.raises(ProblemError, match=message):
        history.hypervolume(reference)


@pytest.mark.parametrize("m", [2, 3])
def test_ten_thousand_trials_take_a_moment(m) -> None:
    problem = Problem(X, tuple(Objective(f"o{j}") for j in range(m)))
    history = History(problem, trials(np.random.default_rng(0).random((10_000, m))))
    began = time.process_time()
    curve = history.hypervolume()
    assert time.process_time() - began < 1.0  # about 10 and 80 ms
    assert 0.95 < curve[-1] / 1.1**m < 1.0 and (np.diff(curve) >= 0).all()
