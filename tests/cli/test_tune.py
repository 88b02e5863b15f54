"""`octavo tune`, `watch`, `resume` and `export` as a person uses them: real programs, processes."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import octavo
from octavo.cli import main
from octavo.trial import Status

EXAMPLES = Path(__file__).parents[2] / "examples"


def octavo_command(*arguments, cwd, timeout=120):
    """What a command printed, and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "octavo", *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, cwd=cwd, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


BOWL = """\
#!/bin/sh
# A program of any language: reads its arguments, prints its result.
[ "$2" = fail ] && { echo "cannot do that" >&2; exit 4; }
awk -v x="$1" -v kind="$2" 'BEGIN {
    for (i = 1; i <= 2; i++) print "step", i, "cost", (x - 1) ^ 2 + 1 / i
    print "{\\"cost\\": " (x - 1) ^ 2 + (kind == "b") ", \\"size\\": " x "}"
}'
"""
SCENARIO = """\
command = ["./bowl.sh", "{x}", "{kind}"]
seed = 0

[space]
x = {float = [-3, 3], default = 0}
kind = {cat = ["a", "b", "fail"]}

[objectives.cost]
json = "cost"

[constraints.size]
json = "size"
high = 2

[report]
regex = 'step (?P<step>\\d+) cost (?P<cost>\\S+)'

[limits]
trials = 15
trial_time = "10s"
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "bowl.sh").write_text(BOWL)
    (tmp_path / "bowl.sh").chmod(0o755)
    (tmp_path / "bowl.toml").write_text(SCENARIO)
    return tmp_path


def test_a_program_is_tuned_watched_resumed_and_exported(home):
    done = octavo_command("tune", "bowl.toml", "--out", "run", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["trials"] == 15 and said["best"] < 1
    assert said["config"]["kind"] == "a"
    assert said["command"] == f"./bowl.sh {said['config']['x']} a"
    with octavo.open_study(home / "run", write=False) as study:
        for trial in study.history:
            x, kind = trial.config["x"], trial.config["kind"]
            if kind == "fail":
                assert trial.cause.endswith("  cannot do that")
                continue
            assert trial.costs[0] == pytest.approx((x - 1) ** 2 + (kind == "b"), abs=1e-4)
            assert trial.constraints[0] == pytest.approx(x, abs=1e-4)
            assert [report.step for report in trial.reports] == [1, 2]
    assert (home / "run" / "scenario.toml").read_text() == SCENARIO

    watched = octavo_command("watch", "run", cwd=home)
    assert "15 of 15 trials" in watched.stdout and "ended: all 15 trials" in watched.stdout

    resumed = octavo_command("resume", "run", "--trials", "18", cwd=home)
    assert resumed.returncode == 0, resumed.stderr
    assert "18 trials; all 18 trials are done." in resumed.stdout
    assert "command  ./bowl.sh" in resumed.stdout

    rows = list(csv.DictReader(io.StringIO(octavo_command("export", "run", cwd=home).stdout)))
    assert len(rows) == 18
    assert octavo_command("export", "run", "--out", "t.parquet", cwd=home).returncode == 0
    assert len(octavo.import_history(home / "t.parquet")) == 18
    best = json.loads(octavo_command("export", "run", "--best", cwd=home).stdout)
    assert set(best) == {"x", "kind"}

    again = octavo_command("tune", "bowl.toml", "--out", "run", cwd=home)
    assert again.returncode == 2
    assert "octavo resume run" in again.stderr


def test_a_scenario_is_checked_without_running_anything(home):
    (home / "bowl.sh").write_text("#!/bin/sh\ntouch was-run\n")
    done = octavo_command("tune", "bowl.toml", "--check", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "./bowl.sh 0.0 a" in done.stdout
    assert "Nothing was run" in done.stdout
    said = json.loads(octavo_command("tune", "bowl.toml", "--check", "--json", cwd=home).stdout)
    assert said["limits"] == "15 trials" and said["warnings"] == []
    assert not (home / "was-run").exists() and not (home / "runs").exists()


def test_a_check_says_if_the_folder_is_taken_and_takes_limits_from_its_options(
    home, monkeypatch, capsys
):
    monkeypatch.chdir(home)
    (home / "bowl.toml").write_text(SCENARIO.replace("trials = 15\n", ""))
    options = ["--check", "--json", "--trials", "7", "--out", "."]
    with pytest.raises(SystemExit) as end:
        main(["tune", "bowl.toml", *options])
    assert not end.value.code
    said = json.loads(capsys.readouterr().out)
    assert said["limits"] == "7 trials"
    [warning] = said["warnings"]
    assert "is not empty, and nothing is overwritten" in warning


def test_a_program_is_tried_once_and_what_does_not_match_is_shown(home):
    done = octavo_command("tune", "bowl.toml", "--try", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "cost = 1\n" in done.stdout and "2 reports" in done.stdout
    text = SCENARIO.replace(
        '[objectives.cost]\njson = "cost"', "[objectives.cost]\nregex = 'loss (.+)'"
    )
    (home / "bowl.toml").write_text(text.replace(', "fail"]', "]"))
    failed = octavo_command("tune", "bowl.toml", "--try", cwd=home)
    assert failed.returncode == 1
    assert "'loss (.+)' matches nothing" in failed.stderr
    assert '  {"cost": 1, "size": 0.0}' in failed.stderr
    ended = octavo_command("tune", "bowl.toml", "--out", "run", "--quiet", cwd=home)
    assert ended.returncode == 1
    assert "none of the 10 completed trials succeeded" in ended.stderr
    assert '  {"cost": ' in ended.stderr


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["absent.toml"], "absent.toml cannot be read"),
        (["wrong.toml"], "wrong.toml:1: a scenario has no key 'comand'. Did you mean 'command'?"),
        (["bowl.toml", "--out", "bowl.sh/run"], "cannot be made"),
        (["bowl.toml", "--out", "bowl.sh"], "is a file"),
        (["endless.toml"], "endless.toml:18: no limit is set"),
        (["bowl.toml", "--time", "soon"], "--time='soon' cannot be read as a time"),
    ],
)
def test_bad_input_is_one_sentence(home, options, part, monkeypatch, capsys):
    (home / "wrong.toml").write_text("comand = 1\n")
    (home / "endless.toml").write_text(SCENARIO.replace("trials = 15\n", ""))
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit) as end:
        main(["tune", *options])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert part in said
    assert said.count("\n") == 1 and "Traceback" not in said


def test_a_killed_run_is_resumed_and_leaves_no_program(home):
    (home / "bowl.sh").write_text("#!/bin/sh\necho $$ >> pids\nsleep 0.5\n" + BOWL)
    child = subprocess.Popen(
        [sys.executable, "-m", "octavo", "tune", "bowl.toml", "--out", "run", "-q",
         "--trials", "900"],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 90
    while time.monotonic() < end and not (home / "run/trials/3").exists():
        time.sleep(0.1)
    watched = octavo_command("watch", "run", "--once", cwd=home)
    assert "running [" in watched.stdout, watched.stderr
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    time.sleep(2)
    pids = list(map(int, (home / "pids").read_text().split()))
    assert not any(psutil.pid_exists(pid) for pid in pids[-1:])
    watched = octavo_command("watch", "run", cwd=home)
    assert "nobody runs it" in watched.stdout
    with octavo.open_study(home / "run", write=False) as study:
        before = [(trial.index, trial.costs) for trial in study.history]
    more = len(before) + 2
    resumed = octavo_command("resume", "run", "--trials", more, "--json", cwd=home)
    assert json.loads(resumed.stdout)["trials"] == more, resumed.stderr
    with octavo.open_study(home / "run", write=False) as study:
        assert repr([(t.index, t.costs) for t in study.history][: len(before)]) == repr(before)


def test_what_octavo_measures_is_an_objective_and_limits_on_cpu_time_hold(tmp_path):
    (tmp_path / "s.toml").write_text("""\
