"""Fit the constants of the families' cost models, and say how well they predict.

    python benchmarks/tabular/cost_model.py --data DIR [--tables a,b,...] [--families x,y]

`DIR` holds Parquet files with a column `target`. Each family's defaults and some random
configurations are fitted on one thread, CPU time is taken (so that a busy machine does not
spoil it), and each family's prices are chosen to minimize the squared logarithm of
predicted over measured seconds. The measurements go to `results/cost_model.csv`; the prices
are printed, to be copied into the families' files.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from octavo.errors import OutOfTimeError
from octavo.tabular.cash import family_of, own_part
from octavo.tabular.models import CATALOG, Shape
from octavo.tabular.pipeline import (
    cash_space,
    first_configurations,
    make_pipeline,
    predicted_seconds,
    shape_of,
)
from octavo.tabular.schema import infer_schema
from octavo.tabular.target import infer_target

PRIOR = 0.3
RESULTS = Path(__file__).parent / "results" / "cost_model.csv"
FIELDS = ["family", *Shape.__dataclass_fields__, "config", "fit_s", "total_s", "score"]


def measure(path: Path, families: list[str], n_random: int, longest_s: float) -> Iterator[dict]:
    """Times of defaults and random configurations on one table."""
    frame = pd.read_parquet(path)
    target = infer_target(frame["target"])
    table = frame.drop(columns="target")
    schema = infer_schema(table)
    y = target.encode(frame["target"])
    X = schema.apply(table)
    order = np.random.default_rng(0).permutation(len(X))
    cut = len(X) * 3 // 4
    train, test = order[:cut], order[cut:]
    shape = shape_of(schema, X.iloc[train], y[train], target.kind)
    rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
    for name in families:
        try:
            space = cash_space(schema, shape, include=[name])
        except ValueError:
            continue
        if CATALOG[name].objection(shape) is not None:
            continue
        configs = first_configurations(schema, shape, include=[name])
        configs += space.decode(space.sample(n_random, rng))
        for config in configs:
            if predicted_seconds(config, shape) > 3 * longest_s:
                continue
            pipeline = make_pipeline(config, schema, shape, seed=0)
            wall, cpu = time.monotonic(), time.process_time()
            try:
                pipeline.fit(X.iloc[train], y[train], deadline=wall + longest_s)
            except OutOfTimeError:
                continue
            is_cut = time.monotonic() - wall > 0.9 * longest_s
            fit_s = time.process_time() - cpu
            scores = pipeline.predict_scores(X.iloc[test])
            total_s = time.process_time() - cpu
            if is_cut:
                continue
            yield {
                "family": name,
                **{field: getattr(shape, field) for field in Shape.__dataclass_fields__},
                "config": repr(config),
                "fit_s": round(fit_s, 4),
                "total_s": round(total_s, 4),
                "score": round(score(target.kind, y[test], scores), 4),
            }


def score(task: str, y: np.ndarray, scores: np.ndarray) -> float:
    """Accuracy, or R squared."""
    if task == "regression":
        return float(1 - np.mean((scores - y) ** 2) / np.var(y))
    return float(np.mean(scores.argmax(axis=1) == y))


def fitted_prices(rows: list[dict]) -> tuple[list[float], float, float]:
    """Prices of one family; the typical factor by which it errs, before and after."""
    family = CATALOG[rows[0]["family"]]
    terms, offsets, times, before = [], [], [], []
    for row in rows:
        shape = Shape(**{field: row[field] for field in Shape.__dataclass_fields__})
        config: dict[str, Any] = eval(row["config"])
        own = own_part(config)
        terms.append(family.terms(own, shape))
        whole = predicted_seconds(config, shape)
        offsets.append(whole - family_of(config).predicted_seconds(own, shape))
        times.append(row["total_s"])
        before.append(np.log(whole / row["total_s"]))
    T, offset, seconds = np.array(terms), np.array(offsets), np.maximum(np.array(times), 5e-3)

    def residuals(log_prices: np.ndarray) -> np.ndarray:
        return np.log((T @ np.exp(log_prices) + offset) / seconds)

    def with_prior(log_prices: np.ndarray) -> np.ndarray:
        # Towards a second for 1e9 operations: a term that these tables say nothing about keeps
        # a price, because on larger ones it may be the one that counts.
        return np.concatenate([residuals(log_prices), PRIOR * log_prices])

    start = np.zeros(len(family.prices))
    found = least_squares(with_prior, start, loss="soft_l1", bounds=(np.log(1e-6), np.log(1e4)))
    factor = float(np.exp(np.abs(residuals(found.x)).mean()))
    return np.exp(found.x).tolist(), float(np.exp(np.abs(before).mean())), factor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--tables", help="names without .parquet, comma separated; else all")
    parser.add_argument("--families", default=",".join(CATALOG))
    parser.add_argument("--random", type=int, default=2, help="random configurations each")
    parser.add_argument("--longest", type=float, default=40.0, help="seconds for one fit")
    parser.add_argument("--again", action="store_true", help="only fit prices to old results")
    args = parser.parse_args()
    rows: list[dict] = []
    if args.again:
        rows = pd.read_csv(RESULTS, keep_default_na=False).to_dict("records")
    else:
        names = args.tables.split(",") if args.tables else None
        names = names or sorted(path.stem for path in args.data.glob("*.parquet"))
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=FIELDS)
            writer.writeheader()
            for name in names:
                started = time.monotonic()
                path = args.data / f"{name}.parquet"
                for row in measure(path, args.families.split(","), args.random, args.longest):
                    rows.append(row)
                    writer.writerow(row)
                    file.flush()
                print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"{'family':20s} {'n':>4s} {'off by, now':>12s} {'refitted':>9s}  prices")
    for name in CATALOG:
        own = [row for row in rows if row["family"] == name]
        if own:
            prices, before, after = fitted_prices(own)
            shown = ", ".join(f"{price:.2g}" for price in prices)
            print(f"{name:20s} {len(own):4d} {before:12.2f} {after:9.2f}  ({shown})")


if __name__ == "__main__":
    main()
