"""Connections to a study's own file; the only place that knows SQLite.

A writer keeps one connection for its life, behind a lock. Every read elsewhere opens a
connection of its own and closes it at once: there is nothing to share between threads or to
inherit by a fork, and a history that is looked at after its store was closed still works.

SQLite runs in WAL mode (readers never wait for the writer, nor it for them) with
`synchronous=NORMAL`: a commit that has returned survives SIGKILL at any later instant. What
a power cut may take is the last few commits, never the consistency of the file.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool, StaticPool

from octavo.errors import StorageError, StudyError

__all__ = ["FILE", "SQLite"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

FILE = "history.sqlite"

_WAIT_S = 30.0  # for a reader that holds up a checkpoint or a recovery

_databases: weakref.WeakSet[SQLite] = weakref.WeakSet()
_inherited: list[object] = []  # connections of a parent process: never used, never closed


def _leave_to_the_parent() -> None:
    for database in list(_databases):
        database.forget_connections()


os.register_at_fork(after_in_child=_leave_to_the_parent)


class SQLite:
    """The tables of one study in a file of its folder, or in memory; one process writes.

    Parameters
    ----------
    folder
        The study's folder; None: in memory, gone with this object.
    write
        Whether to keep a connection for writing.
    """

    def __init__(self, folder: Path | None, *, write: bool) -> None:
        self.folder = folder
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._kept: Engine | None = None
        self._fresh: Engine | None = None
        if folder is None:
            self._kept = _engine(lambda: _connect(":memory:"), keep=True)
        elif write:
            where = f"file:{quote(str(folder / FILE))}?mode=rwc"
            self._kept = _engine(lambda: _connect(where), keep=True)
        _databases.add(self)

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return "memory" if self.folder is None else str(self.folder)

    @property
    def is_lasting(self) -> bool:
        """Whether there is a file."""
        return self.folder is not None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do some queries on a connection that sees one consistent state."""
        with self._lock, translated(self.folder), self._reading().connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something within a transaction: all of it is committed at the end, or nothing."""
        with self._lock, translated(self.folder):
            if self._kept is None:
                raise StudyError(self._cannot_write())
            with self._kept.begin() as connection:
                return work(connection)

    def close(self) -> None:
        """Give the writing connection back; with a folder, reading is still possible."""
        with self._lock:
            if self.folder is not None and self._kept is not None:
                self._kept.dispose()
                self._kept = None

    def forget_connections(self) -> None:
        """In a forked child: what is open belongs to the parent, and so does the lock."""
        self._lock = threading.RLock()
        _inherited.append((self._kept, self._fresh))
        self._kept = self._fresh = None

    def _cannot_write(self) -> str:
        if self._pid != os.getpid():
            return (
                f"this store belongs to process {self._pid}, and process {os.getpid()} was forked "
                "from it. A forked process may only read; let the first one write."
            )
        return (
            f"the study in {self.folder} is not open for writing here. "
            "Open it with write=True to change it."
        )

    def _reading(self) -> Engine:
        if self._kept is not None:
            return self._kept
        if self.folder is None:
            raise StudyError(
                f"this store in memory belongs to process {self._pid}, and process {os.getpid()} "
                "was forked from it. Give the study a folder to read it from several processes."
            )
        if self._fresh is None:
            where = self._readable(self.folder / FILE)
            self._fresh = _engine(lambda: _connect(where), keep=False)
        return self._fresh

    def _readable(self, path: Path) -> str:
        """The address under which SQLite can read the file, also in a read-only folder."""
        where = f"file:{quote(str(path))}?mode=ro"
        try:
            _probe(where)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK" and _may(path, os.W_OK):
                _roll_back(path)
                return where
            if _may(path.parent, os.W_OK) or not _may(path, os.R_OK):
                raise
            # Reading in WAL mode wants to make small files beside the database, and cannot.
            journal = Path(f"{path}-wal")
            if not journal.exists() or not journal.stat().st_size:
                return f"file:{quote(str(path))}?mode=ro&immutable=1"
            logger.info("reading a copy of %s, because of: %s", path, error)
            copy = Path(tempfile.mkdtemp(prefix="octavo-"))
            weakref.finalize(self, shutil.rmtree, copy, ignore_errors=True)
            for file in (path, journal):
                shutil.copy(file, copy)
            return f"file:{quote(str(copy / path.name))}?mode=rw"
        return where

    def become_memory(self, upgrade: Callable[[Connection], None]) -> None:
        """Read on from an upgraded copy in memory, when the file must not be changed."""
        copy = _connect(":memory:")

        def fill(connection: Connection) -> None:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(copy)

        self.read(fill)
        engine = _engine(lambda: copy, keep=True)
        with engine.begin() as connection:
            upgrade(connection)
        self._fresh = engine


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)


def _connect(where: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        where,
        uri=where.startswith("file:"),
        timeout=_WAIT_S,
        check_same_thread=False,  # `Database` has a lock
        isolation_level=None,  # transactions begin where we say, also around DDL
    )
    if "mode=ro" not in where:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _probe(where: str) -> None:
    with closing(_connect(where)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _roll_back(path: Path) -> None:
    """Undo what a killed process had begun before the file was in WAL mode."""
    with closing(sqlite3.connect(path, timeout=_WAIT_S)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _engine(connect: Callable[[], sqlite3.Connection], *, keep: bool) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool if keep else NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


# Errors ------------------------------------------------------------------------------


@contextmanager
def translated(folder: Path | None) -> Iterator[None]:
    """Turn errors of the driver into ours, which say what happened and what to do."""
    try:
        yield
    except IntegrityError:
        raise  # a claim about the data: the store says which one
    except (DBAPIError, sqlite3.Error, OSError) as error:
        if isinstance(error, StorageError):
            raise
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StorageError(_explained(cause or error, folder)) from error


def _explained(error: BaseException, folder: Path | None) -> str:
    where = "the study in memory" if folder is None else f"the study in {folder}"
    name = getattr(error, "sqlite_errorname", "")
    if folder is not None and (name in _NO_SPACE or _is_full(error, folder, name)):
        return (
            f"{where} could not be written: no space is left there, or a quota or a limit on the "
            f"size of files is reached ({error}). All trials committed before are safe. Free some "
            "space, or move the folder to a larger disk, and resume the study."
        )
    if name == "SQLITE_NOTADB":
        return (
            f"{where} cannot be read: {FILE} is not a SQLite database. If something else wrote "
            "it, choose another folder; otherwise restore it from a copy."
        )
    if name.startswith("SQLITE_CORRUPT"):
        return (
            f"{where} cannot be read: {FILE} is damaged ({error}). Restore it from a copy, or "
            f'recover what is left: sqlite3 {FILE} ".recover" | sqlite3 recovered.sqlite'
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return (
            f"{where} cannot be opened or written ({error}). Check that the folder exists and "
            "that you may write to it, or open the study for reading only."
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"{where} is being changed by another program ({error}). Close other programs that "
            f"have {FILE} open, then try again."
        )
    return (
        f"{where} could not be read or written: {error}. "
        "Check the disk and the permissions of the folder, then resume the study."
    )


# A quota or a limit of the process (ulimit -f) looks like a broken disk to SQLite.
_NO_SPACE = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")


def _is_full(error: BaseException, folder: Path, name: str) -> bool:
    """Whether an input/output error comes from a full disk."""
    if not (name.startswith("SQLITE_IOERR") or isinstance(error, OSError)):
        return False
    try:
        return shutil.disk_usage(folder).free < 1 << 17
    except OSError:
        return False
