"""Are bounds on fairness gaps met on rows that were held out, and what do they cost?

    python benchmarks/tabular/fairness.py --data DIR --hours 3
    python benchmarks/tabular/fairness.py --data DIR --tables adult --splits 0 --trials 3

Each table is cut five times into 75 % to learn from and 25 % to judge by. A setting is a bound, or
none, and whether the sensitive column is there when the model predicts: with it, decisions have a
threshold per group; without it, the models never see it. The settings without a bound are what the
loss in accuracy is measured against, split by split.

A bound counts as met if it lies above the lower end of the 95 % bootstrap interval of the gap on
the held-out rows. One row of the CSV file per (table, split, setting, budget); rows that exist are
not run again, so a run that was stopped goes on where it ended. The summary is printed at the end,
and alone with `--summary`.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tables

import octavo
from octavo.tabular.bounds import BoundWarning

RESULTS = Path(__file__).parent / "results" / "fairness.csv"
SENSITIVE = {"adult": "sex", "german_credit_fair": "sex"}
"""The tables, and the column whose groups are to be treated alike."""
BOUND = 0.05
N_SPLITS = 5


@dataclass(frozen=True)
class Setting:
    """A bound on a gap, or none, and whether the models see the sensitive column."""

    name: str
    gap: str | None
    at_predict: bool

    @property
    def free(self) -> str:
        """The setting without a bound that this one is compared with."""
        return "free, seen" if self.at_predict else "free, unseen"


SETTINGS = tuple(
    Setting(f"{name}, {'seen' if at_predict else 'unseen'}", gap, at_predict)
    for at_predict in (True, False)
    for name, gap in (
        ("free", None),
        ("parity", "demographic_parity"),
        ("odds", "equalized_odds"),
    )
)


@dataclass(frozen=True)
class Row:
    """One line of the CSV file; gaps and accuracy are of the held-out rows."""

    version: str
    dataset: str
    split: int
    setting: str
    budget: str
    n_test: int
    accuracy: float
    parity: float  # demographic parity gap, and its 95 % interval
    parity_low: float
    parity_high: float
    odds: float  # equalized odds gap, and its 95 % interval
    odds_low: float
    odds_high: float
    bound: float | None
    met: bool | None  # the bound lies above the lower end of the interval
    met_exactly: bool | None  # the gap itself is within the bound
    validated: float | None  # the gap on validated rows, and whether the search called it met
    validated_met: bool | None
    wall_s: float


Key = tuple[str, int, str, str]


def key(row: dict[str, Any]) -> Key:
    """What makes a run the same run."""
    return row["dataset"], int(row["split"]), row["setting"], row["budget"]


def known(results: Path) -> list[dict[str, str]]:
    """The rows that exist."""
    if not results.exists():
        return []
    with results.open(newline="") as file:
        return list(csv.DictReader(file))


def append(results: Path, row: Row) -> None:
    """Add a line; the file begins with the names of its columns."""
    results.parent.mkdir(parents=True, exist_ok=True)
    is_new = not results.exists()
    with results.open("a", newline="") as file:
        names = [field.name for field in fields(Row)]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow({name: _text(value) for name, value in asdict(row).items()})


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def measure(
    data: tables.Split,
    split: int,
    setting: Setting,
    *,
    seconds: float | None,
    trials: int | None,
    bound: float,
) -> Row:
    """Fit within the bound, and look at the held-out rows."""
    constraints = {} if setting.gap is None else {setting.gap: (None, bound)}
    model = octavo.AutoClassifier(
        metric="accuracy",
        time_limit=seconds,
        max_trials=trials,
        random_state=split,
        sensitive=SENSITIVE[data.table.name],
        sensitive_at_predict=setting.at_predict,
        constraints=constraints,
        progress=False,
    )
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundWarning)  # it stands in the row
        model.fit(data.X_train, data.y_train)
    wall_s = time.monotonic() - began
    gaps = {
        one["measure"]: (one["value"], one["low"], one["high"])
        for one in model.fairness(data.X_test, data.y_test).to_dict(orient="records")
        if not one["group"]
    }
    parity, odds = gaps["demographic_parity"], gaps["equalized_odds"]
    (found,) = model.model_.info.get("bounds", [None]) if constraints else [None]
    gap = None if setting.gap is None else gaps[setting.gap]
    return Row(
        version=octavo.__version__,
        dataset=data.table.name,
        split=split,
        setting=setting.name,
        budget=budget(seconds, trials),
        n_test=len(data.y_test),
        accuracy=float(np.mean(model.predict(data.X_test) == data.y_test.to_numpy())),
        parity=parity[0],
        parity_low=parity[1],
        parity_high=parity[2],
        odds=odds[0],
        odds_low=odds[1],
        odds_high=odds[2],
        bound=None if gap is None else bound,
        met=None if gap is None else bool(gap[1] <= bound),
        met_exactly=None if gap is None else bool(gap[0] <= bound),
        validated=None if found is None else float(found["value"]),
        validated_met=None if found is None else bool(found["is_met"]),
        wall_s=wall_s,
    )


def budget(seconds: float | None, trials: int | None) -> str:
    """In words."""
    return f"{seconds:g} s" if trials is None else f"{trials} trials"


def summarize(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    """By table, setting and budget: splits on which the bound is met, and what it costs.

    Returns
    -------
    DataFrame
        `lost`: mean over splits of the accuracy without a bound minus that with it, each on the
        same held-out rows, and the standard error of that mean.
    """
    table = pd.DataFrame(rows).astype({"accuracy": float, "parity": float, "odds": float})
    free = {setting.name: setting.free for setting in SETTINGS}
    accuracy = {key(row): float(row["accuracy"]) for row in rows}
    found = []
    for (name, setting, spent), part in table.groupby(["dataset", "setting", "budget"], sort=False):
        lost = [
            accuracy[name, int(split), free[setting], spent] - own
            for split, own in zip(part["split"], part["accuracy"], strict=True)
            if (name, int(split), free[setting], spent) in accuracy
        ]
        is_free = setting.startswith("free")
        found.append(
            {
                "dataset": name,
                "setting": setting,
                "budget": spent,
                "splits": len(part),
                "met": "" if is_free else int((part["met"] == "True").sum()),
                "met_exactly": "" if is_free else int((part["met_exactly"] == "True").sum()),
                "parity": part["parity"].mean(),
                "odds": part["odds"].mean(),
                "accuracy": part["accuracy"].mean(),
                "lost": "" if is_free or not lost else f"{np.mean(lost):.4f} ± {_error(lost):.4f}",
            }
        )
    return pd.DataFrame(found)


def _error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")


def jobs(names: Sequence[str], splits: Sequence[int]) -> Iterator[tuple[str, int, Setting]]:
    """Split by split, so that a run that is stopped early has looked at everything a little."""
    for split in splits:
        for name in names:
            for setting in SETTINGS:
                yield name, split, setting


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("OCTAVO_DATA"))
    parser.add_argument("--tables", default=",".join(SENSITIVE), help="names, by commas")
    parser.add_argument("--splits", default=",".join(map(str, range(N_SPLITS))))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each fit")
    parser.add_argument("--trials", type=int, help="of each fit, instead of seconds")
    parser.add_argument("--bound", type=float, default=BOUND)
    parser.add_argument("--hours", type=float, default=24.0, help="nothing is begun later")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--summary", action="store_true", help="of the rows that there are")
    read = parser.parse_args(given)
    read.tables = read.tables.split(",")
    unknown = sorted(set(read.tables) - set(SENSITIVE))
    if unknown:
        parser.error(f"--tables names {unknown[0]!r}; use some of {', '.join(SENSITIVE)}")
    read.splits = [int(split) for split in read.splits.split(",")]
    if read.data is None and not read.summary:
        parser.error("give the folder of the tables with --data DIR, or set OCTAVO_DATA")
    return read


def main(given: Sequence[str] | None = None) -> None:
    """Run what is asked for and has no row; then print the summary."""
    asked = arguments(given)
    began = time.monotonic()
    seconds = None if asked.trials is not None else asked.seconds
    spent = budget(seconds, asked.trials)
    for name, split, setting in () if asked.summary else jobs(asked.tables, asked.splits):
        # Read again each time: another run may have added rows meanwhile.
        if (name, split, setting.name, spent) in map(key, known(asked.results)):
            continue
        if time.monotonic() - began > asked.hours * 3600:
            print("The hours are over; run the same command again to go on.")
            break
        data = tables.load(asked.data, tables.Table(name, "binary", 0), split)
        row = measure(data, split, setting, seconds=seconds, trials=asked.trials, bound=asked.bound)
        append(asked.results, row)
        print(
            f"{name:20} split {split}  {setting.name:15} accuracy {row.accuracy:.4f}  "
            f"parity {row.parity:.3f}  odds {row.odds:.3f}  met {row.met}  {row.wall_s:.1f} s",
            flush=True,
        )
    rows = known(asked.results)
    print(summarize(rows).to_string(index=False) if rows else "There are no rows yet.")


if __name__ == "__main__":
    main()
