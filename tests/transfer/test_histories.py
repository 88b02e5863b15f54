"""From histories of searches to a matrix: what was tried, what is predicted, what stays unknown."""

import numpy as np
import pytest

import octavo
from octavo.errors import DataError
from octavo.history import History
from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.transfer import KnownTask, best_configs, build_portfolio, from_histories
from octavo.transfer.histories import observed, typical_deadlines
from octavo.trial import Proposal, Resources, Status, Trial

HERE = space(x=Float(0, 1), kind=Categorical(["a", "b"]))
INF = np.inf


def trial(index, config, cost=None, *, status=Status.SUCCESS, seconds=None, constraints=(), **how):
    costs = (float("nan") if cost is None else cost,)
    took = Resources(wall_s=seconds)
    return Trial(Proposal(index, config, **how), status, costs, constraints, resources=took)


def searched(optimum, *, n=40, seed=0, here=HERE):
    """A random search on a task whose best configuration is known; seconds grow with x."""
    rng = np.random.default_rng(seed)
    configs = here.decode(here.sample(n, rng))
    return History(Problem(here), [
        trial(i, config, 10 + (config["x"] - optimum) ** 2 + (config["kind"] == "b"),
              seconds=1 + 9 * config["x"])
        for i, config in enumerate(configs)
    ])  # fmt: skip


def test_each_configuration_is_one_row_whatever_came_of_its_trials():
    problem = Problem(HERE, constraints=(Constraint("size", high=5),))
    a, b, c, d = ({"x": x, "kind": "a"} for x in (0.1, 0.2, 0.3, 0.4))
    history = History(problem, [
        trial(0, a, 1.0, seconds=2.0, constraints=(1,)),
        trial(1, b, status=Status.TIMEOUT, seconds=60.0),
        trial(2, a, 3.0, seconds=4.0, constraints=(1,)),
        trial(3, c, 0.0, constraints=(9,)),
        trial(4, d, status=Status.CANCELLED),
        trial(5, a, status=Status.CRASHED),
    ])  # fmt: skip
    seen = observed(history)
    assert seen.configs == [a, b, c]
    assert seen.costs.tolist() == [2.0, INF, INF]
    assert seen.seconds.tolist()[:2] == [3.0, 60.0]
    assert best_configs(history, 3) == [a]


def test_only_the_full_fidelity_counts_and_races_are_refused():
    problem = Problem(HERE, fidelity=Fidelity("epochs", 1, 9))
    low, full = {"x": 0.1, "kind": "a"}, {"x": 0.2, "kind": "a"}
    history = History(problem, [trial(0, low, 0.0, fidelity=1), trial(1, full, 5.0, fidelity=9)])
    assert observed(history).configs == [full]
    race = History(Problem(HERE, instances=("i", "j")), [trial(0, low, 0.0, instance="i")])
    with pytest.raises(DataError, match=r"2 instances.*do not compare"):
        observed(race)


def test_costs_that_were_maximized_are_minimized_here():
    problem = Problem(HERE, objectives=(Objective("auc", maximize=True),))
    good, bad = {"x": 0.1, "kind": "a"}, {"x": 0.2, "kind": "a"}
    history = History(problem, [trial(0, bad, -0.6), trial(1, good, -0.9)])
    assert best_configs(history) == [good]


def test_what_a_task_did_not_try_is_predicted_and_marked():
    tasks = [KnownTask(str(o), searched(o, seed=i)) for i, o in enumerate((0.2, 0.5, 0.8))]
    seen = from_histories(tasks, candidates=5)
    assert len(seen.configs) == 15
    assert np.isfinite(seen.costs).all()
    for row in range(3):
        assert (~seen.predicted[row]).sum() >= 5  # its own candidates at least
    errors, times = [], []
    for row, optimum in enumerate((0.2, 0.5, 0.8)):
        for column, config in enumerate(seen.configs):
            truth = 10 + (config["x"] - optimum) ** 2 + (config["kind"] == "b")
            if seen.predicted[row, column]:
                errors.append(abs(seen.costs[row, column] - truth))
                times.append(seen.seconds[row, column] / (1 + 9 * config["x"]))
            else:
                assert seen.costs[row, column] == pytest.approx(truth)
    assert np.mean(errors) < 0.05
    assert np.median(times) == pytest.approx(1.0, abs=0.25)
    portfolio = build_portfolio(seen, size=4)
    assert portfolio.origin["share_predicted"] == pytest.approx(seen.predicted.mean(), abs=1e-3)
    assert all(member["kind"] == "a" for member in portfolio.members)


