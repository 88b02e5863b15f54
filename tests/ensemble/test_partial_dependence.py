"""Partial dependence of functions whose effects are known."""

import numpy as np
import pandas as pd
import pytest

from octavo.ensemble.partial_dependence import partial_dependence
from octavo.errors import DataError, SettingError


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    n = 300
    found = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    found["c"] = pd.Categorical(rng.choice(["x", "y", "z"], n, p=[0.2, 0.5, 0.3]))
    found["day"] = pd.date_range("2024-01-01", periods=n)
    found["words"] = pd.Series(["some text"] * n, dtype=object)
    found["none"] = np.nan
    return found


def additive(t):
    return t["a"] ** 2 + 3 * t["b"] + (t["c"] == "x") * 5.0


def test_an_additive_function_gives_its_term_and_no_doubt(table):
    found = partial_dependence(additive, table, "a", max_rows=10_000)
    shape = found.mean[:, 0] - found.grid[0] ** 2
    np.testing.assert_allclose(shape, shape[0])
    np.testing.assert_allclose(found.low, found.high)  # every row has the same shape
    assert len(found.grid[0]) == 20 and found.curves.shape == (300, 20, 1)
    assert found.deciles[0].shape == (9,)


def test_categories_come_by_frequency_and_numbers_at_quantiles(table):
    found = partial_dependence(additive, table, "c")
    assert list(found.grid[0]) == ["y", "z", "x"]
    np.testing.assert_allclose(np.diff(found.mean[:, 0]), [0.0, 5.0])
    low, high = partial_dependence(additive, table, "a", grid_size=5).grid[0][[0, -1]]
    assert table["a"].min() < low < -1.5 and 1.5 < high < table["a"].max()


def test_an_interaction_widens_the_band_and_shows_in_the_curves(table):
    found = partial_dependence(lambda t: t["a"] * t["b"], table, "a")
    assert (found.low < found.mean).all() and (found.mean < found.high).all()
    slopes = (found.curves[:, -1, 0] - found.curves[:, 0, 0]).astype(float)
    assert slopes.min() < -1 and slopes.max() > 1


def test_two_columns_make_a_surface(table):
    found = partial_dependence(lambda t: t["a"] * 2 + (t["c"] == "x"), table, ["a", "c"])
    assert found.mean.shape == (20, 3, 1) and found.curves.shape == (200, 20, 3, 1)
    want = 2 * found.grid[0][:, np.newaxis] + (found.grid[1] == "x")
    np.testing.assert_allclose(found.mean[:, :, 0], want)


def test_dates_and_several_outputs(table):
    def predict(t):
        late = (t["day"] > "2024-06-01").to_numpy(float)
        return np.column_stack([1 - late, late])

    found = partial_dependence(predict, table, "day", grid_size=6)
    assert found.grid[0].dtype.kind == "M"
    np.testing.assert_allclose(found.mean.sum(axis=1), 1)
    assert (found.strength > 0.3).all()


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ("aa", SettingError, "Did you mean 'a'"),
        ("words", SettingError, "'words' is text"),
        ("none", DataError, "'none' has no value in any of the 300 rows"),
        (["a", "b", "c"], SettingError, "one column or of two"),
        (["a", "a"], SettingError, "one column or of two"),
    ],
)
def test_columns_without_a_curve_are_refused(table, columns, error, said):
    with pytest.raises(error, match=said):
        partial_dependence(additive, table, columns)


def test_no_rows_and_no_grid_are_refused(table):
    with pytest.raises(DataError, match="no rows"):
        partial_dependence(additive, table.head(0), "a")
    with pytest.raises(SettingError, match="grid_size=1"):
        partial_dependence(additive, table, "a", grid_size=1)
