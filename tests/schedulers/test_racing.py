"""Racing over instances: who is run on what, who wins, and what capping saves."""

import math
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

import octavo
from octavo.errors import ProblemError, SettingError, StudyError
from octavo.history import History
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.warmed import Warmed
from octavo.problem import Limits, Objective, Problem
from octavo.schedulers.raced import with_cutoff
from octavo.schedulers.racing import Racing
from octavo.schedulers.run_all import RunAll
from octavo.spaces import Categorical, Float, space
from octavo.standings import RACE
from octavo.study.reading import wrapped
from octavo.testing import live
from octavo.trial import Status, Trial

NAMES = tuple(f"i{number}" for number in range(8))
LETTERS = "abcdefghijkl"
FINITE = space(c=Categorical(list(LETTERS)))
TIME = (Objective("cpu_time"),)


def raced(recipe, problem, cost, seed=0, n=400, workers=1):
    """The trials of a race against a function (config, instance, seed) -> cost."""

    def respond(problem, proposal):
        value = cost(proposal.config, proposal.instance, proposal.seed)
        if proposal.cutoff_s is not None and value > proposal.cutoff_s:
            return Trial(proposal, Status.TIMEOUT, (math.nan,))
        return Trial(proposal, Status.SUCCESS, (value,))

    optimizer = recipe.start(problem, seed)
    moments = list(live(optimizer, problem, n=n, workers=workers, seed=seed, respond=respond))
    return list(moments[-1].told), moments


def by_config(trials, name="c"):
    groups = defaultdict(list)
    for trial in trials:
        groups[trial.config[name]].append(trial)
    return groups


def additive(config, instance, seed):
    """Harder from instance to instance, the same for all; "a" is best."""
    return 10.0 * NAMES.index(instance) + LETTERS.index(config["c"])


def test_who_is_always_worse_is_dropped_after_one_run_and_the_best_is_run_on_everything():
    problem = Problem(FINITE, instances=NAMES)
    trials, _ = raced(Racing(RandomSearch()), problem, additive)
    groups = by_config(trials)
    assert len(groups["a"]) == len(NAMES)
    incumbent = History(problem, trials).incumbent
    assert incumbent is not None and incumbent.config["c"] == "a"
    # Every other one that came after the best was run exactly once.
    first = min(trial.index for trial in groups["a"])
    later = [g for letter, g in groups.items() if letter != "a" and g[0].index > first]
    assert all(len(group) == 1 for group in later)


def test_a_challenger_that_keeps_up_is_run_on_twice_as_many_each_time():
    # Each letter is better than the one before: every challenger wins, and is run on everything
    # that the incumbent was run on.
    problem = Problem(FINITE, instances=NAMES)
    in_order = Warmed(first=[{"c": letter} for letter in LETTERS], inner=RandomSearch())

    def better(config, instance, seed):
        return -additive(config, instance, seed)

    trials, _ = raced(Racing(in_order), problem, better)
    path = [step.index for step in History(problem, trials).trajectory()]
    assert path == [min(t.index for t in group) for group in by_config(trials).values()]
    assert len(path) == len(LETTERS)
    # With several workers a level's runs go out together; the next level waits for them.
    _, moments = raced(Racing(in_order), problem, better, workers=4)
    largest = 0
    for moment in moments:
        incumbent = History(problem, moment.told).incumbent
        for letter, runs in by_config(moment.pending).items():
            done = sum(trial.config["c"] == letter for trial in moment.told)
            if incumbent is not None and incumbent.config["c"] != letter:
                assert done + len(runs) <= max(2 * done, 1)
                largest = max(largest, len(runs))
    assert largest >= 2


def test_the_first_incumbent_proves_itself_before_it_is_challenged():
    problem = Problem(FINITE, instances=NAMES)
    for wanted in (1, 3, 6):
        trials, _ = raced(Racing(RandomSearch(), first_runs=wanted), problem, additive, n=20)
        first = [trial.config for trial in trials[:wanted]]
        assert first.count(first[0]) == wanted and trials[wanted].config != first[0]


