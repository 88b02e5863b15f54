"""Where a shared study is: `postgresql://user@host/database?study=name`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.errors import SettingError, closest

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["Address", "is_address"]

_OURS = ("study", "folder", "lease", "patience")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")


@dataclass(frozen=True, slots=True)
class Address:
    """A study on a PostgreSQL server.

    Parameters
    ----------
    url
        Of the database, with what its driver is to be told.
    study
        The study's name; its tables lie in a schema of their own, `octavo_<name>`.
    folder
        Where outputs, data and checkpoints of this machine's trials lie; None: nowhere, they
        last as long as a run.
    lease_s
        After so many seconds of silence others take over what a process was running.
    patience_s
        For so many seconds a server that does not answer is waited for.
    """

    url: URL
    study: str
    folder: Path | None = None
    lease_s: float = 60.0
    patience_s: float = 300.0

    @staticmethod
    def of(text: str) -> Address:
        """Read a URL.

        Raises
        ------
        SettingError
            If it is of another kind, names no study, or cannot be read.

        Examples
        --------
        >>> address = Address.of("postgresql://me@db.example/lab?study=mlp&lease=30")
        >>> address.study, address.lease_s, str(address)
        ('mlp', 30.0, "'mlp' at postgresql://me@db.example/lab")
        """
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(text)
        except (ArgumentError, ValueError) as error:
            raise SettingError(
                f"storage={text!r} cannot be read as a URL ({error}). {_EXAMPLE}"
            ) from error
        if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise SettingError(
                f"storage={url.render_as_string()!r} is a URL of a {url.drivername!r}, but several "
                f"machines share a study on PostgreSQL. {_EXAMPLE}"
            )
        if "@" in (url.host or ""):
            raise SettingError(
                "storage= has more than one @ before the host. In a password write %40 for it, or "
                f"keep the password in ~/.pgpass. {_EXAMPLE}"
            )
        given = {name: url.query[name] for name in _OURS if name in url.query}
        for name, value in given.items():
            if not isinstance(value, str):
                raise SettingError(f"storage= gives {name}= more than once. {_EXAMPLE}")
        others = set(url.query) - set(_OURS)
        _check_options(others)
        study = given.get("study")
        if not isinstance(study, str) or not _NAME.fullmatch(study):
            raise SettingError(
                f"storage={url.render_as_string()!r} "
                + ("names no study. " if not study else f"names the study {study!r}. ")
                + "A name has up to 50 letters, digits, dots, dashes and underscores. "
                + _EXAMPLE
            )
        folder = given.get("folder")
        return Address(
            url=url.difference_update_query(_OURS).set(drivername="postgresql+psycopg"),
            study=study,
            folder=None if folder is None else Path(str(folder)).absolute(),
            lease_s=_seconds("lease", given.get("lease", "60"), least=0.5),
            patience_s=_seconds("patience", given.get("patience", "300"), least=0.0),
        )

    def sibling(self, study: str) -> str:
        """The URL of another study there, with a password if this one has it.

        Where this one has a folder, the other's lies in it, under its name.

        Examples
        --------
        >>> Address.of("postgresql://me@db.example/lab?study=mlp&lease=30").sibling("svm")
        'postgresql://me@db.example/lab?lease=30&patience=300&study=svm'
        """
        folder = {} if self.folder is None else {"folder": str(self.folder / study)}
        ours = {"lease": f"{self.lease_s:g}", "patience": f"{self.patience_s:g}", "study": study}
        url = self.url.set(drivername="postgresql").update_query_dict({**folder, **ours})
        return url.render_as_string(hide_password=False)

    @property
    def schema(self) -> str:
        """Where its tables are."""
        return f"octavo_{self.study}"

    def __str__(self) -> str:
        url = self.url.set(drivername="postgresql", query={})
        return f"{self.study!r} at {url.render_as_string()}"  # it hides a password


def is_address(storage: object) -> bool:
    """Whether it is meant as a URL, not as a folder."""
    return isinstance(storage, str) and re.match(r"\w[\w+]*://", storage) is not None


_EXAMPLE = "Write such as storage='postgresql://user@host/database?study=mlp'."


def _seconds(name: str, value: Any, *, least: float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = float("nan")
    if not least <= seconds < float("inf"):
        raise SettingError(
            f"storage= has {name}={value!r}, which must be seconds, at least {least:g}. "
            f"Write such as ...?study=mlp&{name}=60."
        )
    return seconds


def _check_options(names: set[str]) -> None:
    """Refuse misspelt names: what is not ours must be the driver's."""
    for name in sorted(names):
        hint = closest(name, _OURS)
        if hint or not re.fullmatch(r"[a-z_]+", name):
            raise SettingError(
                f"storage= has an unknown {name!r} after the question mark.{hint} Octavo knows "
                f"{', '.join(_OURS)}, and passes others, such as sslmode, to PostgreSQL."
            )
