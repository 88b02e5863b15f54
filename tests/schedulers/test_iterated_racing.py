"""Iterated racing: tests drop the worse, elites stay, draws close in on them."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from octavo.errors import SettingError, SpaceError
from octavo.history import History
from octavo.problem import Limits, Objective, Problem
from octavo.schedulers.around_elites import AroundElites, truncated_normal
from octavo.schedulers.budget import Meter
from octavo.schedulers.iterated_racing import IteratedRacing
from octavo.spaces import Categorical, Float, Integer, space
from octavo.standings import RACE
from octavo.testing import live
from octavo.trial import Proposal, Resources, Status, Trial

NAMES = tuple(f"i{number}" for number in range(12))
SPACE = space(x=Float(0, 1), k=Integer(1, 50), c=Categorical(list("abcd")))


def cost(proposal):
    """Best at x = 0.3, k = 10 and "c"; instances differ by far more than configurations."""
    config = proposal.config
    miss = abs(config["x"] - 0.3) + abs(config["k"] - 10) / 50 + 0.5 * (config["c"] != "c")
    return (0.2 + miss) * 10 ** (NAMES.index(proposal.instance) / 6)


def respond(problem, proposal):
    value = cost(proposal)
    if proposal.cutoff_s is not None and value > proposal.cutoff_s:
        return Trial(proposal, Status.TIMEOUT, (math.nan,), resources=Resources(cpu_s=value))
    return Trial(proposal, Status.SUCCESS, (value,), resources=Resources(cpu_s=value))


def raced(recipe, problem, n, seed=0, workers=1):
    optimizer = recipe.start(problem, seed)
    moments = list(live(optimizer, problem, n=n, seed=seed, workers=workers, respond=respond))
    return list(moments[-1].told), moments


def races(trials):
    groups = defaultdict(list)
    for trial in trials:
        groups[int(trial.proposal.origin.intent.split()[1].rstrip(","))].append(trial)
    return groups


def miss(config):
    return abs(config["x"] - 0.3) + abs(config["k"] - 10) / 50 + 0.5 * (config["c"] != "c")


@pytest.mark.parametrize("workers", [1, 8])
def test_it_finds_the_best_over_instances(workers):
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=400))
    found, at_random = [], []
    for seed in range(4):
        trials, _ = raced(IteratedRacing(), problem, 400, seed=seed, workers=workers)
        history = History(problem, trials)
        found.append(miss(history.incumbent.config))
        n = len({str(sorted(t.config.items())) for t in trials})
        rng = np.random.default_rng(seed)
        drawn = problem.space.decode(problem.space.sample(33, rng))  # 400 runs on all twelve
        at_random.append(min(map(miss, drawn)))
        assert n > 40  # most configurations are dropped early
    assert np.mean(found) < np.mean(at_random)
    assert np.mean(found) < 0.15


def test_races_follow_one_another_around_their_elites():
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=400))
    trials, _ = raced(IteratedRacing(), problem, 400)
    groups = races(trials)
    assert len(groups) >= 3
    spread = {number: np.std([t.config["x"] for t in group]) for number, group in groups.items()}
    assert spread[max(groups)] < 0.5 * spread[1]
    # What is new in the second race names the elite that it was drawn around.
    before = {str(t.config) for t in groups[1]}
    new = [t for t in groups[2] if str(t.config) not in before]
    assert new and all(len(t.proposal.origin.parents) == 1 for t in new)
    # No race of the planned ones takes more than its share by far.
    assert len(groups[1]) < 400 / 2


def test_nobody_is_dropped_before_the_first_test():
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=300))
    trials, _ = raced(IteratedRacing(first_test=4), problem, 300)
    runs = defaultdict(set)
    for trial in races(trials)[1]:
        runs[str(trial.config)].add(trial.proposal.instance)
    assert min(map(len, runs.values())) == 4
    assert sum(len(names) == 4 for names in runs.values()) > len(runs) / 4


def test_an_elite_outlives_who_was_run_on_fewer_instances():
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=400))
    _, moments = raced(IteratedRacing(), problem, 400)
    told = moments[-1].told
    groups = races(told)
    for number in range(2, max(groups)):
        earlier = History(problem, [t for t in told if t.index < groups[number][0].index])
        best = earlier.incumbent.config
        known = {t.proposal.instance for t in earlier if t.config == best}
        # Whoever takes over was run on all that the incumbent had been run on.
        after = History(problem, told[: max(told.index(t) for t in groups[number]) + 1])
        winner = after.incumbent.config
        its = {t.proposal.instance for t in after if t.config == winner}
        assert known <= its


def test_times_are_compared_by_means_and_capped_against_elites():
    problem = Problem(
        SPACE, objectives=(Objective("cpu_time"),), instances=NAMES, limits=Limits(cpu_s=3000.0)
    )
    spent = {True: 0.0, False: 0.0}
    for capping, seed in itertools.product((True, False), range(2)):
        recipe = IteratedRacing(cutoff_s=30.0, capping=capping)
        trials, _ = raced(recipe, problem, 350, seed=seed)
        spent[capping] += np.mean(
            [t.costs[0] if t.succeeded else t.proposal.cutoff_s for t in trials]
        )
        capped = [t for t in trials if t.proposal.origin.data[RACE].get("capped")]
        assert bool(capped) == capping
        killed = [t for t in capped if t.status is Status.TIMEOUT]
        for trial in killed:
            later = [t for t in trials if t.config == trial.config and t.index > trial.index]
            assert not later  # out of the race
    assert spent[True] < spent[False]


@pytest.mark.parametrize("test", ["friedman", "t"])
def test_a_single_instance_and_a_small_space_come_to_an_end(test):
    problem = Problem(space(c=Categorical(list("abcd"))), instances=("only",))

    def answers(problem, proposal):
        return Trial(proposal, Status.SUCCESS, (float("abcd".index(proposal.config["c"])),))

    optimizer = IteratedRacing(test=test).start(problem, 0)
    moments = list(live(optimizer, problem, n=40, workers=8, respond=answers))
    assert moments[-1].proposal is None and len(moments[-1].told) == 4
    assert History(problem, moments[-1].told).incumbent.config["c"] == "a"


def test_all_failures_of_a_broken_configuration_lose():
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=250))

    def answers(problem, proposal):
        if proposal.config["c"] == "c":
            return Trial(proposal, Status.CRASHED, (math.nan,))
        return respond(problem, proposal)

    optimizer = IteratedRacing().start(problem, 0)
    *_, last = live(optimizer, problem, n=250, workers=4, respond=answers)
    groups = races(last.told)
    share = np.mean([t.config["c"] == "c" for t in groups[max(groups)]])
    assert share < 0.1
    assert History(problem, last.told).incumbent.config["c"] != "c"


def test_races_beyond_the_planned_ones_still_find_something_new():
    # One instance: races are short, and there are dozens of them.
    problem = Problem(space(x=Float(0, 1)), instances=("only",))

    def answers(problem, proposal):
        return Trial(proposal, Status.SUCCESS, (abs(proposal.config["x"] - 0.3),))

    *_, last = live(IteratedRacing().start(problem, 0), problem, n=300, respond=answers)
    groups = races(last.told)
    assert len(groups) > 30  # widths would be 1e-19 and less by then
    assert np.mean([len(groups[number]) for number in range(20, 30)]) > 2
    # Choices vary too, though a single race was planned.
    problem = Problem(SPACE, instances=NAMES)
    trials, _ = raced(IteratedRacing(n_iterations=1), problem, 300)
    late = [trial for number, group in races(trials).items() if number > 2 for trial in group]
    by_index = {trial.index: trial.config["c"] for trial in trials}
    new = {str(t.config): t for t in late if t.proposal.origin.parents}.values()
    changed = [t.config["c"] != by_index[t.proposal.origin.parents[0]] for t in new]
    assert 0.05 < np.mean(changed) < 0.6  # (1 - 0.2 ** (1 / 3)) * 3 / 4 is 0.31


@given(mean=st.floats(0, 1), width=st.floats(0.01, 2), u=st.floats(0, 0.999, exclude_max=True))
def test_truncated_normals_are_scipys(mean, width, u):
    found = truncated_normal(np.array([mean]), width, np.array([u]))[0]
    low, high = -mean / width, (1 - mean) / width
    expected = stats.truncnorm.ppf(u, low, high, loc=mean, scale=width)
    assert found == pytest.approx(expected, abs=1e-6)


def test_draws_prefer_the_best_elite_and_keep_what_it_chose():
    rng = np.random.default_rng(0)
    elites = SPACE.encode([{"x": 0.2, "k": 5, "c": "a"}, {"x": 0.8, "k": 45, "c": "b"}])
    points, parents = AroundElites(SPACE).draw(3000, elites, width=0.05, kept=0.8, rng=rng)
    # Of two elites the first is a parent twice as often; 6 standard deviations are 0.052.
    assert abs(np.mean(parents == 0) - 2 / 3) < 0.052
    configs = SPACE.decode(points)
    x = np.array([config["x"] for config in configs])
    assert abs(x[parents == 0].mean() - 0.2) < 0.01 and abs(x[parents == 1].mean() - 0.8) < 0.01
    kept = np.mean([config["c"] == "ab"[p] for config, p in zip(configs, parents, strict=True)])
    assert abs(kept - (0.8 + 0.2 / 4)) < 0.04


def test_who_goes_on_beyond_the_plan_gets_races_of_some_size():
    problem = Problem(SPACE, instances=NAMES, limits=Limits(max_trials=120))
    trials, _ = raced(IteratedRacing(), problem, 300)
    groups = races([trial for trial in trials if trial.index >= 120])
    new = [{str(t.config) for t in group} for group in list(groups.values())[1:-1]]
    known = {str(trial.config) for trial in trials[:120]}
    assert new and np.mean([len(configs - known) for configs in new]) > 5  # by 120 trials, 3


def test_meters_count_in_the_unit_of_the_limit():
    def trial(index, **more):
        return Trial(Proposal(index, {}), Status.SUCCESS, (1.0,), **more)

    by_number, by_cpu = Meter(Limits(max_trials=10)), Meter(Limits(cpu_s=60.0), cutoff_s=4.0)
    by_wall, endless = Meter(Limits(wall_s=100.0)), Meter(Limits())
    assert by_cpu.per_run == 1.0  # a quarter of the cutoff, before there are any
    for index in range(4):
        done = trial(
            index, resources=Resources(cpu_s=3.0), started=5.0 * index, ended=5.0 * index + 10
        )
        for meter in (by_number, by_cpu, by_wall, endless):
            meter.add(done)
    assert (by_number.used, by_cpu.used, by_wall.used) == (4, 12.0, 25.0)
    assert (by_number.left, by_cpu.left, by_wall.left) == (6, 48.0, 75.0)
    assert by_wall.per_run == 6.25 and math.isinf(endless.left)
    for index in range(4, 10):
        by_number.add(trial(index))
    assert by_number.used == 10 and math.isinf(by_number.left)


def test_settings_that_make_no_sense():
    with pytest.raises(SettingError, match="test='z' is neither"):
        IteratedRacing(test="z")
    with pytest.raises(SettingError, match=r"confidence=1\.5"):
        IteratedRacing(confidence=1.5)
    with pytest.raises(SpaceError):
        IteratedRacing(first=[{"y": 1}]).start(Problem(SPACE, instances=NAMES), 0)