@pytest.mark.parametrize("workers", [1, 4])
def test_who_was_incumbent_is_compared_again_when_luck_has_run_out(workers):
    # "b" beats the default "a" on whatever comes first, and loses on the rest.
    problem = Problem(FINITE, instances=NAMES)
    in_order = Warmed(first=[{"c": "a"}, {"c": "b"}], inner=RandomSearch())
    recipe = Racing(in_order, first_runs=2, incumbent_runs=1)
    lucky = {trial.proposal.instance for trial in raced(recipe, problem, additive, n=3)[0][:2]}

    def cost(config, instance, seed):
        if config["c"] == "a":
            return 1.0
        if config["c"] == "b":
            return 0.5 if instance in lucky else 2.0
        return 9.0

    trials, _ = raced(recipe, problem, cost, workers=workers)
    history = History(problem, trials)
    letters = {trial.index: trial.config["c"] for trial in trials}
    path = [letters[step.index] for step in history.trajectory()]
    assert history.incumbent.config["c"] == "a" and "b" in path
    if workers > 1:
        return  # whoever came first was champion first
    assert path == ["a", "b", "a"]
    # It rested until there was twice as much to compare.
    after = [t for t in trials if t.config["c"] == "a"][2]
    before = {t.proposal.instance for t in trials if t.config["c"] == "b" and t.index < after.index}
    assert len(before) >= 4


def test_the_incumbent_is_run_as_often_as_is_asked_for_each_challenger():
    problem = Problem(FINITE, instances=tuple(map(str, range(60))))
    in_order = Warmed(first=[{"c": letter} for letter in LETTERS], inner=RandomSearch())
    for wanted in (1, 3):
        recipe = Racing(in_order, first_runs=1, incumbent_runs=wanted)
        # "a" stays incumbent, and all others are dropped after a run.
        trials, _ = raced(recipe, problem, lambda config, *_: LETTERS.index(config["c"]), n=12)
        names = [trial.config["c"] for trial in trials]
        others = [place for place, name in enumerate(names) if name != "a"]
        assert others == list(range(1, len(names), 1 + wanted))  # a b a.. c a.. d
        assert len({names[place] for place in others}) == len(others)


def test_who_is_safe_beats_who_is_quick_and_fails_now_and_then():
    # "a" takes a second and times out on one instance of ten, "b" takes two and never does.
    names = tuple(f"i{number}" for number in range(40))
    problem = Problem(space(c=Categorical(["a", "b"])), objectives=TIME, instances=names)
    in_order = Warmed(first=[{"c": "a"}, {"c": "b"}], inner=RandomSearch())

    def cost(config, instance, seed):
        return 2.0 if config["c"] == "b" else 99.0 if instance.endswith("7") else 1.0

    n_slower_at_first = 0
    for seed in range(10):
        recipe = Racing(in_order, cutoff_s=5, first_runs=20)
        trials, _ = raced(recipe, problem, cost, seed=seed, n=80)
        assert [t.config["c"] for t in trials[:20]] == ["a"] * 20
        if all(t.status is Status.SUCCESS for t in trials[:20]):
            continue  # nobody knows yet that it is not safe
        assert History(problem, trials).incumbent.config["c"] == "b"
        first = next(t.proposal.instance for t in trials if t.config["c"] == "b")
        n_slower_at_first += not first.endswith("7")
    assert n_slower_at_first >= 5


def test_runs_of_challengers_are_on_what_the_incumbent_was_run_on():
    problem = Problem(FINITE, instances=NAMES)
    _, moments = raced(Racing(RandomSearch()), problem, additive)
    for moment in moments:
        incumbent = History(problem, moment.told).incumbent
        if incumbent is None or moment.proposal is None:
            continue
        if moment.proposal.config != incumbent.config:
            done = {t.proposal.instance for t in moment.told if t.config == incumbent.config}
            assert moment.proposal.instance in done


