"""From a TOML file to a `Scenario`; whatever makes no sense is refused with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from octavo.errors import SettingError, closest
from octavo.executors.arguments import Argument, placeholders, split
from octavo.executors.command import Command
from octavo.optimizers import CATALOG, WHERE, recipe as as_recipe
from octavo.optimizers.protocol import Recipe
from octavo.optimizers.recipes import recipe_from_json
from octavo.problem import Problem
from octavo.scenarios.instances import read_instances
from octavo.scenarios.programs import check_program
from octavo.scenarios.questions import (
    cutoff_of,
    full_budget,
    read_constraints,
    read_fidelity,
    read_first,
    read_limits,
    read_objectives,
)
from octavo.scenarios.scenario import Scenario
from octavo.scenarios.settings import holds_recipe, read_settings
from octavo.scenarios.source import Table, read_source
from octavo.scenarios.space_table import names_of, read_space
from octavo.scenarios.stoppers import read_stoppers
from octavo.scenarios.validation import read_validation
from octavo.scenarios.warnings import warnings_of
from octavo.storage import Address, is_address
from octavo.study.reading import read_seed

__all__ = ["read_scenario"]

N_DRAWN = 20  # configurations whose command lines are written as a check

_KEYS = (
    "command", "protocol", "parameters", "bound", "run_in", "success", "environment", "report",
    "space", "forbidden", "priors", "first", "objectives", "constraints", "fidelity", "instances",
    "validation", "limits", "repeats", "optimizer", "stoppers", "workers", "scheduler", "seed",
    "storage", "name",
)  # fmt: skip


def read_scenario(path: str | Path) -> Scenario:
    """Read a scenario, and check everything that can be checked without running it.

    Parameters
    ----------
    path
        A TOML file; relative paths in it begin at its folder.

    Raises
    ------
    SettingError, SpaceError, ProblemError
        With file and line, what is wrong, and what to write instead.
    """
    path = Path(path)
    scenario, folder = read_source(path), path.parent
    scenario.only(*_KEYS)
    arguments, environment = _program(scenario, folder)
    found = read_space(scenario, folder)
    instances = read_instances(scenario, folder)
    validation = read_validation(scenario, folder, instances)
    limits, trial_limits, checkpoint_mb = read_limits(scenario)
    protocol = scenario.get("protocol", str)
    objectives, readings = read_objectives(scenario, protocol)
    constraints, more = read_constraints(scenario, protocol)
    fidelity = read_fidelity(scenario)
    with scenario.at("objectives" if "objectives" in scenario else "constraints"):
        problem = Problem(
            space=found.space,
            objectives=objectives,
            constraints=constraints,
            fidelity=fidelity,
            repeats=scenario.get("repeats", int, default=1),
            limits=limits,
            instances=instances.names,
            instance_features=instances.features,
        )
    with scenario.at("command"):
        command = Command(
            arguments=arguments,
            hyperparameters=names_of(found.space),
            readings={**readings, **more},
            scenario=str(folder.absolute()),
            in_trial_folder=_in_trial_folder(scenario),
            protocol=protocol,
            style=scenario.get("parameters", str),
            switches=found.switches,
            fidelity=None if fidelity is None else fidelity.name,
            instances=(*instances.names, *(validation.instances if validation else ())),
            instances_are_files=instances.are_files,
            cutoff_s=cutoff_of(trial_limits),
            bound=scenario.get("bound", bool, default=False),
            success=_success(scenario),
            environment=environment,
            **_report(scenario),
        )
        _check_values(command, problem)
    recipe = _optimizer(scenario)
    with scenario.at("seed"):
        seed = scenario.get("seed", int)
        read_seed(seed)
    with scenario.at("optimizer"):
        recipe.start(problem, 0)  # one that cannot work here says so now
    if checkpoint_mb is not None and "checkpoint" not in command.placeholders:
        scenario.source.refuse(
            ("limits", "checkpoints"),
            "checkpoints are limited, but the command leaves none. Add the placeholder "
            "{checkpoint}, a folder in which it leaves its state, and {resume}, from which it goes "
            "on; or remove the limit.",
        )
    return Scenario(
        path=path,
        command=command,
        problem=problem,
        trial_limits=trial_limits,
        optimizer=recipe,
        first=read_first(scenario, problem),
        workers=_workers(scenario),
        seed=seed,
        storage=_storage(scenario, folder),
        name=scenario.get("name", str, default=path.stem),
        stoppers=read_stoppers(scenario, is_reported=command.reports),
        checkpoint_mb=checkpoint_mb,
        scheduler=_scheduler(scenario),
        validation=validation,
        warnings=warnings_of(scenario, command, problem),
        places={name: scenario.source.place((name,)) for name in scenario.values},
    )


# The program ----------------------------------------------------------------------------


def _program(scenario: Table, folder: Path) -> tuple[tuple[Argument, ...], dict[str, str]]:
    if "command" not in scenario:
        scenario.refuse(
            "command",
            "a scenario needs a command: the program to be tuned. Write such as "
            'command = ["python3", "train.py", "--rate", "{rate}"].',
        )
    environment = scenario.table("environment")
    for name in environment.values:
        environment.get(name, str)
        if not name or "=" in name:
            environment.refuse(
                name,
                f"{name!r} is no name of a variable: it is empty, or has an equals sign. Write "
                "environment = {NAME = 'value'}.",
            )
    given = scenario.get("command", str, list)
    with scenario.at("command"):
        arguments = split(given) if isinstance(given, str) else _listed(scenario, given)
        for argument in arguments:
            list(placeholders(argument))  # braces that do not fit together say so
    if not arguments:
        scenario.refuse("command", "the command is empty. Begin with the program.")
    with scenario.at("command"):
        check_program(
            arguments,
            folder,
            environment.values,
            in_trial_folder=_in_trial_folder(scenario),
        )
    return arguments, dict(environment.values)


def _listed(scenario: Table, given: list[Any]) -> tuple[Argument, ...]:
    arguments: list[Argument] = []
    for number, one in enumerate(given):
        if isinstance(one, list) and one and all(isinstance(part, str) for part in one):
            arguments.append(tuple(one))
        elif isinstance(one, str):
            arguments.append(one)
        else:
            scenario.source.refuse(
                ("command", number),
                f"the command has the argument {one!r}. Arguments are texts, in quotes, or lists "
                "of texts that stand or fall together.",
            )
    return tuple(arguments)


def _in_trial_folder(scenario: Table) -> bool:
    where = scenario.get("run_in", str, default="scenario")
    if where not in ("scenario", "trial"):
        scenario.refuse(
            "run_in",
            f"run_in = {where!r} is no place. Write 'scenario' for the scenario's folder, or "
            "'trial' for a folder of each trial's own.",
        )
    return bool(where == "trial")


def _success(scenario: Table) -> tuple[int, ...]:
    codes = scenario.get("success", list, default=[0])
    if not codes or not all(isinstance(c, int) and not isinstance(c, bool) for c in codes):
        scenario.refuse(
            "success", f"success = {codes!r} is no list of exit codes. Write such as [0, 10, 20]."
        )
    return tuple(codes)


def _report(scenario: Table) -> dict[str, str | None]:
    """How points of the learning curve are read, as `Command` takes it."""
    table = scenario.table("report")
    table.only("regex", "json")
    if "report" in scenario and not table.values:
        scenario.refuse(
            "report",
            r"[report] is empty. Write regex = 'epoch (?P<step>\d+) loss (?P<loss>\S+)', or "
            "json = 'epoch', the key of the step in lines that are JSON objects.",
        )
    return {"report": table.get("regex", str), "report_json": table.get("json", str)}


def _check_values(command: Command, problem: Problem) -> None:
    """Write some command lines, so that a value that does not fit its format says so now."""
    space = problem.space
    drawn = space.decode(space.sample(N_DRAWN, np.random.default_rng(0)))
    for config in (space.default(), *drawn):
        line = command.line(
            config,
            fidelity=full_budget(problem.fidelity),
            instance=problem.instances[0] if problem.instances else None,
        )
        for argument in (*line, *command.environment.values()):
            if "\0" in argument:
                raise SettingError(
                    f"{argument!r} has a zero byte, which no argument and no variable can have. "
                    "Write it to a file, and name that."
                )


# The search ------------------------------------------------------------------------------


def _optimizer(scenario: Table) -> Recipe:
    given = scenario.get("optimizer", str, dict, default="auto")
    with scenario.at("optimizer"):
        if isinstance(given, str):
            return as_recipe(given)
    return recipe_from_json(_recipe_json(scenario.table("optimizer")))


def _recipe_json(table: Table) -> dict[str, Any]:
    """A table with a name and settings as the JSON of a recipe; so are tables within."""
    if "name" not in table:
        table.refuse("name", "the optimizer has no name. Write such as name = 'tpe'.")
    name = table.get("name", str)
    if name not in WHERE:
        table.refuse(
            "name",
            f"there is no optimizer called {name!r}.{closest(str(name), WHERE)} Write "
            f"name = 'tpe'; the catalog has {', '.join(WHERE)}.",
        )
    kind: Any = CATALOG[name]
    settings = read_settings(table, kind)
    for key in settings:
        if holds_recipe(kind, key):
            if isinstance(table.get(key, str, dict), str):  # its name alone
                table = Table(
                    table.source, table.key, {**table.values, key: {"name": settings[key]}}
                )
            settings[key] = _recipe_json(table.table(key))
    made = {"recipe": name, "settings": settings}
    with table.source.at(table.key):
        recipe_from_json(made)
    return made


def _storage(scenario: Table, folder: Path) -> str | Path | None:
    storage: str | None = scenario.get("storage", str)
    if storage is None:
        return None
    if is_address(storage):
        with scenario.at("storage"):
            Address.of(storage)
        return storage
    return folder / storage


def _scheduler(scenario: Table) -> str | None:
    address: str | None = scenario.get("scheduler", str)
    if address is not None and "://" not in address:
        scenario.refuse(
            "scheduler",
            f"scheduler = {address!r} is no address of a Dask scheduler. Write such as "
            "'tcp://head:8786', which it prints when it starts.",
        )
    return address


def _workers(scenario: Table) -> int:
    workers = scenario.get("workers", int, default=1)
    if workers < 1:
        scenario.refuse(
            "workers", f"workers = {workers} must be at least 1: so many trials run at a time."
        )
    return int(workers)
