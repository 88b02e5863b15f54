"""Whose turn it is."""

from collections.abc import Sequence

import pytest

from octavo.errors import SettingError
from octavo.optimizers import RandomSearch, RegularizedEvolution, Sobol
from octavo.optimizers.portfolio import Portfolio
from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.spaces import Float, space
from octavo.trial import Status, Trial

LINE = space(x=Float(0, 1))
MEMBERS = (RandomSearch(), Sobol(), RegularizedEvolution(population=3, tournament=2))


def proposers(problem: Problem, costs: Sequence[tuple[float, ...] | None]) -> list[str]:
    """By whom each proposal is, when the trials cost this; None is a crash."""
    recipe = Portfolio(members=MEMBERS, turns=(0, 1, 2), patience=3)
    optimizer = recipe.start(problem, seed=0)
    found = []
    for its in costs:
        (proposal,) = optimizer.ask(1)
        found.append(proposal.origin.by)
        status = Status.CRASHED if its is None else Status.SUCCESS
        nans = (float("nan"),) * problem.n_objectives
        constraints = (its[0],) if its is not None and problem.constraints else ()
        optimizer.tell([Trial(proposal, status, its or nans, constraints)])
    return found


def test_the_first_member_goes_on_while_it_improves() -> None:
    assert set(proposers(Problem(LINE), [(-float(k),) for k in range(12)])) == {"random"}


def test_the_others_have_their_turns_without_improvement() -> None:
    found = proposers(Problem(LINE), [(1.0,)] * 9)
    # The first trial improves on nothing, three more do not improve on it.
    assert found[:4] == ["random"] * 4
    turns = ["sobol", "regularized-evolution", "random"]
    assert found[4:] == [*turns, *turns[:2]]


def test_an_improvement_gives_the_turn_back() -> None:
    costs = [(1.0,)] * 5 + [(0.5,)] + [(1.0,)] * 5
    found = proposers(Problem(LINE), costs)
    assert found[4:6] == ["sobol", "regularized-evolution"]
    assert found[6:9] == ["random"] * 3
    assert found[10] == "sobol"


def test_a_crash_or_a_missed_bound_is_no_improvement() -> None:
    assert "sobol" in proposers(Problem(LINE), [(1.0,), None, None, None, None])
    bounded = Problem(LINE, constraints=(Constraint("t", low=0.0),))
    assert "sobol" in proposers(bounded, [(-float(k),) for k in range(1, 6)])


def test_several_objectives_are_everybodys_from_the_start() -> None:
    problem = Problem(LINE, objectives=(Objective("a"), Objective("b")))
    costs = [(-float(k), float(k)) for k in range(3)]
    assert proposers(problem, costs) == ["random", "sobol", "regularized-evolution"]


def test_costs_at_other_fidelities_do_not_compare() -> None:
    problem = Problem(LINE, fidelity=Fidelity("epochs", 1, 9))
    recipe = Portfolio(members=MEMBERS, turns=(0, 1, 2), patience=1)
    optimizer = recipe.start(problem, seed=0)
    (first,) = optimizer.ask(1)
    optimizer.tell([Trial(first, Status.SUCCESS, (1.0,))])
    (second,) = optimizer.ask(1)
    cheaper = type(second)(second.index, second.config, seed=1, fidelity=1.0)
    optimizer.tell([Trial(cheaper, Status.SUCCESS, (2.0,))])  # the first that is so cheap
    (third,) = optimizer.ask(1)
    assert third.origin.by == "random"


@pytest.mark.parametrize("settings", [{"members": ()}, {"turns": (3,)}, {"patience": -1}])
def test_bad_settings_are_named(settings: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))):
        Portfolio(**settings)  # type: ignore[arg-type]
