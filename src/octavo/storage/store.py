"""The history of one study, on disk or in memory: `Store`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from octavo.errors import StudyError
from octavo.history import History
from octavo.problem import Problem
from octavo.storage import statements as sql
from octavo.storage.database import Database
from octavo.storage.inbox import Inbox
from octavo.storage.json_text import dump, load
from octavo.storage.lock import WriterLock
from octavo.storage.reading import lazy_history
from octavo.storage.records import Intervention, Lease, News, Seen
from octavo.storage.rows import (
    Arrangement,
    fitting_revision,
    proposal_from_row,
    proposal_to_row,
    report_from_row,
    report_to_row,
    trial_to_row,
)
from octavo.trial import Proposal, Report, Trial

if TYPE_CHECKING:
    from octavo.storage.sharing import Sharing
    from octavo.storage.table_inbox import TableInbox

__all__ = ["Store"]


class Store:
    """All that is known of one study. Made by `create_store` and `open_store`.

    What a method has written when it returns survives SIGKILL at any later instant, and a
    method that raises has written nothing. Proposals and trials are never changed.
    """

    def __init__(
        self, database: Database, lock: WriterLock | None, sharing: Sharing | None = None
    ) -> None:
        self._database = database
        self._writer_lock = lock
        self.sharing = sharing
        """What several processes need that write to it; None: there is one writer."""
        self._problems: dict[int, tuple[int, Problem]] | None = None

    @property
    def folder(self) -> Path | None:
        """The study's folder; None if it has none."""
        return self._database.folder

    @property
    def place(self) -> str:
        """Where the tables are, for messages."""
        return self._database.place

    def close(self) -> None:
        """Let others write. Histories that were handed out can still be read."""
        self._database.close()
        if self._writer_lock is not None:
            self._writer_lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r})"

    # The study -----------------------------------------------------------------------

    def save_settings(self, settings: Mapping[str, Any]) -> None:
        """Store the study's settings as a whole; earlier ones stay, and no longer hold."""
        row = {"data": dump(settings, "the settings of the study")}
        self._database.write(lambda connection: connection.execute(sql.ADD_SETTINGS, row))

    def update_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Store new values of some settings; returns all, with what others changed."""

        def work(connection: Connection) -> dict[str, Any]:
            found = connection.execute(sql.NEWEST_SETTINGS).scalar()
            settings = {**({} if found is None else load(found)), **changes}
            row = {"data": dump(settings, "the settings of the study")}
            connection.execute(sql.ADD_SETTINGS, row)
            return settings

        return self._database.write(work)

    def settings(self) -> dict[str, Any]:
        """The settings stored last; empty before any."""
        found = self._database.read(lambda c: c.execute(sql.NEWEST_SETTINGS).scalar())
        return {} if found is None else dict(load(found))

    def add_problem(self, problem: Problem, *, since: int) -> int:
        """Store a new revision of the problem.

        Parameters
        ----------
        problem
            The problem from now on.
        since
            Index of the first proposal that it is valid for.

        Returns
        -------
        Its revision: 0, 1, ...
        """
        text = dump(problem.to_json(), "the problem")

        def work(connection: Connection) -> int:
            last = connection.execute(sql.LAST_REVISION).scalar()
            revision = 0 if last is None else int(last) + 1
            row = {"revision": revision, "since": since, "problem": text}
            connection.execute(sql.ADD_REVISION, row)
            return revision

        revision = self._database.write(work)
        if self._problems is not None:
            self._problems[revision] = (since, problem)
        elif revision == 0:
            self._problems = {0: (since, problem)}
        return revision

    def problems(self) -> list[tuple[int, int, Problem]]:
        """All revisions of the problem: (revision, since, problem)."""
        return [(revision, since, p) for revision, (since, p) in self._revisions().items()]

    def add_intervention(self, intervention: Intervention) -> None:
        """Store what somebody changed."""
        row = {
            "kind": intervention.kind,
            "data": dump(intervention.data, f"the intervention {intervention.kind!r}"),
            "who": intervention.who,
            "at": float(intervention.at),
            "from_index": int(intervention.from_index),
        }
        self._database.write(lambda connection: connection.execute(sql.ADD_INTERVENTION, row))

    def interventions(self) -> list[Intervention]:
        """All interventions, in order."""
        found = self._database.read(lambda c: c.execute(sql.INTERVENTIONS).all())
        return [Intervention(kind, load(data), who, at, i) for kind, data, who, at, i in found]

    # Proposals -----------------------------------------------------------------------

    def add_proposals(
        self,
        proposals: Sequence[Proposal],
        *,
        revision: int,
        worker: str | None = None,
        expires_s: float = 0.0,
    ) -> None:
        """Store what was asked, in one commit.

        Parameters
        ----------
        proposals
            What was asked.
        revision
            Of the problem for which it was asked.
        worker
            Who is going to run it at once, as in `take_lease`; None: nobody yet.
        expires_s
            For how many seconds to believe that.

        Raises
        ------
        StudyError
            If an index was used before, or the revision does not exist.
        """
        if not proposals:
            return
        rows = [proposal_to_row(proposal, revision) for proposal in proposals]
        waiting = [{"proposal_index": row["proposal_index"]} for row in rows]

        def work(connection: Connection) -> None:
            connection.execute(sql.ADD_PROPOSALS, rows)
            connection.execute(sql.ADD_PENDING, waiting)
            if worker is not None:
                now = time.time()
                lease = {"worker": worker, "taken": now, "expires": now + expires_s}
                connection.execute(sql.ADD_LEASE, [{**one, **lease} for one in waiting])

        try:
            self._database.write(work)
        except IntegrityError as error:
            known = sorted(self._revisions())
            if revision not in known:
                message = (
                    f"revision {revision} of the problem is not stored, only {known}. "
                    "Store it first with add_problem."
                )
            else:
                message = (
                    f"proposals {[row['proposal_index'] for row in rows]} could not be stored: an "
                    "index occurs twice or was used before. Each proposal needs an index of its "
                    "own; number them on from the last one."
                )
            raise StudyError(message) from error

    def pending(self) -> list[Proposal]:
        """The proposals without a trial, by index."""
        found = self._database.read(lambda c: c.execute(sql.PENDING).all())
        return [proposal_from_row(row) for row in found]

    def take_lease(self, index: int, worker: str, *, expires_s: float) -> None:
        """Note that a worker runs a proposal; an earlier lease of it ends.

        Reports of an attempt that was broken off are dropped, unless the same worker still
        held the lease.

        Parameters
        ----------
        index
            The proposal.
        worker
            Who runs it.
        expires_s
            For how many seconds to believe it.
        """
        now = time.time()
        row = {"proposal_index": index, "worker": worker, "taken": now, "expires": now + expires_s}
        ours = {"ours": index}

        def work(connection: Connection) -> None:
            held = connection.execute(sql.LEASE_OF, ours).first()
            if held is not None:
                connection.execute(sql.END_LEASES, ours)
            if held is None or held.worker != worker or held.expires < now:
                connection.execute(sql.DROP_REPORTS, ours)
            connection.execute(sql.ADD_LEASE, row)

        try:
            self._database.write(work)
        except IntegrityError as error:
            raise StudyError(
                f"proposal {index} is not stored, so nobody can run it. "
                "Store it first with add_proposals."
            ) from error

    def renew_leases(self, indices: Sequence[int], worker: str, *, expires_s: float) -> None:
        """Note, in one commit, that a worker still runs proposals."""
        until = time.time() + expires_s
        rows = [{"ours": index, "by": worker, "until": until} for index in indices]
        if rows:
            self._database.write(lambda connection: connection.execute(sql.RENEW_LEASE, rows))

    def leases(self) -> list[Lease]:
        """Who runs what at the moment, by index; expired leases included."""
        found = self._database.read(lambda c: c.execute(sql.LEASES).all())
        return [Lease(*row) for row in found]

    def release(self, index: int) -> None:
        """Note that nobody runs a proposal any more; fine if nobody did."""
        self._database.write(lambda c: c.execute(sql.END_LEASES, {"ours": index}))

    # Trials --------------------------------------------------------------------------

    def add_reports(
        self, index: int, reports: Sequence[Report], *, token: int | None = None
    ) -> None:
        """Store intermediate values of a running trial, after those stored before.

        Parameters
        ----------
        index
            The trial's.
        reports
            What was reported.
        token
            In a shared study, under which the trial is run.

        Raises
        ------
        LeaseLostError
            If somebody else runs the trial by now.
        StudyError
            If the trial is completed, or its proposal is not stored.
        """
        if not reports:
            return
        ours = {"ours": index}

        def work(connection: Connection) -> None:
            if self.sharing is not None and token is not None:  # what is leased is pending
                _, n = self.sharing.check_tokens(connection, {index: token})[index]
            else:
                if connection.execute(sql.IS_PENDING, ours).first() is None:
                    raise StudyError(
                        f"proposal {index} is not running: it is unknown, or its trial is "
                        "completed. Reports can only be added before."
                    )
                n = connection.execute(sql.N_REPORTS_OF, ours).scalar_one()
            rows = [report_to_row(index, n + i, report) for i, report in enumerate(reports)]
            connection.execute(sql.ADD_REPORTS, rows)

        self._database.write(work)

    def add_trials(
        self, trials: Sequence[Trial], *, tokens: Mapping[int, int] | None = None
    ) -> None:
        """Store completed trials in one commit; their leases end.

        A trial's own reports replace those that `add_reports` stored while it ran; without
        any of its own, those are its reports.

        Parameters
        ----------
        trials
            What was found.
        tokens
            In a shared study, by index, the token under which each trial was run; without any they
            are stored whoever runs them.

        Raises
        ------
        LeaseLostError
            If somebody else runs a trial by now.
        StudyError
            If a trial was completed before (that one stands), if a proposal is not stored
            yet, or if the number of costs or constraint values does not fit the problem.
            Then nothing is stored.
        """
        if not trials:
            return
        indices = [trial.index for trial in trials]

        def work(connection: Connection) -> None:
            if self.sharing is not None and tokens:
                held = self.sharing.check_tokens(connection, tokens)
                asked_under = {index: held[index][0] for index in indices}
                n_stored = {index: held[index][1] for index in indices}
            else:
                asked_under, n_stored = _waiting(connection, indices), {}
            problems = self._known_problems(connection, asked_under.values())
            trial_rows = []
            for trial in trials:
                revision = fitting_revision(trial, asked_under[trial.index], problems)
                n_reports = _replace_reports(connection, trial, n_stored.get(trial.index))
                trial_rows.append(trial_to_row(trial, revision, n_reports))
            if self.sharing is not None:
                self.sharing.complete(connection, trial_rows)
                return
            connection.execute(sql.ADD_TRIALS, trial_rows)
            ended = [{"ours": index} for index in asked_under]
            connection.execute(sql.END_PENDING, ended)
            connection.execute(sql.END_LEASES, ended)

        self._database.write(work)

    def n_completed(self) -> int:
        """How many trials are completed."""
        return int(self._database.read(lambda c: c.execute(sql.N_COMPLETED).scalar_one()))

    def history(self, problem: Problem | None = None) -> History:
        """All completed trials, in order of completion.

        Parameters
        ----------
        problem
            In whose objectives and constraints the trials are expressed, matched by name;
            by default the latest revision.

        Raises
        ------
        StorageError
            If no problem was stored yet.
        """
        return self.history_until(problem)[0]

    def history_until(self, problem: Problem | None = None) -> tuple[History, int]:
        """As `history`, and the row of its last trial, for `Seen`."""
        return lazy_history(self._database, self._revisions(), problem)

    def inbox(self, worker: str) -> Inbox | TableInbox | None:
        """The commands for the study; None where nobody could send one."""
        if self.sharing is not None:
            return self.sharing.inbox(worker)
        return None if self.folder is None else Inbox(self.folder)

    def news(self, seen: Seen, problem: Problem) -> News:
        """What others did to a shared study; see `Sharing.news`."""
        assert self.sharing is not None, "a study with one writer has no news"
        return self.sharing.news(seen, lambda *others: self._arrangement(problem, *others))

    def new_trials(self, seen: Seen, problem: Problem) -> tuple[Seen, tuple[Trial, ...]]:
        """The trials that were completed in a shared study; see `Sharing.new_trials`."""
        assert self.sharing is not None, "a study with one writer has no news"
        return self.sharing.new_trials(seen, lambda *others: self._arrangement(problem, *others))

    def _arrangement(
        self, problem: Problem, connection: Connection, revisions: Iterable[int]
    ) -> Arrangement:
        return Arrangement(problem, self._known_problems(connection, revisions))

    def _revisions(self) -> dict[int, tuple[int, Problem]]:
        # The only writer knows all revisions; a reader and one of several must look for new ones.
        if self._problems is None or (self._writer_lock is None and self._database.is_lasting):
            self._database.read(self._read_revisions)
        assert self._problems is not None
        return self._problems

    def _read_revisions(self, connection: Connection) -> None:
        known = self._problems or {}
        self._problems = {
            revision: known.get(revision) or (since, Problem.from_json(load(text)))
            for revision, since, text in connection.execute(sql.REVISIONS).all()
        }

    def _known_problems(
        self, connection: Connection, revisions: Iterable[int]
    ) -> dict[int, Problem]:
        if self._problems is None or not set(revisions) <= set(self._problems):
            self._read_revisions(connection)
        return {revision: problem for revision, (_, problem) in (self._problems or {}).items()}


def _waiting(connection: Connection, indices: list[int]) -> dict[int, int]:
    """The revision under which each proposal was asked; all must wait for their trial."""
    if len(set(indices)) < len(indices):
        twice = next(index for index in indices if indices.count(index) > 1)
        raise StudyError(f"trial {twice} was given twice at once. Each proposal has one trial.")
    found = {
        row[0]: row[1:]
        for start in range(0, len(indices), 500)  # databases limit the length of a list
        for row in connection.execute(sql.ASKED, {"ours": indices[start : start + 500]})
    }
    for index in indices:
        if index not in found:
            raise StudyError(
                f"trial {index} has no stored proposal. Store its proposal first with "
                "add_proposals, also for a trial from elsewhere."
            )
        if found[index][1] is None:
            raise StudyError(
                f"trial {index} is already completed, and a completed trial never changes. "
                "Ask for a new proposal to evaluate its configuration again."
            )
    return {index: found[index][0] for index in indices}


def _replace_reports(connection: Connection, trial: Trial, n_stored: int | None) -> int:
    """Make the reports of a trial those that it brings; returns how many it has."""
    ours = {"ours": trial.index}
    if not trial.reports and n_stored is not None:
        return n_stored
    if not trial.reports:
        return int(connection.execute(sql.N_REPORTS_OF, ours).scalar_one())
    stored = tuple(report_from_row(row) for row in connection.execute(sql.REPORTS_OF, ours))
    if trial.reports[: len(stored)] != stored:  # of an attempt that was broken off
        connection.execute(sql.DROP_REPORTS, ours)
        stored = ()
    rows = [
        report_to_row(trial.index, place, report)
        for place, report in enumerate(trial.reports)
        if place >= len(stored)
    ]
    if rows:
        connection.execute(sql.ADD_REPORTS, rows)
    return len(trial.reports)
