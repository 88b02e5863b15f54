"""`octavo leaderboard`, `report` and `studies`: what is there already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.cli.console import number, print_json, stderr, stdout, table_of
from octavo.errors import OctavoError, SettingError
from octavo.standings import outcome
from octavo.trial import Status, Trial

if TYPE_CHECKING:
    from octavo.study import Study

__all__ = [
    "leaderboard_command",
    "print_recommended",
    "recommended",
    "report_command",
    "studies_command",
    "tally",
    "trials_frame",
]

WIDE = 100  # letters per line, from which on more columns are shown


def leaderboard_command(run: str, *, every: bool, top: int, as_json: bool) -> None:
    """The pipelines (or trials) of a run, best first."""
    from octavo.study import open_study
    from octavo.study.reading import read_storage
    from octavo.tabular.leaderboard import leaderboard
    from octavo.tabular.model import load_model
    from octavo.tabular.runs import is_run

    place = read_storage(run)
    folder = Path(run)  # of an address it is nothing that exists
    model = load_model(folder) if (folder / "model" / "model.json").exists() else None
    with open_study(place, write=False) as study:
        if is_run(folder):
            board = leaderboard(study.history, model, all_trials=every).head(top)
        else:
            board = trials_frame(study.history, every=every).head(top)
    if as_json:
        print_json(board.to_dict(orient="records"))
        return
    console = stdout()
    unseen = ["weight", "fit_s", "predict_s", "size_mb", "test"] if every else ["status", "cause"]
    if console.width < WIDE:
        unseen += ["predict_s", "size_mb"]
    board = board.drop(columns=unseen, errors="ignore")
    console.print(table_of(board, console.width, wide=("cause", "config")))


def trials_frame(history: Any, *, every: bool) -> Any:
    """The trials of a history as a data frame, best first."""
    import pandas as pd

    names = [objective.name for objective in history.problem.objectives]
    rows = [
        {
            "trial": trial.index,
            **{
                objective.name: objective.value(cost)
                for objective, cost in zip(history.problem.objectives, trial.costs, strict=True)
            },
            "wall_s": trial.resources.wall_s,
            "config": ", ".join(f"{name}={value}" for name, value in trial.config.items()),
            "status": trial.status.value,
            "cause": trial.cause,
        }
        for trial in history
        if every or trial.succeeded
    ]
    frame = pd.DataFrame(rows, columns=["trial", *names, "wall_s", "config", "status", "cause"])
    first = history.problem.objectives[0]
    return frame.sort_values(first.name, ascending=not first.maximize, kind="stable")


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
