"""A checkpoint is whole or not there, whatever happens while it is written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from octavo.errors import SettingError
from octavo.executors import InlineExecutor, Work
from octavo.executors.checkpoints import Checkpoints, collected, discard, sizes
from octavo.problem import Problem
from octavo.trial import Status


def write_text(text: str) -> Any:
    return lambda path: path.write_text(text)


def write_folder(**files: str) -> Any:
    def write(path: Path) -> None:
        path.mkdir()
        for name, text in files.items():
            (path / name).write_text(text)

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded_by_the_trial_that_goes_on(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path / "trials" / "0", None)
    assert first.load() is None and not first.is_loaded
    first.save(write_text("one"))
    second = Checkpoints(tmp_path / "trials" / "1", tmp_path / "trials" / "0")
    found = second.load()
    assert found is not None and found.read_text() == "one" and second.is_loaded
    assert found == tmp_path / "trials" / "0" / "checkpoint"
    assert not (tmp_path / "trials" / "1").exists()


kinds = {"file": write_text("new"), "folder": write_folder(a="12345", b="6")}


@pytest.mark.parametrize("before", [None, "file", "folder"])
@pytest.mark.parametrize("after", ["file", "folder"])
def test_saving_again_replaces_files_and_folders(
    tmp_path: Path, before: str | None, after: str
) -> None:
    folder = tmp_path / "trials" / "3"
    checkpoint = Checkpoints(folder, None)
    if before is not None:
        checkpoint.save(kinds[before])
    checkpoint.save(kinds[after])
    assert names(folder) == ["checkpoint"]
    left = collected(tmp_path, 3)
    assert left is not None and left.path == "trials/3/checkpoint"
    assert left.size_bytes == {"file": 3, "folder": 6}[after]
    assert sizes(tmp_path) == {3: left.size_bytes}
    discard(tmp_path, 3)
    assert names(folder) == [] and sizes(tmp_path) == {} and collected(tmp_path, 3) is None
    discard(tmp_path, 3)


@pytest.mark.parametrize("before", [None, "file", "folder"])
def test_what_fails_leaves_the_one_before(tmp_path: Path, before: str | None) -> None:
    checkpoint = Checkpoints(tmp_path, None)
    if before is not None:
        checkpoint.save(kinds[before])

    def fail(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("half")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        checkpoint.save(fail)
    with pytest.raises(SettingError, match=r"left nothing at .*numpy.save adds"):
        checkpoint.save(lambda path: None)
    with pytest.raises(SettingError, match=r"got b'state' of type bytes"):
        checkpoint.save(b"state")  # type: ignore[arg-type]
    assert names(tmp_path) == ([] if before is None else ["checkpoint"])


KILLED = """
import sys
from pathlib import Path
from octavo.executors.checkpoints import Checkpoints

kind, folder = sys.argv[1], Path(sys.argv[2])
checkpoint = Checkpoints(folder, None)

def write(number):
    def into(path):
        if kind == "folder":
            path.mkdir()
            for part in range(4):
                (path / str(part)).write_text(str(number) * 50_000)
        else:
            path.write_text(str(number) * 200_000)
    return into

print("ready", flush=True)
for round in range(1_000_000):
    checkpoint.save(write(round % 10))
    if round == 0:
        print("saved", flush=True)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_at_any_instant_leaves_no_half_checkpoint(tmp_path: Path, kind: str) -> None:
    rng, found = random.Random(0), 0
    for attempt in range(12 * int(os.environ.get("OCTAVO_REPEATS", "1"))):
        folder = tmp_path / "trials" / str(attempt)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, kind, str(folder)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        if attempt % 2:
            process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        path = Checkpoints(folder / "next", folder).load()
        if path is None:
            assert attempt % 2 == 0  # killed before the first was complete
            continue
        found += 1
        parts = [path] if kind == "file" else [path / str(part) for part in range(4)]
        text = "".join(part.read_text() for part in parts)
        assert len(text) == 200_000 and len(set(text)) == 1
        left = collected(tmp_path, attempt)
        assert left is not None and left.size_bytes == 200_000
        assert names(folder) == ["checkpoint"]
    assert found >= 6


def train(config: dict[str, Any], *, checkpoint: Any, fidelity: int) -> dict[str, Any]:
    """Counts epochs; the cost is how many it ran itself."""
    epoch, found = 0, checkpoint.load()
    if found is not None:
        epoch = json.loads(found.read_text())["epoch"]
    began = epoch
    while epoch < fidelity:
        epoch += 1
        checkpoint.save(write_text(json.dumps({"epoch": epoch})))
        if config.get("die_at") == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
    return {"cost": epoch - began, "note": "mine"}


