"""A schema brings any later table into the form of the training table."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from octavo.errors import DataError, SettingError
from octavo.tabular.cells import cells
from octavo.tabular.duplicates import find_duplicates
from octavo.tabular.schema import Schema, infer_schema
from octavo.tabular.table import DataWarning

N = 40
RNG = np.random.default_rng(1)
TABLE = pd.DataFrame(
    {
        "age": np.where(np.arange(N) % 7 == 0, np.nan, RNG.integers(18, 80, N)),
        "smokes": np.where(np.arange(N) % 3 == 0, "yes", "no"),
        "color": np.array(["red", "green", "blue"])[np.arange(N) % 3],
        "sold": pd.date_range("2024-01-01", periods=N, freq="37h").strftime("%Y-%m-%d %H:%M"),
        "remark": [f"what a nice house number {i} it is" for i in range(N)],
        "price": [f"{i},{i:03d}.50" for i in range(1, N + 1)],
    }
)
SCHEMA = infer_schema(TABLE)


def test_the_canonical_table_has_one_type_per_kind():
    canonical = SCHEMA.apply(TABLE)
    kinds = {feature.name: feature.kind for feature in SCHEMA.features}
    assert kinds == {
        "age": "number", "smokes": "boolean", "color": "category", "sold": "date",
        "remark": "text", "price": "number",
    }  # fmt: skip
    assert canonical["age"].dtype == np.float64
    assert canonical["smokes"].tolist() == [1.0, 0.0, 0.0] * 13 + [1.0]
    assert list(canonical["color"].cat.categories) == ["blue", "green", "red"]
    assert canonical["sold"].dtype == "datetime64[ns]"
    assert canonical["remark"].map(type).eq(str).all()
    assert canonical["price"].iloc[:2].tolist() == [1001.5, 2002.5]
    pd.testing.assert_index_equal(canonical.index, TABLE.index)


@given(st.permutations(range(N)), st.permutations(list(TABLE.columns)))
def test_rows_keep_their_order_and_columns_may_come_in_any(rows, columns):
    shuffled = SCHEMA.apply(TABLE.iloc[rows][columns])
    pd.testing.assert_frame_equal(shuffled, SCHEMA.apply(TABLE).iloc[rows])


@given(st.integers(0, N - 1))
def test_a_single_row_reads_as_it_does_among_others(row):
    alone = SCHEMA.apply(TABLE.iloc[[row]])
    pd.testing.assert_frame_equal(alone, SCHEMA.apply(TABLE).iloc[[row]])


def test_no_rows_are_fine():
    empty = SCHEMA.apply(TABLE.iloc[:0])
    assert empty.shape == (0, len(SCHEMA.features))
    assert (empty.dtypes == SCHEMA.apply(TABLE).dtypes).all()


cell = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.text(max_size=6),
    st.sampled_from(["yes", "no", "2024-01-01", "1,234", "?", "red"]),
    st.dates(),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.lists(cell, min_size=6, max_size=6),
        min_size=1,
        max_size=4,
    )
)
def test_any_cells_at_all_are_read_or_refused_with_a_reason(columns):
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    try:
        schema = infer_schema(frame)
    except DataError as error:
        assert "No column is left" in str(error)
        return
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    canonical = schema.apply(frame)
    assert canonical.shape == (6, len(schema.features))
    for feature in schema.features:
        column = canonical[feature.name]
        if feature.kind in ("number", "boolean"):
            assert not np.isinf(column).any()
        if feature.kind == "category":
            assert tuple(column.cat.categories) == feature.categories
    assert len(schema.features) + len(schema.dropped) == frame.shape[1]


def test_a_schema_survives_json():
    assert Schema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


def test_unseen_categories_and_unreadable_cells_are_missing():
    odd = TABLE.iloc[:2].assign(color=["violet", " red "], smokes=["maybe", "YES"], age=["x", "1"])
    canonical = SCHEMA.apply(odd)
    assert canonical["color"].isna().tolist() == [True, False]
    assert canonical["smokes"].isna().tolist() == [True, False]
    assert canonical["smokes"].iloc[1] == 1.0
    assert canonical["age"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("trained", "later", "expected"),
    [
        ([1.0, 2.0, 5.0], ["1,000", " 12 ", "?"], [1000.0, 12.0, np.nan]),
        ([1.0, 2.0, 5.0], [True, False, None], [1.0, 0.0, np.nan]),
        ([1.0, 2.0, 5.0], [np.inf, -np.inf, 3], [np.nan, np.nan, 3.0]),
        ([0, 1, 1], ["0", "1.0", "NA"], [0.0, 1.0, np.nan]),
        ([True, False, True], [1, 0, 1], [1.0, 0.0, 1.0]),
        (["yes", "no", "yes"], [True, False, None], [1.0, 0.0, np.nan]),
        (["3,5", "4,25", "1"], ["1,5", "2", 3.0], [1.5, 2.0, 3.0]),
    ],
)
def test_other_types_at_predict_time_are_read_as_in_training(trained, later, expected):
    schema = infer_schema({"x": trained})
    np.testing.assert_array_equal(schema.apply({"x": later})["x"], expected)


@pytest.mark.parametrize("later", [[1, 2], [1.0, 2.0], ["1", "2.0"], pd.Categorical([1, 2])])
def test_categories_of_numbers_are_found_in_whatever_type_they_come(later):
    schema = infer_schema({"x": pd.Categorical([1, 2, 3, 1])})
    assert schema.apply(pd.DataFrame({"x": later}))["x"].tolist() == ["1", "2"]


def test_dates_are_read_in_their_own_format_then_in_iso():
    schema = infer_schema({"d": ["31/12/2020", "01/02/2021", "05/06/2021"]})
    later = schema.apply({"d": ["03/04/2022", "2022-04-03", "soon", pd.Timestamp("2022-04-03")]})
    assert later["d"].dt.strftime("%Y%m%d").tolist()[:2] == ["20220403", "20220403"]
    assert later["d"].isna().tolist() == [False, False, True, False]
    moments = pd.to_datetime(["2022-01-01T02:00+02:00", "2022-01-01T00:00Z"], utc=True)
    assert schema.apply({"d": moments})["d"].nunique() == 1


def test_dates_beyond_nanoseconds_become_the_last_day():
    schema = infer_schema({"until": ["2020-01-01", "2021-05-05", "9999-12-31"]})
    assert schema.apply({"until": ["9999-12-31"]})["until"].dt.year.tolist() == [2261]


def test_missing_columns_are_taken_as_missing_with_a_warning_and_extra_ones_ignored(caplog):
    import logging

    caplog.set_level(logging.INFO, logger="octavo")
    renamed = TABLE.rename(columns={"color": "colour"})
    with pytest.warns(DataWarning, match=r"taken as missing: 'color'.*Did you mean 'colour'"):
        canonical = SCHEMA.apply(renamed)
    assert canonical["color"].isna().all()
    assert "colour" in caplog.text


def test_a_table_with_none_of_the_columns_is_refused():
    with pytest.raises(DataError, match=r"None of the 6 columns.*Pass a table like"):
        SCHEMA.apply(pd.DataFrame({"Age": [1]}))


def test_arrays_must_have_the_width_of_the_training_table():
    schema = infer_schema(np.arange(12.0).reshape(4, 3) ** 2)
    with pytest.raises(DataError, match=r"X has 1 features, but Model is expecting 3 features as"):
        schema.apply(np.ones((2, 1)), who="Model")
    assert schema.apply([[1, 2, 3]]).to_numpy().tolist() == [[1, 2, 3]]
    named = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "c"])
    assert schema.apply(named).to_numpy().tolist() == [[1, 2, 3]]  # by position, then


def test_arrays_count_dropped_columns_too():
    schema = infer_schema(pd.DataFrame({"a": [1, 1, 1], "b": [1.5, 2, 3], "c": ["x", "y", "x"]}))
    assert schema.names == ("b", "c")
    array = np.array([[1, 2.5, "y"]], dtype=object)
    assert schema.apply(array).to_dict("records") == [{"b": 2.5, "c": "y"}]


def test_equal_columns_are_left_out_but_the_first():
    frame = pd.DataFrame({"a": [1.0, np.nan, 0.0], "b": [1.0, np.nan, -0.0], "c": ["x", None, "y"]})
    frame["d"] = frame["c"]
    assert find_duplicates({name: cells(frame[name]) for name in frame}) == {"b": "a", "d": "c"}
    schema = infer_schema(frame)
    assert {d.name: d.reason for d in schema.dropped} == {
        "b": "the same as 'a' in every row", "d": "the same as 'c' in every row",
    }  # fmt: skip


def test_equal_words_are_found_in_any_type_and_far_down():
    words = pd.Series(np.random.default_rng(0).choice(["a", "b", "c"], 30_000))
    other = words.copy()
    other.iloc[20_001] = "other"
    ordered = words.astype(pd.CategoricalDtype(["c", "b", "a"]))
    columns = {"words": cells(words), "other": cells(other), "ordered": cells(ordered)}
    assert find_duplicates(columns) == {"ordered": "words"}


def test_equal_numbers_and_words_are_not_the_same():
    frame = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": ["1.0", "2.0", "5.0"], "c": [1, 2, 6]})
    assert find_duplicates({name: cells(frame[name]) for name in frame}) == {}


def test_the_user_knows_better():
    frame = pd.DataFrame({"zip": [1, 2, 3, 1], "id": range(4), "note": list("abcd"), "c": [7] * 4})
    schema = infer_schema(
        frame, kinds={"zip": "categorical", "note": "text", "id": "drop", "c": "numeric"}
    )
    assert {f.name: f.kind for f in schema.features} == {
        "zip": "category", "note": "text", "c": "number",
    }  # fmt: skip
    assert [d.name for d in schema.dropped] == ["id"]
    as_list = infer_schema(frame, kinds=["category", "drop", "text", "number"])
    assert as_list.features == schema.features


@pytest.mark.parametrize(
    ("kinds", "error", "said"),
    [
        ({"agee": "number"}, SettingError, r"column 'agee'.*Did you mean 'age'"),
        ({"age": "numbr"}, SettingError, r"'numbr', which is no kind. Did you mean 'number'"),
        (["number"], SettingError, "lists 1 kinds, but the table has 6 columns"),
        ("number", SettingError, "is a word, not a mapping"),
        ({"color": "boolean"}, DataError, r"Column 'color' is said to be boolean.*3 different"),
    ],
)
def test_kinds_that_cannot_be_are_refused(kinds, error, said):
    with pytest.raises(error, match=said):
        infer_schema(TABLE, kinds=kinds)


def test_nothing_left_to_learn_from_is_refused_with_all_reasons():
    with pytest.raises(DataError, match=r"No column is left.*'a': always 1; 'b': always missing"):
        infer_schema({"a": [1, 1, 1], "b": [None] * 3})


def test_a_lonely_row_number_is_kept_with_a_warning():
    schema = infer_schema({"day": np.arange(50)})
    assert schema.names == ("day",)
    assert "only kept because" in schema.warnings[0]


def test_leaking_columns_are_warned_about_and_kept():
    rng = np.random.default_rng(0)
    n = 400
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "copy": np.where(y == 1, "won", "lost"),
            "after": y * 10 + rng.normal(size=n),
            "fair": y + rng.normal(size=n),
            "noise": rng.normal(size=n),
            "many": rng.integers(0, 300, n).astype(str),
        }
    )
    schema = infer_schema(frame, np.where(y == 1, "yes", "no"), kinds={"many": "category"})
    assert schema.names == tuple(frame.columns)
    assert len(schema.warnings) == 2
    assert "'copy' is a copy of the target" in schema.warnings[0]
    assert "'after' alone predicts" in schema.warnings[1]


def test_leaks_of_numbers():
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    frame = pd.DataFrame(
        {"scaled": 3 * y - 1, "curved": np.exp(y), "fair": y + 0.5 * rng.normal(size=400)}
    )
    assert [w.split("'")[1] for w in infer_schema(frame, y).warnings] == ["scaled", "curved"]


def test_no_warning_where_nothing_is_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert infer_schema(TABLE).warnings == ()
        SCHEMA.apply(TABLE)
