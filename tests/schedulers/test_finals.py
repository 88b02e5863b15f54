"""Late in a search the best configurations get the full budget, or what can still be afforded."""

from __future__ import annotations

import numpy as np

from octavo.problem import Fidelity, Limits, Problem
from octavo.schedulers import ASHA
from octavo.schedulers.finals import Finals
from octavo.spaces import Float, space
from octavo.testing import answer, check_optimizer
from octavo.trial import Status

PROBLEM = Problem(
    space(x=Float(0, 1)), fidelity=Fidelity("rows", 1, 27), limits=Limits(max_trials=20)
)


def test_the_laws_of_optimizers_hold_for_finals():
    assert check_optimizer(Finals(inner=ASHA()), n_problems=5, fidelity=True) == 5


def test_late_in_a_search_the_best_get_all_and_what_is_refused_gets_less():
    optimizer = Finals(inner=ASHA()).start(PROBLEM, 0)
    opening = optimizer.ask(6)
    assert {p.fidelity for p in opening} == {1}
    costs = [3.0, 1.0, 5.0, 2.0, 4.0, 6.0]
    optimizer.tell([answer(PROBLEM, p, costs=[c]) for p, c in zip(opening, costs, strict=True)])
    (best,) = optimizer.ask(1)  # 6 of 20 trials are done
    assert (best.fidelity, best.config) == (27, opening[1].config)

    optimizer.tell([refused(best)])
    (less,) = optimizer.ask(1)
    assert (less.fidelity, less.config) == (9, opening[1].config)
    second, fresh = optimizer.ask(2, pending=[less])
    assert (second.fidelity, second.config) == (27, opening[3].config)
    assert fresh.fidelity == 1


def test_refusals_in_a_row_end_promotions_until_something_runs():
    optimizer = Finals(inner=ASHA()).start(PROBLEM, 0)
    for cost, proposal in enumerate(optimizer.ask(9)):
        optimizer.tell([answer(PROBLEM, proposal, costs=[float(cost)])])
    n_promoted = 0
    for _ in range(12):
        (proposal,) = optimizer.ask(1)
        n_promoted += proposal.fidelity > 1
        optimizer.tell([refused(proposal)])
    assert n_promoted == 5
    (small,) = optimizer.ask(1)
    assert small.fidelity == 1
    optimizer.tell([answer(PROBLEM, small, costs=[9.0])])
    assert optimizer.ask(1)[0].fidelity > 1


def refused(proposal):
    return answer(PROBLEM, proposal, status=Status.CANCELLED, costs=[np.nan])
