"""Statements that go to the driver as they are: `Direct`, for those that run with every trial.

SQLAlchemy builds each of them once. For running them it takes several times the processor time of
the driver, which is most of what a trial costs here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

__all__ = ["Direct", "each_for_itself"]


class Direct:
    """A statement for PostgreSQL that is run without SQLAlchemy's machinery.

    Parameters
    ----------
    statement
        As SQLAlchemy builds it.

    Examples
    --------
    >>> from sqlalchemy import bindparam, text
    >>> Direct(text("SELECT pg_advisory_lock(:key)")).text
    'SELECT pg_advisory_lock(%(key)s)'
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement

    @cached_property
    def text(self) -> str:
        """The statement as the driver takes it."""
        from sqlalchemy.dialects import postgresql

        make: Any = postgresql.psycopg.dialect
        return str(self._statement.compile(dialect=make()))

    def __call__(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run it.

        Returns
        -------
        psycopg.Cursor
            With what was found.

        Raises
        ------
        DBAPIError
            As SQLAlchemy would, so that whoever tries again need not care which way it went.
        """
        import psycopg

        driver = _driver_of(connection)
        try:
            return driver.execute(self.text, parameters)
        except psycopg.Error as error:
            is_lost = driver.closed
            if is_lost:
                connection.invalidate()
            raise DBAPIError.instance(
                self.text, None, error, psycopg.Error, connection_invalidated=is_lost
            ) from error


@contextmanager
def each_for_itself(connection: Connection) -> Iterator[None]:
    """Within it statements are committed one by one; this alone takes no message to the server."""
    from psycopg.pq import TransactionStatus

    driver = _driver_of(connection)
    driver.autocommit = True
    try:
        yield
    finally:
        connection.rollback()  # what SQLAlchemy takes for a transaction; the server knows of none
        if driver.info.transaction_status == TransactionStatus.IDLE:
            driver.autocommit = False
        else:  # it is lost, or was interrupted
            connection.invalidate()


def _driver_of(connection: Connection) -> Any:
    return connection.connection.driver_connection