command = ["awk", "-v", "n={n}", "BEGIN {{ for (i = 0; i < n * 1e6; i++) s += i }}"]
seed = 0
[space]
n = {ord = [1, 8, 400]}
[objectives.cpu_time]
[constraints.memory]
high = 1000
[limits]
trials = 3
trial_cpu = "1s"
""")
    done = octavo_command("tune", "s.toml", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["config"] == {"n": 1}
    with octavo.open_study(tmp_path / "run", write=False) as study:
        by_n = {trial.config["n"]: trial for trial in study.history}
    assert by_n[1].costs == (by_n[1].resources.cpu_s,)
    assert 0 < by_n[1].costs[0] < by_n[8].costs[0] < 1
    assert by_n[1].constraints == (by_n[1].resources.memory_mb,)
    assert by_n[400].status is Status.TIMEOUT


TRAINING = """
import json, sys, time
for epoch in range(1, 21):
    time.sleep(0.03)
    print(json.dumps({"epoch": epoch, "loss": float(sys.argv[1]) + 1 / epoch}), flush=True)
open(f"{sys.argv[2]}/ended", "w")
"""


def test_a_program_that_falls_behind_is_ended_early(tmp_path):
    (tmp_path / "train.py").write_text(TRAINING)
    (tmp_path / "s.toml").write_text(f"""\
