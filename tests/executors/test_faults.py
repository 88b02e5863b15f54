"""Whatever an objective does to its process costs one trial, never the study."""

import ctypes
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from octavo.executors import Finished, ProcessExecutor, Work
from octavo.problem import TrialLimits
from octavo.trial import Proposal, Status

FAULTS: dict[str, Callable[..., Any]] = {}


def fault(function: Callable[..., Any]) -> Callable[..., Any]:
    FAULTS[function.__name__] = function
    return function


def objective(config: dict[str, Any], *, report: Any, folder: Path) -> Any:
    """Well-behaved, or one of the faults."""
    if config["do"] == "well":
        return 1.0
    return FAULTS[config["do"]](report, folder)


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory, problem: Any) -> Iterator[ProcessExecutor]:
    limits = TrialLimits(wall_s=60, memory_mb=400)
    with ProcessExecutor(1) as executor:
        executor.folder = tmp_path_factory.mktemp("study")  # type: ignore[attr-defined]
        work = Work(objective, problem, executor.folder, limits)  # type: ignore[attr-defined]
        executor.start(work)
        yield executor


@pytest.fixture
def outcome_of(executor: ProcessExecutor, run: Any) -> Iterator[Callable[..., Any]]:
    """The trial that came of a fault; a well-behaved one must succeed after it."""
    yield lambda name, wall_s=None: run(executor, {"do": name}, index=7, wall_s=wall_s)
    after = run(executor, {"do": "well"}, index=8)
    assert (after.status, after.costs) == (Status.SUCCESS, (1.0,)), after.cause


def worker_of(trial: Any) -> str:
    return str(trial.worker)


# It raises ------------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()

    def __reduce__(self) -> Any:
        raise TypeError("cannot be pickled")


@fault
def raises(report: Any, folder: Path) -> float:
    raise ValueError("this one is bad")


@fault
def raises_unprintable(report: Any, folder: Path) -> float:
    raise Unprintable


@fault
def raises_unpicklable(report: Any, folder: Path) -> float:
    raise Unpicklable


@fault
def raises_memory_error(report: Any, folder: Path) -> float:
    raise MemoryError


@fault
def interrupts_itself(report: Any, folder: Path) -> float:
    raise KeyboardInterrupt


@fault
def recurses(report: Any, folder: Path) -> float:
    return recurses(report, folder)


@fault
def exits(report: Any, folder: Path) -> float:
    sys.exit(3)


@fault
def reports_rubbish(report: Any, folder: Path) -> float:
    report(1, "a lot")
    return 1.0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", ["ValueError: this one is bad", "test_faults.py:", "in raises"]),
        ("raises_unprintable", ["Unprintable", "cannot be shown", "in raises_unprintable"]),
        ("raises_unpicklable", ["Unpicklable: holds a lock"]),
        ("raises_memory_error", ["MemoryError", "fewer workers"]),
        ("interrupts_itself", ["KeyboardInterrupt", "in interrupts_itself"]),
        ("recurses", ["RecursionError", "in recurses"]),
        ("exits", ["SystemExit: 3", "not exit"]),
        ("reports_rubbish", ["ObjectiveError", "'a lot'", "Report numbers"]),
    ],
)
def test_an_exception_is_a_crashed_trial_and_keeps_the_worker(
    name: str, words: list[str], outcome_of: Any, executor: ProcessExecutor, run: Any
) -> None:
    before = run(executor, {"do": "well"})
    trial = outcome_of(name)
    assert trial.status is Status.CRASHED
    for word in words:
        assert word in trial.cause
    assert all(cost != cost for cost in trial.costs)  # NaN
    assert worker_of(trial) == worker_of(before)
    kept = executor.folder / trial.output  # type: ignore[attr-defined]
    assert "Traceback" in kept.read_text()


# It returns something unreadable --------------------------------------------------------


@fault
def returns_nan(report: Any, folder: Path) -> Any:
    return float("nan")


@fault
def returns_text(report: Any, folder: Path) -> Any:
    return "0.5"


@fault
def returns_nothing(report: Any, folder: Path) -> Any:
    return None


@fault
def returns_a_lock(report: Any, folder: Path) -> Any:
    return threading.Lock()


