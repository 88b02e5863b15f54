"""Studies over what Octavo measures: inline, in processes, by ask and tell, resumed."""

import math
import subprocess
import sys
import time

import pytest

import octavo
from octavo.errors import ObjectiveError, SettingError
from octavo.executors import InlineExecutor, ProcessExecutor
from octavo.measured import FIELDS, RETURNED
from octavo.problem import MEASURED
from octavo.study import minimize, open_study
from octavo.trial import Resources, Status

SPACE = octavo.space(x=octavo.Float(0, 1), size=octavo.Integer(1, 40))
BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def work(config):
    burn(0.05)
    block = bytearray(config["size"] * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.12)  # two looks at the memory
    return {"loss": config["x"]}


def nothing(config):
    burn(0.02)


def with_a_child(config):
    subprocess.run([sys.executable, "-c", BURN.format(0.3)], check=True)


def hanging(config):
    burn(0.3)
    time.sleep(60)


@pytest.fixture(scope="module")
def everything():
    names = ["loss", *(name for name in MEASURED if name != "co2")]
    return minimize(
        work, SPACE, objectives=names, constraints={"co2": (None, 1.0)}, max_trials=4, seed=0,
        workers=1, optimizer="random", energy=octavo.Energy("estimate", 10, grams_per_kwh=100),
    )  # fmt: skip


def test_all_quantities_are_measured_on_the_process_tree(everything):
    for trial in everything.history:
        its = trial.resources
        assert trial.succeeded, trial.cause
        assert trial.costs[1:] == (its.wall_s, its.cpu_s, its.memory_mb, its.energy_kwh)
        assert trial.constraints == (its.co2_kg,)
        assert its.wall_s >= 0.15 and its.cpu_s >= 0.04
        assert its.memory_mb > trial.config["size"]
        assert its.energy_kwh == pytest.approx(its.cpu_s * 10 / 3.6e6)
        assert its.co2_kg == pytest.approx(its.energy_kwh * 0.1)
        assert set(its.how) == set(FIELDS.values())


def test_measured_memory_follows_what_was_asked_for(everything):
    sizes = [trial.config["size"] for trial in everything.history]
    peaks = [trial.resources.memory_mb for trial in everything.history]
    least, most = sizes.index(min(sizes)), sizes.index(max(sizes))
    assert peaks[most] - peaks[least] > 0.5 * (sizes[most] - sizes[least])


@pytest.mark.parametrize("executor", [InlineExecutor, lambda: ProcessExecutor(workers=1)])
def test_cpu_time_counts_children(executor):
    study = minimize(
        with_a_child, SPACE, objectives=["cpu_time"], max_trials=1, executor=executor(), seed=0
    )
    assert study.best_value >= 0.28


def test_inline_trials_are_measured_as_far_as_they_can_be():
    study = minimize(nothing, SPACE, objectives=["energy", "wall_time"], max_trials=3, seed=0)
    its = study.history[0].resources
    assert study.history[0].worker == "inline"
    assert its.memory_mb is None and "use workers=1" in its.how["memory_mb"]
    assert its.energy_kwh >= 0.02 * 12 / 3.6e6 / 2


def test_memory_as_an_objective_takes_processes():
    study = minimize(nothing, SPACE, objectives=["memory"], max_trials=1, seed=0)
    assert study.history[0].worker.startswith("process")
    inline = minimize(
        nothing, SPACE, objectives=["memory"], max_trials=1, seed=0, executor=InlineExecutor()
    )
    assert "'memory' was neither returned" in inline.history[0].cause
    assert "use workers=1" in inline.history[0].cause


