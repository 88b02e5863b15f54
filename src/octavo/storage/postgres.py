"""Connections to a shared study; the only place that knows PostgreSQL.

All writing to one study happens one after the other: each transaction begins with an advisory
lock of the study, which the server lets go when it ends, however it ends. So numbers of
proposals never clash, and the order of the trials' rows is the order in which others see them.

Servers restart and connections are cut. What was being done is then done again, with growing
pauses, until the patience is over. The one doubtful moment is the commit: its answer may be
lost. The server knows what became of a transaction by its number, so it is asked.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from octavo.errors import MissingExtra, StorageError
from octavo.storage.address import Address

__all__ = ["PostgreSQL"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECT = {
    # A machine that vanishes without a word is noticed within half a minute.
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "application_name": "octavo",
}
_SESSION = (
    # Whoever is stopped in the middle of a transaction must not stop everybody else.
    "SET idle_in_transaction_session_timeout = '15s'; "
    "SET lock_timeout = '10s'; "
    "SET client_encoding = 'UTF8'; "
    "SET search_path TO {schema}"
)
_LOCK_TIMEOUT = "55P03"
_PASSING = (
    "08",  # connection
    "57P01", "57P02", "57P03", "57P05",  # the server is shut down, or not yet up
    "25P03",  # we were stopped in the middle of a transaction
    "40001", "40P01",  # serialization, deadlock
    "53300",  # too many connections
    _LOCK_TIMEOUT,
)  # fmt: skip
_LONGEST_PAUSE_S = 2.0

_BEGIN = text("SELECT pg_advisory_xact_lock(:key), CAST(pg_current_xact_id() AS text)")
_FATE = text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))")
_TAKE_TURN = text("SELECT pg_advisory_lock(:key)").bindparams(bindparam("key"))
_END_TURN = text("SELECT pg_advisory_unlock_all()")

_databases: weakref.WeakSet[PostgreSQL] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    for database in list(_databases):
        database.forget_connections()


os.register_at_fork(after_in_child=_leave_to_the_parent)


class PostgreSQL:
    """The tables of one study on a server; any number of processes write.

    Parameters
    ----------
    address
        Server, database and study.

    Raises
    ------
    MissingExtra
        If the driver is not installed.
    """

    is_lasting = True

    def __init__(self, address: Address) -> None:
        self.address = address
        self.is_patient = False  # until it worked once: a wrong address is told at once
        self._skip_turns_until = 0.0
        self._engine = _engine(address)
        _databases.add(self)

    @property
    def folder(self) -> Path | None:
        """Where files of this machine's trials lie."""
        return self.address.folder

    @property
    def place(self) -> str:
        """Where it is, for messages; without a password."""
        return str(self.address)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do some queries on a connection that sees one consistent state."""

        def attempt() -> T:
            with self._engine.connect() as connection:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                return work(connection)

        return self._persist(attempt)

    def glance(self, work: Callable[[Connection], T]) -> T:
        """Do single queries, each for itself: half the messages of `read`."""

        def attempt() -> T:
            with self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                return work(connection)

        return self._persist(attempt)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something within a transaction: all of it is committed at the end, or nothing.

        One after the other among all that write to the study.
        """
        doubtful: tuple[str, T] | None = None

        def attempt() -> T:
            nonlocal doubtful
            if doubtful is not None and self._is_committed(doubtful[0]):
                return doubtful[1]
            doubtful = None
            with self._engine.connect() as connection:
                number = connection.execute(_BEGIN, {"key": self._key("write")}).one()[1]
                result = work(connection)
                doubtful = (number, result)
                connection.commit()
            return result

        return self._persist(attempt)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Ask the optimizer one after the other, so that each sees what the others proposed.

        A courtesy, on which nothing depends but wasted work: whoever was stopped while having
        its turn is not waited for longer than ten seconds, and then not for a minute.
        """
        connection = None
        if time.monotonic() >= self._skip_turns_until:
            try:
                connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(_TAKE_TURN, {"key": self._key("turn")})
            except DBAPIError as error:
                logger.info("going on out of turn: %s", error.orig)
                if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
                    self._skip_turns_until = time.monotonic() + 60.0
        try:
            yield
        finally:
            if connection is not None:
                try:
                    connection.execute(_END_TURN)
                    connection.close()
                except SQLAlchemyError:  # with the connection went the turn
                    connection.invalidate()
                    connection.close()

    def close(self) -> None:
        """Close all connections; another use opens new ones."""
        self._engine.dispose()

    def forget_connections(self) -> None:
        """In a forked child: what is open belongs to the parent."""
        self._engine.dispose(close=False)

    def _key(self, what: str) -> int:
        """The number of an advisory lock of this study."""
        digest = hashlib.sha256(f"octavo {what} {self.address.schema}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)

    def _is_committed(self, number: str) -> bool:
        """What became of a transaction whose commit was not answered."""
        while True:
            with self._engine.connect() as connection:
                fate = connection.execute(_FATE, {"number": number}).scalar()
            if fate != "in progress":
                return bool(fate == "committed")
            time.sleep(0.05)  # its process on the server has not noticed yet

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Try again for as long as the failure may pass."""
        patience = self.address.patience_s if self.is_patient else 0.0
        give_up = time.monotonic() + patience
        pause = 0.02
        while True:
            try:
                result = attempt()
            except IntegrityError:
                raise  # a claim about the data: the store says which one
            except DBAPIError as error:
                if not _may_pass(error) or time.monotonic() >= give_up:
                    raise StorageError(self._explained(error, patience)) from error
                if pause > 0.1:
                    logger.warning("waiting for the study %s: %s", self.place, error.orig)
                # Not all at once: a server that comes back has other things to do.
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self.is_patient = True
                return result

    def _explained(self, error: DBAPIError, patience: float) -> str:
        cause = " ".join(str(error.orig).split())
        if not _may_pass(error):
            return f"the study {self.place} could not be read or written: {cause}"
        waited = f" for {patience:.0f} s" if patience else ""
        return (
            f"the study {self.place} cannot be reached{waited}: {cause}. Check that the server "
            "runs, that the address is right, and that you may connect. All trials committed "
            "before are safe."
        )


def _engine(address: Address) -> Engine:
    try:
        engine = create_engine(
            address.url,
            connect_args={**_CONNECT, **address.url.query},
            pool_size=4,
            max_overflow=-1,
            pool_use_lifo=True,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("a study on PostgreSQL", "postgres") from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        quoted = '"' + address.schema.replace('"', '""') + '"'
        connection.autocommit = True
        connection.execute(_SESSION.format(schema=quoted))
        connection.autocommit = False
        connection.adapters.register_dumper(str, _text_dumper())

    return engine


def _text_dumper() -> type[Any]:
    from psycopg.types.string import StrDumper

    class Text(StrDumper):
        """PostgreSQL has no zero bytes in its texts: they become escapes."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\\x00") if "\0" in obj else obj)

    return Text


def _may_pass(error: DBAPIError) -> bool:
    """Whether it comes from the connection or from the moment, not from what was asked."""
    import psycopg

    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # not from the server: it was not reached, or is gone
        return isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return str(code).startswith(_PASSING)
