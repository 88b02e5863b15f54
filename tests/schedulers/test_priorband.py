"""PriorBand: shares of the paper, and a belief that counts as far as it is right."""

import numpy as np
import pytest

from octavo.problem import Fidelity, Problem
from octavo.schedulers.ladder import Board
from octavo.schedulers.priorband import PriorBand, _EnsembleSampling
from octavo.spaces import Float, Integer, space
from octavo.testing import answer, live
from octavo.trial import Proposal

EPOCHS = Fidelity("epochs", 1, 9)
BELIEVED = Problem(
    space(x=Float(0, 1, prior=0.2), y=Float(0, 1, prior=0.8), k=Integer(1, 9)), fidelity=EPOCHS
)


def sampling(costs=None, problem=BELIEVED):
    """What draws after nine trials on the lowest rung, with these costs by configuration."""
    board = Board(problem, 0, 3, "priorband")
    if costs is not None:
        points = problem.space.sample(9, np.random.default_rng(0))
        proposals = [
            Proposal(i, config, fidelity=1) for i, config in enumerate(problem.space.decode(points))
        ]
        trials = [answer(problem, p, costs=[costs(p.config)]) for p in proposals]
        assert len(list(board.extend(trials))) == 9
    return _EnsembleSampling(board, 3)


def test_uniform_draws_become_rarer_by_the_rung():
    """Section 5.1: one to eta^r."""
    shares = [sampling().shares(rung) for rung in range(3)]
    assert [its[0] for its in shares] == pytest.approx([1 / 2, 1 / 4, 1 / 10])
    assert all(sum(its) == pytest.approx(1) and its[2] == 0 for its in shares)


def test_belief_and_incumbent_share_by_what_they_say_of_the_best():
    right = sampling(lambda c: abs(c["x"] - 0.2) + abs(c["y"] - 0.8)).shares(0)
    wrong = sampling(lambda c: abs(c["x"] - 0.9) + abs(c["y"] - 0.1)).shares(0)
    assert right[0] == wrong[0] == 0.5
    assert right[1] > 5 * wrong[1] and wrong[2] > 0.4


def test_without_beliefs_the_incumbent_has_their_share():
    problem = Problem(space(x=Float(0, 1)), fidelity=EPOCHS)
    assert sampling(problem=problem).shares(0) == (1.0, 0.0, 0.0)
    assert sampling(lambda c: c["x"], problem).shares(1) == pytest.approx((0.25, 0, 0.75))


def test_the_configuration_that_is_believed_in_comes_first():
    first = PriorBand().start(BELIEVED, 0).ask(1)[0]
    assert first.config["x"] == pytest.approx(0.2) and first.config["y"] == pytest.approx(0.8)
    assert first.fidelity == 1


def test_good_beliefs_help():
    # The optimum of the synthetic objective, found once by many evaluations of it.
    plain = Problem(space(x=Float(0, 1), y=Float(0, 1)), fidelity=EPOCHS)
    told = list(live(PriorBand().start(plain, 9), plain, n=400))[-1].told
    best = min((t for t in told if t.proposal.fidelity == 9), key=lambda t: t.costs)
    right = space(x=Float(0, 1, prior=best.config["x"]), y=Float(0, 1, prior=best.config["y"]))
    problem = Problem(right, fidelity=EPOCHS)

    def early(its, seed):
        told = list(live(PriorBand().start(its, seed), its, n=14))[-1].told
        return min(t.costs[0] for t in told if t.proposal.fidelity == 9)

    assert sum(early(problem, s) < early(plain, s) for s in range(6)) >= 5