@fault
def returns_another_key(report: Any, folder: Path) -> Any:
    return {"costs": 1.0}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("returns_nan", ["nan", "'cost'", "finite"]),
        ("returns_text", ["str '0.5'", "not a number"]),
        ("returns_nothing", ["NoneType None", "Return a float"]),
        ("returns_a_lock", ["lock", "not a number"]),
        ("returns_another_key", ["'cost'", "costs"]),
    ],
)
def test_an_unreadable_result_is_a_crashed_trial(
    name: str, words: list[str], outcome_of: Any
) -> None:
    trial = outcome_of(name)
    assert trial.status is Status.CRASHED
    for word in words:
        assert word in trial.cause


@fault
def returns_unpicklable_extras(report: Any, folder: Path) -> Any:
    import numpy as np

    return {
        "cost": np.float32(0.5),
        "lock": threading.Lock(),
        "curve": np.arange(3),
        "path": Path("a/b"),
        "nested": {1: (True, None, {"set"})},
    }


def test_extra_data_come_back_as_plain_data(outcome_of: Any) -> None:
    trial = outcome_of("returns_unpicklable_extras")
    assert trial.status is Status.SUCCESS
    assert trial.costs == (0.5,)
    assert trial.extra.pop("lock").startswith("<unlocked _thread.lock")
    assert trial.extra == {
        "curve": [0, 1, 2],
        "path": "a/b",
        "nested": {"1": [True, None, ["set"]]},
    }
    json.dumps(trial.extra)


# Its process dies -----------------------------------------------------------------------


@fault
def segfaults(report: Any, folder: Path) -> float:
    ctypes.string_at(0)
    return 1.0


@fault
def exits_at_once(report: Any, folder: Path) -> float:
    os._exit(0)


@fault
def exits_with_code(report: Any, folder: Path) -> float:
    os._exit(11)


@fault
def aborts(report: Any, folder: Path) -> float:
    print("what(): a C++ exception", file=sys.stderr, flush=True)
    ctypes.CDLL(None).abort()
    return 1.0


@fault
def is_killed_from_outside(report: Any, folder: Path) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)
    return 1.0


@fault
def closes_all_descriptors(report: Any, folder: Path) -> float:
    os.closerange(0, 4096)
    return 1.0


@fault
def writes_rubbish_everywhere(report: Any, folder: Path) -> float:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 4096)
        except OSError:
            continue
    return 1.0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("segfaults", ["SIGSEGV", "native code", "test_faults.py:", "in segfaults"]),
        ("exits_at_once", ["exit code 0", "os._exit"]),
        ("exits_with_code", ["exit code 11"]),
        ("aborts", ["SIGABRT", "in aborts"]),
        ("is_killed_from_outside", ["SIGKILL", "memory"]),
        ("closes_all_descriptors", ["closed file descriptors", "os.closerange"]),
    ],
)
def test_the_death_of_a_worker_is_one_crashed_trial(
    name: str, words: list[str], outcome_of: Any
) -> None:
    trial = outcome_of(name)
    assert trial.status is Status.CRASHED
    for word in words:
        assert word in trial.cause, trial.cause
    assert trial.resources.wall_s is not None


def test_rubbish_in_every_descriptor_ends_in_some_trial(outcome_of: Any) -> None:
    trial = outcome_of("writes_rubbish_everywhere", wall_s=5)
    assert trial.status in (Status.CRASHED, Status.TIMEOUT)


def test_an_idle_workers_death_costs_no_trial(executor: ProcessExecutor, run: Any) -> None:
    first = run(executor, {"do": "well"})
    os.kill(int(worker_of(first).split()[-1].strip(")")), signal.SIGKILL)
    second = run(executor, {"do": "well"})
    assert second.status is Status.SUCCESS
    assert worker_of(second) != worker_of(first)


def test_an_idle_keepers_death_costs_no_trial(
    executor: ProcessExecutor, run: Any, mark: Any
) -> None:
    first = run(executor, {"do": "well"})
    worker = int(worker_of(first).split()[-1].strip(")"))
    keeper = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    for pause in (0.0, 0.5):  # before and after anybody can have noticed
        time.sleep(pause)
        assert run(executor, {"do": "well"}).status is Status.SUCCESS
    assert not is_running(worker)


@fault
def kills_its_keeper(report: Any, folder: Path) -> float:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
    return 1.0


def test_a_keepers_death_is_one_crashed_trial(outcome_of: Any) -> None:
    trial = outcome_of("kills_its_keeper")
    assert trial.status is Status.CRASHED
    assert "killed from outside" in trial.cause


