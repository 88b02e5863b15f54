"""`octavo tune`: any program, as a scenario says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import seconds
from octavo.cli.console import number, print_json, show_warnings, stderr, stdout
from octavo.cli.looking import print_recommended, recommended, tally, told_methods
from octavo.cli.starting import free_folder, process_start
from octavo.errors import OctavoError, StudyError
from octavo.measured import methods_of

if TYPE_CHECKING:
    from octavo.scenarios import Scenario
    from octavo.study import Study

__all__ = ["study_summary", "tell_study", "told_validation", "tune_command", "validate"]


def tune_command(
    path: str,
    *,
    check: bool,
    probe: bool,
    out: str | None,
    time_limit: str | None,
    trials: int | None,
    workers: int | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a scenario, or explain it, or run its program once; see `octavo tune --help`."""
    began = process_start()
    from octavo.scenarios import read_scenario, run_scenario
    from octavo.scenarios.running import check_storage, with_limits
    from octavo.study.reading import read_storage

    show_warnings(silent=quiet or as_json)
    scenario = read_scenario(path)
    scenario = with_limits(scenario, max_trials=trials, wall_s=seconds(time_limit, "--time"))
    if workers is not None:
        scenario = replace(scenario, workers=workers)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    storage = scenario.storage if out is None else read_storage(out)
    storage = storage or free_folder(Path("runs") / Path(path).stem)
    if check:
        _explain(scenario, storage, as_json=as_json)
        return
    if not (quiet or as_json):
        for warning in scenario.warnings:
            stderr().print(warning, markup=False, style="yellow")
    if probe:
        _probe(scenario, as_json=as_json)
        return
    check_storage(scenario, storage)
    progress = False if quiet or as_json else None
    study = run_scenario(scenario, storage=storage, progress=progress, began=began)
    with study:
        validate(study, progress=progress)
        tell_study(study, str(storage), as_json=as_json)


def validate(study: Study, *, progress: bool | None) -> None:
    """Judge the result on the scenario's held-out instances, if the search has come to its end."""
    from octavo.scenarios import validate_scenario
    from octavo.scenarios.running import executor_of

    if study.stopped_because.startswith(("interrupted", "stopped by")):
        return  # who does not want to wait for it; octavo resume comes back to it
    asked = study.settings.get("scenario", {})
    if asked.get("validation") is not None and study.history.incumbent is not None:
        if progress is None:
            stderr().print("on the held-out instances:")
        validate_scenario(study, executor=executor_of(asked["scheduler"]), progress=progress)


def tell_study(study: Study, run: str, *, as_json: bool) -> None:
    """What was found; an error if nothing was."""
    summary = study_summary(study, run)
    if as_json:
        print_json(summary)
    if summary["best"] is None:
        study.best  # noqa: B018  raises the sentence that says why
    if as_json:
        return
    console = stdout()
    stopped = summary["stopped_because"]
    console.print(f"{summary['trials']} trials; {stopped}.", markup=False)
    objective = study.problem.objectives[0]
    console.print(
        f"best {objective.name} {number(summary['best'])} (trial {summary['index']}): "
        f"{summary['config']}",
        markup=False,
    )
    console.print(told_methods(summary["measured"]), markup=False, end="")
    if len(study.problem.objectives) > 1:
        console.print(f"Pareto front: trials {summary['front']}", markup=False)
    print_recommended(summary)
    if "validation" in summary:
        console.print(told_validation(summary["validation"], objective.name), markup=False)
    if "command" in summary:
        console.print(f"command  {summary['command']}", markup=False, soft_wrap=True)
    export = f"octavo export {shlex.quote(run)} --out trials.csv"
    console.print(f"trials   {export}", markup=False, soft_wrap=True)


def told_validation(found: Mapping[str, Any], name: str) -> str:
    """What came of a validation, in a line."""

    def told(value: float, failed: int) -> str:
        return number(value) + (f" ({failed} failed)" if failed else "")

    n = found["instances"]
    line = (
        f"on {n} held-out instance{'s' * (n != 1)}: {name} "
        f"{told(found['value'], found['failed'])}, by default "
        f"{told(found['default_value'], found['default_failed'])}"
    )
    return line if found["is_complete"] else f"{line}; not complete, octavo resume goes on"


