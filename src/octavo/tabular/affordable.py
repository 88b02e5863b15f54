"""Which pipelines may still begin: those that can finish, or get far, in the time that is left."""

from __future__ import annotations

from octavo.study.loop import Accept
from octavo.tabular.cash import family_of
from octavo.tabular.costs import TrialCosts
from octavo.tabular.prepare import Prepared
from octavo.tabular.sampling import FINALS_BEGIN, rows_told
from octavo.trial import Proposal

__all__ = ["affordable"]

STRETCH = 2.5
"""A model that stops at its deadline with what it has is still worth having when it gets this
much less than it would like; others must finish."""
SAMPLED_STRETCH = 1.75
"""On samples less so, as it can have all that it would like on a third of the rows: boosting would
like about 1.6 times as many rounds on three times as many rows, and shall not get fewer."""
EARLY_SHARE = 0.25
"""Of a search on samples: until the finals begin no pipeline may take more than this share of the
time that is left, as the best of many are still to be found."""


def affordable(costs: TrialCosts, prepared: Prepared) -> Accept:
    """What says of each proposal why it may not begin; None if it may.

    Parameters
    ----------
    costs
        What pipelines take; goes on learning while the search runs.
    prepared
        The question.
    """
    is_sampled = prepared.rows is not None
    stretch = SAMPLED_STRETCH if is_sampled else STRETCH
    planned_s = 0.0  # what was left when the first trial was proposed

    def accept(proposal: Proposal, left_s: float | None) -> str | None:
        nonlocal planned_s
        if left_s is None:
            return None
        planned_s = max(planned_s, left_s)
        is_early = is_sampled and left_s > (1 - FINALS_BEGIN) * planned_s
        stops = family_of(proposal.config, prepared.families).is_stoppable
        share = EARLY_SHARE if is_early else stretch if stops else 1.0
        expected = costs.predict(proposal.config, proposal.fidelity)
        if expected <= left_s * share:
            return None
        name = rows_told(str(proposal.config["model"]), proposal.fidelity, prepared.shape.n_rows)
        early = ", of which one may take a quarter so early" if is_early else ""
        return (
            f"{name} would need about {_shown(expected)}, and {_shown(max(left_s, 0))} are "
            f"left{early}"
        )

    return accept


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
