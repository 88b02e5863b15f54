"""Evaluate many configurations on many tables: the matrix that the portfolio is learned from.

    python benchmarks/portfolio/collect.py --data DIR --hours 6

Each configuration is fitted on two thirds of a table and judged on the rest, on one thread, in a
process of its own with limits on time and memory. One row of `matrix.csv` for each is appended as
soon as it is there, and rows that exist are not run again: a run that was stopped goes on where it
ended. What a table is like, and the order in which a search without a portfolio begins on it, go
to `tables.csv`; what is evaluated to `configurations.json`. `build.py` makes the portfolio.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", OPENBLAS_NUM_THREADS="1")

import configurations
import numpy as np
import pandas as pd
import tables
from sklearn.model_selection import train_test_split

import octavo
from octavo.callbacks import Completed, Event
from octavo.ensemble.intervals import plain_baseline
from octavo.ensemble.metrics import Metric, default_metric
from octavo.executors import ProcessExecutor
from octavo.tabular.cash import cash_space, first_configurations, left_out, shape_of
from octavo.tabular.models.family import Shape
from octavo.tabular.pipeline import make_pipeline
from octavo.tabular.portfolio import table_features
from octavo.tabular.schema import Schema, infer_schema
from octavo.tabular.target import infer_target
from octavo.transfer.adapting import adapted
from octavo.trial import Status, Trial

HERE = Path(__file__).parent
MATRIX = ("table", "config", "status", "metric", "score", "seconds", "wall_s", "fit_s",
          "predict_s", "memory_mb", "same_as", "cause")  # fmt: skip
TABLES = ("table", "task", "group", "n_rows", "metric", "baseline", "opening", "features")
FITTING_SHARE = 0.85  # of a trial's time, as in a search


@dataclass(frozen=True)
class Question:
    """A table, split and understood."""

    table: tables.Table
    schema: Schema
    shape: Shape
    metric: Metric
    space: Any
    train: pd.DataFrame
    train_y: np.ndarray
    test: pd.DataFrame
    test_y: np.ndarray
    classes: Any


def ask(folder: Path, table: tables.Table) -> Question:
    """Read a table as the judging tables are read, split it, and find out what it is."""
    rows = tables.judging_tables()._read(folder, table.name)
    X, y = rows.drop(columns="target"), rows["target"]
    is_regression = table.task == "regression"
    if not is_regression:
        y = y.astype(str)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, random_state=0, stratify=None if is_regression else y
    )
    target = infer_target(y_train, table.task)
    schema = infer_schema(X_train, y_train)
    train, train_y = schema.apply(X_train), target.encode(y_train)
    shape = shape_of(schema, train, train_y, target.kind)
    return Question(
        table, schema, shape, default_metric(target.kind), cash_space(schema, shape),
        train, train_y, schema.apply(X_test), target.encode(y_test),
        None if is_regression else target.labels,
    )  # fmt: skip


def evaluate(
    config: Mapping[str, Any], *, seed: int, time_limit: float, question: Question
) -> dict[str, Any]:
    """Fit on two thirds, judge on one; runs in a worker process."""
    began = time.monotonic()
    pipeline = make_pipeline(config, question.schema, question.shape, seed=0)
    pipeline.fit(
        question.train, question.train_y, deadline=began + FITTING_SHARE * time_limit, n_threads=1
    )
    fitted = time.monotonic()
    scores = pipeline.predict_scores(question.test)
    done = time.monotonic()
    score = float(question.metric.score(question.test_y, scores, classes=question.classes))
    return {
        "cost": question.metric.to_cost(score),
        "score": score,
        "fit_s": fitted - began,
        "predict_s": done - fitted,
    }


def append(path: Path, fields: tuple[str, ...], row: Mapping[str, Any]) -> None:
    """One row at the end of a CSV file, complete on disk before anything else happens."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if is_new:
            writer.writeheader()
        shown = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(shown)


def known(path: Path) -> list[dict[str, str]]:
    """The rows that exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def identity(config: Mapping[str, Any]) -> str:
    """The same for equal configurations."""
    return repr(sorted(config.items()))


def plan(
    question: Question, rows: list[dict[str, Any]]
) -> tuple[dict[int, dict[str, Any]], dict[int, int], dict[int, str]]:
    """What to run on a table, what equals an earlier one there, and what cannot be run, and why."""
    here = adapted([row["config"] for row in rows], question.space)
    reasons = left_out(question.shape)
    run: dict[int, dict[str, Any]] = {}
    same: dict[int, int] = {}
    absent: dict[int, str] = {}
    first: dict[str, int] = {}
    for row, config in zip(rows, here, strict=True):
        if config is None:
            absent[row["id"]] = reasons.get(row["family"], "it has no counterpart on this table")
        elif identity(config) in first:
            same[row["id"]] = first[identity(config)]
        else:
            first[identity(config)] = row["id"]
            run[row["id"]] = config
    return run, same, absent


def describe(question: Question, run: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """The table's row: what it is like, and how a search without a portfolio begins on it."""
    places = {identity(config): at for at, config in run.items()}
    begins = adapted(first_configurations(question.schema, question.shape), question.space)
    opening = [places[key] for c in begins if c and (key := identity(c)) in places]
    baseline, _ = plain_baseline(
        question.metric, question.shape.task, question.test_y,
        n_classes=question.shape.n_classes, classes=question.classes,
    )  # fmt: skip
    features = table_features(
        question.schema, question.train_y, question.shape.task, table=question.train
    )
    return {
        "table": question.table.name,
        "task": question.table.task,
        "group": question.table.group,
        "n_rows": question.table.n_rows,
        "metric": question.metric.name,
        "baseline": float(baseline),
        "opening": json.dumps(opening),
        "features": json.dumps({k: None if np.isnan(v) else v for k, v in features.items()}),
    }


