"""Every scheduler of the catalog keeps the laws, over problems of all kinds with a fidelity."""

import os
from collections.abc import Sequence

import pytest

from octavo.optimizers import WHERE, Recipe
from octavo.optimizers.gaussian_process import GaussianProcessBO
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.optimizers.tpe import TPE
from octavo.schedulers.asha import ASHA
from octavo.schedulers.dehb import DEHB
from octavo.schedulers.hyperband import BOHB, Hyperband, SMACMultiFidelity
from octavo.schedulers.multi_fidelity import MultiFidelityBO
from octavo.schedulers.priorband import PriorBand
from octavo.schedulers.successive_halving import SuccessiveHalving
from octavo.testing import check_optimizer

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))

ROWS: Sequence[tuple[str, Recipe]] = [
    # Narrow brackets, so that the laws meet promotions, and more than one bracket.
    ("successive-halving", SuccessiveHalving(width=5)),
    ("hyperband", Hyperband(inner=RegularizedEvolution(population=8, tournament=3), eta=2)),
    ("asha", ASHA(eta=2)),
    ("bohb", BOHB(inner=TPE(n_initial=4))),
    ("dehb", DEHB(eta=2)),
    ("priorband", PriorBand(eta=2)),
    ("multi-fidelity", MultiFidelityBO(process=GaussianProcessBO(n_initial=3), eta=2)),
    ("smac-mf", SMACMultiFidelity(inner=RandomForestBO(n_initial=4, n_trees=4), eta=4)),
]


def test_every_scheduler_of_the_catalog_is_checked() -> None:
    schedulers = {name for name, (module, _) in WHERE.items() if ".schedulers." in module}
    # These do without a fidelity: they are among the other optimizers.
    assert {name for name, _ in ROWS} == schedulers - {"freeze-thaw", "racing", "irace"}


PARTS = 5  # so that they spread over processes
PER_PART = 10 * REPEATS


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("name", "recipe"), ROWS, ids=[name for name, _ in ROWS])
def test_the_laws_hold(name: str, recipe: Recipe, part: int) -> None:
    checked = check_optimizer(
        recipe, n_problems=PER_PART, first=part * PER_PART, laws_per_problem=2, fidelity=True
    )
    assert checked == PER_PART
