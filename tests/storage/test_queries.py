"""How the store finds things: never by looking at everything."""

import pytest
from sqlalchemy.dialects import sqlite

from octavo.problem import Objective, Problem
from octavo.spaces import Float, space
from octavo.storage import create_store, open_store, statements
from octavo.trial import Proposal, Resources, Status, Trial

N = 2_000


def proposal(index):
    return Proposal(index, {f"x{i}": index / (i + 1) for i in range(8)}, seed=index)


def trial(index):
    return Trial(
        proposal(index),
        Status.SUCCESS,
        (1.0 / (index + 1),),
        resources=Resources(1.0, 1.0, 50.0, how={"memory_mb": "process tree, every 50 ms"}),
        started=1.0,
        ended=2.0,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queries") / "study"
    with create_store(folder) as store:
        store.add_problem(Problem(space(x0=Float(0, 1)), (Objective("loss"),)), since=0)
        store.add_proposals([proposal(i) for i in range(N)], revision=0)
        store.add_trials([trial(i) for i in range(N)])
    return folder


def test_finding_what_is_pending_does_not_search_the_proposals(folder):
    query = str(statements.PENDING.compile(dialect=sqlite.dialect()))
    explain = f"EXPLAIN QUERY PLAN {query}"
    with open_store(folder) as store:
        plan = store._database.read(lambda c: c.exec_driver_sql(explain).all())
    steps = [row[-1] for row in plan]
    assert any(step.startswith("SEARCH proposals") for step in steps), steps
    assert not any(step.startswith("SCAN proposals") for step in steps), steps
