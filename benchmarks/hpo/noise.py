"""Noise: the true regret of the configuration that a system reports, on the noisy tables.

    S=octavo:auto@5,octavo:auto@1,octavo:auto@5:best,octavo:auto@1:best,optuna:tpe,optuna:gp
    python benchmarks/hpo/noise.py --systems $S
    python benchmarks/hpo/noise.py --show

Each evaluation draws one of the stored seeds of a table. A number after "@" is what Octavo is
told as `repeats`: with how many seeds a configuration must have been evaluated before it may be
the incumbent. Regret is that of the mean over the stored seeds, normalized as in
`summarize.py`. Octavo reports what `Study.recommend` does, with ":best" behind the number its
incumbent instead; Optuna its `best_trial`, SMAC its incumbent (with `deterministic=False`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from catalog import NOISY, Places, load
from octavo_system import OctavoSystem
from reference import read
from reporting import markdown, paired, rank_and_mean, read_rows
from results import KEY, shown
from scripts import budgets_within, script
from searching import search, timings
from systems import load as load_system

RESULTS = Path(__file__).parent / "noise.csv"
BUDGETS = (25, 50, 100)
FIELDS = (
    *KEY, *(f"reported_{n}" for n in BUDGETS), "lucky_100", "ms_median", "ms_mean", "ms_p95",
    "wall_s", "failed",
)  # fmt: skip


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run.

    `lucky_100` is how much worse the report of the end is than the best that was tried, in
    normalized regret: what noise alone cost.
    """
    its = load(task, where)
    optimum, random_5 = read()[task]
    name, _, rest = system.partition("@")
    repeats, _, reported = rest.partition(":")
    # SMAC has to be told of noise in the same way; its own number of repeats is its default.
    n_repeats = int(repeats or (3 if name.startswith("smac:") else 1))
    problem = replace(its.problem(trials), repeats=n_repeats)
    budgets = budgets_within(BUDGETS, trials)
    its_system = load_system(name)
    if reported == "best" and isinstance(its_system, OctavoSystem):
        its_system.recommends = False
    elif reported:
        raise SystemExit(f"{system!r}: only Octavo's systems can be told what to report, :best.")
    record = search(its, its_system, seed, trials, problem=problem, report_at=budgets)
    regret = {n: (its.cost(record.reported[n]) - optimum) / (random_5 - optimum) for n in budgets}
    best = (record.best(trials) - optimum) / (random_5 - optimum)
    return {
        **{f"reported_{n}": shown(regret[n]) for n in budgets},
        "lucky_100": shown(regret[budgets[-1]] - best),
        "best": shown(regret[budgets[-1]]),
        **timings(record.cpu_ms),
    }


def show(paths: Sequence[Path], systems: Sequence[str], trials: int) -> str:
    """Mean rank and mean true regret of what systems report, on what all have."""
    frame = read_rows(paths, trials)
    systems = systems or sorted(set(frame["system"]))
    budgets = budgets_within(BUDGETS, trials)
    cells: dict[str, list[str]] = {system: [] for system in systems}
    shape: tuple[int, ...] = ()
    for n in budgets:
        values, _ = paired(frame, systems, f"reported_{n}")
        shape = values.shape
        found = rank_and_mean(values, lower_is_better=True, failed=1.0)
        for system, pair in zip(systems, found, strict=True):
            cells[system] += pair
    lucky, _ = paired(frame, systems, "lucky_100")
    for i, system in enumerate(systems):
        cells[system].append(f"{np.nanmean(lucky[i]):.3f}")
    head = ["system", *(f"{what} {n}" for n in budgets for what in ("rank", "regret")), "lost"]
    return f"{shape[1]} tasks, {shape[2]} seeds\n\n{markdown(head, cells)}"


if __name__ == "__main__":
    script(__doc__, out=RESULTS, fields=FIELDS, tasks=NOISY, trials=100, run=run, show=show)
