"""Inline trials: the same answers as in processes, without a process."""

import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from octavo.errors import SettingError, StorageError, StudyError
from octavo.executors import Executor, Finished, InlineExecutor, Reported, Work
from octavo.problem import Fidelity, Problem, TrialLimits
from octavo.trial import Proposal, Status


@pytest.fixture
def inline(problem: Problem, tmp_path: Path) -> Any:
    def start(objective: Any, problem: Problem = problem, **data: Any) -> Executor:
        executor = InlineExecutor()
        executor.start(Work(objective, problem, tmp_path / "study", data=data))
        return executor

    return start


def test_a_trial_and_its_reports(inline: Any) -> None:
    def objective(config: Any, *, seed: int, report: Any) -> Any:
        report(1, 0.5)
        report(2, {"loss": 0.25})
        return {"cost": config["x"] + seed, "note": Path("a")}

    executor = inline(objective)
    executor.submit(Proposal(4, {"x": 1.0}, seed=10))
    first, second, finished = executor.wait()
    assert isinstance(first, Reported) and isinstance(second, Reported)
    assert (first.index, first.report.values, second.report.values) == (
        4,
        {"cost": 0.5},
        {"loss": 0.25},
    )
    assert isinstance(finished, Finished)
    trial = finished.trial
    assert (trial.status, trial.costs, trial.cause) == (Status.SUCCESS, (11.0,), "")
    assert trial.extra == {"note": "a"}
    assert trial.reports == (first.report, second.report)
    assert trial.ended >= trial.started
    assert executor.wait() == ()


def test_time_is_measured(inline: Any, run: Any) -> None:
    def objective(config: Any) -> float:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
        time.sleep(0.1)
        return 0.0

    resources = run(inline(objective), {}).resources
    assert resources.wall_s >= 0.2
    assert 0.1 <= resources.cpu_s < 0.2
    assert resources.memory_mb is None
    assert "not measured" in resources.how["memory_mb"]
    assert set(resources.how) == {"wall_s", "cpu_s", "memory_mb"}


def test_children_that_take_milliseconds_count(inline: Any, run: Any) -> None:
    def objective(config: Any) -> dict[str, float]:
        def spent() -> float:
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            return time.process_time() + children.ru_utime + children.ru_stime

        before = spent()
        subprocess.run(["true"], check=True)
        return {"cost": 0.0, "spent": spent() - before}

    executor = inline(objective)
    for _ in range(5):
        trial = run(executor, {})
        assert trial.resources.cpu_s >= trial.extra["spent"]


def test_exceptions_are_crashed_trials(inline: Any, run: Any) -> None:
    def helper(x: float) -> float:
        raise ValueError(f"{x} is too large")

    def objective(config: Any) -> float:
        return helper(config["x"])

    trial = run(inline(objective), {"x": 2.0})
    assert trial.status is Status.CRASHED
    assert trial.cause.startswith("ValueError: 2.0 is too large (test_inline.py:")
    assert "in helper: raise ValueError" in trial.cause
    assert trial.costs[0] != trial.costs[0]
    exited = run(inline(lambda config: exit(3)), {})
    assert "SystemExit: 3" in exited.cause


def test_a_library_s_exception_is_placed_at_the_user_s_line(inline: Any, run: Any) -> None:
    import json

    trial = run(inline(lambda config: json.loads("{")), {})
    assert "(test_inline.py:" in trial.cause
    assert "json.loads" in trial.cause


def test_an_interrupt_goes_through_and_the_trial_still_runs(inline: Any) -> None:
    def objective(config: Any) -> float:
        if not tries:
            tries.append(1)
            raise KeyboardInterrupt
        return 1.0

    tries: list[int] = []
    executor = inline(objective)
    executor.submit(Proposal(0, {}))
    with pytest.raises(KeyboardInterrupt):
        executor.wait()
    assert executor.wait()[0].trial.succeeded
    tries.clear()
    executor.submit(Proposal(1, {}))
    with pytest.raises(KeyboardInterrupt):
        executor.wait()
    executor.stop(1, Status.CANCELLED, "Ctrl-C")
    (event,) = executor.wait()
    assert (event.trial.status, event.trial.cause) == (Status.CANCELLED, "Ctrl-C")


@pytest.mark.parametrize(
    "limits", [TrialLimits(wall_s=1), TrialLimits(memory_mb=100), TrialLimits(cpu_s=2)]
)
def test_limits_are_refused(limits: TrialLimits, problem: Problem, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"workers=1"):
        InlineExecutor().start(Work(lambda config: 1.0, problem, tmp_path, limits))


def test_no_file_is_made_unless_the_objective_asks(inline: Any, run: Any, tmp_path: Path) -> None:
    assert run(inline(lambda config, seed: 1.0), {}).succeeded
    assert not (tmp_path / "study").exists()
    assert run(inline(lambda config, folder: float(folder.is_dir())), {}, index=3).costs == (1.0,)
    assert (tmp_path / "study" / "trials" / "3").is_dir()


def test_a_folder_that_cannot_be_made_is_a_storage_error(inline: Any, tmp_path: Path) -> None:
    (tmp_path / "study").touch()
    executor = inline(lambda config, folder: 1.0)
    executor.submit(Proposal(0, {}))
    with pytest.raises(StorageError, match="another folder"):
        executor.wait()


def test_whole_fidelities_are_whole_numbers(inline: Any, run: Any) -> None:
    space: Any = None
    epochs = Problem(space, fidelity=Fidelity("epochs", 1, 9))
    share = Problem(space, fidelity=Fidelity("share", 0.1, 1.0))
    objective = lambda config, fidelity: len(range(fidelity))  # noqa: E731
    assert run(inline(objective, epochs), {}, fidelity=4.0).costs == (4.0,)
    assert "TypeError" in run(inline(objective, share), {}, fidelity=0.5).cause


def test_data_are_passed_by_name_uncopied(inline: Any, run: Any) -> None:
    table = [1, 2]
    executor = inline(lambda config, table: float(id(table)), table=table, unused=0)
    assert run(executor, {}).costs == (float(id(table)),)


def test_one_at_a_time(inline: Any) -> None:
    executor = inline(lambda config: 1.0)
    executor.submit(Proposal(0, {}))
    with pytest.raises(StudyError, match="trial 1 was submitted while trial 0"):
        executor.submit(Proposal(1, {}))
    with pytest.raises(StudyError, match="Call start once first"):
        InlineExecutor().submit(Proposal(0, {}))
    executor.close()
    executor.close()
    executor = inline(lambda config, time_limit: time_limit)
    executor.submit(Proposal(0, {}), wall_s=2.5)
    assert executor.wait()[0].trial.costs == (2.5,)
    started = time.monotonic()
    assert executor.wait(0.1) == ()
    assert time.monotonic() - started >= 0.1


def test_the_overhead_is_small(inline: Any) -> None:
    executor = inline(lambda config, seed, report: 1.0)
    best = float("inf")
    for _ in range(20):  # the best of several, because others use this machine too
        started = time.perf_counter()
        for index in range(50):
            executor.submit(Proposal(index, {"x": 1.0}))
            executor.wait()
        best = min(best, (time.perf_counter() - started) / 50)
    assert best < 0.3e-3
