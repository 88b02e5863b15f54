"""Misuses of the commands, run in this process. Each prints one sentence and sets a code."""

import json
import socket
from pathlib import Path

from misuse import Misuse, command
from misuses_of_fit import price, sold, table
from misuses_of_predict import cut_off, saved

import octavo
from octavo.errors import DataError, SettingError, SpaceError, StorageError, StudyError

SPACE = octavo.space(x=octavo.Float(0, 1))


def houses():
    """A right table in the working directory: four columns and two targets."""
    table().assign(soon=sold(), price=price()).to_csv("houses.csv", index=False)


def fit(*options, target="soon", file="houses.csv"):
    quick = ("--trials", "1", "--include", "linear", "--quiet")
    return lambda: command("fit", file, "--target", target, *quick, *options)


def wrote(name, content):
    def write():
        if isinstance(content, bytes):
            Path(name).write_bytes(content)
        else:
            Path(name).write_text(content)

    return write


def begun():
    """A study in the folder `mlp`, with one trial told and one asked."""
    with octavo.Study(SPACE, seed=0, storage="mlp") as study:
        study.tell(study.ask(), 1.0)
        study.ask()


def never_told():
    """A study in the folder `mlp` whose only trial failed."""
    with octavo.Study(SPACE, seed=0, storage="mlp") as study:
        study.tell(study.ask(), failed="no luck")


def serve_where_another_does():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        return command("serve", "model", "--port", str(other.getsockname()[1]))


def refuse_file(cause, name, content, value, expected, remedy):
    """A file that is no table."""
    return Misuse(
        cause, fit(file=name), DataError, value, expected, remedy, given=wrote(name, content)
    )


FILES = [
    Misuse(
        "a misspelt file",
        fit(file="hauses.csv"),
        DataError, "'hauses.csv'", "There is no file", "Did you mean 'houses.csv'? Check the path",
        given=houses,
    ),
    Misuse(
        "a file in a folder that is not there",
        fit(file="data/houses.csv"),
        DataError, "'data'", "There is no folder", "Check the path",
    ),
    Misuse(
        "a folder in place of a file",
        fit(file="data.csv"),
        DataError, "'data.csv'", "is a folder, not a file", "Pass the path of one file",
        given=lambda: Path("data.csv").mkdir(),
    ),
    refuse_file(
        "a spreadsheet", "houses.xlsx", "a,b\n1,2\n",
        "'.xlsx'", "not a table format known here", "Use one of .csv",
    ),
    refuse_file("an empty file", "a.csv", "", "'a.csv' is empty", "needs a line of names", "rows"),
    refuse_file(
        "only names", "a.csv", "size,rooms,soon\n",
        "'size', 'rooms', 'soon'", "no rows", "Save it again with its rows",
    ),
    refuse_file(
        "another delimiter", "a.csv", "size:soon\n1:yes\n2:no\n3:no\n",
        "'size:soon'", "reads as a single column", "Separate cells by one of",
    ),
    refuse_file(
        "an open quote", "a.csv", 'size,soon\n1,"yes\n2,no\n',
        "'a.csv'", "not a regular table separated by ','", "a quote that is never closed",
    ),
    refuse_file(
        "binary data named as text", "a.csv", b"PK\3\4" + bytes(100),
        "'a.csv'", "holds binary data", "must be saved as CSV first",
    ),
    refuse_file(
        "text named as Parquet", "a.parquet", "size,soon\n1,yes\n",
        "'a.parquet'", "named like parquet, but cannot be read as such", "Save it again",
    ),
    refuse_file(
        "a packed file that is cut off", "a.csv.gz", b"\x1f\x8b123",
        "'a.csv.gz'", "could not be read", "fetch it again",
    ),
]  # fmt: skip

