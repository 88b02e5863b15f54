"""Misuses of a fitted model: predicting, saving, loading, reporting."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from misuse import Misuse
from misuses_of_fit import price, sold, table

import octavo
from octavo.errors import DataError, SettingError, StorageError
from octavo.tabular.model import FORMAT

QUICK = {"max_trials": 1, "time_limit": None, "include": ["linear"], "random_state": 0}


@cache
def classifier():
    return octavo.AutoClassifier(**QUICK).fit(table(), sold())


@cache
def regressor():
    return octavo.AutoRegressor(**QUICK).fit(table(), price())


@cache
def neighbours():
    """A model that ONNX has no words for, on columns that it has."""
    X = table().drop(columns="sold")
    return octavo.AutoClassifier(**{**QUICK, "include": ["nearest_neighbors"]}).fit(X, sold())


@cache
def regressor_of_numbers():
    return octavo.AutoRegressor(**QUICK).fit(table()[["size", "rooms"]], price())


@cache
def by_group():
    """A model whose decisions look at the group of each row."""
    n = 400
    rng = np.random.default_rng(0)
    town = rng.choice(["Bonn", "Köln"], n)
    size = rng.normal(size=n) + (town == "Bonn")
    X = pd.DataFrame({"size": size, "rooms": rng.integers(1, 9, n), "town": town})
    bounds = {"demographic_parity": (None, 0.05)}
    settings = {**QUICK, "metric": "accuracy", "sensitive": "town", "sensitive_at_predict": True}
    y = np.where(size + rng.normal(size=n) > 0.5, "yes", "no")
    return octavo.AutoClassifier(**settings, constraints=bounds).fit(X, y)


def saved() -> Path:
    """The folder of a saved model, in the working directory."""
    return classifier().save("model")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def without(folder: Path, key: str) -> None:
    described = json.loads((folder / "model.json").read_text())
    del described[key]
    (folder / "model.json").write_text(json.dumps(described))


def of_a_newer_format(folder: Path) -> None:
    described = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(described | {"format": FORMAT + 1}))


CASES = [
    Misuse(
        "a table of something else",
        lambda: classifier().predict(pd.DataFrame({"weight": [1.0], "height": [2.0]})),
        DataError, "'weight', 'height' are there", "None of the 4 columns of the training table",
        "Pass a table like the training table",
    ),
    Misuse(
        "an array of another width",
        lambda: classifier().predict(np.zeros((3, 2))),
        DataError, "X has 2 features", "AutoClassifier is expecting 4 features",
        "Pass a DataFrame with names",
    ),
    Misuse(
        "probabilities of numbers",
        lambda: regressor().model_.predict_proba(table()),
        SettingError, "'price' is a number", "predict_proba is for classifiers", "Use predict",
    ),
    Misuse(
        "labels of numbers",
        lambda: regressor().model_.target.labels,
        DataError, "'price'", "is a number and has no classes", "Use predict",
    ),
    Misuse(
        "explaining no rows",
        lambda: classifier().explain(table().head(0)),
        DataError, "no rows to explain", "the table has", "Pass at least one",
    ),
    Misuse(
        "a way to explain that is none",
        lambda: classifier().explain(method="shap"),
        SettingError, "method='shap'", "is no way to explain", "Use 'auto', 'trees' or 'sampling'",
    ),
    Misuse(
        "trees of a linear model",
        lambda: classifier().explain(method="trees"),
        SettingError, "Linear model", "finds no trees in this ensemble", "Use method='auto'",
    ),
    Misuse(
        "one row to be compared with itself",
        lambda: classifier().model_.explain(table().head(1)),
        SettingError, "background=None", "there is one only", "rows of the training table",
    ),
    Misuse(
        "contributions to a class that is none",
        lambda: classifier().explain(table().head(3), rounds=1).of_class("maybe"),
        SettingError, "label='maybe'", "is no class of", "Classes are",
    ),
    Misuse(
        "contributions to a class of a number",
        lambda: regressor().explain(table().head(3), rounds=1).of_class("yes"),
        SettingError, "label='yes'", "is a number and has no classes", "Leave it out",
    ),
    Misuse(
        "the effect of a misspelt column",
        lambda: classifier().partial_dependence("siez"),
        SettingError, "'siez'", "is no column that the model learned from", "Did you mean 'size'?",
    ),
    Misuse(
        "the effect of three columns",
        lambda: classifier().partial_dependence(["size", "rooms", "sold"]),
        SettingError, "['size', 'rooms', 'sold']", "of one column or of two", "one after the other",
    ),
    Misuse(
        "a curve of one value",
        lambda: classifier().partial_dependence("size", grid_size=1),
        SettingError, "grid_size=1", "makes no curve", "Pass 2 or more",
    ),
    Misuse(
        "saving where something else is",
        lambda: classifier().save("notes"),
        StorageError, "notes", "not a saved model; nothing was overwritten", "Give a new folder",
        given=lambda: (Path("notes").mkdir(), Path("notes/mine.txt").write_text("mine")),
    ),
    Misuse(
        "saving below a file",
        lambda: classifier().save("notes.txt/model"),
        StorageError, "notes.txt", "no folder can be made", "Give a folder that you may write to",
        given=lambda: Path("notes.txt").write_text("mine"),
    ),
    Misuse(
        "a report below a file",
        lambda: classifier().report("notes.txt/report.html"),
        StorageError, "notes.txt/report.html", "could not be written", "Give the path of a file",
        given=lambda: Path("notes.txt").write_text("mine"),
    ),
    Misuse(
        "an ONNX file of a member that cannot be one",
        lambda: neighbours().export_onnx("model.onnx"),
        SettingError, "Nearest neighbours", "models of its kind are not translated",
        "Leave its family out when fitting (exclude=[...]), or use export()",
    ),
    Misuse(
        "an ONNX file of a model that reads dates",
        lambda: classifier().export_onnx("model.onnx"),
        SettingError, "the column 'sold' is a date", "only numbers, categories and truths",
        "(feature_types={...: 'drop'}), or use export()",
    ),
    Misuse(
        "an ONNX file below a file",
        lambda: regressor_of_numbers().export_onnx("notes.txt/model.onnx"),
        StorageError, "notes.txt/model.onnx", "could not be written", "Give the path of a file",
        given=lambda: Path("notes.txt").write_text("mine"),
    ),
    Misuse(
        "loading a number",
        lambda: octavo.load_model(3),
        SettingError, "3 of type int", "the path of the folder", "Give the path",
    ),
    Misuse(
        "loading a folder without a model",
        lambda: octavo.load_model("modle"),
        StorageError, "modle", "no model.json", "Give the folder that `save`",
    ),
    Misuse(
        "loading a description that lacks a part",
        lambda: octavo.load_model("model"),
        StorageError, "it has no 'schema'", "no whole description of a model",
        "Save the model again",
        given=lambda: without(saved(), "schema"),
    ),
    Misuse(
        "loading a model of a newer format",
        lambda: octavo.load_model("model"),
        StorageError, f"in format {FORMAT + 1}", "this one reads up to", "pip install -U octavo",
        given=lambda: of_a_newer_format(saved()),
    ),
]  # fmt: skip

PROMISES = [
    Misuse(
        "a coverage in percent",
        lambda: classifier().predict_set(table(), coverage=90),
        SettingError, "coverage=90", "strictly between 0 and 1", "Did you mean 0.9?",
    ),
    Misuse(
        "a coverage that so few rows cannot promise",
        lambda: regressor().predict_interval(table(), coverage=0.999),
        SettingError, "a coverage of 0.999", "cannot be promised from 40 validated rows",
        "Ask for less",
    ),
    Misuse(
        "intervals of classes",
        lambda: classifier().model_.predict_interval(table()),
        SettingError, "'sold_soon' has classes here", "predict_interval is for numbers",
        "Use predict_set",
    ),
    Misuse(
        "sets of numbers",
        lambda: regressor().model_.predict_set(table()),
        SettingError, "'price' is a number here", "predict_set is for classes",
        "Use predict_interval",
    ),
    Misuse(
        "sets of a model that was never validated",
        lambda: classifier().model_.parts()[0][1].predict_set(table()),
        SettingError, "this model cannot predict_set", "fitted without validation",
        "Fit and save it again",
    ),
    Misuse(
        "groups that were never named",
        lambda: classifier().fairness(),
        SettingError, "no sensitive column was named", "no groups to compare",
        "Fit with sensitive='...'",
    ),
    Misuse(
        "the fairness of a table without its target",
        lambda: by_group().fairness(table()),
        SettingError, "X without y", "a table and its target", "Give both",
    ),
    Misuse(
        "decisions by group without the groups",
        lambda: by_group().predict(table().drop(columns="town")),
        DataError, "'town'", "is not in this table, but groups are read off it", "Add the column",
    ),
    Misuse(
        "an ONNX file of decisions by group",
        lambda: by_group().export_onnx("model.onnx"),
        SettingError, "thresholds that keep a bound on fairness", "cannot be written in ONNX",
        "Use export()",
    ),
    Misuse(
        "an ensemble that is not on the front",
        lambda: classifier().choose(99),
        SettingError, "choose got 99", "the front has the rows 0 to", "Look at front()",
    ),
]  # fmt: skip

CASES += PROMISES
