"""Every optimizer of the catalog keeps the laws, over at least 50 random problems each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from octavo.optimizers import CATALOG, WHERE, Recipe
from octavo.optimizers.auto import Auto
from octavo.optimizers.cmaes import CMAES
from octavo.optimizers.differential_evolution import DifferentialEvolution
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.nsga2 import NSGA2
from octavo.optimizers.parego import ParEGO
from octavo.optimizers.policy_gradient import PolicyGradient
from octavo.optimizers.portfolio import Portfolio
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.optimizers.repeats import Repeats
from octavo.optimizers.sawei import SAWEI
from octavo.optimizers.tpe import TPE
from octavo.optimizers.tree_search import TreeSearch
from octavo.optimizers.turbo import TuRBO
from octavo.optimizers.warmed import Warmed
from octavo.problem import Problem
from octavo.schedulers.freeze_thaw import FreezeThaw
from octavo.schedulers.iterated_racing import IteratedRacing
from octavo.schedulers.racing import Racing
from octavo.testing import check_optimizer
from octavo.testing.problems import KINDS

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
    ("gaussian-process", GaussianProcessBO(n_initial=4)),
    ("turbo", TuRBO(process=GaussianProcessBO(n_initial=4))),
    ("sawei", SAWEI(process=GaussianProcessBO(n_initial=4), window=2)),
    ("tpe", TPE(n_initial=4)),
    (
        "portfolio",
        Portfolio(
            members=(GaussianProcessBO(n_initial=4), RandomForestBO(n_initial=4), TPE(n_initial=4)),
            turns=(0, 1, 2),
            patience=2,
        ),
    ),
    ("regularized-evolution", RegularizedEvolution(population=8, tournament=3)),
    ("nsga2", NSGA2(population=8)),
    ("parego", ParEGO(inner=RandomForestBO(n_initial=4))),
    ("differential-evolution", DifferentialEvolution(population=5)),
    ("cma-es", CMAES(population=4)),
    ("policy-gradient", PolicyGradient()),
    ("tree-search", TreeSearch(n_initial=4)),
    ("warmed", WarmedByDefault()),
    ("repeats", Repeats(inner=RegularizedEvolution(population=8, tournament=3))),
    # With few slices, so that small spaces are searched to their end within the law's patience.
    ("freeze-thaw", FreezeThaw(inner=RandomSearch(), slices=3)),
    # Over instances: tests/schedulers/test_race_laws.py.
    ("racing", Racing(inner=RegularizedEvolution(population=8, tournament=3))),
    ("irace", IteratedRacing(first_test=2)),
    ("auto", Auto()),
]


def test_every_row_of_the_catalog_is_checked() -> None:
    # Those that need a fidelity have a file of their own: tests/schedulers/test_laws.py.
    here = {name for name, (module, _) in WHERE.items() if ".schedulers." not in module}
    assert {name for name, _ in ROWS} == here | {"freeze-thaw", "racing", "irace"}


PARTS = 5  # so that they spread over processes
PER_PART = 10 * REPEATS
REFUSED = {"cma-es": {"finite trees", "endless trees"}}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("name", "recipe"), ROWS, ids=[name for name, _ in ROWS])
def test_the_laws_hold(name: str, recipe: Recipe, part: int) -> None:
    checked = check_optimizer(
        recipe, n_problems=PER_PART, first=part * PER_PART, laws_per_problem=2
    )
    numbers = range(part * PER_PART, (part + 1) * PER_PART)
    kinds = [list(KINDS)[number % len(KINDS)] for number in numbers]
    assert checked == sum(kind not in REFUSED.get(name, ()) for kind in kinds)
