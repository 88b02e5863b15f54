"""Making and opening studies on a server."""

from __future__ import annotations

from sqlalchemy import Connection

from octavo.errors import StorageError, StudyError
from octavo.storage import migrate, schema
from octavo.storage.address import Address
from octavo.storage.postgres import PostgreSQL
from octavo.storage.sharing import Sharing
from octavo.storage.store import Store

__all__ = ["create_shared", "has_shared", "open_shared"]


def has_shared(address: Address) -> bool:
    """Whether a study was begun there.

    Raises
    ------
    StorageError
        If the server cannot be reached.
    """
    database = PostgreSQL(address, write=False)
    try:
        return database.read(
            lambda connection: (
                migrate.found_version(connection, database.place) is not None
                and migrate.has_problem(connection)
            )
        )
    finally:
        database.close()


def create_shared(address: Address) -> Store:
    """Start an empty history on a server.

    Raises
    ------
    StudyError
        If a study of this name is there already.
    StorageError
        If the server cannot be reached, or nothing can be written there.
    """
    database = PostgreSQL(address)

    def work(connection: Connection) -> None:
        if not database.has_tables(connection):
            connection.exec_driver_sql(f'CREATE SCHEMA "{address.schema}"')
        found = migrate.found_version(connection, database.place)
        if found is None:
            migrate.create(connection)
        elif migrate.has_problem(connection):
            raise StudyError(
                f"there is a study {address} already. Take part in it by octavo.open_study(...) "
                "with this address, or choose another name."
            )
        else:  # a creation that was killed before its first problem left nothing to lose
            migrate.upgrade(connection)

    database.change_tables(work)
    return Store(database, None, Sharing(database))


def open_shared(address: Address, *, write: bool) -> Store:
    """Open an existing history on a server.

    Parameters
    ----------
    address
        Where it is.
    write
        False: for reading only.

    Raises
    ------
    StorageError
        If the server cannot be reached, or has no such study.
    """
    database = PostgreSQL(address, write=write)
    found = database.read(lambda connection: migrate.found_version(connection, database.place))
    if found is None and database.glance(database.has_tables):
        raise StorageError(
            f"the study {address} is somebody else's, who has to let you in: GRANT USAGE ON SCHEMA "
            f'"{address.schema}" and SELECT on its tables to look at it, ALL on it, its tables and '
            "its sequences to take part."
        )
    if found is None:
        raise StorageError(
            f"there is no study {address}. Check the name; a study is begun by octavo.Study or "
            "octavo.minimize with this address as storage."
        )
    if found != schema.VERSIONS[-1]:
        if not write:
            raise StorageError(
                f"the study {address} was written by an older Octavo (version {found!r} of the "
                "tables). Open it once with write=True, which brings its tables up to date."
            )
        database.change_tables(migrate.upgrade)
    return Store(database, None, Sharing(database) if write else None)
