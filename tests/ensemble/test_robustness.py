"""Disturbances do what they say, and scores fall as they grow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from octavo.ensemble import get_metric
from octavo.ensemble.robustness import disturb, robustness
from octavo.errors import SettingError

RNG = np.random.default_rng


@pytest.fixture
def table():
    rng = RNG(0)
    return pd.DataFrame(
        {
            "x": rng.normal(5, 2, 4000),
            "flag": (rng.random(4000) < 0.5).astype(float),
            "c": pd.Categorical(rng.choice(["a", "b", "z"], 4000, p=[0.5, 0.45, 0.05])),
            "text": pd.Series(["word"] * 4000, dtype=object),
        }
    )


def test_noise_is_as_strong_as_said_and_hits_numbers_only(table):
    found = disturb(table, "noise", 0.3, RNG(1))
    assert (found["x"] - table["x"]).std() == pytest.approx(0.6, rel=0.05)
    pd.testing.assert_frame_equal(found.drop(columns="x"), table.drop(columns="x"))


def test_cells_go_missing_in_every_column(table):
    found = disturb(table, "missing", 0.2, RNG(1))
    assert found["x"].isna().mean() == pytest.approx(0.2, abs=0.03)
    assert found["c"].isna().mean() == pytest.approx(0.2, abs=0.03)
    assert (found["text"] == "").mean() == pytest.approx(0.2, abs=0.03)
    assert not table.isna().any(axis=None)  # the given table is left alone


def test_categories_shift(table):
    rare = disturb(table, "rare", 0.5, RNG(1))["c"]
    assert (rare == "z").mean() == pytest.approx(0.05 * 0.5 + 0.5, abs=0.03)
    assert disturb(table, "unseen", 0.5, RNG(1))["c"].isna().mean() == pytest.approx(0.5, abs=0.03)


def test_scores_fall_as_noise_grows(table):
    y = table["x"].to_numpy()
    found = robustness(
        lambda rows: rows["x"].fillna(5.0).to_numpy(),
        table[["x"]],
        y,
        get_metric("rmse", "regression"),
        disturbances=[("noise", 0.1), ("noise", 0.5), ("rare", 0.1)],
    )
    assert [one.kind for one in found] == ["noise", "noise"]  # there are no categories
    assert found[0].change == pytest.approx(0.2, rel=0.1)
    assert found[1].score == pytest.approx(1.0, rel=0.1)
    assert found[1].describe() == "numbers with noise of 50% of their standard deviation"


def test_nonsense_is_refused(table):
    with pytest.raises(SettingError, match="Did you mean 'noise'"):
        disturb(table, "noisy", 0.1, RNG(0))
    with pytest.raises(SettingError, match=r"strength=1\.5"):
        disturb(table, "missing", 1.5, RNG(0))
