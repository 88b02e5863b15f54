"""What a store needs of a database: `Database`. SQLite and PostgreSQL each have a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from octavo.maturity import Maturity

__all__ = ["MATURITY", "Database"]

T = TypeVar("T")

MATURITY: Mapping[str, Maturity] = MappingProxyType({"SQLite": "stable", "PostgreSQL": "beta"})
"""How far each kind of database can be trusted."""


class Database(Protocol):
    """Where the tables of one study are.

    What is done with a connection is passed as a function, because a database on another machine
    may have to do it again: the function must have no effect but on the connection.
    """

    @property
    def folder(self) -> Path | None:
        """The folder of the study's files; None if it has none."""
        ...

    @property
    def place(self) -> str:
        """Where the tables are, for messages."""
        ...

    @property
    def is_lasting(self) -> bool:
        """Whether the tables outlive this process."""
        ...

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do some queries on a connection that sees one consistent state."""
        ...

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something within a transaction: all of it is committed at the end, or nothing."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
