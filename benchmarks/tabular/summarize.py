"""Turn results.csv into the tables of RESULTS.md.

    python benchmarks/tabular/summarize.py --system octavo --seconds 60
    python benchmarks/tabular/summarize.py --seconds 60 --beside autogluon:medium

Normalized score of a run: 0 is the constant prediction (class frequencies, or the mean), 1 is
the best of the compared systems on that table and split, linear in the error (1 - roc_auc,
log_loss, rmse), not below -1, since log loss has no worst value. A run that failed counts as
the constant prediction.

A system is *better or even* on a table if its mean score over the splits is better than the
rival's, or worse by no more than one standard error of the rival's (bootstrap over test rows).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results.csv"
SEARCHING = ("octavo", "flaml", "autogluon:medium", "autogluon:best")
AMOUNTS = {"predict_s": "predict s", "size_mb": "size MiB", "peak_mb": "peak MiB"}


def read(path: Path) -> pd.DataFrame:
    """The results with a column `error` (smaller is better) and a column `name`."""
    rows = pd.read_csv(path)
    rows["error"] = rows["score"].where(rows["metric"] != "roc_auc", 1 - rows["score"])
    timed = rows["seconds"] > 0
    rows["name"] = rows["system"].where(
        ~timed, rows["system"] + " " + rows["seconds"].map("{:g} s".format)
    )
    return rows


def normalized(rows: pd.DataFrame) -> pd.DataFrame:
    """Shape (tables x splits, systems): 0 is the constant prediction, 1 the best system."""
    error = rows.pivot(index=["dataset", "split"], columns="name", values="error")
    constant = error.pop("constant")
    error = error.apply(lambda column: column.fillna(constant))
    best = np.minimum(error.min(axis=1), constant)
    scale = (constant - best).where(constant > best, 1.0)
    return error.rsub(constant, axis=0).div(scale, axis=0).clip(lower=-1.0)


def against(rows: pd.DataFrame, name: str, rival: str) -> dict[str, float]:
    """On how many tables `name` is better than, or better or even with, `rival`."""
    both = rows[rows["name"].isin([name, rival])]
    # a split counts where both have run, whatever came of it
    both = both.groupby(["dataset", "split"]).filter(lambda group: len(group) == 2)
    constant = rows[rows["name"] == "constant"].set_index(["dataset", "split"])["error"]
    pairs = both.pivot(index=["dataset", "split"], columns="name", values="error")
    pairs = pairs.apply(lambda column: column.fillna(constant))
    error = pairs.groupby("dataset").mean()
    of_rival = both[both["name"] == rival]
    # of the mean over the splits, whose test rows are drawn apart
    se = of_rival.groupby("dataset")["score_se"].agg(
        lambda values: np.sqrt((values**2).sum()) / len(values)
    )
    gap = error[name] - error[rival]
    even = gap <= se.reindex(gap.index).fillna(0.0)
    return {"tables": len(gap), "better": int((gap < 0).sum()), "better or even": int(even.sum())}


def table(frame: pd.DataFrame) -> str:
    """A table in Markdown."""
    head = [frame.index.name or "", *map(str, frame.columns)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, row in frame.iterrows():
        cells = [
            f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else
            f"{value:.0f}" if isinstance(value, float) else str(value)
            for value in row
        ]  # fmt: skip
        lines.append("| " + " | ".join([str(name), *cells]) + " |")
    return "\n".join(lines)


def beside(rows: pd.DataFrame, name: str, rival: str) -> None:
    """Print two systems side by side, run by run, with what their models need."""
    both = rows[rows["name"].isin([name, rival])]
    both = both.groupby(["dataset", "split"]).filter(lambda group: len(group) == 2)
    runs = both.pivot(index=["dataset", "split"], columns="name")
    ours, theirs = (runs.xs(one, axis=1, level=1) for one in (name, rival))
    lines = pd.DataFrame(
        {
            "split": runs.index.get_level_values("split").astype(str),
            "metric": ours["metric"],
            name: ours["score"].map("{:.4g}".format),
            rival: theirs["score"].map("{:.4g}".format),
            "better": np.where(ours["error"] < theirs["error"], name.split()[0], ""),
            "standard error": theirs["score_se"].map("{:.2g}".format),
        }
    )
    for column, title in AMOUNTS.items():
        lines[title] = [
            f"{one:.3g} / {other:.3g}"
            for one, other in zip(ours[column], theirs[column], strict=True)
        ]
    lines.index = pd.Index(runs.index.get_level_values("dataset"), name="table")
    print(table(lines), end="\n\n")
    better = int((ours["error"] < theirs["error"]).sum())
    print(f"{name} is better on {better} of {len(lines)} runs than {rival}.")
    for column, title in AMOUNTS.items():
        ratio = theirs[column] / ours[column]
        print(
            f"{title}: medians {ours[column].median():.3g} / {theirs[column].median():.3g}, "
            f"highest {ours[column].max():.3g} / {theirs[column].max():.3g}; a third or less on "
            f"{(ratio >= 3).mean():.0%} of runs, no more on {(ratio >= 1).mean():.0%}; "
            f"median ratio {ratio.median():.3g}"
        )
    for one, of in ((name, ours), (rival, theirs)):
        print(f"{one}: worst overshoot {of['overshoot'].max():.1f} s")
        certain = of["calibration_error"].dropna()
        if len(certain):
            print(f"{one}: median calibration error {certain.median():.4f} on {len(certain)} runs")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--system", default="octavo")
    parser.add_argument("--seconds", default="60", help="budgets to show; the first is judged")
    parser.add_argument("--splits", default="", help="only these; default: all")
    parser.add_argument("--beside", default="", help="one system to compare run by run with")
    given = parser.parse_args()
    rows = read(given.results)
    if given.splits:
        rows = rows[rows["split"].isin([int(text) for text in given.splits.split(",")])]
    budgets = [float(text) for text in given.seconds.split(",")]
    rows = rows[rows["seconds"].isin([0.0, *budgets])]
    name = f"{given.system} {budgets[0]:g} s" if given.system in SEARCHING else given.system

    if given.beside:
        beside(rows, name, f"{given.beside} {budgets[0]:g} s")
        return

    # A mean over other tables or splits would be no comparison.
    n_places = len(rows[["dataset", "split"]].drop_duplicates())
    counts = rows.groupby("name").size()
    partial = counts[counts < n_places]
    for other, count in partial.items():
        print(f"{other} is left out, with {count} of {n_places} runs; see --splits.\n")
    rows = rows[~rows["name"].isin(partial.index)]
    scores = normalized(rows)
    # Ranks of the systems shown; a failure ranks as the constant prediction does.
    ranks = (-scores).rank(axis=1).mean()
    overview = pd.DataFrame(
        {
            "mean rank": ranks,
            "mean normalized score": scores.mean(),
            "standard error": scores.groupby("dataset").mean().sem(),
            "runs": rows.groupby("name").size(),
            "failed": rows[rows["status"] != "ok"].groupby("name").size(),
            "mean wall s": rows.groupby("name")["wall_s"].mean().round(1),
            "worst overshoot s": rows.groupby("name")["overshoot"].max().round(1),
            "highest peak MiB": rows.groupby("name")["peak_mb"].max().round(0),
            "median predict s": rows.groupby("name")["predict_s"].median().round(3),
            "median size MiB": rows.groupby("name")["size_mb"].median().round(2),
        }
    ).drop("constant")
    overview["failed"] = overview["failed"].fillna(0)
    overview.index.name = "system"
    ranked = overview.sort_values("mean normalized score", ascending=False)
    print(table(ranked.fillna(0).astype(float)), end="\n\n")

    if name in scores:
        rivals = {rival: against(rows, name, rival) for rival in scores.columns if rival != name}
        frame = pd.DataFrame(rivals).T.astype(float)
        frame.index.name = f"{name} against"
        print(table(frame), end="\n\n")

    shown = rows[rows["name"] != "constant"]
    each = shown.pivot_table(index=["dataset"], columns="name", values="score", aggfunc="mean")
    each.insert(0, "metric", shown.groupby("dataset")["metric"].first())
    each.index.name = "table"
    print(table(each))


if __name__ == "__main__":
    main()