def test_without_prediction_or_evidence_holes_stay_unknown():
    tasks = [KnownTask("p", searched(0.2)), KnownTask("q", searched(0.8, seed=1))]
    seen = from_histories(tasks, candidates=5, predict=False)
    assert not seen.predicted.any()
    assert np.isnan(seen.costs).sum() == 10
    few = [KnownTask("p", searched(0.2, n=6)), KnownTask("q", searched(0.8, n=6, seed=1))]
    assert not from_histories(few).predicted.any()


def test_configurations_that_take_no_time_are_ordered_by_time_too():
    configs = HERE.decode(HERE.sample(20, np.random.default_rng(0)))
    quick = History(Problem(HERE), [
        trial(i, config, config["x"], seconds=1e-6) for i, config in enumerate(configs)
    ])  # fmt: skip
    tasks = [KnownTask("p", quick), KnownTask("q", quick)]
    low, high = typical_deadlines(tasks)
    assert 0 < low < high
    assert len(build_portfolio(from_histories(tasks), size=3, deadlines=(low, high))) >= 1


def test_a_forest_that_cannot_rank_predicts_nothing():
    rng = np.random.default_rng(0)
    noise = searched(0.5)
    noise = History(noise.problem, [
        trial(t.index, t.config, float(rng.normal())) for t in noise
    ])  # fmt: skip
    seen = from_histories([KnownTask("noise", noise), KnownTask("q", searched(0.8, seed=1))])
    assert not seen.predicted[0].any()
    assert seen.predicted[1].any()


def test_spaces_may_differ():
    wider = space(
        model=Categorical(["tree", "net"]),
        depth=Integer(1, 8).when(model="tree"),
        width=Integer(1, 8).when(model="net"),
    )
    narrower = space(
        model=Categorical(["tree"]),
        depth=Integer(1, 4).when(model="tree"),
        text=Categorical(["s", "t"]),
    )
    net, tree = {"model": "net", "width": 3}, {"model": "tree", "depth": 4}
    one = History(Problem(wider), [trial(0, net, 0.0), trial(1, tree, 1.0)])
    other = History(Problem(narrower), [
        trial(0, {**tree, "text": "s"}, 5.0, seconds=2.0),
        trial(1, {"model": "tree", "depth": 1, "text": "t"}, 6.0, seconds=2.0),
    ])  # fmt: skip
    seen = from_histories([KnownTask("one", one), KnownTask("other", other)])
    at = {tuple(sorted(config.items())): i for i, config in enumerate(seen.configs)}
    column = at[tuple(sorted(net.items()))]
    assert np.isnan(seen.costs[1, column])  # there are no nets there
    assert seen.seconds[1, column] == 0
    assert seen.costs[1, at[tuple(sorted(tree.items()))]] == 5.0  # text takes its default, "s"


def test_histories_without_any_success_are_named():
    failed = History(Problem(HERE), [trial(0, {"x": 0.1, "kind": "a"}, status=Status.CRASHED)])
    with pytest.raises(DataError, match="history of 'bad' has 1 trials, and none succeeded"):
        from_histories([KnownTask("good", searched(0.5)), KnownTask("bad", failed)])
    with pytest.raises(DataError, match="0 histories"):
        from_histories([])


def test_a_new_search_is_warm_from_studies():
    here = octavo.space(x=octavo.Float(0, 1), y=octavo.Float(0, 1))

    def cost_at(optimum):
        return lambda config: abs(config["x"] - optimum) + abs(config["y"] - 0.3)

    tasks = [
        KnownTask(str(o), octavo.minimize(cost_at(o), here, max_trials=25, seed=i).history)
        for i, o in enumerate((0.5, 0.6, 0.7))
    ]
    portfolio = build_portfolio(from_histories(tasks), size=5)
    cold = octavo.minimize(cost_at(0.62), here, max_trials=5, seed=9)
    warm = octavo.minimize(
        cost_at(0.62), here, max_trials=5, seed=9, first=portfolio.first_in(here)
    )
    assert warm.best_value < 0.5 * cold.best_value
