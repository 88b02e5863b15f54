"""What a store asks of the database. The parameter `ours` is the index of a proposal.

Built once, because building a statement costs more than running it.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, update

from octavo.storage.rows import PROPOSAL_COLUMNS
from octavo.storage.schema import (
    interventions,
    leases,
    pending,
    proposals,
    reports,
    revisions,
    settings,
    trials,
)

_ours: BindParameter[int] = bindparam("ours")

ADD_SETTINGS = insert(settings)
NEWEST_SETTINGS = select(settings.c.data).order_by(settings.c.id.desc()).limit(1)

ADD_REVISION = insert(revisions)
LAST_REVISION = select(func.max(revisions.c.revision))
REVISIONS = select(revisions.c.revision, revisions.c.since, revisions.c.problem).order_by(
    revisions.c.revision
)

ADD_INTERVENTION = insert(interventions)
INTERVENTIONS = select(
    interventions.c.kind,
    interventions.c.data,
    interventions.c.who,
    interventions.c.at,
    interventions.c.from_index,
).order_by(interventions.c.id)

ADD_PROPOSALS = insert(proposals)
ADD_PENDING = insert(pending)
PENDING = (
    select(*[proposals.c[name] for name in PROPOSAL_COLUMNS])
    .join_from(pending, proposals, pending.c.proposal_index == proposals.c.proposal_index)
    .order_by(pending.c.proposal_index)
)
IS_PENDING = select(pending.c.proposal_index).where(pending.c.proposal_index == _ours)
END_PENDING = delete(pending).where(pending.c.proposal_index == _ours)

# For a list of indices: under which revision each was asked, and whether it still waits.
ASKED = (
    select(proposals.c.proposal_index, proposals.c.revision, pending.c.proposal_index)
    .join_from(
        proposals, pending, proposals.c.proposal_index == pending.c.proposal_index, isouter=True
    )
    .where(proposals.c.proposal_index.in_(bindparam("ours", expanding=True)))
)

ADD_LEASE = insert(leases)
LEASE_OF = select(leases.c.worker, leases.c.expires).where(leases.c.proposal_index == _ours)
LEASES = select(
    leases.c.proposal_index, leases.c.worker, leases.c.taken, leases.c.expires, leases.c.token
).order_by(leases.c.proposal_index)
RENEW_LEASE = (
    update(leases)
    .where(leases.c.proposal_index == _ours, leases.c.worker == bindparam("by"))
    .values(expires=bindparam("until"))
)
END_LEASES = delete(leases).where(leases.c.proposal_index == _ours)

ADD_REPORTS = insert(reports)
N_REPORTS_OF = select(func.count()).select_from(reports).where(reports.c.proposal_index == _ours)
REPORTS_OF = (
    select(reports.c.step, reports.c.at_s, reports.c.reported)
    .where(reports.c.proposal_index == _ours)
    .order_by(reports.c.place)
)
DROP_REPORTS = delete(reports).where(reports.c.proposal_index == _ours)

ADD_TRIALS = insert(trials)
N_COMPLETED = select(func.count()).select_from(trials)
