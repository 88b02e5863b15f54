"""The learning curves of a study's trials: reports as costs of the first objective.

A trial that went on from the checkpoint of another one continues its curve: steps count from
where the first of them began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.problem import Problem
from octavo.trial import Proposal, Report, Trial

__all__ = ["Curve", "cost_at", "curve_of", "reports_since", "whole_curve"]

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]


def curve_of(problem: Problem, reports: Iterable[Report]) -> Curve:
    """Steps and costs of the first objective, sorted by step; NaN where it diverged.

    Reports that do not name the objective are left out, and of a step that was reported again
    the last report counts.
    """
    objective = problem.objectives[0]
    points = {
        report.step: objective.cost(float(report.values[objective.name]))
        for report in reports
        if objective.name in report.values
    }
    steps = sorted(points)
    return np.array(steps, dtype=float), np.array([points[step] for step in steps], dtype=float)


def reports_since(
    proposal: Proposal, own: Sequence[Report], find: Callable[[int], Trial | None]
) -> list[Report]:
    """The reports of a trial and of those from whose checkpoints it goes on, the first ones first.

    Parameters
    ----------
    proposal
        Of the trial.
    own
        What it reported itself.
    find
        The completed trial with an index; None if there is none.
    """
    parts = [list(own)]
    met = {proposal.index}
    while proposal.resume_from is not None and proposal.resume_from not in met:
        met.add(proposal.resume_from)  # a foreign history may go round in circles
        before = find(proposal.resume_from)
        if before is None:
            break
        parts.append(list(before.reports))
        proposal = before.proposal
    return [report for part in reversed(parts) for report in part]


def whole_curve(
    problem: Problem,
    proposal: Proposal,
    own: Sequence[Report],
    find: Callable[[int], Trial | None],
) -> Curve:
    """The curve of a trial from the very beginning, see `reports_since` and `curve_of`."""
    return curve_of(problem, reports_since(proposal, own, find))


def cost_at(curve: Curve, step: float) -> float:
    """The cost at the first report from `step` on; NaN if the curve has not come so far."""
    place = int(np.searchsorted(curve[0], step))
    return float(curve[1][place]) if place < len(curve[0]) else float("nan")
