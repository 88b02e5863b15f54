"""What comes beside the table is checked where the user still stands."""

import numpy as np
import pandas as pd
import pytest

from octavo.errors import DataError, SettingError
from octavo.tabular.checks import check_fit_inputs, check_groups, check_time, check_weights
from octavo.tabular.schema import infer_schema

N = 12
X = pd.DataFrame({"a": np.arange(N) ** 2.0, "day": pd.date_range("2024-01-01", periods=N)})
Y = np.arange(N) % 2


def test_everything_arrives_as_it_was_given():
    checked = check_fit_inputs(
        X, Y, sample_weight=np.ones(N), groups=list("aabbccddeeff"), time="day"
    )
    pd.testing.assert_frame_equal(checked.X, X)
    assert checked.y.tolist() == Y.tolist()
    assert checked.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert checked.time.tolist() == list(range(N))
    assert checked.rows.tolist() == list(range(N))
    assert checked.warnings == ()


def test_rows_without_target_or_weight_are_left_out_everywhere():
    y = pd.Series(["a", "b"] * 6, index=range(100, 112))
    y.iloc[3] = None
    weights = np.arange(N, dtype=float)
    checked = check_fit_inputs(X, y, sample_weight=weights, groups=np.arange(N), time=np.arange(N))
    kept = [1, 2, *range(4, N)]
    assert checked.rows.tolist() == kept
    assert checked.X["a"].tolist() == X["a"].iloc[kept].tolist()
    assert checked.y.tolist() == y.iloc[kept].tolist()
    assert checked.weights.tolist() == weights[kept].tolist()
    assert checked.groups.tolist() == kept
    assert checked.time.tolist() == kept
    assert "1 of 12 rows have no 'target'" in checked.warnings[0]
    assert "1 rows weigh nothing" in checked.warnings[1]


def test_arrays_stay_nameless():
    checked = check_fit_inputs(X[["a"]].to_numpy(), Y)
    assert not infer_schema(checked.X).is_named
    assert infer_schema(check_fit_inputs(X, Y).X).is_named


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"X": np.arange(N)}, "Reshape your data"),
        ({"X": np.empty((N, 0))}, r"0 feature\(s\)"),
        ({"X": np.empty((0, 3)), "y": []}, r"0 sample\(s\) \(shape=\(0, 3\)\)"),
        ({"X": [[1, 2]], "y": [1]}, "1 sample .*minimum of 5"),
        ({"y": Y[:-1]}, r"inconsistent numbers of samples: \[12, 11\]"),
        ({"y": "target"}, "y='target' is a single str"),
        ({"y": None}, "requires y to be passed, but the target y is None"),
        ({"y": np.full(N, np.nan)}, "Input y contains NaN"),
        ({"sample_weight": np.ones(N + 1)}, "inconsistent numbers of samples"),
        ({"sample_weight": np.ones((N, 2))}, r"shape \(12, 2\)"),
        ({"sample_weight": np.zeros(N)}, "all weights are zero"),
        ({"sample_weight": [-1.0] + [1.0] * 11}, "-1 in row 0.*>= 0"),
        ({"sample_weight": [1.0, np.nan] + [1.0] * 10}, "nan in row 1.*finite"),
        ({"sample_weight": "w"}, "'w' is a word"),
        ({"sample_weight": ["x"] * N}, "must hold numbers"),
        ({"groups": np.zeros(N)}, "same group"),
        ({"groups": [None] + [1, 2, 3, 4] * 2 + [1, 2, 3]}, "1 rows have no group.*row 0"),
        ({"groups": 3}, "groups=3 is a single int"),
        ({"groups": np.ones((N, 2))}, r"groups has shape \(12, 2\)"),
        ({"time": ["soon"] * N}, "neither dates nor numbers, such as 'soon'"),
        ({"time": ["2024-01-01"] * N}, "same time"),
        ({"time": [np.nan, *range(N - 1)]}, "Row 0 has no readable time"),
        ({"time": np.arange(3)}, "inconsistent numbers of samples"),
    ],
)
def test_what_does_not_fit_is_refused(given, said):
    with pytest.raises(DataError, match=said):
        check_fit_inputs(given.pop("X", X), given.pop("y", Y), **given)


def test_a_time_column_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match=r"'dai' is not in the table. Did you mean 'day'"):
        check_time("dai", X)


def test_time_is_read_in_any_type_and_ties_are_equal():
    assert check_time(["2021-05-01", "2020-05-01", "2021-05-01"], X[:3]).tolist() == [1, 0, 1]
    assert check_time([3, 1, 2], X[:3]).tolist() == [2, 0, 1]
    periods = pd.Series(pd.PeriodIndex(["2021-01", "2020-01", "2020-02"], freq="M"))
    assert check_time(periods, X[:3]).tolist() == [2, 0, 1]


def test_rows_in_another_order_are_caught_by_their_labels():
    labelled = X.set_axis([f"r{i}" for i in range(N)])
    y = pd.Series(Y, index=labelled.index)
    check_fit_inputs(labelled, y)
    check_fit_inputs(labelled, y.reset_index(drop=True))
    with pytest.raises(DataError, match=r"row 0 is 'r0' in X and 'r11' in y.*loc\[X.index\]"):
        check_fit_inputs(labelled, y.iloc[::-1])


def test_one_weight_for_all_and_a_column_of_weights_are_fine():
    assert check_weights(2.0, 3).tolist() == [2, 2, 2]
    assert check_weights([[1], [2]], 2).tolist() == [1, 2]
    assert check_weights(None, 3) is None
    assert check_groups(None, 3) is None


def test_weights_that_leave_one_class_are_caught_with_the_target():
    from octavo.tabular.target import infer_target

    checked = check_fit_inputs(X, Y, sample_weight=Y)
    with pytest.raises(DataError, match="only one class"):
        infer_target(checked.y)
