"""From the matrix to the portfolio that Octavo ships, and whether it is better than what was there.

    python benchmarks/portfolio/build.py

Reads what `collect.py` wrote. Writes the portfolio (`--out`, by default
`src/octavo/tabular/portfolio.json`) and `report.md`: each table is left out in turn, with the
tables that are related to it, and the orders learned from the others are compared on it with the
order in which a search begins without a portfolio, and with random orders.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from octavo.ensemble.metrics import get_metric
from octavo.tabular.portfolio import SIMILAR_FIRST
from octavo.transfer import Evaluations, build_portfolio, leave_one_out
from octavo.transfer.left_out import (
    GreedyStrategy,
    LeftOut,
    RandomOrders,
    SimilarFirst,
    Strategy,
)
from octavo.transfer.similarity import learned_weights, near_counts_more, nearest_first

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "src" / "octavo" / "tabular" / "portfolio.json"
SIZE = 25
DEADLINES = (1.0, 600.0)  # CPU seconds on one thread between which users stop
SHOWN = (1, 2, 3, 5, 10, 20)
FAILED = ("crashed", "timeout", "memory")


def read(folder: Path) -> tuple[Evaluations, dict[str, list[int]]]:
    """The evaluations, and for each table the order in which a search begins on it now."""
    rows = json.loads((folder / "configurations.json").read_text())
    tables = pd.read_csv(folder / "tables.csv").set_index("table")
    matrix = pd.read_csv(folder / "matrix.csv", keep_default_na=False)
    tables = tables[tables.index.isin(matrix.loc[matrix["status"] == "success", "table"])]
    costs = np.full((len(tables), len(rows)), np.nan)
    seconds = costs.copy()
    place = {name: at for at, name in enumerate(tables.index)}
    metrics = [get_metric(t.metric, t.task) for t in tables.itertuples()]
    later = []
    for row in matrix[matrix["table"].isin(place)].itertuples():
        at, column = place[row.table], int(row.config)
        if row.status == "success":
            costs[at, column] = metrics[at].to_cost(float(row.score))
        elif row.status in FAILED:
            costs[at, column] = np.inf
        elif row.status == "left out":
            seconds[at, column] = 0.0  # it is passed over, which takes no time
        elif row.status == "same":
            later.append((at, column, int(row.same_as)))
        if row.seconds != "":
            seconds[at, column] = float(row.seconds)
    for at, column, earlier in later:
        costs[at, column], seconds[at, column] = costs[at, earlier], seconds[at, earlier]
    features = [
        {k: np.nan if v is None else v for k, v in json.loads(t.features).items()}
        for t in tables.itertuples()
    ]
    evaluations = Evaluations(
        list(tables.index),
        [row["config"] for row in rows],
        costs,
        seconds=seconds,
        baselines=np.array(
            [m.to_cost(b) for m, b in zip(metrics, tables["baseline"], strict=True)]
        ),
        groups=list(tables["group"]),
        features=features,
    )
    return evaluations, {t.Index: json.loads(t.opening) for t in tables.itertuples()}


@dataclass(frozen=True)
class Opening:
    """The order in which a search begins without a portfolio: it differs from table to table."""

    orders: Mapping[str, list[int]]

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> list[list[int]]:
        """One order."""
        return [self.orders[dataset]]


@dataclass(frozen=True)
class Learned:
    """A strategy by similarity, whose weights are learned from the known tables."""

    reorder: Callable[..., list[int]]

    def __call__(
        self, known: Evaluations, dataset: str, features: Mapping[str, float]
    ) -> Sequence[Sequence[int]]:
        """One order."""
        weights = learned_weights(list(known.features or ()), known.normalized())
        reorder = partial(self.reorder, weights=weights)
        return SimilarFirst(SIZE, DEADLINES, reorder)(known, dataset, features)


def strategies(orders: Mapping[str, list[int]]) -> dict[str, Strategy]:
    """What is compared, by name."""
    return {
        "random order": RandomOrders(),
        "the present opening": Opening(orders),
        "portfolio, by count": GreedyStrategy(SIZE),
        "portfolio, by time": GreedyStrategy(SIZE, DEADLINES),
        "by time, nearest first": SimilarFirst(SIZE, DEADLINES, nearest_first),
        "by time, near counts more": SimilarFirst(SIZE, DEADLINES, near_counts_more),
        "by time, nearest first, learned weights": Learned(nearest_first),
        "by time, near counts more, learned weights": Learned(near_counts_more),
    }


def against(found: LeftOut, other: LeftOut) -> str:
    """Mean difference of areas to another strategy, with its standard error over tables."""
    gaps = other.areas - found.areas
    mean = float(found.weights @ gaps)
    # Of a weighted mean; related tables share a weight, so they do not count as more evidence.
    error = float(np.sqrt((np.square(found.weights) * np.square(gaps - mean)).sum()))
    return f"{mean:+.4f} ± {error:.4f}"


def report(evaluations: Evaluations, results: Mapping[str, LeftOut]) -> str:
    """The comparison as Markdown."""
    shares = [
        f"{np.isfinite(evaluations.costs).mean():.0%} succeeded",
        f"{np.isinf(evaluations.costs).mean():.0%} failed",
        f"{np.isnan(evaluations.costs).mean():.0%} were left out or not run",
    ]
    groups = len(set(evaluations.groups or ()))
    steps = [k for k in SHOWN if k <= SIZE]
    lines = [
        "# The portfolio on tables that it was not learned from",
        "",
        f"{len(evaluations)} tables in {groups} groups, {len(evaluations.configs)} configurations; "
        f"of all pairs {', '.join(shares)}.",
        "0 is the best configuration of all on the left-out table, 1 the median or a plain guess. "
        f"Area: expected cost at a deadline between {DEADLINES[0]:g} and {DEADLINES[1]:g} CPU "
        "seconds, log-uniform. Gain: how much lower the area is than that of the present opening, "
        "with its standard error.",
        "",
        f"| order | {' | '.join(f'after {k}' for k in steps)} | area | gain |",
        f"| --- |{' --- |' * (len(steps) + 2)}",
    ]
    for name, found in results.items():
        cells = [f"{found.mean_costs[k]:.3f}" for k in steps]
        gain = against(found, results["the present opening"])
        lines.append(f"| {name} | {' | '.join(cells)} | {found.mean_area:.4f} | {gain} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge the orders, then build the portfolio from all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--matrix", type=Path, default=HERE, help="folder that collect.py wrote")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file of the portfolio")
    given = parser.parse_args()
    evaluations, orders = read(given.matrix)
    results = {
        name: leave_one_out(evaluations, strategy, size=SIZE, deadlines=DEADLINES)
        for name, strategy in strategies(orders).items()
    }
    text = report(evaluations, results)
    print(text)
    plain, similar = results["portfolio, by time"], results["by time, near counts more"]
    is_better = similar.mean_area < plain.mean_area
    text += f"\nNear tables count more: {against(similar, plain)} against the portfolio by time.\n"
    (given.matrix / "report.md").write_text(text)
    left_out = (similar if is_better else plain).mean_costs
    portfolio = build_portfolio(
        evaluations,
        size=SIZE,
        deadlines=DEADLINES,
        about={
            "made_by": "benchmarks/portfolio/build.py",
            SIMILAR_FIRST: bool(is_better),
            "left_out_cost": [round(float(cost), 4) for cost in left_out],
        },
    )
    print(f"{len(portfolio)} configurations -> {portfolio.save(given.out)}")


if __name__ == "__main__":
    main()
