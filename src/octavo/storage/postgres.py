"""Connections to a shared study; the only place that knows PostgreSQL.

All writing to one study happens one after the other: each transaction begins with an advisory
lock of the study, which the server lets go when it ends, however it ends. So numbers of
proposals never clash, and the order of the trials' rows is the order in which others see them.

Servers restart and connections are cut. What was being done is then done again, with growing
pauses, until the patience is over. The one doubtful moment is the commit: its answer may be
lost. So every writer numbers its transactions, and notes the number within each: what was
committed is recognized by its number, and not repeated.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Engine, Text, bindparam, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from octavo.errors import MissingExtra, StorageError, StudyError
from octavo.storage.address import Address
from octavo.storage.direct import Direct, each_for_itself

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
    "SET idle_in_transaction_session_timeout = {idle_ms}; "
    "SET lock_timeout = '10s'; "
    "SET client_encoding = 'UTF8'; "
    "SET search_path TO {schema}"
)
_LOCK_TIMEOUT = "55P03"
_NO_RIGHTS = "42501"
_PASSING = (
    "08",  # connection
    "57P01", "57P02", "57P03", "57P05",  # the server is shut down, or not yet up
    "25P03",  # we were stopped in the middle of a transaction
    "40001", "40P01",  # serialization, deadlock
    "53300",  # too many connections
    _LOCK_TIMEOUT,
)  # fmt: skip
_LONGEST_PAUSE_S = 2.0

# The lock is held until the commit: so the commit does not wait for the disk, `_FLUSH` does.
_LOCK = "SELECT pg_advisory_xact_lock(:key), set_config('synchronous_commit', 'off', true)"
_BEGIN_CHANGE = text(_LOCK)
_BEGIN = Direct(  # nothing comes back where the number was noted before
    text(
        f"WITH locked AS MATERIALIZED ({_LOCK}) "
        "INSERT INTO writes (writer, number) SELECT :writer, :number FROM locked "
        "ON CONFLICT (writer) DO UPDATE SET number = :number WHERE writes.number < :number "
        "RETURNING number"
    ).bindparams(
        bindparam("key", type_=BigInteger()),
        bindparam("writer", type_=Text()),
        bindparam("number", type_=BigInteger()),
    )
)
_FLUSH = Direct(text("UPDATE writes SET number = :number WHERE writer = :writer"))
_TAKE_TURN = Direct(text("SELECT pg_advisory_lock(:key)"))
_END_TURN = Direct(text("SELECT pg_advisory_unlock_all()"))

_SCHEMA = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")

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
    write
        Whether writing is allowed.

    Raises
    ------
    MissingExtra
        If the driver is not installed.
    """

    is_lasting = True

    def __init__(self, address: Address, *, write: bool = True) -> None:
        self.address = address
        self._may_write = write
        self.is_patient = False  # until it worked once: a wrong address is told at once
        self.interruptions = 0
        """How often a connection was lost: then what was seen may not have been the last word."""
        self._skip_turns_until = 0.0
        self._mine = threading.local()
        self._write_key = _key("write", address.schema)
        self._turn_key = _key("turn", address.schema)
        self._engine = _engine(address)
        weakref.finalize(self, self._engine.dispose)
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
            with self._connected() as connection, each_for_itself(connection):
                return work(connection)

        return self._persist(attempt)

    def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Do something within a transaction: all of it is committed at the end, or nothing.

        One after the other among all that write to the study.

        Parameters
        ----------
        work
            What to do.
        durable
            Whether to wait until it would survive a power cut of the server. It waits without
            keeping others from writing, so that the server's disk serves several at once.
        """
        if not self._may_write:
            raise StudyError(
                f"the study {self.place} is not open for writing here. "
                "Open it with write=True to change it."
            )
        me = self._writer()
        found: list[T] = []

        def attempt() -> T:
            with self._connected() as connection:
                with connection.begin():
                    if _BEGIN(connection, me).fetchone() is not None:
                        found[:] = [work(connection)]
                    # Otherwise an earlier attempt was committed, and only its answer was lost.
                if durable:
                    with each_for_itself(connection):
                        _FLUSH(connection, me)
            return found[0]

        return self._persist(attempt)

    def change_tables(self, work: Callable[[Connection], None]) -> None:
        """Make or migrate tables within a transaction; doing it twice must do no harm."""

        def attempt() -> None:
            with self._engine.begin() as connection:
                connection.execute(_BEGIN_CHANGE, {"key": self._write_key})
                work(connection)

        self._persist(attempt)

    def _writer(self) -> dict[str, Any]:
        """Who writes (a thread of a process), and the number of what it writes next."""
        if not hasattr(self._mine, "name"):
            self._mine.name, self._mine.number = uuid.uuid4().hex, 0
        self._mine.number += 1
        mine = self._mine
        return {"writer": mine.name, "number": mine.number, "key": self._write_key}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Ask the optimizer one after the other, so that each sees what the others proposed.

        A courtesy, on which nothing depends but wasted work: whoever was stopped while having
        its turn is not waited for longer than ten seconds, and then not for a minute.
        """
        connection = None
        if time.monotonic() >= self._skip_turns_until:
            try:
                connection = self._engine.connect()
                with each_for_itself(connection):
                    _TAKE_TURN(connection, {"key": self._turn_key})
            except DBAPIError as error:
                logger.info("going on out of turn: %s", error.orig)
                if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
                    self._skip_turns_until = time.monotonic() + 60.0
        self._mine.connection = connection
        try:
            yield
        finally:
            self._mine.connection = None
            if connection is not None:
                try:
                    if not connection.invalidated:
                        with each_for_itself(connection):
                            _END_TURN(connection)
                except SQLAlchemyError:  # with the connection goes the turn
                    connection.invalidate()
                finally:
                    connection.close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection: that of this thread's turn, if it has one and it is not lost."""
        held: Connection | None = getattr(self._mine, "connection", None)
        if held is not None and not held.invalidated:
            yield held
            return
        with self._engine.connect() as connection:
            yield connection

    def has_tables(self, connection: Connection) -> bool:
        """Whether the study's schema was made."""
        return connection.execute(_SCHEMA, {"name": self.address.schema}).first() is not None

    def close(self) -> None:
        """Close all connections; another use opens new ones."""
        self._engine.dispose()

    def forget_connections(self) -> None:
        """In a forked child: what is open belongs to the parent."""
        self._engine.dispose(close=False)
        self._mine = threading.local()

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
                self.interruptions += 1
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
        cause = _cause(error)
        if not _may_pass(error):
            advice = ""
            if getattr(error.orig, "sqlstate", None) == _NO_RIGHTS:
                database, schema = self.address.url.database, self.address.schema
                advice = (
                    f" Whoever begins a study needs GRANT CREATE ON DATABASE {database}; who takes "
                    f'part in it, rights on the schema "{schema}" and all that is in it.'
                )
            return f"the study {self.place} could not be read or written: {cause}.{advice}"
        waited = f" for {patience:.0f} s" if patience else ""
        return (
            f"the study {self.place} cannot be reached{waited}: {cause}. Check that the server "
            "runs, that the address is right, and that you may connect."
            + (" All trials committed before are safe." if self.is_patient else "")
        )


def _cause(error: DBAPIError) -> str:
    """What the driver says, without its own advice on the lines that follow."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    said = " ".join(lines) if lines[0].endswith(":") else lines[0]
    return " ".join(said.split()).rstrip(".?")


def _key(what: str, schema: str) -> int:
    """The number of an advisory lock of a study."""
    digest = hashlib.sha256(f"octavo {what} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


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
        idle_ms = int(1000 * min(15.0, address.lease_s))
        connection.execute(_SESSION.format(schema=quoted, idle_ms=idle_ms))
        connection.autocommit = False
        connection.adapters.register_dumper(str, _text_dumper())

    return engine


def _text_dumper() -> type[Any]:
    from psycopg.types.string import StrDumper

    class WithoutZeros(StrDumper):
        """PostgreSQL has no zero bytes in its texts: they become escapes."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\\x00") if "\0" in obj else obj)

    return WithoutZeros


def _may_pass(error: DBAPIError) -> bool:
    """Whether it comes from the connection or from the moment, not from what was asked."""
    import psycopg

    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # not from the server: it was not reached, or is gone
        return isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return str(code).startswith(_PASSING)
