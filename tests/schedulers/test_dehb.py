"""DEHB: the first bracket promotes, later ones breed from the right parents."""

from octavo.problem import Fidelity, Problem
from octavo.schedulers.brackets import hyperband_brackets
from octavo.schedulers.dehb import DEHB
from octavo.schedulers.hyperband import Hyperband
from octavo.spaces import Float, space
from octavo.testing import answer, live

SPACE = space({f"x{i}": Float(0, 1) for i in range(4)})
PROBLEM = Problem(SPACE, fidelity=Fidelity("epochs", 1, 9))


def history(n, workers=1, seed=0):
    moments = live(DEHB().start(PROBLEM, seed), PROBLEM, n=n, workers=workers, seed=seed)
    return list(moments)[-1].told


def test_the_first_bracket_is_successive_halving():
    trials = history(14)
    assert [t.proposal.fidelity for t in trials[:13]] == [1] * 9 + [3] * 3 + [9]
    best = sorted(trials[:9], key=lambda t: t.costs)
    assert {t.proposal.resume_from for t in trials[9:12]} == {t.index for t in best[:3]}


def test_later_brackets_are_of_hyperbands_sizes_and_breed():
    trials = history(13 + 7 + 3 + 14)
    sizes: dict[tuple[int, int], int] = {}
    for trial in trials:
        data = trial.proposal.origin.data["dehb"]
        sizes[data["bracket"], data["step"]] = sizes.get((data["bracket"], data["step"]), 0) + 1
    shapes = hyperband_brackets(3, 3)
    assert sizes[1, 0] == shapes[1].sizes[0] and sizes[1, 1] == shapes[1].sizes[1]
    assert sizes[2, 0] == shapes[2].sizes[0]
    late = [t.proposal for t in trials if t.proposal.origin.data["dehb"]["bracket"] > 2]
    assert late and all(p.resume_from is None for p in late)
    assert {p.origin.intent for p in late} == {"child"}


def test_parents_are_of_the_same_fidelity_or_of_the_one_below():
    trials = {t.index: t for t in history(150, workers=4)}
    children = [t.proposal for t in trials.values() if t.proposal.origin.intent == "child"]
    assert len(children) > 80
    pools = 0
    for child in children:
        member, *parents = child.origin.parents
        assert trials[member].proposal.fidelity == child.fidelity
        rung = child.origin.data["dehb"]["rung"]
        step = child.origin.data["dehb"]["step"]
        if step:
            # A pool that is too small is filled up from everywhere; with three rungs it never is.
            pools += 1
            assert {trials[p].proposal.fidelity for p in parents} == {3 ** (rung - 1)}
        assert len({*parents}) == 3
    assert pools > 10


def test_evolution_beats_the_same_brackets_without_it():
    def best(recipe, seed):
        told = list(live(recipe.start(PROBLEM, seed), PROBLEM, n=160))[-1].told
        return min(t.costs[0] for t in told if t.proposal.fidelity == 9)

    wins = sum(best(DEHB(), seed) < best(Hyperband(), seed) for seed in range(5))
    assert wins >= 4


def test_a_child_takes_its_place_only_if_it_is_no_worse():
    optimizer = DEHB().start(PROBLEM, 0)
    trials = []
    for _ in range(60):
        (proposal,) = optimizer.ask(1)
        trial = answer(PROBLEM, proposal)
        trials.append(trial)
        optimizer.tell([trial])
    top = [t.costs[0] for t in trials if t.proposal.fidelity == 9]
    population = optimizer._populations[2]
    living = [optimizer._board.told.costs[row, 0] for row in population.living]
    assert min(living) == min(top) and len(living) <= len(population.slots)