@pytest.fixture(params=["inline", "processes"])
def started(request: Any, problem: Problem, processes: Any, tmp_path: Path) -> Any:
    def start(objective: Any) -> Any:
        if request.param == "processes":
            return processes(objective)
        executor = InlineExecutor()
        executor.start(Work(objective, problem, tmp_path))
        return executor

    return start


def test_a_trial_goes_on_where_another_one_stopped(started: Any, run: Any, tmp_path: Path) -> None:
    executor = started(train)
    first = run(executor, {}, index=0, fidelity=3)
    assert (first.costs, first.extra) == ((3.0,), {"note": "mine"})
    assert first.checkpoint.path == "trials/0/checkpoint"
    assert first.checkpoint.size_bytes == len('{"epoch": 3}')
    second = run(executor, {}, index=1, fidelity=9, resume_from=0)
    assert (second.costs, second.extra) == ((6.0,), {"note": "mine", "resumed_from": 0})
    assert sizes(tmp_path) == {0: 12, 1: 12}


def test_without_its_checkpoint_a_trial_starts_from_zero_and_says_so(
    started: Any, run: Any, tmp_path: Path, caplog: Any
) -> None:
    executor = started(train)
    run(executor, {}, index=0, fidelity=3)
    discard(tmp_path, 0)
    trial = run(executor, {}, index=1, fidelity=9, resume_from=0)
    why = "the checkpoint of trial 0 is missing"
    assert (trial.costs, trial.extra) == ((9.0,), {"note": "mine", "from_zero": why})
    assert f"trial 1 starts from zero: {why}" in caplog.text


def test_an_objective_that_does_not_load_starts_from_zero(started: Any, run: Any) -> None:
    def forgetful(config: Any, checkpoint: Any) -> float:
        checkpoint.save(lambda path: path.write_text("x"))
        return 1.0

    executor = started(forgetful)
    run(executor, {}, index=0)
    trial = run(executor, {}, index=1, resume_from=0)
    assert trial.extra == {"from_zero": "the objective did not load the checkpoint"}


def test_an_objective_without_checkpoints_starts_from_zero(started: Any, run: Any) -> None:
    executor = started(lambda config: 1.0)
    trial = run(executor, {}, index=1, resume_from=0)
    assert trial.extra == {"from_zero": "the objective takes no checkpoint"}
    assert trial.checkpoint is None


def test_an_earlier_attempt_s_checkpoint_is_not_this_one_s(
    started: Any, run: Any, tmp_path: Path
) -> None:
    Checkpoints(tmp_path / "trials" / "0", None).save(write_text("of an earlier attempt"))
    (tmp_path / "trials" / "0" / ".checkpoint-77").mkdir()

    def objective(config: Any, checkpoint: Any) -> float:
        return 1.0

    assert run(started(objective), {}, index=0).checkpoint is None
    assert "checkpoint" not in str(names(tmp_path / "trials" / "0"))


def test_a_killed_trial_s_checkpoint_can_be_resumed(processes: Any, run: Any) -> None:
    executor = processes(train)
    first = run(executor, {"die_at": 4}, index=0, fidelity=9)
    assert first.status is Status.CRASHED and first.checkpoint is not None
    second = run(executor, {}, index=1, fidelity=9, resume_from=0)
    assert (second.costs, second.extra["resumed_from"]) == ((5.0,), 0)
    third = run(executor, {"die_at": 8}, index=2, fidelity=9, resume_from=7)
    assert third.extra == {"from_zero": "the checkpoint of trial 7 is missing"}


def test_a_worker_killed_while_it_saves_leaves_what_was_whole(
    processes: Any, run: Any, tmp_path: Path
) -> None:
    def objective(config: Any, checkpoint: Any) -> float:
        checkpoint.save(lambda path: path.write_text("whole"))

        def half(path: Path) -> None:
            path.write_text("ha")
            os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.save(half)
        return 1.0

    trial = run(processes(objective), {}, index=0)
    assert trial.status is Status.CRASHED
    assert trial.checkpoint is not None and trial.checkpoint.size_bytes == 5
    assert [n for n in names(tmp_path / "trials" / "0") if "checkpoint" in n] == ["checkpoint"]
    assert (tmp_path / "trials" / "0" / "checkpoint").read_text() == "whole"
