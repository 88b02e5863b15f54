"""The benchmark of bounds on fairness gaps: one split of a small table, resumed and summarized."""

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parents[2] / "benchmarks" / "tabular"


@pytest.fixture
def fairness(monkeypatch):
    """The script; its modules can be imported by their bare names, in this test only."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    import fairness as script

    yield script
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == HERE:
            del sys.modules[name]


def write_table(folder, n=600):
    rng = np.random.default_rng(0)
    sex = rng.choice(["female", "male"], n)
    income = rng.normal(size=n) + 0.8 * (sex == "male")
    paid = (income + rng.normal(size=n) > 0.5).astype(int)
    table = pd.DataFrame({"income": income, "noise": rng.normal(size=n), "sex": sex})
    table.assign(target=paid).to_parquet(folder / "german_credit_fair.parquet")


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_setting_of_a_split_has_one_row_and_is_not_run_again(fairness, tmp_path, capsys):
    write_table(tmp_path)
    results = tmp_path / "results" / "fairness.csv"
    asked = ["--data", str(tmp_path), "--tables", "german_credit_fair", "--splits", "3"]
    asked += ["--trials", "1", "--results", str(results)]
    fairness.main(asked)
    rows = read(results)
    assert [row["setting"] for row in rows] == [setting.name for setting in fairness.SETTINGS]
    assert {(row["split"], row["budget"], row["n_test"]) for row in rows} == (
        {("3", "1 trials", "150")}
    )
    for row in rows:
        low, gap, high = (float(row[f"parity{end}"]) for end in ("_low", "", "_high"))
        assert 0 <= low <= gap <= high <= 1
        assert (row["met"] == "") == (row["bound"] == "") == row["setting"].startswith("free")
        if row["setting"].startswith("parity"):
            assert row["met"] == str(low <= 0.05)
    free, parity, *_ = rows
    assert float(parity["parity"]) < float(free["parity"])
    written = results.read_text()
    fairness.main(asked)
    assert results.read_text() == written
    printed = capsys.readouterr().out
    assert printed.count("split 3") == len(rows)  # the second time nothing was run


def test_the_loss_is_measured_against_the_same_rows(fairness):
    def row(split, setting, accuracy, met=""):
        return {
            "dataset": "adult", "split": str(split), "setting": setting, "budget": "60 s",
            "accuracy": str(accuracy), "parity": "0.1", "odds": "0.1", "met": met,
            "met_exactly": met,
        }  # fmt: skip

    rows = [
        row(0, "free, seen", 0.86), row(1, "free, seen", 0.88), row(0, "free, unseen", 0.5),
        row(0, "parity, seen", 0.85, "True"), row(1, "parity, seen", 0.85, "False"),
    ]  # fmt: skip
    found = fairness.summarize(rows).set_index("setting").loc["parity, seen"]
    assert (found["splits"], found["met"]) == (2, 1)
    assert found["lost"] == "0.0200 ± 0.0100"


def test_no_hours_no_runs(fairness, tmp_path, capsys):
    results = tmp_path / "none.csv"
    fairness.main(["--data", str(tmp_path), "--hours", "-1", "--results", str(results)])
    assert "run the same command again" in capsys.readouterr().out
    assert not results.exists()
