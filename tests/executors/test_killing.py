"""When the study's process ends, however it ends, nothing of it is left."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octavo.executors import ProcessExecutor
from octavo.trial import Proposal, Status

# No `if __name__ == "__main__":` anywhere: that is how users write scripts.
HEAD = """
import ctypes, os, signal, subprocess, sys, threading, time
from pathlib import Path
from octavo.executors import ProcessExecutor, Work
from octavo.problem import Problem, TrialLimits
from octavo.trial import Proposal

print("the script runs", flush=True)
"""
START = """
executor = ProcessExecutor({workers})
executor.start(Work(train, Problem(space=None), Path("study")))
"""


@pytest.fixture
def study(tmp_path: Path, mark: Any) -> Any:
    """Start a script in its own process group; its output is a pipe."""
    started: list[subprocess.Popen[str]] = []

    def start(*parts: str, workers: int = 2) -> subprocess.Popen[str]:
        text = HEAD + "\n".join(map(textwrap.dedent, parts))
        script = tmp_path / "script.py"
        script.write_text(text.replace("{workers}", str(workers)))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path: Path, within_s: float = 30.0) -> None:
    give_up = time.monotonic() + within_s
    while not path.exists():
        assert time.monotonic() < give_up, f"{path.name} did not appear"
        time.sleep(0.01)


def test_an_unguarded_script_runs_once(study: Any, mark: Any) -> None:
    process = study(
        """
        FACTOR = 2.0
        class Helper:
            factor = FACTOR
        def train(config, *, seed):
            return Helper.factor * config["x"] + helper(seed)
        def helper(seed):
            return float(seed)
        """,
        START,
        """
        executor.submit(Proposal(0, {"x": 21}))
        [finished] = executor.wait()
        print(finished.trial.status, finished.trial.costs, finished.trial.cause)
        """,
    )
    output, _ = process.communicate(timeout=60)
    assert output == "the script runs\nsuccess (42.0,) \n"
    assert process.returncode == 0  # although it never closed the executor
    assert mark.all_gone(within_s=2)


def test_functions_and_classes_of_the_script_can_be_pickled_in_a_trial(study: Any) -> None:
    process = study(
        """
        import multiprocessing, pickle
        class Model:
            def __init__(self, x):
                self.x = x
        def double(x):
            return 2 * x
        def train(config, *, folder):
            with multiprocessing.Pool(2) as pool:
                total = sum(pool.map(double, range(4)))
            (folder / "model.pickle").write_bytes(pickle.dumps(Model(total)))
            return float(total)
        """,
        START,
        """
        executor.submit(Proposal(0, {}))
        [finished] = executor.wait()
        model = pickle.loads(Path("study/trials/0/model.pickle").read_bytes())
        print(finished.trial.status, finished.trial.cause, isinstance(model, Model), model.x)
        """,
        workers=1,
    )
    output, _ = process.communicate(timeout=60)
    assert output == "the script runs\nsuccess  True 12\n"


NASTY = """
def train(config):
    do = config["do"]
    if do == "sleep":
        Path(do).touch(); time.sleep(1000)
    if do == "lock":  # in C code that never gives the interpreter's lock away
        Path(do).touch(); ctypes.PyDLL(None).sleep(1000)
    if do == "fork":
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(1000)
        os.wait()
        Path(do).touch(); time.sleep(1000)
    if do == "program":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sh", "-c", "trap '' TERM HUP INT; sleep 1000 & sleep 1000"],
                         start_new_session=True)
        subprocess.Popen(["sleep", "1000"])
        Path(do).touch(); time.sleep(1000)
    if do == "stopped":
        Path(do).touch(); os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_nothing_is_left_two_seconds_after_the_study_is_killed(
    study: Any, mark: Any, tmp_path: Path
) -> None:
    names = ["sleep", "lock", "fork", "program", "stopped"]
    process = study(
        NASTY,
        START,
        f"""
        for index, do in enumerate({names}):
            executor.submit(Proposal(index, {{"do": do}}))
        executor.wait()
        """,
        workers=len(names),
    )
    for name in names:
        wait_for(tmp_path / name)
    assert len(mark.survivors()) >= 1 + 2 * len(names) + 4
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert mark.all_gone(within_s=2), mark.survivors()


