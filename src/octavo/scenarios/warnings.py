"""What a scenario allows, and probably does not mean."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from octavo.executors.command import Command
from octavo.problem import Problem
from octavo.scenarios.source import Table
from octavo.spaces import Believed, HyperparameterSpace, Space

__all__ = ["warnings_of"]


def warnings_of(scenario: Table, command: Command, problem: Problem) -> tuple[str, ...]:
    """What the command will make of the values, where that is probably not meant.

    Raises
    ------
    SettingError
        If it cannot be meant: all trials would be the same; with file and line.
    """
    where, found = scenario.source.place(("command",)), []
    unused = [name for name in command.unused if name != command.fidelity]
    for name in unused:
        found.append(
            f"{where}: the command is never told {name!r}, so it makes no difference. Add the "
            f"placeholder {{{name}}}, or {{parameters}} for all."
        )
    if len(unused) < len(command.unused):
        scenario.refuse(
            "command",
            f"the command is never told the fidelity {command.fidelity!r}, so that its cheap "
            f"trials would be full ones. Add the placeholder {{{command.fidelity}}}, or leave "
            "[fidelity] out.",
        )
    if unused and len(unused) == len(command.hyperparameters):
        scenario.refuse(
            "command",
            f"the command is told no hyperparameter, so that all trials would be the same. Add "
            f"{{{command.hyperparameters[0]}}} for each one, or {{parameters}} for all.",
        )
    found += [f"{where}: {told}" for told in _lost_values(command, problem.space)]
    n = len(problem.instances)
    if n and not command.is_wrapper and "instance" not in command.placeholders:
        scenario.refuse(
            "command",
            f"the command is never told which of the {n} instances to run. Add the placeholder "
            "{instance}.",
        )
    if n and problem.objectives[0].name in ("runtime", "time"):
        found.append(
            f"{scenario.source.place(('objectives',))}: "
            f"{problem.objectives[0].name!r} is what the wrapper says, so that a run that fails "
            "has no cost, and none is ended early. [objectives.cpu_time] or [objectives.wall_time] "
            "are measured, penalized (PAR10) and capped."
        )
    return tuple(found)


def _lost_values(command: Command, space: Space) -> Iterator[str]:
    """Flags that take the argument after their own, which is left out where it is empty."""
    inner = space.space if isinstance(space, Believed) else space
    domains = inner.domains if isinstance(inner, HyperparameterSpace) else ()
    choices = {domain.name: domain.choices for domain in domains if "" in domain.choices}
    for flag, argument in pairwise(command.arguments):
        if not (isinstance(flag, str) and isinstance(argument, str) and flag.startswith("-")):
            continue
        name = argument[1:-1]
        if argument != f"{{{name}}}" or name not in choices:
            continue
        is_switch = all(str(value).startswith("-") for value in choices[name] if value != "")
        if not is_switch:
            yield (
                f"where {name!r} is the empty string its argument is left out, and {flag!r} before "
                f"it stays. Write '{flag}={argument}', or the list ['{flag}', '{argument}'], which "
                "passes an empty one."
            )