def as_row(question: Question, at: int, trial: Trial) -> dict[str, Any]:
    """A finished trial's row."""
    return {
        "table": question.table.name,
        "config": at,
        "status": trial.status.value,
        "metric": question.metric.name,
        "score": trial.extra.get("score", ""),
        # On one thread that is what it takes on a machine that does nothing else.
        "seconds": trial.resources.cpu_s,
        "wall_s": trial.resources.wall_s,
        "fit_s": trial.extra.get("fit_s", ""),
        "predict_s": trial.extra.get("predict_s", ""),
        "memory_mb": trial.resources.memory_mb,
        "same_as": "",
        "cause": " ".join(trial.cause.split())[:200],
    }


def collect(question: Question, ids: set[int], given: argparse.Namespace, left_s: float) -> None:
    """Run those of the configurations on a table that have no row yet."""
    matrix = given.out / "matrix.csv"
    rows = configurations.load(given.out / "configurations.json")
    done = {int(r["config"]) for r in known(matrix) if r["table"] == question.table.name}
    run, same, absent = plan(question, rows)
    if question.table.name not in {r["table"] for r in known(given.out / "tables.csv")}:
        append(given.out / "tables.csv", TABLES, describe(question, run))
    named = {"table": question.table.name, "metric": question.metric.name}
    for at, earlier in same.items():
        if at in ids - done:
            append(matrix, MATRIX, {**named, "config": at, "status": "same", "same_as": earlier})
    for at, why in absent.items():
        if at in ids - done:
            append(matrix, MATRIX, {**named, "config": at, "status": "left out", "cause": why})
    wanted = {at: config for at, config in run.items() if at in ids - done}
    if not wanted:
        return
    places = {identity(config): at for at, config in wanted.items()}

    def keep(event: Event) -> None:
        if isinstance(event, Completed) and event.trial.status is not Status.CANCELLED:
            at = places[identity(event.trial.config)]
            append(matrix, MATRIX, as_row(question, at, event.trial))

    study = octavo.minimize(
        evaluate,
        question.space,
        first=list(wanted.values()),
        max_trials=len(wanted),
        time_limit=left_s,
        optimizer="random",
        executor=ProcessExecutor(workers=1, threads=1),
        trial_time=given.seconds,
        trial_memory=given.memory,
        data={"question": question},
        callbacks=[keep],
        progress=False,
        seed=0,
    )
    study.close()


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OCTAVO_DATA"),
        help="folder with manifest.csv and the tables; default: the variable OCTAVO_DATA",
    )
    parser.add_argument("--hours", type=float, default=12.0, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=60.0, help="that one fit may take")
    parser.add_argument("--memory", default="4GB", help="that one fit may use")
    parser.add_argument("--tables", default="", help="names, comma separated; default: all")
    parser.add_argument("--configs", type=int, help="only the first so many; default: all")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the files")
    given = parser.parse_args()
    if given.data is None:
        parser.error("give the folder of tables: --data DIR, or set OCTAVO_DATA")
    given.data = Path(given.data).resolve()
    return given


def main() -> None:
    """Defaults on all tables first, so that whoever stops early has the most useful part."""
    given = arguments()
    ends = time.monotonic() + given.hours * 3600
    given.out.mkdir(parents=True, exist_ok=True)
    rows = configurations.load(given.out / "configurations.json")[: given.configs]
    wanted = set(filter(None, given.tables.split(",")))
    chosen = [t for t in tables.select(given.data) if not wanted or t.name in wanted]
    unknown = wanted - {table.name for table in chosen}
    if unknown:
        raise SystemExit(f"{sorted(unknown)} are not among the tables to learn from")
    print(f"{len(rows)} configurations, {len(chosen)} tables")
    for origin in ("default", "random"):
        ids = {row["id"] for row in rows if row["origin"] == origin}
        for table in chosen:
            left_s = ends - time.monotonic()
            if left_s <= 0:
                print("The hours are over; run the same command again to go on.")
                return
            began = time.monotonic()
            matrix = known(given.out / "matrix.csv")
            done = {int(row["config"]) for row in matrix if row["table"] == table.name}
            if ids <= done:
                continue
            collect(ask(given.data, table), ids, given, left_s)
            print(f"{table.name:24} {origin:8} {time.monotonic() - began:7.0f} s", flush=True)


if __name__ == "__main__":
    main()
