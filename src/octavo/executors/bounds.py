"""What one trial may use: the limits of the study, of what is left of it, and its own cutoff."""

from __future__ import annotations

from dataclasses import dataclass

from octavo.problem import Problem, TrialLimits
from octavo.trial import Proposal

__all__ = ["Bounds", "bounds"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one trial may use before it is killed; None: no limit.

    Parameters
    ----------
    wall_s, memory_mb, cpu_s
        As in `TrialLimits`.
    cutoff
        Which of them is the proposal's own cutoff: "wall_s", "cpu_s", or "" for none.
    """

    wall_s: float | None = None
    memory_mb: float | None = None
    cpu_s: float | None = None
    cutoff: str = ""


def bounds(
    problem: Problem, limits: TrialLimits, proposal: Proposal, *, wall_s: float | None = None
) -> Bounds:
    """The limits of one trial: of all that are given, the least.

    Parameters
    ----------
    problem
        Says by its first objective what a cutoff counts: CPU time if that is "cpu_time".
    limits
        Of every trial of the study.
    proposal
        May have a cutoff of its own.
    wall_s
        What the study has left.

    Examples
    --------
    >>> problem, limits = Problem(space=None), TrialLimits(wall_s=10, cpu_s=8)
    >>> bounds(problem, limits, Proposal(0, {}, cutoff_s=2.5))
    Bounds(wall_s=2.5, memory_mb=None, cpu_s=8, cutoff='wall_s')
    >>> bounds(problem, limits, Proposal(0, {}, cutoff_s=99), wall_s=7)
    Bounds(wall_s=7, memory_mb=None, cpu_s=8, cutoff='')
    """
    least = {"wall_s": _least(limits.wall_s, wall_s), "cpu_s": limits.cpu_s}
    cutoff = ""
    if proposal.cutoff_s is not None:
        name = "cpu_s" if problem.objectives[0].name == "cpu_time" else "wall_s"
        other = least[name]
        if other is None or proposal.cutoff_s < other:
            least[name], cutoff = proposal.cutoff_s, name
    return Bounds(least["wall_s"], limits.memory_mb, least["cpu_s"], cutoff)


def _least(one: float | None, other: float | None) -> float | None:
    given = [limit for limit in (one, other) if limit is not None]
    return min(given, default=None)
