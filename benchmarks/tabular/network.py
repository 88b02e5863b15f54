"""The tabular network beside plain multilayer perceptrons and boosted trees, all by default.

    python benchmarks/tabular/network.py --data DIR [--threads 1,2] [--tables a,b,...]

One split of each table, 75 % to learn from and 25 % to judge by, stratified by class. Rows go to
`results/network.csv`; those that exist are not run again, so a stopped run goes on with the same
command. `cpu_s` is the processor's time of the fit, which a busy machine does not spoil.

The network's defaults were chosen on the tables of `CHOSEN_ON`; `REPORTED_ON` had no say in it.
None of both is among the 20 tables of `run.py`.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from octavo.tabular.models import CATALOG
from octavo.tabular.pipeline import (
    first_configurations,
    make_pipeline,
    predicted_seconds,
    shape_of,
)
from octavo.tabular.schema import infer_schema
from octavo.tabular.target import infer_target

RESULTS = Path(__file__).parent / "results" / "network.csv"
CHOSEN_ON = (
    "credit_g,cells,stroke,vehicle,hpc_jobs,mfeat_zernike,concrete,space_ga,cpu_act,colleges_usnews"
)
REPORTED_ON = (
    "heart_statlog,energy_heating,eucalyptus,socmob,saratoga_houses,leaf_flavia,chile_vote,bfi_age,"
    "ames_housing,kr_vs_kp,spambase,kin8nm"
)
MODELS = ("network", "mlp", "lightgbm", "catboost")
FIELDS = (
    "table",
    "task",
    "n_rows",
    "model",
    "place",  # of the configuration among the family's defaults
    "threads",
    "log_loss",
    "roc_auc",
    "rmse",  # in standard deviations of the target
    "cpu_s",
    "wall_s",
    "predicted_s",
    "predict_s",
    "size",
)
KEY = ("table", "model", "place", "threads")


def measure(path: Path, model: str, place: int, threads: int) -> dict[str, object] | None:
    """One fit of a family's default, judged; None if the family has no such default."""
    frame = pd.read_parquet(path)
    target = infer_target(frame["target"])
    table = frame.drop(columns="target")
    schema = infer_schema(table)
    X, y = schema.apply(table), target.encode(frame["target"])
    is_number = target.kind == "regression"
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.25, random_state=0, stratify=None if is_number else y
    )
    shape = shape_of(schema, X.iloc[train], y[train], target.kind)
    # The family's own defaults; first_configurations adds variants on the scale of logarithms.
    wanted = CATALOG[model].defaults(shape)
    if place >= len(wanted):
        return None
    opening = first_configurations(schema, shape, include=[model])
    config = next(
        config
        for config in opening
        if all(config[f"{model}.{name}"] == value for name, value in wanted[place].items())
        and config.get(f"{model}.target", "none") == "none"
    )
    pipeline = make_pipeline(config, schema, shape, seed=0)
    wall, cpu = time.monotonic(), time.process_time()
    pipeline.fit(X.iloc[train], y[train], n_threads=threads)
    fitted_wall, fitted_cpu = time.monotonic(), time.process_time()
    scores = pipeline.predict_scores(X.iloc[test])
    row: dict[str, object] = {
        "table": path.stem,
        "task": target.kind,
        "n_rows": len(train),
        "model": model,
        "place": place,
        "threads": threads,
        "cpu_s": round(fitted_cpu - cpu, 2),
        "wall_s": round(fitted_wall - wall, 2),
        "predicted_s": round(predicted_seconds(config, shape, n_threads=threads), 2),
        "predict_s": round(time.process_time() - fitted_cpu, 3),
        "size": pipeline.size,
    }
    if is_number:
        row["rmse"] = round(float(np.sqrt(np.mean((scores - y[test]) ** 2)) / y[test].std()), 4)
        return row
    row["log_loss"] = round(log_loss(y[test], scores, labels=np.arange(scores.shape[1])), 4)
    if target.kind == "binary":
        row["roc_auc"] = round(roc_auc_score(y[test], scores[:, 1]), 4)
    return row


def summarize(rows: list[dict[str, str]], threads: int) -> None:
    """Print each table's losses and times, the first default of each family."""
    print(f"{'table':16s} {'task':10s} {'rows':>5s}", *(f"{model:>16s}" for model in MODELS))
    for table in dict.fromkeys(row["table"] for row in rows):
        own = {
            row["model"]: row
            for row in rows
            if (row["table"], row["place"], row["threads"]) == (table, "0", str(threads))
        }
        if not own:
            continue
        first = next(iter(own.values()))
        cells = []
        for model in MODELS:
            row = own.get(model, {})
            cells.append(
                f"{row.get('log_loss') or row.get('rmse', ''):>8s} {row.get('cpu_s', ''):>5s} s"
            )
        print(f"{table:16s} {first['task']:10s} {first['n_rows']:>5s}", *cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("OCTAVO_DATA"))
    parser.add_argument("--tables", default=REPORTED_ON)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--places", default="0", help="which of each family's defaults")
    args = parser.parse_args()
    if args.data is None:
        parser.error("name the folder of tables by --data or the variable OCTAVO_DATA")
    rows: list[dict[str, str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            rows = list(csv.DictReader(file))
    known = {tuple(row[name] for name in KEY) for row in rows}
    for table in args.tables.split(","):
        for threads in map(int, args.threads.split(",")):
            for model in args.models.split(","):
                for place in map(int, args.places.split(",")):
                    if (table, model, str(place), str(threads)) in known:
                        continue
                    row = measure(args.data / f"{table}.parquet", model, place, threads)
                    if row is None:
                        continue
                    with RESULTS.open("a", newline="") as file:
                        writer = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
                        if file.tell() == 0:
                            writer.writeheader()
                        writer.writerow(row)
                    rows.append({name: str(row.get(name, "")) for name in FIELDS})
    for threads in sorted({int(row["threads"]) for row in rows}):
        print(f"\nOn {threads} thread{'s' * (threads > 1)}: loss, and seconds of the processor")
        summarize(rows, threads)


if __name__ == "__main__":
    main()
