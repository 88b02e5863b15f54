"""Proposals and trials as rows of the tables, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import StudyError
from octavo.problem import Problem
from octavo.storage.json_text import (
    clean_text,
    dump,
    dump_leniently,
    dump_numbers,
    load,
    load_numbers,
)
from octavo.trial import Checkpoint, Origin, Proposal, Report, Resources, Status, Trial

__all__ = [
    "PROPOSAL_COLUMNS",
    "TRIAL_COLUMNS",
    "Arrangement",
    "fitting_revision",
    "proposal_from_row",
    "proposal_to_row",
    "report_from_row",
    "report_to_row",
    "trial_from_rows",
    "trial_to_row",
]

Floats = NDArray[np.float64]

PROPOSAL_COLUMNS = (
    "proposal_index",
    "config",
    "seed",
    "fidelity",
    "instance",
    "origin_by",
    "origin_intent",
    "origin_parents",
    "origin_data",
    "resume_from",
    "cutoff_s",
)
TRIAL_COLUMNS = (
    "revision",
    "status",
    "costs",
    "constraints",
    "cause",
    "wall_s",
    "cpu_s",
    "memory_mb",
    "energy_kwh",
    "measured_how",
    "n_reports",
    "checkpoint_path",
    "checkpoint_bytes",
    "output",
    "worker",
    "started",
    "ended",
    "extra",
)


def proposal_to_row(proposal: Proposal, revision: int) -> dict[str, Any]:
    """A row of `schema.proposals`."""
    if proposal.index < 0 or not 0 <= proposal.seed < 2**31:
        raise StudyError(
            f"proposal {proposal.index} with seed {proposal.seed} cannot be stored: an index is at "
            "least 0, and a seed lies in [0, 2**31). Number proposals from 0, and take a seed "
            "modulo 2**31."
        )
    if proposal.resume_from is not None and not 0 <= proposal.resume_from < proposal.index:
        raise StudyError(
            f"proposal {proposal.index} has resume_from={proposal.resume_from}, but can only go on "
            "from a trial that was proposed before it. Give its index, or None to start from zero."
        )
    if proposal.cutoff_s is not None and not proposal.cutoff_s > 0:
        raise StudyError(
            f"proposal {proposal.index} has cutoff_s={proposal.cutoff_s}, which leaves no time to "
            "run. Give seconds above 0, or None for no cutoff."
        )
    what = f"of proposal {proposal.index}"
    origin = proposal.origin
    return {
        "proposal_index": int(proposal.index),
        "revision": int(revision),
        "config": dump(proposal.config, f"the configuration {what}"),
        "seed": int(proposal.seed),
        "fidelity": _float(proposal.fidelity),
        "instance": clean_text(proposal.instance),
        "origin_by": clean_text(origin.by),
        "origin_intent": clean_text(origin.intent),
        "origin_parents": dump(origin.parents, f"origin.parents {what}"),
        "origin_data": dump(origin.data, f"origin.data {what}"),
        "resume_from": None if proposal.resume_from is None else int(proposal.resume_from),
        "cutoff_s": _float(proposal.cutoff_s),
    }


def proposal_from_row(row: Sequence[Any]) -> Proposal:
    """The proposal of a row with `PROPOSAL_COLUMNS`."""
    index, config, seed, fidelity, instance, by, intent, parents, data, *others = row
    resume_from, cutoff_s = others
    return Proposal(
        index=index,
        config=load(config),
        seed=seed,
        fidelity=fidelity,
        instance=instance,
        origin=Origin(
            by=by,
            intent=intent,
            parents=() if parents == "[]" else tuple(load(parents)),
            data={} if data == "{}" else load(data),
        ),
        resume_from=resume_from,
        cutoff_s=cutoff_s,
    )


def trial_to_row(trial: Trial, revision: int, n_reports: int) -> dict[str, Any]:
    """A row of `schema.trials`."""
    what = f"of trial {trial.index}"
    resources = trial.resources
    checkpoint = trial.checkpoint
    return {
        "proposal_index": int(trial.index),
        "revision": revision,
        "status": trial.status.value,
        "costs": dump_numbers(trial.costs),
        "constraints": dump_numbers(trial.constraints),
        "cause": clean_text(trial.cause),
        "wall_s": _float(resources.wall_s),
        "cpu_s": _float(resources.cpu_s),
        "memory_mb": _float(resources.memory_mb),
        "energy_kwh": _float(resources.energy_kwh),
        "measured_how": dump(resources.how, f"resources.how {what}"),
        "n_reports": n_reports,
        "checkpoint_path": None if checkpoint is None else clean_text(checkpoint.path),
        "checkpoint_bytes": None if checkpoint is None else int(checkpoint.size_bytes),
        "output": clean_text(trial.output),
        "worker": clean_text(trial.worker),
        "started": _float(trial.started),
        "ended": _float(trial.ended),
        "extra": dump_leniently(trial.extra, f"the extra data {what}"),
    }


def trial_from_rows(
    row: Sequence[Any], reports: Sequence[Report], arrangement: Arrangement
) -> Trial:
    """The trial of a row with `PROPOSAL_COLUMNS`, then `TRIAL_COLUMNS`."""
    n = len(PROPOSAL_COLUMNS)
    (
        revision,
        status,
        costs,
        constraints,
        cause,
        wall_s,
        cpu_s,
        memory_mb,
        energy_kwh,
        measured_how,
        _n_reports,
        checkpoint_path,
        checkpoint_bytes,
        output,
        worker,
        started,
        ended,
        extra,
    ) = row[n:]
    return Trial(
        proposal=proposal_from_row(row[:n]),
        status=Status(status),
        costs=arrangement.costs(revision)(load_numbers(costs)),
        constraints=arrangement.constraints(revision)(load_numbers(constraints)),
        cause=cause,
        resources=Resources(
            wall_s=wall_s,
            cpu_s=cpu_s,
            memory_mb=memory_mb,
            energy_kwh=energy_kwh,
            how={} if measured_how == "{}" else load(measured_how),
        ),
        reports=tuple(reports),
        checkpoint=(
            None if checkpoint_path is None else Checkpoint(checkpoint_path, checkpoint_bytes)
        ),
        output=output,
        worker=worker,
        started=started,
        ended=ended,
        extra={} if extra == "{}" else load(extra),
    )


def report_to_row(index: int, place: int, report: Report) -> dict[str, Any]:
    """A row of `schema.reports`."""
    return {
        "proposal_index": index,
        "place": place,
        "step": float(report.step),
        "at_s": float(report.at_s),
        "reported": dump(report.values, f"report {place} of trial {index}"),
    }


def report_from_row(row: Sequence[Any]) -> Report:
    """The report of a row (step, at_s, reported)."""
    step, at_s, reported = row
    return Report(step=step, values=load(reported), at_s=at_s)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


Rearrange = Callable[[tuple[float, ...]], tuple[float, ...]]


class Arrangement:
    """Puts the numbers of trials of all revisions into the order of one problem.

    A revision may add, drop or reorder constraints (or objectives, in a problem that the
    reader chose). Numbers are matched by name; what was not measured is NaN.

    Parameters
    ----------
    problem
        The problem in whose order the numbers are wanted.
    revisions
        All problems of the study by revision.
    """

    def __init__(self, problem: Problem, revisions: Mapping[int, Problem]) -> None:
        self._problem = problem
        self._revisions = revisions
        self._costs: dict[int, Rearrange] = {}
        self._constraints: dict[int, Rearrange] = {}

    def costs(self, revision: int) -> Rearrange:
        """How to rearrange the costs of a trial proposed under a revision."""
        if revision not in self._costs:
            have = {o.name: o.maximize for o in self._revisions[revision].objectives}
            want = self._problem.objectives
            signs = [-1.0 if have.get(o.name, o.maximize) != o.maximize else 1.0 for o in want]
            self._costs[revision] = _rearrange(list(have), [o.name for o in want], signs)
        return self._costs[revision]

    def constraints(self, revision: int) -> Rearrange:
        """How to rearrange the constraint values of a trial proposed under a revision."""
        if revision not in self._constraints:
            have = [c.name for c in self._revisions[revision].constraints]
            want = [c.name for c in self._problem.constraints]
            self._constraints[revision] = _rearrange(have, want, [1.0] * len(want))
        return self._constraints[revision]

    def matrix(self, kind: str, revisions: Sequence[int], values: Sequence[Any]) -> Floats:
        """Shape (n, wanted): the numbers of many trials at once; None and absent are NaN."""
        how = self.costs if kind == "costs" else self.constraints
        width = len(self._problem.objectives if kind == "costs" else self._problem.constraints)
        used = {revision: how(revision) for revision in set(revisions)}
        regular = all(rearrange is _unchanged for rearrange in used.values())
        if regular and set(map(len, values)) <= {width}:
            return np.array(values, dtype=float).reshape(len(values), width)
        rows = [
            used[revision](tuple([float("nan") if v is None else v for v in row]))
            for revision, row in zip(revisions, values, strict=True)
        ]
        rows = [row if len(row) == width else (float("nan"),) * width for row in rows]
        return np.array(rows, dtype=float).reshape(len(values), width)


def _unchanged(values: tuple[float, ...]) -> tuple[float, ...]:
    return values


def _rearrange(have: list[str], want: list[str], signs: list[float]) -> Rearrange:
    if have == want and all(sign == 1.0 for sign in signs):
        return _unchanged
    places = [have.index(name) if name in have else None for name in want]

    def rearranged(values: tuple[float, ...]) -> tuple[float, ...]:
        if len(values) != len(have):
            return () if not values else (float("nan"),) * len(want)
        return tuple(
            float("nan") if place is None else sign * values[place]
            for place, sign in zip(places, signs, strict=True)
        )

    return rearranged


def fitting_revision(trial: Trial, asked_under: int, problems: Mapping[int, Problem]) -> int:
    """Under which revision of the problem a trial was read: its proposal's, or the latest.

    Raises
    ------
    StudyError
        If the number of costs or constraint values fits neither.
    """
    for revision in (asked_under, max(problems)):
        problem = problems[revision]
        if len(trial.costs) == len(problem.objectives) and len(trial.constraints) in (
            0,
            len(problem.constraints),
        ):
            return revision
    problem = problems[max(problems)]
    raise StudyError(
        f"trial {trial.index} has {len(trial.costs)} costs and {len(trial.constraints)} constraint "
        f"values, and the problem has the objectives {[o.name for o in problem.objectives]} and "
        f"the constraints {[c.name for c in problem.constraints]}. Give one number for each, NaN "
        "where there is none."
    )
