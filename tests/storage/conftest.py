"""A problem with everything in it, and trials of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.trial import Proposal, Status, Trial


@pytest.fixture(scope="session")
def problem() -> Problem:
    return Problem(
        space=space(
            rate=Float(1e-5, 1.0, log=True),
            layers=Integer(1, 8),
            kind=Categorical(["adam", "sgd", True, 1.5, "1"]),
            momentum=Float(0.0, 1.0).when(kind="sgd"),
        ),
        objectives=(Objective("loss"), Objective("accuracy", maximize=True, unit="%")),
        constraints=(Constraint("latency", high=0.1),),
        fidelity=Fidelity("epochs", 1, 81),
    )


@pytest.fixture(scope="session")
def proposal() -> Callable[..., Proposal]:
    def make(index: int, rate: float = 0.1) -> Proposal:
        return Proposal(index, {"rate": rate, "layers": 2, "kind": "adam"}, seed=index)

    return make


@pytest.fixture(scope="session")
def trial(proposal: Callable[..., Proposal]) -> Callable[..., Trial]:
    def make(index: int, cost: float = 0.5) -> Trial:
        return Trial(
            proposal(index), Status.SUCCESS, (cost, -cost), (0.05,), started=1.0, ended=2.0
        )

    return make