@pytest.mark.parametrize("workers", [1, 8])
def test_the_best_mean_wins_where_every_instance_has_a_winner_of_its_own(workers):
    # "a" is second best everywhere; each other letter is best on one instance, bad elsewhere.
    def table(config, instance, seed):
        letter = LETTERS.index(config["c"])
        if letter == 0:
            return 1.0
        return 0.0 if letter - 1 == NAMES.index(instance) else 3.0 + 0.1 * letter

    problem = Problem(FINITE, instances=NAMES)
    wins = 0
    for seed in range(20):
        trials, _ = raced(Racing(RandomSearch()), problem, table, seed=seed, workers=workers)
        incumbent = History(problem, trials).incumbent
        wins += incumbent is not None and incumbent.config["c"] == "a"
    # It is rejected for good if its first run meets an incumbent on that one's own instance.
    assert wins >= 15


def test_workers_are_never_idle_while_there_is_something_to_try():
    problem = Problem(space(x=Float(0, 1)), instances=NAMES[:2])

    def cost(config, instance, seed):
        return config["x"] + NAMES.index(instance)

    _, moments = raced(Racing(RandomSearch()), problem, cost, n=120, workers=8)
    assert all(moment.proposal is not None for moment in moments)


def test_seeds_are_paired_over_configurations():
    problem = Problem(FINITE, instances=NAMES[:2], repeats=3)
    trials, _ = raced(Racing(RandomSearch()), problem, additive)
    best = {(t.proposal.instance, t.proposal.seed) for t in by_config(trials)["a"]}
    assert len(best) == 6 and len({seed for _, seed in best}) == 3
    assert {(t.proposal.instance, t.proposal.seed) for t in trials} <= best


def test_noise_is_averaged_over_seeds():
    problem = Problem(FINITE, instances=NAMES[:2], repeats=12)

    def noisy(config, instance, seed):
        rng = np.random.default_rng([seed, LETTERS.index(config["c"]), NAMES.index(instance)])
        return additive(config, instance, seed) + 3.0 * rng.standard_normal()

    found = []
    for seed in range(20):
        trials, _ = raced(Racing(RandomSearch()), problem, noisy, seed=seed)
        found.append(LETTERS.index(History(problem, trials).incumbent.config["c"]))
    assert np.mean(found) < 1.5  # drawn at random it would be 5.5


# Penalties and capping ------------------------------------------------------------------


def test_par10_prefers_who_solves_everything_and_par1_who_is_quick():
    # "a" takes 1 s and never ends on one of eight; "b" takes 2.5 s everywhere.
    def cost(config, instance, seed):
        if config["c"] == "a":
            return 99.0 if instance == "i3" else 1.0
        return 2.5

    problem = Problem(space(c=Categorical(["a", "b"])), objectives=TIME, instances=NAMES)
    configs = [{"c": "a"}, {"c": "b"}]
    for par, winner, mean in ((10.0, "b", 2.5), (1.0, "a", 12 / 8)):
        trials, _ = raced(RunAll(configs, cutoff_s=5.0, par=par), problem, cost)
        history = History(problem, trials)
        assert len(history) == 16 and history.incumbent.config["c"] == winner
        assert history.incumbent_cost == pytest.approx(mean)
        assert trials[0].proposal.origin.data[RACE] == {"failure_cost": par * 5.0}


def test_a_challenger_gets_what_is_left_of_the_incumbents_time():
    problem = Problem(FINITE, objectives=TIME, instances=NAMES)

    def seconds(config, instance, seed):
        return (1.0 + NAMES.index(instance)) * (1.0 + 0.15 * LETTERS.index(config["c"]))

    slack = 1.1
    recipe = Racing(RandomSearch(), cutoff_s=20.0, slack=slack)
    _, moments = raced(recipe, problem, seconds)
    n_capped = 0
    for moment in moments:
        history, proposal = History(problem, moment.told), moment.proposal
        if proposal is None or not proposal.origin.data[RACE].get("capped"):
            continue
        n_capped += 1
        best = history.incumbent.config
        its = {t.proposal.instance: t.costs[0] for t in moment.told if t.config == best}
        mine = {t.proposal.instance: t.costs[0] for t in moment.told if t.config == proposal.config}
        # At most the whole of what the incumbent took, and at least its part on these.
        spent = sum(mine.values())
        least = slack * sum(its[name] for name in {*mine, proposal.instance}) - spent
        assert least - 1e-9 <= proposal.cutoff_s <= slack * sum(its.values()) - spent + 1e-9
    assert n_capped > 5
    late = [t for t in moments[-1].told if t.status is Status.TIMEOUT]
    assert late and all(t.proposal.cutoff_s < 20.0 for t in late)
    letters = by_config(moments[-1].told)
    assert all(letters[t.config["c"]][-1] is t for t in late)  # never run again


