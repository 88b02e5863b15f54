"""Making and opening stores: `create_store` and `open_store`."""

from __future__ import annotations

from pathlib import Path

from octavo.errors import StorageError, StudyError
from octavo.storage import migrate, schema
from octavo.storage.address import Address, is_address
from octavo.storage.lock import WriterLock
from octavo.storage.sqlite import FILE, SQLite
from octavo.storage.store import Store

__all__ = ["create_store", "has_study", "open_store"]


def has_study(folder: Path | str) -> bool:
    """Whether a study was begun in a folder, or at the address of a shared one.

    Raises
    ------
    StorageError
        If the server cannot be reached, or the folder holds something else.
    """
    if isinstance(folder, str) and is_address(folder):
        from octavo.storage.opening_shared import has_shared

        return has_shared(Address.of(folder))
    folder = Path(folder).absolute()
    return (folder / FILE).is_file() and _version_in(folder) is not None and _has_problem(folder)


def create_store(folder: Path | str | None) -> Store:
    """Start an empty history.

    Parameters
    ----------
    folder
        Where it lives; made if absent. The address of a shared study, see `Address`. None: in
        memory, for this process only.

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
        database = SQLite(None, write=True)
        database.write(migrate.create)
        return Store(database, None)
    if isinstance(folder, str) and is_address(folder):
        from octavo.storage.opening_shared import create_shared  # drivers are loaded when needed

        return create_shared(Address.of(folder))
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
        database = SQLite(folder, write=True)
        # A creation that was killed before its first problem left nothing to lose.
        database.write(migrate.create if found is None else migrate.upgrade)
        return Store(database, lock)
    except BaseException:
        lock.release()
        raise


def _version_in(folder: Path) -> str | None:
    # Looked up without write access: a file that is something else is left as it is.
    database = SQLite(folder, write=False)
    return database.read(lambda connection: migrate.found_version(connection, folder / FILE))


def _has_problem(folder: Path) -> bool:
    database = SQLite(folder, write=False)
    return database.read(migrate.has_problem)


def open_store(folder: Path | str, write: bool = True) -> Store:
    """Open the history of an existing study.

    Parameters
    ----------
    folder
        The study's folder, or the address of a shared study.
    write
        False: for reading only. That needs no lock, changes nothing, and works beside a
        writer and in a folder that cannot be written to. A shared study has no lock.

    Raises
    ------
    StorageError
        If there is no study, or it cannot be read.
    StudyLockedError
        If another process is writing to it, and `write` is True.
    """
    if isinstance(folder, str) and is_address(folder):
        from octavo.storage.opening_shared import open_shared

        return open_shared(Address.of(folder), write=write)
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
        database = SQLite(folder, write=write)
        if found != schema.VERSIONS[-1]:
            if write:
                database.write(migrate.upgrade)
            else:
                database.become_memory(migrate.upgrade)
        return Store(database, lock)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