def study_summary(study: Study, run: str) -> dict[str, Any]:
    """What was found in the study that lies in `run`, as JSON."""
    from octavo.scenarios import stored_command, validation_of

    incumbent = study.history.incumbent
    summary = {
        "study": study.name,
        "run": run if study.folder is None or study.is_shared else str(study.folder),
        "trials": len(study.history),
        **tally(study),
        "best": None if incumbent is None else study.best_value,
        "index": None if incumbent is None else incumbent.index,
        "config": None if incumbent is None else study.best_config,
        "front": [trial.index for trial in study.pareto_front],
        "measured": dict(methods_of(study.problem, study.history)),
        "stopped_because": study.stopped_because,
        **recommended(study),
    }
    validation = validation_of(study)
    if validation is not None:
        summary["validation"] = dict(validation)
    command = stored_command(study.settings)
    if command is not None and incumbent is not None:
        proposal = incumbent.proposal
        line = command.line(
            proposal.config,
            seed=proposal.seed,
            fidelity=proposal.fidelity,
            instance=proposal.instance,
            folder=(study.folder or Path()) / "trials" / str(incumbent.index),
        )
        summary["command"] = shlex.join(line)
    return summary


def _explain(scenario: Scenario, storage: str | Path, *, as_json: bool) -> None:
    from octavo.scenarios.explaining import explain_scenario
    from octavo.scenarios.running import check_storage

    said = explain_scenario(scenario, storage)
    try:
        check_storage(scenario, storage)
    except OctavoError as error:  # nothing is wrong with the scenario, but it could not be run now
        said["warnings"].append(str(error))
    if as_json:
        print_json(said)
        return
    from rich.table import Table
    from rich.text import Text

    board = Table.grid(padding=(0, 2))
    board.add_column(style="bold", no_wrap=True)
    board.add_column(overflow="fold")
    for heading, value in said.items():
        lines = value if isinstance(value, list) else [value]
        for place, line in enumerate(lines):
            board.add_row(heading if place == 0 else "", Text(str(line)))
    stdout().print(board)
    stdout().print("\nNothing was run. octavo tune --try runs the command once.", markup=False)


def _probe(scenario: Scenario, *, as_json: bool) -> None:
    """Run the program once, with the default configuration, in a study in memory."""
    from octavo.problem import Limits
    from octavo.scenarios import run_scenario

    once = replace(
        scenario,
        problem=replace(scenario.problem, limits=Limits(max_trials=1)),
        first=(scenario.problem.space.default(),),
        workers=1,
    )
    with run_scenario(once, storage=None, progress=False) as study:
        trial = study.history[0]
        values = {
            objective.name: objective.value(cost)
            for objective, cost in zip(study.problem.objectives, trial.costs, strict=True)
        } | {c.name: v for c, v in zip(study.problem.constraints, trial.constraints, strict=False)}
    said = {
        "status": trial.status.value,
        "values": values,
        "wall_s": trial.resources.wall_s,
        "cpu_s": trial.resources.cpu_s,
        "memory_mb": trial.resources.memory_mb,
        "reports": len(trial.reports),
        "config": dict(trial.config),
        "cause": trial.cause,
    }
    if as_json:
        print_json(said)
    if not trial.succeeded:
        raise StudyError(f"the command was run once, and {trial.status.value}: {trial.cause}")
    if not as_json:
        console = stdout()
        console.print(f"ran once, with {said['config']}", markup=False)
        for name, value in values.items():
            console.print(f"  {name} = {value:g}", markup=False)
        console.print(
            f"in {trial.resources.wall_s:.2f} s, {trial.resources.cpu_s:.2f} CPU s, "
            f"{trial.resources.memory_mb:.0f} MiB; {len(trial.reports)} reports",
            markup=False,
        )
