"""Sampled Shapley values: exact where orders do not matter, and the axioms everywhere."""

import numpy as np
import pandas as pd
import pytest

from octavo.ensemble.shapley import sampled_shapley
from octavo.errors import DataError, SettingError


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.normal(size=(40, 4)), columns=list("abcd"))
    found["e"] = pd.Categorical(rng.choice(["x", "y", "z"], 40))
    found["text"] = pd.Series(rng.choice(["old house", "new"], 40), dtype=object)
    return found


def test_an_additive_model_is_explained_exactly(table):
    found = sampled_shapley(lambda t: 3 * t["a"] - t["b"], table, table, rounds=40)
    np.testing.assert_allclose(found.values[:, 0, 0], 3 * (table["a"] - table["a"].mean()))
    np.testing.assert_allclose(found.values[:, 1, 0], table["b"].mean() - table["b"])
    assert not found.values[:, 2:].any()  # dummies


def wild(t):
    one = t["a"] * t["b"] + (t["e"] == "x") * t["c"] ** 2 + t["text"].str.len() * t["a"]
    return np.column_stack([one, -one])


def test_values_and_base_add_up_to_predictions(table):
    found = sampled_shapley(wild, table, table.head(7), rounds=5)
    total = found.base + found.values.sum(axis=1)
    np.testing.assert_allclose(total, wild(table), atol=1e-12)


def test_a_product_of_two_columns_is_halved(table):
    """Walking there and back makes that exact for pairs, whatever the order."""
    background = table.head(1).assign(a=0.0, b=0.0)
    found = sampled_shapley(lambda t: t["a"] * t["b"], table, background, rounds=1)
    half = (table["a"] * table["b"] / 2).to_numpy()
    np.testing.assert_allclose(found.values[:, 0, 0], half)
    np.testing.assert_allclose(found.values[:, 1, 0], half)
    assert np.isnan(found.error).all()


def test_errors_say_how_far_the_values_are_from_those_of_many_rounds(table):
    few = sampled_shapley(wild, table, table, rounds=20, seed=1)
    many = sampled_shapley(wild, table, table, rounds=120, seed=2)
    off = np.abs(few.values - many.values)[few.error > 0] / few.error[few.error > 0]
    assert 0.3 < np.sqrt(np.mean(off**2)) < 2.5


def test_the_same_seed_gives_every_part_the_same_base(table):
    whole = sampled_shapley(wild, table, table, rounds=3, seed=4)
    part = sampled_shapley(wild, table.iloc[5:9], table, rounds=3, seed=4)
    np.testing.assert_allclose(part.base, whole.base)
    np.testing.assert_allclose(part.values, whole.values[5:9])


def test_no_background_and_no_rounds_are_refused(table):
    with pytest.raises(DataError, match="background has no rows"):
        sampled_shapley(wild, table, table.head(0))
    with pytest.raises(SettingError, match="rounds=0"):
        sampled_shapley(wild, table, table, rounds=0)
