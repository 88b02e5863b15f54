"""What is left of a study that is interrupted or killed: everything that was completed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import octavo
from octavo.errors import StorageError
from octavo.storage import create_store
from octavo.study import minimize, open_study

N_TRIALS = 60
KILLS = 10 * int(os.environ.get("OCTAVO_REPEATS", "1"))

SUBJECT = """
import sys, time
import octavo, octavo.problem

SPACE = octavo.space(x=octavo.Float(0, 1), n=octavo.Integer(1, 9))

def cost(config, *, seed):
    time.sleep(float(sys.argv[2]))
    return config["x"] + config["n"] + seed % 7

if __name__ == "__main__":
    folder, workers = sys.argv[1], int(sys.argv[3]) or None
    print("ready", flush=True)
    try:
        study = octavo.open_study(folder)
    except octavo.errors.StorageError:
        study = octavo.Study(
            SPACE, seed=8, optimizer="regularized-evolution", storage=folder,
            limits=octavo.problem.Limits(max_trials=int(sys.argv[4])),
        )
    study.run(cost, workers=workers)
    print("stopped:", study.stopped_because, flush=True)
"""


@pytest.fixture
def start():
    """Start the subject in a process of its own; ended with the test."""
    started = []

    def begin(folder: Path, *, sleep: float = 0.002, workers: int = 0, trials: int = N_TRIALS):
        script = folder.parent / "subject.py"
        script.write_text(SUBJECT)
        child = subprocess.Popen(
            [sys.executable, str(script), str(folder), str(sleep), str(workers), str(trials)],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "OCTAVO_TEST_MARK": str(folder.parent)},
        )  # fmt: skip
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def alive(mark: Path) -> list[str]:
    """Processes that inherited the mark, so those that the study started too."""
    wanted = f"OCTAVO_TEST_MARK={mark}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:  # ended while we looked
            continue
    return found


def rows(study):
    return [(t.index, dict(t.config), t.costs, t.proposal.seed) for t in study.history]


def test_a_study_killed_at_any_moment_ends_as_the_one_that_was_not(start, tmp_path):
    """SIGKILL at moments uniform over the run, inside commits too; resumed each time."""
    steady = start(tmp_path / "steady", sleep=0.0)
    began = time.monotonic()
    assert steady.wait(120) == 0
    rng = np.random.default_rng(0)
    lasts = max(time.monotonic() - began, 0.2)
    seen: dict[int, tuple] = {}
    for _ in range(KILLS):
        child = start(tmp_path / "killed", sleep=0.0)
        time.sleep(float(rng.uniform(0, lasts * 0.5)))
        child.kill()
        child.wait()
        if not (tmp_path / "killed" / "history.sqlite").exists():
            continue
        try:
            study = open_study(tmp_path / "killed", write=False)
        except Exception as error:  # killed while it was being made: nothing was completed yet
            assert not seen, error
            subprocess.run(["rm", "-r", str(tmp_path / "killed")], check=True)
            continue
        found = {row[0]: row for row in rows(study)}
        assert len(found) == len(study.history)
        assert {index: found[index] for index in seen} == seen, "a completed trial changed"
        seen = found
    assert start(tmp_path / "killed", sleep=0.0).wait(120) == 0
    with open_study(tmp_path / "killed") as killed, open_study(tmp_path / "steady") as whole:
        assert rows(killed) == rows(whole)
        assert len(killed.history) == N_TRIALS


def test_nothing_is_left_two_seconds_after_the_study_is_killed(start, tmp_path):
    child = start(tmp_path / "s", sleep=30, workers=2)
    end = time.monotonic() + 60
    while len(alive(tmp_path)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(alive(tmp_path)) >= 3
    child.kill()
    child.wait()
    time.sleep(2)
    assert alive(tmp_path) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_one_interrupt_lets_running_trials_finish(start, tmp_path, workers):
    child = start(tmp_path / "s", sleep=0.3, workers=workers)
    wait_for_trials(tmp_path / "s", 2)
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(30) == 0
    assert child.stdout.read() == "stopped: interrupted by Ctrl-C\n"
    with open_study(tmp_path / "s") as study:
        assert 2 <= len(study.history) < N_TRIALS
        assert study.pending == []
        assert all(trial.succeeded for trial in study.history)


def test_a_second_interrupt_ends_at_once_and_loses_nothing_completed(start, tmp_path):
    child = start(tmp_path / "s", sleep=20, workers=2)
    end = time.monotonic() + 60
    while len(alive(tmp_path)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGINT)
    time.sleep(0.8)
    assert child.poll() is None
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(10) != 0
    time.sleep(2)
    assert alive(tmp_path) == []
    with open_study(tmp_path / "s") as study:
        assert len(study.history) == 0
        assert len(study.pending) == 2


def wait_for_trials(folder: Path, n: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (folder / "history.sqlite").exists():
            try:
                with open_study(folder, write=False) as study:
                    if len(study.history) >= n:
                        return
            except OSError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"the study did not complete {n} trials within a minute")


def test_two_studies_in_one_process_do_not_disturb_one_another(tmp_path):
    import octavo

    space = octavo.space(x=octavo.Float(0, 1))
    first = minimize(lambda c: c["x"], space, max_trials=3, seed=0, storage=tmp_path / "a")
    second = minimize(lambda c: c["x"], space, max_trials=3, seed=0, storage=tmp_path / "b")
    assert rows(first) == rows(second)


def test_a_study_that_is_just_being_started_says_so(tmp_path):
    create_store(tmp_path / "new").close()  # its problem comes a moment later
    for write in (False, True):
        with pytest.raises(StorageError, match=r"no problem yet.*Try again"):
            open_study(tmp_path / "new", write=write)
    study = minimize(lambda config: config["x"], octavo.space(x=octavo.Float(0, 1)), max_trials=1,
                     storage=tmp_path / "new")  # fmt: skip
    assert len(study.history) == 1
