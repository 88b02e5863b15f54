"""Everything that holds a table becomes the same DataFrame."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import sparse

from octavo.errors import DataError
from octavo.tabular.table import DataWarning, as_frame, has_names

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


class ArrayLike:
    """Something that only NumPy can read, as in scikit-learn's checks."""

    def __array__(self, dtype=None, copy=None):
        return np.array(ROWS)


@pytest.mark.parametrize(
    "X",
    [
        ROWS,
        np.array(ROWS),
        np.array(ROWS, dtype=object),
        tuple(map(tuple, ROWS)),
        sparse.csr_matrix(ROWS),
        sparse.coo_array(np.array(ROWS)),
        np.ma.masked_array(ROWS, mask=False),
        pd.DataFrame(ROWS),
        ArrayLike(),
    ],
    ids=lambda X: type(X).__name__,
)
def test_nameless_tables_get_numbered_names_and_keep_their_cells(X):
    frame = as_frame(X)
    assert list(frame.columns) == ["x0", "x1"]
    assert all(dtype == np.float64 for dtype in frame.dtypes)
    np.testing.assert_array_equal(frame.to_numpy(), ROWS)
    assert not has_names(X)


def test_named_tables_keep_their_names():
    import pyarrow as pa

    columns = {"a": [1.0, 3.0, 5.0], "b": [2.0, 4.0, 6.0]}
    records = np.array([tuple(row) for row in ROWS], dtype=[("a", float), ("b", float)])
    for X in (
        pd.DataFrame(columns),
        columns,
        pa.table(columns),
        [{"a": a, "b": b} for a, b in ROWS],
        records,
    ):
        frame = as_frame(X)
        assert list(frame.columns) == ["a", "b"]
        np.testing.assert_array_equal(frame.to_numpy(), ROWS)
        assert has_names(X)


def test_like_names_the_columns_of_arrays_and_recognizes_a_single_row():
    assert list(as_frame(np.array(ROWS), like=["u", "v"]).columns) == ["u", "v"]
    row = pd.DataFrame({"u": [1, 2], "v": ["a", "b"]}).iloc[1]
    assert as_frame(row, like=["u", "v"]).to_dict("records") == [{"u": 2, "v": "b"}]
    assert as_frame({"u": 1, "v": "a"}).shape == (1, 2)
    assert as_frame(pd.Series([1, 2, 3], name="u")).shape == (3, 1)


def test_lists_of_mixed_cells_keep_their_types():
    frame = as_frame([[1, "a", True], [2, "b", False]])
    assert frame["x0"].dtype.kind == "i"
    assert frame["x1"].tolist() == ["a", "b"]
    assert frame["x2"].dtype == bool


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a", "a", "b", "a"], ["a", "a.1", "b", "a.2"]),
        (["a", "a", "a.1"], ["a", "a.2", "a.1"]),
        ([1, "1"], ["1", "1.1"]),
    ],
)
def test_repeated_names_become_distinct_with_a_warning(columns, expected):
    frame = pd.DataFrame([range(len(columns))], columns=columns)
    with pytest.warns(DataWarning, match="own name"):
        assert list(as_frame(frame).columns) == expected


@given(st.lists(st.sampled_from(["a", "b", "a.1", "a.2", "b.1"]), min_size=1, max_size=8))
def test_names_are_always_distinct_and_cells_stay(names):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        frame = as_frame(pd.DataFrame([range(len(names))], columns=names))
    assert len(set(frame.columns)) == len(names)
    assert frame.iloc[0].tolist() == list(range(len(names)))
    if len(set(names)) == len(names):
        assert list(frame.columns) == names


def test_names_that_are_no_strings_become_strings():
    tuples = pd.MultiIndex.from_tuples([("size", "mean"), ("size", "")])
    assert list(as_frame(pd.DataFrame([[1, 2]], columns=tuples)).columns) == ["size_mean", "size"]
    numbered = pd.DataFrame([[1, 2]], columns=pd.Index([7, 9]))
    assert list(as_frame(numbered).columns) == ["7", "9"]


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.arange(3.0), "Reshape your data"),
        (["a", "b"], "Reshape your data"),
        (np.zeros((2, 2, 2)), "dim 3"),
        (7, "single int"),
        (np.empty((12, 0)), r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1"),
        (np.array([[1 + 1j]]), "Complex data not supported"),
        ([[1, 2], [3]], r"different lengths: \[1, 2\]"),
        ({"a": [1, 2], "b": [1]}, "columns do not match"),
        (sparse.csr_matrix((10**6, 10**4)), "GiB"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(X, said):
    with pytest.raises(DataError, match=said):
        as_frame(X)


def test_the_users_table_is_never_changed():
    frame = pd.DataFrame([[1, 2]], columns=[0, "b"])
    before = frame.copy()
    as_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
