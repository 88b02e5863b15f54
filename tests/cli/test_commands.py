"""The command line as a person uses it: real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import octavo

DATA = Path(__file__).parents[2] / "examples" / "data"
TRAIN, TEST = DATA / "flights_train.csv", DATA / "flights_test.csv"


def octavo_command(*arguments, timeout=120, cwd=None):
    """What a command printed, and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "octavo", *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, cwd=cwd, stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the main job, and what it printed as JSON."""
    folder = tmp_path_factory.mktemp("cli") / "flights"
    done = octavo_command(
        "fit", TRAIN, "--target", "late", "--metric", "roc_auc", "--trials", "3", "--seed", "0",
        "--out", folder, "--test-file", TEST, "--include", "linear", "--include", "lightgbm",
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_fit_says_what_it_found_and_leaves_it_in_the_folder(run):
    folder, said = run
    assert said["task"] == "binary"
    assert said["models"] == 3
    assert said["validation"] > said["baseline"] == 0.5
    assert 0.6 < said["test"] < 0.9
    assert sum(member["weight"] for member in said["ensemble"]) == pytest.approx(1)
    assert (folder / "report.html").stat().st_size > 10_000
    assert "late" in (folder / "report.html").read_text()


def test_explain_says_what_columns_contribute_and_draws_it(run, tmp_path):
    folder, _ = run
    page = tmp_path / "page.html"
    done = octavo_command(
        "explain", folder, TEST, "--row", "0", "--row", "5", "--column", "miles",
        "--out", page, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["rows"] == 2 and len(said["contributions"]) == 2
    assert said["contributions"][1]["row"] == 5
    assert set(said["effects"]) == {"miles"}
    assert 0 < said["exact"] <= 1 and "miles" in said["importance"]
    html = page.read_text()
    assert "Row 5." in html and "<script" not in html
    shown = octavo_command("explain", folder, "--max-rows", "20")
    assert shown.returncode == 0, shown.stderr
    assert "mean contribution" in shown.stdout


def test_predict_writes_one_prediction_per_row_and_scores_them(run, tmp_path):
    folder, said = run
    out = tmp_path / "predictions.csv"
    done = octavo_command("predict", folder, TEST, "--out", out, "--proba", "--json")
    assert done.returncode == 0, done.stderr
    scored = json.loads(done.stdout)
    table = pd.read_csv(out)
    assert list(table.columns) == ["late", "probability_no", "probability_yes"]
    assert len(table) == scored["rows"] == len(pd.read_csv(TEST))
    assert scored["score"] == pytest.approx(said["test"], abs=1e-6)
    assert scored["baseline"] == 0.5


def test_predict_prints_to_the_terminal_and_takes_tables_without_a_target(run, tmp_path):
    pd.read_csv(TEST).drop(columns="late").head(5).to_csv(tmp_path / "new.tsv", sep="\t")
    done = octavo_command("predict", run[0], tmp_path / "new.tsv", "--out", "-")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "late"
    assert set(lines[1:]) <= {"yes", "no"}
    assert len(lines) == 6


def test_leaderboard_for_people_and_machines(run):
    rows = json.loads(octavo_command("leaderboard", run[0], "--json").stdout)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    # The three that were tried, and what of a second level was fitted on them.
    assert sum("on the predictions of" not in row["name"] for row in rows) == 3
    scores = [row["roc_auc"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    shown = octavo_command("leaderboard", run[0]).stdout
    assert f"{rows[0]['roc_auc']:.4g}" in shown
    assert "\x1b" not in shown  # a pipe gets no colours


def test_report_is_written_anew_with_the_importance_of_columns(run, tmp_path):
    done = octavo_command("report", run[0], "--out", tmp_path / "r.html")
    assert done.returncode == 0, done.stderr
    assert "departure" in (tmp_path / "r.html").read_text()


def test_studies_lists_the_run(run):
    rows = json.loads(octavo_command("studies", run[0].parent, "--json").stdout)
    assert [(row["run"], row["trials"], row["objective"]) for row in rows] == [
        ("flights", 3, "roc_auc")
    ]


def test_a_killed_fit_is_resumed_with_all_that_was_completed(tmp_path):
    folder = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-m", "octavo", "fit", str(TRAIN), "-t", "late", "--time", "5m",
         "--out", str(folder), "--quiet", "--seed", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 90
    while time.monotonic() < end and len(_completed(folder)) < 2:
        time.sleep(0.3)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    before = _completed(folder)
    assert len(before) >= 2
    done = octavo_command("resume", folder, "--time", "14s", "--json")
    assert done.returncode == 0, done.stderr
    after = _completed(folder)
    assert after[: len(before)] == before
    assert json.loads(done.stdout)["models"] >= 2
    assert octavo_command("predict", folder, TEST, "--out", tmp_path / "p.csv").returncode == 0


def _completed(folder):
    try:
        with octavo.open_study(folder, write=False) as study:
            return [(trial.index, dict(trial.config), trial.costs) for trial in study.history]
    except (octavo.errors.OctavoError, IndexError):
        return []


def test_the_time_counts_from_start_to_exit(tmp_path):
    began = time.monotonic()
    done = octavo_command(
        "fit", TRAIN, "--target", "late", "--time", "15s", "--out", tmp_path / "run", "--seed", "0"
    )
    spent = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert spent < 15 + 2
    assert "roc_auc" in done.stdout
    assert "report.html" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_asking_and_telling_across_processes(tmp_path):
    space = octavo.space(
        temperature=octavo.Float(20, 90), sugar=octavo.Categorical(["cane", "beet"])
    )
    (tmp_path / "space.json").write_text(json.dumps(space.to_json()))
    study = tmp_path / "cakes"
    first = octavo_command(
        "ask", study, "--space", tmp_path / "space.json", "--objective", "taste:max",
        "--seed", "0", "-n", "2", "--json",
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    asked = json.loads(first.stdout)
    assert [one["index"] for one in asked] == [0, 1]
    told = json.loads(octavo_command("tell", study, "1", "7.5", "--json").stdout)
    assert told == {"index": 1, "status": "success", "trials": 1, "best": 7.5, "best_index": 1}
    failed = octavo_command("tell", study, "0", "--failed", "the oven broke")
    assert "crashed" in failed.stdout
    with octavo.open_study(study) as opened:
        assert [trial.cause for trial in opened.history] == ["", "the oven broke"]


def test_optimizers_are_listed_with_their_maturity():
    listed = json.loads(octavo_command("optimizers", "--json").stdout)
    assert {row["name"]: row["maturity"] for row in listed} == dict(octavo.optimizers.MATURITY)
    assert all(row["idea"].endswith(".") for row in listed)
    shown = octavo_command("optimizers").stdout
    assert all(name in shown for name in octavo.optimizers.MATURITY)
    assert "contrib: There to compare with" in shown


def test_a_noisy_study_shows_what_it_recommends(tmp_path):
    space = octavo.space(x=octavo.Float(0, 1))
    with octavo.Study(space, repeats=2, seed=0, storage=tmp_path / "run") as study:
        for cost in (0.5, 0.4, 0.6, 0.45):
            study.tell(study.ask(), cost)
        study.ask()
    told = json.loads(octavo_command("tell", tmp_path / "run", "4", "0.5", "--json").stdout)
    with octavo.open_study(tmp_path / "run") as study:
        found = study.recommend()
        shown = told["recommended"]
        assert (shown["index"], shown["config"]) == (found.trial.index, dict(found.config))
        assert shown["value"] == found.value
        study.ask()
    said = octavo_command("tell", tmp_path / "run", "5", "0.5").stdout
    assert "recommended, since it is noisy: trial" in said


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--help"], 0, "fit"),
        (["--version"], 0, octavo.__version__),
        (["fit", "--help"], 0, "--target"),
        (["fit", TRAIN, "--target", "lat"], 2, "Did you mean 'late'"),
        (["fit", "nowhere.csv", "--target", "late"], 2, "nowhere.csv"),
        (["fit", TRAIN], 2, "--target"),
        (["predict", "nowhere", TEST], 1, "nowhere"),
    ],
)
def test_exit_codes_and_sentences(tmp_path, arguments, code, says):
    done = octavo_command(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert says in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(run):
    done = octavo_command("fit", TRAIN, "--target", "late", "--trials", "1", "--out", run[0])
    assert done.returncode == 2
    assert "octavo resume" in " ".join(done.stderr.split())
