"""The inbox of a shared study: commands are rows of a table, and reach all who run it."""

from __future__ import annotations

import logging
import time

from sqlalchemy import bindparam, func, insert, or_, select, update

from octavo.errors import StorageError, StudyError
from octavo.storage.inbox import Command
from octavo.storage.json_text import dump, load
from octavo.storage.postgres import PostgreSQL
from octavo.storage.schema import commands

__all__ = ["TableInbox", "put"]

logger = logging.getLogger(__name__)

_LAST = select(func.coalesce(func.max(commands.c.id), 0))
_ADD = insert(commands)
_NEW = (
    select(commands.c.id, commands.c.kind, commands.c.data, commands.c.who, commands.c.taken)
    .where(
        or_(
            commands.c.id > bindparam("last"),
            # Whoever queues a configuration need not wait until somebody runs the study.
            (commands.c.kind == "queue") & commands.c.taken.is_(None),
        )
    )
    .order_by(commands.c.id)
)
_TAKE = (
    update(commands)
    .where(commands.c.id == bindparam("ours"), commands.c.taken.is_(None))
    .values(taken=bindparam("by"))
)


class TableInbox:
    """The commands that wait for one of the processes that run a shared study.

    Each of them obeys a pause, a resume or a stop; one of them evaluates a queued configuration.

    Parameters
    ----------
    database
        Where the study is.
    worker
        Who takes them.
    """

    def __init__(self, database: PostgreSQL, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._last: int = database.glance(lambda c: c.execute(_LAST).scalar_one())

    def poll(self) -> list[Command]:
        """Take all commands that came since the last call, in order."""
        rows = self._database.glance(lambda c: c.execute(_NEW, {"last": self._last}).all())
        found = []
        for number, kind, data, who, taken in rows:
            self._last = max(self._last, number)
            is_first = taken is None and self._take(number)
            if kind == "queue" and not is_first:
                continue
            try:
                # It came while this process ran, whatever the clock of its sender says.
                found.append(Command(kind, load(data), who, time.time(), is_first=is_first))
            except (StudyError, ValueError) as error:
                logger.warning("ignoring a command of %s: %s", who, error)
        return found

    def _take(self, number: int) -> bool:
        ours = {"ours": number, "by": self._worker}
        return self._database.write(lambda c: c.execute(_TAKE, ours).rowcount == 1)


def put(database: PostgreSQL, command: Command) -> None:
    """Send a command to all who run a study.

    Raises
    ------
    StorageError
        If there is no such study, or it cannot be reached.
    """
    row = {
        "kind": command.kind,
        "data": dump(command.data, f"the data of the command {command.kind!r}"),
        "who": command.who,
        "at": command.at or time.time(),
    }

    if not database.glance(database.has_tables):
        raise StorageError(
            f"there is no study {database.place}. Check the name after study= in the address."
        )
    database.write(lambda connection: connection.execute(_ADD, row))
