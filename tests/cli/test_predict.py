"""`octavo predict` and its options on small real tables: intervals, sets, groups, bounds."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from octavo.cli import main
from octavo.ensemble.fairness import Groups, fairness_gap

QUICK = ("--trials", "2", "--seed", "0", "--include", "linear", "--include", "lightgbm", "--quiet")


def call(capsys, *arguments):
    """Exit code, output, and what was said to people, of a command in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(one) for one in arguments])
    found = capsys.readouterr()
    return stop.value.code, found.out, " ".join(found.err.split())


def predicted(capsys, run, table, *options):
    """What `octavo predict --json` says, and the file that it wrote."""
    out = table.with_name("predictions.csv")
    capsys.readouterr()  # what was printed before
    code, said, err = call(capsys, "predict", run, table, "--out", out, "--json", *options)
    assert code == 0, err
    return json.loads(said), pd.read_csv(out)


def fitted(folder, table, target, *options):
    """A run on the first part of a table, and the file of the rest."""
    cut = len(table) * 3 // 5
    table[:cut].to_csv(folder / "train.csv", index=False)
    table[cut:].to_csv(folder / "new.csv", index=False)
    run = folder / "run"
    with pytest.raises(SystemExit) as stop:
        main(
            [
                str(one)
                for one in (
                    "fit", folder / "train.csv", "--target", target, "--out", run, *QUICK, *options
                )
            ]
        )  # fmt: skip
    assert stop.value.code == 0
    return run, folder / "new.csv"


# Numbers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    table = load_diabetes(as_frame=True).frame
    return fitted(tmp_path_factory.mktemp("numbers"), table, "target")


def test_intervals_stand_beside_predictions_and_the_truths_inside_are_counted(numbers, capsys):
    run, new = numbers
    said, found = predicted(capsys, run, new, "--coverage", "0.8")
    assert list(found.columns) == ["target", "low", "high"]
    assert ((found["low"] < found["target"]) & (found["target"] < found["high"])).all()
    truth = pd.read_csv(new)["target"]
    inside = (found["low"] <= truth) & (truth <= found["high"])
    assert said["covered"] == pytest.approx(inside.mean())
    assert 0.7 < said["covered"] < 0.9  # 177 rows: two standard errors are 6 points
    assert said["rows"] == said["scored_rows"] == len(truth)
    wider = predicted(capsys, run, new, "--coverage", "0.95")[1]
    assert (wider["high"] - wider["low"]).mean() > (found["high"] - found["low"]).mean()


def test_without_a_target_intervals_are_given_and_nothing_is_counted(numbers, capsys, tmp_path):
    run, new = numbers
    pd.read_csv(new).drop(columns="target").head(4).to_csv(tmp_path / "few.csv", index=False)
    said, found = predicted(capsys, run, tmp_path / "few.csv", "--coverage", "0.9")
    assert "covered" not in said and "score" not in said
    assert len(found.dropna()) == 4


def test_rows_whose_target_is_unknown_are_not_counted(numbers, capsys, tmp_path):
    run, new = numbers
    table = pd.read_csv(new)
    table.loc[5:, "target"] = np.nan
    table.to_csv(tmp_path / "some.csv", index=False)
    said, found = predicted(capsys, run, tmp_path / "some.csv", "--coverage", "0.9")
    assert said["scored_rows"] == 5 and len(found) == len(table)
    assert said["covered"] in (0, 0.2, 0.4, 0.6, 0.8, 1)


def test_people_read_what_was_asked_for_and_what_came(numbers, capsys, tmp_path):
    run, new = numbers
    code, out, _ = call(
        capsys, "predict", run, new, "--out", tmp_path / "p.csv", "--coverage", "0.9"
    )
    assert code == 0
    assert "% of the known values are inside; 90.0% were asked for" in " ".join(out.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--coverage", "90"], "coverage=90.0 must be a number strictly between 0 and 1"),
        (["--coverage", "0.9999"], "0.9999 cannot be promised from 265 validated rows; at most"),
        (["--proba"], "predict_proba is for classifiers, but 'target' is a number here"),
    ],
)
def test_what_cannot_be_had_is_refused_and_nothing_is_written(
    numbers, capsys, tmp_path, options, says
):
    run, new = numbers
    out = tmp_path / "predictions.csv"
    code, _, err = call(capsys, "predict", run, new, "--out", out, *options)
    assert code == 2 and says in err
    assert not out.exists()


