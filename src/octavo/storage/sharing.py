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

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Connection,
    Double,
    Integer,
    bindparam,
    cast,
    delete,
    extract,
    func,
    insert,
    or_,
    select,
    text,
    update as update_,
)

from octavo.errors import LeaseLostError
from octavo.storage import statements as sql
from octavo.storage.address import Address
from octavo.storage.direct import Direct
from octavo.storage.postgres import PostgreSQL
from octavo.storage.reading import ROWS, reports_of
from octavo.storage.records import News, Seen
from octavo.storage.rows import (
    PROPOSAL_COLUMNS,
    TRIAL_COLUMNS,
    Arrangement,
    proposal_from_row,
    proposal_to_row,
    trial_from_rows,
)
from octavo.storage.schema import leases, pending, proposals, reports, revisions, trials
from octavo.storage.table_inbox import TableInbox
from octavo.trial import Proposal, Trial

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
_LOOK = Direct(_STATE.add_columns(_FREE.scalar_subquery()))
_NEW_PROPOSALS = Direct(
    select(*[proposals.c[name] for name in PROPOSAL_COLUMNS])
    .where(proposals.c.proposal_index.between(bindparam("first"), bindparam("last")))
    .order_by(proposals.c.proposal_index)
)
_TRIALS = Direct(ROWS)

_RAISE_TOKEN = (
    update_(pending)
    .where(pending.c.proposal_index == _ours)
    .where(
        ~select(leases.c.proposal_index).where(leases.c.proposal_index == _ours, ~_IS_OVER).exists()
    )
    .values(token=pending.c.token + 1)
    .returning(pending.c.token)
)
_REVISION = len(PROPOSAL_COLUMNS) + TRIAL_COLUMNS.index("revision")
_ALL = 2**31 - 1  # the highest id that there can be

# One statement, because each takes a message to the server and back.
_columns = (*PROPOSAL_COLUMNS, "revision")
_PROPOSE = Direct(
    text(
        "WITH fits AS (SELECT 1 WHERE :revision = (SELECT max(revision) FROM revisions) AND "
        ":proposal_index > (SELECT coalesce(max(proposal_index), -1) FROM proposals)), "
        f"added AS (INSERT INTO proposals ({', '.join(_columns)}) "
        f"SELECT {', '.join(f':{name}' for name in _columns)} FROM fits RETURNING proposal_index), "
        "waiting AS (INSERT INTO pending (proposal_index, token) "
        "SELECT proposal_index, :token FROM added), "
        "leased AS (INSERT INTO leases (proposal_index, worker, taken, expires, token) "
        "SELECT proposal_index, :worker, extract(epoch from clock_timestamp()), "
        "extract(epoch from clock_timestamp()) + :lease_s, :token FROM added WHERE :token > 0) "
        "SELECT count(*) > 0 FROM added"
    ).bindparams(
        *[bindparam(name, type_=proposals.c[name].type) for name in _columns],
        bindparam("worker", type_=leases.c.worker.type),
        bindparam("token", type_=leases.c.token.type),
        _lease_s,
    )
)
_ADD_LEASE = insert(leases).values(taken=_NOW, expires=_NOW + _lease_s)
_held = (leases.c.proposal_index == _ours) & (leases.c.token == bindparam("mine"))
_RENEW = Direct(
    text(
        "UPDATE leases SET expires = extract(epoch from clock_timestamp()) + :lease_s "
        "FROM unnest(CAST(:indices AS integer[]), CAST(:tokens AS integer[])) AS ours (i, t) "
        "WHERE proposal_index = i AND token = t RETURNING proposal_index"
    ).bindparams(_lease_s)
)
_RELEASE = delete(leases).where(_held)
_TOKENS = Direct(
    select(
        proposals.c.proposal_index,
        proposals.c.revision,
        leases.c.token,
        leases.c.worker,
        select(func.count())
        .select_from(reports)
        .where(reports.c.proposal_index == proposals.c.proposal_index)
        .scalar_subquery(),
    )
    .join_from(
        proposals, leases, proposals.c.proposal_index == leases.c.proposal_index, isouter=True
    )
    .where(proposals.c.proposal_index == func.any(bindparam("ours", type_=ARRAY(Integer()))))
)
_trial_columns = ("proposal_index", *TRIAL_COLUMNS)
_COMPLETE = Direct(
    text(
        f"WITH added AS (INSERT INTO trials ({', '.join(_trial_columns)}) "
        f"VALUES ({', '.join(f':{name}' for name in _trial_columns)})), "
        "ended AS (DELETE FROM leases WHERE proposal_index = :proposal_index) "
        "DELETE FROM pending WHERE proposal_index = :proposal_index"
    ).bindparams(*[bindparam(name, type_=trials.c[name].type) for name in _trial_columns])
)


