"""Process executors: what arrives, in which order, how soon, and what is reused."""

import functools
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octavo.errors import ObjectiveError, SettingError, StorageError, StudyError
from octavo.executors import (
    Executor,
    Finished,
    ProcessExecutor,
    Reported,
    Work,
    available_cores,
)
from octavo.problem import Constraint, Fidelity, Objective, Problem, TrialLimits
from octavo.trial import Proposal, Status

FACTOR = 3.0


def triple(config: Mapping[str, Any]) -> float:
    return FACTOR * float(config["x"])


def pid_of(trial: Any) -> int:
    return int(re.search(r"pid (\d+)", trial.worker)[1])  # type: ignore[index]


def test_it_is_an_executor(processes: Any) -> None:
    executor: Executor = processes(triple, workers=2)
    assert executor.slots == 2


# Objectives of every kind ---------------------------------------------------------------


class Callable:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, config: Mapping[str, Any]) -> float:
        return self.factor * float(config["x"])

    def method(self, config: Mapping[str, Any], *, seed: int) -> float:
        return self.factor * float(config["x"]) + seed


def closure(factor: float) -> Any:
    def inner(config: Mapping[str, Any]) -> float:
        return factor * float(config["x"])

    return inner


@pytest.mark.parametrize(
    "objective",
    [
        triple,
        closure(3.0),
        lambda c: 3.0 * c["x"],
        Callable(3.0),
        Callable(3.0).method,
        functools.partial(lambda factor, config: factor * config["x"], 3.0),
    ],
    ids=["function", "closure", "lambda", "object", "method", "partial"],
)
def test_any_callable_is_an_objective(objective: Any, processes: Any, run: Any) -> None:
    trial = run(processes(objective), {"x": 2})
    assert (trial.status, trial.costs) == (Status.SUCCESS, (6.0,)), trial.cause


def test_an_objective_gets_what_its_signature_names(
    processes: Any, run: Any, tmp_path: Any
) -> None:
    def objective(config: Any, seed: int, *, fidelity: int, instance: str, folder: Path) -> Any:
        (folder / "model.txt").write_text("kept")
        return {"cost": seed, "seen": [config, fidelity, instance, str(folder)]}

    space: Any = None
    problem = Problem(space, fidelity=Fidelity("epochs", 1, 9))
    executor = processes(objective, problem=problem)
    trial = run(executor, {"x": 1}, index=5, seed=7, fidelity=3.0, instance="easy")
    assert trial.costs == (7.0,)
    folder = tmp_path / "trials" / "5"
    assert trial.extra["seen"] == [{"x": 1}, 3, "easy", str(folder)]
    assert (folder / "model.txt").read_text() == "kept"


def test_costs_constraints_and_directions(processes: Any, run: Any) -> None:
    space: Any = None
    problem = Problem(
        space,
        objectives=(Objective("loss"), Objective("accuracy", maximize=True)),
        constraints=(Constraint("latency", None, 0.1),),
    )
    executor = processes(
        lambda c: {"loss": 0.5, "accuracy": np.float32(0.75), "latency": 0.2, "note": "hi"},
        problem=problem,
    )
    trial = run(executor, {})
    assert trial.costs == (0.5, -0.75)
    assert trial.constraints == (0.2,)
    assert trial.extra == {"note": "hi"}


