"""What several processes need that write to one study: `Sharing`.

A proposal is leased to one process at a time. The lease has a token, which grows with each lease
of the proposal, and an expiry by the server's clock, which its holder keeps moving on. A
process that falls silent loses its leases: others may take its proposals, under a higher token.
Should it wake, it can neither report nor complete them, because its tokens are out of date; so
no trial is recorded twice, however the clocks of the machines run.

Completed trials are waited for until they are safe on the server's disk; proposals and leases are
not. Should the server lose power the last of them may be gone: then their trials are refused, and
everybody, having lost the connection, looks at everything again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Double,
    bindparam,
    cast,
    delete,
    extract,
    func,
    insert,
    or_,
    select,
    update as update_,
)

from octavo.errors import LeaseLostError
from octavo.storage import statements as sql
from octavo.storage.postgres import PostgreSQL
from octavo.storage.reading import rows_between
from octavo.storage.records import News, Seen
from octavo.storage.rows import (
    PROPOSAL_COLUMNS,
    Arrangement,
    proposal_from_row,
    proposal_to_row,
    trial_from_rows,
)
from octavo.storage.schema import leases, pending, proposals, revisions, trials
from octavo.storage.table_inbox import TableInbox
from octavo.trial import Proposal, Report

__all__ = ["Sharing"]

_NOW = cast(extract("epoch", func.clock_timestamp()), Double)
_UP = cast(extract("epoch", func.pg_postmaster_start_time()), Double)
_ours = bindparam("ours", type_=proposals.c.proposal_index.type)
_lease_s: BindParameter[float] = bindparam("lease_s", type_=Double())

# While the server was down nobody could renew a lease, so all get the time once more.
_IS_OVER = (leases.c.expires < _NOW) & (_UP + _lease_s < _NOW)

_STATE = select(
    select(func.max(revisions.c.revision)).scalar_subquery(),
    select(func.max(proposals.c.proposal_index)).scalar_subquery(),
    select(func.max(trials.c.id)).scalar_subquery(),
)
_FREE = (
    select(func.array_agg(pending.c.proposal_index))
    .join_from(pending, leases, pending.c.proposal_index == leases.c.proposal_index, isouter=True)
    .where(or_(leases.c.proposal_index.is_(None), _IS_OVER))
)
_LOOK = _STATE.add_columns(_FREE.scalar_subquery())
_NEW_PROPOSALS = (
    select(*[proposals.c[name] for name in PROPOSAL_COLUMNS])
    .where(proposals.c.proposal_index.between(bindparam("first"), bindparam("last")))
    .order_by(proposals.c.proposal_index)
)

_RAISE_TOKEN = (
    update_(pending)
    .where(pending.c.proposal_index == _ours)
    .where(
        ~select(leases.c.proposal_index).where(leases.c.proposal_index == _ours, ~_IS_OVER).exists()
    )
    .values(token=pending.c.token + 1)
    .returning(pending.c.token)
)
_ADD_WAITING = insert(pending).values(token=1)
_ADD_LEASE = insert(leases).values(taken=_NOW, expires=_NOW + _lease_s)
_held = (leases.c.proposal_index == _ours) & (leases.c.token == bindparam("mine"))
_RENEW = update_(leases).where(_held).values(expires=_NOW + _lease_s)
_RELEASE = delete(leases).where(_held)
_TOKENS = select(leases.c.proposal_index, leases.c.token, leases.c.worker).where(
    leases.c.proposal_index.in_(bindparam("ours", expanding=True))
)


class Sharing:
    """Leases, news and turns of a study that several processes run.

    Parameters
    ----------
    database
        Where it is.
    """

    def __init__(self, database: PostgreSQL) -> None:
        self._database = database

    @property
    def interruptions(self) -> int:
        """How often the server was lost. What was not yet safe on its disk may be gone."""
        return self._database.interruptions

    @property
    def lease_s(self) -> float:
        """For how many seconds a silent process is believed to run its trials."""
        return self._database.address.lease_s

    def inbox(self, worker: str) -> TableInbox:
        """The commands for those who run the study."""
        return TableInbox(self._database, worker)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it, as a rule, nobody else proposes."""
        with self._database.turn():
            yield

    def news(self, seen: Seen, arrangement: Callable[[], Arrangement]) -> News:
        """What came since somebody looked.

        Parameters
        ----------
        seen
            How much is known already.
        arrangement
            Into which order to put the numbers of trials.
        """

        def work(connection: Connection) -> News:
            found = connection.execute(_LOOK, {"lease_s": self.lease_s}).one()
            revision, top, last_id, free = found
            top, last_id = -1 if top is None else top, last_id or 0
            # What the first look has found bounds the others: together they are one state.
            added: Sequence[Any] = ()
            done: Sequence[Any] = ()
            reports: Mapping[int, Sequence[Report]] = {}
            if top >= seen.next_index:
                within = {"first": seen.next_index, "last": top}
                added = connection.execute(_NEW_PROPOSALS, within).all()
            if last_id > seen.last_id:
                done, reports = rows_between(connection, seen.last_id + 1, last_id)
            ordered = arrangement() if done else None
            return News(
                Seen(last_id, max(top + 1, seen.next_index)),
                -1 if revision is None else revision,
                tuple(proposal_from_row(row) for row in added),
                tuple(
                    trial_from_rows(row, reports.get(row[0], ()), ordered)
                    for row in done
                    if ordered is not None
                ),
                tuple(sorted(free or ())),
            )

        return self._database.glance(work)

    def propose(self, wanted: Sequence[Proposal], *, revision: int, worker: str | None) -> bool:
        """Store what was asked, and lease it to whoever asked, in one commit.

        Parameters
        ----------
        wanted
            The proposals, numbered on from the last one.
        revision
            Of the problem for which they were asked.
        worker
            Who is going to run them; None: whoever comes first.

        Returns
        -------
        Whether it is stored. If not, others were quicker, or the problem was revised: look for
        news, and ask again.
        """
        rows = [proposal_to_row(proposal, revision) for proposal in wanted]
        indices = [{"proposal_index": row["proposal_index"]} for row in rows]
        to_us = {"worker": worker, "token": 1, "lease_s": self.lease_s}
        taken = [{**row, **to_us} for row in indices]

        def work(connection: Connection) -> bool:
            newest, top, _ = connection.execute(_STATE).one()
            if newest != revision or (top is not None and top >= rows[0]["proposal_index"]):
                return False
            connection.execute(sql.ADD_PROPOSALS, rows)
            if worker is None:
                connection.execute(sql.ADD_PENDING, indices)
            else:
                connection.execute(_ADD_WAITING, indices)
                connection.execute(_ADD_LEASE, taken)
            return True

        return self._database.write(work, durable=False)

    def take(self, index: int, worker: str) -> int | None:
        """Lease a proposal that nobody runs.

        Reports of an earlier attempt are dropped.

        Returns
        -------
        The token; None if somebody runs it by now, or it is completed.
        """

        def work(connection: Connection) -> int | None:
            ours = {"ours": index}
            timed = {**ours, "lease_s": self.lease_s}
            token = connection.execute(_RAISE_TOKEN, timed).scalar()
            if token is None:
                return None
            connection.execute(sql.END_LEASES, ours)
            connection.execute(sql.DROP_REPORTS, ours)
            row = {"proposal_index": index, "worker": worker, "token": token}
            connection.execute(_ADD_LEASE, {**row, "lease_s": self.lease_s})
            return int(token)

        return self._database.write(work, durable=False)

    def renew(self, tokens: Mapping[int, int]) -> list[int]:
        """Move the expiry of leases on; returns the indices of those that were lost."""

        def work(connection: Connection) -> list[int]:
            lost = []
            for index, token in tokens.items():
                ours = {"ours": index, "mine": token, "lease_s": self.lease_s}
                if not connection.execute(_RENEW, ours).rowcount:
                    lost.append(index)
            return lost

        return self._database.write(work, durable=False) if tokens else []

    def release(self, tokens: Mapping[int, int]) -> None:
        """Let others run proposals, unless they do already."""
        rows = [{"ours": index, "mine": token} for index, token in tokens.items()]
        if rows:
            self._database.write(lambda c: c.execute(_RELEASE, rows), durable=False)

    def check_tokens(self, connection: Connection, tokens: Mapping[int, int]) -> None:
        """Refuse what was run under a lease that is no longer held.

        Raises
        ------
        LeaseLostError
            If any token is out of date.
        """
        found = {
            index: (token, worker)
            for index, token, worker in connection.execute(_TOKENS, {"ours": list(tokens)})
        }
        for index, token in tokens.items():
            held, worker = found.get(index, (None, ""))
            if held != token:
                raise LeaseLostError(
                    f"trial {index} is no longer ours: "
                    + (f"{worker} runs it by now. " if worker else "it was completed or returned. ")
                    + "This process was silent for longer than its lease; what it found is "
                    "dropped, so that the trial is recorded once. If trials or the network pause "
                    "for long, raise lease= in the address."
                )
