"""Dask executors on real clusters: limits, reports, and workers and schedulers that die."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask import config
from distributed import Client, LocalCluster

import octavo
from octavo.callbacks import Submitted
from octavo.errors import SettingError, StudyError
from octavo.executors import DaskExecutor, Finished, Reported, Work, carrying
from octavo.problem import TrialLimits
from octavo.trial import Proposal, Status

QUIET = {"silence_logs": 50, "dashboard_address": ":0"}


@pytest.fixture(scope="module", autouse=True)
def patience():
    """A cluster strikes off a worker that takes long to come back, as it may on a busy machine."""
    with config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}):
        yield


@pytest.fixture(scope="module")
def client(patience):
    """Two Dask workers with one thread each, processes of their own, restarted when killed."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def dask(client, problem, tmp_path):
    """Start executors: `dask(objective, limits=..., data=..., shared_folder=False, ...)`."""
    started = []

    def start(objective, *, limits=None, data=None, on=None, **options):
        executor = DaskExecutor(on or client, **options)
        started.append(executor)
        executor.start(Work(objective, problem, tmp_path, limits or TrialLimits(), data or {}))
        return executor

    yield start
    for executor in started:
        executor.close()


def next_report(executor, timeout_s=60.0):
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        for event in executor.wait(1.0):
            assert isinstance(event, Reported), event
            return event
    raise AssertionError("nothing was reported")


def is_alive(pid):
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids, within_s=10.0):
    give_up = time.monotonic() + within_s
    while any(map(is_alive, pids)):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


# What a trial is on a cluster -----------------------------------------------------------


def faulty(config: Mapping[str, Any], *, folder: Path) -> float:
    print("do", config["do"])
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_bytes(b"w" * 1000)
    if config["do"] == "raise":
        raise ValueError("this one is bad")
    if config["do"] == "segfault":
        ctypes.string_at(0)
    if config["do"] == "sleep":
        time.sleep(1000)
    if config["do"] == "grow":
        kept = [bytearray(os.urandom(2**20)) for _ in range(2000)]
        return float(len(kept))
    began = time.process_time()
    while time.process_time() - began < 0.2:
        pass
    return 1.0


@pytest.mark.parametrize("shared_folder", [None, False], ids=["shared", "carried"])
def test_trials_are_limited_measured_and_kept_as_they_are_here(shared_folder, dask, run, tmp_path):
    executor = dask(
        faulty, limits=TrialLimits(wall_s=3.0, memory_mb=300), shared_folder=shared_folder
    )
    trials = {
        do: run(executor, {"do": do}, index)
        for index, do in enumerate(["raise", "segfault", "sleep", "grow", "work"])
    }
    ends = {do: trial.status for do, trial in trials.items()}
    assert ends == {
        "raise": Status.CRASHED,
        "segfault": Status.CRASHED,
        "sleep": Status.TIMEOUT,
        "grow": Status.MEMORY,
        "work": Status.SUCCESS,
    }, {do: trial.cause for do, trial in trials.items()}
    assert "this one is bad" in trials["raise"].cause and "SIGSEGV" in trials["segfault"].cause
    assert trials["work"].costs == (1.0,)
    assert 0.15 <= trials["work"].resources.cpu_s < 1.0
    assert trials["grow"].resources.memory_mb > 300
    assert all("tcp://" in trial.worker for trial in trials.values())
    for do, trial in trials.items():
        assert (tmp_path / trial.output).read_text().startswith(f"do {do}")
        weights = tmp_path / "trials" / str(trial.index) / "model" / "weights"
        assert weights.stat().st_size == 1000


def telling(config, *, report):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    report(0, {"me": os.getpid(), "child": child.pid})
    step = 1
    while True:
        time.sleep(0.01)
        report(step, 1.0 / step)
        step += 1


def test_reports_come_while_it_runs_and_a_stop_ends_all_of_it(dask, finish):
    executor = dask(telling)
    executor.submit(Proposal(0, {}))
    pids = next_report(executor).report.values
    executor.stop(0, Status.STOPPED, "not promising")
    [trial] = finish(executor)
    assert (trial.status, trial.cause) == (Status.STOPPED, "not promising")
    assert trial.reports[0].values == pids and trial.resources.wall_s > 0
    assert gone(*pids.values())


def test_a_halted_trial_ends_at_its_next_report(dask, finish):
    executor = dask(telling)
    executor.submit(Proposal(0, {}))
    executor.halt(0, "pause", "paused by a test")  # before anybody knows where it will run
    [trial] = finish(executor)
    assert trial.status is Status.STOPPED and trial.extra["paused"] is True
    assert "paused by a test" in trial.cause


