"""ASHA promotes as algorithm 2 of Li et al. (2020) says, and never waits."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from octavo.problem import Fidelity, Problem
from octavo.schedulers.asha import ASHA
from octavo.spaces import Float, space
from octavo.testing import answer, live
from octavo.trial import Proposal, Status

LINE = space(x=Float(0, 1))
PROBLEM = Problem(LINE, fidelity=Fidelity("epochs", 1, 27))


def told(optimizer, proposals, costs):
    optimizer.tell(
        [answer(PROBLEM, p, costs=[cost]) for p, cost in zip(proposals, costs, strict=True)]
    )


def test_the_best_third_of_a_rung_is_promoted_the_best_first_and_once():
    optimizer = ASHA().start(PROBLEM, 0)
    proposals = optimizer.ask(7)
    told(optimizer, proposals[:2], [3.0, 1.0])
    assert optimizer.ask(1)[0].fidelity == 1  # of two, no third
    told(optimizer, proposals[2:6], [5.0, 2.0, 4.0, 6.0])
    first, second, third = optimizer.ask(3, pending=proposals[6:])
    assert [(p.fidelity, p.resume_from) for p in (first, second)] == [(3, 1), (3, 3)]
    assert third.fidelity == 1 and third.resume_from is None


def test_higher_rungs_are_served_first():
    optimizer = ASHA().start(PROBLEM, 0)
    proposals = optimizer.ask(12)
    told(optimizer, proposals, [float(i) for i in range(12)])
    climbing = optimizer.ask(4)
    assert [p.fidelity for p in climbing] == [3, 3, 3, 3]
    told(optimizer, climbing[:3], [2.0, 0.0, 1.0])
    (top,) = optimizer.ask(1, pending=climbing[3:])
    assert (top.fidelity, top.resume_from) == (9, climbing[1].index)
    assert top.config == climbing[1].config


@given(seed=st.integers(0, 100), workers=st.integers(1, 30), hedge=st.booleans())
def test_there_is_always_something_to_do_and_who_goes_on_is_in_the_best_third(seed, workers, hedge):
    optimizer = ASHA(hedge=hedge).start(PROBLEM, seed)
    for moment in live(optimizer, PROBLEM, n=60, workers=workers, seed=seed):
        assert moment.proposal is not None
        if moment.proposal.resume_from is not None:
            below = [t for t in moment.told if t.proposal.fidelity * 3 == moment.proposal.fidelity]
            ranked = [t.index for t in sorted(below, key=lambda t: t.costs)]
            assert ranked.index(moment.proposal.resume_from) < len(below) // 3


def test_hedging_spends_about_as_much_on_every_rung():
    spent = dict.fromkeys((1, 3, 9, 27), 0)
    for moment in live(ASHA(hedge=True).start(PROBLEM, 0), PROBLEM, n=400, workers=4):
        spent[moment.proposal.fidelity] += moment.proposal.fidelity
    # Promotions come first, so higher rungs get somewhat more.
    assert max(spent.values()) < 2 * min(spent.values())


@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMEOUT, Status.STOPPED])
def test_what_failed_or_was_stopped_is_not_promoted(status):
    optimizer = ASHA().start(PROBLEM, 0)
    first, *others = optimizer.ask(3)
    told(optimizer, others, [3.0, 2.0])
    optimizer.tell([answer(PROBLEM, first, status=status, costs=[0.0])])
    (promoted,) = optimizer.ask(1)
    assert promoted.resume_from == others[1].index


def test_foreign_trials_are_on_the_rung_of_their_fidelity():
    optimizer = ASHA().start(PROBLEM, 0)
    mine = [Proposal(i, {"x": i / 10}, fidelity=9) for i in range(3)]
    told(optimizer, mine, [0.3, 0.1, 0.2])
    (promoted,) = optimizer.ask(1)
    assert (promoted.fidelity, promoted.config) == (27, {"x": 0.1})
    between = replace(mine[0], index=3, fidelity=5)
    told(optimizer, [between], [0.0])
    assert optimizer.ask(1)[0].resume_from == 1


def test_kept_checkpoints_contain_what_is_promoted_next():
    optimizer = ASHA().start(PROBLEM, 0)
    proposals = optimizer.ask(9)
    told(optimizer, proposals, [float(i) for i in range(9)])
    assert {0, 1, 2} <= optimizer.keep_checkpoints() < set(range(9))
    climbing = optimizer.ask(3)
    assert {p.resume_from for p in climbing} == {0, 1, 2}
