"""Every optimizer of the catalog keeps the laws, over at least 50 random problems each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from octavo.optimizers import CATALOG, Recipe
from octavo.optimizers.auto import Auto
from octavo.optimizers.policy_gradient import PolicyGradient
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.optimizers.repeats import Repeats
from octavo.optimizers.tree_search import TreeSearch
from octavo.optimizers.warmed import Warmed
from octavo.problem import Problem
from octavo.testing import check_optimizer

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))


@dataclass(frozen=True)
class WarmedByDefault:
    """`Warmed` needs configurations of the problem's own space: here, its default one."""

    inner: Recipe = field(default_factory=RandomSearch)

    def start(self, problem: Problem, seed: int) -> Any:
        return Warmed(first=[problem.space.default()], inner=self.inner).start(problem, seed)


ROWS: Sequence[tuple[str, Recipe]] = [
    ("random", CATALOG["random"]()),
    ("grid", CATALOG["grid"]()),
    ("sobol", CATALOG["sobol"]()),
    # Few initial trials, so that the laws meet the model and not only the design.
    ("random-forest", RandomForestBO(n_initial=4)),
    ("regularized-evolution", RegularizedEvolution(population=8, tournament=3)),
    ("policy-gradient", PolicyGradient()),
    ("tree-search", TreeSearch(n_initial=4)),
    ("warmed", WarmedByDefault()),
    ("repeats", Repeats(inner=RegularizedEvolution(population=8, tournament=3))),
    ("auto", Auto()),
]


def test_every_row_of_the_catalog_is_checked() -> None:
    assert {name for name, _ in ROWS} == set(CATALOG)


PARTS = 5  # so that they spread over processes
PER_PART = 10 * REPEATS


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("name", "recipe"), ROWS, ids=[name for name, _ in ROWS])
def test_the_laws_hold(name: str, recipe: Recipe, part: int) -> None:
    checked = check_optimizer(
        recipe, n_problems=PER_PART, first=part * PER_PART, laws_per_problem=2
    )
    assert checked == PER_PART
