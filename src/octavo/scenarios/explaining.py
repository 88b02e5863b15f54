"""What a scenario will do, in words, without running it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from octavo.problem import MEASURED, Fidelity, Limits, TrialLimits
from octavo.scenarios.questions import full_budget
from octavo.scenarios.running import check_limits, make_study
from octavo.scenarios.scenario import Scenario
from octavo.scenarios.space_table import names_of
from octavo.spaces import Believed
from octavo.storage import Address, is_address

__all__ = ["explain_scenario"]

N_SHOWN = 12


def explain_scenario(scenario: Scenario, storage: str | Path) -> dict[str, Any]:
    """By heading, one sentence or a list of them.

    Parameters
    ----------
    scenario
        What is to be explained.
    storage
        Where its study would lie.

    Raises
    ------
    SettingError
        If nothing would end the search.
    """
    check_limits(scenario)
    command, problem = scenario.command, scenario.problem
    default = problem.space.default()
    drawn = problem.space.decode(problem.space.sample(1, np.random.default_rng(0)))[0]
    first = Path("." if is_address(storage) else storage) / "trials" / "0"
    about: dict[str, Any] = {
        "fidelity": full_budget(problem.fidelity),
        "instance": problem.instances[0] if problem.instances else None,
        "folder": "trials/0" if is_address(storage) else first,
    }
    study = make_study(scenario, None)
    with study:
        why = study.why
    return {
        "scenario": str(scenario.path),
        "runs": [shlex.join(command.line(config, **about)) for config in (default, drawn)],
        "in": "each trial's own folder" if command.in_trial_folder else command.scenario,
        "protocol": command.protocol or "none",
        "space": _space(problem.space),
        "objectives": [
            f"{'maximize' if o.maximize else 'minimize'} {o.name}, {_how(scenario, o.name)}"
            for o in problem.objectives
        ],
        "constraints": [
            f"{_bounds(c.low, c.name, c.high)}, {_how(scenario, c.name)}"
            for c in problem.constraints
        ],
        "fidelity": _fidelity(problem.fidelity),
        "instances": _instances(scenario),
        "validation": _validation(scenario),
        "limits": _limits(problem.limits) or "none but the size of the space",
        "each trial": _trial_limits(scenario.trial_limits) or "without limits of its own",
        "optimizer": why,
        "stoppers": ", ".join(map(repr, scenario.stoppers)) or "none",
        "workers": scenario.scheduler or scenario.workers,
        "storage": str(Address.of(str(storage)) if is_address(storage) else storage),
        "warnings": list(scenario.warnings),
    }


def _space(space: Any) -> list[str]:
    inner = space.space if isinstance(space, Believed) else space
    lines = [line.strip() for line in repr(inner).splitlines()[1:-1]]
    n = len(names_of(space))
    said = [f"{n} hyperparameter{'s' * (n != 1)}", *lines]
    if isinstance(space, Believed):
        said.append(f"believed to be good: {len(space.good)} configuration(s)")
    return said


def _how(scenario: Scenario, name: str) -> str:
    reading = scenario.command.readings.get(name)
    if reading is None:
        unit = MEASURED.get(name)
        if unit is not None and name not in scenario.command.readings:
            return f"measured by Octavo, in {unit}"
        return f"as the protocol {scenario.command.protocol!r} reports it"
    where = "what it prints" if reading.file is None else f"the file {reading.file}"
    if reading.exit_code:
        return "its exit code"
    if reading.json is not None:
        return f"key {reading.json!r} of a JSON line of {where}"
    return f"by the regular expression '{reading.regex}' in {where}"


def _bounds(low: float | None, name: str, high: float | None) -> str:
    least = "" if low is None else f"{low:g} <= "
    return least + name + ("" if high is None else f" <= {high:g}")


def _fidelity(fidelity: Fidelity | None) -> str:
    if fidelity is None:
        return "none"
    scale = ", in equal ratios" if fidelity.log else ""
    return f"{fidelity.name} from {fidelity.low:g} to {fidelity.high:g}{scale}"


def _instances(scenario: Scenario) -> str:
    names = scenario.problem.instances
    if not names:
        return "none"
    more = f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    n = len(next(iter(scenario.problem.instance_features.values()), ()))
    features = f", with {n} features each" if n else ""
    return f"{len(names)}: {', '.join(names[:N_SHOWN])}{more}{features}"


def _validation(scenario: Scenario) -> str:
    asked = scenario.validation
    if asked is None:
        return "none"
    n = len(asked.instances)
    judged = "the best configuration" if asked.best == 1 else f"the {asked.best} best ones"
    return f"{judged} and the default one on {n} held-out instance{'s' * (n != 1)}, at the end"


def _limits(limits: Limits) -> str:
    return _joined(
        (limits.max_trials, "{} trials"),
        (limits.wall_s, "{} s of wall clock"),
        (limits.cpu_s, "{} s of CPU time"),
        (limits.target, "a target of {}"),
    )


def _trial_limits(limits: TrialLimits) -> str:
    return _joined(
        (limits.wall_s, "{} s of wall clock"),
        (limits.cpu_s, "{} s of CPU time"),
        (limits.memory_mb, "{} MiB of memory"),
    )


def _joined(*parts: tuple[float | None, str]) -> str:
    said: Iterable[str] = (text.format(f"{value:g}") for value, text in parts if value is not None)
    return ", ".join(said)