FIT = [
    Misuse(
        "a misspelt target",
        fit(target="son"),
        DataError, "--target names a column 'son'", "Did you mean 'soon'?", "Name one of its",
        given=houses,
    ),
    Misuse(
        "a misspelt task",
        fit("--task", "clasification"),
        SettingError, "kind='clasification'", "no kind of task", "Use 'binary'",
        given=houses,
    ),
    Misuse(
        "more classes than two in a binary task",
        fit("--task", "binary", target="rooms"),
        DataError, "'rooms' has", "so it is not binary", "Say 'multiclass'",
        given=houses,
    ),
    Misuse(
        "a kind without its column",
        fit("--kind", "category"),
        SettingError, "--kind 'category'", "cannot be read", "Write COLUMN=KIND",
        given=houses,
    ),
    Misuse(
        "a bound without its word",
        fit("--constraint", "20MB"),
        SettingError, "--constraint '20MB'", "cannot be read", "Write WORD=BOUND",
        given=houses,
    ),
    Misuse(
        "a direction without its column",
        fit("--monotone", "increasing"),
        SettingError, "--monotone 'increasing'", "cannot be read", "Write COLUMN=increasing",
        given=houses,
    ),
    Misuse(
        "stacking in other words",
        fit("--stack", "yes"),
        SettingError, "--stack 'yes'", "none of auto, on, off", "Leave it out for auto",
        given=houses,
    ),
    Misuse(
        "sampling in other words",
        fit("--sampling", "yes"),
        SettingError, "--sampling 'yes'", "none of auto, on, off", "Leave it out for auto",
        given=houses,
    ),
    Misuse(
        "one column in two roles",
        fit("--groups", "soon"),
        SettingError, "the column 'soon'", "--target and --groups both name", "Name another column",
        given=houses,
    ),
    Misuse(
        "negative workers",
        fit("--workers", "-2"),
        SettingError, "--workers -2", "a whole number of at least 1", "Leave it out",
        given=houses,
    ),
    Misuse(
        "an output folder with something in it",
        fit("--out", "runs"),
        SettingError, "--out runs", "is not empty, and nothing is overwritten",
        "octavo resume runs",
        given=lambda: (houses(), Path("runs").mkdir(), Path("runs/a").write_text("")),
    ),
    Misuse(
        "an output folder that is a file",
        fit("--out", "houses.csv"),
        SettingError, "--out houses.csv", "is a file", "Give a folder that does not exist yet",
        given=houses,
    ),
]  # fmt: skip

LATER = [
    Misuse(
        "predicting with a damaged model.json",
        lambda: command("predict", "model", "houses.csv"),
        StorageError, "model/model.json", "is damaged", "Save the model again",
        given=lambda: (houses(), cut_off(saved() / "model.json")),
    ),
    Misuse(
        "predicting with a model that lacks a file",
        lambda: command("predict", "model", "houses.csv"),
        StorageError, "model/members/0.pkl.gz is missing", "is incomplete", "Copy the whole folder",
        given=lambda: (houses(), (saved() / "members" / "0.pkl.gz").unlink()),
    ),
    Misuse(
        "predicting with a damaged pipeline",
        lambda: command("predict", "model", "houses.csv"),
        StorageError, "model/members/0.pkl.gz", "cannot be loaded", "Copy the whole folder anew",
        given=lambda: (houses(), cut_off(saved() / "members" / "0.pkl.gz")),
    ),
    Misuse(
        "predictions below a file",
        lambda: command("predict", "model", "houses.csv", "--out", "houses.csv/predictions.csv"),
        StorageError, "houses.csv/predictions.csv", "could not be written", "with --out",
        given=lambda: (houses(), saved()),
    ),
    Misuse(
        "predictions and JSON on one terminal",
        lambda: command("predict", "model", "houses.csv", "--out", "-", "--json"),
        SettingError, "--out - and --json", "both want to write to the terminal",
        "Give a file with --out",
        given=lambda: (houses(), saved()),
    ),
    Misuse(
        "the validation of a study that has none",
        lambda: command("export", "mlp", "--best", "--validation"),
        StudyError, "'mlp'", "was not validated", "Give its scenario held-out instances",
        given=begun,
    ),
    Misuse(
        "a best configuration that goes nowhere",
        lambda: command("export", "mlp", "--best", "--out", "notes.txt/best.json"),
        StorageError, "notes.txt/best.json", "could not be written", "Give another file",
        given=lambda: (begun(), Path("notes.txt").write_text("")),
    ),
    Misuse(
        "a portfolio over another file",
        lambda: command("portfolio", "build", "mlp", "--out", "mine.json"),
        SettingError, "--out mine.json", "exists, and nothing is overwritten",
        "Give another file",
        given=lambda: (begun(), Path("mine.json").write_text("{}")),
    ),
    Misuse(
        "a portfolio of studies without a success",
        lambda: command("portfolio", "build", "mlp", "--out", "mine.json"),
        DataError, "'mlp'", "none succeeded", "Leave it out",
        given=never_told,
    ),
    Misuse(
        "a model exported to nowhere",
        lambda: command("export", "model", "--model"),
        SettingError, "--model", "has nowhere to write to", "Give a folder, such as --out deployed",
        given=saved,
    ),
    Misuse(
        "a model exported in two ways at once",
        lambda: command("export", "model", "--model", "--onnx", "--out", "deployed"),
        SettingError, "--model and --onnx", "ask for different things", "Give one of them",
        given=saved,
    ),
    Misuse(
        "a service whose token is empty",
        lambda: command("serve", "model", "--token", " "),
        SettingError, "--token is empty", "anybody would have it", "Give a long random word",
        given=saved,
    ),
    Misuse(
        "a service at no address",
        lambda: command("serve", "model", "--host", "no..host", "--port", "0"),
        SettingError, "no..host", "is no address", "Use 127.0.0.1",
        given=saved,
    ),
    Misuse(
        "a service at a port that is taken",
        serve_where_another_does,
        SettingError, "of 127.0.0.1", "cannot be used", "Give another with --port",
        given=saved,
    ),
    Misuse(
        "the report of what is no search",
        lambda: command("report", "mlp"),
        StorageError, "mlp", "no finished search", "Give the folder that `octavo fit --out` made",
        given=begun,
    ),
    Misuse(
        "a damaged search",
        lambda: command("resume", "houses"),
        StorageError, "houses/search.pkl", "cannot be loaded", "Copy the run's whole folder anew",
        given=lambda: (Path("houses").mkdir(), Path("houses/search.pkl").write_bytes(b"\x80\5")),
    ),
    Misuse(
        "the studies of a file",
        lambda: command("studies", "houses.csv"),
        SettingError, "houses.csv", "is not a folder", "Give the one that holds your runs",
        given=houses,
    ),
]  # fmt: skip

