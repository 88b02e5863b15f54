import pytest

from octavo.errors import SettingError
from octavo.optimizers.grid import Grid
from octavo.problem import Limits, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.testing import answer


def configs(recipe, problem, n=500):
    return [dict(p.config) for p in recipe.start(problem, seed=0).ask(n)]


def test_all_combinations_once_both_bounds_included() -> None:
    problem = Problem(space(x=Float(0, 2), c=Categorical(["p", "q"])))
    found = configs(Grid(resolution=3), problem)
    assert sorted((c["x"], c["c"]) for c in found) == [
        (x, c) for x in (0.0, 1.0, 2.0) for c in ("p", "q")
    ]


def test_what_was_tried_elsewhere_is_left_out() -> None:
    problem = Problem(space(x=Float(0, 1)))
    optimizer = Grid(resolution=5).start(problem, seed=0)
    first = optimizer.ask(2)
    optimizer.tell([answer(problem, first[1])])
    rest = optimizer.ask(10, pending=[first[0]])
    assert [p.config["x"] for p in rest] == [0.5, 0.75, 1.0]
    assert [p.index for p in rest] == [2, 3, 4]


@pytest.mark.parametrize(("budget", "size"), [(30, 25), (16, 16), (3, 4), (None, 25)])
def test_by_default_it_is_as_fine_as_the_budget_allows(budget, size) -> None:
    problem = Problem(space(x=Float(0, 1), y=Float(0, 1)), limits=Limits(max_trials=budget))
    assert len(configs(Grid(), problem)) == size


def test_a_finite_space_that_fits_is_enumerated() -> None:
    problem = Problem(space(k=Integer(1, 60)), limits=Limits(max_trials=60))
    assert sorted(c["k"] for c in configs(Grid(), problem)) == list(range(1, 61))


def test_a_grid_of_one_value_per_range_is_refused() -> None:
    with pytest.raises(SettingError, match=r"resolution=1 must be at least 2.*Leave it out"):
        Grid(resolution=1)
