"""`octavo portfolio build` and `octavo fit --portfolio`."""

import json

import pandas as pd
import pytest
from sklearn.datasets import load_iris

import octavo
from octavo.cli import main
from octavo.transfer import Portfolio, load_portfolio


def command(capsys, *arguments):
    """What a command printed, what it complained of, and its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return printed.out, printed.err, ended.value.code


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Four searches of one space on tasks whose optima differ."""
    home = tmp_path_factory.mktemp("studies")
    space = octavo.space(x=octavo.Float(0, 1), y=octavo.Float(0, 1))
    for i, optimum in enumerate((0.4, 0.5, 0.6, 0.55)):
        octavo.minimize(
            lambda c, at=optimum: abs(c["x"] - at) + abs(c["y"] - 0.3),
            space, max_trials=25, seed=i, storage=home / f"task{i}", optimizer="random",
        ).close()  # fmt: skip
    return home


def test_a_portfolio_is_built_from_studies_and_says_what_it_is_worth(studies, tmp_path, capsys):
    out = tmp_path / "portfolio.json"
    runs = sorted(studies.iterdir())
    printed, complaint, code = command(
        capsys, "portfolio", "build", *runs, "--out", out, "--size", 8, "--json"
    )
    assert code == 0, complaint
    said = json.loads(printed)
    # By time: how many are worth theirs depends on how long the trials took.
    assert (said["n_datasets"], said["n_groups"]) == (4, 4) and 1 <= said["members"] <= 8
    assert said["share_measured"] + said["share_predicted"] == pytest.approx(1, abs=1e-3)
    assert said["share_predicted"] > 0
    assert said["left_out_cost"][3] < said["left_out_cost_of_random_orders"][3]
    low, high = said["deadlines_s"]
    assert 0 < low < high
    portfolio = load_portfolio(out)
    assert portfolio.origin["made_by"] == "octavo portfolio build"
    best = portfolio.members[0]
    assert abs(best["x"] - 0.5) < 0.25
    assert abs(best["y"] - 0.3) < 0.25


def test_people_read_a_summary(studies, tmp_path, capsys):
    out = tmp_path / "portfolio.json"
    printed, _, code = command(
        capsys, "portfolio", "build", studies / "task0", studies / "task1", "--out", out,
        "--by-count", "--measured-only",
    )  # fmt: skip
    assert code == 0
    words = " ".join(printed.split())
    assert "20 configurations ->" in words
    assert "from 2 runs on 2 data sets" in words
    assert "0% predicted" in words
    assert "cannot be told from fewer than three data sets" in words
    assert load_portfolio(out).origin["deadlines_s"] is None


def test_nothing_is_overwritten_and_what_is_no_run_is_named(studies, tmp_path, capsys):
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    run = studies / "task0"
    _, complaint, code = command(capsys, "portfolio", "build", run, "--out", taken)
    assert code == 2
    assert "nothing is overwritten" in " ".join(complaint.split())
    assert taken.read_text() == "mine"
    _, complaint, code = command(capsys, "portfolio", "build", tmp_path, "--out", tmp_path / "p")
    assert code == 1
    assert "there is no study in" in " ".join(complaint.split())
    assert not (tmp_path / "p").exists()


def test_fit_begins_with_a_portfolio(tmp_path, capsys):
    table = load_iris(as_frame=True).frame
    table.to_csv(tmp_path / "iris.csv", index=False)
    portfolio = Portfolio(
        ({"model": "nearest_neighbors", "nearest_neighbors.n_neighbors": 7}, {"model": "linear"})
    )
    portfolio.save(tmp_path / "p.json")
    arguments = ("fit", tmp_path / "iris.csv", "--target", "target", "--trials", 1, "--seed", 0)
    printed, _, code = command(
        capsys, *arguments, "--out", tmp_path / "run", "--portfolio", tmp_path / "p.json", "--json"
    )
    assert code == 0
    assert "neighbours" in json.loads(printed)["ensemble"][0]["name"].lower()
    _, complaint, code = command(
        capsys, *arguments, "--out", tmp_path / "other", "--portfolio", tmp_path / "q.json"
    )
    assert code == 2
    assert "q.json' cannot be read" in " ".join(complaint.split())
    assert not (tmp_path / "other").exists()
    assert pd.read_csv(tmp_path / "iris.csv").shape == table.shape