def test_every_trial_has_its_energy_whether_or_not_it_is_asked_for():
    study = minimize(lambda config: 1 / config["x"] // 0, SPACE, max_trials=2, seed=0)
    assert [trial.status for trial in study.history] == [Status.CRASHED] * 2
    assert all(trial.resources.energy_kwh is not None for trial in study.history)
    frame = study.history.to_frame()
    assert (frame["energy_kwh"] >= 0).all() and (frame["co2_kg"] >= 0).all()


def test_a_killed_trial_keeps_what_it_consumed():
    study = minimize(hanging, SPACE, objectives=["energy"], max_trials=1, trial_time=0.8, seed=0)
    [trial] = study.history
    assert trial.status is Status.TIMEOUT and math.isnan(trial.costs[0])
    assert trial.resources.cpu_s >= 0.25
    assert trial.resources.energy_kwh == pytest.approx(trial.resources.cpu_s * 12 / 3.6e6)


def test_what_the_function_returns_under_such_a_name_is_its_own():
    study = minimize(
        lambda config: {"energy": 5.0 + config["x"]}, SPACE, objectives=["energy"], max_trials=2,
        seed=0,
    )  # fmt: skip
    assert study.best_value >= 5.0
    assert study.best.resources.how["energy"] == RETURNED
    assert study.best.resources.energy_kwh < 1e-3  # measured all the same


# One method to a study ----------------------------------------------------------------


def run_twice(tmp_path, first, second):
    """Run a study, open it and run it again, with other settings."""
    minimize(
        nothing, SPACE, objectives=["energy"], max_trials=2, seed=0, storage=tmp_path / "s", **first
    ).close()
    with open_study(tmp_path / "s") as study:
        study.run(nothing, max_trials=4, **second)
        return [trial.resources.how["energy_kwh"] for trial in study.history]


def test_a_run_that_would_measure_otherwise_is_refused(tmp_path):
    estimated = octavo.Energy("estimate", 7)
    with pytest.raises(SettingError, match=r"'energy' was measured.*7 W.*would measure.*9 W"):
        run_twice(tmp_path, {"energy": estimated}, {"energy": octavo.Energy("estimate", 9)})
    with open_study(tmp_path / "s") as study:
        assert len(study.history) == 2
        study.resume(nothing, max_trials=3)  # remembers how it was
        assert study.history[2].resources.how == study.history[0].resources.how


def test_another_executor_measures_cpu_time_otherwise(tmp_path):
    minimize(
        nothing, SPACE, objectives=["cpu_time"], max_trials=2, seed=0, storage=tmp_path / "s"
    ).close()
    with open_study(tmp_path / "s") as study:
        with pytest.raises(SettingError, match=r"'cpu_time'.*own process.*process tree"):
            study.run(nothing, max_trials=3, workers=1)
        study.run(nothing, max_trials=3)
        assert study.history.comparable.all()


def test_wall_time_is_the_same_everywhere(tmp_path):
    minimize(
        nothing, SPACE, objectives=["wall_time"], max_trials=1, seed=0, storage=tmp_path / "s"
    ).close()
    with open_study(tmp_path / "s") as study:
        study.run(nothing, max_trials=2, workers=1)
        assert study.history.succeeded.all()


# Ask and tell -------------------------------------------------------------------------


@pytest.fixture
def green():
    with octavo.Study(SPACE, objectives=["loss", "energy"], seed=0) as study:
        yield study


def test_telling_without_what_only_a_run_measures_is_refused(green):
    trial = green.ask()
    with pytest.raises(ObjectiveError, match=r"'energy' was neither.*energy_kwh=0\.002"):
        green.tell(trial, 0.3)
    assert green.pending == [trial] and not len(green.history)


def test_telling_what_was_measured(green):
    told = green.tell(green.ask(), {"loss": 0.3, "energy": 0.002})
    assert told.costs == (0.3, 0.002) and told.resources.how["energy"] == RETURNED
    again = green.tell(green.ask(), 0.2, resources=Resources(energy_kwh=0.003))
    assert again.costs == (0.2, 0.003)


def test_telling_by_another_method_is_refused(green):
    meter = Resources(energy_kwh=0.003, how={"energy_kwh": "power meter"})
    green.tell(green.ask(), 0.2, resources=meter)
    with pytest.raises(ObjectiveError, match=r"'energy' was measured in another way.*power meter"):
        green.tell(green.ask(), {"loss": 0.3, "energy": 0.002})
    assert len(green.history) == 1


def test_what_was_measured_may_be_all_there_is_to_tell():
    with octavo.Study(SPACE, objectives=["wall_time"], seed=0) as study:
        assert study.tell(study.ask(), resources=Resources(wall_s=2.0)).costs == (2.0,)
        failed = study.tell(study.ask(), failed="too hot", resources=Resources(wall_s=9.0))
        assert failed.status is Status.CRASHED and failed.resources.wall_s == 9.0
        with pytest.raises(SettingError, match="neither of values and failed"):
            study.tell(study.ask())
