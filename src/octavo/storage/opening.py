"""Making and opening stores: `create_store` and `open_store`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from octavo.errors import StorageError, StudyError
from octavo.storage import migrate, schema
from octavo.storage.database import FILE, Database
from octavo.storage.lock import WriterLock
from octavo.storage.store import Store

__all__ = ["create_store", "open_store"]


def create_store(folder: Path | str | None) -> Store:
    """Start an empty history.

    Parameters
    ----------
    folder
        Where it lives; made if absent. None: in memory, for this process only.

    Raises
    ------
    StudyError
        If a study is there already.
    StudyLockedError
        If another process is writing there.
    StorageError
        If nothing can be written there.
    """
    if folder is None:
        database = Database(None, write=True)
        with database.write() as connection:
            migrate.create(connection)
        return Store(database, None)
    folder = Path(folder).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} for the study cannot be made ({error.strerror}). "
            "Choose a folder that you may write to."
        ) from error
    lock = WriterLock(folder)
    try:
        found = _version_in(folder) if (folder / FILE).exists() else None
        if found is not None and _has_problem(folder):
            raise StudyError(
                f"a study is already in {folder}. Go on with it by "
                f"octavo.open_study({str(folder)!r}), or choose another folder."
            )
        database = Database(folder, write=True)
        with database.write() as connection:
            if found is None:
                migrate.create(connection)
            else:  # a creation that was killed before its first problem left nothing to lose
                migrate.upgrade(connection)
        return Store(database, lock)
    except BaseException:
        lock.release()
        raise


def _version_in(folder: Path) -> str | None:
    # Looked up without write access: a file that is something else is left as it is.
    with Database(folder, write=False).read() as connection:
        return migrate.found_version(connection, folder)


def _has_problem(folder: Path) -> bool:
    with Database(folder, write=False).read() as connection:
        return connection.execute(select(schema.revisions.c.revision)).first() is not None


def open_store(folder: Path | str, write: bool = True) -> Store:
    """Open the history of an existing study.

    Parameters
    ----------
    folder
        The study's folder.
    write
        False: for reading only. That needs no lock, changes nothing, and works beside a
        writer and in a folder that cannot be written to.

    Raises
    ------
    StorageError
        If there is no study, or it cannot be read.
    StudyLockedError
        If another process is writing to it, and `write` is True.
    """
    folder = Path(folder).absolute()
    if not (folder / FILE).is_file():
        raise StorageError(
            f"there is no study in {folder}: it has no file {FILE}. "
            "Check the path; a study's folder is what was given as storage=."
        )
    lock = WriterLock(folder) if write else None
    try:
        found = _version_in(folder)
        if found is None:
            raise StorageError(
                f"there is no study in {folder}: its {FILE} is empty, as when creating it was "
                "interrupted. Start the study again in this folder."
            )
        database = Database(folder, write=write)
        if found != schema.VERSIONS[-1]:
            if write:
                with database.write() as connection:
                    migrate.upgrade(connection)
            else:
                database.become_memory(migrate.upgrade)
        return Store(database, lock)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
