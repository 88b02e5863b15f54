"""Files between machines that share no folder: work and data to them, what trials left back.

Work and data are files named by a hash of their content. A machine keeps them once, whatever
number of processes run there, and asks for those that it has not got.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import logging
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from octavo.errors import StorageError

__all__ = ["Pieces", "pack_folder", "receive", "room_for", "store", "unpack_folder"]

logger = logging.getLogger(__name__)

CHUNK = 4 * 2**20
_FORGOTTEN_S = 7 * 86400.0
_PATIENCE_S = 300.0  # between two signs of life of a file on its way


def room_for(study: str) -> Path:
    """Where a study keeps files on this machine; all its processes here use it.

    What others left there a week ago, because they were killed, is removed.

    Raises
    ------
    StorageError
        If somebody else could put files there: what is in them is run.
    """
    folder = Path(tempfile.gettempdir()) / f"octavo-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022 or not folder.is_dir():
        raise StorageError(
            f"{folder} belongs to somebody else, or others may write there. Remove it, or set "
            "TMPDIR to a folder of your own on the workers."
        )
    room = folder / study
    if room.exists():
        os.utime(room)
        return room
    for left in folder.iterdir():
        with contextlib.suppress(OSError):  # others remove it, too
            if time.time() - left.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(left)
    room.mkdir(exist_ok=True)
    return room


def store(content: bytes, folder: Path, label: str) -> Path:
    """Put bytes into a file named by their hash, unless it is there already."""
    path = folder / f"{label}-{hashlib.sha256(content).hexdigest()[:16]}"
    if not path.exists():
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            raise StorageError(
                f"{path} could not be written ({error.strerror}). Free some space there, or give "
                "the study a folder on another disk."
            ) from error
    return path


@dataclass(frozen=True, slots=True)
class Pieces:
    """Files that a machine needs before it can run trials of a study.

    Parameters
    ----------
    names
        Of the files; equal names have equal content.
    """

    names: tuple[str, ...]

    def fetch(
        self, folder: Path, ask: Callable[[str], None], is_wanted: Callable[[], bool]
    ) -> None:
        """Have every file in a folder; of several processes one asks, and the others wait.

        Parameters
        ----------
        folder
            Of this machine.
        ask
            Asks whoever has the file to send it, piece by piece, to `receive`.
        is_wanted
            Whether anybody still waits for the trial.

        Raises
        ------
        StorageError
            If a file does not come.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            if (folder / name).exists():
                continue
            with _only_one(folder / f".{name}.lock"):
                if not (folder / name).exists():
                    ask(name)
                    _await(folder / name, is_wanted)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _await(path: Path, is_wanted: Callable[[], bool]) -> None:
    partial = _partial(path)
    seen, since = -1, time.monotonic()
    while not path.exists():
        size = partial.stat().st_size if partial.exists() else 0
        if size != seen:
            seen, since = size, time.monotonic()
        if time.monotonic() - since > _PATIENCE_S or not is_wanted():
            raise StorageError(
                f"{path.name} did not come from the study's machine within {_PATIENCE_S:g} s. "
                "Check the connection, or use a folder that all machines share."
            )
        time.sleep(0.02)


def receive(folder: str, name: str, offset: int, chunk: bytes, is_last: bool) -> None:
    """Take a part of a file that `Pieces.fetch` asked for."""
    path = Path(folder) / name
    if path.exists():
        return
    with _partial(path).open("wb" if offset == 0 else "r+b") as file:
        file.seek(offset)
        file.write(chunk)
    if is_last:
        _partial(path).replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def pack_folder(folder: Path, limit_mb: float) -> bytes | None:
    """What is in a folder; nothing if it is empty or absent.

    Raises
    ------
    StorageError
        If it is larger than the limit.
    """
    if not folder.exists():
        return None
    files = [folder] if folder.is_file() else [p for p in folder.rglob("*") if p.is_file()]
    size = sum(path.stat().st_size for path in files)
    if size > limit_mb * 2**20:
        raise StorageError(
            f"{folder.name!r} has {size / 2**20:.0f} MiB, more than the {limit_mb:g} MiB that are "
            "carried between machines. Raise carry_mb, or use a folder that all machines share."
        )
    if not files:
        return None
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, arcname=folder.name)
    return packed.getvalue()


def unpack_folder(packed: bytes, parent: Path) -> None:
    """Put what `pack_folder` packed below a folder, under its name."""
    parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(parent, filter="data")
