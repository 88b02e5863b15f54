"""When a command began, and the folder that it writes to."""

from __future__ import annotations

import os
import time
from pathlib import Path

from octavo.errors import SettingError

__all__ = ["free_folder", "process_start", "refuse_taken"]


def process_start() -> float:
    """When this process was started, on the clock of `time.monotonic()`."""
    import psutil

    age_s: float = time.time() - psutil.Process().create_time()
    return time.monotonic() - max(age_s, 0.0)


def free_folder(wanted: Path) -> Path:
    """The folder, or the first of `folder-2`, `folder-3`, ... that is not there yet."""
    folder, n = wanted, 1
    while folder.exists():
        n += 1
        folder = wanted.with_name(f"{wanted.name}-{n}")
    return folder


def refuse_taken(folder: Path) -> None:
    """Refuse an output folder that holds something, or that cannot be made."""
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"--out {folder} is a file. Give a folder that does not exist yet.")
    if folder.exists() and any(folder.iterdir()):
        raise SettingError(
            f"--out {folder} is not empty, and nothing is overwritten. Give a new folder, or go "
            f"on with the run that is there: octavo resume {folder}"
        )
    parent = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(parent, os.W_OK):
        raise SettingError(
            f"--out {folder} cannot be made: {parent} is not writable. Give another folder."
        )