@pytest.mark.parametrize("moment", range(8))
def test_nothing_is_left_when_the_study_is_killed_at_any_moment(
    moment: int, study: Any, mark: Any, repeats: int
) -> None:
    for repeat in range(repeats):
        process = study(
            """
            def train(config):
                if os.fork() == 0:
                    time.sleep(1000)
                time.sleep(0.05)
                return 1.0
            """,
            """
            print("starting", flush=True)
            """,
            START,
            """
            index = 0
            for _ in range(2):
                executor.submit(Proposal(index, {})); index += 1
            while True:
                for event in executor.wait():
                    executor.submit(Proposal(index, {})); index += 1
            """,
        )
        while "starting" not in process.stdout.readline():
            continue
        time.sleep((moment + repeat / repeats) * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert mark.all_gone(within_s=2), mark.survivors()


def test_ctrl_c_reaches_the_study_alone(study: Any, mark: Any, tmp_path: Path) -> None:
    process = study(
        """
        def train(config):
            Path("began").touch()
            time.sleep(1.0)
            return 5.0
        """,
        START,
        """
        caught = []
        signal.signal(signal.SIGINT, lambda *_: caught.append(1))
        executor.submit(Proposal(0, {}))
        [event] = executor.wait()
        print(len(caught), event.trial.status, event.trial.costs)
        """,
    )
    wait_for(tmp_path / "began")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate(timeout=60)
    assert output == "the script runs\n1 success (5.0,)\n"
    assert mark.all_gone(within_s=2)


def test_an_exception_in_the_study_leaves_nothing(study: Any, mark: Any) -> None:
    process = study(
        "def train(config): time.sleep(1000)",
        START,
        """
        executor.submit(Proposal(0, {}))
        executor.wait(0.5)
        raise RuntimeError("the study fails")
        """,
    )
    output, _ = process.communicate(timeout=60)
    assert "the study fails" in output
    assert process.returncode == 1
    assert mark.all_gone(within_s=2)


def test_the_study_may_fork(study: Any, mark: Any) -> None:
    """A forked child of the study neither ends the workers nor keeps them alive."""
    process = study(
        "def train(config): time.sleep(0.5); return 1.0",
        START,
        """
        executor.submit(Proposal(0, {}))
        executor.wait(0.2)
        if os.fork() == 0:
            executor.close()
            sys.exit(0)  # with all exit handlers
        os.wait()
        [event] = executor.wait()
        print(event.trial.status, flush=True)
        child = os.fork()
        if child == 0:
            time.sleep(1000)  # holds copies of all our pipes
        print(child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        workers=1,
    )
    lines = [process.stdout.readline().strip() for _ in range(3)]
    assert lines[:2] == ["the script runs", "success"]
    process.wait()
    give_up = time.monotonic() + 2
    while len(left := mark.survivors()) > 1 and time.monotonic() < give_up:
        time.sleep(0.02)
    os.kill(int(lines[2]), signal.SIGKILL)
    assert [line.split()[0] for line in left] == [lines[2]]


def test_close_leaves_nothing_and_is_quick(
    processes: Callable[..., ProcessExecutor], mark: Any
) -> None:
    def objective(config: Any) -> float:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        time.sleep(1000)
        return 1.0

    executor = processes(objective, workers=3)
    for index in range(3):
        executor.submit(Proposal(index, {}))
    executor.wait(1.0)
    assert mark.survivors()
    started = time.monotonic()
    executor.close()
    assert time.monotonic() - started < 1.5
    assert mark.survivors() == []
    executor.close()


def test_an_executor_that_is_forgotten_is_closed(
    processes: Any, problem: Any, tmp_path: Path, mark: Any
) -> None:
    from octavo.executors import Work

    executor = ProcessExecutor(1)
    executor.start(Work(lambda config: 1.0, problem, tmp_path))
    assert mark.survivors()
    del executor
    assert mark.all_gone(within_s=2)


def test_a_killed_trial_of_a_living_study_leaves_nothing(processes: Any, mark: Any) -> None:
    """`stop` in the middle of a storm of forks: each child forks again and leaves."""

    def objective(config: Any, *, report: Any) -> float:
        report(0, 0.0)
        while True:
            if os.fork() == 0:
                os.setsid()
                for _ in range(3):
                    if os.fork():
                        os._exit(0)
                    time.sleep(0.01)
                time.sleep(1000)
            time.sleep(0.01)

    executor = processes(objective)
    executor.submit(Proposal(0, {}))
    executor.wait(30)
    time.sleep(0.5)
    assert len(mark.survivors()) > 10
    executor.stop(0, Status.CANCELLED, "enough")
    while not (events := executor.wait(30)):
        continue
    assert events[0].trial.status is Status.CANCELLED
    # The keeper and the worker that has been started for the next trial.
    assert len(mark.survivors()) <= 2
