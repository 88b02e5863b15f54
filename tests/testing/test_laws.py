"""The law suite itself: each law catches what breaks it, and lets good optimizers pass."""

import itertools

import numpy as np
import pytest

from octavo.errors import ProblemError
from octavo.optimizers.random_search import RandomSearch
from octavo.problem import Problem
from octavo.spaces import Categorical, Float, space
from octavo.testing import KINDS, LAWS, LawBroken, answer, check_optimizer, problems, random_problem
from octavo.testing.broken import BROKEN
from octavo.testing.simulation import live
from octavo.trial import Status

SMALL = Problem(space(a=Categorical(["p", "q", "r"]), b=Categorical([1, 2, 3, 4])))
LARGE = Problem(space(x=Float(0, 1), y=Float(1e-3, 1, log=True)))


def test_every_law_has_a_breaker() -> None:
    assert set(BROKEN) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_each_law_catches_its_breaker_and_passes_a_good_one(law: str) -> None:
    problem = SMALL if "finite" in law else LARGE
    LAWS[law](RandomSearch, problem, 0)
    with pytest.raises(LawBroken):
        LAWS[law](lambda: BROKEN[law], problem, 0)


@pytest.mark.parametrize("law", LAWS)
def test_the_whole_check_finds_every_breaker(law: str) -> None:
    with pytest.raises(LawBroken, match=r"(?s)breaks the law .*To see it again") as caught:
        check_optimizer(BROKEN[law], n_problems=20)
    assert type(BROKEN[law]).__name__ in str(caught.value)


def test_an_optimizer_that_raises_breaks_the_law_too() -> None:
    class Raises:
        def start(self, problem, seed):
            return self

        def ask(self, n, *, pending=()):
            raise ZeroDivisionError("one over nothing")

    with pytest.raises(LawBroken, match="one over nothing"):
        check_optimizer(Raises(), n_problems=1)


def test_refusing_every_problem_is_no_pass() -> None:
    class Refuses:
        def start(self, problem, seed):
            raise ProblemError("not mine")

    with pytest.raises(LawBroken, match="refused all of 3"):
        check_optimizer(Refuses(), n_problems=3)


def test_problems_take_turns_and_are_the_same_each_time() -> None:
    first = list(itertools.islice(problems(3), len(KINDS)))
    assert [p.to_json() for p in first] == [
        random_problem(3, number).to_json() for number in range(len(KINDS))
    ]
    assert any(p.n_objectives > 1 for p in first) and any(p.constraints for p in first)
    assert any(p.fidelity for p in first) and any(p.repeats > 1 for p in first)
    assert {p.space.is_finite for p in first} == {True, False}
    assert any(p.space.log_belief(p.space.sample(5, np.random.default_rng(0))).any() for p in first)


@pytest.mark.parametrize("kind", KINDS)
def test_the_synthetic_objective_answers_every_problem(kind: str) -> None:
    problem = KINDS[kind](np.random.default_rng(1))
    moments = list(live(RandomSearch().start(problem, 0), problem, n=30, workers=3))
    trials = moments[-1].told
    costs = np.array([trial.costs for trial in trials])
    assert np.isfinite(costs).all()
    if kind != "one value":
        assert len(set(costs[:, 0])) > 1  # there is something to find
    proposal = moments[0].proposal
    assert proposal is not None
    assert answer(problem, proposal) == answer(problem, proposal)
    failed = answer(problem, proposal, status=Status.CRASHED)
    assert np.isnan(failed.costs).all() and failed.cause