def test_a_keepers_death_may_stay_unseen_for_a_while(executor: ProcessExecutor, run: Any) -> None:
    # As when the study is busy: the pool, which looks ten times a second, meanwhile tries to
    # replace the keeper. That no thread dies of it is what pytest's settings see to; nothing
    # tells when the pool has looked, so the test gives it time.
    executor.submit(Proposal(0, {"do": "kills_its_keeper"}))
    time.sleep(2.0)
    (event,) = executor.wait(10.0)
    assert isinstance(event, Finished)
    assert "killed from outside" in event.trial.cause
    assert run(executor, {"do": "well"}, index=1).status is Status.SUCCESS


# It does not end, or takes too much -----------------------------------------------------


@fault
def sleeps_for_ever(report: Any, folder: Path) -> float:
    print("good night")
    time.sleep(1e6)
    return 1.0


@fault
def ignores_all_signals(report: Any, folder: Path) -> float:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(1)


@fault
def holds_the_interpreters_lock(report: Any, folder: Path) -> float:
    ctypes.PyDLL(None).sleep(1000)  # unlike CDLL, PyDLL does not release it
    return 1.0


@fault
def stops_itself(report: Any, folder: Path) -> float:
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1.0


@pytest.mark.parametrize(
    "name",
    ["sleeps_for_ever", "ignores_all_signals", "holds_the_interpreters_lock", "stops_itself"],
)
def test_a_trial_over_its_time_is_killed(name: str, outcome_of: Any) -> None:
    trial = outcome_of(name, wall_s=0.5)
    assert trial.status is Status.TIMEOUT
    assert "limit of 0.5 s" in trial.cause
    assert 0.5 <= trial.resources.wall_s < 1.5


@fault
def allocates_without_end(report: Any, folder: Path) -> float:
    hoard = []
    while True:
        hoard.append(b"x" * (4 << 20))


@fault
def children_allocate(report: Any, folder: Path) -> float:
    for _ in range(4):
        if os.fork() == 0:
            hoard = bytearray(120 << 20)
            time.sleep(100)
            os._exit(len(hoard))
    time.sleep(100)
    return 1.0


@pytest.mark.parametrize("name", ["allocates_without_end", "children_allocate"])
def test_a_trial_over_its_memory_is_killed(name: str, outcome_of: Any) -> None:
    trial = outcome_of(name)
    assert trial.status is Status.MEMORY
    assert "400 MiB" in trial.cause
    assert trial.resources.memory_mb > 400
    if name == "children_allocate":
        assert "processes" in trial.cause


@fault
def children_share_memory(report: Any, folder: Path) -> float:
    hoard = bytearray(os.urandom(1 << 20)) * 150
    children = []
    for _ in range(4):  # 150 MiB in each of five processes, but the same
        child = os.fork()
        if child == 0:
            time.sleep(0.5)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return float(len(hoard) > 0)


def test_memory_that_forked_children_share_counts_once(outcome_of: Any) -> None:
    trial = outcome_of("children_share_memory")
    assert trial.status is Status.SUCCESS, trial.cause
    assert 150 < trial.resources.memory_mb < 400


# It leaves something behind -------------------------------------------------------------


@fault
def forks_a_child_that_outlives_it(report: Any, folder: Path) -> float:
    child = os.fork()
    if child == 0:
        time.sleep(1000)
    (folder / "children").write_text(str(child))
    return 1.0


@fault
def forks_a_daemon(report: Any, folder: Path) -> float:
    pipe, other = os.pipe()
    if os.fork() == 0:
        os.setsid()
        child = os.fork()
        if child:
            os.write(other, str(child).encode())
            os._exit(0)
        time.sleep(1000)
    (folder / "children").write_bytes(os.read(pipe, 100))
    return 1.0


@fault
def leaves_programs_running(report: Any, folder: Path) -> float:
    pids = []
    for options in ({}, {"start_new_session": True}):
        program = ["sh", "-c", "trap '' TERM HUP INT; sleep 1000 & echo $!; wait"]
        started = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
        pids += [started.pid, int(started.stdout.readline())]
    (folder / "children").write_text(" ".join(map(str, pids)))
    return 1.0


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    "name", ["forks_a_child_that_outlives_it", "forks_a_daemon", "leaves_programs_running"]
)
def test_children_left_behind_are_killed_when_the_trial_ends(
    name: str, outcome_of: Any, executor: ProcessExecutor
) -> None:
    trial = outcome_of(name)
    assert trial.status is Status.SUCCESS, trial.cause
    folder = executor.folder / "trials" / "7"  # type: ignore[attr-defined]
    children = [int(pid) for pid in (folder / "children").read_text().split()]
    assert children
    assert not any(map(is_running, children))


