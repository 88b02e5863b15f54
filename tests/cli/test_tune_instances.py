"""`octavo tune` over instances: raced and capped, killed and resumed, validated on others."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import octavo
from octavo.cli import main
from octavo.trial import Status

# Called in any of four ways, it takes its time: its instance's size times what was chosen.
SOLVER = """
import sys, time
words = sys.argv[1:]
instance = next(word for word in words if word.endswith(".size"))
chosen = {a.lstrip("-"): b for a, b in zip(words, words[1:]) if a.startswith("-")}
time.sleep(float(open(instance).read()) * int(chosen["slowness"]) * (1 + 2 * (chosen["mode"] == "b")))
print(*words, file=open("calls", "a"))
print(LAST)
"""  # noqa: E501
WAYS = {
    "placeholders": ("{instance} --slowness {slowness} --mode {mode}", "", "'done'"),
    "irace": ("", 'protocol = "irace"', "0.5"),
    "aclib": (
        "",
        'protocol = "aclib"',
        """'Result of this algorithm run: {"status": "SUCCESS"}'""",
    ),
    "paramils": ("", 'protocol = "paramils"', "'Result for ParamILS: SAT, 1, 0, 0, 1'"),
}
SCENARIO = """\
command = "{python} -S solve.py {call}"
{protocol}
instances = "train/*.size"
validation = "test/*.size"
workers = 2
seed = 1

[space]
slowness = {{int = [1, 30], default = 10}}
mode = {{cat = ["a", "b"], default = "b"}}

[objectives.wall_time]

