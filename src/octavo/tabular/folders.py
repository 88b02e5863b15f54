"""Folders that are written whole or not at all, and never over something else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from octavo.errors import StorageError

__all__ = ["write_folder"]


def write_folder(
    folder: Path, write: Callable[[Path], None], *, mark: str, what: str, content: str
) -> Path:
    """Fill a fresh folder beside, then put it in place of the one that is there.

    Parameters
    ----------
    folder
        Where it is to be; parents are made.
    write
        Called with the fresh, empty folder.
    mark
        A file by which a folder of the same kind is known, which may be replaced.
    what
        That kind: "saved model".
    content
        What is written, as the word in errors: "model".

    Raises
    ------
    StorageError
        If something else is there, or the folder cannot be written.
    """
    is_taken = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if is_taken and not (folder / mark).exists():
        raise StorageError(
            f"{folder} exists and is not a {what}; nothing was overwritten. Give a new folder."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    except OSError as error:
        raise StorageError(
            f"no folder can be made in {folder.parent} for the {content}: {error.strerror}. Give "
            "a folder that you may write to."
        ) from error
    old = fresh.with_name(f"{fresh.name}-old")
    try:
        write(fresh)
        fresh.chmod(0o755)
        if (folder / mark).exists():
            folder.rename(old)  # quicker than deleting it: it is absent for no time at all
        fresh.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        if not isinstance(error, OSError) or isinstance(error, StorageError):
            raise
        raise StorageError(
            f"the {content} could not be written to {folder}: {error.strerror}. "
            "Free some space or give another folder."
        ) from error
    return folder