def test_who_has_lost_stays_out_when_further_runs_of_it_come_back_later():
    problem = Problem(space(x=Float(0, 1)), objectives=TIME, instances=NAMES)

    def seconds(config, instance, seed):
        rng = np.random.default_rng([int(1e6 * config["x"]), NAMES.index(instance)])
        return 0.5 + float(rng.exponential())

    recipe = Racing(RandomSearch(), cutoff_s=20.0)
    _, moments = raced(recipe, problem, seconds, n=100, workers=4)
    n_late = 0
    for moment in moments:
        killed = {t.config["x"] for t in moment.told if t.status is Status.TIMEOUT}
        n_late += sum(trial.config["x"] in killed for trial in moment.pending)
        assert moment.proposal is None or moment.proposal.config["x"] not in killed
    assert n_late > 0  # there were such runs


@pytest.mark.parametrize("seed", range(3))
def test_capping_saves_most_of_the_time_and_finds_the_same(seed):
    problem = Problem(space(x=Float(0, 1)), objectives=TIME, instances=NAMES)

    def seconds(config, instance, seed):
        return 0.1 * (1 + NAMES.index(instance)) * 10 ** (2 * abs(config["x"] - 0.3))

    spent, found = {}, {}
    for capping in (True, False):
        recipe = Racing(RandomSearch(), cutoff_s=5.0, capping=capping)
        trials, _ = raced(recipe, problem, seconds, seed=seed, n=300)
        spent[capping] = sum(
            t.costs[0] if t.succeeded else t.proposal.cutoff_s for t in trials[:300]
        )
        configs = len({t.config["x"] for t in trials})
        spent[capping] /= configs
        found[capping] = abs(History(problem, trials).incumbent.config["x"] - 0.3)
    assert spent[True] < 0.6 * spent[False]
    assert found[True] < found[False] + 0.02


def test_only_times_are_capped_and_penalized_by_the_cutoff():
    problem = Problem(FINITE, instances=NAMES)
    trials, _ = raced(Racing(RandomSearch(), cutoff_s=100.0), problem, additive, n=40)
    assert all(t.proposal.cutoff_s == 100.0 for t in trials)
    assert not any(t.proposal.origin.data.get(RACE) for t in trials)
    recipe = Racing(RandomSearch(), failure_cost=7.0)
    assert recipe.start(problem, 0).ask(1)[0].origin.data[RACE] == {"failure_cost": 7.0}


def test_what_a_failure_counts_is_said_in_the_direction_of_the_objective():
    def accuracy(config, *, instance):
        if instance == "i1" and config["c"] == "b":
            raise ValueError("does not converge")
        return {"a": 0.6, "b": 0.9}[config["c"]]

    both = [{"c": "a"}, {"c": "b"}]
    for failure, best, value in ((0.0, "a", 0.6), (0.5, "b", 0.7)):
        study = octavo.minimize(
            accuracy, space(c=Categorical(["a", "b"])), instances=NAMES[:2], seed=0,
            objectives=[Objective("accuracy", maximize=True)],
            optimizer=RunAll(both, failure_cost=failure),
        )  # fmt: skip
        assert study.best_config["c"] == best and study.best_value == pytest.approx(value)


