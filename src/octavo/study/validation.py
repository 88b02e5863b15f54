"""Validating a study: its best configurations on instances that the search has not seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import is_whole
from octavo.errors import ProblemError, StudyError
from octavo.optimizers.protocol import trial_seed
from octavo.problem import Limits, Problem, TrialLimits
from octavo.schedulers.raced import rules_of, with_cutoff
from octavo.schedulers.run_all import RunAll
from octavo.storage import has_study
from octavo.study.objective import load_objective
from octavo.study.reading import read_storage
from octavo.study.running import RunSettings, run_study, stored_data
from octavo.study.study import Study, open_study

if TYPE_CHECKING:
    from octavo.executors.protocol import Executor

__all__ = ["validate_study"]

logger = logging.getLogger(__name__)

_SEEDS = 0x7E57  # a search fits its seeds too: validations have others


def validate_study(
    study: Study,
    instances: Sequence[str],
    objective: Callable[..., Any] | None,
    *,
    n_best: int,
    configs: Sequence[Mapping[str, Any]],
    repeats: int | None,
    workers: int | None,
    executor: Executor | None,
    trial_limits: TrialLimits | None,
    data: Mapping[str, Any] | None,
    storage: str | Path | None,
    progress: bool | None,
) -> Study:
    """See `Study.validate`."""
    many = study.problem.repeats if repeats is None else repeats
    names = tuple(instances) if isinstance(instances, list) else instances
    # Raises what is wrong with them before anything is made.
    problem = replace(study.problem, instances=names, instance_features={}, repeats=many)  # type: ignore[arg-type]
    if not problem.instances:
        raise ProblemError(
            "instances is empty, so there is nothing to validate on. Name the held-out instances, "
            "such as ['new1.cnf', 'new2.cnf']."
        )
    if not is_whole(n_best, 0) or n_best + len(configs) < 1:
        raise ProblemError(
            f"n_best={n_best!r} and {len(configs)} configs leave nothing to validate. Take at "
            "least n_best=1, the incumbent."
        )
    seen = [name for name in problem.instances if name in study.problem.instances]
    if seen:
        logger.warning(
            "%d of %d instances are among those of the search, such as %r. It was to do well on "
            "them: what is found there says little about others.",
            len(seen),
            len(problem.instances),
            seen[0],
        )
    last = study.settings.get("run", {})
    limits = trial_limits or TrialLimits(**last.get("trial_limits", {}))
    run_all = _run_all(study, [*_best(study, int(n_best)), *configs], limits)
    objective = load_objective(study.settings.get("objective"), objective or study.last_objective)
    if data is None and last.get("data"):
        data = stored_data(study, last["data"])
    validation = _open(study, run_all, problem, storage)
    try:
        run_study(
            validation,
            objective,
            RunSettings(
                limits=Limits(max_trials=len(run_all.configs) * len(problem.instances) * many),
                workers=last.get("workers") if workers is None else workers,
                executor=executor,
                trial_limits=limits,
                data=data,
                progress=progress,
            ),
        )
    except BaseException:
        validation.close()
        raise
    return validation


def _best(study: Study, n: int) -> list[Mapping[str, Any]]:
    if not n:
        return []
    best = study.best  # raises the sentence if there is none
    if not study.problem.instances:
        return [best.config]
    return [standing.config for standing in study.history.standings()[:n]]


def _run_all(study: Study, configs: Sequence[Mapping[str, Any]], limits: TrialLimits) -> RunAll:
    """Each configuration once, with the penalties of the study's race."""
    space = study.problem.space
    checked = [space.check(config) for config in configs]
    distinct = dict(zip(space.encode(checked).keys(), checked, strict=True))
    given = {"wall_s": limits.wall_s, "cpu_s": limits.cpu_s}
    rules = rules_of(with_cutoff(study.recipe, study.problem, given))
    return RunAll(
        configs=tuple(distinct.values()),
        cutoff_s=rules.cutoff_s,
        par=rules.par,
        failure_cost=rules.failure_cost,
    )


def _open(study: Study, run_all: RunAll, problem: Problem, storage: str | Path | None) -> Study:
    """The validation's own study: the one that was begun, or a new one."""
    asked = [list(run_all.configs), list(problem.instances), problem.repeats]
    asked += [run_all.cutoff_s, run_all.par, run_all.failure_cost]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
    place = _place(study, digest) if storage is None else read_storage(storage)
    sharing = study.store.sharing
    # Several processes may end a shared search at the same moment: one of them begins.
    with nullcontext() if sharing is None else sharing.turn():
        found = None if place is None else _begun(place)
        if found is None:
            return _begin(study, run_all, problem, place)
    if found.recipe != run_all or found.problem.instances != problem.instances:
        found.close()
        raise StudyError(
            f"{place} holds another study than this validation. Choose another place, or leave "
            "storage out."
        )
    return found


def _place(study: Study, digest: str) -> str | Path | None:
    sharing = study.store.sharing
    if sharing is not None:
        address = sharing.address
        return address.sibling(f"{address.study[:26]}.validation-{digest}")
    return None if study.folder is None else study.folder / "validation" / digest


def _begun(place: str | Path) -> Study | None:
    if isinstance(place, Path):
        return open_study(place) if place.exists() else None
    return open_study(place) if has_study(place) else None


def _begin(study: Study, run_all: RunAll, problem: Problem, place: str | Path | None) -> Study:
    return Study(
        problem.space,
        objectives=problem.objectives,
        constraints=problem.constraints,
        fidelity=problem.fidelity,
        instances=problem.instances,
        repeats=problem.repeats,
        optimizer=run_all,
        seed=trial_seed(study.seed, _SEEDS),
        storage=place,
        name=f"validation of {study.name}",
    )