def test_an_objective_that_cannot_be_imported_there_says_so(
    processes: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    module = tmp_path / "vanishing_module.py"
    module.write_text(
        "import os\nif 'LATER' in os.environ: raise OSError('gone')\ndef f(c): return 1.0"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing_module  # type: ignore[import-not-found]

    monkeypatch.setenv("LATER", "1")
    executor = processes(vanishing_module.f)
    for _ in range(2):
        trial = run(executor, {"x": 1})
        assert trial.status is Status.CRASHED
        assert "could not be loaded in a worker process: OSError: gone" in trial.cause


def test_what_cannot_be_pickled_is_refused_at_the_start(processes: Any, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file, pytest.raises(SettingError, match="open it inside"):
        processes(lambda config: file.write("x"))


# Events ---------------------------------------------------------------------------------


def test_reports_arrive_while_the_trial_runs_and_in_order(processes: Any) -> None:
    def objective(config: Any, *, report: Any) -> float:
        report(0, 0.5)
        time.sleep(1.0)
        for step in range(1, 1000):
            report(step, {"cost": 1.0 / step, "other": np.float64(step)})
        return 0.0

    executor = processes(objective)
    executor.submit(Proposal(3, {}))
    (first,) = executor.wait(30)
    seen = time.monotonic()
    assert isinstance(first, Reported)
    assert (first.index, first.report.step, dict(first.report.values)) == (3, 0.0, {"cost": 0.5})
    events = []
    while not events or not isinstance(events[-1], Finished):
        events += executor.wait(30)
    assert time.monotonic() - seen > 0.9
    steps = [event.report.step for event in events[:-1]]
    assert steps == list(range(1, 1000))
    trial = events[-1].trial
    assert [report.step for report in trial.reports] == list(range(1000))
    assert trial.reports[1].at_s >= 1.0
    assert trial.reports[9].values == {"cost": 1 / 9, "other": 9.0}


def test_a_flood_of_reports_that_nobody_reads_stops_no_limit(processes: Any, finish: Any) -> None:
    def objective(config: Any, *, report: Any) -> float:
        step = 0
        while True:
            report(step := step + 1, {"loss": 0.1, "padding" * 20: 1.0})

    executor = processes(objective, limits=TrialLimits(wall_s=1.0))
    executor.submit(Proposal(0, {}))
    time.sleep(2.5)
    (trial,) = finish(executor)
    assert trial.status is Status.TIMEOUT
    assert [report.step for report in trial.reports] == list(range(1, len(trial.reports) + 1))
    assert trial.resources.wall_s < 2.0


def test_nobody_waits_for_a_batch(processes: Any) -> None:
    def objective(config: Any) -> float:
        time.sleep(config["s"])
        return float(config["s"])

    executor = processes(objective, workers=2)
    executor.submit(Proposal(0, {"s": 0}))
    executor.submit(Proposal(1, {"s": 0}))
    done: list[Any] = []
    while len(done) < 2:
        done += executor.wait(30)
    executor.submit(Proposal(2, {"s": 2.0}))
    for index in range(3, 8):
        executor.submit(Proposal(index, {"s": 0.05}))
        (event,) = executor.wait(30)
        assert event.trial.index == index
    (event,) = executor.wait(30)
    assert event.trial.index == 2


def test_wait_comes_back_in_time(processes: Any) -> None:
    executor = processes(lambda c: time.sleep(100))
    started = time.monotonic()
    assert executor.wait() == ()  # nothing runs: nothing to wait for
    assert time.monotonic() - started < 0.1
    assert executor.wait(0.2) == ()
    executor.submit(Proposal(0, {}))
    assert executor.wait(0.3) == ()
    assert 0.5 <= time.monotonic() - started < 1.0


def test_too_many_and_too_early_are_refused(processes: Any) -> None:
    executor = processes(lambda c: time.sleep(100))
    executor.submit(Proposal(0, {}))
    with pytest.raises(StudyError, match="all 1 slots are busy"):
        executor.submit(Proposal(1, {}))
    with pytest.raises(StudyError, match="Call start once first"):
        ProcessExecutor(1).submit(Proposal(0, {}))


# Limits and stops -----------------------------------------------------------------------


def test_starting_a_worker_does_not_count(
    processes: Any, run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    module = tmp_path / "slow_to_import.py"
    module.write_text(
        "import time, os\nif 'SLOW' in os.environ: time.sleep(1.5)\ndef f(c): return 1.0"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import slow_to_import  # type: ignore[import-not-found]

    monkeypatch.setenv("SLOW", "1")
    executor = processes(slow_to_import.f, limits=TrialLimits(wall_s=0.5))
    trial = run(executor, {})
    assert trial.status is Status.SUCCESS, trial.cause
    assert trial.resources.wall_s < 0.5
    hung = run(processes(slow_to_import.f, start_timeout_s=0.2), {})
    assert hung.status is Status.CRASHED
    assert "start_timeout_s" in hung.cause


def test_submit_lowers_the_limit_and_never_raises_it(processes: Any, run: Any) -> None:
    executor = processes(lambda c: time.sleep(c["s"]) or 1.0, limits=TrialLimits(wall_s=1.0))
    assert run(executor, {"s": 0.5}).succeeded
    told = processes(lambda c, time_limit: time_limit, limits=TrialLimits(wall_s=9.0))
    assert [run(told, {}, wall_s=w).costs[0] for w in (None, 4.0, 20.0)] == [9.0, 4.0, 9.0]
    lowered = run(executor, {"s": 0.5}, wall_s=0.2)
    assert lowered.status is Status.TIMEOUT
    assert "0.2 s" in lowered.cause
    raised = run(executor, {"s": 5}, wall_s=100.0)
    assert raised.status is Status.TIMEOUT
    assert raised.resources.wall_s < 1.5
    assert run(executor, {"s": 0.5}).succeeded


def test_stop_kills_at_once(processes: Any, mark: Any) -> None:
    def objective(config: Any, *, report: Any) -> float:
        report(1, 0.25)
        os.system("sleep 1000")
        return 1.0

    executor = processes(objective)
    executor.submit(Proposal(4, {}))
    executor.wait(30)
    asked = time.monotonic()
    executor.stop(4, Status.STOPPED, "not promising")
    (event,) = executor.wait(30)
    assert time.monotonic() - asked < 0.3
    trial = event.trial
    assert (trial.status, trial.cause) == (Status.STOPPED, "not promising")
    assert [dict(report.values) for report in trial.reports] == [{"cost": 0.25}]
    assert not any("sleep" in line for line in mark.survivors())


def test_a_stop_that_comes_too_late_changes_nothing(processes: Any, run: Any) -> None:
    executor = processes(lambda c: 1.0)
    assert run(executor, {}).succeeded  # the worker is ready now
    executor.submit(Proposal(0, {}))
    time.sleep(1.5)
    executor.stop(0, Status.CANCELLED, "too late")
    executor.stop(99, Status.CANCELLED, "no such trial")
    (event,) = executor.wait(30)
    assert event.trial.status is Status.SUCCESS
    assert run(executor, {}, index=1).succeeded


# What it costs --------------------------------------------------------------------------


def test_workers_are_reused_and_replaced_only_after_a_kill(processes: Any, run: Any) -> None:
    def objective(config: Any) -> Any:
        import decimal  # a stand-in for something slow to import

        first = not hasattr(decimal, "mark")
        decimal.mark = True  # type: ignore[attr-defined]
        if config["do"] == "die":
            os._exit(1)
        if config["do"] == "raise":
            raise ValueError
        return {"cost": 0.0, "first": first}

    executor = processes(objective)
    trials = [run(executor, {"do": do}) for do in ("well", "raise", "well", "die", "well", "well")]
    assert [trial.extra.get("first") for trial in trials] == [True, None, False, None, True, False]
    assert len({trial.worker for trial in trials[:4]}) == 1
    assert len({trial.worker for trial in trials[4:]}) == 1
    assert trials[3].worker != trials[4].worker


def test_resources_are_those_of_the_whole_tree(processes: Any, run: Any) -> None:
    def objective(config: Any) -> float:
        if config["do"] == "nothing":
            return 0.0
        child = os.fork()  # the child and the parent each burn and hold something
        until = time.process_time() + 0.4
        hoard = bytearray(os.urandom(1 << 20)) * 60
        while time.process_time() < until:
            pass
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return float(len(hoard))

    executor = processes(objective)
    baseline = run(executor, {"do": "nothing"}).resources
    used = run(executor, {"do": "work"}).resources
    again = run(executor, {"do": "nothing"}).resources
    assert 0.75 <= used.cpu_s <= 1.1
    assert 110 <= used.memory_mb - baseline.memory_mb <= 160
    assert again.cpu_s < 0.1
    assert again.memory_mb < baseline.memory_mb + 30
    assert used.wall_s >= 0.4
    assert set(used.how) == {"wall_s", "cpu_s", "memory_mb"}
    assert "50 ms" in used.how["memory_mb"]


def test_pools_that_libraries_keep_are_ended_and_started_again(processes: Any, run: Any) -> None:
    """joblib keeps its processes for the next call; they must not be found dead then."""

    def objective(config: Any) -> float:
        from joblib import Parallel, delayed

        return float(sum(Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(4))))

    executor = processes(objective, threads=2)
    trials = [run(executor, {}) for _ in range(3)]
    assert [trial.costs for trial in trials] == [(6.0,)] * 3, trials[-1].cause
    assert len({trial.worker for trial in trials}) == 1
    assert [trial.output for trial in trials] == [None] * 3  # nobody complains either


def test_waiting_costs_next_to_nothing(processes: Any) -> None:
    executor = processes(lambda c: time.sleep(c["s"]) or 1.0, workers=2)
    executor.submit(Proposal(0, {"s": 0}))
    executor.wait(30)  # everything has been started and imported
    for index in (1, 2):
        executor.submit(Proposal(index, {"s": 100}))
    before = time.process_time()
    assert executor.wait(2.0) == ()
    assert (time.process_time() - before) / 2.0 < 0.02


# Threads --------------------------------------------------------------------------------


def test_numeric_libraries_get_their_share_of_threads(
    processes: Any, run: Any, monkeypatch: Any
) -> None:
    for name in list(os.environ):
        if name.endswith("_NUM_THREADS") or name.startswith("OMP_"):
            monkeypatch.delenv(name)

    def objective(config: Any) -> Any:
        import numpy as np
        from threadpoolctl import threadpool_info

        np.ones((50, 50)) @ np.ones((50, 50))
        blas = [pool["num_threads"] for pool in threadpool_info()]
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
        return {"cost": 0, "blas": blas, "names": [os.environ.get(name) for name in names]}

    share = str(max(1, available_cores() // 2))
    seen = run(processes(objective, workers=2), {}).extra
    assert seen["names"] == [share, share, share, "PASSIVE"]
    if available_cores() >= 2:
        seen = run(processes(objective, workers=1, threads=2), {}).extra
        assert seen["names"] == ["2", "2", "2", "PASSIVE"]
        assert seen["blas"] == [2]


# Data -----------------------------------------------------------------------------------


def test_data_are_mapped_by_every_worker_and_not_counted(
    processes: Any, run: Any, tmp_path: Path, finish: Any
) -> None:
    import pandas as pd

    X = np.random.default_rng(0).random((100_000, 100))  # 80 MB
    table = pd.DataFrame({"a": X[:, 0], "b": np.arange(100_000)})

    def objective(config: Any, *, X: Any, table: Any, other: Any) -> Any:
        X.sum()  # every page is touched
        maps = Path("/proc/self/maps").read_text()
        return {
            "cost": float(X[3, 4]),
            "mapped": all(f"{name}-" in maps for name in ("X", "table")),
            "writeable": bool(X.flags.writeable),
            "sum": int(table["b"].sum()),
            "other": other,
        }

    data = {"X": X, "table": table, "other": {"any": ["thing"]}}
    limits = TrialLimits(memory_mb=150)
    executor = processes(objective, workers=2, data=data, limits=limits)
    for index in range(2):
        executor.submit(Proposal(index, {}))
    for trial in finish(executor, 2):
        assert trial.succeeded, trial.cause
        assert trial.costs == (float(X[3, 4]),)
        assert trial.extra["mapped"]
        assert not trial.extra["writeable"]
        assert trial.extra["sum"] == sum(range(100_000))
        assert trial.extra["other"] == {"any": ["thing"]}
        assert trial.resources.memory_mb < 110
    assert len(list((tmp_path / "data").iterdir())) == 3


def test_writing_into_shared_data_is_explained(processes: Any, run: Any) -> None:
    def objective(config: Any, *, X: Any) -> float:
        X[0] = 1.0
        return 0.0

    trial = run(processes(objective, data={"X": np.zeros(3)}), {})
    assert trial.status is Status.CRASHED
    assert "read-only" in trial.cause
    assert "data.copy()" in trial.cause


# Bad settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers=0"),
        ({"workers": 1.5}, "workers=1.5"),
        ({"workers": True}, "workers=True"),
        ({"threads": -1}, "threads=-1"),
        ({"start_timeout_s": 0}, "start_timeout_s=0"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        ProcessExecutor(**options)


def test_a_folder_that_cannot_be_written_to_is_a_storage_error(
    problem: Problem, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "study"
    with ProcessExecutor(1) as executor, pytest.raises(StorageError, match="another disk"):
        executor.start(Work(triple, problem, folder, data={"X": np.zeros(3)}))
    with ProcessExecutor(1) as executor:
        executor.start(Work(triple, problem, folder))
        with pytest.raises(StorageError, match="trials/0"):
            executor.submit(Proposal(0, {"x": 1}))


def test_an_executor_serves_one_study(processes: Any, problem: Problem, tmp_path: Path) -> None:
    executor = processes(triple)
    with pytest.raises(StudyError, match="new ProcessExecutor"):
        executor.start(Work(triple, problem, tmp_path))
    executor.submit(Proposal(0, {"x": 1}))
    executor.close()
    executor.close()
    assert executor.wait() == ()
    with pytest.raises(StudyError, match=r"trial 1 was submitted after close\(\)"):
        executor.submit(Proposal(1, {"x": 1}))


def test_a_report_must_be_a_number() -> None:
    from octavo.executors.reporting import Reporter

    space: Any = None
    report = Reporter(Problem(space), lambda report: None)
    with pytest.raises(ObjectiveError, match=r"str '0\.3' for 'loss'"):
        report(1, {"loss": "0.3"})  # type: ignore[dict-item]
