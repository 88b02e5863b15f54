"""Brackets of the paper's size, promotions of the best, and nobody who waits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.tpe import TPE
from octavo.problem import Fidelity, Limits, Problem
from octavo.schedulers.brackets import hyperband_brackets
from octavo.schedulers.hyperband import BOHB, Hyperband
from octavo.schedulers.successive_halving import SuccessiveHalving
from octavo.spaces import Categorical, Float, space
from octavo.testing import answer, live
from octavo.trial import Status

SQUARE = space(x=Float(0, 1), y=Float(0, 1))
PROBLEM = Problem(SQUARE, fidelity=Fidelity("epochs", 1, 81))
SMALL = Problem(SQUARE, fidelity=Fidelity("epochs", 1, 9))


def test_the_brackets_are_those_of_li_2018():
    """Table 1 by algorithm 1: R = 81, eta = 3."""
    brackets = hyperband_brackets(5, 3)
    assert [b.sizes for b in brackets] == [
        (81, 27, 9, 3, 1),
        (34, 11, 3, 1),
        (15, 5, 1),
        (8, 2),
        (5,),
    ]
    assert [b.first for b in brackets] == [0, 1, 2, 3, 4]


def starts(recipe):
    """Of each bracket the size and the fidelity of its first rung, as it is run."""
    found = {}
    for trial in run(recipe, n=600):
        data = trial.proposal.origin.data["hyperband"]
        if data["step"] == 0:
            n, _ = found.get(data["bracket"], (0, 0))
            found[data["bracket"]] = n + 1, trial.proposal.fidelity
    return list(found.values())


def test_a_round_may_begin_in_the_middle_and_has_the_same_brackets():
    lowest, middle = starts(Hyperband())[:5], starts(Hyperband(begin="middle"))[:6]
    assert lowest == [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    assert middle == [(15, 9), (34, 3), (81, 1), (8, 27), (5, 81), (15, 9)]


def test_only_the_highest_rungs():
    assert starts(Hyperband(most_rungs=3))[:4] == [(9, 9), (5, 27), (3, 81), (9, 9)]
    assert starts(Hyperband(most_rungs=1))[:2] == [(1, 81), (1, 81)]


@given(n_rungs=st.integers(2, 7), eta=st.integers(2, 5))
def test_brackets_cost_about_the_same(n_rungs, eta):
    """Each at most what algorithm 1 gives it: (s_max + 1) full budgets, and rounding up."""
    for bracket in hyperband_brackets(n_rungs, eta):
        full = eta ** (n_rungs - 1)
        cost = sum(n * eta ** (bracket.first + i) for i, n in enumerate(bracket.sizes)) / full
        assert 0.5 * n_rungs <= cost <= n_rungs + len(bracket.sizes)


def run(recipe, problem=PROBLEM, n=400, workers=1, respond=answer):
    moments = live(recipe.start(problem, 0), problem, n=n, workers=workers, respond=respond)
    return list(moments)[-1].told


def test_one_worker_runs_the_table_in_its_order():
    trials = run(Hyperband(), n=121 + 49)
    spent = [trial.proposal.fidelity for trial in trials]
    first = [1] * 81 + [3] * 27 + [9] * 9 + [27] * 3 + [81]
    assert spent[:121] == first
    assert spent[121:169] == [3] * 34 + [9] * 11 + [27] * 3


def test_the_best_of_a_rung_go_on_with_their_seed_from_where_they_stopped():
    trials = run(Hyperband(), n=122)
    cheap = sorted(trials[:81], key=lambda trial: trial.costs[0])[:27]
    promoted = [trial.proposal for trial in trials[81:108]]
    assert [p.resume_from for p in promoted] == [trial.index for trial in cheap]
    assert [p.origin.parents for p in promoted] == [(trial.index,) for trial in cheap]
    assert [p.config for p in promoted] == [trial.config for trial in cheap]
    assert [p.seed for p in promoted] == [trial.proposal.seed for trial in cheap]
    data = [p.origin.data["hyperband"] for p in promoted]
    assert all(its == {"bracket": 0, "step": 1, "rung": 1} for its in data)


@pytest.mark.parametrize("workers", [2, 7, 40])
def test_nobody_waits_and_no_bracket_is_larger_than_its_table(workers):
    sizes = Counter()
    shapes = hyperband_brackets(3, 3)
    for moment in live(Hyperband().start(SMALL, 0), SMALL, n=300, workers=workers):
        assert moment.proposal is not None
        data = moment.proposal.origin.data["hyperband"]
        sizes[data["bracket"], data["step"]] += 1
        if data["step"]:  # the rung below is complete: all its trials have been told
            below = [
                trial.proposal.origin.data["hyperband"] for trial in moment.told
            ].count({"bracket": data["bracket"], "step": data["step"] - 1,
                     "rung": data["rung"] - 1})  # fmt: skip
            assert below == shapes[data["bracket"] % 3].sizes[data["step"] - 1]
    for (bracket, step), n in sizes.items():
        assert n <= shapes[bracket % 3].sizes[step]
    done = [key for key, n in sizes.items() if n == shapes[key[0] % 3].sizes[key[1]]]
    assert len(done) > 10


def test_a_straggler_holds_up_its_own_bracket_only():
    optimizer = Hyperband().start(SMALL, 0)
    straggler, *others = optimizer.ask(9)
    optimizer.tell([answer(SMALL, p) for p in others])
    (later,) = optimizer.ask(1, pending=[straggler])
    assert later.origin.data["hyperband"]["bracket"] == 1
    optimizer.tell([answer(SMALL, straggler)])
    (promoted,) = optimizer.ask(1, pending=[later])
    assert promoted.origin.data["hyperband"] == {"bracket": 0, "step": 1, "rung": 1}


def test_failures_are_not_promoted_and_a_rung_of_failures_ends_its_bracket():
    def respond(problem, proposal):
        bad = proposal.config["x"] > 0.2 or proposal.origin.data["hyperband"]["bracket"] == 1
        return answer(problem, proposal, status=Status.CRASHED if bad else Status.SUCCESS)

    trials = run(Hyperband(), SMALL, n=120, workers=3, respond=respond)
    failed = {trial.index for trial in trials if trial.status is Status.CRASHED}
    assert failed and not any(trial.proposal.resume_from in failed for trial in trials)
    steps = [
        (d["bracket"], d["step"]) for t in trials for d in [t.proposal.origin.data["hyperband"]]
    ]
    assert (1, 0) in steps and (1, 1) not in steps and max(steps)[0] > 3


def test_a_cancelled_trial_leaves_its_place_open():
    optimizer = SuccessiveHalving().start(SMALL, 0)
    first, *others = optimizer.ask(9)
    cancelled = answer(SMALL, first, status=Status.CANCELLED)
    optimizer.tell([cancelled, *(answer(SMALL, p) for p in others)])
    (again,) = optimizer.ask(1)
    assert again.fidelity == 1 and again.origin.data["successive-halving"]["bracket"] == 0


def test_of_a_finite_space_everything_that_is_good_runs_in_full():
    problem = Problem(space(a=Categorical([1, 2, 3, 4])), fidelity=Fidelity("epochs", 1, 9))
    moments = list(live(Hyperband().start(problem, 0), problem, n=50))
    assert moments[-1].proposal is None
    full = {t.config["a"] for t in moments[-1].told if t.proposal.fidelity == 9}
    assert full == {1, 2, 3, 4}
    asked = Counter((t.config["a"], t.proposal.fidelity) for t in moments[-1].told)
    assert max(asked.values()) == 1


def test_checkpoints_are_kept_of_those_that_may_still_go_on():
    optimizer = SuccessiveHalving().start(SMALL, 0)
    trials = [answer(SMALL, p) for p in optimizer.ask(9)]
    optimizer.tell(trials[:8])
    ranked = [trial.index for trial in sorted(trials, key=lambda trial: trial.costs)]
    seen = [index for index in ranked if index != trials[8].index]
    assert optimizer.keep_checkpoints() == set(seen[:3])
    optimizer.tell(trials[8:])
    assert optimizer.keep_checkpoints() == set(ranked[:3])
    second = optimizer.ask(3)
    optimizer.tell([answer(SMALL, p) for p in second])
    best = min(second, key=lambda p: answer(SMALL, p).costs)
    assert optimizer.keep_checkpoints() == {best.index}


def test_every_promotion_resumes_from_a_kept_checkpoint():
    optimizer = Hyperband().start(SMALL, 3)
    for moment in live(optimizer, SMALL, n=200, workers=5, seed=1):
        if moment.proposal.resume_from is not None:
            fresh = Hyperband().start(SMALL, 3)
            fresh.tell(moment.told)
            assert moment.proposal.resume_from in fresh.keep_checkpoints()


def test_the_model_of_bohb_learns_and_beats_random_draws():
    def best(recipe, seed):
        history = list(live(recipe.start(SMALL, seed), SMALL, n=120))[-1].told
        return min(t.costs[0] for t in history if t.proposal.fidelity == 9)

    n = 5
    random = np.mean([best(Hyperband(RandomSearch()), seed) for seed in range(n)])
    learned = np.mean([best(BOHB(TPE(n_initial=10)), seed) for seed in range(n)])
    assert learned < random


@pytest.mark.parametrize("n", [12, 20, 60, 150])
def test_a_schedule_that_fits_comes_to_the_full_budget(n):
    problem = Problem(SQUARE, fidelity=PROBLEM.fidelity, limits=Limits(max_trials=n))
    made = Hyperband().fitting(problem)
    optimizer, trials = made.start(problem, seed=0), []
    for _ in range(n):
        trials += [answer(problem, proposal) for proposal in optimizer.ask(1)]
        optimizer.tell(trials[-1:])
    fidelities = {trial.proposal.fidelity for trial in trials}
    assert max(fidelities) == 81 and min(fidelities) == made.lowest(problem)
    assert Hyperband().fitting(PROBLEM) == Hyperband()
