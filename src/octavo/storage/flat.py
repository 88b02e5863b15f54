"""A trial as one flat row, for tables: each field has a column, whose kind never changes.

Columns: `index` and `status`; `objective.*` in the user's direction, `constraint.*` and
`config.*` by name; then the fields of the trial and its proposal. None stands for "absent":
an inactive hyperparameter, an unknown time, a constraint value that was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from octavo.problem import Problem
from octavo.storage.json_text import clean_text, dump, dump_leniently, load
from octavo.trial import Checkpoint, Origin, Proposal, Report, Resources, Status, Trial

__all__ = ["FIELDS", "Kind", "flat_row", "kind_of", "trial_from_flat"]

Kind = Literal["int", "float", "text", "json", "any"]
"""What a column holds; "any": whatever a hyperparameter may be."""

FIELDS: Mapping[str, Kind] = {
    "index": "int",
    "status": "text",
    "seed": "int",
    "fidelity": "float",
    "instance": "text",
    "origin.by": "text",
    "origin.intent": "text",
    "origin.parents": "json",
    "origin.data": "json",
    "resume_from": "int",
    "cutoff_s": "float",
    "cause": "text",
    "wall_s": "float",
    "cpu_s": "float",
    "memory_mb": "float",
    "energy_kwh": "float",
    "measured_how": "json",
    "reports": "json",
    "checkpoint.path": "text",
    "checkpoint.size_bytes": "int",
    "output": "text",
    "worker": "text",
    "started": "float",
    "ended": "float",
    "extra": "json",
}
"""The columns that every table of trials has, beside objectives, constraints, configuration."""


def kind_of(column: str) -> Kind:
    """What a column of a table of trials holds."""
    if column.startswith(("objective.", "constraint.")):
        return "float"
    return FIELDS.get(column, "any")


def flat_row(trial: Trial, problem: Problem) -> dict[str, Any]:
    """One value per column; hyperparameters that are inactive have none."""
    proposal, origin, resources = trial.proposal, trial.proposal.origin, trial.resources
    checkpoint = trial.checkpoint
    what = f"of trial {trial.index}"
    values = trial.constraints or (None,) * len(problem.constraints)
    return {
        "index": int(proposal.index),
        "status": trial.status.value,
        **{
            f"objective.{objective.name}": float(objective.value(cost))
            for objective, cost in zip(problem.objectives, trial.costs, strict=True)
        },
        **{
            f"constraint.{constraint.name}": _float(value)
            for constraint, value in zip(problem.constraints, values, strict=True)
        },
        **{
            f"config.{name}": value
            for name, value in load(dump(proposal.config, f"the configuration {what}")).items()
        },
        "seed": int(proposal.seed),
        "fidelity": _float(proposal.fidelity),
        "instance": clean_text(proposal.instance),
        "origin.by": clean_text(origin.by),
        "origin.intent": clean_text(origin.intent),
        "origin.parents": list(origin.parents),
        "origin.data": load(dump(origin.data, f"origin.data {what}")),
        "resume_from": None if proposal.resume_from is None else int(proposal.resume_from),
        "cutoff_s": _float(proposal.cutoff_s),
        "cause": clean_text(trial.cause),
        "wall_s": _float(resources.wall_s),
        "cpu_s": _float(resources.cpu_s),
        "memory_mb": _float(resources.memory_mb),
        "energy_kwh": _float(resources.energy_kwh),
        "measured_how": dict(resources.how),
        "reports": [
            {"step": float(r.step), "at_s": float(r.at_s), "values": dict(r.values)}
            for r in trial.reports
        ],
        "checkpoint.path": None if checkpoint is None else clean_text(checkpoint.path),
        "checkpoint.size_bytes": None if checkpoint is None else int(checkpoint.size_bytes),
        "output": clean_text(trial.output),
        "worker": clean_text(trial.worker),
        "started": _float(trial.started),
        "ended": _float(trial.ended),
        "extra": load(dump_leniently(trial.extra, f"the extra data {what}")),
    }


def trial_from_flat(
    row: Mapping[str, Any], problem: Problem, config: Mapping[str, Any], extra: Mapping[str, Any]
) -> Trial:
    """The trial of a row whose values have the right kinds; absent columns have defaults."""

    def given(name: str, otherwise: Any) -> Any:
        value = row.get(name)
        return otherwise if value is None else value

    measured = [row.get(f"constraint.{c.name}") for c in problem.constraints]
    path = row.get("checkpoint.path")
    return Trial(
        proposal=Proposal(
            index=row["index"],
            config=config,
            seed=given("seed", 0),
            fidelity=row.get("fidelity"),
            instance=row.get("instance"),
            origin=Origin(
                by=given("origin.by", ""),
                intent=given("origin.intent", ""),
                parents=tuple(given("origin.parents", ())),
                data=given("origin.data", {}),
            ),
            resume_from=row.get("resume_from"),
            cutoff_s=row.get("cutoff_s"),
        ),
        status=Status(row["status"]),
        costs=tuple(o.cost(_or_nan(row.get(f"objective.{o.name}"))) for o in problem.objectives),
        constraints=(
            () if all(v is None for v in measured) else tuple(_or_nan(v) for v in measured)
        ),
        cause=given("cause", ""),
        resources=Resources(
            wall_s=row.get("wall_s"),
            cpu_s=row.get("cpu_s"),
            memory_mb=row.get("memory_mb"),
            energy_kwh=row.get("energy_kwh"),
            how=given("measured_how", {}),
        ),
        reports=tuple(
            Report(step=r["step"], values=r["values"], at_s=r["at_s"]) for r in given("reports", ())
        ),
        checkpoint=(None if path is None else Checkpoint(path, given("checkpoint.size_bytes", 0))),
        output=row.get("output"),
        worker=given("worker", ""),
        started=row.get("started"),
        ended=row.get("ended"),
        extra={**given("extra", {}), **extra},
    )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
