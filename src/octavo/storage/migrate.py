"""Bring the tables of an older study up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from octavo.errors import StorageError
from octavo.storage.schema import VERSIONS, metadata, revisions, version

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

__all__ = ["create", "found_version", "has_problem", "settings", "upgrade"]


def found_version(connection: Connection, place: Path | str) -> str | None:
    """The schema's version, or None if there are no tables at all.

    Parameters
    ----------
    connection
        To the database.
    place
        Where it is, for the messages.

    Raises
    ------
    StorageError
        If the tables are somebody else's, or of a version that is not known yet.
    """
    from sqlalchemy import inspect, select

    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if not {"alembic_version", "proposals", "trials"} <= tables:
        raise StorageError(
            f"{place} holds the tables {sorted(tables)[:5]}, which are not those of a "
            "study. Choose another place for the study."
        )
    found = connection.execute(select(version.c.version_num)).scalar()
    if found not in VERSIONS:
        raise StorageError(
            f"the study in {place} was written with version {found!r} of the tables, and this "
            f"Octavo knows versions up to {VERSIONS[-1]!r}. Run: pip install --upgrade octavo"
        )
    return str(found)


def has_problem(connection: Connection) -> bool:
    """Whether a study was begun, not only its tables made."""
    from sqlalchemy import select

    return connection.execute(select(revisions.c.revision)).first() is not None


def create(connection: Connection) -> None:
    """Make all tables in their newest version."""
    # The database is known to be empty, so nothing has to be looked up (12 queries less).
    metadata.create_all(connection, checkfirst=False)
    connection.execute(version.insert(), {"version_num": VERSIONS[-1]})


def upgrade(connection: Connection, to: str = VERSIONS[-1]) -> None:
    """Run all migrations up to a version, within the transaction of the connection."""
    from alembic import command

    config = settings()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def settings() -> Config:
    """Alembic's settings: where the migrations are."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
