"""`octavo export` of a table's model: a folder, or an ONNX file; of its trials as before."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import octavo
from octavo.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    iris = load_iris(as_frame=True).frame
    octavo.AutoClassifier(
        include=["linear"], max_trials=1, time_limit=None, random_state=0,
        output_folder=folder / "iris",
    ).fit(iris.drop(columns="target"), iris["target"])  # fmt: skip
    return folder / "iris"


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["export", *map(str, arguments)])
    found = capsys.readouterr()
    return stop.value.code, found.out, " ".join(found.err.split())


@pytest.mark.parametrize("option", [["--model"], []])
def test_a_folder(run, tmp_path, capsys, option):
    code, out, _ = call(capsys, run, *option, "--out", tmp_path / "deployed")
    assert code == 0 and "requirements.txt" in out and "100% Linear model" in out
    assert {path.name for path in (tmp_path / "deployed").iterdir()} == {
        "README.md", "model", "predict.py", "requirements.txt", "runtime",
    }  # fmt: skip


@pytest.mark.parametrize("option", [["--onnx"], []])
def test_an_onnx_file(run, tmp_path, capsys, option):
    import onnxruntime

    code, out, _ = call(capsys, run, *option, "--out", tmp_path / "m.onnx", "--json")
    assert code == 0 and json.loads(out) == {"onnx": str(tmp_path / "m.onnx"), "members": 1}
    X = load_iris(as_frame=True).data
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    inputs = {name: X[[name]].to_numpy(np.float64) for name in X}
    labels = session.run(["prediction"], inputs)[0]
    assert labels.tolist() == octavo.load_model(run).predict(X).tolist()


def test_its_trials_as_before(run, tmp_path, capsys):
    code, out, _ = call(capsys, run, "--out", tmp_path / "trials.csv")
    assert code == 0 and out.startswith("1 trials ->")
    assert pd.read_csv(tmp_path / "trials.csv")["config.model"].tolist() == ["linear"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--model"], 2, "--model has nowhere to write to. Give a folder"),
        (["--onnx"], 2, "--onnx has nowhere to write to. Give a file"),
        (["--model", "--onnx", "--out", "m"], 2, "--model and --onnx ask for different things"),
        (["--best", "--model", "--out", "m"], 2, "--best and --model ask for different things"),
    ],
)
def test_senseless_options_are_refused(run, capsys, options, code, says):
    found, _, errors = call(capsys, run, *options)
    assert found == code and says in errors


def test_where_there_is_no_model_it_says_so(tmp_path, capsys):
    code, _, errors = call(capsys, tmp_path, "--model", "--out", tmp_path / "m")
    assert code == 1 and "there is no saved model in" in errors
