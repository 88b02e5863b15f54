"""Which tables the portfolio is learned from, and which of them belong together.

The tables lie as `benchmarks/tabular/tables.py` says. The rule, which looks at no result: tables of
at most 10,000 rows whose note does not say that a column leaks the outcome, without the 20 judging
tables of `benchmarks/tabular` and without whatever is related to one of these. Tables are related

- if their names begin with the same word ("heart_c", "heart_statlog"),
- if one is named in the note of the other ("same data as credit_g"),
- or if they have the same number of rows, and the same number of features or targets of the same
  distribution (the classes' counts; the quantiles of a standardized number).

Related tables that are learned from share a group: they stay on one side when the portfolio is
judged. Some only look alike, but a table too many in a group does no harm, one too few does.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

MOST_ROWS = 10_000
_SAME = 0.02  # standard deviations between quantiles of two targets


@dataclass(frozen=True)
class Table:
    """A table to learn from, and the group that it belongs to."""

    name: str
    task: str
    n_rows: int
    group: str


@dataclass(frozen=True)
class Print:
    """What shows that two tables are related."""

    name: str
    n_rows: int
    n_features: int
    note: str
    target: np.ndarray  # counts of the classes, ascending, or quantiles of a standardized number


def judging_tables() -> ModuleType:
    """`benchmarks/tabular/tables.py`, which has the same name as this file."""
    path = Path(__file__).parent.parent / "tabular" / "tables.py"
    spec = importlib.util.spec_from_file_location("octavo_judging_tables", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # its dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def first_word(name: str) -> str:
    """What a name begins with, without digits and capitals: "house" of "house_16H"."""
    letters = re.match(r"[A-Za-z]+", name)
    return (letters.group() if letters else name).lower()


def print_of(folder: Path, row: pd.Series) -> Print:
    """The fingerprint of a table of the manifest."""
    target = pd.read_parquet(folder / f"{row['name']}.parquet", columns=["target"])["target"]
    if row["task"] == "regression":
        y = target.to_numpy(dtype=float)
        marks = np.quantile((y - y.mean()) / y.std(), np.linspace(0.05, 0.95, 19))
    else:
        marks = np.sort(target.value_counts().to_numpy(dtype=float))
        marks = marks[marks > 0]
    note = row["note"] if isinstance(row["note"], str) else ""
    return Print(str(row["name"]), int(row["n_rows"]), int(row["n_features"]), note, marks)


def are_related(a: Print, b: Print) -> bool:
    """Whether two tables may be the same data, by the rule above."""
    if first_word(a.name) == first_word(b.name):
        return True
    if any(re.search(rf"\b{re.escape(x.name)}\b", y.note) for x, y in ((a, b), (b, a))):
        return True
    if a.n_rows != b.n_rows:
        return False
    alike = len(a.target) == len(b.target) and np.allclose(a.target, b.target, rtol=0, atol=_SAME)
    return a.n_features == b.n_features or alike


def groups(prints: list[Print]) -> dict[str, str]:
    """The group of each table, named after its first member: what is related to what is related."""
    group = {one.name: one.name for one in prints}
    for at, a in enumerate(prints):
        for b in prints[:at]:
            if are_related(a, b):
                old, new = group[a.name], group[b.name]
                group = {name: new if its == old else its for name, its in group.items()}
    return group


@cache
def select(folder: Path) -> tuple[Table, ...]:
    """The tables to learn from, small ones first."""
    manifest = pd.read_csv(folder / "manifest.csv")
    prints = [print_of(folder, row) for _, row in manifest.iterrows()]
    group = groups(prints)
    judged = {group[table.name] for table in judging_tables().select(folder)}
    leaks = manifest["note"].fillna("").str.contains("leaks")
    kept = manifest[(manifest["n_rows"] <= MOST_ROWS) & ~leaks]
    kept = kept[~kept["name"].map(group).isin(judged)].sort_values(["n_rows", "name"])
    return tuple(
        Table(name, task, int(n_rows), group[name])
        for name, task, n_rows in zip(kept["name"], kept["task"], kept["n_rows"], strict=True)
    )