# Classes ------------------------------------------------------------------------------


def test_sets_of_classes_and_their_size(tmp_path, capsys):
    table = load_breast_cancer(as_frame=True).frame.iloc[:, -9:]
    table["target"] = table["target"].map({0: "bad", 1: "good"})
    run, new = fitted(tmp_path, table, "target")
    said, found = predicted(capsys, run, new, "--coverage", "0.97", "--proba")
    assert list(found.columns) == [
        "target", "probability_bad", "probability_good", "set", "set_size",
    ]  # fmt: skip
    sets = found["set"].fillna("").str.split("|")
    assert [len([word for word in one if word]) for one in sets] == found["set_size"].tolist()
    truth = pd.read_csv(new)["target"]
    inside = [label in one for label, one in zip(truth, sets, strict=True)]
    assert said["covered"] == pytest.approx(np.mean(inside))
    assert 0.92 < said["covered"] <= 1


# Groups -------------------------------------------------------------------------------


def credit(n=1500, seed=0):
    """Credit that one group gets more often, for the same income."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    income = rng.normal(size=n) + 0.5 * (sex == "m")
    hours = rng.normal(size=n) + 0.8 * (sex == "m")
    chance = 1 / (1 + np.exp(-(1.5 * income + 0.8 * hours - 0.5)))
    given = np.where(rng.random(n) < chance, "yes", "no")
    return pd.DataFrame(
        {"income": income.round(4), "hours": hours.round(4), "sex": sex, "given": given}
    )


FAIR = ("--metric", "accuracy", "--sensitive", "sex", "--constraint", "demographic_parity=0.05")


@pytest.fixture(scope="module")
def by_group(tmp_path_factory):
    """A run whose decisions look at the group."""
    folder = tmp_path_factory.mktemp("by_group")
    return fitted(folder, credit(), "given", *FAIR, "--sensitive-at-predict")


def gap(table, found):
    groups = Groups.of(table["sex"].to_numpy(dtype=object))
    truth = (table["given"] == "yes").to_numpy().astype(int)
    decided = (found["given"] == "yes").to_numpy().astype(int)
    return fairness_gap("demographic_parity", truth, decided, groups)


def test_decisions_keep_their_bound_on_new_rows_and_are_scored_as_written(by_group, capsys):
    run, new = by_group
    said, found = predicted(capsys, run, new)
    table = pd.read_csv(new)
    assert (table["given"] == "yes").groupby(table["sex"]).mean().diff().abs().max() > 0.2
    assert gap(table, found) < 0.15  # 600 rows: its standard error is about 4 points
    assert said["metric"] == "accuracy"
    assert said["score"] == pytest.approx((table["given"] == found["given"]).mean())
    assert json.loads((run / "model" / "model.json").read_text())["fair"] is not None


def test_decisions_by_group_need_the_groups(by_group, capsys, tmp_path):
    run, new = by_group
    pd.read_csv(new).drop(columns="sex").to_csv(tmp_path / "blind.csv", index=False)
    code, _, err = call(capsys, "predict", run, tmp_path / "blind.csv", "--out", "-")
    assert code == 2
    assert "the sensitive column 'sex' is not in this table" in err and "Add the column" in err


def test_groups_that_training_did_not_have_get_the_threshold_of_all_rows(
    by_group, capsys, tmp_path
):
    run, new = by_group
    table = pd.read_csv(new)
    table["sex"] = table["sex"].where(table.index % 2 == 0, "x")
    table.loc[:3, "sex"] = np.nan
    table.to_csv(tmp_path / "others.csv", index=False)
    _, found = predicted(capsys, run, tmp_path / "others.csv")
    assert len(found) == len(table) and set(found["given"]) == {"yes", "no"}


def test_what_models_never_saw_need_not_be_there(tmp_path, capsys):
    run, new = fitted(tmp_path, credit(), "given", *FAIR)
    table = pd.read_csv(new)
    with_it = predicted(capsys, run, new)[1]
    table.drop(columns="sex").to_csv(tmp_path / "blind.csv", index=False)
    said, found = predicted(capsys, run, tmp_path / "blind.csv")
    assert found.equals(with_it)
    assert said["score"] == pytest.approx((table["given"] == found["given"]).mean())
