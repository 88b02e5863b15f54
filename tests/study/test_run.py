"""The loop: limits, determinism, steering, what callbacks hear."""

from __future__ import annotations

import threading
import time

import pytest

import octavo
from octavo.callbacks import Completed, Ended, Started, StopWhenHopeless, Submitted
from octavo.errors import SettingError
from octavo.problem import TrialLimits
from octavo.storage import Command, send
from octavo.study import Study, minimize, open_study
from octavo.trial import Status

SPACE = octavo.space(x=octavo.Float(-5, 5), kind=octavo.Categorical(["bowl", "cliff"]))


def cost(config, *, seed):
    return (config["x"] - 1) ** 2 + (config["kind"] == "cliff")


def slow(config):
    time.sleep(0.05)
    return config["x"]


def record(study):
    return [(t.index, dict(t.config), t.costs, t.proposal.seed, t.status) for t in study.history]


def test_all_trials_are_run():
    study = minimize(cost, SPACE, max_trials=7, seed=0)
    assert len(study.history) == 7
    assert study.stopped_because == "all 7 trials are done"


@pytest.mark.parametrize("optimizer", ["random", "sobol", "random-forest", "regularized-evolution"])
def test_the_same_seed_gives_the_same_run(optimizer):
    first = minimize(cost, SPACE, max_trials=25, seed=4, optimizer=optimizer)
    again = minimize(cost, SPACE, max_trials=25, seed=4, optimizer=optimizer)
    other = minimize(cost, SPACE, max_trials=25, seed=5, optimizer=optimizer)
    assert record(first) == record(again)
    assert record(first) != record(other)


@pytest.mark.parametrize("stop_at", [1, 9, 17])
@pytest.mark.parametrize("optimizer", ["random-forest", "regularized-evolution"])
def test_a_resumed_run_is_the_run_that_was_not_left(tmp_path, optimizer, stop_at):
    steady = minimize(cost, SPACE, max_trials=20, seed=1, optimizer=optimizer)

    def power_cut(event):
        if isinstance(event, Submitted) and event.proposal.index == stop_at:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        minimize(
            cost, SPACE, max_trials=20, seed=1, optimizer=optimizer,
            storage=tmp_path / "s", callbacks=[power_cut],
        )  # fmt: skip
    with open_study(tmp_path / "s") as study:
        assert len(study.history) == stop_at
        study.resume()
        assert record(study) == record(steady)


def test_the_time_limit_counts_from_the_call_to_the_return():
    began = time.monotonic()
    study = minimize(slow, SPACE, time_limit=1.0, seed=0, optimizer="random")
    assert time.monotonic() - began < 3.0
    assert len(study.history) >= 3
    assert "the time limit is reached" in study.stopped_because


def test_a_trial_that_outlasts_the_study_stays_pending_and_runs_again(tmp_path):
    def sleeper(config):
        time.sleep(60)
        return 0.0

    study = minimize(sleeper, SPACE, time_limit=2.5, seed=0, workers=1, storage=tmp_path / "s")
    assert len(study.history) == 0
    assert [proposal.index for proposal in study.pending] == [0]
    seed = study.pending[0].seed
    with pytest.warns(UserWarning, match="has changed"):
        study.resume(cost, max_trials=1)
    assert [(t.index, t.proposal.seed, t.status) for t in study.history] == [
        (0, seed, Status.SUCCESS)
    ]


def test_the_cpu_limit_ends_the_study():
    def busy(config):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return 0.0

    study = minimize(busy, SPACE, cpu_limit=0.3, seed=0, optimizer="random")
    assert "CPU time limit" in study.stopped_because
    assert 4 <= len(study.history) <= 8


def test_the_target_ends_the_study_in_the_users_direction():
    study = minimize(
        lambda config: -abs(config["x"]), SPACE, target=-2.0, max_trials=500, seed=0,
        objectives=[octavo.Objective("score", maximize=True)], optimizer="random",
    )  # fmt: skip
    assert "target" in study.stopped_because
    assert study.best_value >= -2.0
    assert all(trial.costs[0] > 2.0 for trial in study.history[:-1])


def test_an_exhausted_space_ends_the_study_without_any_limit():
    study = minimize(
        lambda config: config["n"], octavo.space(n=octavo.Integer(1, 6)), seed=0, optimizer="random"
    )
    assert len(study.history) == 6
    assert "nothing left to try after 6 trials" in study.stopped_because


def test_without_any_limit_an_infinite_search_is_refused():
    with pytest.raises(ValueError, match="no limit is set"):
        minimize(cost, SPACE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"max_trials": 0}, "max_trials=0"),
        ({"max_trials": 2.5}, r"max_trials=2\.5"),
        ({"time_limit": "soon"}, "time_limit='soon' cannot be read as a time"),
        ({"time_limit": -3}, "time_limit=-3"),
        ({"max_trials": 3, "trial_memory": "much"}, "trial_memory='much'"),
        ({"max_trials": 3, "trial_time": 0}, "trial_time=0"),
        ({"max_trials": 3, "workers": 0}, "workers"),
    ],
)
def test_limits_without_meaning_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        minimize(cost, SPACE, **arguments)


