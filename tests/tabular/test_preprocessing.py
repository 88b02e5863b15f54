"""From canonical tables to matrices, and the choices worth searching."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer

from octavo.errors import DataError, SettingError
from octavo.spaces import space
from octavo.tabular.preprocessing import Preprocessor, preprocessing_space, preprocessor_from
from octavo.tabular.schema import infer_schema

WANTS = ["linear", "distance", "trees", "native"]
N = 200
RNG = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "size": np.where(RNG.random(N) < 0.2, np.nan, RNG.lognormal(size=N)),
        "is_new": RNG.random(N) < 0.3,
        "color": RNG.choice(["red", "green", "blue", None], N),
        "city": [f"c{i}" for i in RNG.integers(0, 40, N)],
        "sold": pd.date_range("2023-01-01", periods=N, freq="53h"),
        "remark": [" ".join(RNG.choice(["sunny", "quiet", "old", "big"], 4)) for _ in range(N)],
    }
)
Y = RNG.integers(0, 2, N)
SCHEMA = infer_schema(TABLE, kinds={"remark": "text"})
CANONICAL = SCHEMA.apply(TABLE)

SETTINGS = [
    {},
    {"categories": "native"},
    {"categories": "ordinal", "missing": "median"},
    {"categories": "target", "numbers": "quantile", "missing": "mean", "indicator": True},
    {"numbers": "standard", "missing": "median", "dates": "cyclic", "text": "char-svd"},
    {"numbers": "robust", "missing": "mean", "text": "hash", "rare": 0.1},
    {"categories": "native", "select": 0.4, "text": "length"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_matrices_are_float32_contiguous_named_and_the_same_row_by_row(settings):
    preprocessor = Preprocessor(SCHEMA.features, **settings)
    matrix = preprocessor.fit_transform(CANONICAL, Y)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.shape == (N, len(preprocessor.get_feature_names_out()))
    assert len(set(preprocessor.get_feature_names_out())) == matrix.shape[1]
    if settings.get("missing", "keep") != "keep":
        assert np.isfinite(matrix).all()
    batch = preprocessor.transform(CANONICAL)
    for row in (0, 17, N - 1):
        alone = preprocessor.transform(CANONICAL.iloc[[row]])
        np.testing.assert_array_equal(alone[0], batch[row])
    assert preprocessor.transform(CANONICAL.iloc[:0]).shape == (0, matrix.shape[1])
    if settings.get("categories") != "target":
        np.testing.assert_array_equal(matrix, batch)


@given(st.permutations(range(N)), st.permutations(list(CANONICAL.columns)))
def test_rows_and_columns_may_come_in_any_order(rows, columns):
    batch = FITTED.transform(CANONICAL)
    np.testing.assert_array_equal(FITTED.transform(CANONICAL.iloc[rows][columns]), batch[rows])


FITTED = Preprocessor(SCHEMA.features, numbers="standard", missing="mean").fit(CANONICAL, Y)


def test_it_is_a_clonable_deterministic_transformer():
    preprocessor = Preprocessor(SCHEMA.features, categories="target", random_state=5)
    again = clone(preprocessor)
    assert again.get_params() == preprocessor.get_params()
    np.testing.assert_array_equal(
        again.fit_transform(CANONICAL, Y), preprocessor.fit_transform(CANONICAL, Y)
    )
    assert again.set_params(categories="onehot").categories == "onehot"


def matrix_of(column, later=None, y=None, **settings):
    """One column's matrix in training, and later; with the names of the matrix's columns."""
    schema = infer_schema({"x": column}, kinds=settings.pop("kinds", None))
    preprocessor = Preprocessor(schema, **settings)
    training = preprocessor.fit_transform(schema.apply({"x": column}), y)
    names = preprocessor.get_feature_names_out().tolist()
    if later is None:
        return training, names
    return preprocessor.transform(schema.apply({"x": later})), names


def test_standard_scaling_and_filling():
    matrix, names = matrix_of(
        [1.0, 3.0, None, 5.0], numbers="standard", missing="mean", indicator=True
    )
    spread = np.sqrt(8 / 3)
    np.testing.assert_allclose(matrix[:, 0], [-2 / spread, 0, 0, 2 / spread], rtol=1e-6)
    np.testing.assert_array_equal(matrix[:, 1], [0, 0, 1, 0])
    assert names == ["x", "x is missing"]


@pytest.mark.parametrize("numbers", ["standard", "robust", "quantile"])
def test_what_was_constant_in_training_says_nothing_later(numbers):
    schema = infer_schema({"x": [0.1, 0.2, 0.3], "y": [1.5, 2.5, 4.5]})
    preprocessor = Preprocessor(schema, numbers=numbers, missing="mean")
    preprocessor.fit(pd.DataFrame({"x": [0.1] * 7, "y": np.arange(7.0)}))
    later = preprocessor.transform(pd.DataFrame({"x": [1e9, np.nan], "y": [3.0, 3.0]}))
    np.testing.assert_allclose(later, np.zeros((2, 2)), atol=1e-6)


def test_robust_scaling_keeps_outliers_near():
    matrix, _ = matrix_of([0.0, 1.0, 2.0, 3.0, 1e9], numbers="robust")
    assert matrix[2, 0] == 0
    assert matrix[3, 0] == pytest.approx(0.5 / np.sqrt(1 + (0.5 / 3) ** 2))
    assert 2.9 < matrix[4, 0] <= 3.0


def test_quantiles_make_any_distribution_normal():
    values = np.random.default_rng(0).lognormal(sigma=2, size=5_000)
    matrix, _ = matrix_of(values, numbers="quantile")
    assert abs(matrix.mean()) < 0.02
    assert abs(matrix.std() - 1) < 0.05
    assert (
        np.argsort(matrix[:, 0], kind="stable") == np.argsort(values, kind="stable")
    ).mean() > 0.9


def test_numbers_far_from_zero_stay_different():
    seconds = 1.7e9 + np.arange(0, 200, 2.0) ** 1.5
    matrix, _ = matrix_of(seconds)
    assert len(np.unique(matrix)) == len(seconds)
    for scaling in ("none", "standard", "robust", "quantile"):
        huge, _ = matrix_of([1.7e308, -1.7e308, 0.0, 1.0], numbers=scaling)
        assert np.isfinite(huge).all()
        if scaling != "none":
            assert np.abs(huge).max() < 10


def test_onehot_groups_rare_and_unseen_categories():
    words = ["a"] * 10 + ["b"] * 8 + ["c", "d"] + [None]
    matrix, names = matrix_of(words, rare=0.1)
    assert names == ["x = a", "x = b", "x = rare", "x = missing"]
    np.testing.assert_array_equal(matrix.sum(axis=0), [10, 8, 2, 1])
    later, _ = matrix_of(words, later=["zzz", None, "d"], rare=0.1)
    np.testing.assert_array_equal(later, [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]])


def test_onehot_width_is_bounded_and_two_opposites_need_one_column():
    words = [f"w{i}" for i in range(50) for _ in range(i + 1)]
    matrix, names = matrix_of(words, width=8)
    assert matrix.shape[1] == 8
    assert names[-1] == "x = rare"
    assert "x = w49" in names
    assert matrix_of(["m", "f", "m"])[1] == ["x = m"]


def test_native_codes_fit_into_a_byte_and_are_listed():
    words = [f"w{i % 400}" for i in range(2_000)]
    schema = infer_schema({"n": np.arange(2_000) % 7, "x": words}, kinds={"x": "category"})
    preprocessor = Preprocessor(schema, categories="native")
    matrix = preprocessor.fit_transform(schema.apply({"n": np.arange(2_000) % 7, "x": words}))
    assert preprocessor.categorical_indices_.tolist() == [1]
    assert matrix[:, 1].min() == 0
    assert matrix[:, 1].max() == 253
    later = preprocessor.transform(schema.apply({"n": [1], "x": ["never"]}))
    assert np.isnan(later[0, 1])


def test_target_encoding_smooths_and_never_sees_its_own_row():
    words = [f"w{i}" for i in range(1_000)]  # every category once: nothing can be learned
    y = np.random.default_rng(0).integers(0, 2, 1_000)
    matrix, names = matrix_of(words, y=y, categories="target", kinds={"x": "category"})
    assert names == ["x: mean 0"]
    # Without cross fitting this would be near 1. With it, a fold's mean leans away from its own
    # rows, which makes a small negative correlation.
    assert abs(np.corrcoef(matrix[:, 0], y)[0, 1]) < 0.2
    frequent = [f"w{i % 20}" for i in range(1_000)]
    y = (np.arange(1_000) % 20 < 5).astype(float)
    later, _ = matrix_of(frequent, y=y, categories="target", later=["w0", "w19", "new"])
    # 50 rows each, of mean 1 and 0; standardized: the overall mean 0.25 becomes 0.
    expected = [50 * (1 - 0.25) / 60, 50 * (0 - 0.25) / 60, 0.0] / np.sqrt(0.25 * 0.75)
    np.testing.assert_allclose(later[:, 0], expected, rtol=1e-6, atol=1e-6)


def test_target_encoding_of_many_classes_is_bounded():
    words = [f"w{i % 30}" for i in range(600)]
    y = np.arange(600) % 15
    matrix, _ = matrix_of(words, y=y, categories="target")
    assert matrix.shape == (600, 10)


def test_dates_become_parts_or_angles():
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-12-31", None, "2023-06-15"]))
    matrix, names = matrix_of(days)
    assert names == [
        "x: days", "x: year", "x: month", "x: day", "x: weekday", "x: day of year",
    ]  # fmt: skip
    np.testing.assert_array_equal(matrix[0, 1:], [2024, 1, 1, 0, 1])
    np.testing.assert_array_equal(matrix[1, 1:], [2024, 12, 31, 1, 366])
    assert np.isnan(matrix[2]).all()
    angles, names = matrix_of(days, dates="cyclic")
    winter = [names.index(f"x: {f} of the year") for f in ("sine", "cosine")]
    assert np.linalg.norm(angles[0, winter] - angles[1, winter]) < 0.05  # December is near January


@pytest.mark.parametrize("style", ["word-svd", "char-svd"])
def test_texts_of_the_same_words_are_near(style):
    words = {"cat": "meow purr whiskers tail", "car": "engine wheel brake motor"}
    rng = np.random.default_rng(0)
    kinds = ["cat", "car"] * 40
    texts = [" ".join(rng.choice(words[kind].split(), 5)) for kind in kinds]
    matrix, _ = matrix_of(texts, text=style, text_dims=4, kinds={"x": "text"})
    axes = matrix[:, 2:]
    cats = np.array(kinds) == "cat"
    within = np.linalg.norm(axes[cats] - axes[cats].mean(axis=0), axis=1).mean()
    between = np.linalg.norm(axes[cats].mean(axis=0) - axes[~cats].mean(axis=0))
    assert between > within


@pytest.mark.parametrize("style", ["word-svd", "char-svd", "hash", "length"])
@pytest.mark.parametrize("texts", [[None, "a b c", None], ["!!", "??!", "..."], ["x", "x", "y"]])
def test_texts_with_next_to_nothing_in_them_are_fine(style, texts):
    matrix, _ = matrix_of(texts, text=style, text_dims=8, kinds={"x": "text"})
    assert np.isfinite(matrix).all()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_fold_in_which_columns_are_empty_or_constant_is_fine(settings):
    empty = CANONICAL.iloc[:30].copy()
    empty[["size", "sold"]] = np.nan, pd.NaT
    empty["color"] = empty["color"].iloc[[0] * 30].array
    empty["remark"] = ""
    preprocessor = Preprocessor(SCHEMA.features, **settings).fit(empty, Y[:30])
    matrix = preprocessor.transform(CANONICAL)
    assert not np.isinf(matrix).any()
    if settings.get("missing", "keep") != "keep":
        assert np.isfinite(matrix).all()


def test_selection_keeps_what_says_most():
    data = load_breast_cancer()
    noise = np.random.default_rng(0).normal(size=(len(data.target), 30))
    X = np.column_stack([noise, data.data])
    schema = infer_schema(X)
    preprocessor = Preprocessor(schema, select=0.25)
    matrix = preprocessor.fit_transform(schema.apply(X), data.target)
    assert matrix.shape[1] == 15
    kept = [int(name[1:]) for name in preprocessor.get_feature_names_out()]
    assert min(kept) >= 30
    assert preprocessor.transform(schema.apply(X)).shape == matrix.shape


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"categories": "onehott"}, SettingError, "Did you mean 'onehot'"),
        ({"numbers": "minmax"}, SettingError, "numbers='minmax'"),
        ({"missing": "zero"}, SettingError, "missing='zero'"),
        ({"select": 0.0}, SettingError, "not a fraction"),
        ({"rare": 2}, SettingError, r"share of rows in \[0, 1\)"),
        ({"text_dims": 0}, SettingError, "text_dims=0"),
        ({"categories": "target"}, DataError, "y is None"),
    ],
)
def test_settings_without_meaning_are_refused(settings, error, said):
    with pytest.raises(error, match=said):
        Preprocessor(SCHEMA.features, **settings).fit(CANONICAL)


def test_a_table_that_is_not_canonical_is_refused():
    with pytest.raises(DataError, match="lacks 'size'"):
        Preprocessor(SCHEMA).fit(CANONICAL.drop(columns="size"))
    with pytest.raises(DataError, match="'color' does not have the categories"):
        Preprocessor(SCHEMA).fit(TABLE)


@pytest.mark.parametrize("wants", WANTS)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_configuration_of_the_space_gives_a_usable_matrix(wants, seed):
    choices = preprocessing_space(SCHEMA, wants, "p:")
    config = (lambda s: s.decode(s.sample(1, np.random.default_rng(seed)))[0])(space(choices))
    preprocessor = preprocessor_from(config, "p:", SCHEMA, for_=wants)
    matrix = preprocessor.fit_transform(CANONICAL, Y)
    assert not np.isinf(matrix).any()
    if wants in ("linear", "distance"):
        assert np.isfinite(matrix).all()
        assert matrix.std(axis=0).max() < 10
    settings = preprocessor.get_params()
    assert (settings["generate"] > 0) == bool(config.pop("p:generated", False))
    for name, value in config.items():
        assert settings[name.removeprefix("p:")] == value


def test_only_what_matters_is_a_choice():
    plain = infer_schema({"a": [1.5, 2.5, 3.5], "b": [1.0, 2.0, 9.0]})
    assert list(preprocessing_space(plain, "linear")) == ["numbers"]
    assert list(preprocessing_space(plain, "trees")) == ["generated"]
    assert preprocessing_space(infer_schema({"a": [1.5, 2.5, 3.5]}), "trees") == {}
    assert list(preprocessing_space(plain, "native")) == ["generated"]
    assert set(preprocessing_space(SCHEMA, "native", "x.")) == {
        "x.categories", "x.text", "x.text_dims", "x.generated",
    }  # fmt: skip
    wide = infer_schema(np.random.default_rng(0).normal(size=(30, 80)))
    assert list(preprocessing_space(wide, "native")) == ["generated", "select"]
    with pytest.raises(SettingError, match="Did you mean 'trees'"):
        preprocessing_space(plain, "tree")
