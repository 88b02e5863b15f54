"""The benchmark of schedules measures what it says: what is spent, and who is best."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from octavo.problem import Fidelity
from octavo.spaces import Float, space

HERE = Path(__file__).parents[2] / "benchmarks" / "multi_fidelity"


@pytest.fixture
def scripts(monkeypatch, hpo_scripts):
    """Its modules can be imported by their bare names, in this test only."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == HERE:
            del sys.modules[name]


class Scripted:
    """A system that asks what it is told to ask."""

    version = "0"

    def __init__(self, asked, asks):
        self._asked, self._asks = asked, iter(asks)
        self.told = []

    def start(self, task, seed, budget):
        return self

    def ask(self):
        x, fidelity = next(self._asks)
        return self._asked({"x": x}, fidelity, None)

    def tell(self, asked, cost):
        self.told.append(cost)


def task_of(scripts, *, resumes):
    def evaluate(config, fidelity):
        return np.nan if config["x"] > 0.9 else config["x"] + (10 - fidelity) / 10

    tasks = scripts("tasks")
    return tasks.Task(
        "line", space(x=Float(0, 1)), Fidelity("f", 1, 10), evaluate, resumes, worst=2.0
    )


ASKS = [(0.5, 1), (0.2, 2), (0.5, 10), (0.95, 10), (0.4, 10), (0.4, 10), (0.3, 10)]


def test_an_evaluation_costs_its_fidelity_or_what_is_new_of_it(scripts):
    spending = scripts("spending")
    for resumes, spent in ((False, (0.1, 0.3, 1.3, 3.3)), (True, (0.1, 0.3, 1.2, 3.2))):
        system = Scripted(spending.Asked, ASKS)
        found = spending.search(task_of(scripts, resumes=resumes), system, seed=0, budget=4)
        costs = [cost for _, cost in found.improvements]
        # A higher fidelity counts more than a lower cost; what counts is the cost in full.
        assert costs[:4] == pytest.approx([0.5, 0.2, 0.5, 0.4])
        assert [at for at, _ in found.improvements][:4] == pytest.approx(spent)
        assert np.isnan(system.told[3]) and found.best(1.0) == pytest.approx(0.2)
        # Asked once more, it costs nothing where it can go on from its end.
        assert found.n_evaluations == (7 if resumes else 6)


def test_what_is_never_found_is_nan(scripts):
    summarize = scripts("spending")
    assert np.isnan(summarize.Search(((2.0, 0.1),), 1, 0.0).best(1.0))


def test_every_variant_is_a_recipe(scripts):
    variants = scripts("variants")
    for name in variants.VARIANTS:
        assert variants.recipe_of(name).eta == 3