def burn(config, *, instance):
    """Uses CPU time for as long as the configuration and the instance say."""
    wanted = config["s"] * {"short": 1, "long": 3}[instance]
    began = time.process_time()
    while time.process_time() - began < wanted:
        pass
    return {"cpu_time": time.process_time() - began}


def test_runs_that_have_lost_are_really_killed():
    # One good configuration of 0.05 s and seven of 1 s or 3 s: without capping, runs of the bad
    # ones alone would take 7 s of CPU time at least.
    choices = Categorical([0.05, *(1.0 + 0.01 * k for k in range(7))], default=0.05)
    study = octavo.minimize(
        burn, space(s=choices), objectives=["cpu_time"], instances=["short", "long"],
        optimizer=Racing(RandomSearch()), first=[{"s": 0.05}], trial_cpu_time=5, workers=2,
        seed=1, time_limit="60s",
    )  # fmt: skip
    assert study.best_config["s"] == 0.05
    assert 0.05 <= study.best_value < 0.4
    capped = [t for t in study.history if t.status is Status.TIMEOUT]
    assert len(capped) >= 4
    for trial in capped:
        assert trial.proposal.cutoff_s < 1.0
        # Killed soon after its cutoff: polls are some tens of milliseconds apart.
        assert trial.resources.cpu_s < trial.proposal.cutoff_s + 0.5
    # The penalty comes from the limit on trials.
    assert all(t.proposal.origin.data[RACE]["failure_cost"] == 50.0 for t in study.history)
    study.close()


def test_the_cutoff_of_a_race_gets_runs_a_process_of_their_own():
    def nap(config, *, instance):
        time.sleep({"slow": 60.0, "quick": 0.0}[config["pace"]])

    study = octavo.minimize(
        nap, space(pace=Categorical(["slow", "quick"])), objectives=["wall_time"],
        instances=["only"], optimizer=Racing(RandomSearch(), cutoff_s=1.5), seed=0,
    )  # fmt: skip
    assert study.best_config["pace"] == "quick"
    quick, slow = sorted(study.history, key=lambda trial: trial.config["pace"])
    assert slow.status is Status.TIMEOUT and slow.resources.wall_s < 30  # of the minute
    assert 0 <= quick.costs[0] < 1.5


# The surrogate ---------------------------------------------------------------------------


def test_the_forest_knows_that_a_run_on_a_hard_instance_says_little_of_its_configuration():
    # Costs differ by 100 between instances and by less than 2 between configurations: with
    # features, what is proposed after thirty runs lies nearer to the best.
    names = tuple(f"i{number}" for number in range(20))
    features = {name: (float(number), float(number % 3)) for number, name in enumerate(names)}
    whole = Problem(space(x=Float(0, 1), z=Float(0, 1)), instances=names)

    def cost(config, instance, seed):
        hard = 10 ** (names.index(instance) / 10)
        return hard * (1.0 + abs(config["x"] - 0.7) + 0.2 * config["z"])

    recipe = Racing(RandomForestBO(n_initial=6, random_share=0.0))
    gaps = {}
    for known in (False, True):
        problem = replace(whole, instance_features=features) if known else whole
        proposed = []
        for seed in range(2):
            trials, _ = raced(recipe, problem, cost, seed=seed, n=90)
            new = {t.config["x"]: t for t in trials}
            late = sorted(new.values(), key=lambda t: t.index)[-10:]
            proposed += [abs(t.config["x"] - 0.7) for t in late]
        gaps[known] = np.mean(proposed)
    assert gaps[True] < 0.15  # at random: 0.29
    assert gaps[True] < gaps[False] + 0.05


def test_many_features_become_few_components():
    from octavo.numerics.principal_components import unit_components

    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 2))
    X = np.column_stack([hidden @ rng.normal(size=(2, 40)), np.full(60, 3.0)])
    found = unit_components(X, most=7)
    assert found.shape == (60, 2)  # there is no more in them
    assert found.min() == 0 and found.max() == 1
    # The first two components span what made the features.
    fit = np.column_stack([found, np.ones(60)])
    rest = hidden - fit @ np.linalg.lstsq(fit, hidden, rcond=None)[0]
    assert np.abs(rest).max() < 1e-8
    assert unit_components(np.full((5, 3), 2.0), most=7).shape == (5, 0)


