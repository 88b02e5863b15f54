"""Columns of any type in a few numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from octavo.report import summarize

TABLE = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, np.nan],
        "count": pd.array([1, 2, 2, None], dtype="Int64"),
        "color": ["red", "red", "blue", None],
        "sure": [True, False, True, True],
        "day": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-02", None]),
        "nothing": [None, None, None, None],
        "far": [0.0, 1.0, np.inf, -np.inf],
        "lists": [[1], [2], [3], None],
    }
)


def by_name():
    return {column.name: column for column in summarize(TABLE)}


@pytest.mark.parametrize(
    ("name", "kind", "missing", "unique", "summary"),
    [
        ("size", "number", 0.25, 3, "1 to 3, median 2"),
        ("count", "number", 0.25, 2, "1 to 2, median 2"),
        ("color", "category", 0.25, 2, "red, blue"),
        ("sure", "boolean", 0.0, 2, "75% true"),
        ("day", "date", 0.25, 3, "2024-01-01 to 2024-01-03"),
        ("nothing", "empty", 1.0, 0, ""),
        ("far", "number", 0.0, 4, "0 to 1, median 0.5"),
        ("lists", "category", 0.25, None, "[1], [2], [3]"),
    ],
)
def test_each_kind_of_column(name, kind, missing, unique, summary):
    column = by_name()[name]
    assert (column.kind, column.missing, column.unique) == (kind, missing, unique)
    assert column.summary == summary


def test_bars_count_rows():
    columns = by_name()
    assert sum(columns["size"].bars) == 3
    assert columns["color"].bars == (2.0, 1.0)
    assert columns["sure"].bars == (0.25, 0.75)
    assert sum(columns["day"].bars) == 3


def test_one_far_value_does_not_flatten_the_rest():
    numbers = np.append(np.random.default_rng(0).normal(size=2000), 1e9)
    [column] = summarize(pd.DataFrame({"x": numbers}))
    assert sum(bar > 20 for bar in column.bars) > 5


def test_long_words_are_text_and_names_may_repeat():
    table = pd.DataFrame(
        {"a": [f"a long sentence about thing number {k}, and more" for k in "xyz"]}
    )
    table = pd.concat([table, table], axis=1)
    columns = summarize(table, kinds={1: "id"}, notes={1: "dropped"})
    assert [column.kind for column in columns] == ["text", "id"]
    assert columns[1].note == "dropped"


def test_big_tables_are_sampled_but_counted_whole():
    n = 50_000
    table = pd.DataFrame({"x": np.where(np.arange(n) % 2, np.nan, np.arange(n))})
    [column] = summarize(table)
    assert column.missing == 0.5
    assert column.unique == n // 2
    assert 9_000 < sum(column.bars) < 11_000
