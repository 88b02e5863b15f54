"""Commands to a running study: small JSON files in the `inbox` of its folder.

Whoever steers a study (a terminal, the dashboard, a script) never touches its objects or its
tables. It puts a file into the inbox under a temporary name and renames it, which is atomic:
the study sees a whole command or none. The study polls, validates, acts and records what it
did as an intervention.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octavo.errors import StorageError, StudyError, closest
from octavo.storage.address import Address, is_address

__all__ = ["Command", "Inbox", "send"]

logger = logging.getLogger(__name__)

FOLDER = "inbox"
KINDS: Mapping[str, str] = {
    "pause": "start nothing new until resumed",
    "resume": "go on after a pause",
    "stop": "end the study after what is running",
    "queue": 'evaluate a configuration next: data={"config": {...}}',
}
_LARGEST = 1 << 20  # bytes; a command is small, and the study must not choke on a file
_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants of a running study.

    Parameters
    ----------
    kind
        "pause", "resume", "stop" or "queue".
    data
        Details, JSON-able. For "queue": {"config": {...}}, and optionally "fidelity" and
        "instance". For all: "reason", in words.
    who
        Who wants it.
    at
        When it was sent, in seconds since the epoch; `send` fills it in.
    is_first
        Whether nobody has obeyed it yet; of several processes that run a study each obeys it,
        and the first one records it.

    Raises
    ------
    StudyError
        If the kind is unknown or the data do not fit it.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    who: str = "user"
    at: float = 0.0
    is_first: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise StudyError(
                f"a study has no command {self.kind!r}. It knows "
                + ", ".join(f"{kind!r} ({meaning})" for kind, meaning in KINDS.items())
                + "."
                + closest(str(self.kind), KINDS)
            )
        if not isinstance(self.data, Mapping):
            raise StudyError(
                f"a command's data must be a JSON object, got {self.data!r}. Use {{}} for none."
            )
        if not isinstance(self.who, str) or not self.who:
            raise StudyError(
                f"a command says who sent it, as a text that is not empty; got who={self.who!r}."
            )
        if isinstance(self.at, bool) or not isinstance(self.at, int | float):
            raise StudyError(
                f"the time of a command is a number of seconds since the epoch, got {self.at!r}. "
                "Leave it out to have it filled in."
            )
        allowed = {"reason"} | (
            {"config", "fidelity", "instance"} if self.kind == "queue" else set()
        )
        for name in self.data:
            if name not in allowed:
                raise StudyError(
                    f"the command {self.kind!r} has no {name!r} in its data. "
                    f"It takes {sorted(allowed)}." + closest(str(name), allowed)
                )
        if self.kind == "queue" and not isinstance(self.data.get("config"), Mapping):
            raise StudyError(
                f"the command 'queue' needs a configuration, got {self.data.get('config')!r}. "
                'Give data={"config": {"name": value, ...}}.'
            )


def send(folder: Path | str, command: Command) -> Path | None:
    """Put a command into the inbox of a study.

    Parameters
    ----------
    folder
        The study's folder, or the address of a shared study.
    command
        What is wanted.

    Returns
    -------
    The file, which is gone as soon as the study has taken it; None on a server.

    Raises
    ------
    StorageError
        If there is no such folder, or it cannot be written to.
    """
    if isinstance(folder, str) and is_address(folder):
        from octavo.storage.postgres import PostgreSQL
        from octavo.storage.table_inbox import put

        database = PostgreSQL(Address.of(folder))
        try:
            put(database, command)
        finally:
            database.close()
        return None
    folder = Path(folder)
    if not folder.is_dir():
        raise StorageError(
            f"there is no study in {folder}: it is not a folder. "
            "Check the path; a study's folder is what was given as storage=."
        )
    inbox = folder / FOLDER
    # Sorted by name is in order of sending: the counter tells apart what one process sends
    # within a tick of the clock, the process id what two processes do.
    name = f"{time.time_ns():020d}-{next(_counter):06d}-{os.getpid()}.json"
    try:
        text = json.dumps(
            {
                "kind": command.kind,
                "data": dict(command.data),
                "who": command.who,
                "at": command.at or time.time(),
            }
        )
    except (TypeError, ValueError) as error:
        raise StudyError(
            f"the data of the command {command.kind!r} cannot be written as JSON ({error}). "
            "Use numbers, strings, booleans, None, and lists and dicts of them."
        ) from error
    try:
        inbox.mkdir(exist_ok=True)
        hidden = inbox / f".{name}"
        hidden.write_text(text)
        return hidden.replace(inbox / name)
    except OSError as error:
        raise StorageError(
            f"the command could not be put into {inbox} ({error.strerror}). "
            "Check that you may write there and that the disk has space."
        ) from error


class Inbox:
    """The commands that wait for a study.

    Parameters
    ----------
    folder
        The study's folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self._inbox = Path(folder) / FOLDER

    def poll(self) -> list[Command]:
        """Take all commands that have come, in the order in which they were sent.

        What cannot be read as a command is moved to `inbox/rejected/`, beside a file that
        says why, and logged; it never stops the study. A command is gone once it is taken:
        it is acted on at most once, also if the study is killed.
        """
        try:
            names = sorted(
                entry.name
                for entry in os.scandir(self._inbox)
                if entry.name.endswith(".json") and not entry.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            logger.warning("the inbox %s cannot be read: %s", self._inbox, error)
            return []
        commands = [self._take(self._inbox / name) for name in names]
        return [command for command in commands if command is not None]

    def _take(self, path: Path) -> Command | None:
        try:
            command = _read(path)
        except FileNotFoundError:
            return None  # taken back by its sender
        except (OSError, ValueError, RecursionError, StudyError) as error:
            self._reject(path, str(error))
            return None
        try:
            path.unlink()
        except OSError as error:
            # Not taken, or it would be acted on again at every poll.
            logger.warning("the command %s cannot be taken: %s", path, error)
            return None
        return command

    def _reject(self, path: Path, reason: str) -> None:
        logger.warning("rejected the command in %s: %s", path, reason)
        rejected = self._inbox / "rejected"
        try:
            rejected.mkdir(exist_ok=True)
            (rejected / f"{path.stem}.reason.txt").write_text(reason + "\n")
            path.replace(rejected / path.name)
        except OSError as error:
            logger.warning("the command %s cannot be moved aside: %s", path, error)


def _read(path: Path) -> Command:
    if not path.is_file():
        raise ValueError("it is not a file. Send commands with octavo.storage.send.")
    size = path.stat().st_size
    if size > _LARGEST:
        raise ValueError(f"it has {size} bytes, and a command has at most {_LARGEST}.")
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(
            f"it holds a {type(found).__name__}, and a command is a JSON object such as "
            '{"kind": "pause", "data": {}, "who": "me"}.'
        )
    unknown = sorted(set(found) - {"kind", "data", "who", "at"})
    if unknown or "kind" not in found:
        raise ValueError(
            f"a command has the keys 'kind', 'data', 'who' and 'at', and the first is needed; "
            f"got {sorted(found)}."
        )
    return Command(**found)