@fault
def its_fork_returns_too(report: Any, folder: Path) -> float:
    if os.fork() == 0:
        return 2.0
    time.sleep(0.2)
    return 1.0


def test_only_one_of_two_forks_answers(outcome_of: Any) -> None:
    trial = outcome_of("its_fork_returns_too")
    assert (trial.status, trial.costs) == (Status.SUCCESS, (1.0,))


@fault
def leaves_threads(report: Any, folder: Path) -> float:
    def haunt() -> None:
        for step in range(200):
            time.sleep(0.005)
            print("boo")
            report(step, 0.0)

    threading.Thread(target=haunt, daemon=True).start()
    threading.Thread(target=haunt).start()
    return 1.0


def test_threads_left_behind_report_to_nobody(
    outcome_of: Any, executor: ProcessExecutor, run: Any
) -> None:
    assert outcome_of("leaves_threads").status is Status.SUCCESS
    following = [run(executor, {"do": "well"}, index=9) for _ in range(5)]
    time.sleep(0.3)
    following += [run(executor, {"do": "well"}, index=9)]
    assert all(trial.succeeded and trial.reports == () for trial in following)
    outcome_of("exits_at_once")  # and takes the threads along, which would haunt later tests


@fault
def changes_its_process(report: Any, folder: Path) -> float:
    os.chdir("/")
    os.environ.clear()
    os.environ["HOME"] = "/nowhere"
    os.umask(0o777)
    sys.path.clear()
    sys.setrecursionlimit(60)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    sys.stdout.close()
    sys.stderr = None  # type: ignore[assignment]
    os.close(1)
    os.close(2)
    return 1.0


@fault
def shows_its_process(report: Any, folder: Path) -> Any:
    time.sleep(0.4)
    print("out")
    print("err", file=sys.stderr)
    (folder / "made").touch()
    return {
        "cost": 0.0,
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path,
        "recursion": sys.getrecursionlimit(),
        "term": str(signal.getsignal(signal.SIGTERM)),
        "mode": (folder / "made").stat().st_mode,
    }


def test_changes_to_the_process_are_undone(outcome_of: Any, executor: ProcessExecutor) -> None:
    before = outcome_of("shows_its_process")
    changed = outcome_of("changes_its_process")
    assert changed.succeeded, changed.cause
    after = outcome_of("shows_its_process")
    assert worker_of(after) == worker_of(before)
    assert after.extra == before.extra
    printed = (executor.folder / after.output).read_text()  # type: ignore[attr-defined]
    assert printed == "out\nerr\n"


# It prints ------------------------------------------------------------------------------


@fault
def prints_100_mb(report: Any, folder: Path) -> float:
    print("the beginning")
    block = b"x" * 99 + b"\n"
    for _ in range(100):
        os.write(1, block * 10_000)
    ctypes.CDLL(None).puts(b"and from C")
    print("the end")
    return 1.0


def test_printing_100_mb_keeps_the_beginning_and_the_end(
    outcome_of: Any, executor: ProcessExecutor
) -> None:
    trial = outcome_of("prints_100_mb")
    assert trial.succeeded, trial.cause
    path = executor.folder / trial.output  # type: ignore[attr-defined]
    assert path.stat().st_size < 1.1 * 2**20
    text = path.read_text()
    assert text.startswith("the beginning\n")
    # In either order: what C prints waits in a buffer of its own.
    assert "the end\n" in text[-100:]
    assert "and from C\n" in text[-100:]
    dropped = int(re.search(r"([\d,]+) bytes were dropped", text)[1].replace(",", ""))  # type: ignore[index]
    assert 0 <= dropped - (100_000_033 - 2**20) < 1000


def test_what_was_printed_before_a_kill_is_kept(outcome_of: Any, executor: ProcessExecutor) -> None:
    trial = outcome_of("sleeps_for_ever", wall_s=0.5)
    assert (executor.folder / trial.output).read_text() == "good night\n"  # type: ignore[attr-defined]


def test_faults_are_found_by_name() -> None:
    """The objective travels by value, with the table of faults and all that they refer to."""
    assert pickle.dumps(sorted(FAULTS))
    assert len(FAULTS) > 30
