"""A stored study as a `History`: numbers at once, trials when somebody looks at them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, select

from octavo.errors import StorageError
from octavo.history import STATUSES, Columns, History
from octavo.problem import Problem
from octavo.storage import schema
from octavo.storage.database import Database
from octavo.storage.rows import (
    PROPOSAL_COLUMNS,
    TRIAL_COLUMNS,
    Arrangement,
    report_from_row,
    trial_from_rows,
)
from octavo.trial import Report, Trial

__all__ = ["lazy_history", "rows_between"]

_CODE = {status.value: code for code, status in enumerate(STATUSES)}
_BLOCK = 1024  # trials read at a time: large enough for speed, small enough for one look


def lazy_history(
    database: Database, revisions: Mapping[int, tuple[int, Problem]], problem: Problem | None
) -> tuple[History, int]:
    """All completed trials in the order of completion, expressed in one problem.

    Beside them is the row of the last one, 0 without any.
    """
    if not revisions:
        raise StorageError(
            f"the study in {database.place} has no problem yet, as when starting it was "
            "interrupted. Start the study again there."
        )
    problems = {revision: found for revision, (_, found) in revisions.items()}
    wanted = problem or problems[max(problems)]
    arrangement = Arrangement(wanted, problems)
    ids, columns = _columns(database, arrangement)
    history = History.from_columns(wanted, columns, _Trials(database, arrangement, ids))
    return history, int(ids[-1]) if len(ids) else 0


def _columns(database: Database, arrangement: Arrangement) -> tuple[Any, Columns]:
    t, p = schema.trials.c, schema.proposals.c
    query = (
        select(
            t.id, t.proposal_index, t.revision, t.status, t.costs, t.constraints,
            p.fidelity, t.started, t.ended,
        )
        .join_from(schema.trials, schema.proposals, t.proposal_index == p.proposal_index)
        .order_by(t.id)
    )  # fmt: skip
    found = database.read(lambda connection: connection.execute(query).all())
    columns: list[Sequence[Any]] = list(zip(*found, strict=True)) if found else [()] * 9
    ids, index, revision, status, costs, constraints, fidelity, started, ended = columns
    return np.array(ids, dtype=np.int64), Columns(
        index=np.array(index, dtype=np.int64),
        status=np.array([_CODE[name] for name in status], dtype=np.int8),
        costs=arrangement.matrix("costs", revision, _parsed(costs)),
        constraints=arrangement.matrix("constraints", revision, _parsed(constraints)),
        fidelity=np.array(fidelity, dtype=float),
        started=np.array(started, dtype=float),
        ended=np.array(ended, dtype=float),
    )


def _parsed(texts: Sequence[str]) -> list[Any]:
    """Many JSON arrays by one call of the parser, which is ten times faster than one each."""
    if set(texts) <= {"[]"}:  # constraint values, where there are no constraints
        return [()] * len(texts)
    parsed: list[Any] = json.loads("[" + ",".join(texts) + "]")
    return parsed


class _Block(NamedTuple):
    start: int
    rows: Sequence[Any]
    reports: Mapping[int, Sequence[Report]]


class _Trials:
    """Builds the trial at a position, from a block of rows that is read at once."""

    def __init__(self, database: Database, arrangement: Arrangement, ids: Any) -> None:
        self._database = database
        self._arrangement = arrangement
        self._ids = ids
        self._block = _Block(0, [], {})
        if not database.is_lasting:  # nothing could be read from a memory that is gone
            self._block = self._load(0, len(ids))

    def __call__(self, position: int) -> Trial:
        block = self._block  # another thread may put its own in place at any time
        if not block.start <= position < block.start + len(block.rows):
            start = position - position % _BLOCK
            block = self._block = self._load(start, min(start + _BLOCK, len(self._ids)))
        row = block.rows[position - block.start]
        return trial_from_rows(row[:-1], block.reports.get(row[0], ()), self._arrangement)

    def _load(self, start: int, stop: int) -> _Block:
        if start == stop:
            return _Block(0, [], {})
        first, last = int(self._ids[start]), int(self._ids[stop - 1])
        found, by_trial = self._database.read(lambda c: rows_between(c, first, last))
        return _Block(start, found, by_trial)


_BETWEEN = schema.trials.c.id.between(bindparam("first"), bindparam("last"))
ROWS = (
    select(
        *[schema.proposals.c[name] for name in PROPOSAL_COLUMNS],
        *[schema.trials.c[name] for name in TRIAL_COLUMNS],
        schema.trials.c.id,
    )
    .join_from(
        schema.trials,
        schema.proposals,
        schema.trials.c.proposal_index == schema.proposals.c.proposal_index,
    )
    .where(_BETWEEN)
    .order_by(schema.trials.c.id)
)
_REPORTS = (
    select(
        schema.reports.c.proposal_index,
        schema.reports.c.step,
        schema.reports.c.at_s,
        schema.reports.c.reported,
    )
    .join_from(
        schema.trials,
        schema.reports,
        schema.trials.c.proposal_index == schema.reports.c.proposal_index,
    )
    .where(_BETWEEN, schema.trials.c.n_reports > 0)
    .order_by(schema.trials.c.id, schema.reports.c.place)
)
_N_REPORTS = len(PROPOSAL_COLUMNS) + TRIAL_COLUMNS.index("n_reports")


def rows_between(
    connection: Connection, first: int, last: int
) -> tuple[Sequence[Any], dict[int, Sequence[Report]]]:
    """The trials with ids from first to last, and their reports by index.

    Each row is one for `trial_from_rows`, and then the id.
    """
    found = connection.execute(ROWS, {"first": first, "last": last}).all()
    return found, reports_of(connection, found)


def reports_of(connection: Connection, rows: Sequence[Any]) -> dict[int, Sequence[Report]]:
    """The reports, by index of their trial, of rows that `ROWS` found."""
    if not any(row[_N_REPORTS] for row in rows):
        return {}
    within = {"first": rows[0][-1], "last": rows[-1][-1]}
    reported = connection.execute(_REPORTS, within).all()
    return {
        index: [report_from_row(row[1:]) for row in group]
        for index, group in groupby(reported, key=itemgetter(0))
    }