command = ["{sys.executable}", "-S", "train.py", "{{x}}", "{{folder}}"]
seed = 0
stoppers = [{{name = "median", n_trials = 3, first_step = 3}}]
[space]
x = {{float = [0, 1]}}
[objectives.loss]
json = "loss"
[report]
json = "epoch"
[limits]
trials = 12
""")
    done = octavo_command("tune", "s.toml", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failed"] == 0 and said["ended_early"] > 0
    with octavo.open_study(tmp_path / "run", write=False) as study:
        ended = {trial.index for trial in study.history if trial.status is Status.STOPPED}
        assert len(ended) == said["ended_early"]
        for trial in study.history:
            last = trial.reports[-1]
            assert trial.costs == (last.values["loss"],)
            assert (last.step < 20) == (trial.index in ended)
            it_ended = (tmp_path / f"run/trials/{trial.index}/ended").exists()
            assert it_ended == (trial.index not in ended)
    watched = octavo_command("watch", "run", "--once", cwd=tmp_path)
    assert f"0 failed, {len(ended)} ended early" in watched.stdout, watched.stderr


WRAPPERS = {
    "irace": ("cost", "shift 4\n", 'echo "a line"\necho "$cost 0.5"\n'),
    "aclib": ("cost", "shift 7\n", 'echo "Result of this algorithm run: '
              '{\\"status\\": \\"SUCCESS\\", \\"cost\\": $cost, \\"runtime\\": 0.5}"\n'),
    "paramils": ("quality", "shift 5\n", 'echo "Result for ParamILS: SAT, 0.5, 0, $cost, 1"\n'),
}  # fmt: skip


@pytest.mark.parametrize("protocol", WRAPPERS)
def test_a_wrapper_that_people_have_is_called_as_it_always_was(tmp_path, protocol):
    objective, skip, say = WRAPPERS[protocol]
    (tmp_path / "wrap").write_text(
        f"#!/bin/sh\necho \"$@\" >> calls\n{skip}"
        'while [ $# -gt 0 ]; do case "$1" in *-n) n=$2;; *-mode) mode=$2;; esac; shift 2; done\n'
        f'cost=$(( (n - 7) * (n - 7) ))\n{say}'
    )  # fmt: skip
    (tmp_path / "wrap").chmod(0o755)
    (tmp_path / "space.pcs").write_text("n [1,10] [2]i\nmode {x,y} [x]\n")
    (tmp_path / "s.toml").write_text(
        f'command = "./wrap"\nprotocol = "{protocol}"\nspace = "space.pcs"\nseed = 3\n'
        f'[objectives.{objective}]\n[limits]\ntrials = 20\ntrial_time = "9s"\n'
    )
    done = octavo_command("tune", "s.toml", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["best"], said["config"]["n"], said["failed"]) == (0, 7, 0)
    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert len(calls) == 20
    one = next(call for call in calls if call[-1] == "x")
    start = {
        "irace": [one[0], "1", one[2], "no_instance"],
        "aclib": ["--instance", "no_instance", "--cutoff", "9", "--seed", one[5], "--config"],
        "paramils": ["no_instance", "0", "9", "2147483647", one[4]],
    }[protocol]
    dash = "--" if protocol == "irace" else "-"
    assert one == [*start, f"{dash}n", one[-3], f"{dash}mode", "x"]


def test_a_wrapper_that_asks_to_abort_ends_the_study(tmp_path):
    (tmp_path / "wrap").write_text('#!/bin/sh\necho "Result for ParamILS: ABORT, 0, 0, 0, 1"\n')
    (tmp_path / "wrap").chmod(0o755)
    (tmp_path / "s.toml").write_text(
        'command = "./wrap"\nprotocol = "paramils"\n[space]\nx = {int = [1, 90]}\n'
        '[objectives.quality]\n[limits]\ntrials = 30\ntrial_time = "9s"\n'
    )
    done = octavo_command("tune", "s.toml", "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["trials"] == 1
    assert said["stopped_because"] == "the wrapper asked to end everything, in trial 0"


def test_the_example_of_the_docs_runs(tmp_path):
    done = octavo_command(
        "tune", EXAMPLES / "any_program" / "scenario.toml", "--out", "run", "--trials", "12",
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0