[limits]
trials = 30
trial_time = "3s"
"""


@pytest.fixture
def home(tmp_path):
    for folder, sizes in (("train", (0.01, 0.02, 0.03)), ("test", (0.015, 0.025))):
        (tmp_path / folder).mkdir()
        for number, size in enumerate(sizes):
            (tmp_path / folder / f"{number}.size").write_text(str(size))
    return tmp_path


def write(home, way, storage=""):
    call, protocol, last = WAYS[way]
    (home / "solve.py").write_text(SOLVER.replace("LAST", last))
    text = SCENARIO.format(python=sys.executable, call=call, protocol=protocol)
    (home / "s.toml").write_text(f'storage = "{storage}"\n{text}' if storage else text)


def octavo_command(*arguments, cwd, timeout=150):
    return subprocess.run(
        [sys.executable, "-m", "octavo", *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, cwd=cwd, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


def begin_and_kill(home, *options, is_far_enough):
    """Start a search in the background, and kill it when it is far enough."""
    child = subprocess.Popen(
        [sys.executable, "-m", "octavo", "tune", "s.toml", "-q", *options],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 90
    while not is_far_enough():
        assert time.monotonic() < end and child.poll() is None
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def check(history):
    """Every trial is there once, losers were killed early, and the held-out were not touched."""
    assert sorted(history.indices) == list(range(30))
    assert {trial.proposal.instance.partition("/")[0] for trial in history} == {"train"}
    killed = [trial for trial in history if trial.status is Status.TIMEOUT]
    capped = [trial for trial in killed if (trial.proposal.cutoff_s or 3.0) < 2.5]
    assert capped
    for trial in capped:
        assert trial.resources.wall_s < 3.0
    best = history.standings()[0]
    assert best.is_complete and best.config["mode"] == "a" and best.config["slowness"] < 30


@pytest.mark.parametrize("way", WAYS)
def test_a_program_is_raced_capped_killed_resumed_and_validated(home, way):
    write(home, way)
    begin_and_kill(home, "--out", "run", is_far_enough=lambda: (home / "run/trials/6").exists())
    with octavo.open_study(home / "run", write=False) as study:
        before = [(trial.index, trial.costs) for trial in study.history]
    resumed = octavo_command("resume", "run", "--json", cwd=home)
    assert resumed.returncode == 0, resumed.stderr
    said = json.loads(resumed.stdout)
    with octavo.open_study(home / "run", write=False) as study:
        check(study.history)
        assert repr([(t.index, t.costs) for t in study.history][: len(before)]) == repr(before)

    found = said["validation"]
    assert found["instances"] == 2 and found["is_complete"] and found["failed"] == 0
    assert found["value"] < found["default_value"] and found["config"] == said["config"]
    if way != "placeholders":
        return
    rows = octavo_command("export", "run", "--validation", cwd=home).stdout
    assert {row["instance"] for row in csv.DictReader(io.StringIO(rows))} == {
        "test/0.size", "test/1.size",
    }  # fmt: skip
    calls = (home / "calls").read_text()
    again = octavo_command("resume", "run", cwd=home)
    assert "on 2 held-out instances: wall_time " in again.stdout, again.stderr
    assert (home / "calls").read_text() == calls  # nothing is run twice


@pytest.mark.postgres
def test_a_shared_study_is_tuned_joined_watched_and_exported_by_its_address(home, shared_url):
    write(home, "placeholders", storage=shared_url)
    with_calls = home / "calls"
    begin_and_kill(
        home,
        is_far_enough=lambda: with_calls.exists() and len(with_calls.read_text().split("\n")) > 4,
    )
    refused = octavo_command("tune", "s.toml", cwd=home)
    assert refused.returncode == 2
    assert "s.toml:1: the study is there already" in refused.stderr
    assert f"octavo resume '{shared_url}'" in refused.stderr
    helpers = [
        subprocess.Popen(
            [sys.executable, "-m", "octavo", "resume", shared_url, "--json"],
            cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for helper in helpers:
        out, err = helper.communicate(timeout=150)
        assert helper.returncode == 0, err
        said = json.loads(out)
        assert said["trials"] == 30 and said["validation"]["is_complete"]
    with octavo.open_study(shared_url, write=False) as study:
        check(study.history)
    watched = octavo_command("watch", shared_url, cwd=home)
    assert "30 of 30 trials" in watched.stdout and "ended: all 30" in watched.stdout, watched.stderr
    rows = octavo_command("export", shared_url, cwd=home).stdout
    assert len(list(csv.DictReader(io.StringIO(rows)))) == 30
    held_out = octavo_command("export", shared_url, "--validation", cwd=home).stdout
    assert 2 <= len(list(csv.DictReader(io.StringIO(held_out)))) <= 4
    best = json.loads(octavo_command("export", shared_url, "--best", cwd=home).stdout)
    assert best["mode"] == "a"
    board = octavo_command("leaderboard", shared_url, "--json", cwd=home)
    assert json.loads(board.stdout)[0]["status"] == "success", board.stderr


@pytest.mark.postgres
def test_a_shared_study_is_asked_and_told_by_its_address(shared_url, tmp_path, capsys):
    def said(*arguments):
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        assert end.value.code == 0
        return json.loads(capsys.readouterr().out)

    (tmp_path / "space.json").write_text(json.dumps(octavo.space(x=octavo.Float(0, 1)).to_json()))
    [first] = said("ask", shared_url, "--space", str(tmp_path / "space.json"), "--json")
    [second] = said("ask", shared_url, "--json")
    assert (first["index"], second["index"]) == (0, 1)
    told = said("tell", shared_url, "1", "0.25", "--json")
    assert (told["best"], told["best_index"], told["trials"]) == (0.25, 1, 1)
    with pytest.raises(SystemExit):
        main(["ask", shared_url, "--space", str(tmp_path / "space.json")])
    assert "its space does not change" in capsys.readouterr().err


def test_a_server_and_a_scheduler_that_are_away_are_told_before_anything_runs(home):
    write(home, "placeholders", storage="postgresql://octavo@127.0.0.1:9/lab?study=x&patience=60")
    done = octavo_command("tune", "s.toml", cwd=home)
    assert done.returncode == 1
    assert "s.toml:1: the study 'x' at postgresql://octavo@127.0.0.1:9/lab cannot be reached" in (
        done.stderr
    )
    write(home, "placeholders")
    text = (home / "s.toml").read_text()
    (home / "s.toml").write_text(text.replace("workers = 2", "scheduler = 'tcp://127.0.0.1:9'"))
    done = octavo_command("tune", "s.toml", "--out", "run", cwd=home)
    assert done.returncode == 2
    assert "s.toml:5: the Dask scheduler 'tcp://127.0.0.1:9' cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "run").exists() and not (home / "calls").exists()


def test_trials_run_on_the_cluster_of_a_scheduler(home):
    from distributed import LocalCluster

    write(home, "placeholders")
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=":0", silence_logs=50
    ) as cluster:
        text = (home / "s.toml").read_text()
        text = text.replace("workers = 2", f"scheduler = '{cluster.scheduler_address}'")
        (home / "s.toml").write_text(text.replace("trials = 30", "trials = 6"))
        done = octavo_command("tune", "s.toml", "--out", "run", "--json", cwd=home)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["validation"]["is_complete"]
    with octavo.open_study(home / "run", write=False) as study:
        assert {trial.worker.partition("://")[0] for trial in study.history} == {"tcp"}
