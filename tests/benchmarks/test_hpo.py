"""The HPO benchmark measures what it says: optima, regret, ranks, volumes, whole rows."""

import csv
import doctest
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from octavo.errors import SpaceError

OPTIMA = {
    "branin": [{"x": -np.pi, "y": 12.275}, {"x": np.pi, "y": 2.275}, {"x": 9.42478, "y": 2.475}],
    "hartmann6": [
        dict(zip([f"x{i}" for i in range(6)], at, strict=True))
        for at in [(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)]
    ],
    "rosenbrock8": [
        dict(zip([f"x{i}" for i in range(8)], at, strict=True))
        for at in [(6.0, -1.0, 7.0, 0.0, 5.5, -2.0, 8.0, -3.0)]
    ],
    "mixed": [
        {
            "a": 0.8, "b": -1.5, "rate": 10**-3.7, "decay": 1e-6, "depth": 9, "width": 200,
            "batch": 128, "activation": "silu", "solver": "lion", "shuffle": "no",
        }
    ],
    "conditional": [
        {"family": "machine", "scale": 0.7, "C": 10**1.2, "kernel": "rbf", "gamma": 10**-2.2}
    ],
    "nested": [
        {
            "rate": 10**-2.6, "first": "mix", "second": "cut", "third": "blur",
            "first_strength": 10**-1.4, "second_strength": 10**-0.9, "third_strength": 10**-0.4,
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMA)
def test_a_function_reaches_its_optimum_where_it_says(name):
    import functions

    task = functions.task(name)
    for config in OPTIMA[name]:
        task.space.check(config)
        assert task.cost(config) == pytest.approx(task.optimum, abs=1e-4)


@pytest.mark.parametrize("name", ["ackley10", "rastrigin5"])
def test_a_shifted_function_is_zero_at_its_shift(name):
    import functions

    at = {"ackley10": functions._ACKLEY_AT, "rastrigin5": functions._RASTRIGIN_AT}[name]
    task = functions.task(name)
    config = {f"x{i}": float(value) for i, value in enumerate(at)}
    task.space.check(config)
    assert task.cost(config) == pytest.approx(0.0, abs=1e-12)


def test_no_function_is_below_its_optimum_nor_best_at_its_default():
    import functions

    for name in functions.FUNCTIONS:
        task = functions.task(name)
        configs = task.space.decode(task.space.sample(500, np.random.default_rng(0)))
        costs = [task.cost(config) for config in configs]
        assert min(costs) >= task.optimum - 1e-9
        # The default must not be a gift: random search finds as good within the trials given.
        as_good = np.mean(np.array(costs) <= task.cost(task.space.default()))
        assert as_good > 0.01, name


def test_ablations_of_our_optimizers_go_by_name():
    from systems import load

    plain = load("octavo:gaussian-process/plain-improvement")
    assert plain.recipe.acquisition == "ei"
    assert load("octavo:gaussian-process").recipe.acquisition == "log-ei"
    assert load("octavo:sawei/fixed-weight").recipe.step == 0.0


def test_define_by_run_activates_exactly_what_the_space_does():
    import cash
    import conditions
    import functions

    for space in (cash.cash_space(), functions.conditional_space(), functions.nested_space()):
        parameters = conditions.in_order(space)
        for config in space.decode(space.sample(100, np.random.default_rng(1))):
            built = {}
            for parameter in parameters:
                if parameter.is_active(built):
                    built[parameter.name] = config[parameter.name]
            assert built == config


def test_a_live_evaluation_is_made_once_and_survives_a_cut_line(tmp_path):
    import cash

    calls = []

    def cost(config):
        calls.append(config)
        return config["x"] * 2.5

    path = tmp_path / "evaluations.jsonl"
    assert cash.Remembered(path, cost)({"x": 2, "kind": 'a "b", c'}) == 5.0
    path.write_bytes(path.read_bytes() + b'\n[{"x": 3}, 1')  # killed while it wrote
    again = cash.Remembered(path, cost)
    assert again({"kind": 'a "b", c', "x": 2}) == 5.0
    assert again({"x": 3}) == 7.5
    assert cash.Remembered(path, cost)({"x": 3}) == 7.5
    assert len(calls) == 2


def test_a_cross_validation_is_finite_and_repeatable():
    import cash

    space = cash.cash_space()
    for name in ("wine", "diabetes"):
        for config in space.decode(space.sample(3, np.random.default_rng(3))):
            cost = cash.evaluate(name, config)
            assert 0 < cost <= cash.WORST
            assert cash.evaluate(name, config) == cost


@given(n=st.integers(1, 12))
def test_a_staircase_has_the_volume_of_its_steps(n):
    from hypervolume import hypervolume

    stairs = np.array([[float(i), n - 1.0 - i] for i in range(n)])
    assert hypervolume(stairs, np.array([n, n], dtype=float)) == n * n - n * (n - 1) / 2
    flat = np.column_stack([stairs, np.zeros(n)])
    assert hypervolume(flat, np.array([n, n, 2.0])) == 2 * (n * n - n * (n - 1) / 2)


def test_three_objectives_agree_with_counting_a_grid():
    from hypervolume import hypervolume

    rng = np.random.default_rng(5)
    costs = rng.integers(0, 8, size=(12, 3)).astype(float)
    cells = np.stack(np.meshgrid(*[np.arange(8)] * 3), axis=-1).reshape(-1, 3)
    dominated = (cells[:, None, :] >= costs[None]).all(axis=2).any(axis=1).sum()
    assert hypervolume(costs, np.full(3, 8.0)) == dominated


def test_failures_share_the_last_rank_and_ties_their_mean():
    from comparison import ranks

    regret = np.array([0.1, 0.1 + 1e-13, np.nan, 0.5, np.nan]).reshape(5, 1, 1)
    assert ranks(regret).ravel().tolist() == [1.5, 1.5, 4.5, 3.0, 4.5]


def test_bootstrap_is_paired_and_centred():
    from comparison import bootstrap_means, p_worse

    base = np.random.default_rng(0).random((1, 8, 10))
    values = np.concatenate([base, 2 * base])
    means = bootstrap_means(values, n=400)
    np.testing.assert_allclose(means[1] / means[0], 2.0)  # the same tasks and seeds for both
    assert abs(means[0].mean() - base.mean()) < 0.02
    assert p_worse(2 * base[0, 0], base[0, 0]) < 0.01
    assert p_worse(base[0, 0], base[0, 0]) == 1.0


def test_a_cut_row_is_dropped_and_nothing_is_run_twice(tmp_path):
    from results import KEY, RowFile, fill

    path = tmp_path / "rows.csv"
    fields = (*KEY, "wall_s", "failed", "cost")
    keys = [("t", seed, "s", "1", 5) for seed in range(3)]
    ran = []

    def run(task, seed, system, trials):
        ran.append(seed)
        if seed == 1:
            raise RuntimeError("no, thanks")
        return {"cost": 1.5}

    fill(RowFile(path, fields), keys, run, hours=1)
    text = path.read_text()
    path.write_text(text + "t,9,s,1")  # killed while it wrote
    fill(RowFile(path, fields), keys, run, hours=1)
    assert path.read_text() == text and ran == [0, 1, 2]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["failed"] == "RuntimeError: no, thanks" and rows[2]["cost"] == "1.5"


def test_only_what_all_systems_have_is_compared():
    from reporting import paired

    frame = pd.DataFrame(
        [("a", 0, "s", 1.0), ("a", 0, "r", 2.0), ("a", 1, "s", 3.0), ("b", 0, "r", 4.0)],
        columns=["task", "seed", "system", "cost"],
    )
    values, tasks = paired(frame, ["s", "r"], "cost")
    assert tasks == ("a",) and values.tolist() == [[[1.0]], [[2.0]]]


def test_a_simulated_batch_keeps_its_workers_busy():
    import batches
    import functions

    class Counting:
        version = "0"

        def start(self, problem, seed):
            from octavo_system import OctavoSystem

            self.inner = OctavoSystem("random").start(problem, seed)
            self.most = 0
            return self

        def ask(self):
            asked = self.inner.ask()
            self.most = max(self.most, len(self.inner.pending))
            return asked

        def tell(self, asked, outcome):
            self.inner.tell(asked, outcome)

    system = Counting()
    record = batches.parallel(functions.task("branin"), system, 0, 30, 8)
    assert system.most == 8 and len(record.truths) == 30 and not system.inner.pending


def test_a_search_records_what_was_tried():
    import functions
    from octavo_system import OctavoSystem
    from searching import search
    from summarize import incumbents

    task = functions.task("branin")
    record = search(task, OctavoSystem("random"), 3, 20, report_at=(10, 20))
    best = [record.best(n) for n in (1, 10, 20)]
    assert incumbents(record.improvements(), [1, 10, 20]) == pytest.approx(best, rel=1e-9)
    assert task.cost(record.reported[10]) == record.best(10)


@pytest.mark.parametrize("name", ["task", "catalog", "hypervolume"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted and not result.failed


def test_a_failed_run_counts_as_the_last_rank_and_no_less_than_random_search(tmp_path):
    from reporting import read_rows
    from summarize import regrets

    path = tmp_path / "rows.csv"
    path.write_text(
        "task,seed,system,version,trials,failed,improvements\n"
        "function/branin,0,good,1,100,,1:20.5 30:0.5\n"
        "function/branin,0,weak,1,100,,1:80\n"
        "function/branin,0,dead,1,100,ValueError: x,\n"
    )
    found = regrets(read_rows([path], 100), ["good", "weak", "dead"], [25, 100])
    assert found.tasks == ("function/branin",)
    good, weak, dead = found.filled(100)[:, 0, 0]
    assert 0 < good < 0.1 and weak > 1 and dead == weak
    assert np.isnan(found.values[100][2, 0, 0])
    assert found.filled(25)[0, 0, 0] > 1  # before its improvement


def test_evaluations_get_plain_values_whatever_a_system_proposes(tmp_path):
    import cash
    from searching import evaluated

    task = cash.task("wine", tmp_path)
    plain = {
        "scaling": "standard", "family": "neighbours", "n_neighbors": 5,
        "weights": "uniform", "metric": "manhattan",
    }  # fmt: skip
    theirs = {
        name: np.str_(value) if isinstance(value, str) else np.int64(value)
        for name, value in plain.items()
    }
    assert evaluated(task, theirs, 0) == evaluated(task, plain, 0)
    with pytest.raises(SpaceError):
        evaluated(task, plain | {"n_neighbors": 0}, 0)
