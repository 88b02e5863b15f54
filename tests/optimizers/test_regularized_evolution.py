import numpy as np
import pytest

from octavo.errors import SettingError
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.problem import Constraint, Fidelity, Problem
from octavo.spaces import Float, space
from octavo.testing import live
from octavo.trial import Proposal, Status, Trial

SPHERE = Problem(space(**{f"x{i}": Float(-1, 1) for i in range(6)}))


def sphere(problem, proposal) -> Trial:
    cost = sum((x - 0.3) ** 2 for x in proposal.config.values())
    return Trial(proposal, Status.SUCCESS, (cost,))


def best(recipe, seed: int, n: int = 150) -> float:
    moments = list(live(recipe.start(SPHERE, seed), SPHERE, n=n, respond=sphere))
    return min(trial.costs[0] for trial in moments[-1].told)


def test_it_beats_random_search_on_a_sphere() -> None:
    # Were the two equal, winning at least 18 of 20 paired runs would have a chance of 2e-4.
    wins = sum(best(RegularizedEvolution(), s) < best(RandomSearch(), s) for s in range(20))
    assert wins >= 18


def told(costs, **kwargs):
    return [
        Trial(Proposal(i, {f"x{j}": x / 10 for j in range(6)}), Status.SUCCESS, (cost,), **kwargs)
        for i, (x, cost) in enumerate(costs)
    ]


def parents(optimizer, n=40):
    return {p for proposal in optimizer.ask(n) for p in proposal.origin.parents}


def test_the_old_die_however_good_they_are() -> None:
    optimizer = RegularizedEvolution(population=5, tournament=5).start(SPHERE, seed=0)
    optimizer.tell(told([(0, -100.0)] + [(i, float(i)) for i in range(1, 6)]))
    assert parents(optimizer) == {1}  # trial 0 is too old, so the best of the living wins


def test_a_child_differs_in_one_place_from_the_parent_that_it_names() -> None:
    optimizer = RegularizedEvolution(population=5, tournament=2).start(SPHERE, seed=0)
    history = told([(i, float(i)) for i in range(6)])
    optimizer.tell(history)
    for proposal in optimizer.ask(20):
        (parent,) = proposal.origin.parents
        changed = [k for k, v in proposal.config.items() if v != history[parent].config[k]]
        assert len(changed) == 1 and proposal.origin.intent == "mutation"


def test_tournaments_prefer_the_better_but_not_always_the_best() -> None:
    optimizer = RegularizedEvolution(population=10, tournament=3).start(SPHERE, seed=0)
    optimizer.tell(told([(i, float(i)) for i in range(10)]))
    chosen = [p.origin.parents[0] for p in optimizer.ask(200)]
    counts = np.bincount(chosen, minlength=10)
    # The best of 3 of 10 has rank r with probability C(9 - r, 2) / C(10, 3); ranks 8 and 9
    # cannot win. Six standard errors of the best one's share, 0.3, are 0.19.
    assert counts[8:].sum() == 0
    assert abs(counts[0] / 200 - 0.3) < 0.19


def test_infeasible_and_failed_ones_lose_against_any_other() -> None:
    problem = Problem(SPHERE.space, constraints=(Constraint("size", high=1.0),))
    history = told([(i, -float(i)) for i in range(6)], constraints=(2.0,))
    feasible = Trial(Proposal(6, {f"x{j}": 0.9 for j in range(6)}), Status.SUCCESS, (9.0,), (0.5,))
    failed = Trial(Proposal(7, {f"x{j}": -0.9 for j in range(6)}), Status.CRASHED, (float("nan"),))
    optimizer = RegularizedEvolution(population=8, tournament=8).start(problem, seed=0)
    optimizer.tell([*history, feasible, failed])
    assert parents(optimizer) == {6}


def test_the_population_lives_at_the_highest_fidelity_that_can_hold_a_tournament() -> None:
    problem = Problem(SPHERE.space, fidelity=Fidelity("epochs", 1, 9))
    levels = [1.0] * 6 + [3.0] * 3 + [9.0]
    history = [
        Trial(
            Proposal(i, {f"x{j}": i / 10 for j in range(6)}, fidelity=level),
            Status.SUCCESS,
            (float(i),),
        )
        for i, level in enumerate(levels)
    ]
    optimizer = RegularizedEvolution(population=3, tournament=3).start(problem, seed=0)
    optimizer.tell(history)
    assert parents(optimizer, 20) == {6}


@pytest.mark.parametrize("tournament", [0, 21])
def test_an_impossible_tournament_is_refused(tournament) -> None:
    with pytest.raises(SettingError, match=rf"tournament={tournament} must lie between 1 and"):
        RegularizedEvolution(tournament=tournament)
