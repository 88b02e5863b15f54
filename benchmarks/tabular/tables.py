"""Which tables the tabular benchmark uses, and how each is split.

The tables lie in a folder (`--data DIR` or `OCTAVO_DATA`) with a `manifest.csv` (columns name,
task, n_rows, n_features, n_categorical, n_missing, note) and one `NAME.parquet` each, whose
target column is called `target`.

The rule, which looks at no result. Tables of 150 to 50,000 rows; none whose note says that a
column leaks the outcome, and of twins (the same data prepared twice) only the rougher one.
From each of nine groups, three tasks by three sizes, one table of plain numbers and one with
categories or missing values; beside these 18 the two that have strings of more than 60
different values. Where several could be taken, the one whose name has the smallest SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

SIZES = ((150, 1_000), (1_000, 10_000), (10_000, 50_001))
TASKS = ("binary", "multiclass", "regression")
TWINS = {"cal_housing", "german_credit_fair", "diabetes"}  # of california_housing, credit_g, pima2
MANY_VALUES = 60
N_TEXT = 2


@dataclass(frozen=True)
class Table:
    """A row of the manifest."""

    name: str
    task: str
    n_rows: int


@dataclass(frozen=True)
class Split:
    """One table, cut into 75 % to learn from and 25 % to judge by."""

    table: Table
    X_train: pd.DataFrame
    y_train: pd.Series
    X_test: pd.DataFrame
    y_test: pd.Series


def _first(names: Iterable[str]) -> str | None:
    return min(names, key=lambda name: sha256(name.encode()).hexdigest(), default=None)


def _read(folder: Path, name: str) -> pd.DataFrame:
    """A table as a CSV file would give it: categories of very many values are strings."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    for column in table.columns.drop("target"):
        if table[column].dtype == "category" and table[column].nunique() > MANY_VALUES:
            table[column] = table[column].astype(object)
    return table


def select(folder: Path) -> list[Table]:
    """The 20 tables of the benchmark, by the rule above."""
    manifest = pd.read_csv(folder / "manifest.csv")
    fits = manifest["n_rows"].between(SIZES[0][0], SIZES[-1][1] - 1)
    leaks = manifest["note"].fillna("").str.contains("leaks")
    manifest = manifest[fits & ~leaks & ~manifest["name"].isin(TWINS)].set_index("name")
    rough = (manifest["n_categorical"] > 0) | (manifest["n_missing"] > 0)
    chosen: list[str] = []
    for task in TASKS:
        for low, high in SIZES:
            group = (manifest["task"] == task) & manifest["n_rows"].between(low, high - 1)
            for kind in (~rough, rough):
                name = _first(manifest.index[group & kind])
                if name is not None:
                    chosen.append(name)
    texts = [
        name
        for name in manifest.index[manifest["n_categorical"] > 0].difference(chosen)
        if not _read(folder, name).drop(columns="target").select_dtypes(object).empty
    ]
    for _ in range(N_TEXT):
        name = _first(set(texts).difference(chosen))
        if name is not None:
            chosen.append(name)
    rows = manifest.loc[chosen]
    return [
        Table(name, task, n_rows)
        for name, task, n_rows in zip(rows.index, rows["task"], rows["n_rows"], strict=True)
    ]


def find(folder: Path, name: str) -> Table:
    """A table by its name. No other is read: what was read stays in a process' memory."""
    row = pd.read_csv(folder / "manifest.csv", index_col="name").loc[name]
    return Table(name, row["task"], int(row["n_rows"]))


def load(folder: Path, table: Table, split: int) -> Split:
    """Read a table and cut it with `split` as the seed; stratified where it has classes."""
    rows = _read(folder, table.name)
    X, y = rows.drop(columns="target"), rows["target"]
    if table.task != "regression":
        y = y.astype(str)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, random_state=split, stratify=None if table.task == "regression" else y
    )
    return Split(table, X_train, y_train, X_test, y_test)
