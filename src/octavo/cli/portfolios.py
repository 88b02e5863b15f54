"""`octavo portfolio build`: what earlier runs tell later ones to try first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.cli.console import number, print_json, show_warnings, stdout
from octavo.errors import SettingError

if TYPE_CHECKING:
    from octavo.transfer import Evaluations, KnownTask, Portfolio

__all__ = ["portfolio_build_command"]


def portfolio_build_command(
    runs: Sequence[str],
    *,
    out: str,
    size: int,
    candidates: int,
    by_count: bool,
    measured_only: bool,
    as_json: bool,
) -> None:
    """Build a portfolio from the folders of runs, write it, and say how good it may be."""
    from octavo.transfer import build_portfolio, from_histories
    from octavo.transfer.histories import typical_deadlines

    path = Path(out)
    if path.exists():
        raise SettingError(
            f"--out {out} exists, and nothing is overwritten. Give another file, or remove it."
        )
    show_warnings(silent=as_json)
    tasks = _tasks(runs)
    evaluations = from_histories(tasks, candidates=candidates, predict=not measured_only)
    deadlines = None if by_count else typical_deadlines(tasks)
    judged = _judged(evaluations, size, deadlines)
    portfolio = build_portfolio(
        evaluations,
        size=size,
        deadlines=deadlines,
        about={"made_by": "octavo portfolio build", **judged},
    )
    portfolio.save(path)
    if as_json:
        print_json({"file": str(path), "members": len(portfolio), **portfolio.origin})
        return
    _tell(portfolio, path)


def _tasks(runs: Sequence[str]) -> list[KnownTask]:
    """One task for each run, with names that differ."""
    from octavo.tabular.earlier import earlier_run

    tasks: list[KnownTask] = []
    for run in dict.fromkeys(str(Path(run)) for run in runs):
        task = earlier_run(run)
        taken = {other.name for other in tasks}
        # Two runs of one name are told apart by their folders.
        tasks.append(replace(task, name=run) if task.name in taken else task)
    return tasks


def _judged(
    evaluations: Evaluations, size: int, deadlines: tuple[float, float] | None
) -> dict[str, Any]:
    """Mean costs on runs that were left out, of the portfolio and of random orders."""
    from octavo.transfer.left_out import GreedyStrategy, RandomOrders, leave_one_out

    assert evaluations.groups is not None
    if len(set(evaluations.groups)) < 3:
        return {}  # what is learned from one table only says nothing about another
    found = {}
    for name, strategy in (
        ("left_out_cost", GreedyStrategy(size, deadlines)),
        ("left_out_cost_of_random_orders", RandomOrders()),
    ):
        means = leave_one_out(evaluations, strategy, size=size).mean_costs
        found[name] = [round(float(mean), 4) for mean in means]
    return found


def _tell(portfolio: Portfolio, path: Path) -> None:
    console, origin = stdout(), portfolio.origin
    tables = "data set" if origin["n_groups"] == 1 else "data sets"
    console.print(
        f"{len(portfolio)} configurations -> {path}, from {origin['n_datasets']} runs on "
        f"{origin['n_groups']} {tables}",
        markup=False,
    )
    shares = ", ".join(
        f"{origin[f'share_{word}']:.0%} {word}"
        for word in ("measured", "predicted", "failed", "unknown")
    )
    console.print(f"of the costs that it was chosen by: {shares}", markup=False)
    if "left_out_cost" not in origin:
        console.print(
            "how well it does on other data than these cannot be told from fewer than three data "
            "sets",
            markup=False,
        )
        return
    for title, name in (
        ("the portfolio", "left_out_cost"),
        ("a random order", "left_out_cost_of_random_orders"),
    ):
        curve = origin[name]
        shown = ", ".join(f"{number(curve[k])} after {k}" for k in (1, 3, 10) if k < len(curve))
        console.print(f"on data sets that were left out, {title}: {shown}", markup=False)
    console.print("(0: the best that is known there; 1: its median, or a plain guess)")
