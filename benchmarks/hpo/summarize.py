"""What `results.csv` says: the mean final cost per task and optimizer, and who wins.

    python benchmarks/hpo/summarize.py

Costs are normalized: 0 is the best configuration of a table, 1 its median one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results.csv"
RIVAL = "random"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--trials", type=int, default=100)
    arguments = parser.parse_args()
    results = pd.read_csv(arguments.out)
    results = results[results["trials"] == arguments.trials]
    for version, rows in results.groupby("version"):
        table = rows.pivot_table(index="task", columns="optimizer", values="normalized")
        print(f"version {version}: mean normalized final cost after {arguments.trials} trials\n")
        print(table.round(4).to_string())
        print()
        ms = rows.groupby("optimizer")["ms_per_proposal"].mean()
        for optimizer in table.columns:
            both = table[[optimizer, RIVAL]].dropna() if optimizer != RIVAL else table[[RIVAL]]
            seeds = rows[rows["optimizer"] == optimizer].groupby("task")["seed"].nunique()
            line = f"{optimizer}: mean {table[optimizer].mean():.4f}, {ms[optimizer]:.1f} ms"
            if optimizer != RIVAL:
                wins = int((both[optimizer] < both[RIVAL]).sum())
                line += f", better than {RIVAL} on {wins} of {len(both)} tasks"
            print(f"{line} ({seeds.min()} to {seeds.max()} seeds)")


if __name__ == "__main__":
    main()
