"""What is to be predicted, found out and refused."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import DataConversionWarning

from octavo.errors import DataError, SettingError
from octavo.tabular.target import Target, infer_target, is_missing


@pytest.mark.parametrize(
    ("load", "kind", "n_classes"),
    [
        (load_iris, "multiclass", 3),
        (load_wine, "multiclass", 3),
        (load_digits, "multiclass", 10),
        (load_breast_cancer, "binary", 2),
        (load_diabetes, "regression", None),
    ],
)
def test_the_toy_sets(load, kind, n_classes):
    target = infer_target(load().target)
    assert target.kind == kind
    assert (len(target.classes) if target.classes else None) == n_classes


@pytest.mark.parametrize(
    ("y", "kind", "classes"),
    [
        (["a", "b", "a"], "binary", ("a", "b")),
        (["a", "b", "c"] * 3, "multiclass", ("a", "b", "c")),
        ([True, False, True], "binary", (False, True)),
        ([0, 1, 1], "binary", (0, 1)),
        ([5.0, 7.0, 7.0], "binary", (5.0, 7.0)),
        ([-1, 1, 1], "binary", (-1, 1)),
        ([1, 2, 3] * 5, "multiclass", (1, 2, 3)),
        ([1.0, 2.0, 3.0] * 5, "multiclass", (1.0, 2.0, 3.0)),
        (list(range(30)), "regression", None),
        ([1, 2, 3, 4, 5], "regression", None),
        ([0.5, 1.0, 2.0], "regression", None),
        (["1.5", "2.5", "1,000"], "regression", None),
        (["1", "2", "3"] * 3, "multiclass", ("1", "2", "3")),
        (pd.Categorical([3, 1, 3]), "binary", (1, 3)),
        (pd.Series([1, 0, None], dtype="Int64"), "binary", (0, 1)),
        (pd.Series([True, None, False], dtype="boolean"), "binary", (False, True)),
        (pd.Series(["x", "y", None], dtype="string[pyarrow]"), "binary", ("x", "y")),
        (pd.Series([1.5, 2.5, 3.5], dtype="double[pyarrow]"), "regression", None),
        (np.array([1, 0, 1]).astype(object), "binary", (0, 1)),
    ],
)
def test_detection(y, kind, classes):
    target = infer_target(y)
    assert (target.kind, target.classes) == (kind, classes)
    assert target.why


labels = st.one_of(
    st.lists(st.sampled_from(["a", "b", " c"]), min_size=4, max_size=30),
    st.lists(st.integers(-2, 2), min_size=4, max_size=30),
    st.lists(st.booleans(), min_size=4, max_size=30),
    st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=30),
)


@given(labels)
def test_what_is_encoded_is_decoded_to_the_same(y):
    try:
        target = infer_target(y)
    except DataError:
        assert len(set(y)) == 1 or len(set(y)) == len(y)
        return
    codes = target.encode(y)
    if target.is_classification:
        assert codes.dtype == np.int64
        assert set(codes) == set(range(len(target.classes)))
        assert sum(target.counts) == len(y)
    else:
        assert codes.dtype == np.float64
    np.testing.assert_array_equal(target.decode(codes), np.array(y))
    assert Target.from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "float32", "bool"])
def test_labels_keep_their_type(dtype):
    y = np.array([0, 1, 1], dtype=dtype)
    decoded = infer_target(y).decode([1, 0])
    assert decoded.tolist() == [1, 0]
    assert decoded.dtype == ("float64" if dtype == "float32" else dtype)


def test_a_file_may_bring_labels_in_another_type():
    target = infer_target([1, 2, 1, 2])
    assert target.encode(["2", "1"]).tolist() == [1, 0]
    assert target.encode([2.0, 1.0]).tolist() == [1, 0]


def test_the_user_may_say_the_kind():
    quality = [3, 4, 5, 6] * 10
    assert infer_target(quality).kind == "multiclass"
    assert infer_target(quality, "regression").kind == "regression"
    assert infer_target([1, 2, 3, 4, 1], "classification").kind == "multiclass"
    assert infer_target([0, 1, 0], "multiclass").kind == "binary"


def test_rows_without_a_target_are_counted_and_named():
    y = pd.Series(["a", None, "b", "?", "a"], name="label")
    target = infer_target(y)
    assert (target.n_missing, target.counts) == (2, (2, 1))
    assert "2 of 5 rows have no 'label'" in target.warnings[0]
    assert is_missing(y).tolist() == [False, True, False, True, False]
    with pytest.raises(DataError, match="Input y contains NaN: 2 of 5 rows"):
        target.encode(y)


def test_a_class_of_one_row_is_named():
    target = infer_target(["a"] * 9 + ["b"] * 9 + ["lone"])
    assert any("single row: lone" in warning for warning in target.warnings)


def test_a_column_vector_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array"):
        assert infer_target(np.array([[1], [0], [1]])).kind == "binary"
    assert infer_target(pd.DataFrame({"t": [1, 0, 1]})).name == "t"


@pytest.mark.parametrize(
    ("y", "kind", "error", "said"),
    [
        (None, None, DataError, "requires y to be passed, but the target y is None"),
        ([1, 1, 1], None, DataError, "only one class, '1'"),
        ([1, 1, 1], "regression", DataError, "always 1"),
        ([2.5, 2.5], None, DataError, "always 2.5"),
        ([1.5, np.inf, 2.0], None, DataError, "Input y contains infinity"),
        ([1.5, np.inf, 2.0], "classification", DataError, "Input y contains infinity"),
        ([1.5, 2.5, 2.0], "classification", DataError, "Unknown label type: continuous"),
        ([None, None], None, DataError, "no value in any of its 2 rows"),
        (np.ones((3, 2)), None, DataError, r"shape \(3, 2\)"),
        (pd.DataFrame({"a": [1], "b": [2]}), None, DataError, "2 columns: 'a', 'b'"),
        ([1, "a"], None, DataError, "several types: int, str"),
        ([{}, {}], None, DataError, "lists or other objects"),
        (pd.to_datetime(["2020", "2021"]), None, DataError, "dates or durations"),
        (pd.to_timedelta([1, 2], unit="h"), None, DataError, "dates or durations"),
        ([1 + 1j, 2], None, DataError, "Complex data not supported"),
        (list("abcdef"), None, DataError, "6 different values in 6 rows"),
        (["a", "b"], "regression", DataError, "'a', which is not a number"),
        (["a", "b", "c"] * 3, "binary", DataError, "3 classes, so it is not binary"),
        ([0, 1], "clasification", SettingError, "no kind of task"),
    ],
)
def test_what_cannot_be_learned_is_refused(y, kind, error, said):
    with pytest.raises(error, match=said):
        infer_target(y, kind)


def test_a_class_that_training_did_not_have_is_refused_by_name():
    target = infer_target(["yes", "no", "no"], name="won")
    with pytest.raises(DataError, match=r"'won' holds 'yess'.*Did you mean 'yes'"):
        target.encode(["yess"])