Arrange = Callable[[Connection, Collection[int]], Arrangement]
"""Given revisions of the problem, how to put the numbers of their trials in order."""


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
    def address(self) -> Address:
        """Where the study is."""
        return self._database.address

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

    def news(self, seen: Seen, arrange: Arrange) -> News:
        """What came since somebody looked.

        Parameters
        ----------
        seen
            How much is known already.
        arrange
            Into which order to put the numbers of trials of some revisions.
        """

        def work(connection: Connection) -> News:
            found = _LOOK(connection, {"lease_s": self.lease_s}).fetchone()
            revision, top, last_id, free = found
            top, last_id = -1 if top is None else top, last_id or 0
            # What the first look has found bounds the others: together they are one state.
            added: Sequence[Any] = ()
            trials: tuple[Trial, ...] = ()
            if top >= seen.next_index:
                within = {"first": seen.next_index, "last": top}
                added = _NEW_PROPOSALS(connection, within).fetchall()
            if last_id > seen.last_id:
                trials = _trials(connection, seen.last_id + 1, last_id, arrange)[1]
            return News(
                Seen(last_id, max(top + 1, seen.next_index)),
                -1 if revision is None else revision,
                tuple(proposal_from_row(row) for row in added),
                trials,
                tuple(sorted(free or ())),
            )

        return self._database.glance(work)

    def new_trials(self, seen: Seen, arrange: Arrange) -> tuple[Seen, tuple[Trial, ...]]:
        """What was completed since somebody looked, and nothing else: one query for `news`'s three.

        Proposals whose trials are among them may be unknown to whoever looks.
        """

        def work(connection: Connection) -> tuple[Seen, tuple[Trial, ...]]:
            last_id, trials = _trials(connection, seen.last_id + 1, _ALL, arrange)
            return replace(seen, last_id=max(last_id, seen.last_id)), trials

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
        rows = [
            {
                **proposal_to_row(proposal, revision),
                "worker": worker or "",
                "token": 0 if worker is None else 1,
                "lease_s": self.lease_s,
            }
            for proposal in wanted
        ]

        def work(connection: Connection) -> bool:
            # The first one is refused if others were quicker; the others follow it.
            return all(_PROPOSE(connection, row).fetchone()[0] for row in rows)

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
            indices = sorted(tokens)
            ours = {"indices": indices, "tokens": [tokens[index] for index in indices]}
            found = _RENEW(connection, {**ours, "lease_s": self.lease_s}).fetchall()
            return sorted(set(indices) - {index for (index,) in found})

        return self._database.write(work, durable=False) if tokens else []

    def release(self, tokens: Mapping[int, int]) -> None:
        """Let others run proposals, unless they do already."""
        rows = [{"ours": index, "mine": token} for index, token in tokens.items()]
        if rows:
            self._database.write(lambda c: c.execute(_RELEASE, rows), durable=False)

    def complete(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Store completed trials, as rows; then nothing waits for them, and nobody holds them."""
        for row in rows:
            _COMPLETE(connection, row)

    def check_tokens(
        self, connection: Connection, tokens: Mapping[int, int]
    ) -> dict[int, tuple[int, int]]:
        """Refuse what was run under a lease that is no longer held.

        Returns
        -------
        By index, the revision under which it was asked, and how many reports are stored.

        Raises
        ------
        LeaseLostError
            If any token is out of date.
        """
        rows = _TOKENS(connection, {"ours": list(tokens)}).fetchall()
        found = {index: others for index, *others in rows}
        for index, token in tokens.items():
            _, held, worker, _ = found.get(index, (0, None, "", 0))
            if held != token:
                raise LeaseLostError(
                    f"trial {index} is no longer ours: "
                    + (f"{worker} runs it by now. " if worker else "it was completed or returned. ")
                    + "This process was silent for longer than its lease; what it found is "
                    "dropped, so that the trial is recorded once. If trials or the network pause "
                    "for long, raise lease= in the address."
                )
        return {
            index: (revision, n_reports) for index, (revision, _, _, n_reports) in found.items()
        }


def _trials(
    connection: Connection, first: int, last: int, arrange: Arrange
) -> tuple[int, tuple[Trial, ...]]:
    """The trials with ids from first to last, and the last id; 0 without any."""
    rows = _TRIALS(connection, {"first": first, "last": last}).fetchall()
    if not rows:
        return 0, ()
    reported = reports_of(connection, rows)
    arrangement = arrange(connection, {row[_REVISION] for row in rows})
    return rows[-1][-1], tuple(
        trial_from_rows(row[:-1], reported.get(row[0], ()), arrangement) for row in rows
    )
