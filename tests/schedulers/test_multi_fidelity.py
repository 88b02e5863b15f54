"""The process over fidelities spends evenly, promotes what is good, and is not misled for long."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given, strategies as st

from octavo.optimizers.aligned import aligned
from octavo.optimizers.told import Told
from octavo.problem import Fidelity, Problem
from octavo.schedulers.multi_fidelity import MultiFidelityBO
from octavo.spaces import Float, space
from octavo.testing import answer, live
from octavo.trial import Proposal

LINE = space(x=Float(0, 1), y=Float(0, 1))
PROBLEM = Problem(LINE, fidelity=Fidelity("epochs", 1, 27))


def test_all_rungs_cost_the_same_once_they_are_open():
    spent: defaultdict[float, float] = defaultdict(float)
    for moment in live(MultiFidelityBO().start(PROBLEM, 0), PROBLEM, n=150, workers=4):
        spent[moment.proposal.fidelity] += moment.proposal.fidelity
    assert set(spent) == {1, 3, 9, 27}
    assert max(spent.values()) - min(spent.values()) <= 2 * 27


def test_most_of_what_runs_in_full_ran_cheaper_before_and_resumes():
    told = list(live(MultiFidelityBO().start(PROBLEM, 0), PROBLEM, n=150))[-1].told
    dear = [t.proposal for t in told if t.proposal.fidelity >= 9]
    resumed = [p for p in dear if p.resume_from is not None]
    assert len(resumed) > len(dear) / 2
    by_index = {t.index: t.proposal for t in told}
    for p in resumed:
        assert by_index[p.resume_from].config == p.config
        assert by_index[p.resume_from].fidelity < p.fidelity


def test_a_low_fidelity_that_misleads_is_found_out():
    problem = replace(PROBLEM, fidelity=Fidelity("epochs", 1, 9))

    def respond(problem, proposal):
        """Cheap trials say that x = 0.9 is best; the full ones x = 0.3."""
        centre = 0.3 if proposal.fidelity == 9 else 0.9
        cost = (proposal.config["x"] - centre) ** 2 + (proposal.config["y"] - 0.5) ** 2
        return answer(problem, proposal, costs=[cost])

    optimizer = MultiFidelityBO().start(problem, 0)
    told = list(live(optimizer, problem, n=150, respond=respond))[-1].told
    full = min((t for t in told if t.proposal.fidelity == 9), key=lambda t: t.costs)
    assert abs(full.config["x"] - 0.3) < 0.15


@given(shift=st.floats(-1e6, 1e6), n=st.integers(3, 20))
def test_what_all_have_in_common_is_taken_off(shift, n):
    rng = np.random.default_rng(n)
    xs = rng.random(n).round(6)
    told = Told(PROBLEM)
    trials = []
    for i, x in enumerate(xs):
        cheap = Proposal(i, {"x": float(x), "y": 0.5}, fidelity=1)
        trials.append(answer(PROBLEM, cheap, costs=[float(x) + shift]))
    for i, x in enumerate(xs[: n // 2 + 1]):
        dear = Proposal(n + i, {"x": float(x), "y": 0.5}, fidelity=27)
        trials.append(answer(PROBLEM, dear, costs=[float(x)]))
    told.extend(trials)
    moved = aligned(told)
    expected = np.concatenate([xs, xs[: n // 2 + 1]])
    np.testing.assert_allclose(moved.costs[:, 0], expected, atol=1e-6)
    assert told.costs[0, 0] == trials[0].costs[0]  # what was told stays as it is


def test_fidelities_that_share_no_configuration_are_left_as_they_are():
    told = Told(PROBLEM)
    told.extend([
        answer(PROBLEM, Proposal(i, {"x": i / 4, "y": 0.5}, fidelity=f), costs=[float(i)])
        for i, f in enumerate((1, 1, 27))
    ])  # fmt: skip
    np.testing.assert_array_equal(aligned(told).costs, told.costs)


def test_several_objectives_are_scalarized():
    from octavo.problem import Objective

    problem = Problem(LINE, objectives=(Objective("a"), Objective("b")), fidelity=PROBLEM.fidelity)
    told = list(live(MultiFidelityBO().start(problem, 0), problem, n=40))[-1].told
    assert Counter(t.proposal.fidelity for t in told)[1] > 10
    assert any("weights" in t.proposal.origin.data for t in told)