# In a study ------------------------------------------------------------------------------


def cost_of(config, *, instance, seed):
    return (config["x"] - 0.6) ** 2 + NAMES.index(instance) / 10


def test_a_study_with_instances_is_raced_and_says_so():
    study = octavo.minimize(
        cost_of, {"x": Float(0, 1)}, instances=NAMES, max_trials=60, seed=0, workers=None
    )
    assert isinstance(study.recipe, Racing)
    assert "raced over 8 instances" in study.why
    asked = octavo.Study({"x": Float(0, 1)}, instances=NAMES, optimizer="racing")
    assert asked.why.startswith("Racing(inner=RandomForestBO(")
    assert abs(study.best_config["x"] - 0.6) < 0.15
    assert study.recommend().config == study.best_config
    frame = study.history.to_frame()
    assert set(frame["instance"]) <= set(NAMES)
    with pytest.raises(StudyError, match="no completed trial"):
        octavo.Study({"x": Float(0, 1)}, instances=NAMES).best


def test_resuming_goes_on_as_if_it_had_never_stopped(tmp_path):
    given = {"instances": NAMES, "optimizer": Racing(RandomSearch()), "seed": 3}
    whole = octavo.minimize(cost_of, {"x": Float(0, 1)}, max_trials=40, **given)
    folder = tmp_path / "study"
    octavo.minimize(cost_of, {"x": Float(0, 1)}, max_trials=17, storage=folder, **given).close()
    with octavo.open_study(folder) as study:
        study.resume(cost_of, max_trials=40)
        assert [t.proposal for t in study.history] == [t.proposal for t in whole.history]
        assert study.best_config == whole.best_config


@pytest.mark.parametrize("name", ["racing", "irace"])
def test_first_configurations_take_part(name):
    study = octavo.minimize(
        cost_of, {"x": Float(0, 1)}, instances=NAMES, max_trials=50, seed=0,
        first=[{"x": 0.6}], optimizer=name,
    )  # fmt: skip
    assert study.best_config["x"] == 0.6
    assert any(t.config["x"] == 0.6 and t.index < 12 for t in study.history)


def test_first_configurations_are_run_where_all_are():
    problem = Problem(FINITE, instances=NAMES[:2])
    recipe = wrapped(RunAll([{"c": "b"}]), problem, [{"c": "a"}])
    trials, _ = raced(recipe, problem, additive)
    assert {letter: len(group) for letter, group in by_config(trials).items()} == {"a": 2, "b": 2}


def test_the_limit_on_trials_is_the_cutoff_of_times_only():
    timed = Problem(FINITE, objectives=TIME, instances=NAMES)
    limits = {"wall_s": 9.0, "cpu_s": 4.0}
    assert with_cutoff(Racing(), timed, limits).cutoff_s == 4.0
    assert with_cutoff(Racing(cutoff_s=2.0), timed, limits).cutoff_s == 2.0
    assert with_cutoff(Racing(), Problem(FINITE, instances=NAMES), limits).cutoff_s is None
    wall = replace(timed, objectives=(Objective("wall_time"),))
    assert with_cutoff(Racing(), wall, limits).cutoff_s == 9.0


