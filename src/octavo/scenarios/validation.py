"""Held-out instances of a scenario: on them its result is judged when the search has ended.

The study remembers them, so that whoever resumes it, on whatever machine, judges its result
on the same ones; and what came of it, so that it can be shown without running anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.scenarios.instances import Instances, read_instances
from octavo.scenarios.source import Table
from octavo.storage import Address
from octavo.study import Study, open_study

if TYPE_CHECKING:
    from octavo.executors.protocol import Executor

__all__ = [
    "ASKED",
    "Validation",
    "open_validation",
    "read_validation",
    "validate_scenario",
    "validation_of",
]

_SETTING = "validation"  # of the study: what came of it
ASKED = "scenario"
"""The setting of a study that remembers what its scenario asks besides the problem."""


@dataclass(frozen=True)
class Validation:
    """What the result is judged on.

    Parameters
    ----------
    instances
        None of them is an instance of the search.
    best
        So many of the best configurations are run on them, beside the default one.
    """

    instances: tuple[str, ...]
    best: int = 1


def read_validation(scenario: Table, folder: Path, instances: Instances) -> Validation | None:
    """What `validation` says, in the ways of `instances`; in a table also `best`.

    Raises
    ------
    SettingError
        With file and line; also if an instance of the search is among them.
    """
    if _SETTING not in scenario:
        return None
    found = read_instances(scenario, folder, _SETTING, more=("best",))
    if not instances.names:
        scenario.refuse(
            _SETTING,
            "there are instances for validation, and none for the search. Add instances = "
            "'train/*.cnf', over which configurations are raced.",
        )
    seen = {_file(folder, name) for name in instances.names}
    both = [name for name in found.names if _file(folder, name) in seen]
    if both:
        scenario.refuse(
            _SETTING,
            f"{both[0]!r} is an instance of the search as well"
            f"{f', and so are {len(both) - 1} more' if len(both) > 1 else ''}. Keep them apart: "
            "on what it has seen, a search judges itself too well.",
        )
    if found.are_files != instances.are_files:
        scenario.refuse(
            _SETTING,
            "the instances of the search and those of the validation are to be of one kind: all "
            "files, or all names. Write names = [...] in both tables, or in none.",
        )
    table = scenario.values[_SETTING]
    if not isinstance(table, dict):
        return Validation(found.names)
    best = scenario.table(_SETTING).get("best", int, default=1)
    if best < 1:
        scenario.table(_SETTING).refuse(
            "best", f"best = {best} must be at least 1: so many configurations are judged."
        )
    return Validation(found.names, best)


def _file(folder: Path, name: str) -> Path:
    """Which file an instance is, however its path is written; of a name, none that there is."""
    return (folder / name).resolve()


# When the search has ended --------------------------------------------------------------


def validate_scenario(
    study: Study, *, executor: Executor | None = None, progress: bool | None = None
) -> Mapping[str, Any] | None:
    """Run the best configurations, and the default one, on the held-out instances.

    What was run before is not run again. It takes no part in the limits of the search.

    Parameters
    ----------
    study
        Of a scenario.
    executor, progress
        As in `octavo.minimize`.

    Returns
    -------
    Mapping or None
        As `validation_of`. None if there is nothing to validate (on).
    """
    asked = study.settings.get(ASKED, {}).get(_SETTING)
    if asked is None or study.history.incumbent is None:
        return None
    default = study.problem.space.default()
    with study.validate(
        asked["instances"],
        n_best=asked["best"],
        configs=[default],
        executor=executor,
        progress=progress,
    ) as validation:
        found = _told(study, validation, default)
    study.update_settings(validation=found)
    return found


def validation_of(study: Study) -> Mapping[str, Any] | None:
    """What came of the last validation, if the incumbent is still the one that was judged.

    Returns
    -------
    Mapping or None
        `instances` and `trials` (how many), `value` of the incumbent and `default_value` of the
        default configuration (means over the instances, NaN if nothing succeeded), `failed` and
        `default_failed` (runs), `index` of the incumbent, `is_complete`, and where it lies.
    """
    found: Mapping[str, Any] | None = study.settings.get(_SETTING)
    incumbent = study.history.incumbent
    if found is None or incumbent is None or dict(found["config"]) != dict(incumbent.config):
        return None
    return found


def open_validation(study: Study, place: str | Path) -> Study | None:
    """The study of the last validation, to look at; None before any.

    Parameters
    ----------
    study
        That was validated.
    place
        Where it lies itself.
    """
    found = study.settings.get(_SETTING)
    if found is None or found["at"] is None:
        return None
    if isinstance(place, str):
        return open_study(Address.of(place).sibling(found["at"]), write=False)
    return open_study(place / found["at"], write=False)


def _told(study: Study, validation: Study, default: Mapping[str, Any]) -> dict[str, Any]:
    best = study.best_config
    rows = {_key(row.config): row for row in validation.history.standings()}
    ours, given = rows.get(_key(best)), rows.get(_key(default))
    run_all: Any = validation.recipe
    n_runs = len(run_all.configs) * len(validation.problem.instances) * validation.problem.repeats
    return {
        "at": _name_of(study, validation),
        "instances": len(validation.problem.instances),
        "trials": len(validation.history),
        "value": float("nan") if ours is None else ours.cost,
        "failed": 0 if ours is None else ours.n_failed,
        "default_value": float("nan") if given is None else given.cost,
        "default_failed": 0 if given is None else given.n_failed,
        "config": best,
        "index": study.best.index,
        "is_complete": len(validation.history) >= n_runs,
    }


def _name_of(study: Study, validation: Study) -> str | None:
    """Where the validation lies, as seen from its study."""
    if validation.store.sharing is not None:
        return validation.store.sharing.address.study
    if study.folder is None or validation.folder is None:
        return None
    return str(validation.folder.relative_to(study.folder))


def _key(config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(config.items()))
