"""One writer per study: an advisory lock on a file in its folder.

The lock is a POSIX record lock. The kernel releases it when the process that holds it dies,
however it dies, and a forked child does not inherit it; so there are no stale locks to clean
up. Its one trap: it is gone as soon as its process closes *any* descriptor of the file, so
within one process a table of what is held answers first, without opening the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path

from octavo.errors import StorageError, StudyLockedError

__all__ = ["WriterLock", "is_written"]

FILE = "writer.lock"

_held: set[tuple[int, int]] = set()  # (device, inode) of each lock file held by this process
_guard = threading.Lock()


def _hold_nothing() -> None:
    global _guard
    _guard = threading.Lock()  # another thread of the parent may have held it
    _held.clear()


os.register_at_fork(after_in_child=_hold_nothing)


class WriterLock:
    """The right to write to a study, held from construction to `release`.

    Parameters
    ----------
    folder
        The study's folder; must exist.

    Raises
    ------
    StudyLockedError
        If another process, or something else in this process, holds it.
    StorageError
        If the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / FILE
        with _guard:
            if path.exists() and _identity(path.stat()) in _held:
                raise StudyLockedError(
                    f"the study in {folder} is already open for writing in this process "
                    f"(pid {os.getpid()}). Use the study that is open, or close it first."
                )
            try:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise StorageError(
                    f"the study's folder {folder} cannot be written to ({error.strerror}). "
                    "Choose a folder that you may write to, or open the study for reading only."
                ) from error
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(self._file)
                raise StudyLockedError(_taken(folder, path)) from error
            self._pid = os.getpid()
            self._key = _identity(os.fstat(self._file))
            _held.add(self._key)
            note = json.dumps({"pid": self._pid, "host": socket.gethostname()})
            try:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, note.encode(), 0)
            except OSError:
                # A full disk: the lock itself is held, only its note for others is missing.
                os.ftruncate(self._file, 0)

    @property
    def is_held(self) -> bool:
        """Whether this process holds it: not after `release`, and not in a forked child."""
        return self._file >= 0 and self._pid == os.getpid()

    def release(self) -> None:
        """Let others write; may be called twice, and does nothing in a forked child."""
        if not self.is_held:
            return
        with _guard:
            os.ftruncate(self._file, 0)
            _held.discard(self._key)
            os.close(self._file)
            self._file = -1


def is_written(folder: Path | str) -> bool:
    """Whether a process of this machine, as far as it can be told, has the study open to write."""
    try:
        note = json.loads((Path(folder) / FILE).read_text())
        os.kill(note["pid"], 0)
    except PermissionError:
        return True  # it lives, and belongs to somebody else
    except ProcessLookupError:
        return bool(note.get("host") != socket.gethostname())
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _taken(folder: Path, path: Path) -> str:
    for _ in range(20):  # the holder may be between taking the lock and writing its note
        try:
            note = json.loads(path.read_text())
            os.kill(note["pid"], 0)
        except ProcessLookupError:
            if note.get("host") != socket.gethostname():
                break
        except PermissionError:
            break  # it lives, and belongs to somebody else
        except (OSError, ValueError, KeyError, TypeError):
            note = {}
        else:
            break
        time.sleep(0.01)
    holder = f"process {note['pid']} on {note['host']}" if "host" in note else "another process"
    return (
        f"{holder} has the study in {folder} open for writing, and a study has one writer at a "
        "time. Wait for it or stop it; reading is possible at any time with write=False."
    )
