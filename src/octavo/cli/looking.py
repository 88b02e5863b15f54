"""`octavo leaderboard`, `report` and `studies`: what is there already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.cli.console import number, print_json, stderr, stdout, table_of
from octavo.errors import OctavoError, SettingError
from octavo.measured import Methods, measured_names, method, methods_of
from octavo.problem import MEASURED, Problem
from octavo.standings import outcome
from octavo.trial import Status, Trial

if TYPE_CHECKING:
    import pandas as pd

    from octavo.history import History
    from octavo.study import Study

__all__ = [
    "leaderboard_command",
    "print_recommended",
    "recommended",
    "report_command",
    "studies_command",
    "tally",
    "told_methods",
    "trials_frame",
]

WIDE = 100  # letters per line, from which on more columns are shown


def leaderboard_command(run: str, *, every: bool, top: int, as_json: bool) -> None:
    """The pipelines (or trials) of a run, best first."""
    from octavo.study import open_study
    from octavo.study.reading import read_storage
    from octavo.tabular.leaderboard import leaderboard
    from octavo.tabular.model import load_model
    from octavo.tabular.runs import is_run, load_stacked

    place = read_storage(run)
    folder = Path(run)  # of an address it is nothing that exists
    model = load_model(folder) if (folder / "model" / "model.json").exists() else None
    with open_study(place, write=False) as study:
        history = study.history
        if is_run(folder):
            stacked = None if model is None else load_stacked(folder)
            board = leaderboard(history, model, all_trials=every, stacked=stacked).head(top)
        else:
            board = trials_frame(history, every=every).head(top)
    if as_json:
        print_json(board.to_dict(orient="records"))
        return
    console = stdout()
    unseen = ["weight", "fit_s", "predict_s", "size_mb", "test"] if every else ["status", "cause"]
    if console.width < WIDE:
        unseen += ["predict_s", "size_mb", "memory_mb"]
    board = board.drop(columns=[*unseen, "measured"], errors="ignore")
    console.print(table_of(board, console.width, wide=("cause", "config")))
    console.print(told_methods(methods_of(history.problem, history)), markup=False, end="")


def trials_frame(history: History, *, every: bool) -> pd.DataFrame:
    """The trials of a history as a data frame, best first.

    Those that cannot be the incumbent come last: infeasible ones, those at a lower fidelity, and,
    as they do not compare at all only with `every`, those that were measured in another way.
    """
    import numpy as np
    import pandas as pd

    problem, comparable = history.problem, history.comparable
    level = np.zeros(len(history))
    if problem.fidelity is not None:
        level = np.nan_to_num(history.fidelity, nan=problem.fidelity.high)
    order = np.lexsort((history.costs[:, 0], -level, ~(history.feasible & comparable)))
    rows = [
        _row(problem, history[int(row)])
        for row in order
        if every or (history[int(row)].succeeded and comparable[row])
    ]
    return pd.DataFrame(rows, columns=_columns(problem))


def _columns(problem: Problem) -> list[str]:
    names = [o.name for o in problem.objectives] + [c.name for c in problem.constraints]
    fidelity = [] if problem.fidelity is None else ["fidelity"]
    measured = ["measured"] if measured_names(problem) else []
    return ["trial", *names, *fidelity, "wall_s", "config", *measured, "status", "cause"]


def _row(problem: Problem, trial: Trial) -> dict[str, Any]:
    values = [o.value(cost) for o, cost in zip(problem.objectives, trial.costs, strict=True)]
    how = trial.resources.how
    return {
        "trial": trial.index,
        **dict(zip([o.name for o in problem.objectives], values, strict=True)),
        **dict(zip([c.name for c in problem.constraints], trial.constraints, strict=True)),
        "fidelity": trial.proposal.fidelity,
        "wall_s": trial.resources.wall_s,
        "config": ", ".join(f"{name}={value}" for name, value in trial.config.items()),
        "measured": {name: method(how, name) for name in measured_names(problem)},
        "status": trial.status.value,
        "cause": trial.cause,
    }


def told_methods(methods: Methods) -> str:
    """The units of what Octavo measures, and how it was measured, a line for each."""
    return "".join(f"{name} in {MEASURED[name]}: {how}\n" for name, how in methods.items())


def report_command(run: str, *, out: str | None, as_json: bool) -> None:
    """Write the report anew, with time for the importance of columns."""
    from octavo.tabular.reporting import write_report
    from octavo.tabular.runs import load_result

    folder = Path(run)
    path = write_report(load_result(folder), Path(out) if out else folder / "report.html")
    if as_json:
        print_json({"report": str(path)})
        return
    stdout().print(str(path), markup=False)


def studies_command(folder: str, *, as_json: bool) -> None:
    """Every study below a folder, the latest first."""
    import pandas as pd

    root = Path(folder)
    if not root.is_dir():
        raise SettingError(
            f"{folder} is not a folder. Give the one that holds your runs: octavo studies DIR."
        )
    rows = []
    for file in sorted(root.rglob("history.sqlite")):
        try:
            rows.append(_summary(file.parent, root))
        except OctavoError as error:
            stderr().print(f"skipped {file.parent}: {error}", markup=False)
    rows.sort(key=lambda row: -row["changed"])
    if as_json:
        print_json(rows)
        return
    if not rows:
        stdout().print(f"no studies below {folder}", markup=False)
        return
    frame = pd.DataFrame(rows)
    frame["changed"] = [
        time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) for at in frame["changed"]
    ]
    console = stdout()
    console.print(table_of(frame, console.width))


def _summary(folder: Path, root: Path) -> dict[str, Any]:
    from octavo.study import open_study

    with open_study(folder, write=False) as study:
        history = study.history
        objective = study.problem.objectives[0]
        running = sum(lease.expires > time.time() for lease in study.store.leases())
        ends = history.ended[history.ended == history.ended]
        return {
            "run": str(folder.relative_to(root)) if folder != root else str(folder),
            "trials": study.n_run,
            "failed": study.n_run - int(history.succeeded.sum()),
            "running": running,
            "objective": objective.name,
            "best": objective.value(history.incumbent_cost),
            "changed": float(ends.max()) if len(ends) else study.settings["created"],
        }


def tally(study: Study) -> dict[str, int]:
    """How many trials failed, and how many were ended early because they had lost."""
    early = sum(
        trial.status is Status.STOPPED
        or (trial.status is Status.TIMEOUT and _is_capped(study, trial))
        for trial in study.history
        if not trial.succeeded
    )
    failed = study.n_run - int(study.history.succeeded.sum()) - early
    return {"failed": failed, "ended_early": early}


def _is_capped(study: Study, trial: Trial) -> bool:
    found = outcome(study.problem, trial)
    return found is not None and found.is_capped


def recommended(study: Study) -> dict[str, Any]:
    """For the summary of a study that was declared noisy, what it recommends; else nothing."""
    if study.problem.repeats == 1 or study.history.incumbent is None:
        return {}
    found = study.recommend()
    return {
        "recommended": {
            "index": found.trial.index,
            "value": found.value,
            "deviation": found.deviation,
            "config": dict(found.config),
        }
    }


def print_recommended(summary: Mapping[str, Any]) -> None:
    """Its line for people."""
    found = summary.get("recommended")
    if found:
        stdout().print(
            f"recommended, since it is noisy: trial {found['index']}, about "
            f"{number(found['value'])} ± {number(found['deviation'])}: {found['config']}",
            markup=False,
        )
