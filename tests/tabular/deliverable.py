"""A small table of every kind of column, and a model of each family on it."""

from __future__ import annotations

from functools import cache

import cloudpickle
import numpy as np
import pandas as pd

from octavo.tabular.model import TabularModel
from octavo.tabular.refit import fit_one
from octavo.tabular.settings import SearchSettings

KINDS = ("binary", "multiclass", "regression")


def table(n: int = 120, *, texts: bool = True, seed: int = 0) -> pd.DataFrame:
    """Numbers with holes, categories, truths; and, with `texts`, words and dates."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(5, 2, n).round(3),
            "weight": rng.lognormal(3, 1, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "town": [f"town {i}" for i in rng.integers(0, 14, n)],
            "is new": rng.choice(["yes", "no"], n),
        }
    )
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    frame["colour"] = frame["colour"].astype(object).where(rng.random(n) > 0.1, None)
    if texts:
        frame["sold"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
        words = np.array(["old", "house", "with", "garden", "and", "small", "view", "lake"])
        frame["remark"] = [" ".join(rng.permutation(words)[: 3 + i % 5]) for i in range(n)]
    return frame


def target(X: pd.DataFrame, kind: str) -> pd.Series:
    """Something that the table says much about."""
    rng = np.random.default_rng(1)
    score = X["size"].fillna(6) + 3.0 * (X["colour"] == "red") + (X["is new"] == "yes")
    score = score + rng.normal(0, 0.7, len(X))
    if kind == "regression":
        return (10 + score).rename("price")
    if kind == "binary":
        return pd.Series(np.where(score > score.median(), "good", "bad"), name="grade")
    return pd.cut(score, 3, labels=["low", "mid", "high"]).astype(object).rename("class")


@cache
def fitted(family: str, kind: str, *, texts: bool = True) -> TabularModel:
    """A model with one member of a family, as it is when it was saved and read again."""
    X = table(texts=texts)
    settings = SearchSettings(
        task="regression" if kind == "regression" else "classification",
        include=[family],
        seed=0,
        max_trials=1,
    )
    return cloudpickle.loads(cloudpickle.dumps(fit_one(None, X, target(X, kind), settings)))


@cache
def with_made_columns(family: str = "lightgbm") -> tuple[TabularModel, pd.DataFrame]:
    """A model whose preprocessing makes columns of others in every way, and its table."""
    X = table(900, texts=False, seed=2)
    usual = X.groupby("town")["weight"].transform("mean")
    crossed = X.groupby(["town", "colour"], dropna=False).ngroup() * 7 % 5
    y = X["size"].fillna(5) / X["weight"] + (X["weight"] > usual) + 0.3 * crossed
    settings = SearchSettings(
        task="regression",
        include=[family],
        seed=0,
        max_trials=1,
        space_updates={f"{family}.prep.generated": True},
    )
    return fit_one(None, X, y.rename("price"), settings), X
