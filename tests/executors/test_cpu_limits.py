"""CPU time is that of the whole tree of processes; who is over is killed, children and all."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ConfigSpace import ConfigurationSpace

import octavo
from octavo.executors import InlineExecutor, Work
from octavo.problem import Objective, Problem, TrialLimits
from octavo.trial import Proposal, Status

CPU = Problem(ConfigurationSpace(), objectives=(Objective("cpu_time"),))  # type: ignore[arg-type]


def burn(config: dict[str, Any]) -> float:
    """Burns CPU time in the ways that processes can."""
    import os
    import subprocess
    import sys
    import threading
    import time

    def spin(seconds: float) -> None:
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass

    code = f"import time\nwhile time.process_time() < {config['s']}: pass"
    if config["how"] == "itself":
        spin(config["s"])
    elif config["how"] == "threads":
        threads = [threading.Thread(target=spin, args=(config["s"],)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elif config["how"] == "a child":
        subprocess.run([sys.executable, "-c", code], check=True)
    elif config["how"] == "many short children":
        for _ in range(1000):
            subprocess.run([sys.executable, "-c", code], check=True)
    elif config["how"] == "daemons":
        for _ in range(2):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    spin(config["s"])
                os._exit(0)
            os.wait()
        time.sleep(100)
    else:
        time.sleep(config["s"])
    return 1.0


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("itself", 60),
        ("threads", 60),
        ("a child", 60),
        ("many short children", 0.05),
        ("daemons", 60),
    ],
)
def test_who_burns_more_than_its_cpu_time_is_killed(
    processes: Any, run: Any, mark: Any, how: str, seconds: float
) -> None:
    executor = processes(burn, limits=TrialLimits(cpu_s=0.6, wall_s=60))
    trial = run(executor, {"how": how, "s": seconds})
    assert trial.status is Status.TIMEOUT, trial.cause
    assert "s of CPU time" in trial.cause and "over its limit of 0.6 s" in trial.cause
    assert 0.6 <= trial.resources.cpu_s < 6  # of the minute that it would take
    executor.close()
    assert mark.all_gone(within_s=2.0)


def test_sleeping_costs_no_cpu_time(processes: Any, run: Any) -> None:
    executor = processes(burn, limits=TrialLimits(cpu_s=0.8))
    for _ in range(3):  # what earlier trials used does not count
        assert run(executor, {"how": "sleeps", "s": 0.3}).succeeded
        assert run(executor, {"how": "itself", "s": 0.2}).succeeded
        assert run(executor, {"how": "a child", "s": 0.2}).succeeded


def test_a_cutoff_counts_what_the_first_objective_counts(
    problem: Problem, processes: Any, run: Any
) -> None:
    wall, cpu = processes(burn), processes(burn, problem=CPU)
    slept = run(wall, {"how": "sleeps", "s": 30}, cutoff_s=0.3)
    assert slept.status is Status.TIMEOUT and 0.3 <= slept.resources.wall_s < 15
    assert "over its cutoff of 0.3 s, and was killed. Whoever proposed it" in slept.cause
    assert run(cpu, {"how": "sleeps", "s": 0.5}, cutoff_s=0.3).succeeded
    burnt = run(cpu, {"how": "a child", "s": 30}, cutoff_s=0.3)
    assert burnt.status is Status.TIMEOUT and 0.3 <= burnt.resources.cpu_s < 6
    assert "of CPU time" in burnt.cause and "over its cutoff of 0.3 s" in burnt.cause


def test_a_cutoff_never_raises_a_limit(processes: Any, run: Any) -> None:
    limits = TrialLimits(cpu_s=0.3)
    trial = run(processes(burn, problem=CPU, limits=limits), {"how": "itself", "s": 9}, cutoff_s=5)
    assert trial.status is Status.TIMEOUT and "over its limit of 0.3 s" in trial.cause
    told = processes(lambda config, time_limit: time_limit, limits=TrialLimits(wall_s=9))
    costs = [run(told, {}, cutoff_s=c).costs[0] for c in (None, 4.0, 20.0)]
    assert costs == [9.0, 4.0, 9.0]


def test_inline_trials_are_told_their_cutoff(
    problem: Problem, run: Any, tmp_path: Any, caplog: Any
) -> None:
    executor = InlineExecutor()
    executor.start(Work(lambda config, time_limit: time_limit, problem, tmp_path))
    assert run(executor, {}, cutoff_s=4.0).costs == (4.0,)
    assert run(executor, {}, cutoff_s=4.0, wall_s=3.0).costs == (3.0,)
    assert caplog.text.count("which nothing enforces") == 1


def test_minimize_limits_the_cpu_time_of_trials(tmp_path: Any) -> None:
    space = octavo.space(how=octavo.Categorical(["itself", "sleeps"]), s=octavo.Constant(0.8))
    study = octavo.minimize(
        burn, space, optimizer="grid", seed=0, trial_cpu_time="400ms", storage=tmp_path / "s"
    )
    ends = {trial.config["how"]: trial.status for trial in study.history}
    assert ends == {"itself": Status.TIMEOUT, "sleeps": Status.SUCCESS}
    study.enqueue({"how": "itself", "s": 0.8})
    study.resume(max_trials=3)
    assert study.history[-1].status is Status.TIMEOUT


def test_a_trial_over_its_own_limits_does_not_wait_for_another_run(tmp_path: Any) -> None:
    """It ends with the study's time, but was over its own CPU time before."""
    began = time.monotonic()
    study = octavo.minimize(
        burn, octavo.space(how=octavo.Constant("itself"), s=octavo.Constant(30.0)),
        optimizer="random", max_trials=1, time_limit=30, trial_cpu_time=0.3, seed=0,
    )  # fmt: skip
    assert [trial.status for trial in study.history] == [Status.TIMEOUT] and not study.pending
    assert time.monotonic() - began < 20


def test_proposals_with_a_cutoff_are_stored(tmp_path: Any) -> None:
    study = octavo.Study(octavo.space(x=octavo.Float(0, 1)), seed=0, storage=tmp_path / "s")
    study._store_proposals(lambda: [Proposal(0, {"x": 0.5}, cutoff_s=0.2)], worker=None)
    study.run(lambda config: time.sleep(30), max_trials=1, workers=1)
    [trial] = study.history
    assert trial.status is Status.TIMEOUT and trial.proposal.cutoff_s == 0.2
