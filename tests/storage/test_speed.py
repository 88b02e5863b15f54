"""What the store may cost, in CPU seconds, so that a busy machine does not turn it red."""

import time

import pytest
from sqlalchemy.dialects import sqlite

from octavo.problem import Objective, Problem
from octavo.spaces import Float, space
from octavo.storage import create_store, open_store, statements
from octavo.trial import Proposal, Resources, Status, Trial

N = 20_000


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
    folder = tmp_path_factory.mktemp("speed") / "study"
    with create_store(folder) as store:
        store.add_problem(Problem(space(x0=Float(0, 1)), (Objective("loss"),)), since=0)
        store.add_proposals([proposal(i) for i in range(N)], revision=0)
        store.add_trials([trial(i) for i in range(N)])
    return folder


def test_a_trial_costs_less_than_two_milliseconds(folder):
    with open_store(folder) as store:
        start = time.process_time()
        for i in range(N, N + 300):
            store.add_proposals([proposal(i)], revision=0)
            store.take_lease(i, "worker", expires_s=60)
            store.add_trials([trial(i)])
            store.release(i)
        assert (time.process_time() - start) / 300 < 2e-3


def test_a_history_opens_at_ten_microseconds_a_trial(folder):
    open_store(folder, write=False).history()  # imports and warm-up
    start = time.process_time()
    history = open_store(folder, write=False).history()
    assert (time.process_time() - start) / len(history) < 1e-5
    assert history.costs[:, 0].min() == 1.0 / len(history)


def test_listing_trials_takes_fifty_microseconds_each(folder):
    history = open_store(folder, write=False).history()
    start = time.process_time()
    trials = history[:5000]
    assert (time.process_time() - start) / 5000 < 5e-5
    assert trials == [trial(i) for i in range(5000)]


def test_a_store_in_memory_is_made_in_twenty_milliseconds():
    create_store(None).close()  # imports
    start = time.process_time()
    for _ in range(10):
        create_store(None).close()
    assert (time.process_time() - start) / 10 < 0.02


def test_finding_what_is_pending_does_not_search_the_proposals(folder):
    query = str(statements.PENDING.compile(dialect=sqlite.dialect()))
    with open_store(folder) as store, store._database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    steps = [row[-1] for row in plan]
    assert any(step.startswith("SEARCH proposals") for step in steps), steps
    assert not any(step.startswith("SCAN proposals") for step in steps), steps
