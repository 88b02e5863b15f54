"""Misuses of `fit`: of its table, its target and what comes beside them."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from misuse import Misuse
from scipy import sparse

import octavo
from octavo.errors import DataError, SettingError

N = 40


@cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(size=N),
            "rooms": rng.integers(1, 9, N),
            "town": rng.choice(["Bonn", "Köln"], N),
            "sold": pd.date_range("2024-01-01", periods=N),
        }
    )


def sold() -> pd.Series:
    return pd.Series(np.where(table()["size"] > 0, "yes", "no"), name="sold_soon")


def price() -> pd.Series:
    return pd.Series(table()["size"] * 2.5 + 0.25, name="price")


def classify(X=None, y=None, weights=None, *, beside=None, **settings):
    """Fit a classifier; what is not given is right, and quick should it be accepted."""
    quick = {"max_trials": 1, "time_limit": None, "include": ["linear"], "random_state": 0}
    model = octavo.AutoClassifier(**(quick | settings))
    return model.fit(
        table() if X is None else X, sold() if y is None else y, weights, **(beside or {})
    )


def regress(y, **settings):
    quick = {"max_trials": 1, "time_limit": None, "include": ["linear"], "random_state": 0}
    return octavo.AutoRegressor(**(quick | settings)).fit(table(), y)


TABLES = [
    Misuse(
        "a path in place of the table",
        lambda: classify(X=Path("train.csv")),
        DataError, "X='train.csv'", "not a table", "Read the file first",
    ),
    Misuse(
        "a number in place of the table",
        lambda: classify(X=3),
        DataError, "X=3 ", "a table has two dimensions", "Pass a DataFrame",
    ),
    Misuse(
        "one column without its second dimension",
        lambda: classify(X=[1.0, 2.0, 3.0]),
        DataError, "shape (3,)", "a table has two: rows and columns", "Reshape your data",
    ),
    Misuse(
        "rows of different lengths",
        lambda: classify(X=[[1, 2], [3]] * 20),
        DataError, "[1, 2]", "every row the same number of cells", "None where one is missing",
    ),
    Misuse(
        "columns of different lengths",
        lambda: classify(X={"size": [1, 2], "rooms": [1]}),
        DataError, "must be of the same length", "its columns do not match", "Pass a DataFrame",
    ),
    Misuse(
        "no column",
        lambda: classify(X=table()[[]]),
        DataError, "shape=(40, 0)", "a minimum of 1 is required", "at least one column",
    ),
    Misuse(
        "complex numbers",
        lambda: classify(X=table().assign(size=1j)),
        DataError, "column 'size'", "Complex data not supported", "as two columns",
    ),
    Misuse(
        "a sparse matrix that is too large when dense",
        lambda: classify(X=sparse.csr_matrix((10**6, 10**4))),
        DataError, "(1000000, 10000)", "at most 4 GiB are allowed", "Reduce its columns",
    ),
    Misuse(
        "too few rows",
        lambda: classify(X=table()[:3], y=sold()[:3]),
        DataError, "3 sample(s)", "a minimum of 5 is required", "collect more",
    ),
    Misuse(
        "only constant columns",
        lambda: classify(X=pd.DataFrame({"country": ["DE"] * N})),
        DataError, "'country': always", "No column is left to learn from", "Add columns",
    ),
    Misuse(
        "table and target swapped",
        lambda: classify(X=sold(), y=table()),
        DataError, "y has 4", "a table and one target are expected", "fit(X, y)",
    ),
    Misuse(
        "target without test rows",
        lambda: classify(beside={"y_test": sold()}),
        SettingError, "y_test was given (of type Series)", "no one would read it", "leave it out",
    ),
]  # fmt: skip

TARGETS = [
    Misuse(
        "the target's name in place of the target",
        lambda: classify(y="town"),
        DataError, "y='town'", "one value per row is expected, 40 in all", "y=table.pop('town')",
    ),
    Misuse(
        "no target",
        lambda: octavo.AutoClassifier().fit(table(), None),
        DataError, "the target y is None", "requires y", "Pass one value per row",
    ),
    Misuse(
        "a single value as target",
        lambda: classify(y=3),
        DataError, "y=3 ", "is a single int", "Pass one value per row, 40 in all",
    ),
    Misuse(
        "a shorter target",
        lambda: classify(y=sold()[:10]),
        DataError, "y has 10 values", "X has 40 rows", "Pass one value per row",
    ),
    Misuse(
        "a target in another order",
        lambda: classify(y=sold()[::-1]),
        DataError, "39 in y", "the same row labels in different orders", "Align them",
    ),
    Misuse(
        "two targets",
        lambda: classify(y=pd.DataFrame({"a": sold(), "b": sold()})),
        DataError, "2 columns: 'a', 'b'", "One model predicts one column", "fit one for each",
    ),
    Misuse(
        "a one-hot target",
        lambda: classify(y=np.eye(3)[np.arange(N) % 3]),
        DataError, "shape (40, 3)", "one value per row is expected", "Fit one model for each",
    ),
    Misuse(
        "a target of complex numbers",
        lambda: regress(np.full(N, 1j)),
        DataError, "y holds complex numbers", "Complex data not supported", "Use their parts",
    ),
    Misuse(
        "a target of lists of different lengths",
        lambda: classify(y=[[1], [1, 2]] * 20),
        DataError, "[1]", "of different lengths", "one number or one word per row",
    ),
    Misuse(
        "a target of objects",
        lambda: classify(y=pd.Series([{"a": 1}, {"a": 2}] * 20, name="label")),
        DataError, "{'a': 1}", "lists or other objects", "needs one number or one word",
    ),
    Misuse(
        "a target of words and numbers",
        lambda: classify(y=["yes", 1, 2.5, 1] * 10),
        DataError, "float, int, str", "mixes values of several types", "y.astype(str)",
    ),
    Misuse(
        "a target of dates",
        lambda: regress(table()["sold"]),
        DataError, "'sold' holds dates", "cannot be predicted as they are", "days since a start",
    ),
    Misuse(
        "a target without any value",
        lambda: classify(y=[None] * N),
        DataError, "all of its 40 rows", "contains NaN", "Pass the column to predict",
    ),
    Misuse(
        "a target with infinity",
        lambda: regress(price().where(price() < 2, np.inf)),
        DataError, "rows of 'price'", "contains infinity", "cap them",
    ),
    Misuse(
        "always the same number",
        lambda: regress([1.5] * N),
        DataError, "always 1.5", "nothing to learn from a constant", "pass the column",
    ),
    Misuse(
        "a single class",
        lambda: classify(y=["yes"] * N),
        DataError, "only one class, 'yes'", "needs rows of at least two", "A classifier needs",
    ),
    Misuse(
        "ids as classes",
        lambda: classify(y=[f"id{i}" for i in range(N)]),
        DataError, "'id0'", "Too few rows of each to learn classes", "Pass another one",
    ),
    Misuse(
        "a classifier for numbers",
        lambda: classify(y=price()),
        DataError, "with decimals, such as", "which are no classes", "Use a regressor",
    ),
    Misuse(
        "a regressor for words",
        lambda: regress(sold()),
        DataError, "'yes'", "not a number", "use a classifier",
    ),
    Misuse(
        "a test row of a class that training did not have",
        lambda: classify(beside={"X_test": table(), "y_test": ["maybe"] * N}),
        DataError, "'maybe'", "Known classes: 'no', 'yes'", "Leave such rows out",
    ),
    Misuse(
        "a test row without a class",
        lambda: classify(beside={"X_test": table(), "y_test": [None] * N}),
        DataError, "40 of 40 rows", "contains NaN", "Leave them out",
    ),
]  # fmt: skip

BESIDE = [
    Misuse(
        "weights by a column's name",
        lambda: classify(weights="size"),
        DataError, "sample_weight='size'", "one number per row", "Pass the weights themselves",
    ),
    Misuse(
        "weights in words",
        lambda: classify(weights=["heavy"] * N),
        DataError, "'heavy'", "must hold numbers", "Convert it to floats",
    ),
    Misuse(
        "a matrix of weights",
        lambda: classify(weights=np.ones((N, 2))),
        DataError, "(40, 2)", "one weight per row is expected", "Pass one column of it",
    ),
    Misuse(
        "a missing weight",
        lambda: classify(weights=[np.nan] + [1.0] * (N - 1)),
        DataError, "nan in row 0", "must be finite", "use 0 for rows that should not count",
    ),
    Misuse(
        "a negative weight",
        lambda: classify(weights=[1.0] * (N - 1) + [-2.0]),
        DataError, "-2 in row 39", "must be >= 0", "use 0 for rows",
    ),
    Misuse(
        "no weight at all",
        lambda: classify(weights=np.zeros(N)),
        DataError, "zero in every row", "At least one row must count", "leave the weights out",
    ),
    Misuse(
        "a row without a group",
        lambda: classify(beside={"groups": [None] + [1] * (N - 1)}),
        DataError, "the first is row 0", "have no group", "a group of its own",
    ),
    Misuse(
        "a single group",
        lambda: classify(beside={"groups": [7] * N}),
        DataError, "the same group, 7",
        "needs at least two", "pass another column",
    ),
    Misuse(
        "two columns of groups",
        lambda: classify(beside={"groups": table()[["rooms", "town"]]}),
        DataError, "(40, 2)", "one value per row is expected", "Pass one column of it",
    ),
    Misuse(
        "an unknown column of time",
        lambda: classify(beside={"time_column": "sould"}),
        SettingError, "'sould'", "not in the table. Did you mean 'sold'?", "Name one of its",
    ),
    Misuse(
        "a time in words",
        lambda: classify(beside={"time_column": "town"}),
        DataError, "'town' holds", "neither dates nor numbers", "Write dates as 2024-12-31",
    ),
    Misuse(
        "a single moment",
        lambda: classify(beside={"time_column": [5] * N}),
        DataError, "the same time in 'time', 5", "at least two different ones",
        "pass another column",
    ),
    Misuse(
        "a row without a time",
        lambda: classify(beside={"time_column": [None, *range(N - 1)]}),
        DataError, "Row 0", "no readable time", "Fill it in",
    ),
    Misuse(
        "groups and time",
        lambda: classify(beside={"time_column": "sold", "groups": table()["rooms"]}),
        SettingError, "groups and time were both given", "only one can decide the splits",
        "Pass time alone",
    ),
    Misuse(
        "a misspelt kind",
        lambda: classify(feature_types={"rooms": "nummer"}),
        SettingError, "'nummer'", "is no kind. Did you mean 'number'?", "Use 'number'",
    ),
    Misuse(
        "the kind of an unknown column",
        lambda: classify(feature_types={"romms": "number"}),
        SettingError, "'romms'", "the table does not have. Did you mean 'rooms'?", "Name one of",
    ),
    Misuse(
        "too few kinds",
        lambda: classify(feature_types=["number"]),
        SettingError, "1 kinds", "the table has 4 columns", "Give one per column",
    ),
    Misuse(
        "a kind for no column",
        lambda: classify(feature_types="number"),
        SettingError, "kinds='number'", "not a mapping", "Write kinds={'size': 'number'}",
    ),
    Misuse(
        "a number of kinds",
        lambda: classify(feature_types=4),
        SettingError, "kinds=4", "names kinds of columns", "Write such as kinds={'size'",
    ),
    Misuse(
        "words said to be numbers",
        lambda: classify(feature_types={"town": "number"}),
        DataError, "Column 'town'", "none of its 2 different values can be read",
        "Say 'category'",
    ),
    Misuse(
        "many values said to be boolean",
        lambda: classify(feature_types={"rooms": "boolean"}),
        DataError, "'rooms' is said to be boolean", "different values", "Say 'category'",
    ),
]  # fmt: skip

CASES = [*TABLES, *TARGETS, *BESIDE]