ASKING = [
    Misuse(
        "asking what was never begun",
        lambda: command("ask", "mlp"),
        SettingError, "no study in mlp", "Begin one", "with --space FILE",
    ),
    Misuse(
        "a space that cannot be read",
        lambda: command("ask", "mlp", "--space", "space.json"),
        SettingError, "--space space.json", "cannot be read", "Give a JSON file",
    ),
    Misuse(
        "a space that is no JSON",
        lambda: command("ask", "mlp", "--space", "space.json"),
        SettingError, "--space space.json", "is not JSON", "Write it with",
        given=wrote("space.json", "x in [0, 1]"),
    ),
    Misuse(
        "a space with a hyperparameter of an unknown type",
        lambda: command("ask", "mlp", "--space", "space.json"),
        SpaceError, "type 'uniform_flaot'", "no type of hyperparameter", "Use one of uniform_float",
        given=wrote(
            "space.json", json.dumps({"hyperparameters": [{"name": "x", "type": "uniform_flaot"}]})
        ),
    ),
    Misuse(
        "a direction that is none",
        lambda: command("ask", "mlp", "--space", "space.json", "--objective", "loss:down"),
        SettingError, "'down'", "has the direction", "Write NAME, NAME:min or NAME:max",
        given=wrote("space.json", json.dumps(SPACE.to_json())),
    ),
    Misuse(
        "a second space",
        lambda: command("ask", "mlp", "--space", "space.json"),
        SettingError, "in mlp already", "its space does not change", "leave out --space",
        given=begun,
    ),
    Misuse(
        "another optimizer later",
        lambda: command("ask", "mlp", "--optimizer", "grid"),
        SettingError, "--optimizer grid", "keeps what it began with", "Leave out --optimizer",
        given=begun,
    ),
    Misuse(
        "a cost in words",
        lambda: command("tell", "mlp", "1", "good"),
        SettingError, "'good'", "does not hold a number", "Write octavo tell RUN INDEX 0.25",
        given=begun,
    ),
    Misuse(
        "several numbers without names",
        lambda: command("tell", "mlp", "1", "0.1", "0.2"),
        SettingError, "'0.1'", "cannot be read as a result", "NAME=VALUE for each",
        given=begun,
    ),
]  # fmt: skip

EXPLAINING = [
    Misuse(
        "explaining a model without rows",
        lambda: command("explain", "model"),
        SettingError, "model holds a model", "there are no rows to explain", "Give a table",
        given=saved,
    ),
    Misuse(
        "explaining a row that is not there",
        lambda: command("explain", "model", "houses.csv", "--row", "5000"),
        SettingError, "--row 5000", "is not among the", "Count from 0",
        given=lambda: (houses(), saved()),
    ),
]  # fmt: skip

CASES = [*FILES, *FIT, *LATER, *ASKING, *EXPLAINING]
