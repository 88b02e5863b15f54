"""Whose turn it is."""

import pytest

from octavo.errors import SettingError
from octavo.optimizers import RandomSearch, RegularizedEvolution, Sobol
from octavo.optimizers.portfolio import Portfolio
from octavo.problem import Problem
from octavo.spaces import Float, space
from octavo.testing import live

MEMBERS = (RandomSearch(), Sobol(), RegularizedEvolution(population=3, tournament=2))
PROBLEM = Problem(space(x=Float(0, 1)))


def test_the_first_member_begins_and_then_all_take_turns() -> None:
    optimizer = Portfolio(members=MEMBERS, turns=(0, 1, 2), n_alone=4).start(PROBLEM, seed=0)
    trials = live(optimizer, PROBLEM, n=9)
    found = [trial.proposal.origin.by for trial in trials]
    turns = ["sobol", "regularized-evolution", "random"]
    assert found == [*["random"] * 4, *turns, *turns[:2]]


def test_turns_go_by_the_number_of_the_proposal_also_while_others_run() -> None:
    optimizer = Portfolio(members=MEMBERS, turns=(0, 1, 2), n_alone=0).start(PROBLEM, seed=0)
    first = optimizer.ask(2)
    more = optimizer.ask(2, pending=first)
    assert [p.origin.by for p in (*first, *more)] == [
        "random", "sobol", "regularized-evolution", "random",
    ]  # fmt: skip


@pytest.mark.parametrize("settings", [{"members": ()}, {"turns": (3,)}, {"n_alone": -1}])
def test_bad_settings_are_named(settings: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))):
        Portfolio(**settings)  # type: ignore[arg-type]