def test_an_objective_that_cannot_be_called_is_refused():
    with pytest.raises(ValueError, match="cannot be called"):
        minimize(3, SPACE, max_trials=1)


def test_a_failing_trial_costs_one_trial_and_nothing_else():
    def fragile(config):
        if config["kind"] == "cliff":
            raise ValueError(f"fell at {config['x']:.1f}")
        return config["x"]

    study = minimize(fragile, SPACE, max_trials=20, seed=0, optimizer="random")
    failed = [trial for trial in study.history if not trial.succeeded]
    assert len(study.history) == 20
    assert 0 < len(failed) < 20
    assert all("fell at" in trial.cause for trial in failed)
    assert study.best_config["kind"] == "bowl"


def test_callbacks_hear_everything_in_order_and_may_stop():
    heard = []

    def listen(event):
        heard.append(event)
        if isinstance(event, Completed) and event.trial.index == 3:
            return "four are enough"

    study = minimize(cost, SPACE, max_trials=50, seed=0, callbacks=[listen])
    assert study.stopped_because == "four are enough"
    assert isinstance(heard[0], Started)
    assert isinstance(heard[-1], Ended)
    assert [e.trial.index for e in heard if isinstance(e, Completed)] == [0, 1, 2, 3]
    assert [e.proposal.index for e in heard if isinstance(e, Submitted)] == [0, 1, 2, 3]


def test_an_error_in_a_callback_loses_nothing(tmp_path):
    def clumsy(event):
        if isinstance(event, Completed) and event.trial.index == 2:
            raise RuntimeError("clumsy")

    with pytest.raises(RuntimeError, match="clumsy"):
        minimize(cost, SPACE, max_trials=9, seed=0, storage=tmp_path / "s", callbacks=[clumsy])
    with open_study(tmp_path / "s") as study:
        assert [trial.index for trial in study.history] == [0, 1, 2]


def test_given_configurations_come_first():
    first = [{"x": 3.0, "kind": "cliff"}, {"x": 1.0, "kind": "bowl"}]
    study = minimize(cost, SPACE, max_trials=5, seed=0, first=first)
    assert [dict(trial.config) for trial in study.history[:2]] == first


def test_the_objective_gets_what_it_names():
    got = []

    def curious(config, seed, fidelity, extra):
        got.append((seed, fidelity, extra))
        return config["x"]

    study = minimize(
        curious, SPACE, max_trials=3, seed=0, fidelity=octavo.Fidelity("epochs", 1, 27),
        data={"extra": "here"},
    )  # fmt: skip
    assert [(t.proposal.seed, 27.0, "here") for t in study.history] == got
    assert len({seed for seed, *_ in got}) == 3


def test_reports_become_the_learning_curve():
    def learns(config, *, report):
        for epoch in range(4):
            report(epoch, 1 / (epoch + 1))
        return 0.25

    study = minimize(learns, SPACE, max_trials=2, seed=0)
    curve = study.history[0].reports
    assert [point.step for point in curve] == [0, 1, 2, 3]
    assert [next(iter(point.values.values())) for point in curve] == [1, 1 / 2, 1 / 3, 1 / 4]


def test_processes_find_what_one_process_finds(tmp_path):
    here = minimize(cost, SPACE, max_trials=6, seed=2, optimizer="random")
    there = minimize(
        cost, SPACE, max_trials=6, seed=2, optimizer="random", workers=2, storage=tmp_path / "s"
    )
    assert sorted(record(here), key=lambda r: r[0]) == sorted(record(there), key=lambda r: r[0])


def test_a_noisy_objective_needs_its_repeats_before_it_is_trusted():
    import numpy as np

    def noisy(config, *, seed):
        return abs(config["x"]) + np.random.default_rng(seed).normal(0, 1)

    study = minimize(noisy, SPACE, max_trials=60, seed=0, repeats=4, optimizer="random-forest")
    best = study.best
    seeds = [t.proposal.seed for t in study.history if dict(t.config) == dict(best.config)]
    assert len(seeds) == len(set(seeds)) == 4
    mean = np.mean([t.costs[0] for t in study.history if dict(t.config) == dict(best.config)])
    assert study.best_value == pytest.approx(mean)


class Steered:
    """A study that runs in a thread while the test sends it commands."""

    def __init__(self, folder):
        self.folder = folder
        self.study = Study(SPACE, seed=0, optimizer="random", storage=folder)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        self.study.run(slow, max_trials=400)
        self.done.set()

    def wait_for(self, n):
        end = time.monotonic() + 20
        while len(self.study.history) < n and time.monotonic() < end:
            time.sleep(0.01)


