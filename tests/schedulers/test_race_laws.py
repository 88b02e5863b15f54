"""Races keep the laws of all optimizers over problems with instances too."""

import os

import pytest

from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.schedulers.iterated_racing import IteratedRacing
from octavo.schedulers.racing import Racing
from octavo.testing import RACES, check_optimizer

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))

ROWS = {
    # Short cutoffs and early tests, so that the laws meet capped runs and races that follow.
    "racing": Racing(RandomSearch(), cutoff_s=3.0),
    "racing with a model": Racing(RandomForestBO(n_initial=4), cutoff_s=3.0),
    "irace": IteratedRacing(first_test=2, cutoff_s=3.0),
}
SOME = {"racing": 4, "racing with a model": 2, "irace": 4}


@pytest.mark.parametrize("name", ROWS)
def test_the_laws_hold_over_instances(name):
    n = 2 * len(RACES) * REPEATS
    checked = check_optimizer(ROWS[name], n_problems=n, laws_per_problem=SOME[name], kinds=RACES)
    assert checked == n