def test_what_waits_for_a_worker_can_be_stopped(dask, finish):
    executor = dask(telling)
    for index in range(3):  # the third finds both workers busy
        executor.submit(Proposal(index, {}))
    seen = set()
    while len(seen) < 2:
        seen.add(next_report(executor).index)
    waiting = ({0, 1, 2} - seen).pop()
    executor.stop(waiting, Status.CANCELLED, "never mind")
    [trial] = finish(executor)
    assert (trial.index, trial.cause, trial.reports) == (waiting, "never mind", ())


def test_data_are_mapped_read_only_and_carried_where_nothing_is_shared(dask, run):
    X = np.random.default_rng(0).normal(size=(700_000, 2))  # three pieces on their way

    def mean(config, *, X):
        assert not X.flags.writeable and not X.flags.owndata
        return float(X[:, config["column"]].mean())

    for shared_folder in (None, False):
        executor = dask(mean, data={"X": X}, shared_folder=shared_folder)
        trial = run(executor, {"column": 1})
        assert trial.costs == (float(X[:, 1].mean()),), trial.cause


def test_a_file_is_asked_for_once_by_all_who_need_it(tmp_path):
    asked = []

    def ask(name):
        asked.append(name)
        content = name.encode() * 100
        for offset in range(0, len(content), 64):
            chunk = content[offset : offset + 64]
            carrying.receive(str(tmp_path), name, offset, chunk, offset + 64 >= len(content))

    pieces = carrying.Pieces(("first", "second"))
    threads = [
        threading.Thread(target=pieces.fetch, args=(tmp_path, ask, lambda: True)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["first", "second"]
    assert (tmp_path / "second").read_bytes() == b"second" * 100


def test_too_much_to_carry_stays_where_it_is(dask, run, tmp_path, caplog):
    executor = dask(faulty, shared_folder=False, carry_mb=0.0005)
    trial = run(executor, {"do": "work"})
    assert (trial.status, trial.output) == (Status.SUCCESS, None)
    assert "stay on tcp://" in caplog.text and "Raise carry_mb" in caplog.text
    assert not (tmp_path / "trials" / "0").exists()


def counting(config, *, checkpoint):
    found = checkpoint.load()
    steps = (0 if found is None else int(found.read_text())) + config["steps"]
    checkpoint.save(lambda path: path.write_text(str(steps)))
    return float(steps)


@pytest.mark.parametrize("shared_folder", [None, False], ids=["shared", "carried"])
def test_a_trial_goes_on_from_a_checkpoint_of_another_machine(shared_folder, dask, run, tmp_path):
    executor = dask(counting, shared_folder=shared_folder)
    first = run(executor, {"steps": 3}, 0)
    assert (tmp_path / first.checkpoint.path).read_text() == "3"
    second = run(executor, {"steps": 4}, 1, resume_from=0)
    assert second.costs == (7.0,), second.cause
    assert (tmp_path / second.checkpoint.path).read_text() == "7"
    third = run(executor, {"steps": 5}, 3, resume_from=2)  # which left nothing
    assert third.costs == (5.0,)


# Workers come and go --------------------------------------------------------------------


def fragile(config, *, report):
    marks = Path(config["marks"])
    marks.joinpath(f"{time.time()}").touch()
    report(0, os.getpid())
    if len(list(marks.iterdir())) <= config["deaths"]:
        time.sleep(1000)
    return 0.5


def dask_worker_of(pid):
    """A worker's parent is its keeper, whose parent is the Dask worker."""
    for _ in range(2):
        pid = int(Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


@pytest.mark.parametrize(("deaths", "status"), [(1, Status.SUCCESS), (2, Status.CRASHED)])
def test_a_trial_whose_dask_worker_is_killed_runs_again(deaths, status, dask, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    executor = dask(fragile, retries=1)
    executor.submit(Proposal(0, {"marks": str(marks), "deaths": deaths}))
    pids = []
    trial = None
    while trial is None:
        for event in executor.wait(60):
            if isinstance(event, Finished):
                trial = event.trial
            elif len(pids) < deaths:
                pids.append(event.report.values["cost"])
                os.kill(dask_worker_of(pids[-1]), signal.SIGKILL)
    assert trial.status is status, trial.cause
    assert gone(*pids)
    if status is Status.SUCCESS:
        assert len(trial.reports) == 1, "those of the attempt that was broken off are dropped"
    else:
        assert "was lost 2 times" in trial.cause
    executor.submit(Proposal(1, {"marks": str(marks), "deaths": 0}))
    while not any(isinstance(event, Finished) for event in executor.wait(60)):
        continue


def test_retries_are_ours_to_count_not_dasks(dask, tmp_path):
    """Dask itself gives a task up that has lost so many workers."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with (
        config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        executor = dask(fragile, on=client, retries=1)
        executor.submit(Proposal(0, {"marks": str(marks), "deaths": 1}))
        os.kill(dask_worker_of(next_report(executor).report.values["cost"]), signal.SIGKILL)
        trial = next(
            event.trial
            for _ in range(100)
            for event in executor.wait(1.0)
            if isinstance(event, Finished)
        )
        executor.close()
    assert trial.status is Status.SUCCESS, trial.cause


def test_slots_follow_the_size_of_the_cluster(dask):
    with (
        LocalCluster(n_workers=1, threads_per_worker=3, processes=False, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        executor = dask(lambda config: 1.0, on=client, processes=False)
        assert executor.slots == 3
        for n, slots in ((3, 9), (1, 3)):
            cluster.scale(n)
            give_up = time.monotonic() + 20
            while executor.slots != slots:
                assert time.monotonic() < give_up
                time.sleep(0.05)
        executor.close()


def slow(config):
    time.sleep(0.05 if config["x"] < 0.6 else 1000)
    return config["x"]


CLUSTER = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    # hindrance
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, silence_logs=50, dashboard_address=":0"
    )
    print(cluster.scheduler_address, flush=True)
    time.sleep(1000)
"""


WITHOUT = "import sys; sys.modules['octavo'] = None"


@pytest.fixture
def mortal_cluster(tmp_path, request):
    """The process of a scheduler that may be killed, and its address."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER.replace("# hindrance", getattr(request, "param", "")))
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield process, process.stdout.readline().strip()
    with contextlib.suppress(ProcessLookupError):  # all of it has ended by now
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_study_whose_scheduler_dies_ends_and_keeps_what_was_completed(mortal_cluster, tmp_path):
    process, address = mortal_cluster
    study = octavo.Study(
        octavo.space(x=octavo.Float(0, 1)),
        optimizer="random",
        seed=1,
        storage=tmp_path / "study",
    )
    completed = []

    def watch(event):
        if hasattr(event, "trial"):
            completed.append(event.trial.index)
        if len(completed) == 3:
            process.kill()

    with pytest.raises(StudyError, match=r"scheduler is lost.*completed are stored.*resume"):
        study.run(
            slow,
            max_trials=500,
            executor=DaskExecutor(address, patience_s=1.0),
            callbacks=[watch],
            progress=False,
        )
    assert study.history.indices.tolist() == completed
    assert len(study.pending) in (1, 2)
    study.run(lambda config: config["x"], max_trials=len(completed) + 2, progress=False)
    assert sorted(study.history.indices) == list(range(len(completed) + 2))


def test_a_scheduler_that_takes_long_to_answer_holds_up_no_study(mortal_cluster, dask):
    process, address = mortal_cluster
    executor = dask(slow, on=address)
    assert executor.slots == 2
    os.kill(process.pid, signal.SIGSTOP)
    try:
        time.sleep(1.1)  # as long as the number of slots is believed
        began = time.monotonic()
        assert executor.slots == 2
        assert time.monotonic() - began < 5
    finally:
        os.kill(process.pid, signal.SIGCONT)
    executor.close()


def test_a_cut_connection_to_the_scheduler_costs_nothing_but_time(client, dask, proxy_to, tmp_path):
    """The scheduler ends the tasks of a client that is gone; those trials run again."""
    marks = tmp_path / "marks"
    marks.mkdir()
    proxy = proxy_to(int(client.scheduler.address.rpartition(":")[2]))
    executor = dask(fragile, on=f"tcp://127.0.0.1:{proxy.port}", retries=1)
    executor.submit(Proposal(0, {"marks": str(marks), "deaths": 1}))
    first = next_report(executor).report.values["cost"]
    proxy.cut()
    reported, trial = [], None
    while trial is None:
        for event in executor.wait(60):
            if isinstance(event, Finished):
                trial = event.trial
            else:
                reported.append(event.report.values["cost"])
    assert trial.status is Status.SUCCESS, trial.cause
    assert len(reported) == len(trial.reports) == 1 and reported[0] != first
    assert gone(first)


STUDY = """
import sys
import octavo
from octavo.executors import DaskExecutor

def hang(config, *, report):
    import os, time
    print("x")
    open(sys.argv[2] + "/" + str(os.getpid()), "w").close()
    time.sleep(1000)

if __name__ == "__main__":
    octavo.minimize(hang, octavo.space(x=octavo.Float(0, 1)), max_trials=9,
                    executor=DaskExecutor(sys.argv[1]), progress=False)
"""


def test_the_trials_of_a_study_that_is_killed_end(client, tmp_path):
    script = tmp_path / "study.py"
    script.write_text(STUDY.replace("sys.argv[2]", repr(str(tmp_path / "pids"))))
    (tmp_path / "pids").mkdir()
    study = subprocess.Popen([sys.executable, str(script), client.scheduler.address])
    give_up = time.monotonic() + 60
    while len(pids := [p.name for p in (tmp_path / "pids").iterdir()]) < 2:
        assert time.monotonic() < give_up and study.poll() is None
        time.sleep(0.02)
    study.kill()
    study.wait()
    assert gone(*pids)


def test_after_ctrl_c_nobody_waits_for_workers_that_are_gone(tmp_path):
    """In a terminal it reaches the workers of a cluster on this machine, too."""

    def interrupt(event):
        if isinstance(event, Submitted):
            cluster.scale(0)
            os.kill(os.getpid(), signal.SIGINT)

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
        octavo.Study(octavo.space(x=octavo.Float(0, 1)), storage=tmp_path / "s") as study,
    ):
        executor = DaskExecutor(client, processes=False)
        study.run(slow, max_trials=9, executor=executor, callbacks=[interrupt], progress=False)
        assert study.stopped_because == "interrupted by Ctrl-C"
        assert len(study.pending) == 1


# In threads -------------------------------------------------------------------------------


def test_in_threads_trials_run_at_once_and_report(client, dask, finish):
    with (
        LocalCluster(n_workers=1, threads_per_worker=8, processes=False, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as in_threads,
    ):
        executor = dask(meeting, on=in_threads, processes=False)
        for index in range(8):
            executor.submit(Proposal(index, {}, seed=index))
        trials = finish(executor, 8)
        executor.close()
    assert sorted(trial.costs[0] for trial in trials) == list(range(8))
    for trial in trials:
        assert [r.values["cost"] for r in trial.reports] == [trial.costs[0] + s for s in range(3)]
        assert "thread" in trial.resources.how["cpu_s"]


def meeting(config, *, report, seed):
    meet = sys.__dict__.setdefault("octavo_test_meet", threading.Barrier(8, timeout=30))
    meet.wait()
    for step in range(3):
        report(step, step + seed)
    return seed


# Bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda client: DaskExecutor(3), "got 3 of type int.*Client"),
        (lambda client: DaskExecutor("tcp://127.0.0.1:9"), "'tcp://127.0.0.1:9' cannot be reached"),
        (lambda client: DaskExecutor(client, retries=-1), "retries=-1"),
        (lambda client: DaskExecutor(client, patience_s=0), "patience_s=0"),
        (lambda client: DaskExecutor(client, threads=0), "threads=0"),
        (lambda client: DaskExecutor(client, carry_mb="64"), "carry_mb='64' must be a number"),
    ],
)
def test_what_cannot_work_is_refused_with_a_word(make, words, client):
    with pytest.raises(SettingError, match=words):
        make(client)


@pytest.mark.parametrize(
    ("mortal_cluster", "who"),
    [
        (WITHOUT, "scheduler"),
        (
            "import os; os.environ['PYTHONPATH'] = os.path.dirname(__file__) + '/without'",
            "worker",
        ),
    ],
    indirect=["mortal_cluster"],
    ids=["scheduler", "worker"],
)
def test_a_cluster_without_octavo_is_told(mortal_cluster, who, problem, tmp_path):
    with (
        DaskExecutor(mortal_cluster[1]) as executor,
        pytest.raises(SettingError, match=rf"the Dask {who} tcp://.* has no Octavo .*Install"),
    ):
        executor.start(Work(slow, problem, tmp_path))


def test_limits_in_threads_are_refused(client, dask):
    with pytest.raises(SettingError, match=r"wall_s=1 .* cannot be enforced"):
        dask(slow, limits=TrialLimits(wall_s=1), processes=False)


def test_a_cluster_without_workers_is_told(problem, tmp_path):
    with (
        LocalCluster(n_workers=0, processes=False, **QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client, start_timeout_s=0.2) as executor,
        pytest.raises(StudyError, match=r"no worker joined the Dask cluster .* within 0.2 s"),
    ):
        executor.start(Work(slow, problem, tmp_path))


def test_an_objective_that_cannot_be_imported_there_is_told(dask, run, monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def train(config):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    trial = run(dask(only_here.train), {})
    assert trial.status is Status.CRASHED and "must be importable there" in trial.cause