def test_commands_in_the_inbox_steer_the_study(tmp_path):
    steered = Steered(tmp_path / "s")
    steered.thread.start()
    steered.wait_for(2)
    send(steered.folder, Command("queue", {"config": {"x": 4.5, "kind": "cliff"}}, who="ada"))
    send(steered.folder, Command("queue", {"config": {"x": 99.0, "kind": "cliff"}}, who="bob"))
    send(steered.folder, Command("pause", {}, who="ada"))
    time.sleep(1.0)
    paused_at = len(steered.study.history)
    time.sleep(0.5)
    assert len(steered.study.history) == paused_at
    send(steered.folder, Command("resume", {}, who="ada"))
    steered.wait_for(paused_at + 3)
    send(steered.folder, Command("stop", {}, who="ada"))
    assert steered.done.wait(20)
    steered.thread.join()
    study = steered.study
    assert study.stopped_because == "stopped by ada"
    queued = [t for t in study.history if dict(t.config) == {"x": 4.5, "kind": "cliff"}]
    assert [t.proposal.origin.by for t in queued] == ["ada"]
    kinds = [i.kind for i in study.store.interventions()]
    assert kinds == ["queue", "pause", "resume", "stop"]


def test_limits_of_a_resumed_study_are_what_is_left(tmp_path):
    study = minimize(
        cost, SPACE, max_trials=10, seed=0, storage=tmp_path / "s",
        callbacks=[lambda e: "enough" if isinstance(e, Completed) and e.trial.index == 3 else None],
    )  # fmt: skip
    study.close()
    with open_study(tmp_path / "s") as study:
        assert len(study.resume().history) == 10
        assert len(study.resume(max_trials=12).history) == 12


def test_an_objective_that_cannot_be_imported_must_be_passed_again(tmp_path):
    minimize(lambda c: c["x"], SPACE, max_trials=2, seed=0, storage=tmp_path / "s").close()
    with open_study(tmp_path / "s") as study:
        with pytest.raises(octavo.errors.StudyError, match="Pass it again"):
            study.resume(max_trials=4)
        with pytest.warns(UserWarning, match="has changed"):
            study.resume(cost, max_trials=4)
        assert len(study.history) == 4


def test_changed_data_warn(tmp_path):
    import numpy as np

    def fit(config, *, X):
        return config["x"] * float(X.sum())

    minimize(
        fit, SPACE, max_trials=2, seed=0, storage=tmp_path / "s", data={"X": np.ones(3)}
    ).close()
    with (
        open_study(tmp_path / "s") as study,
        pytest.warns(UserWarning, match=r"\['X'\] are not those"),
    ):
        study.resume(fit, max_trials=3, data={"X": np.zeros(3)})


def test_limits_on_trials_are_kept(tmp_path):
    def hungry(config):
        if config["kind"] == "bowl":
            time.sleep(60)
        return bytearray(700 * 2**20) and 1.0

    study = minimize(
        hungry, SPACE, max_trials=4, seed=0, optimizer="random", workers=2,
        trial_time=1.0, trial_memory="400MB", storage=tmp_path / "s",
    )  # fmt: skip
    ended = {t.config["kind"]: t.status for t in study.history}
    assert ended == {"bowl": Status.TIMEOUT, "cliff": Status.MEMORY}
    assert TrialLimits(wall_s=1.0, memory_mb=400.0) == TrialLimits(
        **study.settings["run"]["trial_limits"]
    )


def broken(config):
    return config["nmae"]


def picky(config):
    if config["x"] < 4:
        raise ValueError("x is too small")
    return config["x"]


def test_a_study_whose_trials_all_crash_alike_ends_itself():
    study = minimize(broken, SPACE, time_limit=60, seed=0)
    assert len(study.history) == 50
    assert study.stopped_because.startswith("all 50 trials crashed for the same reason: KeyError")
    assert "nmae" in study.stopped_because


def test_a_study_where_some_trials_succeed_goes_on():
    study = minimize(
        picky, SPACE, max_trials=120, seed=0, optimizer="random",
        callbacks=[StopWhenHopeless(n_trials=60)],
    )  # fmt: skip
    assert len(study.history) == 120
    assert sum(trial.succeeded for trial in study.history) < 30


def test_the_patience_with_crashes_can_be_set():
    study = minimize(broken, SPACE, max_trials=9, callbacks=[StopWhenHopeless(n_trials=3)])
    assert len(study.history) == 3
    with pytest.raises(SettingError, match="n_trials is 0, but must be a positive whole number"):
        StopWhenHopeless(n_trials=0)


def test_a_stop_that_came_after_a_run_does_not_end_the_next(tmp_path):
    minimize(cost, SPACE, max_trials=3, seed=0, storage=tmp_path / "s").close()
    send(tmp_path / "s", Command("stop"))
    with open_study(tmp_path / "s") as study:
        study.resume(max_trials=6)
        assert len(study.history) == 6
