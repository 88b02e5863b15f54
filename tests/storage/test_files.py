"""Tables from elsewhere become histories, or an error that names column, row and remedy."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octavo.errors import DataError, OctavoError, SettingError, StorageError
from octavo.history import History
from octavo.problem import Constraint, Fidelity, Objective, Problem
from octavo.spaces import Categorical, Float, Integer, space
from octavo.storage import export_history, import_history
from octavo.trial import Status

PROBLEM = Problem(
    space(
        rate=Float(0.0, 1.0),
        kind=Categorical(["adam", "sgd"]),
        momentum=Float(0.0, 1.0).when(kind="sgd"),
        version=Categorical(["1", "2"]),
        nesterov=Categorical([True, False]),
    ),
    (Objective("loss"), Objective("accuracy", maximize=True)),
    (Constraint("latency", high=1.0),),
    Fidelity("epochs", 1, 9),
)

# As a spreadsheet or pandas writes it.
FOREIGN = """\
rate,kind,momentum,version,nesterov,loss,accuracy,latency,epochs,started,note
0.1,adam,,1,True,0.5,0.9,0.01,9,100.5,"hello, you"
0.2,sgd,0.9,2,False,0.4,0.8,0.02,3,,
1,sgd,0,2,TRUE,,,,,,7
"""


def test_a_table_from_elsewhere_with_a_problem(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(FOREIGN)
    history = import_history(path, PROBLEM)
    assert [dict(t.config) for t in history] == [
        {"rate": 0.1, "kind": "adam", "version": "1", "nesterov": True},
        {"rate": 0.2, "kind": "sgd", "momentum": 0.9, "version": "2", "nesterov": False},
        {"rate": 1.0, "kind": "sgd", "momentum": 0.0, "version": "2", "nesterov": True},
    ]
    assert history.status == [Status.SUCCESS, Status.SUCCESS, Status.CRASHED]
    assert history.costs[:2].tolist() == [[0.5, -0.9], [0.4, -0.8]]
    assert history[2].cause == "table.csv has no finite value for ['loss', 'accuracy']."
    assert history[0].constraints == (0.01,) and history[2].constraints == ()
    assert [t.proposal.fidelity for t in history] == [9.0, 3.0, None]
    assert [t.started for t in history] == [100.5, None, None]
    assert [dict(t.extra) for t in history] == [{"note": "hello, you"}, {}, {"note": 7}]
    assert {t.proposal.origin.by for t in history} == {"import"}
    assert history.indices.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_what_pandas_writes_can_be_read(tmp_path, name):
    frame = pd.DataFrame(
        {
            "rate": [0.1, 0.2],
            "kind": ["adam", "sgd"],
            "momentum": [None, 0.5],
            "version": ["1", "2"],
            "nesterov": [True, False],
            "loss": [1.0, float("nan")],
            "accuracy": [0.5, 0.6],
        }
    )
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_json(tmp_path / name, orient="records", lines=True)
    history = import_history(tmp_path / name, PROBLEM)
    assert dict(history[0].config) == {
        "rate": 0.1,
        "kind": "adam",
        "version": "1",
        "nesterov": True,
    }
    assert history[1].config["momentum"] == 0.5
    assert history.status == [Status.SUCCESS, Status.CRASHED]


def test_a_table_whose_columns_are_named(tmp_path):
    path = tmp_path / "grid.csv"
    path.write_text("lr,depth,kind,seed,const,score\n1e-5,3,a,1,7,0.5\n0.1,9,b,2,7,0.75\n")
    history = import_history(
        path,
        config=["lr", "depth", "kind", "const"],
        objectives=[Objective("score", maximize=True)],
    )
    assert history.incumbent.config == {"lr": 0.1, "depth": 9, "kind": "b", "const": 7}
    assert [trial.proposal.seed for trial in history] == [1, 2]
    # The space is inferred: a wide positive range is logarithmic.
    assert history.points.values.shape == (2, len(history.problem.space.columns))
    middle = history.problem.space.decode(history.problem.space.encode([history[0].config]))[0]
    assert middle == history[0].config
    inside = {"lr": 1e-3, "depth": 4, "kind": "a", "const": 7}
    at = history.problem.space.encode([inside])
    lr = [c.name for c in at.columns].index("lr")
    assert at.values[0, lr] == pytest.approx(0.5)


def test_exports_are_tables_that_others_can_read(tmp_path, problem, trial):
    history = History(problem, [trial(0, 0.5), trial(1, 0.25)])
    frames = [
        pd.read_parquet(export_history(history, tmp_path / "h.parquet")),
        pd.read_csv(export_history(history, tmp_path / "h.csv.gz")),
        pd.read_json(export_history(history, tmp_path / "h.jsonl"), lines=True),
    ]
    for frame in frames:
        assert frame["objective.loss"].tolist() == [0.5, 0.25]
        assert frame["objective.accuracy"].tolist() == [0.5, 0.25]  # in the user's direction
        assert frame["constraint.latency"].tolist() == [0.05, 0.05]
        assert frame["config.rate"].tolist() == [0.1, 0.1]
        assert frame["config.layers"].dtype == "int64"
        assert frame["status"].tolist() == ["success", "success"]
    assert gzip.decompress((tmp_path / "h.csv.gz").read_bytes()).startswith(b"index,status,")


def test_equal_histories_make_equal_files(tmp_path, problem, trial):
    history = History(problem, [trial(0)])
    a = export_history(history, tmp_path / "a.jsonl.gz").read_bytes()
    assert export_history(history, tmp_path / "b.jsonl.gz").read_bytes() == a


def test_a_failed_export_leaves_the_old_file(tmp_path, problem, trial):
    path = tmp_path / "h.parquet"
    history = History(problem, [trial(0)])
    export_history(history, path)
    before = path.read_bytes()
    broken = History(problem, [trial(0)])
    broken[0].config["rate"] = object()
    with pytest.raises(OctavoError, match=r"configuration of trial 0 holds a object"):
        export_history(broken, path)
    broken[0].config["rate"] = 0.1
    assert path.read_bytes() == before
    with pytest.raises(StorageError, match=r"nowhere/h.csv .*folder exists"):
        export_history(history, tmp_path / "nowhere" / "h.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["h.parquet"]


# One line of the table is wrong at a time; the message names it.
HEAD = "index,status,rate,kind,version,nesterov,loss,accuracy\n"
GOOD = "0,success,0.1,adam,1,true,0.5,0.9\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + GOOD + "1,success,fast,adam,1,true,0.5,0.9\n", ["line 3", "rate", "fast"]),
        (HEAD + GOOD + "1,success,2.5,adam,1,true,0.5,0.9\n", ["line 3", "rate", "2.5"]),
        (HEAD + GOOD + "1,success,0.1,sgd,1,true,0.5,0.9\n", ["line 3", "momentum"]),
        (HEAD + GOOD + "1,success,0.1,adam,3,true,0.5,0.9\n", ["line 3", "version", "3"]),
        (HEAD + GOOD + "1,success,0.1,adam,1,true,low,0.9\n", ["line 3", "'loss'", "'low'"]),
        (HEAD + GOOD + "1,success,0.1,adam,1,true,,0.9\n", ["line 3", "loss", "finite", "crashed"]),
        (HEAD + GOOD + "1,sucess,0.1,adam,1,true,0.5,0.9\n", ["line 3", "mean 'success'"]),
        (HEAD + GOOD + "1.5,success,0.1,adam,1,true,0.5,0.9\n", ["line 3", "'index'", "whole"]),
        (HEAD + GOOD + "-1,success,0.1,adam,1,true,0.5,0.9\n", ["line 3", "'index'", "-1"]),
        (HEAD + GOOD + GOOD, ["line 3", "index 0", "line 2"]),
        (HEAD + GOOD + "1,success,0.1\n", ["line 3", "3 cells", "8"]),
        (HEAD.replace("loss", "lost") + GOOD, ["no column 'loss'", "Did you mean 'lost'"]),
        ("loss,accuracy\n1,2\n", ["none of the hyperparameters", "'rate'", "rename"]),
        ("rate,rate,loss\n1,2,3\n", ["2 columns named 'rate'", "Rename"]),
        ("", ["no header"]),
        (HEAD + '0,success,0.1,"adam,1,true,0.5,0.9\n', ["cannot be read as CSV", "quotes"]),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_column_row_value_and_remedy(tmp_path, text, words):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        import_history(path, PROBLEM)
    for word in ["wrong.csv", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"rate": 0.1}\n{"rate"\n', ["a.jsonl, line 2", "not JSON"]),
        ("a.jsonl", b"\n[1]\n", ["a.jsonl, line 2", "one JSON object"]),
        ("a.parquet", b"rate,loss\n1,2\n", ["a.parquet", "not a Parquet file"]),
        ("a.csv", b"rate,loss\n\xe9,2\n", ["a.csv", "UTF-8"]),
        ("a.csv.gz", b"rate,loss\n1,2\n", ["a.csv.gz", "gzip"]),
        (
            "a.csv.gz",
            gzip.compress(b"rate,loss\n1,2\n" * 99, mtime=0)[:-20],
            ["a.csv.gz", "cut off"],
        ),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, StorageError)) as caught:
        import_history(tmp_path / name, PROBLEM)
    for word in words:
        assert word in str(caught.value)


def test_what_the_call_lacks_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("rate,loss\n0.1,1\n,2\n")
    with pytest.raises(DataError, match=r"Pass the problem, or name its columns.*'rate', 'loss'"):
        import_history(path)
    with pytest.raises(DataError, match=r"no column of t.csv is named as objectives"):
        import_history(path, config=["rate"])
    with pytest.raises(DataError, match=r"no column 'rat'.*Did you mean 'rate'"):
        import_history(path, config=["rat"], objectives=["loss"])
    with pytest.raises(DataError, match=r"line 3, column 'rate' is empty"):
        import_history(path, config=["rate"], objectives=["loss"])
    with pytest.raises(DataError, match=r"problem and also names of columns"):
        import_history(path, PROBLEM, config=["rate"])
    with pytest.raises(StorageError, match=r"no file .*/nothing.csv"):
        import_history(tmp_path / "nothing.csv", PROBLEM)
    with pytest.raises(SettingError, match=r"'t.cvs' has no known format.*Did you mean '.csv'"):
        import_history(tmp_path / "t.cvs", PROBLEM)
    with pytest.raises(SettingError, match=r"'t.parquet.gz' has no known format"):
        export_history(History(PROBLEM), tmp_path / "t.parquet.gz")


def test_a_number_in_the_wrong_type_of_parquet_column_is_refused(tmp_path):
    table = {"rate": [0.1], "kind": ["adam"], "version": ["1"], "nesterov": [True]}
    wrong = {**table, "loss": ["0.5"], "accuracy": [0.5], "cause": [3]}
    pq.write_table(pa.table(wrong), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t.parquet, row 1, column 'cause': 3 is not a text"):
        import_history(tmp_path / "t.parquet", PROBLEM)


def test_values_of_mixed_types_keep_them(tmp_path):
    mixed = ["1", 1.5, True, None, "true", "", 2**70, "null", "NaN", " 1 ", "[1]", "naïve,\r\n"]
    problem = Problem(space(x=Integer(0, 9)), (Objective("loss"),))
    from octavo.trial import Proposal, Trial

    run = [
        Trial(Proposal(i, {"x": value}), Status.SUCCESS, (1.0,)) for i, value in enumerate(mixed)
    ]
    for name in ("t.parquet", "t.jsonl"):
        again = import_history(export_history(History(problem, run), tmp_path / name))
        assert [(type(t.config["x"]), t.config["x"]) for t in again] == [
            (type(v), v) for v in mixed
        ]
    export_history(History(problem, run), Path(tmp_path / "t.csv"))
    cells = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)["config.x"].tolist()
    read = [json.loads(c) if c not in ("naïve,\r\n",) else c for c in cells]
    assert [(type(v), v) for v in read] == [(type(v), v) for v in mixed]
