"""`octavo serve`: a real server on a free port of this machine."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

import octavo
from octavo.cli import main
from octavo.tabular.refit import fit_one
from octavo.tabular.settings import SearchSettings


def flowers():
    iris = load_iris(as_frame=True)
    X = iris.data.rename(columns=lambda name: name.split(" (")[0].replace(" ", "_"))
    X["colour"] = np.where(np.arange(150) % 3, "blue", "white")
    X.loc[::9, "petal_width"] = np.nan
    return X, iris.target.map({0: "setosa", 1: "versicolor", 2: "virginica"}).rename("species")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    settings = SearchSettings(task="classification", include=["linear"], seed=0, max_trials=1)
    return fit_one(None, *flowers(), settings).save(tmp_path_factory.mktemp("serve") / "model")


class Service:
    def __init__(self, process, port, lines):
        self.process, self.port, self.lines = process, port, lines

    def ask(self, method, path, body=None, kind="application/json", **headers):
        """(status, JSON) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if body is not None:
            headers.setdefault("Content-Type", kind)
            body = body if isinstance(body, bytes | str) else json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def predict(self, body, **more):
        return self.ask("POST", "/predict", body, **more)


@contextmanager
def service(folder, *options):
    process = subprocess.Popen(
        [sys.executable, "-m", "octavo", "serve", str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = []
    try:
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        yield Service(process, int(re.search(r":(\d+)$", lines[0].strip())[1]), lines)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(folder):
    with service(folder, "--max-rows", "200", "--max-body", "0.1MB") as running:
        yield running


def rows_of(X):
    return json.loads(X.to_json(orient="records"))


def test_rows_as_json_and_as_csv_give_what_the_model_gives(served, folder):
    X, _ = flowers()
    model = octavo.load_model(folder)
    status, answer = served.predict({"rows": rows_of(X)})
    assert status == 200 and answer["warnings"] == []
    assert answer["predictions"] == model.predict(X).tolist()
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(X), atol=1e-12)
    assert answer["target"] == "species"
    assert answer["classes"] == ["setosa", "versicolor", "virginica"]
    assert served.predict(rows_of(X))[1] == answer
    status, from_csv = served.predict(X.to_csv(index=False), kind="text/csv; charset=utf-8")
    assert status == 200 and from_csv == answer


def test_nothing_in_nothing_out_and_odd_cells_are_said(served):
    status, answer = served.predict([])
    assert (status, answer["predictions"], answer["probabilities"]) == (200, [], [])
    row = rows_of(flowers()[0])[1]
    odd = row | {"sepal_length": "long", "colour": "pink", "new": 1}
    status, answer = served.predict([odd, row])
    assert status == 200 and len(answer["predictions"]) == 2
    assert len(answer["warnings"]) == 1 and "'sepal_length'" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        ("{", "application/json", 400, "The body is no JSON"),
        ("\xff", "application/json", 400, "not UTF-8"),
        ("", "text/csv", 400, "The body is empty"),
        ("a,b\n1,2,3\n4,5,6,7\n", "text/csv", 400, "no CSV"),
        ("[]", "text/plain", 415, "text/csv"),
        ("3", "application/json", 422, "a list of rows is expected"),
        ("[3]", "application/json", 422, "Row 0 is a number"),
        ('[{"colour": [1]}]', "application/json", 422, "Row 0 holds a list in 'colour'"),
        ('[{"sepal_lenght": 1}]', "application/json", 422, "Did you mean 'sepal_lenght'?"),
        ("sepal_length\n1\n", "text/csv", 422, "has no 'sepal_width'"),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_a_sentence(served, body, kind, status, says):
    found, answer = served.predict(body.encode("latin-1"), kind=kind)
    assert found == status, answer
    assert says in answer["error"] and list(answer) == ["error"]


def test_requests_are_bounded(served):
    row = rows_of(flowers()[0])[1]
    status, answer = served.predict([row] * 201)
    assert status == 413 and "201 rows, and at most 200" in answer["error"]
    status, answer = served.predict(b" " * 200_000)
    assert status == 413 and "larger than" in answer["error"]
    # Without a declared length, as streams have none.
    status, answer = served.predict(
        b"8000\r\n" + b" " * 0x8000 + b"\r\n8000\r\n" + b" " * 0x8000
        + b"\r\n8000\r\n" + b" " * 0x8000 + b"\r\n8000\r\n" + b" " * 0x8000 + b"\r\n0\r\n\r\n",
        **{"Transfer-Encoding": "chunked"},
    )  # fmt: skip
    assert status == 413


def test_other_paths_and_methods_say_what_there_is(served):
    assert served.ask("GET", "/health") == (200, {"status": "ok"})
    status, answer = served.ask("GET", "/")
    assert status == 404 and "/predict" in answer["error"]
    status, answer = served.ask("GET", "/predict")
    assert status == 405 and "Use POST" in answer["error"]


def test_a_page_of_another_host_cannot_use_it(served):
    status, answer = served.ask("GET", "/schema", Host="evil.example:80")
    assert status == 421 and "evil.example" in answer["error"]


def test_the_description_is_that_of_the_model(served, folder):
    model = octavo.load_model(folder)
    status, schema = served.ask("GET", "/schema")
    assert status == 200
    assert [column["name"] for column in schema["columns"]] == list(model.schema.names)
    assert schema["columns"][-1]["categories"] == ["blue", "white"]
    assert [column["required"] for column in schema["columns"]] == [True, True, True, False, True]
    status, document = served.ask("GET", "/openapi.json")
    assert status == 200 and document["openapi"].startswith("3.1")
    parts = document["components"]["schemas"]
    row = parts["Row"]
    assert row["required"] == ["sepal_length", "sepal_width", "petal_length", "colour"]
    assert row["properties"]["colour"]["anyOf"][0] == {"enum": ["blue", "white"]}
    assert row["properties"]["petal_width"]["type"] == ["number", "string", "null"]
    # What it calls required is refused if absent, and what it does not, is not.
    complete = rows_of(flowers()[0])[1]
    for name in model.schema.names:
        less = {key: cell for key, cell in complete.items() if key != name}
        assert served.predict([less])[0] == (422 if name in row["required"] else 200)
    answer = served.predict([complete])[1]
    assert sorted(answer) == parts["Predictions"]["required"]
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in parts
    for path, operations in document["paths"].items():
        for method in operations:
            assert served.ask(method.upper(), path)[0] not in (404, 405)


def test_other_addresses_demand_a_token(folder):
    X, _ = flowers()
    with service(folder, "--host", "0.0.0.0") as running:
        token = running.lines[1].split()[1]
        assert len(token) >= 32
        assert running.ask("GET", "/health")[0] == 200
        for given in ({}, {"Authorization": f"Bearer {token}x"}, {"Authorization": token}):
            status, answer = running.predict(rows_of(X), **given)
            assert status == 401 and "Authorization: Bearer" in answer["error"]
        right = {"Authorization": f"Bearer {token}"}
        assert running.predict(rows_of(X), **right)[0] == 200
        document = running.ask("GET", "/openapi.json", **right)[1]
        assert document["paths"]["/predict"]["post"]["security"] == [{"token": []}]
        assert "401" in document["paths"]["/predict"]["post"]["responses"]


def test_ctrl_c_is_its_usual_end(folder):
    with service(folder) as running:
        assert running.ask("GET", "/health")[0] == 200
        running.process.send_signal(signal.SIGINT)
        out, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 0 and out.strip() == "stopped" and errors == ""


def test_numbers_have_no_classes(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    settings = SearchSettings(task="regression", include=["linear"], seed=0, max_trials=1)
    model = fit_one(None, X, y, settings)
    with service(model.save(tmp_path / "model"), "--token", "sesame") as running:
        right = {"Authorization": "Bearer sesame"}
        status, answer = running.predict(X.to_csv(index=False), kind="text/csv", **right)
        assert status == 200 and sorted(answer) == ["predictions", "target", "warnings"]
        np.testing.assert_allclose(answer["predictions"], model.predict(X), atol=1e-9)
        assert running.predict(pd.DataFrame(X.head(1)).to_json(orient="records"))[0] == 401


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "no..host"], "is no address"),
        (["--token", " "], "--token is empty"),
        (["--max-body", "much"], "cannot be read as an amount of memory"),
    ],
)
def test_senseless_options_are_refused(folder, capsys, options, says):
    with pytest.raises(SystemExit) as stop:
        main(["serve", str(folder), *options])
    assert stop.value.code == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_port_that_is_taken_is_refused(served, folder, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["serve", str(folder), "--port", str(served.port)])
    assert stop.value.code == 2
    assert "--port 0 for any that is free" in " ".join(capsys.readouterr().err.split())
