"""Make a table of 1,000,000 rows and 50 columns, to fit within limits on memory and time.

    python benchmarks/tabular/large_table.py large.parquet
    octavo fit large.parquet -t target --time 240s --seed 0 --out on
    octavo fit large.parquet -t target --time 240s --seed 0 --sampling off --out off

Two classes: a sum of a line, a product, a wave and a category, beside columns that say nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

N_NUMBERS, N_CATEGORIES = 40, 8


def made_up(n_rows: int) -> pd.DataFrame:
    """Numbers of both precisions, categories of 2 to 23 values, a date and an integer."""
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {
        f"x{i}": rng.normal(size=n_rows).astype("float32" if i % 2 else "float64")
        for i in range(N_NUMBERS)
    }
    for i in range(N_CATEGORIES):
        columns[f"c{i}"] = rng.choice([f"v{j}" for j in range(2 + 3 * i)], size=n_rows)
    minutes = rng.integers(0, 10**6, n_rows)
    columns["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(minutes, unit="m")
    columns["number"] = rng.integers(0, 1000, n_rows)
    table = pd.DataFrame(columns)
    signal = table["x0"] + table["x1"] * table["x2"] + np.sin(3 * table["x3"])
    score = signal + (table["c3"] == "v1") + rng.normal(size=n_rows)
    return table.assign(target=np.where(score > 0.3, "yes", "no"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    made_up(given.rows).to_parquet(given.file)
