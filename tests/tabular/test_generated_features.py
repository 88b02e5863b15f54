"""Columns made of others: what is found, what they hold, that no row sees its own target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import DataError, SettingError
from octavo.tabular.generated_features import GeneratedFeatures, Made, fit_generated
from octavo.tabular.preprocessor import Preprocessor
from octavo.tabular.schema import infer_schema


def _numbers(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 4, (n, d)).astype(np.float32)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("+", lambda a, b: a + b), ("-", lambda a, b: a - b), ("×", lambda a, b: a * b),
     ("/", lambda a, b: a / b)],
)  # fmt: skip
def test_the_operation_that_makes_the_target_is_found(how, expected):
    X = _numbers(800, 4)
    y = np.asarray(expected(X[:, 1], X[:, 3]), dtype=np.float64)
    features, made = fit_generated(X, y, [], most=3, seed=0)
    place = next(at for at, one in enumerate(features.made) if one.how == how)
    found = features.made[place]
    assert set(found.of) == {1, 3}
    np.testing.assert_allclose(made[:, place], expected(*X[:, found.of].T), rtol=1e-6)
    one, other = ("bd", "db")[found.of == (3, 1)]  # a ratio and its inverse say the same
    assert found.name(["a", "b", "c", "d"]) == f"{one} {how} {other}"


def test_how_a_number_compares_with_those_of_its_category_is_found():
    rng = np.random.default_rng(1)
    city = rng.integers(0, 40, 3000)
    level = rng.normal(0, 10, 40)
    price = level[city] + rng.normal(0, 1, 3000)
    X = np.column_stack([price, city, rng.normal(size=3000)]).astype(np.float32)
    y = (price > level[city]).astype(np.int64)  # dearer than usual there
    features, made = fit_generated(X, y, [1], most=4, seed=0)
    assert features.made[0] == Made("deviation", (0, 1))
    assert ((made[:, 0] > 0) == (y == 1)).mean() > 0.93


def test_two_categories_that_say_nothing_alone_are_crossed():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 9, (2, 4000))
    effect = rng.permuted(np.repeat([-1.0, 1.0], [40, 41])).reshape(9, 9)
    y = effect[a, b] + rng.normal(0, 0.3, 4000)
    X = np.column_stack([a, b]).astype(np.float32)
    features, _ = fit_generated(X, y, [0, 1], most=2, seed=0)
    assert features.made[0] == Made("target", (0, 1))


def test_noise_makes_no_columns():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(2000, 6)).astype(np.float32)
    X[:, 5] = rng.integers(0, 300, 2000)
    features, made = fit_generated(X, rng.normal(size=2000), [5], most=20, seed=0)
    assert len(features.made) <= 1 and made.shape == (2000, len(features.made))


def test_the_mean_of_the_target_does_not_hold_the_rows_own():
    rng = np.random.default_rng(4)
    kind = np.arange(600) // 2  # pairs: with its own target, a row would know half of its mean
    y = rng.normal(size=600) + 3.0 * (kind % 7 == 0)
    features = GeneratedFeatures((), (), ())
    X = np.column_stack([kind, kind % 7]).astype(np.float32)
    features, made = fit_generated(X, y, [0, 1], most=5, seed=0)
    for at, one in enumerate(features.made):
        if one.how == "target" and 0 in one.of:
            known = np.corrcoef(made[:, at], y - 3.0 * (kind % 7 == 0))[0, 1]
            assert abs(known) < 0.15


@given(st.integers(0, 10**6))
def test_new_rows_may_hold_anything(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(300, 3)), rng.integers(0, 4, (300, 2))])
    X = X.astype(np.float32)
    y = (X[:, 0] * X[:, 1] + X[:, 3] + rng.normal(0, 0.1, 300)).astype(np.float64)
    features, made = fit_generated(X, y, [3, 4], most=8, seed=seed)
    assert made.dtype == np.float32
    wild = X[:5].copy()
    wild[0] = np.nan
    wild[1, :3] = [1e38, -1e38, 0.0]
    wild[2, 3:] = [99, -1]  # categories that were not there
    found = features.transform(wild)
    assert found.shape == (5, made.shape[1]) and not np.isinf(found).any()
    assert features.transform(X[:0]).shape == (0, made.shape[1])
    again = features.transform(X)
    is_target = np.array([one.how == "target" for one in features.made], dtype=bool)
    np.testing.assert_array_equal(again[:, ~is_target], made[:, ~is_target])


def test_the_same_seed_makes_the_same_columns():
    X = _numbers(500, 5)
    y = (X[:, 0] / X[:, 1] > X[:, 2]).astype(np.int64)
    first, second = (fit_generated(X, y, [], most=6, seed=7) for _ in range(2))
    assert first[0].made == second[0].made
    np.testing.assert_array_equal(first[1], second[1])


def test_few_rows_and_no_columns_make_nothing():
    assert fit_generated(_numbers(10, 3), np.zeros(10), [], most=5, seed=0)[1].shape == (10, 0)
    assert fit_generated(_numbers(100, 0), np.zeros(100), [], most=5, seed=0)[1].shape == (100, 0)
    constant = np.ones((100, 3), dtype=np.float32)
    assert fit_generated(constant, np.zeros(100), [], most=5, seed=0)[1].shape == (100, 0)


def test_the_preprocessor_makes_them_for_new_rows_alike(flights_like):
    table, y = flights_like
    schema = infer_schema(table)
    canonical = schema.apply(table)
    maker = Preprocessor(schema, categories="native", generate=5)
    matrix = maker.fit_transform(canonical, y)
    names = maker.get_feature_names_out()
    assert matrix.shape[1] == len(names) > len(table)
    assert "late / distance" in names.tolist() or "distance / late" in names.tolist()
    again = maker.transform(canonical)
    is_number = np.array([": mean" not in n and "target" not in n for n in names])
    np.testing.assert_array_equal(again[:, is_number], matrix[:, is_number])
    assert names[maker.categorical_indices_].tolist() == ["carrier"]


@pytest.fixture
def flights_like():
    rng = np.random.default_rng(5)
    late, distance = rng.uniform(1, 60, 700), rng.uniform(100, 900, 700)
    carrier = np.array(["AA", "UA", "DL"])[rng.integers(0, 3, 700)]
    y = (late / distance > 0.06).astype(np.int64)
    return {"late": late, "distance": distance, "carrier": carrier}, y


def test_bad_settings_are_refused(flights_like):
    table, y = flights_like
    schema = infer_schema(table)
    with pytest.raises(SettingError, match="generate=-1"):
        Preprocessor(schema, generate=-1).fit(schema.apply(table), y)
    with pytest.raises(DataError, match="generate learns from the target"):
        Preprocessor(schema, generate=3).fit(schema.apply(table))