def test_one_seed_and_no_instances_is_the_inner_optimizer_alone():
    problem = Problem(FINITE, limits=Limits(max_trials=20))
    assert Racing(RandomSearch()).start(problem, 0).ask(5) == RandomSearch().start(problem, 0).ask(
        5
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutoff_s": 0.0}, "cutoff_s=0.0 must be a positive number of seconds"),
        ({"par": 0.5}, "par=0.5 must be at least 1"),
        ({"failure_cost": math.inf}, "failure_cost=inf must be a finite number"),
        ({"slack": 0.9}, "slack=0.9 must be at least 1"),
        ({"first_runs": 0}, "first_runs=0"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(SettingError, match=message):
        Racing(**settings)


def test_a_queued_configuration_takes_part_and_a_target_must_hold_on_all_instances():
    study = octavo.Study({"x": Float(0, 1)}, instances=NAMES, optimizer=Racing(RandomSearch()))
    study.enqueue({"x": 0.6})
    with pytest.raises(StudyError, match="does not say on which one"):
        study.tell({"x": 0.5}, 1.0)
    # The easiest instance alone is at 0.0: on all eight, 0.35 is the mean of the best.
    study.run(cost_of, target=0.3505, max_trials=400)
    assert study.best_config == {"x": 0.6}
    assert study.stopped_because == "the target of 0.3505 is reached"
    assert study.history.standings()[0].n_runs == len(NAMES)


# Validation ------------------------------------------------------------------------------


def test_validation_runs_the_best_on_other_instances_and_teaches_the_search_nothing(
    tmp_path, caplog
):
    train, held_out = NAMES[:5], NAMES[5:]
    study = octavo.minimize(
        cost_of, {"x": Float(0, 1)}, instances=train, max_trials=40, seed=0,
        storage=tmp_path / "study", optimizer=Racing(RandomSearch()),
    )  # fmt: skip
    n = len(study.history)
    with study.validate(held_out, n_best=2, configs=[{"x": 0.0}]) as validation:
        rows = validation.history.standings()
        assert len(rows) == 3 and all(row.is_complete and row.n_runs == 3 for row in rows)
        assert {t.proposal.instance for t in validation.history} == set(held_out)
        costs = {row.config["x"]: row.cost for row in rows}
        assert costs[0.0] == pytest.approx(0.36 + 0.6)
        assert validation.best_config["x"] != 0.0
        folder = validation.folder
    assert len(study.history) == n and folder.is_relative_to(study.folder)
    with study.validate(held_out, n_best=2, configs=[{"x": 0.0}]) as again:
        assert again.folder == folder and len(again.history) == 9  # nothing was run twice
    with pytest.raises(ProblemError, match="instances is empty"):
        study.validate([])
    with pytest.raises(ProblemError, match="instances=None is of type NoneType"):
        study.validate(None)
    with pytest.raises(ProblemError, match="'i6' more than once"):
        study.validate(["i6", "i6"])
    assert "are among those of the search" not in caplog.text
    study.validate([train[0], *held_out]).close()
    assert "1 of 4 instances are among those of the search, such as 'i0'" in caplog.text
    with pytest.raises(ProblemError, match="nothing to validate"):
        study.validate(held_out, n_best=0)
    study.close()


def test_validation_has_seeds_of_its_own():
    def noisy(config, *, instance, seed):
        return config["x"] + seed / 2**31

    given = {"instances": NAMES[:2], "repeats": 3, "optimizer": Racing(RandomSearch()), "seed": 0}
    study = octavo.minimize(noisy, {"x": Float(0, 1)}, max_trials=20, **given)
    seeds = {trial.proposal.seed for trial in study.history}
    validation = study.validate(NAMES[2:4], noisy)
    assert len({trial.proposal.seed for trial in validation.history} - seeds) == 3
    again = study.validate(NAMES[2:4], noisy)
    assert [t.proposal for t in again.history] == [t.proposal for t in validation.history]


def test_a_validation_in_memory_uses_the_penalties_of_the_race():
    def slow(config, *, instance):
        if instance == "i7":
            raise TimeoutError("for ever")
        return {"cpu_time": config["x"]}

    study = octavo.minimize(
        slow, {"x": Float(0.1, 1)}, objectives=["cpu_time"], instances=NAMES[:2], max_trials=20,
        seed=0, optimizer=Racing(RandomSearch(), cutoff_s=5.0),
    )  # fmt: skip
    validation = study.validate(NAMES[6:], slow)
    (row,) = validation.history.standings()
    assert row.n_failed == 1
    assert row.cost == pytest.approx((row.config["x"] + 50.0) / 2)
